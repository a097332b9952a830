//! Answers to a client's queries from a study's directory and the fold of its facts. The engine uses it for a living study,
//! the client for one without an engine: both answer alike.
//!
//! Reads only, and every answer is bounded. Queries name things by number, so that no path of a client's can leave the
//! directory; the paths that `Files` takes are looked up in a git tree, never on the disk. Tested against real
//! directories beside the code.

pub mod conversation;
mod log;
mod recent;
mod series;
mod study_file;
#[cfg(test)]
mod tests;
mod tree;

pub use recent::{RECENT, recent};

use crate::model::{DiffOptions, Draft, ProposalId, RunId, Study, Superseded, Trial, TrialId};
use crate::protocol::document::priced_document;
use crate::protocol::{Against, Answer, ConversationPart, LogStream, Query, Snapshot, TrialDetail, snapshot as snapshot_of};
use std::path::{Path, PathBuf};
use study_file::StudyFile;

/// Largest body of a revision that is read, in bytes.
const LARGEST_DRAFT: u64 = 16 << 20;
/// Bytes of a conversation handed out at once.
const LONGEST_CONVERSATION: usize = 256 << 10;

/// A query with everything that the study itself knows of it: what remains to be read lies on the disk.
///
/// The driver writes the study and must not wait for a disk, so the server resolves under its lock and reads without it.
#[derive(Debug, Clone)]
pub struct Resolved(Part);

#[derive(Debug, Clone)]
enum Part {
    Trial { detail: Box<TrialDetail>, draft: Option<PathBuf> },
    Diff { old: Option<String>, new: String, options: DiffOptions },
    Files { old: Option<String>, new: String, paths: Vec<String> },
    Editable { tree: String },
    Log { run: RunId, stream: LogStream, offset: i64, len: u32, sealed: bool },
    SetupLog { attempt: u32, offset: i64, len: u32 },
    Series { run: RunId, key: String, width: u32 },
    Arms { rows: Vec<crate::model::arms::ArmRow> },
    SeriesKeys { run: RunId },
    Conversation { proposal: ProposalId, revision: Option<u32>, offset: i64 },
}

/// Answers one query. Errors: in words for the person who asked.
pub fn answer(dir: &Path, study: &Study, query: &Query) -> Result<Answer, String> {
    resolve(study, query)?.read(dir)
}

/// Looks up what the study knows of a query. Errors: in words for the person who asked.
pub fn resolve(study: &Study, query: &Query) -> Result<Resolved, String> {
    Ok(Resolved(match query {
        Query::Trial { trial } => trial_part(study, known(study, *trial)?),
        Query::Diff { trial, against, options, revision } => {
            let before = superseded(known(study, *trial)?, *revision)?;
            let new = match before {
                None => tree_of(known(study, *trial)?)?,
                Some(r) => r
                    .tree
                    .clone()
                    .ok_or_else(|| format!("revision {} of {trial} did not apply: there is nothing to compare", r.revision))?,
            };
            // A revision that was carried over stood on another node before.
            let stood_on = before.filter(|_| *against == Against::Parent).map(|r| r.parents.first().copied());
            let old = match stood_on.map_or_else(|| base(study, *trial, *against), Ok)? {
                Some(id) => Some(tree_of(known(study, id)?)?),
                // The baseline has no parent: it changes nothing. A draft without one is all new.
                None if *trial == TrialId::BASELINE => Some(new.clone()),
                None => None,
            };
            Part::Diff { old, new, options: *options }
        }
        Query::Files { trial, paths } => {
            let old = base(study, *trial, Against::Parent)?.map(|id| tree_of(known(study, id)?)).transpose()?;
            Part::Files { old, new: tree_of(known(study, *trial)?)?, paths: paths.clone() }
        }
        Query::Editable { trial } => Part::Editable { tree: tree_of(known(study, *trial)?)? },
        Query::Log { stream: LogStream::Setup, offset, len, .. } => {
            let setup = study.setup.as_ref().ok_or("the task of this study has no [setup]")?;
            Part::SetupLog { attempt: setup.log_attempt(), offset: *offset, len: *len }
        }
        Query::Log { run, .. } if known(study, run.trial)?.run(run.run).is_some_and(|r| r.imported) => {
            return Err(format!("{run} was imported: it ran elsewhere, so there is no log of it here"));
        }
        Query::Log { run, stream, offset, len } => {
            // The evaluator prints the holdout with the score: while it is sealed, its standard output is nobody's.
            let sealed = *stream == LogStream::Evaluator && !study.is_over() && study.trials.iter().all(|t| t.holdout.is_none());
            Part::Log { run: known_run(study, *run)?, stream: *stream, offset: *offset, len: *len, sealed }
        }
        Query::Series { run, key, width } => Part::Series { run: known_run(study, *run)?, key: key.clone(), width: *width },
        Query::Arms => Part::Arms { rows: crate::search::standing(study) },
        Query::SeriesKeys { run } => Part::SeriesKeys { run: known_run(study, *run)? },
        Query::Conversation { proposal, .. } if !study.proposals.contains_key(proposal) => {
            return Err(format!("there is no proposal {proposal} in study {}", study.name));
        }
        Query::Conversation { proposal, revision, offset } => {
            Part::Conversation { proposal: *proposal, revision: *revision, offset: *offset }
        }
    }))
}

