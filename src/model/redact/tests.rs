use super::*;
use proptest::prelude::*;

const OPENAI: &str = "sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8x";
const AWS: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const PASSWORD: &str = "käse & \"brot\" 1";

fn known() -> Redactor {
    let variables = [("OPENAI_API_KEY", OPENAI), ("AWS_SECRET_ACCESS_KEY", AWS), ("DB_PASSWORD", PASSWORD), ("HOME", "/nobody/at/all")];
    Redactor::new(variables.map(|(n, v)| (n.to_owned(), v.to_owned())))
}

#[test]
fn names_and_what_they_hold() {
    for (name, value, want) in [
        ("OPENAI_API_KEY", OPENAI, true),
        ("AWS_SECRET_ACCESS_KEY", AWS, true),
        ("AWS_SESSION_TOKEN", "FwoGZXIvYXdzEBYaDH", true),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE", true),
        ("GITHUB_TOKEN", "ghs_16C7e42F292c6912E7710c838347Ae178B4a", true),
        ("PGPASSWORD", "hunter2hunter2", true),
        ("my_secret", "correct horse", true),
        ("ANTHROPIC_AUTH", "tok1234567890abcdef", true),
        ("OPENAI_API_KEY", "short", false),
        ("OPENAI_API_KEY", "not-needed", false),
        ("AWS_REGION", "eu-central-1", false),
        ("AWS_PROFILE", "research-2024-nodes", false),
        ("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1", false),
        ("OPENAI_MODEL", "gpt-4o-mini-2024-07-18", false),
        ("HF_HOME", "/data/huggingface2", false),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/secrets/key.json", false),
        ("PATH", "/usr/bin:/bin:/x1234567890", false),
    ] {
        assert_eq!(holds_a_key(name, value), want, "{name}={value}");
    }
}

#[test]
fn values_are_found_in_all_their_clothes() {
    let redactor = known();
    let text = format!(
        "a {OPENAI} b {AWS} {PASSWORD} {} {} {}",
        AWS.replace('/', "%2F").replace('+', "%2B"),
        "7a".repeat(3),
        serde_json::to_string(PASSWORD).unwrap()
    );
    let covered = redactor.text(&text);
    assert_eq!(covered.len(), text.len());
    for hidden in ["Ab3d", "wJalr", "brot", "K7MD"] {
        assert!(!covered.contains(hidden), "{covered}");
    }
    assert!(covered.starts_with("a [redacted]****") && covered.contains(" 7a7a7a "), "{covered}");
    // Known figures: RFC 4648 and `printf | base64`.
    assert_eq!(base64(b"foobar", 0), "Zm9vYmFy");
    for before in 0..5 {
        let prefix = "x".repeat(before);
        let whole = base64(format!("{prefix}{AWS}tail").as_bytes(), 0);
        let covered = redactor.text(&whole);
        assert!(covered.contains("[redacted]"), "{before}: {covered}");
    }
    assert_eq!(redactor.value_in(&format!("KEY = '{OPENAI}'")), Some("OPENAI_API_KEY"));
    assert_eq!(redactor.value_in("KEY = 'sk-proj-something-else-123456789'"), None, "a shape is nobody's value");
}

