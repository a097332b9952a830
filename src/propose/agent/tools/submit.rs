//! `submit` and `give_up`: the two ways in which a proposal ends.

use super::{Args, Hands, Outcome, check, told};
use crate::propose::agent::line;

/// Fewer words are no hypothesis.
const FEWEST_WORDS: usize = 5;

pub(super) fn submit(hands: &mut Hands<'_>, args: &Args) -> Outcome {
    let hypothesis = args.text("hypothesis").unwrap_or_default();
    if hypothesis.split_whitespace().count() < FEWEST_WORDS {
        return told(Err(
            "refused: `hypothesis` is one whole sentence: what changes, by which mechanism it helps, and what you expect to see".to_owned(),
        ));
    }
    let (draft, checked) = match check::tried(hands, args) {
        Ok(fitting) => fitting,
        Err(why) => return told(Err(why)),
    };
    // Said once: where a person reviews, it may be what was wanted.
    if check::only_flagged(&checked) && !hands.desk.told_only {
        hands.desk.told_only = true;
        return told(Err(format!("refused.\n{}\nIf a person asked for exactly this, submit it again.", check::said(hands, &checked))));
    }
    if let Some(id) = check::repeats(hands, &checked) {
        let knew = hands.desk.told_near.contains(&id);
        let argues = args.text("argue").is_some();
        if !(knew && argues) || hands.desk.argued {
            let why = check::near(hands, id);
            let again = if hands.desk.argued { " You have argued once already for this proposal." } else { "" };
            return told(Err(format!("refused.{why}{again}")));
        }
        hands.desk.argued = true;
    }
    hands.desk.fitting = Some(checked.tree.clone());
    Outcome::Submitted { draft: Box::new(draft), checked: Box::new(checked) }
}

pub(super) fn give_up(args: &Args) -> Outcome {
    Outcome::GaveUp { why: line(&args.text("why").unwrap_or_default(), 900) }
}
