//! `task.toml`: what is optimised, read and checked as a whole.
//!
//! `parse` is pure and hands out either a task or all problems of the text, each with its place and how to mend it; `find`
//! reads files; `embedded` holds the tasks that the binary carries. Tested by tables of broken files and by arbitrary text.

mod checks;
pub mod embedded;
mod find;
pub mod inspect;
mod problem;
pub mod quantity;
mod read;
mod root;
mod schema;
mod self_report;
mod settings;
#[cfg(test)]
mod tests;
mod walk;
mod words;

pub use find::{FindError, Found, Origin, find};
pub use problem::{Problem, Problems};
pub use quantity::BadQuantity;
pub(crate) use root::Root;
pub use schema::{
    About, Axis, Budget, BudgetKind, Data, Entry, Evaluator, Gate, Inference, Knob, KnobBounds, Live, Preflight, Reference, Repository,
    Retention, Sandbox, Scoring, SeedForm, Setup, Space, Stage, Surface, Task, Tier,
};
pub use self_report::{BadFrom, SelfReport, Stream};
pub use settings::Choices;
pub(crate) use walk::{Section, Spot, Vocabulary, Walk};
pub use words::nearest_word;

/// A key that is understood and checked, and whose feature comes later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    /// Dotted: `repository.url`, `setup`.
    pub key: String,
    /// Line, from 1.
    pub line: usize,
    /// Without it the study would do something else than the task asks, so that it should not start.
    pub essential: bool,
    /// What does not happen yet.
    pub why: &'static str,
}

/// A task and what of it is not used yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The task.
    pub task: Task,
    /// In the order of the file.
    pub unused: Vec<Unused>,
}

/// Reads a task file. `file_name` is for the messages only.
///
/// Errors: all problems of the text at once. Missing keys are not reported while there are syntax errors, since they may
/// only have been unreadable; nor is what stands on a line with a syntax error.
pub fn parse(text: &str, file_name: &str) -> Result<Parsed, Problems> {
    let (document, mut problems) = document(text);
    let walk = walk::Walk::new(text, walk::TASK, &problems);
    let task = read::task(&walk, document.get_ref());
    let (found, mut unused) = walk.finish();
    problems.extend(found);
    if !problems.is_empty() {
        return Err(Problems::new(file_name, text, problems));
    }
    unused.sort_by_key(|u| u.line);
    Ok(Parsed { task, unused })
}

/// The document as far as it can be understood, and what is wrong with its syntax.
pub(crate) fn document(text: &str) -> (toml::Spanned<toml::de::DeTable<'_>>, Vec<Problem>) {
    let (document, errors) = toml::de::DeTable::parse_recoverable(text);
    let problem = |error: &toml::de::Error| {
        let span = error.span().unwrap_or(text.len()..text.len());
        Problem::at(text, span, error.message(), syntax_hint(error.message()))
    };
    (document, errors.iter().map(problem).collect())
}

fn syntax_hint(message: &str) -> Option<String> {
    let hint = if message.contains("must be quoted") || message.contains("invalid boolean") || message.contains("invalid integer") {
        "put the text in quotes: key = \"text\""
    } else if message.contains("duplicate key") {
        "a key stands once in its table; remove one of the two"
    } else if message.contains("invalid basic string") || message.contains("invalid literal string") {
        "close the quote; backslashes are doubled in \"…\" and stand as they are in '…'"
    } else if message.contains("escape") {
        "regular expressions are best written in single quotes: 'loss: ([\\d.]+)'"
    } else {
        return None;
    };
    Some(hint.to_owned())
}
