//! Edits as models write them: a list of changes, one change, SEARCH/REPLACE blocks or a patch in text, a cell of a space.

use super::{Args, Hands, cells};
use crate::model::Edit;
use crate::propose::blocks;
use serde_json::{Map, Value};

/// Most changes of one proposal.
const MOST: usize = 200;

/// All changes that the arguments hold. Errors: what could not be understood and how to write it.
pub(super) fn edits(hands: &Hands<'_>, args: &Args) -> Result<Vec<Edit>, String> {
    let mut edits = Vec::new();
    if let Some(cell) = args.get("cell") {
        edits.push(cells::edit(hands, cell)?);
    }
    edits.extend(read(args.fields())?);
    if edits.len() > MOST {
        return Err(format!("there are {} edits, {MOST} at most: one logical change is wanted", edits.len()));
    }
    if edits.is_empty() {
        return Err(args.wrong("hold no change: give `edits`, a list of {\"path\", \"search\", \"replace\"}, or `patch`"));
    }
    Ok(edits)
}

/// Whether the arguments hold a change at all.
pub(super) fn any(args: &Args) -> bool {
    ["edits", "patch", "cell", "path"].iter().any(|key| args.get(key).is_some())
}

/// Changes of an object's `edits`, `patch`, or own fields.
pub(super) fn read(fields: &Map<String, Value>) -> Result<Vec<Edit>, String> {
    let mut edits = Vec::new();
    if let Some(value) = fields.get("edits") {
        several(value, &mut edits)?;
    }
    if let Some(value) = fields.get("patch") {
        several(value, &mut edits)?;
    }
    if edits.is_empty() && fields.contains_key("path") {
        edits.extend(one(fields)?);
    }
    Ok(edits)
}

fn several(value: &Value, edits: &mut Vec<Edit>) -> Result<(), String> {
    match value {
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                several(item, edits).map_err(|error| if items.len() > 1 { format!("edit {}: {error}", number + 1) } else { error })?;
            }
        }
        Value::Object(fields) if fields.contains_key("edits") => edits.extend(read(fields)?),
        Value::Object(fields) => edits.extend(one(fields)?),
        Value::String(text) => edits.extend(written(text, None)?),
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => return Err(format!("`{value}` is no edit; write {{\"path\", \"search\", \"replace\"}}")),
    }
    Ok(())
}

/// One change as an object.
fn one(fields: &Map<String, Value>) -> Result<Vec<Edit>, String> {
    let text = |names: &[&str]| names.iter().find_map(|name| fields.get(*name).and_then(lines_of));
    let path = text(&["path", "file", "filename", "file_path"]).map(|path| tidy(&path)).filter(|path| !path.is_empty());
    if let Some(patch) = text(&["patch", "diff", "blocks", "edit"]) {
        return written(&patch, path.as_deref());
    }
    let Some(path) = path else { return Err("an edit has no `path`".to_owned()) };
    let flag = |name: &str| match fields.get(name) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(word)) => matches!(word.trim(), "true" | "yes" | "True"),
        _ => false,
    };
    if flag("delete") || flag("remove") {
        return Ok(vec![Edit::Delete { path }]);
    }
    let search = text(&["search", "old", "old_string", "old_str", "before", "find"]);
    let replace = text(&["replace", "new", "new_string", "new_str", "after", "replacement"]);
    match (search, replace, text(&["content", "contents", "whole", "file_text"])) {
        (Some(search), replace, _) if !search.trim().is_empty() => {
            let (search, replace) = (bare(&search), bare(&replace.unwrap_or_default()));
            Ok(vec![Edit::Replace { path, search: unnumbered(&search), replace: unnumbered(&replace) }])
        }
        (_, _, Some(content)) => Ok(vec![Edit::Write { content: whole(&path, &content), path }]),
        // An empty search writes the whole file, as in blocks.
        (Some(_), Some(replace), None) => Ok(vec![Edit::Write { content: whole(&path, &replace), path }]),
        _ => Err(format!("the edit of {path} needs `search` and `replace`, or `content`, or `delete`")),
    }
}

