//! The prompts that the binary carries: `prompts/*.md`, and what they include, `prompts/parts/*.md`.

use super::Role;
use include_dir::{Dir, include_dir};
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

static PROMPTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/prompts");
static PARTS: LazyLock<Arc<BTreeMap<String, String>>> =
    LazyLock::new(|| Arc::new(PROMPTS.get_dir("parts").map(|dir| named(dir, "parts/")).unwrap_or_default()));
// That each of them can be read is a test; a user's build cannot have others.
static ROLES: LazyLock<Vec<Role>> = LazyLock::new(|| super::load(&[]).unwrap_or_default());

/// The embedded roles, in the order of their names.
pub fn embedded() -> Vec<Role> {
    ROLES.clone()
}

pub(super) fn texts() -> BTreeMap<String, String> {
    named(&PROMPTS, "")
}

pub(super) fn parts() -> Arc<BTreeMap<String, String>> {
    Arc::clone(&PARTS)
}

fn named(dir: &Dir<'_>, prefix: &str) -> BTreeMap<String, String> {
    dir.files()
        .filter(|file| file.path().extension().is_some_and(|ext| ext == "md"))
        .filter_map(|file| {
            let name = file.path().file_stem()?.to_str()?;
            Some((format!("{prefix}{name}"), file.contents_utf8()?.to_owned()))
        })
        .collect()
}
