//! Reads the scalars of a TOML file by their dotted path. Dates, multi-line strings and long arrays are left alone.

use super::{
    Form,
    found::{self, Found, Site},
    yaml::{MOST_ITEMS, is_key},
};
use crate::model::KnobValue;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Returns the scalars, or why the file cannot be read.
pub(super) fn literals(source: &str) -> Result<Vec<Found>, String> {
    let document = DeTable::parse(source).map_err(|error| {
        let line = error.span().map_or(1, |span| found::line_of(source, span.start));
        format!("not valid TOML, line {line}: {}", error.message())
    })?;
    let mut out = Vec::new();
    table(source, "", document.get_ref(), &mut out);
    out.sort_by_key(|f: &Found| f.place.start);
    Ok(out)
}

fn table(source: &str, prefix: &str, entries: &DeTable<'_>, out: &mut Vec<Found>) {
    for (key, item) in entries.iter() {
        let key = key.get_ref().as_ref();
        if is_key(key) {
            value(source, &join(prefix, key), item, Site::Setting, out);
        }
    }
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

fn value(source: &str, name: &str, item: &Spanned<DeValue<'_>>, site: Site, out: &mut Vec<Found>) {
    let place = item.span();
    let text = source.get(place.clone()).unwrap_or_default();
    let read = match item.get_ref() {
        DeValue::Integer(_) | DeValue::Float(_) => found::number(&text.replace('_', "")).map(|number| (number, Form::Number)),
        DeValue::Boolean(b) => Some((KnobValue::Bool(*b), Form::Word)),
        DeValue::String(s) => {
            let plain = text.len() == s.len() + 2 && text.starts_with(['"', '\'']) && !text.contains(['\\', '\n']);
            (plain && !text.starts_with("\"\"\"") && !text.starts_with("'''")).then(|| (KnobValue::Choice(s.to_string()), Form::Text))
        }
        DeValue::Datetime(_) => None,
        DeValue::Array(items) => {
            if items.len() <= MOST_ITEMS {
                for (i, item) in items.iter().enumerate() {
                    value(source, &format!("{name}.{i}"), item, Site::Item, out);
                }
            }
            None
        }
        DeValue::Table(entries) => {
            table(source, name, entries, out);
            None
        }
    };
    if let Some((value, form)) = read {
        out.push(Found::new(name.to_owned(), source, place, value, form, site));
    }
}
