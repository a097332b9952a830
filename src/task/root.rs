//! The top level of a file in sections: which sections there are, which should not be, which were mistyped.
//!
//! Knows the words of a file only as a `Vocabulary`. Tested by the tables of broken files of those who use it.

use super::{
    walk::{Section, Vocabulary, Walk},
    words::nearest_word,
};
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

/// The document's top level.
pub(crate) struct Root<'w> {
    pub(super) walk: &'w Walk<'w>,
    pub(super) document: &'w DeTable<'w>,
}

impl<'w> Root<'w> {
    /// Looks at the whole document and notes the sections that it should not have.
    pub(crate) fn open(walk: &'w Walk<'w>, document: &'w DeTable<'w>) -> Self {
        refuse_unknown_sections(walk, document);
        Self { walk, document }
    }

    /// The entry of this name, or else the one that is mistyped for it and noted as such.
    fn entry(&self, name: &'static str) -> Option<(&'w Spanned<DeString<'w>>, &'w Spanned<DeValue<'w>>)> {
        self.document
            .get_key_value(name)
            .or_else(|| self.document.iter().find(|(key, _)| meant(self.walk.words, self.document, key.get_ref()) == Some(name)))
    }

    pub(crate) fn section(&self, name: &'static str) -> Option<Section<'w>> {
        let (key, value) = self.entry(name)?;
        Section::open(self.walk, self.walk.words.written(name), name.to_owned(), key.span(), value, self.walk.words.keys_of(name))
    }

    /// A section that must be there.
    pub(super) fn need_section(&self, name: &'static str, example: &str) -> Option<Section<'w>> {
        if self.entry(name).is_none() {
            self.walk.absent_section(name, example);
        }
        self.section(name)
    }

    /// A section written with two brackets.
    pub(crate) fn sections(&self, name: &'static str) -> Vec<Section<'w>> {
        let Some((key, value)) = self.entry(name) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            let message = format!("`{name}` is a list: there may be several");
            self.walk.problem(key.span(), message, format!("write {} with two brackets", self.walk.words.written(name)));
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| {
                Section::open(self.walk, self.walk.words.written(name), name.to_owned(), item.span(), item, self.walk.words.keys_of(name))
            })
            .collect()
    }
}

/// The absent section that an unknown name is mistyped for.
fn meant(words: Vocabulary, document: &DeTable<'_>, name: &str) -> Option<&'static str> {
    if words.sections.iter().any(|(section, _)| *section == name) || (words.owner_of(name).is_some() && !is_section(document, name)) {
        return None;
    }
    nearest_word(name, words.sections.iter().map(|(section, _)| *section).filter(|section| !document.contains_key(*section)))
}

fn is_section(document: &DeTable<'_>, name: &str) -> bool {
    matches!(document.get(name).map(Spanned::get_ref), Some(DeValue::Table(_) | DeValue::Array(_)))
}

fn refuse_unknown_sections<'w>(walk: &'w Walk<'w>, document: &'w DeTable<'w>) {
    let words = walk.words;
    for key in document.keys() {
        let name = key.get_ref().as_ref();
        if words.sections.iter().any(|(section, _)| *section == name) {
            continue;
        }
        let (message, hint) = match (meant(words, document, name), words.owner_of(name)) {
            (None, Some(owner)) => (format!("`{name}` stands outside of a section"), format!("it belongs to {}", words.written(owner))),
            (Some(near), _) => (format!("unknown section `{name}`"), format!("did you mean {}?", words.written(near))),
            (None, None) => {
                let all: Vec<_> = words.sections.iter().map(|(section, _)| words.written(section)).collect();
                (format!("unknown section `{name}`"), format!("sections are {}", all.join(", ")))
            }
        };
        walk.problem(key.span(), message, hint);
    }
}
