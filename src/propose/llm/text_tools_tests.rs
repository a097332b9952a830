//! The protocol in words: what models write, mangled text, and that an answer of a tool is never a call.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn tools() -> Vec<ToolSpec> {
    let parameters = json!({ "type": "object", "required": ["path"], "properties": {
        "path": { "type": "string", "description": "which file" }, "from": { "type": "integer" }, "edits": { "type": "string" }, "list": { "type": "array" } } });
    ["read", "submit"]
        .into_iter()
        .map(|name| ToolSpec { name, description: format!("It is {name}."), parameters: parameters.clone() })
        .collect()
}

fn read(text: &str) -> (String, Vec<(String, Value)>) {
    let told = parse(text, &tools(), 0);
    let json = |c: ToolCall| (c.name, serde_json::from_str(&c.arguments).unwrap_or(Value::String(c.arguments)));
    (told.text.trim().to_owned(), told.calls.into_iter().map(json).collect())
}

#[test]
fn calls_are_read_however_they_are_written() {
    let one = |name: &str, arguments: Value| vec![(name.to_owned(), arguments)];
    for (text, said, calls) in [
        (
            "I look.\n<tool name=\"read\">\n<arg name=\"path\">train.py</arg>\n<arg name=\"from\">3</arg>\n</tool>",
            "I look.",
            one("read", json!({"path": "train.py", "from": 3})),
        ),
        ("<tool name='read'><arg name='path'>a b</arg></tool>", "", one("read", json!({"path": "a b"}))),
        ("<TOOL NAME=read>\n<arg path>\nx\n</arg>\n</TOOL>", "", one("read", json!({"path": "x"}))),
        (
            "<tool name=\"submit\">\n<arg name=\"edits\">\nif a < b:\n    x = \"</arg>\" + y\n</arg>\n</tool>\n",
            "",
            one("submit", json!({"edits": "if a < b:\n    x = \"</arg>\" + y"})),
        ),
        ("<tool name=\"submit\">\n<arg name=\"edits\">\nnever closed", "", one("submit", json!({"edits": "never closed"}))),
        (
            "<tool name=\"submit\">\n<arg name=\"path\">\na\n<arg name=\"edits\">\nb\n</tool>",
            "",
            one("submit", json!({"path": "a", "edits": "b"})),
        ),
        ("<tool name=\"read\">\n{\"path\": \"a\"}\n</tool>", "", one("read", json!({"path": "a"}))),
        ("<tool name=\"read\">\n</tool>", "", one("read", json!({}))),
        ("<tool_call>\n{\"name\": \"read\", \"arguments\": {\"path\": \"a\"}}\n</tool_call>", "", one("read", json!({"path": "a"}))),
        ("```tool_call\n{\"name\": \"read\", \"arguments\": \"{\\\"path\\\": 1}\"}\n```\nok", "ok", one("read", json!({"path": 1}))),
        ("```tool\n{\"tool\": \"read\", \"args\": {}}\n```", "", one("read", json!({}))),
        (
            "<tool name=\"read\">\n<arg name=\"from\">many</arg>\n<arg name=\"list\">[1, 2]</arg>\n</tool>",
            "",
            one("read", json!({"from": "many", "list": [1, 2]})),
        ),
        ("<tool name=\"rm\">\n<arg name=\"path\">a</arg>\n</tool>", "", one("rm", json!({"path": "a"}))),
        ("write `<tool name=\"read\">` to read", "write `<tool name=\"read\">` to read", vec![]),
        ("<tools> are fine, <toolbox> too", "<tools> are fine, <toolbox> too", vec![]),
    ] {
        assert_eq!(read(text), (said.to_owned(), calls), "{text}");
    }
    let two = "<tool name=\"read\">\n<arg name=\"path\">a</arg>\n</tool>\n<tool name=\"read\">\n<arg name=\"path\">b</arg>\n</tool>";
    assert_eq!(parse(two, &tools(), 3).calls.iter().map(|c| c.id.clone()).collect::<Vec<_>>(), ["call_4", "call_5"]);
}

#[test]
fn what_a_model_dreams_up_as_an_answer_ends_its_message() {
    let text = "<tool name=\"read\">\n<arg name=\"path\">a</arg>\n</tool>\n<result tool=\"read\">\n<tool name=\"submit\">\n</tool>\n</result>\n<tool name=\"submit\">\n</tool>";
    assert_eq!(read(text).1, [("read".to_owned(), json!({"path": "a"}))]);
}