/// Text, or a list of lines.
fn lines_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            Some(items.iter().filter_map(Value::as_str).map(|line| format!("{}\n", line.trim_end_matches('\n'))).collect())
        }
        _ => None,
    }
}

/// Blocks, a patch, or JSON, in text.
fn written(text: &str, path: Option<&str>) -> Result<Vec<Edit>, String> {
    let text = text.replace("\r\n", "\n");
    if text.trim_start().starts_with(['[', '{'])
        && let Ok(value) = serde_json::from_str::<Value>(&text)
    {
        let mut edits = Vec::new();
        several(&value, &mut edits)?;
        return Ok(edits);
    }
    let named = match path {
        Some(path) => format!("{path}\n{text}"),
        None => text.clone(),
    };
    let found = blocks::parse(&named).map_err(|error| error.to_string())?;
    if !found.is_empty() {
        return Ok(found.into_iter().map(without_numbers).collect());
    }
    let is_patch = |line: &str| line.starts_with("@@ ") || line.starts_with("diff --git ") || line.starts_with("--- ") || line == "@@";
    if text.lines().any(is_patch) {
        let patch = bare(&text);
        let headed = patch.lines().any(|line| line.starts_with("+++ ") || line.starts_with("diff --git "));
        return match (headed, path) {
            (true, _) => Ok(vec![Edit::Patch { patch }]),
            (false, Some(path)) => Ok(vec![Edit::Patch { patch: format!("--- a/{path}\n+++ b/{path}\n{patch}") }]),
            (false, None) => Err("the patch names no file: begin it with `--- a/path` and `+++ b/path`".to_owned()),
        };
    }
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    Err("this is no change that can be read: write SEARCH/REPLACE blocks under a line with the path, or a unified diff".to_owned())
}

fn without_numbers(edit: Edit) -> Edit {
    match edit {
        Edit::Replace { path, search, replace } => {
            Edit::Replace { path: tidy(&path), search: unnumbered(&search), replace: unnumbered(&replace) }
        }
        Edit::Write { path, content } => Edit::Write { path: tidy(&path), content },
        other @ (Edit::Delete { .. } | Edit::Patch { .. }) => other,
    }
}

/// Without what models put around a path. What leads out of the repository stays, to be refused by name.
fn tidy(path: &str) -> String {
    let path = path.trim().trim_matches(['`', '"', '\'']).trim();
    path.strip_prefix("./").unwrap_or(path).to_owned()
}

/// Without a code fence around the whole of it.
fn bare(text: &str) -> String {
    let trimmed = text.trim_matches('\n');
    let inner = trimmed.strip_prefix("```").and_then(|rest| {
        let (language, body) = rest.split_once('\n')?;
        let body = body.trim_end().strip_suffix("```")?;
        (!language.trim().contains(' ')).then_some(body)
    });
    inner.map_or_else(|| text.to_owned(), str::to_owned)
}

/// A whole file, out of its fence unless it is Markdown.
fn whole(path: &str, content: &str) -> String {
    let content = if path.ends_with(".md") { content.to_owned() } else { bare(content) };
    if content.is_empty() || content.ends_with('\n') { content } else { format!("{content}\n") }
}

