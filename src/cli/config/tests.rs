//! Tables of broken files, the written file, keys that were pasted, arbitrary text.

use super::find::{Source, load_from};
use super::*;
use crate::model::{Autonomy, PolicyName};
use crate::task::Problem;
use crate::tui::Bell;
use proptest::prelude::*;
use std::path::Path;

/// `line message | hint` of every problem.
fn told(text: &str) -> Vec<String> {
    let (_, problems) = read::parse(text, "config.toml");
    let one = |p: &Problem| format!("{} {} | {}", p.line, p.message, p.hint.as_deref().unwrap_or("").replace('\n', " ⏎ "));
    problems.map(|p| p.list.iter().map(one).collect()).unwrap_or_default()
}

fn file(text: &str) -> UserFile {
    let (file, problems) = read::parse(text, "config.toml");
    assert!(problems.is_none(), "{}", problems.unwrap());
    file
}

/// The written file with its settings switched on.
fn uncommented() -> String {
    let on = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    template::TEXT.lines().map(|line| on(line) + "\n").collect()
}

#[test]
fn the_written_file_says_nothing_until_it_is_uncommented() {
    assert_eq!(file(template::TEXT), UserFile::default());
    let text = uncommented();
    let all = file(&text);
    let values = (all.policy.map(|a| a.value), all.autonomy.map(|a| a.value), all.bell.map(|a| a.value), all.colour.map(|a| a.value));
    assert_eq!(
        values,
        (Some(PolicyName::Hillclimb), Some(Autonomy::Ask), Some(Bell::default()), Some(Colour::Auto)),
        "its values are the defaults"
    );
    assert_eq!((all.proposers.map(|a| a.value), all.mouse.map(|a| a.value)), (Some(vec!["tpe".to_owned()]), Some(true)));
    assert!(all.models[0].prices.is_some() && all.models[0].headers.len() == 2 && all.models[1].api.word() == "responses");
    // Every key that the reader knows is in it.
    for (section, keys) in read::WORDS.sections {
        let headed = |line: &&str| *line == format!("[{section}]") || *line == format!("[[{section}]]");
        assert!(text.lines().any(|l| headed(&l)), "[{section}]");
        for key in *keys {
            assert!(text.lines().any(|l| l.starts_with(&format!("{key} = "))), "{section}.{key}");
        }
    }
}

#[test]
fn what_is_written_holds_with_its_line() {
    let text = "[studies]\ndir = \"~/s\"\n\n[run]\nproposer = \"random + tpe\"\nslots = 3\n[ui]\ntheme = \"mine.toml\"\neditor = \"code --wait\"\n";
    let file = file(text);
    assert_eq!(file.studies, Some(At { value: "~/s".into(), line: 2 }));
    assert_eq!(file.proposers, Some(At { value: vec!["random".into(), "tpe".into()], line: 5 }));
    assert_eq!(file.slots, Some(At { value: 3, line: 6 }));
    assert_eq!(file.editor, Some(At { value: vec!["code".into(), "--wait".into()], line: 9 }));
    assert_eq!((file.policy, file.models.len()), (None, 0));
}

#[test]
fn what_is_wrong_is_told_and_left_out() {
    for (text, want) in [
        ("[run]\npolcy = \"greedy\"", "2 unknown key `polcy` in [run] | did you mean `policy`?"),
        ("[runn]\nslots = 1", "1 unknown section `runn` | did you mean [run]?"),
        ("theme = \"mono\"", "1 `theme` stands outside of a section | it belongs to [ui]"),
        ("[run]\ntheme = \"mono\"", "2 unknown key `theme` in [run] | `theme` belongs to [ui]"),
        ("[run]\nslots = 0", "2 `slots` must be a whole number from 1 to 4294967295 | write slots = 2"),
        ("[run]\nautonomy = \"aks\"", "2 `aks` is not a valid `autonomy` | did you mean \"ask\"?"),
        ("[run]\nisolation = \"F\"", "2 `F` is not a valid `isolation` | write one of `none`, `A`, `B`, `C`, `D`, `E`"),
        ("[studies]\ndir = \"here\"", "2 `dir` must be an absolute path, not `here` | begin it with / or ~/"),
        ("[ui]\ntheme = \"monno\"", "2 there is no theme `monno` | did you mean \"mono\"?"),
        ("[ui]\ncolor = \"never\"", "2 unknown key `color` in [ui] | did you mean `colour`?"),
        ("[ui]\nbell = true", "2 `bell` must be a text, not a truth value | write bell = \"true\""),
        ("[ui]\neditor = \"vi '\"", "2 `editor` is not a command | close the quote: editor = \"code --wait\""),
        ("[model]\nname = \"a\"", "1 `model` is a list: there may be several | write [[model]] with two brackets"),
        ("[[model]]\nname = \"a\"", "1 `base_url` is missing in [[model]] | add ⏎ base_url = \"http://localhost:8000/v1\""),
    ] {
        assert_eq!(told(text), [want], "{text}");
    }
    let model = |more: &str| format!("[[model]]\nname = \"a\"\nbase_url = \"https://h/v1\"\n{more}");
    for (more, want) in [
        ("api = \"chatt\"", "4 `chatt` is not a valid `api` | did you mean \"chat\"?"),
        ("temperature = 3", "4 `temperature` must lie from 0 to 2 | write temperature = 1.0"),
        ("key_env = \"$MY_KEY\"", "4 `key_env` is not the name of an environment variable | write key_env = \"MY_KEY\""),
        (
            "key_env = \"A\"\nkey_command = \"b\"",
            "5 the key has two origins | keep `key_env` for a variable, or `key_command` for a program that prints it",
        ),
        (
            "prices = { input = 1 }",
            "4 `output` is missing in [[model]] prices | add ⏎ prices = { input = 2.5, output = 10.0 }   # US dollars for a million tokens",
        ),
        (
            "body = { stream = true }",
            "4 `stream` is written by trialdeck itself | `body` is for what else a server wants, such as top_p or chat_template_kwargs",
        ),
        (
            "[[model]]\nname = \"a\"\nbase_url = \"http://h\"",
            "5 there are two models `a` | the other one stands in line 1; `name` is yours to choose, `model` is what the server calls it",
        ),
    ] {
        assert_eq!(told(&model(more)), [want], "{more}");
    }
    for (url, want) in [
        ("localhost:8000", "must begin with http"),
        ("https://me:word@h/v1", "holds a user or a key"),
        ("https://h/v1?key=x", "has a query"),
        ("https://h/v1/chat/completions", "the address of one call"),
        ("https:///v1", "names no server"),
    ] {
        let told = told(&format!("[[model]]\nname = \"a\"\nbase_url = \"{url}\""));
        assert!(told.len() == 1 && told[0].contains(want), "{url}: {told:?}");
    }
    // All at once, and the good remains.
    let (file, problems) = read::parse("[run]\npolicy = \"greedy\"\nslots = -1\n[ui]\nmouse = 1\n", "config.toml");
    assert_eq!((file.policy.map(|a| a.value), file.slots, file.mouse), (Some(PolicyName::Greedy), None, None));
    assert_eq!(problems.map(|p| p.list.len()), Some(2));
}

