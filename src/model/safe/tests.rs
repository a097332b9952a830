use super::*;
use proptest::prelude::*;

#[test]
fn control_sequences_do_not_pass() {
    for (text, want) in [
        ("plain", "plain"),
        ("a\u{1b}[31mred\u{1b}[0m", "ared"),
        ("\u{1b}[2K\u{1b}[K50%", "50%"),
        ("\u{1b}]0;title\u{7}after", "␛after"),
        ("\u{1b}]52;c;aGk=\u{1b}\\after", "␛after"),
        ("\u{1b}P1;2|payload\u{1b}\\x", "␛x"),
        ("\u{1b}_apc\u{9c}x\u{1b}^pm\u{18}y\u{1b}Xsos\u{1b}[2Jz", "␛x␛y␛z"),
        ("\u{1b}]0;never ends", "␛0;never ends"),
        ("\u{1b}[2J\u{1b}[H\u{1b}[?1049hx", "␛x"),
        ("\u{1b}(0lqk\u{1b}cx\u{1b}#8", "␛lqk␛x␛"),
        ("10%\r20%\r30%", "30%"),
        ("a\tb", "a    b"),
        ("ev\u{202e}il\u{200b}", "ev<U+202E>il<U+200B>"),
        ("bell\u{7} back\u{8}\u{8}space \u{7f}\0", "bell␇ back␈␈space ␡␀"),
        ("\u{9b}2Jx", "<U+009B>x"),
        ("\u{9d}0;t\u{9c}x\u{85}y", "<U+009D>x<U+0085>y"),
        ("cut \u{1b}", "cut ␛"),
        ("line\r\n", "line"),
        ("two\nlines", "two lines"),
        ("\u{feff}mark", "mark"),
        ("👩\u{200d}💻 ❤\u{fe0f} 👍\u{1f3fd}", "👩💻 ❤ 👍"),
        ("a\u{200d}b c\u{fe0f}", "a<U+200D>b c<U+FE0F>"),
        ("e\u{301}e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}", "e\u{301}e\u{301}\u{301}\u{301}\u{301}"),
        ("\u{301}x", "◌\u{301}x"),
        ("\u{e0041}\u{e0042}", "<U+E0041><U+E0042>"),
    ] {
        assert_eq!(Safe::line(text).as_str(), want, "{text:?}");
    }
    let long = Safe::line(&"x".repeat(10_000));
    assert!(long.as_str().ends_with("… +5904 bytes") && long.as_str().len() < 4_200);
    assert_eq!(Safe::bytes(b"\x9b2J\xff\xfeok").as_str(), "\u{fffd}2J\u{fffd}\u{fffd}ok");
}

#[test]
fn code_hides_nothing() {
    for (text, want) in [
        ("x = 1\r\n", "x = 1"),
        ("x = 1 # fine\rimport os", "x = 1 # fine␍import os"),
        ("s = '\u{1b}]0;'; import os # \u{7}", "s = '␛]0;'; import os # ␇"),
        ("\u{1b}[8mhidden\u{1b}[0m", "␛[8mhidden␛[0m"),
        ("if a\u{202e}: #", "if a<U+202E>: #"),
        ("\u{feff}import", "<U+FEFF>import"),
    ] {
        assert_eq!(Safe::code(text).as_str(), want, "{text:?}");
    }
}

#[test]
fn what_is_printed_keeps_our_own_colours_alone() {
    for (text, want) in [
        ("\u{1b}[1;31mred\u{1b}[0m\n\tx", "\u{1b}[1;31mred\u{1b}[0m\n\tx"),
        ("\u{1b}[2Jgone\u{1b}]0;t\u{7}", "␛[2Jgone␛]0;t␇"),
        ("a\r\nb\rc", "a\nb␍c"),
        ("\u{9b}31m\u{202e}é", "<U+009B>31m<U+202E>é"),
    ] {
        assert_eq!(printable(text), want, "{text:?}");
    }
    let value = serde_json::json!({ "a\u{9b}": "\u{1b}[2J\u{202e}é\u{e0041}\u{7f}" });
    let text = serde_json::to_string(&value).unwrap();
    let shown = printable_json(&text);
    assert!(drawable(&shown), "{shown}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\u{1b}[".to_owned()),
        Just("\u{1b}]".to_owned()),
        Just("\u{1b}P".to_owned()),
        Just("\u{1b}\\".to_owned()),
        Just("\u{9b}".to_owned()),
        Just("\u{202e}".to_owned()),
        Just("\u{301}".to_owned()),
        "[0-9;?]{0,4}[a-zA-Z@]",
        any::<char>().prop_map(String::from),
        "[\\x00-\\x1f]",
        "\\PC{0,8}",
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|p| p.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_acts_passes(text in hostile()) {
        for safe in [Safe::line(&text), Safe::code(&text)] {
            prop_assert!(drawable(safe.as_str()), "{safe:?}");
            prop_assert!(safe.as_str().len() < LONGEST + 64);
            prop_assert_eq!(&Safe::line(safe.as_str()), &safe, "clean text stays as it is");
        }
        let printed = printable(&text);
        let plain = printed.replace(['\n', '\t'], "");
        let mut rest = plain.as_str();
        while let Some(at) = rest.find('\u{1b}') {
            let length = colour(&rest[at..]);
            prop_assert!(length.is_some(), "{rest:?}");
            rest = &rest[at + length.unwrap()..];
        }
        let json = serde_json::to_string(&text).unwrap();
        let shown = printable_json(&json);
        prop_assert!(drawable(&shown));
        prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
    }

    /// What a character printed in a log stays, but for sequences: nobody hides words.
    #[test]
    fn words_stay(words in "[a-z ]{1,40}", junk in "[\\x00-\\x08\\x0e-\\x1a\u{202a}-\u{202e}]{0,5}") {
        let safe = Safe::line(&format!("{junk}{words}{junk}"));
        prop_assert!(safe.as_str().contains(words.as_str()), "{}", safe);
    }
}
