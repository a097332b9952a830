//! Which parts of a task's recipe a role works on, and which files it may therefore touch.
//!
//! A prompt names its parts in general words (`optimizer`, `schedule`), a task in its own (`optimiser_and_lr`): words are
//! compared in pieces, spelled alike, and short forms count (`arch`, `sched`).

use super::Role;
use crate::model::RoleSettings;
use crate::task::Task;
use std::collections::BTreeSet;

/// Shortest word that stands for a longer one.
const SHORTEST_STEM: usize = 3;

impl Role {
    /// What decisions need to know of the role on this task: the parts that the task has, in its own words. Where the task names
    /// none, the role's first word stands for all of them: its words are one part then, and each of them as a part of its own
    /// would be asked about once before anything is learned.
    pub fn settings(&self, task: &Task) -> RoleSettings {
        let surfaces = if surfaces_of(task).is_empty() { self.surfaces.iter().take(1).cloned().collect() } else { self.bound(task) };
        RoleSettings { name: self.name.clone(), surfaces, operators: self.operators.clone() }
    }

    /// Whether the role has something to work on: it is for all parts, the task names none, or one of its parts is there.
    pub fn fits(&self, task: &Task) -> bool {
        self.surfaces.is_empty() || surfaces_of(task).is_empty() || !self.bound(task).is_empty()
    }

    /// Globs of the files that the role may touch on this task; none is everything editable.
    pub fn allowed(&self, task: &Task) -> Option<Vec<String>> {
        let bound = self.bound(task);
        if bound.is_empty() {
            return None;
        }
        let mut globs: Vec<String> = Vec::new();
        for surface in task.surfaces.iter().filter(|s| bound.contains(&s.name)) {
            globs.extend(surface.paths.iter().cloned());
        }
        if let Some(space) = task.space.as_ref().filter(|space| space.axes.iter().any(|axis| bound.contains(&axis.surface))) {
            globs.push(space.writes.clone());
        }
        let mut seen = BTreeSet::new();
        globs.retain(|glob| seen.insert(glob.clone()));
        Some(globs)
    }

    /// The task's parts that are the role's, in the task's order; empty where the role is for all.
    pub(super) fn bound(&self, task: &Task) -> Vec<String> {
        if self.surfaces.is_empty() {
            return Vec::new();
        }
        surfaces_of(task).into_iter().filter(|name| self.surfaces.iter().any(|word| alike(word, name))).collect()
    }
}

/// The roles that have something to work on, as decisions know them.
pub fn on_task(roles: &[Role], task: &Task) -> Vec<RoleSettings> {
    roles.iter().filter(|role| role.fits(task)).map(|role| role.settings(task)).collect()
}

/// All parts that a task names, those of its space after the others.
pub(super) fn surfaces_of(task: &Task) -> Vec<String> {
    let axes = task.space.iter().flat_map(|space| space.axes.iter().map(|axis| axis.surface.clone()));
    let mut seen = BTreeSet::new();
    task.surfaces.iter().map(|s| s.name.clone()).chain(axes).filter(|name| seen.insert(name.clone())).collect()
}

fn alike(word: &str, name: &str) -> bool {
    let (word, name) = (spelled(word), spelled(name));
    word == name || pieces(&name).any(|piece| pieces(&word).any(|own| same(piece, own)))
}

fn same(a: &str, b: &str) -> bool {
    a == b || (a.len().min(b.len()) >= SHORTEST_STEM && (a.starts_with(b) || b.starts_with(a)))
}

/// Lower case, in one of the two spellings.
fn spelled(word: &str) -> String {
    word.to_lowercase().replace("isation", "ization").replace("iser", "izer").replace("ising", "izing")
}

fn pieces(word: &str) -> impl Iterator<Item = &str> {
    word.split(|c: char| !c.is_alphanumeric()).filter(|piece| !matches!(*piece, "" | "and" | "or" | "the" | "of"))
}

#[cfg(test)]
mod tests {
    use super::alike;

    #[test]
    fn words_of_tasks_are_recognised() {
        for (word, name, want) in [
            ("optimizer", "optimiser", true),
            ("optimizer", "opt", true),
            ("schedule", "lr_schedule", true),
            ("architecture", "arch", true),
            ("regularisation", "Regularization", true),
            ("data", "data-augmentation", true),
            ("systems", "sys", true),
            ("loss", "loss", true),
            ("optimizer", "architecture", false),
            ("data", "da", false),
            ("of", "of", true),
        ] {
            assert_eq!(alike(word, name), want, "{word} {name}");
        }
    }
}
