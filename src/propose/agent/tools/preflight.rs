//! `preflight`: the task's cheap check, on an edit that fits.

use super::{Args, Hands, check, edits};
use crate::propose::agent::{cut, data, log_lines};

/// Preflights of one proposal at most.
const MOST: u32 = 6;
const TAIL: usize = 5000;

pub(super) fn preflight(hands: &mut Hands<'_>, args: &Args) -> Result<String, String> {
    if hands.desk.preflights >= MOST {
        return Err(format!("{MOST} preflights have run for this proposal; decide with what you know"));
    }
    let tree = if edits::any(args) {
        let (draft, checked) = check::tried(hands, args)?;
        let tree = checked.tree;
        hands.desk.last = Some(draft);
        hands.desk.fitting = Some(tree.clone());
        tree
    } else {
        hands.desk.fitting.clone().ok_or("no edit of yours fits yet: give `edits`, or use check_edit first")?
    };
    hands.desk.preflights += 1;
    let ran = hands.bench.preflight(&tree)?;
    let outcome = match (&ran.failure, ran.passed) {
        (_, true) => "passed".to_owned(),
        (Some(failure), false) => {
            format!("failed, {}: \"{}\"", failure.label.word(), crate::propose::agent::line(&failure.detail, 400).replace('"', "'"))
        }
        (None, false) => "failed".to_owned(),
    };
    let head = format!("`{}` {outcome} in {:.1} s", crate::propose::agent::line(&ran.command, 200), ran.seconds);
    let tail = log_lines(&ran.tail);
    let text = if tail.trim().is_empty() { head } else { format!("{head}\n{}", data("its output", &cut(&tail, TAIL))) };
    if ran.passed { Ok(text) } else { Err(text) }
}