impl Resolved {
    /// Reads what lies on the disk. Errors: in words for the person who asked.
    pub fn read(self, dir: &Path) -> Result<Answer, String> {
        Ok(match self.0 {
            Part::Trial { mut detail, draft } => {
                detail.draft = draft.and_then(|path| read_draft(&dir.join(path)));
                Answer::Trial { detail }
            }
            Part::Diff { old, new, options } => Answer::Diff { diff: tree::diff(dir, old.as_deref(), &new, options)? },
            Part::Files { old, new, paths } => Answer::Files { files: tree::files(dir, old.as_deref(), &new, paths)? },
            Part::Editable { tree } => Answer::Editable { paths: tree::editable(dir, &tree)? },
            Part::Log { run, stream, offset, len, sealed } => {
                let hidden = sealed && StudyFile::read(dir).map_or(true, |file| file.holdout);
                Answer::Log { part: log::part(&run_dir(dir, run), stream, hidden, offset, len)? }
            }
            Part::SetupLog { attempt, offset, len } => {
                let attempt = dir.join("setup").join(format!("try-{attempt}"));
                Answer::Log { part: log::part(&attempt, LogStream::Setup, false, offset, len)? }
            }
            Part::Series { run, key, width } => Answer::Series { curve: series::curve(&run_dir(dir, run), &key, width)? },
            Part::Arms { rows } => Answer::Arms { rows },
            Part::SeriesKeys { run } => Answer::SeriesKeys { keys: series::keys(&run_dir(dir, run))? },
            Part::Conversation { proposal, revision, offset } => {
                Answer::Conversation { part: conversation_part(dir, proposal, revision, offset)? }
            }
        })
    }
}

/// Returns what a client holds, with the last facts from the journal. The facts of `study` are durable before it has them,
/// so none of them is missing.
pub fn snapshot(dir: &Path, study: &Study) -> Snapshot {
    snapshot_of(study, recent(dir, study.seq))
}

/// The directory of a run.
pub fn run_dir(dir: &Path, run: RunId) -> PathBuf {
    dir.join("trials").join(run.trial.to_string()).join(run.run.to_string())
}

fn trial_part(study: &Study, trial: &Trial) -> Part {
    let request = trial.proposal.and_then(|p| study.proposals.get(&p)).cloned();
    let detail = TrialDetail { document: priced_document(study, trial), request, draft: None, comparison: trial.comparison.clone() };
    let draft = trial.proposal.map(|p| Path::new("proposals").join(p.to_string()).join(format!("rev-{}.json", trial.revision)));
    Part::Trial { detail: Box::new(detail), draft }
}