#[test]
fn a_key_is_refused_wherever_it_stands_and_never_shown() {
    const KEY: &str = "sk-proj-AbCdEf0123456789";
    let model = "[[model]]\nname = \"a\"\nbase_url = \"https://h/v1\"\n";
    for text in [
        format!("{model}key = \"{KEY}\""),
        format!("{model}api_key = '{KEY}'"),
        format!("{model}api_key = 'AbCdEf'"),
        "[[model]]\nname = \"a\"\nbase_url = \"https://me:AbCdEf@h/v1\"".to_owned(),
        format!("{model}key_env = \"{KEY}\""),
        format!("{model}key_command = \"{KEY}\""),
        format!("{model}headers = {{ Authorization = \"Bearer {KEY}\" }}"),
        format!("{model}headers = {{ x-api-key = \"{KEY}\" }}"),
        format!("{model}body = {{ nested = {{ list = [\"{KEY}\"] }} }}"),
        format!("[ui]\neditor = \"{KEY}\""),
        format!("token = \"{KEY}\""),
        // Syntax errors hide a value from the parser, not from the screen.
        format!("{model}key = \"{KEY}"),
        format!("{model}key = {KEY}"),
    ] {
        let (_, problems) = read::parse(&text, "config.toml");
        let drawn = problems.expect("a key is a problem").render(false);
        assert!(!drawn.contains("AbCdEf"), "{text}\n{drawn}");
    }
    let drawn = read::parse(&format!("{model}key = \"{KEY}\""), "config.toml").1.unwrap().render(false);
    insta::assert_snapshot!(drawn);
    // Words that only resemble one.
    for good in ["key_env = \"SK_LIVE_KEY\"", "max_tokens = 5", "headers = { x-api-key = { env = \"AZURE_KEY\" } }"] {
        assert_eq!(told(&format!("{model}{good}")), [""; 0], "{good}");
    }
}

#[test]
fn a_file_is_found_read_and_its_trouble_kept() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str, named: bool| Source { path: dir.path().join(name), named };
    assert!(load_from(&at("none.toml", false)).trouble.is_none(), "no file is no trouble");
    let missing = load_from(&at("none.toml", true));
    assert!(matches!(missing.trouble, Some(Trouble::Unreadable(why)) if why.contains("TRIALDECK_CONFIG")));
    std::fs::create_dir(dir.path().join("dir.toml")).unwrap();
    std::fs::write(dir.path().join("latin.toml"), b"[ui]\neditor = \"\xe9\"\n").unwrap();
    for (name, want) in [("dir.toml", "not a regular file"), ("latin.toml", "line 2 is not UTF-8")] {
        let config = load_from(&at(name, false));
        assert!(matches!(&config.trouble, Some(t) if t.line().contains(want)), "{:?}", config.trouble);
    }
    assert!(load_from(&Source { path: Path::new("/dev/null").into(), named: true }).trouble.is_none());
    std::fs::write(dir.path().join("half.toml"), "[run]\nslots = 2\npolcy = \"x\"\nwhat = 1\n").unwrap();
    let half = load_from(&at("half.toml", false));
    assert_eq!(half.file.slots, Some(At { value: 2, line: 2 }));
    let line = half.trouble.unwrap().line();
    assert!(line.ends_with("half.toml line 3: unknown key `polcy` in [run] (and 2 more)"), "{line}");
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics_and_shows_no_key(text in "\\PC{0,200}", more in "[\\[\\]a-z_=\"'{}#\n sk-]{0,200}") {
        for text in [text.as_str(), more.as_str()] {
            let whole = format!("[[model]]\nkey = \"sk-secret-0123456789\"\n{text}");
            if let (_, Some(problems)) = read::parse(&whole, "config.toml") {
                prop_assert!(!problems.render(false).contains("secret-0123"));
            }
        }
    }

    #[test]
    fn a_torn_file_never_panics(cut in 0usize..4000) {
        let text = uncommented();
        let cut = (0..=cut.min(text.len())).rev().find(|c| text.is_char_boundary(*c)).unwrap_or(0);
        let _ = read::parse(&text[..cut], "config.toml");
    }
}
