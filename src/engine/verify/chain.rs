//! The journal, line by line from the first one: sums, numbers, chain. What it folds into is what the other looks compare with.

use super::Check;
use crate::journal::{self, Cursor, JournalError, Tail};
use crate::lineage::Named;
use crate::model::{Event, Record, Study, apply, create};
use std::path::Path;

/// What the whole journal says.
pub struct Chain {
    /// The look itself.
    pub check: Check,
    /// The fold of all lines; none where one of them is damaged.
    pub study: Option<Study>,
    /// Commits and trees that its lines speak of, each with its line.
    pub(super) named: Vec<(Named, String, String)>,
}

/// Reads the whole journal. `live`: an engine is at work, so that an unfinished last line is one that is being written.
pub fn chain(dir: &Path, live: bool) -> Chain {
    let mut check = Check::new("chain");
    let tail = match journal::read_from(dir, Cursor::default()) {
        Ok(tail) => tail,
        Err(error) => {
            let at = |line: &u64| format!("journal.jsonl line {line}");
            let (place, what, mend) = match &error {
                JournalError::Altered { line, detail, .. } => {
                    (at(line), format!("altered: {detail}"), "restore the file from a copy; nothing from this line on can be trusted")
                }
                JournalError::Newer { line, detail, .. } => {
                    (at(line), format!("not understood: {detail}"), "upgrade trialdeck and verify again")
                }
                _ => ("journal.jsonl".to_owned(), error.to_string(), "restore the file from a copy"),
            };
            check.wrong(place, what, mend);
            check.looked_at = "damaged".into();
            return Chain { check, study: None, named: Vec::new() };
        }
    };
    let Tail { records, cursor, torn } = tail;
    check.looked_at = format!("{} facts", records.len());
    let study = folded(&records);
    match &study {
        None if records.is_empty() => {
            check.wrong("journal.jsonl", "it holds no record", "delete the study's directory: it was never begun")
        }
        None => check.wrong("journal.jsonl line 1", "it is not the creation of a study", "restore the file from a copy"),
        Some(study) => cache(dir, study, cursor, &mut check),
    }
    if torn && !live {
        check.leave("journal.jsonl", "its last line was never finished", "nothing: the next engine cuts it");
    }
    let named = records.iter().flat_map(named).collect();
    Chain { check, study, named }
}

fn folded(records: &[Record]) -> Option<Study> {
    let (first, rest) = records.split_first()?;
    let mut study = create(first)?;
    for record in rest {
        apply(&mut study, record);
    }
    Some(study)
}

/// What clients read first must not say something else than the journal.
fn cache(dir: &Path, study: &Study, cursor: Cursor, check: &mut Check) {
    if let Ok(reading) = journal::read(dir)
        && reading.cursor == cursor
        && reading.study != *study
    {
        check.wrong("study.snapshot.json", "it does not say what the journal says", "delete it: it is a cache and is written anew");
    }
}

fn named(record: &Record) -> Vec<(Named, String, String)> {
    let line = format!("journal.jsonl line {}", record.seq);
    let commit = |id: &String| (Named::Commit, id.clone(), line.clone());
    let tree = |id: &String| (Named::Tree, id.clone(), line.clone());
    let all = match &record.event {
        Event::StudyCreated { commit: c, tree: t, .. } | Event::Checked { commit: c, tree: t, .. } => vec![commit(c), tree(t)],
        Event::CommitLabelled { commit: c, .. } => vec![commit(c)],
        Event::RunScheduled { tree: t, .. } => vec![tree(t)],
        Event::Imported { row, .. } => row.commit.iter().map(commit).chain(row.tree.iter().map(tree)).collect(),
        _ => Vec::new(),
    };
    // A history without code has empty ones.
    all.into_iter().filter(|(_, id, _)| !id.is_empty()).collect()
}