/// A part of a conversation that fits into one answer: one entry at least, shortened where it has to be.
fn conversation_part(dir: &Path, proposal: ProposalId, revision: Option<u32>, offset: i64) -> Result<ConversationPart, String> {
    let record = conversation::read(dir, proposal).map_err(|e| format!("the conversation of {proposal} cannot be read: {e}"))?;
    let trouble = record.trouble();
    let turns = record.of(revision);
    let total = turns.len() as u64;
    let offset = if offset < 0 { total.saturating_sub(offset.unsigned_abs()) } else { offset.unsigned_abs().min(total) };
    let (mut part, mut bytes) = (ConversationPart { offset, next: offset, total, turns: Vec::new(), trouble }, 0);
    for mut turn in turns.into_iter().skip(usize::try_from(offset).unwrap_or(usize::MAX)) {
        conversation::shorten(&mut turn, LONGEST_CONVERSATION / 4);
        bytes += serde_json::to_vec(&turn).map_or(0, |json| json.len());
        if bytes > LONGEST_CONVERSATION && !part.turns.is_empty() {
            break;
        }
        part.turns.push(turn);
        part.next += 1;
    }
    Ok(part)
}

/// The body of the current revision; none for imports and while it is being written.
fn read_draft(path: &Path) -> Option<Draft> {
    let fits = path.metadata().ok()?.len() <= LARGEST_DRAFT;
    fits.then(|| serde_json::from_slice(&std::fs::read(path).ok()?).ok())?
}

fn known(study: &Study, id: TrialId) -> Result<&Trial, String> {
    study.trial(id).ok_or_else(|| match study.trials.last() {
        Some(last) => format!("there is no trial {id} in study {}: its trials are {} to {}", study.name, TrialId::BASELINE, last.id),
        None => format!("study {} has no trials", study.name),
    })
}

fn known_run(study: &Study, run: RunId) -> Result<RunId, String> {
    let trial = known(study, run.trial)?;
    match (trial.run(run.run), trial.runs.last()) {
        (Some(_), _) => Ok(run),
        (None, Some(last)) => Err(format!("trial {} has no {}: its last run is {}", trial.id, run.run, last.id)),
        (None, None) if trial.imported.is_some() => Err(format!("{} was imported, and its row cannot be read: there is no log", trial.id)),
        (None, None) => Err(format!("trial {} has not run ({})", trial.id, trial.status.word())),
    }
}

/// The revision that is asked for, where it is not the current one.
fn superseded(trial: &Trial, revision: Option<u32>) -> Result<Option<&Superseded>, String> {
    let Some(wanted) = revision.filter(|r| *r != trial.revision) else { return Ok(None) };
    match trial.superseded.iter().find(|r| r.revision == wanted) {
        Some(found) => Ok(Some(found)),
        None if trial.revision == 1 => Err(format!("{} has no revision {wanted}: it has one", trial.id)),
        None => Err(format!("{} has no revision {wanted}: it has 1 to {}", trial.id, trial.revision)),
    }
}

fn base(study: &Study, trial: TrialId, against: Against) -> Result<Option<TrialId>, String> {
    Ok(match against {
        Against::Parent => known(study, trial)?.parents.first().copied(),
        Against::Baseline => Some(TrialId::BASELINE),
        Against::Best => Some(study.best.as_ref().ok_or("no trial has been kept yet, so there is no best one to compare with")?.trial),
        Against::Trial(id) => Some(id),
    })
}

fn tree_of(trial: &Trial) -> Result<String, String> {
    if let (None, Some(origin)) = (&trial.tree, &trial.imported) {
        return Err(format!(
            "{} (`{}` of line {}) was imported without its code: there is nothing to compare",
            trial.id, origin.name, origin.line
        ));
    }
    trial.tree.clone().ok_or_else(|| match &trial.failure {
        Some(failure) => format!("trial {} has no tree: {} ({})", trial.id, failure.label.word(), failure.detail),
        None => format!("trial {} has no tree yet ({})", trial.id, trial.status.word()),
    })
}
