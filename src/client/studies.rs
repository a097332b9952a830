//! The studies of a directory: what lists and the home screen show, and a study by its name.

use crate::journal;
pub use crate::journal::Head;
use std::path::{Path, PathBuf};

/// A study as a list shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The name of its directory.
    pub name: String,
    /// Its directory.
    pub dir: PathBuf,
    /// What is known of it at a glance, or why nothing is.
    pub head: Result<Head, String>,
    /// An engine on this machine has it now.
    pub live: bool,
}

/// A name that names no study.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// There is nowhere to look.
    #[error(transparent)]
    Place(#[from] NoPlace),
    /// There is none of this name.
    #[error("there is no study `{name}` in {studies}{}", hint(.nearest, .others))]
    Unknown {
        /// What was asked for.
        name: String,
        /// Where was looked.
        studies: String,
        /// What may have been meant.
        nearest: Option<String>,
        /// How many there are.
        others: usize,
    },
    /// It cannot be a name.
    #[error("`{name}` is not the name of a study: names are plain words without `/`; `--studies DIR` says where to look")]
    NoName {
        /// What was asked for.
        name: String,
    },
}

/// A studies directory in which nothing can be looked up, though something lies there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the studies directory {studies} cannot be read: {why}; choose another with --studies DIR")]
pub struct NoPlace {
    studies: String,
    why: String,
}

/// Says whether studies can be looked up here. A directory that is not there yet has none. Errors: what lies there instead.
pub fn readable(studies: &Path) -> Result<(), NoPlace> {
    let why = match std::fs::read_dir(studies) {
        Ok(_) => return Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotADirectory => "something that is no directory lies there".to_owned(),
        Err(e) => e.to_string(),
    };
    Err(NoPlace { studies: studies.display().to_string(), why })
}

fn hint(nearest: &Option<String>, others: &usize) -> String {
    match (nearest, others) {
        (Some(nearest), _) => format!("; did you mean `{nearest}`?"),
        (None, 0) => ", which holds no studies yet: `trialdeck run` starts one".into(),
        (None, n) => format!("; `trialdeck ls` shows the {n} that there are"),
    }
}

/// Lists all studies of a directory, the last changed first. A directory that is not there has none.
pub fn list(studies: &Path) -> Vec<Listed> {
    let mut all: Vec<Listed> = names(studies)
        .into_iter()
        .map(|name| {
            let dir = studies.join(&name);
            let live = journal::owner(&dir).is_some();
            Listed { head: head(&dir), name, dir, live }
        })
        .collect();
    let updated = |listed: &Listed| listed.head.as_ref().ok().map(|head| head.updated);
    all.sort_by(|a, b| updated(b).cmp(&updated(a)).then_with(|| a.name.cmp(&b.name)));
    all
}

/// Returns the directory of a study. Errors: with the nearest name.
pub fn find(studies: &Path, name: &str) -> Result<PathBuf, NotFound> {
    if name.is_empty() || name.contains('/') || name == "." || name == ".." {
        return Err(NotFound::NoName { name: name.to_owned() });
    }
    let dir = studies.join(name);
    if dir.join(journal::FILE).is_file() {
        return Ok(dir);
    }
    readable(studies)?;
    let names = names(studies);
    let nearest = names.iter().map(|other| (strsim::jaro_winkler(name, other), other)).max_by(|a, b| a.0.total_cmp(&b.0));
    Err(NotFound::Unknown {
        name: name.to_owned(),
        studies: studies.display().to_string(),
        nearest: nearest.filter(|(similarity, _)| *similarity >= 0.75).map(|(_, other)| other.clone()),
        others: names.len(),
    })
}

/// Names of all directories that hold a journal, in order.
fn names(studies: &Path) -> Vec<String> {
    let Ok(listing) = std::fs::read_dir(studies) else { return Vec::new() };
    let mut names: Vec<String> = listing
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| studies.join(name).join(journal::FILE).is_file())
        .collect();
    names.sort();
    names
}

/// The head that the engine wrote; where there is none, or the journal is newer, the fold of the journal.
fn head(dir: &Path) -> Result<Head, String> {
    let modified = |file: &str| dir.join(file).metadata().and_then(|meta| meta.modified()).ok();
    match journal::head::read(dir) {
        Some(head) if modified("head.json") >= modified(journal::FILE) || journal::owner(dir).is_some() => Ok(head),
        _ => super::read_study(dir).map(|study| Head::of(&study, None)),
    }
}
