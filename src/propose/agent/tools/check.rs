//! `check_edit`, and what stands before a preflight and a submit: does an edit fit, and is it new?

use super::{Args, Hands, Outcome, closest, edits, nearest, told};
use crate::model::{Draft, Label, Operator, flagged};
use crate::propose::agent::{Checked, line};
use crate::propose::{digest, syntax_error};
use crate::task::nearest_word;

/// Longest sentence that is kept as a hypothesis, in characters: the fact that holds it is bounded.
const HYPOTHESIS: usize = 900;
/// From so many refusals in a row on, the answer quotes the file.
const QUOTE_FROM: u32 = 2;

pub(super) fn answer(hands: &mut Hands<'_>, args: &Args) -> Outcome {
    told(tried(hands, args).map(|(draft, checked)| {
        let trees = said(hands, &checked);
        let near = repeats(hands, &checked).map(|id| near(hands, id)).unwrap_or_default();
        hands.desk.fitting = Some(checked.tree);
        hands.desk.last = Some(draft);
        format!("it applies, is in bounds and parses.\n{trees}{near}")
    }))
}

/// The draft that the arguments hold, and what it becomes; an exact duplicate is an error here.
pub(super) fn tried(hands: &mut Hands<'_>, args: &Args) -> Result<(Draft, Checked), String> {
    let answer = fitted(hands, args);
    match &answer {
        Ok((draft, _)) => {
            hands.desk.refused = 0;
            hands.desk.fits = Some(draft.edits.clone());
        }
        Err(_) => hands.desk.refused = hands.desk.refused.saturating_add(1),
    }
    answer
}

fn fitted(hands: &mut Hands<'_>, args: &Args) -> Result<(Draft, Checked), String> {
    let draft = draft(hands, args)?;
    hands.desk.last = Some(draft.clone());
    let checked = match hands.bench.check(&hands.scene.parents, &hands.role.name, &draft) {
        Ok(checked) => checked,
        Err(failure) => {
            let mut why = format!("refused, {}: {}", failure.label.word(), crate::propose::agent::legible(&failure.detail));
            match failure.label {
                Label::ApplyFailed if hands.desk.refused >= QUOTE_FROM => why.push_str(&closest::quoted(hands, &draft)),
                Label::ApplyFailed => {
                    why.push_str("\nQuote the lines as read_file shows them, without numbers, enough of them to be unique.")
                }
                Label::OutOfBounds => why.push_str(&bounds(hands)),
                _ => {}
            }
            return Err(why);
        }
    };
    if let Some(why) = own_bounds(hands, &checked) {
        return Err(why);
    }
    if let Some(duplicate) = &checked.duplicate {
        return Err(format!(
            "refused, duplicate: {}. The very same code gives nothing new; change the idea, not the letters",
            line(duplicate, 600)
        ));
    }
    if checked.changed.is_empty() {
        return Err("refused: the edit changes nothing".to_owned());
    }
    if let Some(why) = broken(hands, &checked) {
        return Err(why);
    }
    Ok((draft, checked))
}

/// The draft as it would be stored.
fn draft(hands: &Hands<'_>, args: &Args) -> Result<Draft, String> {
    let edits = match (&hands.desk.fits, edits::any(args)) {
        // What was tried and fits need not be written twice.
        (Some(fitting), false) => fitting.clone(),
        _ => edits::edits(hands, args)?,
    };
    let hypothesis = args.text("hypothesis").map(|h| line(&h, HYPOTHESIS)).unwrap_or_default();
    let mut reasoning = Vec::new();
    for (key, word) in [("falsified_by", "It would be wrong if"), ("argue", "Why it is no repetition")] {
        if let Some(text) = args.text(key) {
            reasoning.push(format!("{word}: {}", line(&text, 1200)));
        }
    }
    Ok(Draft {
        hypothesis,
        surface: surface(hands, args)?,
        expected: args.number("expected"),
        edits,
        knobs: std::collections::BTreeMap::new(),
        reasoning: reasoning.join("\n"),
    })
}

/// The part of the recipe: what was said, else what was assigned.
fn surface(hands: &Hands<'_>, args: &Args) -> Result<Option<String>, String> {
    let assigned = || hands.scene.assignment.surface.clone();
    let Some(said) = args.text("surface") else { return Ok(assigned()) };
    let known: Vec<&str> = hands.task().surfaces.iter().map(|s| s.name.as_str()).collect();
    if known.is_empty() {
        return Ok(Some(line(&said, 40)));
    }
    match known
        .iter()
        .find(|name| name.eq_ignore_ascii_case(said.trim()))
        .copied()
        .or_else(|| nearest_word(said.trim(), known.iter().copied()))
    {
        Some(name) => Ok(Some(name.to_owned())),
        None => Err(format!("there is no surface `{}`; there are {}", line(&said, 40), known.join(", "))),
    }
}