/// Without the line numbers of `read_file`, where every line has one.
fn unnumbered(text: &str) -> String {
    let strip = |line: &str| {
        let rest = line.trim_start();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let rest = rest.get(digits..).filter(|_| digits > 0)?.strip_prefix('|')?;
        Some(rest.strip_prefix(' ').unwrap_or(rest).to_owned())
    };
    let lines: Option<Vec<String>> = text.lines().map(strip).collect();
    match lines.filter(|lines| !lines.is_empty()) {
        Some(lines) => lines.iter().map(|line| format!("{line}\n")).collect(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn of(value: Value) -> Result<Vec<Edit>, String> {
        let Value::Object(fields) = value else { panic!("an object") };
        read(&fields)
    }

    #[test]
    fn every_way_of_writing_an_edit() {
        let replace = |search: &str, replace: &str| Edit::Replace { path: "a.py".into(), search: search.into(), replace: replace.into() };
        let block = "a.py\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n";
        let patch = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x\n+y\n";
        for (name, value, want) in [
            ("list", json!({"edits": [{"path": "a.py", "search": "x", "replace": "y"}]}), vec![replace("x", "y")]),
            ("one", json!({"edits": {"path": "./a.py", "search": "x", "replace": "y"}}), vec![replace("x", "y")]),
            ("flat", json!({"path": "`a.py`", "old_string": "x", "new_string": "y"}), vec![replace("x", "y")]),
            ("removal", json!({"edits": [{"path": "a.py", "search": "x"}]}), vec![replace("x", "")]),
            ("numbered", json!({"path": "a.py", "search": "   12| x\n   13|   y", "replace": "z"}), vec![replace("x\n  y\n", "z")]),
            ("fenced", json!({"path": "a.py", "search": "```python\nx\n```", "replace": "y"}), vec![replace("x\n", "y")]),
            ("lines", json!({"path": "a.py", "search": ["x", "y"], "replace": []}), vec![replace("x\ny\n", "")]),
            ("whole", json!({"path": "a.py", "content": "x"}), vec![Edit::Write { path: "a.py".into(), content: "x\n".into() }]),
            (
                "empty search",
                json!({"path": "a.py", "search": "", "replace": "x"}),
                vec![Edit::Write { path: "a.py".into(), content: "x\n".into() }],
            ),
            ("delete", json!({"edits": [{"path": "a.py", "delete": "true"}]}), vec![Edit::Delete { path: "a.py".into() }]),
            ("blocks", json!({"patch": block}), vec![replace("x\n", "y\n")]),
            ("blocks in edits", json!({"edits": block}), vec![replace("x\n", "y\n")]),
            (
                "blocks under a path",
                json!({"edits": [{"path": "a.py", "blocks": "<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE"}]}),
                vec![replace("x\n", "y\n")],
            ),
            ("patch", json!({"patch": patch}), vec![Edit::Patch { patch: patch.into() }]),
            (
                "patch without a head",
                json!({"edits": [{"path": "a.py", "diff": "@@ -1 +1 @@\n-x\n+y"}]}),
                vec![Edit::Patch { patch: "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x\n+y".into() }],
            ),
            ("JSON in text", json!({"edits": "[{\"path\": \"a.py\", \"search\": \"x\", \"replace\": \"y\"}]"}), vec![replace("x", "y")]),
            ("nothing", json!({}), vec![]),
        ] {
            assert_eq!(of(value), Ok(want), "{name}");
        }
        for (name, value, want) in [
            ("no path", json!({"edits": [{"search": "x", "replace": "y"}]}), "no `path`"),
            ("half", json!({"edits": [{"path": "a.py"}]}), "needs `search`"),
            ("number", json!({"edits": [3]}), "no edit"),
            ("prose", json!({"patch": "raise the learning rate"}), "no change that can be read"),
            ("open block", json!({"patch": "a.py\n<<<<<<< SEARCH\nx\n"}), "does not end"),
            ("headless", json!({"patch": "@@ -1 +1 @@\n-x\n+y"}), "names no file"),
        ] {
            let error = of(value).unwrap_err();
            assert!(error.contains(want), "{name}: {error}");
        }
    }

    proptest! {
        #[test]
        fn mangled_edits_never_panic(text in "(<<<<<<< SEARCH|=======|>>>>>>> REPLACE|@@ -1 \\+1 @@|--- a|\\+\\+\\+ b|```|a\\.py|[{}\\[\\]\":,]|\\PC{0,8}|\n){0,30}") {
            let _ = written(&text, None);
            let _ = written(&text, Some("a.py"));
            let mut edits = Vec::new();
            let _ = several(&json!({"path": text, "search": text, "replace": text}), &mut edits);
        }

        #[test]
        fn what_is_not_numbered_stays(text in "[a-z |0-9]{0,10}(\n[a-z ]{1,10}){0,4}") {
            let numbered: String = text.lines().enumerate().map(|(n, l)| format!("{:>5}| {l}\n", n + 1)).collect();
            let plain: String = text.lines().map(|l| format!("{l}\n")).collect();
            prop_assert_eq!(unnumbered(&numbered), if text.is_empty() { String::new() } else { plain });
        }
    }
}
