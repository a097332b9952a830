//! Specialists: prompts with a TOML head that says what each sees, may touch and is asked for.
//!
//! The embedded ones are `prompts/*.md`; texts of the user's replace them or stand beside them. A text is read whole: all
//! problems of head and template come at once, and a role that was read can be rendered for every scene. Knows neither
//! models nor git. Tested over every embedded prompt and by tables of broken ones.

mod around;
mod bind;
mod embedded;
mod head;
mod problem;
mod render;
#[cfg(test)]
mod tests;

pub(crate) use around::{phase, seconds};
pub use bind::on_task;
pub use embedded::embedded;
pub use problem::RoleProblem;

use crate::model::Operator;
use std::{collections::BTreeMap, sync::Arc};

/// A specialist.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// Its name, that of its file: `architecture`.
    pub name: String,
    /// For people and for the model: `architecture specialist`.
    pub title: String,
    /// Words for the parts of the recipe that it works on; empty is all of them.
    pub surfaces: Vec<String>,
    /// What it may be asked for.
    pub operators: Vec<Operator>,
    /// The tools that it may call.
    pub tools: Vec<String>,
    /// What its digest shows beside what every digest shows.
    pub sees: Vec<Sight>,
    /// How long it may work.
    pub limits: RoleLimits,
    /// Its prompt, a minijinja template.
    pub template: String,
    /// Templates that prompts include, by name: `parts/rules`.
    pub(super) parts: Arc<BTreeMap<String, String>>,
}

/// How long a specialist may work on one proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleLimits {
    /// Answers of its model at most.
    pub turns: u32,
    /// Tokens of one answer at most, reasoning included; the model's own limit where none is given.
    pub max_tokens: Option<u32>,
}

impl Default for RoleLimits {
    fn default() -> Self {
        Self { turns: 16, max_tokens: None }
    }
}

/// What a digest shows to some specialists only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// The parent's curves, and what they look like.
    Curves,
    /// Seconds, memory and budget of the runs, and the machine.
    Resources,
    /// The end of the parent's log.
    Log,
    /// The ancestors' diffs in size and the trials of all surfaces.
    Surfaces,
}

impl Sight {
    /// All, with the words that a prompt's head uses.
    pub const ALL: [(&'static str, Self); 4] =
        [("curves", Self::Curves), ("resources", Self::Resources), ("log", Self::Log), ("surfaces", Self::Surfaces)];
}

/// The texts of all roles and of the parts that they share, the embedded ones where `own` has none of their name.
pub fn texts(own: &[(String, String)]) -> BTreeMap<String, String> {
    let parts = embedded::parts();
    let mut all: BTreeMap<String, String> =
        embedded::texts().into_iter().chain(parts.iter().map(|(n, t)| (n.clone(), t.clone()))).collect();
    all.extend(own.iter().cloned());
    all
}

/// Reads a role from its text. `name` is the file's name without `.md`.
///
/// Errors: every problem of the head and of the template, each with its place and the nearest word.
pub fn read(name: &str, text: &str) -> Result<Role, Vec<RoleProblem>> {
    with_parts(name, text, &embedded::parts())
}

/// The embedded roles, replaced or added to by texts of the user's: names (`systems`, `parts/rules`) and contents.
///
/// Errors: the problems of all texts.
pub fn load(overrides: &[(String, String)]) -> Result<Vec<Role>, Vec<RoleProblem>> {
    let mut parts = BTreeMap::clone(&embedded::parts());
    let is_part = |name: &str| name.starts_with("parts/");
    parts.extend(overrides.iter().filter(|(name, _)| is_part(name)).cloned());
    let parts = Arc::new(parts);
    let mut texts: BTreeMap<String, String> = embedded::texts();
    texts.extend(overrides.iter().filter(|(name, _)| !is_part(name)).cloned());
    let (mut roles, mut problems) = (Vec::new(), Vec::new());
    for (name, text) in &texts {
        match with_parts(name, text, &parts) {
            Ok(role) => roles.push(role),
            Err(found) => problems.extend(found),
        }
    }
    problems.sort();
    problems.dedup();
    if problems.is_empty() { Ok(roles) } else { Err(problems) }
}

fn with_parts(name: &str, text: &str, parts: &Arc<BTreeMap<String, String>>) -> Result<Role, Vec<RoleProblem>> {
    let mut role = head::read(name, text, parts)?;
    let problems = render::lint(&mut role, text);
    if problems.is_empty() { Ok(role) } else { Err(problems) }
}
