//! The tools of a specialist: what it may read, try and hand in. One idea a file.
//!
//! They see the study through a [`Workbench`] and nothing else. Arguments come from models and are read forgivingly; answers
//! are cleaned, capped and fenced as data. Tested against a fake workbench, and with mangled arguments.

mod args;
mod budget;
mod cells;
mod check;
mod closest;
mod curves;
mod diff;
mod edits;
mod files;
mod knobs;
mod nearest;
mod noise;
mod preflight;
mod schema;
mod search_code;
mod submit;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod trial;

pub(crate) use args::Args;

use super::{Checked, Desk, Scene, Workbench, cut};
use crate::model::{Draft, Study, TrialId};
use crate::propose::llm::{ToolCall, ToolSpec};
use crate::propose::role::Role;
use crate::task::{Task, nearest_word};

/// Most bytes of an answer.
pub const LONGEST: usize = 16 * 1024;
/// The tool that hands a proposal in.
pub const SUBMIT: &str = "submit";
/// The tool that ends without one.
pub const GIVE_UP: &str = "give_up";
/// The tools that try an edit.
pub const TRIALS: &[&str] = &["check_edit", "preflight"];
/// All tools, in the order in which they are offered.
pub const NAMES: &[&str] = &[
    "brief",
    "list_files",
    "read_file",
    "search_code",
    "tree",
    "trial",
    "diff",
    "log_tail",
    "curves",
    "failure_card",
    "knobs",
    "noise",
    "budget",
    "hardware",
    "cells",
    "check_edit",
    "preflight",
    SUBMIT,
    GIVE_UP,
];

/// What came of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// An answer for the model.
    Told {
        /// It.
        text: String,
        /// The tool could not do what was asked.
        failed: bool,
    },
    /// The proposal is handed in; the conversation is over.
    Submitted {
        /// What was handed in.
        draft: Box<Draft>,
        /// What it becomes.
        checked: Box<Checked>,
    },
    /// The specialist ends without a proposal.
    GaveUp {
        /// Why, in its words.
        why: String,
    },
}

/// What every tool works with.
pub(super) struct Hands<'a> {
    pub(super) bench: &'a dyn Workbench,
    pub(super) role: &'a Role,
    pub(super) scene: &'a Scene,
    pub(super) desk: &'a mut Desk,
}

impl Hands<'_> {
    pub(super) fn task(&self) -> &Task {
        self.bench.task()
    }

    /// Asks the study something.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&Study) -> T) -> Option<T> {
        let (mut question, mut answer) = (Some(question), None);
        self.bench.look(&mut |study| answer = question.take().map(|question| question(study)));
        answer
    }

    /// The trial that is meant, where none is named the base of the edit; it must exist.
    pub(super) fn meant(&self, args: &Args) -> Result<TrialId, String> {
        let id = args.trial("trial")?.unwrap_or_else(|| self.scene.base());
        match self.ask(|study| (study.trial(id).is_some(), study.trials.len())) {
            Some((true, _)) => Ok(id),
            Some((false, n)) => Err(format!("there is no trial {id}; trials go from t0000 to {}", TrialId(n.saturating_sub(1) as u32))),
            None => Err("the study cannot be read now".to_owned()),
        }
    }

    /// The hash of a trial's tree.
    pub(super) fn tree_of(&self, id: TrialId) -> Result<String, String> {
        self.ask(|study| study.trial(id).and_then(|t| t.tree.clone()))
            .flatten()
            .ok_or_else(|| format!("{id} has no code: its edit never applied, or it was imported without one"))
    }
}

/// The names of the tools that a role has on a task: without those for what the task does not have.
pub fn available(role: &Role, task: &Task) -> Vec<&'static str> {
    let there = |name: &str| match name {
        "brief" => !task.task.brief.is_empty(),
        "preflight" => task.run.preflight.is_some(),
        "cells" => task.space.is_some(),
        _ => true,
    };
    NAMES.iter().copied().filter(|name| role.tools.iter().any(|tool| tool == name) && there(name)).collect()
}

/// The tools of a role on this workbench, as a model is told of them.
pub fn specs(role: &Role, bench: &dyn Workbench) -> Vec<ToolSpec> {
    available(role, bench.task()).into_iter().map(|name| schema::spec(name, bench.task())).collect()
}

/// Does what a model asked for. Never fails: what cannot be done is an answer too.
pub fn call(bench: &dyn Workbench, role: &Role, scene: &Scene, desk: &mut Desk, call: &ToolCall) -> Outcome {
    desk.calls = desk.calls.saturating_add(1);
    let tools = available(role, bench.task());
    let asked = call.name.trim();
    // Some models write `functions.read_file`.
    let plain = asked.rsplit(['.', ':', '/']).next().unwrap_or(asked).replace('-', "_").to_lowercase();
    let Some(name) = tools.iter().copied().find(|name| *name == plain) else {
        let near = nearest_word(&plain, tools.iter().copied()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        let asked = super::line(asked, 60);
        return told(Err(format!("there is no tool `{asked}` for you. {near}You have {}.", tools.join(", "))));
    };
    let args = match Args::read(name, &call.arguments, bench.task()) {
        Ok(args) => args,
        Err(problem) => return told(Err(problem)),
    };
    let mut hands = Hands { bench, role, scene, desk };
    match name {
        SUBMIT => submit::submit(&mut hands, &args),
        GIVE_UP => submit::give_up(&args),
        "check_edit" => check::answer(&mut hands, &args),
        _ => told(looked(name, &mut hands, &args)),
    }
}

fn looked(name: &str, hands: &mut Hands<'_>, args: &Args) -> Result<String, String> {
    match name {
        "brief" => text::brief(hands, args),
        "list_files" => files::list(hands, args),
        "read_file" => files::read(hands, args),
        "search_code" => search_code::search(hands, args),
        "tree" => tree::tree(hands, args),
        "trial" => trial::trial(hands, args),
        "diff" => diff::diff(hands, args),
        "log_tail" => text::log_tail(hands, args),
        "curves" => curves::curves(hands, args),
        "failure_card" => trial::card(hands, args),
        "knobs" => knobs::knobs(hands, args),
        "noise" => noise::noise(hands),
        "budget" => budget::budget(hands),
        "hardware" => Ok(text::hardware(hands)),
        "cells" => cells::cells(hands),
        "preflight" => preflight::preflight(hands, args),
        other => Err(format!("`{other}` cannot be called")),
    }
}

pub(super) fn told(answer: Result<String, String>) -> Outcome {
    let (text, failed) = match answer {
        Ok(text) => (text, false),
        Err(text) => (text, true),
    };
    Outcome::Told { text: cut(&text, LONGEST), failed }
}
