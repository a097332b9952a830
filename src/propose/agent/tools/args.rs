//! Arguments as models write them: JSON in a fence, twice encoded, with raw line ends in strings, numbers as text, other names.

use super::schema;
use crate::model::TrialId;
use crate::propose::llm::ToolSpec;
use crate::task::{Task, nearest_word};
use serde_json::{Map, Value};

/// Longest arguments that are read at all.
const LONGEST: usize = 4 << 20;

/// Other names that models give to arguments.
const ALIASES: &[(&str, &[&str])] = &[
    ("path", &["file", "filename", "file_path", "filepath"]),
    ("trial", &["id", "trial_id", "node", "of"]),
    ("pattern", &["query", "regex", "search", "text"]),
    ("glob", &["include", "files", "path_glob", "path"]),
    ("start", &["start_line", "line_start", "from", "offset", "line"]),
    ("end", &["end_line", "line_end", "to"]),
    ("against", &["base", "other", "with"]),
    ("edits", &["edit", "changes"]),
    ("patch", &["diff", "blocks", "search_replace"]),
    ("why", &["reason", "because", "message"]),
    ("hypothesis", &["title", "idea", "summary", "description"]),
    ("expected", &["expected_delta", "expected_effect", "expected_gain", "gain"]),
    ("argue", &["argument", "justification"]),
    ("key", &["metric", "name"]),
    ("context", &["lines"]),
    ("stream", &["which"]),
    ("name", &["document", "file"]),
];

/// Parts of one edit, which may stand beside the other arguments: none of them is another's other name.
const EDIT: &[&str] =
    &["path", "file", "search", "replace", "content", "delete", "old", "new", "old_string", "new_string", "old_str", "new_str"];

/// The arguments of one call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Args {
    spec: ToolSpec,
    fields: Map<String, Value>,
}

impl Args {
    /// Reads what a model wrote. Errors: what is wrong, with the tool's arguments.
    pub(crate) fn read(tool: &'static str, text: &str, task: &Task) -> Result<Self, String> {
        let spec = schema::spec(tool, task);
        let wrong = |what: &str| format!("the arguments of `{tool}` {what}. It takes {}", schema::shown(&spec));
        if text.len() > LONGEST {
            return Err(wrong("are longer than 4 MiB"));
        }
        let mut fields = match object(text) {
            Ok(fields) => fields,
            Err(what) => return Err(wrong(&what)),
        };
        // `{"arguments": {…}}`, as some servers wrap them.
        if let (1, Some(Value::Object(inner))) = (fields.len(), fields.get("arguments").or_else(|| fields.get("parameters"))) {
            fields = inner.clone();
        }
        let known: Vec<String> =
            spec.parameters.get("properties").and_then(Value::as_object).map(|p| p.keys().cloned().collect()).unwrap_or_default();
        let mut args = Self { spec, fields: Map::new() };
        let (mine, others): (Vec<_>, Vec<_>) = fields.into_iter().filter(|(_, v)| !v.is_null()).partition(|(key, _)| known.contains(key));
        args.fields.extend(mine);
        // A single edit whose parts stand beside each other is read by `edits`.
        let flat = known.iter().any(|key| key == "edits");
        for (key, value) in others {
            let of_edit = flat && EDIT.contains(&key.as_str());
            if let Some(name) = meant(&key, &known).filter(|name| !of_edit && !args.fields.contains_key(*name)) {
                args.fields.insert(name.to_owned(), value);
            } else if flat {
                args.fields.insert(key, value);
            }
        }
        let missing: Vec<String> = args.required().into_iter().filter(|key| args.blank(key)).map(|key| format!("`{key}`")).collect();
        if missing.is_empty() { Ok(args) } else { Err(args.wrong(&format!("lack {}", missing.join(" and ")))) }
    }

    fn required(&self) -> Vec<String> {
        let list = self.spec.parameters.get("required").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn blank(&self, key: &str) -> bool {
        self.fields.get(key).is_none_or(|value| value.as_str().is_some_and(|text| text.trim().is_empty()))
    }

    /// An error about these arguments, with what the tool takes.
    pub(super) fn wrong(&self, what: &str) -> String {
        format!("the arguments of `{}` {what}. It takes {}", self.spec.name, schema::shown(&self.spec))
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.fields.get(key)
    }

    pub(super) fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// A text with something in it; numbers and truth values are taken as written.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        let text = match self.fields.get(key)? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
            Value::Null | Value::Object(_) => return None,
        };
        (!text.trim().is_empty()).then_some(text)
    }

    /// A number, also as a text with something after it: `"+0.01 nats"`.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        match self.fields.get(key)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => leading(text),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
        .filter(|value| value.is_finite())
    }

    /// A whole number from 0; a decimal one is rounded down.
    pub(super) fn whole(&self, key: &str) -> Option<u64> {
        self.number(key).filter(|value| *value >= 0.0).map(|value| value as u64)
    }

    /// A trial: `t0012`, `t12`, `12`, `"12"`.
    pub(super) fn trial(&self, key: &str) -> Result<Option<TrialId>, String> {
        let Some(text) = self.text(key) else { return Ok(None) };
        match text.trim().trim_matches(['"', '`', '#']).to_lowercase().parse() {
            Ok(id) => Ok(Some(id)),
            Err(error) => Err(self.wrong(&format!("name no trial in `{key}`: {error}"))),
        }
    }
}

