//! The facts of an imported history: the study, its rows, what the source kept, and that it has ended. Pure.
//!
//! Texts are cut so that a fact stays below 4 KiB; the whole file lies beside the journal. Tested by the journeys of `import`.

use super::{Branch, Code, Plan, WORD, cut, id};
use crate::engine::create;
use crate::import::Row;
use crate::model::{Event, FORMAT, Failure, Goal, ImportedFrom, ImportedTrial, Origin, Safe, Settings, StudyState, TrialId};

/// Longest hypothesis in a fact, in characters.
const HYPOTHESIS: usize = 1000;
/// Longest notes in a fact, in characters; the file itself lies beside the journal.
const NOTES: usize = 1200;
/// Longest evidence, names and words.
const DETAIL: usize = 600;
/// A fact's body in bytes: below 4 KiB with the journal's own words.
const FACT: usize = 3800;
/// Warnings that the study keeps as notes.
const NOTED: usize = 20;

fn source(plan: &Plan<'_>, rows: usize) -> String {
    let file = Safe::line(&plan.file.to_string_lossy()).into_string();
    let branch = plan.branch.as_ref().map(|b| {
        let name = b.name.map(|n| format!(", branch {}", Safe::line(n))).unwrap_or_default();
        format!(" with the code of {}{name}", Safe::line(&b.repository.root().to_string_lossy()))
    });
    format!("imported: {} rows of {file} ({}){}", rows, plan.history.format.word(), branch.unwrap_or_default())
}

/// All facts of a history, in order.
pub(super) fn events(plan: &Plan<'_>, settings: Settings, code: &[Option<Code>], from: ImportedFrom, best: Option<usize>) -> Vec<Event> {
    let rows = &plan.history.rows;
    let goal = settings.goal;
    let first = code.first().and_then(Option::as_ref);
    let detail = match from.unreadable {
        0 => format!("imported from {}, {} rows", from.format, from.rows),
        n => format!("imported from {}, {} rows, {n} of them unreadable", from.format, from.rows),
    };
    let mut events = vec![
        Event::StudyCreated {
            format: FORMAT,
            study: plan.name.to_owned(),
            settings: Box::new(settings),
            commit: first.map(|c| c.commit.clone()).unwrap_or_default(),
            tree: first.map(|c| c.tree.clone()).unwrap_or_default(),
            source: source(plan, rows.len()),
            evaluator: None,
        },
        Event::HistoryImported { from: Box::new(from.clone()) },
    ];
    if let (Some(Branch { task: Ok(task), .. }), None) = (&plan.branch, &from.fixed) {
        events.extend(create::setup_asked(&task.found.parsed.task));
    }
    for (place, row) in rows.iter().enumerate() {
        events.push(imported(place, row, code.get(place).and_then(Option::as_ref)));
    }
    let mut warnings = plan.history.warnings.clone();
    if let Some((place, score)) = best.and_then(|n| Some((n, rows.get(n)?.score?))) {
        events.push(Event::IncumbentMoved { trial: id(place), from: TrialId::BASELINE });
        let (gain, warning) = gain(goal, rows, score);
        warnings.extend(warning);
        events.push(Event::BestChanged { trial: id(place), score, verified: false, gain, gain_interval: None });
        // Its commit is the source's own and stays as it is.
        if let Some(Some(code)) = code.get(place) {
            events.push(Event::CommitLabelled { trial: id(place), commit: code.commit.clone(), basis: None });
        }
    }
    events.extend(warnings.iter().take(NOTED).map(|text| Event::Noted { warning: true, text: cut(text, DETAIL) }));
    events.push(Event::StateChanged { state: StudyState::Finished, reason: None, detail: Some(detail) });
    events
}

/// The gain on the baseline; on the first row that has a score where the baseline has none, which is said.
fn gain(goal: Goal, rows: &[Row], score: f64) -> (f64, Option<String>) {
    match rows.iter().enumerate().find_map(|(n, r)| Some((n, r.score?))) {
        Some((0, first)) => (goal.gain(score, first), None),
        Some((place, first)) => {
            let text = format!("the baseline has no score: the gain of the best is counted from {}, the first that has one", id(place));
            (goal.gain(score, first), Some(text))
        }
        None => (0.0, None),
    }
}

/// The fact of one row, its texts cut until it fits.
fn imported(place: usize, row: &Row, code: Option<&Code>) -> Event {
    let mut notes = NOTES;
    let mut hypothesis = HYPOTHESIS;
    loop {
        let event = Event::Imported { trial: id(place), row: Box::new(fact(row, code, hypothesis, notes)) };
        let size = serde_json::to_vec(&event).map_or(0, |bytes| bytes.len());
        if size <= FACT || (notes == 0 && hypothesis < 100) {
            return event;
        }
        if notes > 0 {
            notes = notes.saturating_sub(300);
        } else {
            hypothesis /= 2;
        }
    }
}

fn fact(row: &Row, code: Option<&Code>, hypothesis: usize, notes: usize) -> ImportedTrial {
    ImportedTrial {
        parents: row.parents.iter().map(|p| id(*p)).collect(),
        operator: row.operator,
        proposer: cut(&row.proposer, WORD),
        surface: row.surface.as_deref().map(|s| cut(s, WORD)),
        hypothesis: cut(&row.hypothesis, hypothesis),
        expected: row.expected,
        commit: code.map(|c| c.commit.clone()),
        tree: code.map(|c| c.tree.clone()),
        diff: code.and_then(|c| c.diff),
        status: row.status,
        verdict: row.verdict,
        score: row.score,
        self_reported: row.self_reported,
        failure: row.failure.as_ref().map(|f| Failure::new(f.label, cut(&f.detail, DETAIL))),
        metrics: row.metrics.iter().take(24).map(|(k, v)| (cut(k, WORD), *v)).collect(),
        gates: row.gates.clone(),
        seconds: row.seconds,
        proposed: row.proposed,
        finished: row.finished,
        origin: Origin { name: cut(&row.name, WORD), word: cut(&row.word, WORD), line: row.line, notes: cut(&row.notes, notes) },
    }
}