#[test]
fn a_conversation_becomes_plain_messages() {
    let call = |id: &str, arguments: &str| ToolCall { id: id.into(), name: "read".into(), arguments: arguments.into() };
    let plain = messages(
        &[
            Message::System { text: "Be good.".into() },
            Message::User { text: "Go.".into() },
            Message::Assistant {
                text: "Yes.".into(),
                calls: vec![call("1", "{\"path\":\"a\",\"from\":2}"), call("2", "{\"path\"")],
                opaque: vec![],
            },
            Message::Tool { call: "1".into(), name: "read".into(), text: "1\n  <tool name=\"submit\">".into(), failed: false },
            Message::Tool { call: "2".into(), name: "read".into(), text: "no".into(), failed: true },
            Message::User { text: "And?".into() },
        ],
        &tools(),
    );
    let [
        Message::System { text: system },
        Message::User { .. },
        Message::Assistant { text: said, calls, .. },
        Message::User { text: told },
    ] = &plain[..]
    else {
        panic!("{plain:#?}")
    };
    assert!(
        system.starts_with("Be good.\n\n# Tools") && system.contains("## submit") && system.contains("- path (string): which file"),
        "{system}"
    );
    assert!(system.contains("- from (integer, may be left out)"), "{system}");
    let want = "Yes.\n<tool name=\"read\">\n<arg name=\"from\">\n2\n</arg>\n<arg name=\"path\">\na\n</arg>\n</tool>\n<tool name=\"read\">\n{\"path\"\n</tool>";
    assert_eq!((said.as_str(), calls.len()), (want, 0));
    let want =
        "<result tool=\"read\">\n1\n  \\<tool name=\"submit\">\n</result>\n\n<result tool=\"read\" failed=\"yes\">\nno\n</result>\n\nAnd?";
    assert_eq!(told, want);
    assert!(parse(told, &tools(), 0).calls.is_empty(), "what is repeated calls nothing");
}

/// What is heard of a text in these pieces.
fn heard(pieces: &[&str]) -> (String, Vec<String>) {
    let (mut text, mut calls) = (String::new(), Vec::new());
    let mut hear = |heard: Heard<'_>| match heard {
        Heard::Text(piece) => text.push_str(piece),
        Heard::Calling(name) => calls.push(name.to_owned()),
        Heard::Reasoning(_) | Heard::Retrying { .. } => {}
    };
    let mut listener = Listener::default();
    pieces.iter().for_each(|p| listener.push(p, &mut hear));
    listener.end(&mut hear);
    (text, calls)
}

#[test]
fn a_listener_hears_words_and_the_names_of_calls() {
    let text = "I look.\n<tool name=\"read\">\n<arg name=\"path\">a</arg>\n</tool>\nThen.";
    let want = ("I look.\nThen.".to_owned(), vec!["read".to_owned()]);
    assert_eq!(heard(&[text]), want);
    let letters: Vec<String> = text.chars().map(String::from).collect();
    assert_eq!(heard(&letters.iter().map(String::as_str).collect::<Vec<_>>()), want);
}

const PIECES: [&str; 16] = [
    "<tool name=\"read\">",
    "</tool>",
    "<arg name=\"path\">",
    "</arg>",
    "<result>",
    "</result>",
    "<tool_call>",
    "</tool_call>",
    "```tool\n",
    "```",
    "{\"name\": \"read\"",
    "\n",
    "\\",
    "ä word ",
    "<tool",
    "=\"",
];

proptest! {
    #[test]
    fn mangled_text_is_survived(parts in prop::collection::vec(0..PIECES.len(), 0..30), noise in "\\PC{0,20}") {
        let text = parts.iter().map(|p| PIECES[*p]).collect::<String>() + &noise;
        let told = parse(&text, &tools(), 0);
        prop_assert!(told.text.len() <= text.len());
        prop_assert!(told.calls.iter().all(|c| !c.id.is_empty()));
        let letters: Vec<String> = text.chars().map(String::from).collect();
        prop_assert_eq!(heard(&letters.iter().map(String::as_str).collect::<Vec<_>>()).1, heard(&[&text]).1);
    }

    #[test]
    fn no_answer_of_a_tool_is_a_call(parts in prop::collection::vec(0..PIECES.len(), 0..30)) {
        let text: String = parts.iter().map(|p| PIECES[*p]).collect();
        let text = text.replace("```", "``");
        prop_assert!(parse(&mark(&text), &tools(), 0).calls.is_empty(), "{}", mark(&text));
        prop_assert_eq!(unmark(&mark(&text)), text);
    }

    #[test]
    fn a_value_comes_back_as_it_went(value in prop::collection::vec(prop_oneof![Just("a = 1\n"), Just("  b\n"), Just("</arg>\n"), Just("<tool name=\"x\">\n"), Just("\\<arg\n"), Just("\n"), Just("\"{é}\"")], 0..8)) {
        let value = value.concat();
        let call = ToolCall { id: "1".into(), name: "submit".into(), arguments: json!({ "edits": value }).to_string() };
        let told = parse(&block(&call), &tools(), 0);
        prop_assert_eq!(told.calls.len(), 1);
        prop_assert_eq!(serde_json::from_str::<Value>(&told.calls[0].arguments).unwrap(), json!({ "edits": value }));
    }
}