/// The argument that is meant by another name.
fn meant<'k>(key: &str, known: &'k [String]) -> Option<&'k str> {
    let plain = key.to_lowercase().replace('-', "_");
    let find = |name: &str| known.iter().map(String::as_str).find(|k| *k == name);
    find(&plain)
        .or_else(|| ALIASES.iter().filter(|(_, others)| others.contains(&plain.as_str())).find_map(|(name, _)| find(name)))
        .or_else(|| nearest_word(&plain, known.iter().map(String::as_str)))
}

/// The number that a text begins with.
fn leading(text: &str) -> Option<f64> {
    let text = text.trim().trim_start_matches(['~', '≈', '<', '>', '=', ' ']).replace(['\u{2212}', '\u{2013}'], "-");
    let text = text.trim_start_matches('+');
    let end = text
        .char_indices()
        .find(|(at, c)| {
            !(c.is_ascii_digit()
                || *c == '.'
                || (matches!(c, '-' | '+') && (*at == 0 || text.get(..*at).is_some_and(|b| b.ends_with(['e', 'E']))))
                || (matches!(c, 'e' | 'E') && *at > 0))
        })
        .map_or(text.len(), |(at, _)| at);
    let number = text.get(..end)?.trim_end_matches(['e', 'E', '.', '-', '+']);
    number.parse().ok()
}

/// The object in a text that should be JSON.
fn object(text: &str) -> Result<Map<String, Value>, String> {
    let text = text.trim();
    if text.is_empty() || text == "null" || text == "\"\"" {
        return Ok(Map::new());
    }
    let tries = [text.to_owned(), repaired(text), between(text).map(repaired).unwrap_or_default()];
    let mut first = None;
    for attempt in tries.iter().filter(|t| !t.is_empty()) {
        match serde_json::from_str::<Value>(attempt) {
            Ok(Value::Object(fields)) => return Ok(fields),
            // Encoded twice.
            Ok(Value::String(inner)) if inner.trim_start().starts_with('{') && inner.len() < text.len() => return object(&inner),
            Ok(other) => {
                first.get_or_insert(format!("are {}, not an object", kind(&other)));
            }
            Err(error) => {
                first.get_or_insert(format!("are no JSON ({error})"));
            }
        }
    }
    Err(first.unwrap_or_else(|| "are no JSON".to_owned()))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// From the first brace to the last.
fn between(text: &str) -> Option<&str> {
    let (from, to) = (text.find('{')?, text.rfind('}')?);
    text.get(from..=to)
}

/// With raw control characters inside of strings escaped, and commas before a closing bracket left out.
fn repaired(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let (mut inside, mut escaped) = (false, false);
    for c in text.chars() {
        if inside {
            match c {
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c if c.is_ascii_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
                // `\'` and `\d` are no JSON; the character is meant.
                c if escaped && !matches!(c, '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' | 'u') => {
                    if c != '\'' {
                        out.push('\\');
                    }
                    if c == '\'' {
                        out.pop();
                    }
                    out.push(c);
                }
                c => out.push(c),
            }
            inside = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else {
            if matches!(c, '}' | ']') {
                let kept = out.trim_end().len();
                if out.get(..kept).is_some_and(|kept| kept.ends_with(',')) {
                    out.truncate(kept - 1);
                }
            }
            inside = c == '"';
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_found_in_what_models_write() {
        for (name, text, want) in [
            ("plain", r#"{"path": "a.py"}"#, Some(r#"{"path":"a.py"}"#)),
            ("empty", "", Some("{}")),
            ("null", "null", Some("{}")),
            ("fenced", "```json\n{\"path\": \"a.py\"}\n```", Some(r#"{"path":"a.py"}"#)),
            ("twice", r#""{\"path\": \"a.py\"}""#, Some(r#"{"path":"a.py"}"#)),
            ("raw lines", "{\"content\": \"a\n\tb\"}", Some(r#"{"content":"a\n\tb"}"#)),
            ("comma", r#"{"a": [1, 2,], }"#, Some(r#"{"a":[1,2]}"#)),
            ("apostrophe", r#"{"why": "it\'s"}"#, Some(r#"{"why":"it's"}"#)),
            ("regex", r#"{"pattern": "\d+"}"#, Some(r#"{"pattern":"\\d+"}"#)),
            ("list", "[1]", None),
            ("cut", r#"{"path": "a.p"#, None),
            ("prose", "read the file a.py", None),
        ] {
            assert_eq!(object(text).ok().map(|o| Value::Object(o).to_string()).as_deref(), want, "{name}");
        }
    }

    #[test]
    fn numbers_in_words() {
        for (text, want) in [
            ("0.01", Some(0.01)),
            ("+0.01 nats", Some(0.01)),
            ("-1e-3", Some(-1e-3)),
            ("~0.5%", Some(0.5)),
            ("\u{2212}2", Some(-2.0)),
            ("3.", Some(3.0)),
            ("a little", None),
            ("", None),
        ] {
            assert_eq!(leading(text), want, "{text}");
        }
    }
}
