//! What is wrong with a prompt, and where.

use crate::task::Problem;
use std::fmt;

/// One problem of a prompt's file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoleProblem {
    /// The file: `prompts/systems.md`.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What went wrong, in one line.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

impl RoleProblem {
    pub(super) fn of(file: &str, problem: &Problem) -> Self {
        let Problem { message, line, column, hint, .. } = problem;
        Self { file: file.to_owned(), line: *line, column: *column, message: message.clone(), hint: hint.clone() }
    }
}

impl fmt::Display for RoleProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {}", hint.replace('\n', " ")),
            None => Ok(()),
        }
    }
}

impl std::error::Error for RoleProblem {}