#[test]
fn shapes_are_found_and_training_is_left_alone() {
    let redactor = Redactor::new([]);
    for (text, want) in [
        ("key sk-ant-api03-abcdefghij0123456789 end", "key [redacted]*********************** end"),
        ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "[redacted]******************************"),
        ("AKIAIOSFODNN7EXAMPLE,", "[redacted]**********,"),
        ("Authorization: Bearer abcdef0123456789.x", "Authorization: Bearer [redacted]********"),
        ("https://user:pa55word1234@host/x", "https://user:[redacted]**@host/x"),
        ("environ({'OPENAI_API_KEY': 'canary-0123456', 'A': 'b'})", "environ({'OPENAI_API_KEY': '[redacted]****', 'A': 'b'})"),
        ("{\"api_key\": \"abcd0123efgh\"}", "{\"api_key\": \"[redacted]**\"}"),
        ("{\\\"api_key\\\": \\\"abcd0123efgh\\\"}", "{\\\"api_key\\\": \\\"[redacted]**\\\"}"),
        ("AWS_SECRET_ACCESS_KEY=abcd0123efgh", "AWS_SECRET_ACCESS_KEY=[redacted]**"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabcdef==\n-----END RSA PRIVATE KEY-----\nafter",
            "-----BEGIN RSA PRIVATE KEY-----[redacted]*******-----END RSA PRIVATE KEY-----\nafter",
        ),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN ok", "[redacted]*********************************************** ok"),
    ] {
        assert_eq!(redactor.text(text), want, "{text}");
    }
    for text in [
        "epoch 3/10 train_loss 0.123 tokens/s 513227",
        "task-0123456789abcdefghijklmnop risk-adjusted-0123456789-return",
        "sk-learn-is-scikit-learn-by-another-name",
        "PAD_TOKEN=<|endoftext|> EOS_TOKEN: </s> SORT_KEY=validation_loss_mean",
        "if args.api_key == expected0123456789:",
        "http://127.0.0.1:8000/v1 https://huggingface.co/org/model-1234567890",
        "hf_hub_download2 with eyJust an ordinary word",
        "commit 0123456789abcdef0123456789abcdef01234567",
        "-----BEGIN CERTIFICATE-----\nMIIE",
        "Basic training begins; bearer of news: none",
    ] {
        assert_eq!(redactor.text(text), text);
    }
}

/// What a stream makes of a text that comes in pieces.
fn streamed(redactor: &Redactor, text: &[u8], cuts: &[usize]) -> Vec<u8> {
    let (mut stream, mut out, mut from) = (Stream::new(redactor), Vec::new(), 0);
    for cut in cuts.iter().copied().chain([text.len()]) {
        let to = cut.clamp(from, text.len());
        out.extend_from_slice(stream.push(&text[from..to]));
        from = to;
    }
    out.extend_from_slice(stream.flush());
    out
}

#[test]
fn a_cut_hides_no_key() {
    let redactor = known();
    let text = format!(
        "x {OPENAI} y PASSWORD=abc123def456 {AWS}\nhttps://u:p4ss@h {PASSWORD} Bearer abcdef0123456789 eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjg\n\
         -----BEGIN PRIVATE KEY-----\nMIIEow\n-----END PRIVATE KEY-----\n50%|###  | 3.9it/s"
    );
    let whole = redactor.text(&text).into_owned();
    for cut in 0..=text.len() {
        let got = streamed(&redactor, text.as_bytes(), &[cut]);
        assert_eq!(String::from_utf8_lossy(&got), whole, "cut at {cut}");
    }
    let each: Vec<usize> = (0..text.len()).collect();
    assert_eq!(String::from_utf8_lossy(&streamed(&redactor, text.as_bytes(), &each)), whole);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn as_many_bytes_come_out_as_go_in(
        pieces in proptest::collection::vec(prop_oneof![
            Just("sk-".to_owned()), Just("_KEY=".to_owned()), Just("://".to_owned()), Just("-----BEGIN ".to_owned()), Just("PRIVATE KEY-----".to_owned()),
            Just(OPENAI.to_owned()), Just(AWS.to_owned()), Just("@".to_owned()), Just("\n".to_owned()), "[a-zA-Z0-9:.]{0,30}", "\\PC{0,6}",
        ], 0..30),
        cuts in proptest::collection::vec(0usize..600, 0..6),
    ) {
        let redactor = known();
        let text = pieces.concat();
        let mut cuts = cuts;
        cuts.sort_unstable();
        let whole = redactor.text(&text).into_owned();
        prop_assert_eq!(whole.len(), text.len());
        prop_assert!(!whole.contains(OPENAI) && !whole.contains(AWS));
        let got = streamed(&redactor, text.as_bytes(), &cuts);
        // Where shapes overlap, which of them was told first depends on the pieces; that no value comes through does not.
        let got = String::from_utf8_lossy(&got);
        prop_assert_eq!(got.len(), text.len());
        prop_assert!(!got.contains(OPENAI) && !got.contains(AWS), "{}", got);
        let mut json = serde_json::json!({ "a": [&text, 1], &text: null });
        prop_assert_eq!(redactor.value(&mut json), whole != text);
        prop_assert_eq!(json, serde_json::json!({ "a": [&whole, 1], &whole: null }));
    }
}
