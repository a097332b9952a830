//! Asks a program for a proposal: a copy of the parent's tree, the brief on its standard input, and what it changed is the edit.
//!
//! One proposal of a program at a time. What an earlier engine's program is still at is ended first: nobody waits for it any more.

use super::{Shared, agent, look};
use crate::archive::conversation::Recorder;
use crate::engine::aloud::{Aloud, Voice};
use crate::engine::external::Seat;
use crate::engine::machine::Input;
use crate::engine::rig::Rig;
use crate::engine::workbench::Bench;
use crate::lineage::{Error, Store, Worked};
use crate::model::conversation::{Answered, Finish, Message, Thought, Turn};
use crate::model::{Assignment, DiffOptions, Draft, Edit, Failure, Label, Operator, ProposalId, Spend, Study, TrialId};
use crate::propose::agent::{Revise, Scene};
use crate::propose::digest::digest;
use crate::propose::external::{self, Brief};
use crate::run::{Executor, Observation, Status, Stream};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// How often a program is looked at.
const LOOK: Duration = Duration::from_millis(40);
/// Looks between two at what it printed.
const LOG_EVERY: u32 = 5;
/// Longest piece of its output that is passed on at once, in bytes.
const PIECE: usize = 16 << 10;
/// What is kept of its output as reasoning: the beginning and the end, in bytes each.
const KEPT: usize = 32 << 10;
/// Longest wait for the end of what an earlier engine's program is still at.
const OLD_WORK: Duration = Duration::from_secs(60);
/// Lines of a program's last words, and files that are named.
const LAST_WORDS: usize = 4;
const NAMED: usize = 8;

/// What is asked of a program.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) proposal: ProposalId,
    /// As facts name it: `command/NAME`.
    pub(super) proposer: String,
    pub(super) parents: Vec<TrialId>,
    pub(super) operator: Operator,
    /// Which revision it is to write, and what the reviewer says of the one before.
    pub(super) revise: Option<(TrialId, u32, String)>,
}

impl Asked {
    /// For another revision of a trial's proposal.
    pub(super) fn again(study: &Shared, trial: TrialId, revision: u32, proposal: ProposalId, comment: String) -> Option<Self> {
        look(study, |s| {
            let t = s.trial(trial)?;
            let revise = Some((trial, revision, comment));
            Some(Self { proposal, proposer: t.proposer.clone(), parents: t.parents.clone(), operator: t.operator, revise })
        })
    }
}

/// Sees a proposal, or another revision of one, through.
pub(super) async fn propose(rig: Arc<Rig>, study: Shared, asked: Asked, aloud: &Aloud) -> Input {
    let basis = look(&study, |s| s.seq);
    let drafted = drafted(&rig, &study, &asked, aloud).await;
    match (drafted, &asked.revise) {
        (Ok(draft), None) => Input::Drafted { proposal: asked.proposal, draft: Box::new(draft), basis },
        (Ok(draft), Some((trial, revision, _))) => Input::Redrafted { trial: *trial, revision: *revision, draft: Box::new(draft) },
        (Err(detail), None) => Input::NoDraft { proposal: asked.proposal, detail, gave_up: false },
        (Err(detail), Some((trial, revision, _))) => Input::NotRedrafted { trial: *trial, revision: *revision, detail },
    }
}

/// What the study knows of the matter.
struct Ground {
    parent: TrialId,
    /// The tree that the edit is taken against, and the one that the program begins with.
    base: String,
    start: String,
    failure: Option<String>,
    title: String,
}

fn ground(s: &Study, asked: &Asked) -> Result<Ground, String> {
    let parent = asked.parents.first().copied().unwrap_or(TrialId::BASELINE);
    let tree = |id| s.trial(id).and_then(|t| t.tree.clone());
    let base = tree(parent).ok_or_else(|| format!("{parent} has no tree"))?;
    let revised = asked.revise.as_ref().and_then(|(trial, ..)| tree(*trial));
    let failure = s.trial(parent).and_then(|t| t.failure.as_ref()).map(|f| format!("{}: {}", f.label.word(), f.detail));
    let title = s.settings.title.clone();
    Ok(Ground { parent, start: revised.unwrap_or_else(|| base.clone()), base, failure, title })
}

