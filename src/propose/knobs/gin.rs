//! Reads the bindings of a gin file: `train.lr = 0.1`, macros, quoted choices. References (`@x`, `%x`), includes, lists and
//! what goes over several lines are left alone.

use super::{
    Form,
    found::{self, Found, Site},
};
use crate::model::KnobValue;

/// Returns the bindings. What is no binding is skipped, so that no text fails.
pub(super) fn literals(source: &str) -> Result<Vec<Found>, String> {
    let mut out = Vec::new();
    let mut at = 0;
    // Brackets and triple quotes that are open: what stands inside belongs to the binding before.
    let mut depth = 0i64;
    let mut triple = false;
    for line in source.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let inside = depth > 0 || triple;
        triple ^= line.matches("\"\"\"").count() % 2 == 1 || line.matches("'''").count() % 2 == 1;
        let body = code(line);
        depth = (depth + body.matches(['(', '[', '{']).count() as i64 - body.matches([')', ']', '}']).count() as i64).max(0);
        if inside || triple || depth > 0 || body.trim_end().ends_with('\\') {
            continue;
        }
        let Some((name, value)) = body.split_once('=') else { continue };
        let key = name.trim_start_matches('\u{feff}').trim();
        let named = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_./".contains(c));
        let text = value.trim();
        if !named || text.is_empty() {
            continue;
        }
        let from = start + name.len() + 1 + (value.len() - value.trim_start().len());
        let place = from..from + text.len();
        let read = if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
            let plain = text.len() >= 2 && text.ends_with(quote) && !inner.contains(['"', '\'', '\\']);
            plain.then(|| (KnobValue::Choice(inner.to_owned()), Form::Text))
        } else if let "True" | "False" = text {
            Some((KnobValue::Bool(text == "True"), Form::Word))
        } else {
            found::number(text).map(|v| (v, Form::Number))
        };
        if let Some((value, form)) = read {
            out.push(Found::new(key.to_owned(), source, place, value, form, Site::Setting));
        }
    }
    Ok(out)
}

/// A line without its comment.
fn code(line: &str) -> &str {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') => return line.get(..at).unwrap_or(line),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    line
}