/// A Python file that no longer parses, with its error.
fn broken(hands: &Hands<'_>, checked: &Checked) -> Option<String> {
    let base = hands.tree_of(hands.scene.base()).ok();
    let python = checked.changed.iter().filter(|path| path.ends_with(".py"));
    let broken: Vec<String> = python
        .filter_map(|path| {
            let error = syntax_error(&hands.bench.read(&checked.tree, path).ok()??)?;
            let before = base.as_deref().and_then(|tree| hands.bench.read(tree, path).ok()?);
            // What did not parse before may be a template; Python itself will say.
            let was_broken = before.is_some_and(|bytes| syntax_error(&bytes).is_some());
            (!was_broken).then(|| format!("{}: {}", line(path, 200), line(&error, 300)))
        })
        .collect();
    (!broken.is_empty()).then(|| format!("refused: it applies, but does not parse any more. {}", broken.join("; ")))
}

/// Paths that are not the role's.
fn own_bounds(hands: &Hands<'_>, checked: &Checked) -> Option<String> {
    let globs = hands.role.allowed(hands.task())?;
    let matchers: Vec<globset::GlobMatcher> = globs.iter().filter_map(|g| Some(globset::Glob::new(g).ok()?.compile_matcher())).collect();
    let strangers: Vec<&str> =
        checked.changed.iter().map(String::as_str).filter(|path| !matchers.iter().any(|m| m.is_match(path))).collect();
    (!strangers.is_empty()).then(|| {
        format!(
            "refused, out_of_bounds: {} {} not of your part of the recipe; as {} you may edit {}. If the idea needs more, give_up and say so",
            line(&strangers.join(", "), 300),
            if strangers.len() == 1 { "is" } else { "are" },
            hands.role.title,
            line(&globs.join(", "), 300)
        )
    })
}

fn bounds(hands: &Hands<'_>) -> String {
    let repository = &hands.task().repository;
    let own = hands.role.allowed(hands.task()).map(|globs| format!("; of these your part is {}", globs.join(", "))).unwrap_or_default();
    let most = repository.max_changed_lines.map(|n| format!("; at most {n} changed lines")).unwrap_or_default();
    format!("\nEditable is {}{own}{most}.", line(&repository.editable.join(", "), 400))
}

/// What a fitting edit is like: its size, its flags, the nearest earlier trial.
pub(super) fn said(hands: &Hands<'_>, checked: &Checked) -> String {
    let mut lines =
        vec![format!("it changes {} (+{} -{} lines)", line(&checked.changed.join(", "), 400), checked.diff.added, checked.diff.removed)];
    if let Some(surface) = &checked.surface {
        lines.push(format!("its surface is {}", line(surface, 40)));
    }
    if let Some(flags) = flagged(checked.flags.iter().map(|f| f.mark())) {
        lines.push(format!("A REVIEWER WILL BE TOLD that it {flags}:"));
        lines.extend(checked.flags.iter().take(8).map(|flag| format!("- {}", line(&flag.evidence, 240))));
        if only_flagged(checked) {
            lines.push(ONLY.to_owned());
        }
    }
    let unread: Vec<&str> = checked
        .changed
        .iter()
        .map(String::as_str)
        .filter(|path| !hands.desk.read.contains_key(*path))
        .filter(|path| hands.task().space.as_ref().is_none_or(|s| s.writes != *path))
        .collect();
    if !unread.is_empty() && hands.scene.operator != Operator::Draft {
        lines.push(format!("you have not read {}: is it what you think?", line(&unread.join(", "), 200)));
    }
    match nearest::nearest(hands, &checked.tree) {
        Some((id, share)) => {
            let row = hands.ask(|study| study.trial(id).map(|t| digest::row(study, t))).flatten().unwrap_or_default();
            lines.push(format!("nearest earlier trial ({:.0} % of the changed lines in common):\n{row}", share * 100.0));
        }
        None => lines.push("no earlier trial changes the same lines".to_owned()),
    }
    lines.join("\n")
}

/// What an edit of nothing but flagged changes comes to.
pub(super) const ONLY: &str = "The edit holds nothing else. Where nobody is asked it gets no run, and is vetoed: make it part of a change \
                               that stands for itself, or propose something else.";

/// Whether an edit holds nothing but what its flags name.
pub(super) fn only_flagged(checked: &Checked) -> bool {
    checked.flags.iter().any(|flag| flag.only)
}

/// The trial that an edit nearly repeats; a revision may be like the one that it replaces.
pub(super) fn repeats(hands: &Hands<'_>, checked: &Checked) -> Option<crate::model::TrialId> {
    checked.near.filter(|id| Some(*id) != hands.scene.trial)
}

/// What is said of a near duplicate.
pub(super) fn near(hands: &mut Hands<'_>, id: crate::model::TrialId) -> String {
    hands.desk.told_near.insert(id);
    let row = hands.ask(|study| study.trial(id).map(|t| digest::row(study, t))).flatten().unwrap_or_default();
    format!(
        "\nNEARLY A REPETITION: but for names, layout or comments this is\n{row}\nChange the idea, or submit with `argue`: why the difference matters. You may argue once."
    )
}