/// What it is told of the study, as specialists are.
fn told(rig: &Arc<Rig>, study: &Shared, asked: &Asked) -> String {
    let proposer = asked.proposer.clone();
    let assignment = Assignment { role: proposer.clone(), model: proposer, surface: None, why: String::new(), idea: None, adapts: None };
    let mut scene = Scene::new(asked.operator, asked.parents.clone(), assignment, 0);
    if let Some((trial, revision, comment)) = &asked.revise
        && let Ok(draft) = rig.draft(asked.proposal, revision.saturating_sub(1))
    {
        scene.revise = Some(Revise { comment: comment.clone(), draft, revision: revision.saturating_sub(1) });
        scene.trial = Some(*trial);
    }
    let bench = Bench::new(rig, study);
    let extra = agent::extra(&bench, &scene, None);
    look(study, |s| digest(s, &scene, &extra))
}

async fn drafted(rig: &Arc<Rig>, study: &Shared, asked: &Asked, aloud: &Aloud) -> Result<Draft, String> {
    let name = asked.proposer.strip_prefix("command/").unwrap_or(&asked.proposer);
    let seat = rig.seat(name).ok_or_else(|| format!("this study was made without a program `{name}`"))?;
    let _turn = seat.busy.lock().await;
    let end = Instant::now() + OLD_WORK;
    while !rig.end_seat(seat) {
        if Instant::now() > end {
            return Err(format!("command/{name} is still at an earlier engine's proposal and does not end"));
        }
        tokio::time::sleep(LOOK).await;
    }
    let ground = look(study, |s| ground(s, asked))?;
    let brief = brief(rig, seat, asked, &ground)?;
    let run_dir = fresh_run_dir(rig, asked.proposal);
    let (preparing, of, request) = (Arc::clone(rig), Arc::clone(study), asked.clone());
    let (number, tree, words) = (name.to_owned(), ground.start.clone(), brief.clone());
    let prepared = tokio::task::spawn_blocking(move || match preparing.seat(&number) {
        Some(seat) => preparing.prepare_seat(seat, &tree, &words, &told(&preparing, &of, &request)),
        None => Ok(()),
    });
    prepared.await.map_err(|e| e.to_string())?.map_err(|e| format!("the copy for command/{name} could not be made: {e:#}"))?;
    let spec = rig.seat_spec(seat, asked.proposal);
    if let Some(fault) = rig.confinement.fault(&spec) {
        return Err(fault.detail);
    }
    rig.note_seat(seat, &run_dir).map_err(|e| e.to_string())?;
    let mut ends = Ends { rig: Arc::clone(rig), dir: run_dir.clone(), armed: true };
    rig.start_seat(seat, &run_dir, &spec).map_err(|e| e.to_string())?;
    let voice = aloud.begin(asked.proposal, asked.revise.as_ref().map_or(1, |(_, revision, _)| *revision));
    let status = observe(rig, &run_dir, &voice).await;
    drop(voice);
    ends.armed = false;
    let printed = printed(rig, &run_dir, Stream::Stdout);
    record(rig, asked, &brief, status.as_deref().map_err(String::as_str), &printed);
    let status = status?;
    if let Some(failure) = &status.failure {
        return Err(format!("{}: {}", failure.label.word(), failure.detail));
    }
    let (reading, base, dir) = (Arc::clone(rig), ground.base, rig.seat_dir(seat));
    // With a store of its own: what a program left may take long to read, and others want the study's.
    let work = move || Store::open(&reading.layout.store())?.work_in_dir(&base, &dir, &reading.rules);
    let worked = tokio::task::spawn_blocking(work).await;
    let worked = worked.map_err(|e| e.to_string())?.map_err(|error| match error {
        Error::NotAProposal { reason, .. } => format!("{}: {reason}", Label::OutOfBounds.word()),
        other => other.to_string(),
    })?;
    if worked.edits.is_empty() {
        return Err(nothing(rig, &run_dir, &printed, &worked));
    }
    Ok(draft(worked, printed))
}

