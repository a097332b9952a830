//! `trialdeck models` by the real binary against scripted servers: what it says, how it ends, and what it never shows.

use crate::endpoint::{Endpoint, Reply};
use serde_json::{Value, json};
use std::{fs, process::Command};

const KEY: &str = "correct-horse-battery-3";

struct Out {
    code: i32,
    out: String,
    err: String,
}

/// Runs `trialdeck models` with this configuration and nothing else of the environment.
fn models(config: &str, args: &[&str], variables: &[(&str, &str)]) -> Out {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.toml");
    fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_trialdeck"));
    command
        .arg("models")
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", dir.path())
        .env("TRIALDECK_CONFIG", &file);
    let out = command.envs(variables.iter().copied()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let out = Out { code: out.status.code().unwrap(), out: text(&out.stdout), err: text(&out.stderr) };
    assert!(!out.out.contains(KEY) && !out.err.contains(KEY), "{} {}", out.out, out.err);
    out
}

fn model(name: &str, url: &str, more: &str) -> String {
    format!("[[model]]\nname = \"{name}\"\nmodel = \"m-1\"\nbase_url = \"{url}\"\n{more}\n")
}

/// A server that does all that is asked, by both APIs.
fn good() -> Endpoint {
    Endpoint::start(|_, request| {
        let tools = request.body.get("tools").is_some();
        match (request.path.ends_with("/responses"), tools) {
            (false, false) => Reply::chat("Counting.", "one, two, three"),
            (false, true) => Reply::calls("", &[("note", json!({ "word": "ready" }))]),
            (true, false) => Reply::responses("Counting.", "one, two, three", &[]),
            (true, true) => Reply::responses("", "", &[("note", json!({ "word": "ready" }))]),
        }
    })
}

fn lines(out: &Out) -> Vec<Value> {
    out.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn all_that_work_are_told_in_aligned_lines() {
    let server = good();
    let config = model("local", &server.url(), "prices = { input = 1, output = 2 }")
        + &model("other-one", &server.url(), "api = \"responses\"\nkey_command = \"echo correct-horse-battery-3\"");
    let out = models(&config, &[], &[]);
    assert_eq!(out.code, 0, "{}{}", out.out, out.err);
    for words in
        ["local ", "other-one ", "chat, m-1", "responses, m-1", "reachable, streams, reasoning seen, tools,", "counts tokens", "priced"]
    {
        assert!(out.out.contains(words), "no `{words}` in\n{}", out.out);
    }
    assert!(out.out.lines().all(|l| l.chars().count() <= 80), "{}", out.out);
    let sent: Vec<Option<String>> = server.requests().iter().map(|r| r.header("authorization").map(str::to_owned)).collect();
    assert_eq!(sent.iter().flatten().filter(|h| h.as_str() == "Bearer correct-horse-battery-3").count(), 2);
    let out = models(&config, &["--json"], &[]);
    let all = lines(&out);
    assert_eq!((out.code, all.len()), (0, 2));
    assert_eq!(
        (&all[0]["verdict"], &all[0]["tools"], &all[0]["streams"], &all[0]["reasoning"]),
        (&json!("works"), &json!("native"), &json!(true), &json!(true))
    );
    assert!(all[0]["first_token_secs"].is_f64() && all[0]["spend"]["usd"].as_f64().unwrap() > 0.0 && all[1]["priced"] == false);
}

#[test]
fn each_trouble_is_one_line_with_a_mend() {
    let gone = {
        let server = good();
        server.url()
    };
    let refusing =
        Endpoint::start(|_, request| Reply::error(401, &format!("bad key {}", request.header("authorization").unwrap_or_default())));
    let wordy = Endpoint::start(|_, request| {
        if request.said().contains("## note") {
            Reply::chat("", "<tool name=\"note\">\n<arg name=\"word\">ready</arg>\n</tool>")
        } else {
            Reply::chat("", "ready")
        }
    });
    let mute = Endpoint::start(|_, _| Reply::chat("", "I would rather not"));
    let toolless = Endpoint::start(|_, request| {
        if request.body.get("tools").is_some() {
            return Reply::error(400, "m-1 does not support tools");
        }
        Reply::chat("", "<tool name=\"note\">\n<arg name=\"word\">ready</arg>\n</tool>")
    });
    let redirecting = {
        let to = format!("{}/chat/completions", mute.url());
        Endpoint::start(move |_, _| Reply::plain(307, "text/plain", "").header("location", &to))
    };
    for (what, config, code, says) in [
        ("gone", model("a", &gone, ""), 1, "cannot be reached"),
        ("refused", model("a", &refusing.url(), "key_env = \"LAB\""), 1, "refused the key"),
        ("no key", model("a", &refusing.url(), "key_env = \"NOT_SET\""), 1, "export NOT_SET=…"),
        ("no header", model("a", &refusing.url(), "headers = { x = { env = \"NOT_SET\" } }"), 1, "export NOT_SET=…"),
        ("no command", model("a", &refusing.url(), "key_command = \"no-such-program-at-all\""), 1, "cannot be started"),
        ("words", model("a", &wordy.url(), ""), 1, "write tools = \"text\""),
        ("words, as told", model("a", &wordy.url(), "tools = \"text\""), 0, "tools in words"),
        ("no tools", model("a", &mute.url(), ""), 1, "called no tool when asked to"),
        ("tools unknown", model("a", &toolless.url(), ""), 0, "does not know tool calls"),
        ("sent on", model("a", &redirecting.url(), "key_env = \"LAB\""), 1, "sends on to another address"),
    ] {
        let out = models(&config, &["--json"], &[("LAB", KEY)]);
        let one = &lines(&out)[0];
        let told = one["trouble"].as_str().or(one["remark"].as_str()).unwrap_or_default().to_owned();
        assert_eq!(out.code, code, "{what}: {}", out.out);
        assert!(told.contains(says) && told.starts_with("a") && !told.contains('\n') || code == 0, "{what}: {told}");
        let plain = models(&config, &[], &[("LAB", KEY)]);
        let joined = plain.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(joined.contains(says), "{what}: {}", plain.out);
        assert!(plain.out.lines().all(|l| l.chars().count() <= 80), "{what}: {}", plain.out);
    }
    assert!(mute.requests().iter().all(|r| r.header("authorization").is_none()), "a key went to another host");
    // One that works does not make up for one that does not.
    let server = good();
    let both = model("a", &server.url(), "") + &model("b", &gone, "");
    let out = models(&both, &["--json"], &[]);
    assert_eq!((out.code, lines(&out)[0]["verdict"].clone(), lines(&out)[1]["verdict"].clone()), (1, json!("works"), json!("fails")));
}

#[test]
fn without_a_model_it_says_how_to_configure_one() {
    let out = models("", &[], &[]);
    assert_eq!((out.code, out.out.as_str()), (2, ""));
    for words in ["no model is configured", "[[model]]", "base_url = ", "config.toml", "doctor --init"] {
        assert!(out.err.contains(words), "no `{words}` in {}", out.err);
    }
    let out = models("", &[], &[("OPENAI_API_KEY", KEY), ("OPENAI_MODEL", "gpt-x")]);
    assert!(out.code == 2 && out.err.contains("gpt-x at api.openai.com") && out.err.contains("--proposer agents"), "{}", out.err);
}