fn brief(rig: &Rig, seat: &Seat, asked: &Asked, ground: &Ground) -> Result<String, String> {
    let diff = match &asked.revise {
        Some(_) => rig.store().diff(&ground.base, &ground.start, &DiffOptions::default()).map_err(|e| e.to_string())?.patch,
        None => String::new(),
    };
    let repository = &rig.task.repository;
    Ok(external::brief(&Brief {
        title: &ground.title,
        metric: &rig.task.task.metric,
        goal: rig.task.task.goal,
        parent: ground.parent,
        operator: asked.operator,
        failure: ground.failure.as_deref(),
        editable: &repository.editable,
        protected: &repository.protected,
        max_changed_lines: repository.max_changed_lines,
        command: &rig.task.run.command,
        run_secs: rig.task.budget.wall.as_secs_f64(),
        wall_secs: seat.program.wall_secs,
        revise: asked.revise.as_ref().map(|(_, _, comment)| (comment.as_str(), diff.as_str())),
    }))
}

/// The first directory of the proposal's that nothing ran in.
fn fresh_run_dir(rig: &Rig, proposal: ProposalId) -> PathBuf {
    let dir = rig.layout.proposal(proposal);
    let place = |n: u32| dir.join(format!("command-{n}"));
    (1..).map(place).find(|at| !at.exists()).unwrap_or_else(|| place(0))
}

/// Ends the program once nobody waits for it.
struct Ends {
    rig: Arc<Rig>,
    dir: PathBuf,
    armed: bool,
}

impl Drop for Ends {
    fn drop(&mut self) {
        if self.armed {
            let why = Failure::new(Label::Killed, "its proposal is not wanted any more");
            if let Err(error) = self.rig.executor.cancel(&self.dir, &why) {
                crate::engine::log::line(&format!("{} cannot be ended: {error}", self.dir.display()));
            }
        }
    }
}

/// Waits for the end, passing on what is printed.
async fn observe(rig: &Rig, dir: &Path, voice: &Voice) -> Result<Box<Status>, String> {
    let (mut offset, mut looks, mut rest) = (0, 0_u32, Vec::new());
    let mut pass_on = |last: bool| loop {
        let Ok(part) = rig.executor.log(dir, Stream::Stdout, offset, PIECE) else { return };
        let got = part.bytes.len();
        offset = part.offset + got as u64;
        rest.extend(part.bytes);
        let text = whole_characters(&mut rest, last);
        if !text.is_empty() {
            voice.say(agent::covered(Thought::Answer { text }));
        }
        if got < PIECE {
            return;
        }
    };
    loop {
        let seen = rig.executor.observe(dir);
        looks = looks.wrapping_add(1);
        let over = !matches!(seen, Observation::Absent | Observation::Starting { .. } | Observation::Running { .. });
        if over || looks.is_multiple_of(LOG_EVERY) {
            pass_on(over);
        }
        match seen {
            Observation::Ended(status) => return Ok(status),
            Observation::Lost { detail } => return Err(detail),
            Observation::Rebooted => return Err("the machine was restarted while it worked".into()),
            Observation::Absent | Observation::Starting { .. } | Observation::Running { .. } => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Takes what is whole out of the bytes; a character that is cut waits for its rest, unless nothing more comes.
fn whole_characters(bytes: &mut Vec<u8>, last: bool) -> String {
    let whole = match std::str::from_utf8(bytes) {
        Err(error) if !last && error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    };
    let rest = bytes.split_off(whole);
    String::from_utf8_lossy(&std::mem::replace(bytes, rest)).into_owned()
}

/// The beginning and the end of what was printed.
fn printed(rig: &Rig, dir: &Path, stream: Stream) -> String {
    let read = |from: u64| rig.executor.log(dir, stream, from, KEPT).ok();
    let Some(head) = read(0) else { return String::new() };
    let mut text = String::from_utf8_lossy(&head.bytes).into_owned();
    let so_far = head.offset + head.bytes.len() as u64;
    if head.end > so_far
        && let Some(tail) = read(so_far.max(head.end.saturating_sub(KEPT as u64)))
    {
        if tail.offset > so_far {
            text += &format!("\n[… {} bytes left out …]\n", tail.offset - so_far);
        }
        text += &String::from_utf8_lossy(&tail.bytes);
    }
    text
}

/// Keeps what was told and said beside the journal; a record that cannot be written ends no proposal.
fn record(rig: &Rig, asked: &Asked, brief: &str, status: Result<&Status, &str>, printed: &str) {
    let revision = asked.revise.as_ref().map_or(1, |(_, revision, _)| *revision);
    let seconds = status.map_or(0.0, |s| s.seconds);
    let answer = Answered {
        text: printed.to_owned(),
        reasoning: String::new(),
        calls: Vec::new(),
        opaque: Vec::new(),
        finish: Finish::Stop,
        spend: Spend { seconds, ..Spend::default() },
        first_token_secs: None,
    };
    let failed = match status {
        Ok(status) => status.failure.as_ref().map(|f| format!("{}: {}", f.label.word(), f.detail)),
        Err(why) => Some(why.to_owned()),
    };
    let turns = [
        Some(Turn::Told { message: Message::User { text: brief.to_owned() } }),
        Some(Turn::Answered { model: asked.proposer.clone(), answer }),
        failed.map(|why| Turn::Failed { why }),
    ];
    let written = Recorder::begin(rig.layout.root(), asked.proposal, revision)
        .and_then(|mut recorder| turns.iter().flatten().try_for_each(|turn| recorder.note(turn)));
    if let Err(error) = written {
        crate::engine::log::line(&format!("the conversation of {} was not kept: {error}", asked.proposal));
    }
}

/// Why there is no proposal although it ended well.
fn nothing(rig: &Rig, dir: &Path, printed: &str, worked: &Worked) -> String {
    let said = if printed.trim().is_empty() { self::printed(rig, dir, Stream::Stderr) } else { printed.to_owned() };
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(LAST_WORDS)..).unwrap_or_default().join(" / ");
    let last = if last.is_empty() { "it said nothing".to_owned() } else { format!("its last words: {last}") };
    match left_out(worked) {
        Some(left) => format!("{}: it changed nothing that it may change; {left}; {last}", Label::OutOfBounds.word()),
        None => format!("it changed nothing; {last}"),
    }
}

/// What it wrote where it may not.
fn left_out(worked: &Worked) -> Option<String> {
    let mut all: Vec<&str> = worked.left_out.iter().take(NAMED).map(|(_, why)| why.as_str()).collect();
    let more = format!("and {} more", worked.left_out.len().saturating_sub(NAMED));
    if worked.left_out.len() > NAMED {
        all.push(&more);
    }
    (!all.is_empty()).then(|| format!("not taken: {}", all.join("; ")))
}

fn draft(worked: Worked, printed: String) -> Draft {
    let left = left_out(&worked);
    let path = |edit: &Edit| match edit {
        Edit::Write { path, .. } | Edit::Delete { path } | Edit::Replace { path, .. } => path.clone(),
        Edit::Patch { .. } => "a patch".to_owned(),
    };
    let changed: Vec<String> = worked.edits.iter().map(path).collect();
    Draft {
        hypothesis: external::hypothesis(&printed).unwrap_or_else(|| external::of_diff(&changed)),
        surface: None,
        expected: None,
        edits: worked.edits,
        knobs: Default::default(),
        reasoning: match left {
            Some(left) => format!("{}\n\n{left}", printed.trim_end()),
            None => printed,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_passed_on_whole() {
        let mut bytes = "grün".as_bytes()[..3].to_vec();
        assert_eq!(whole_characters(&mut bytes, false), "gr");
        bytes.extend(&"grün".as_bytes()[3..]);
        assert_eq!(whole_characters(&mut bytes, false), "ün");
        bytes.extend(b"a\xff\xc3");
        assert_eq!(whole_characters(&mut bytes, true), "a\u{fffd}\u{fffd}");
        assert!(bytes.is_empty());
    }

    #[test]
    fn what_is_not_taken_is_told() {
        let out = |n: usize| Worked {
            edits: Vec::new(),
            left_out: (0..n).map(|i| (format!("f{i}"), format!("`f{i}` is not editable"))).collect(),
        };
        assert_eq!(left_out(&out(0)), None);
        assert_eq!(left_out(&out(1)).unwrap(), "not taken: `f0` is not editable");
        assert!(left_out(&out(NAMED + 3)).unwrap().ends_with("and 3 more"));
        let worked = Worked { edits: vec![Edit::Delete { path: "a.py".into() }], ..out(1) };
        let draft = draft(worked, "thinking\n".into());
        assert_eq!((draft.hypothesis.as_str(), draft.reasoning.as_str()), ("changes a.py", "thinking\n\nnot taken: `f0` is not editable"));
    }
}
