//! Commands to a living engine: `propose`, `ctl`, `stop`.

use super::args::{Studies, Wish};
use super::{Exit, Failure, Outcome, create, engine, find, host, put, put_json, run};
use crate::client::{Caller, ConnectError, read_study};
use crate::engine::{create as study_rules, layout::Layout, study_file};
use crate::lineage::Store;
use crate::model::{Draft, Edit, Favour, ProposalId, Status, Study, TrialId, Verdict};
use crate::propose::blocks;
use crate::protocol::{Ack, Answer, Command, Query, document};
use std::{
    io::Read,
    path::{Path, PathBuf},
    time::Instant,
};

/// Options of `propose`.
pub(super) struct Proposal {
    pub(super) study: String,
    pub(super) patch: Option<PathBuf>,
    pub(super) from: Option<PathBuf>,
    pub(super) idea: Option<String>,
    pub(super) to: Option<String>,
    pub(super) message: Option<String>,
    pub(super) parent: Option<String>,
    pub(super) wait: bool,
    pub(super) json: bool,
    pub(super) studies: Studies,
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

fn refused(message: String) -> Failure {
    Failure { message, exit: Exit::FAILED }
}

/// The living engine. One that holds the study and does not answer yet, or no more, is coming or leaving: either is
/// waited for.
async fn connect(dir: &Path) -> Result<Caller, Failure> {
    let deadline = Instant::now() + run::PATIENCE;
    loop {
        let error = match Caller::connect(dir, &host::socket(dir)).await {
            Ok(caller) => return Ok(caller),
            Err(error) => error,
        };
        let here = engine::owner(dir).is_some_and(|owner| owner.host == host::name());
        if error != ConnectError::Absent || !here || Instant::now() > deadline {
            let name = run::name_of(dir);
            let why = if error == ConnectError::Absent { String::new() } else { format!(" that answers ({error})") };
            return Err(Failure::usage(format!("{name} has no living engine{why}; `trialdeck resume {name} --detach` starts one")));
        }
        tokio::time::sleep(run::LOOK).await;
    }
}

/// Sends one command.
pub(super) fn send(dir: &Path, command: Command) -> Result<Ack, Failure> {
    runtime()?.block_on(async { connect(dir).await?.command(command).await.map_err(refused) })
}

/// `trialdeck stop`.
pub(super) fn stop(name: &str, now: bool, studies: &Studies) -> Outcome {
    let (dir, study) = find::study(name, studies)?;
    let already = |study: &Study| {
        put(&format!("{name} is {} already", study.state.word()));
        Ok(Exit::DONE)
    };
    if study.is_over() {
        return already(&study);
    }
    // Where nobody is there to hear it, an engine is started for as long as it takes.
    run::ensure_engine(&dir)?;
    if let Err(failure) = send(&dir, Command::Stop { now }) {
        let study = run::reread(&dir)?;
        return if study.is_over() { already(&study) } else { Err(failure) };
    }
    let running = study.runs_in_flight().count();
    if now && over_soon(&dir)? {
        put(&match running {
            0 => format!("{name} has ended"),
            1 => format!("{name} has ended; its run was killed"),
            n => format!("{name} has ended; its {n} runs were killed"),
        });
        return Ok(Exit::DONE);
    }
    put(&match (now, running) {
        (_, 0) => format!("{name} ends"),
        (true, n) => format!("{name} ends now; {n} runs are being killed"),
        (false, n) => format!("{name} ends after its {n} running runs; --now kills them"),
    });
    Ok(Exit::DONE)
}

/// For runs that are killed: their grace, and the time to write down what became of them.
const KILLED: std::time::Duration = std::time::Duration::from_secs(20);

/// Waits for the end of a study that was told to end now, so that whoever looks next finds it; not for ever.
fn over_soon(dir: &Path) -> Result<bool, Failure> {
    let deadline = Instant::now() + KILLED;
    while Instant::now() < deadline {
        if run::reread(dir)?.is_over() {
            return Ok(true);
        }
        std::thread::sleep(run::LOOK.saturating_mul(10));
    }
    Ok(false)
}

/// Reads a patch or SEARCH/REPLACE blocks.
fn edits_of_file(path: &Path) -> Result<Vec<Edit>, Failure> {
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().read_to_end(&mut bytes)?;
    } else {
        bytes = std::fs::read(path).map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display())))?;
    }
    let text = String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{} is not text in UTF-8", path.display())))?;
    if text.trim().is_empty() {
        return Err(Failure::usage(format!("{} is empty: it holds neither a diff nor SEARCH/REPLACE blocks", path.display())));
    }
    match blocks::parse(&text) {
        Ok(edits) if !edits.is_empty() => Ok(edits),
        Ok(_) => Ok(vec![Edit::Patch { patch: text }]),
        Err(error) => Err(Failure::usage(format!("{}: {error}", path.display()))),
    }
}

/// What differs between a directory and the parent's tree.
fn edits_of_dir(study_dir: &Path, study: &Study, parent: TrialId, dir: &Path) -> Result<Vec<Edit>, Failure> {
    let layout = Layout::new(study_dir);
    let (task, choices) = study_file::read(&layout)?;
    let tree =
        study.trial(parent).and_then(|t| t.tree.clone()).ok_or_else(|| Failure::usage(format!("{parent} has no tree to build on")))?;
    let edits = Store::open(&layout.store())?.edits_from_dir(&tree, dir, &study_rules::rules(&task, &choices.grants)?)?;
    if edits.is_empty() {
        return Err(Failure::usage(format!("{} does not differ from {parent}", dir.display())));
    }
    Ok(edits)
}

fn edits(dir: &Path, study: &Study, parent: TrialId, patch: Option<&Path>, from: Option<&Path>) -> Result<Vec<Edit>, Failure> {
    match (patch, from) {
        (Some(file), _) => edits_of_file(file),
        (None, Some(from)) => edits_of_dir(dir, study, parent, from),
        (None, None) => {
            Err(Failure::usage("hand in the edit with --patch FILE (a diff or SEARCH/REPLACE blocks) or --from DIR (edited files)"))
        }
    }
}

/// `trialdeck propose`.
pub(super) fn propose(wanted: &Proposal) -> Outcome {
    let (dir, study) = find::study(&wanted.study, &wanted.studies)?;
    find::can_go_on(&study)?;
    if let Some(idea) = &wanted.idea {
        let parent = wanted.parent.as_ref().map(|text| find::trial(&study, text).map(|t| t.id)).transpose()?;
        return pitch(&dir, Command::Idea { text: idea.clone(), parent, to: wanted.to.clone() }, wanted);
    }
    let message = wanted.message.as_deref().map(str::trim).filter(|m| !m.is_empty());
    let hypothesis = message.ok_or_else(|| Failure::usage("say what changes and why it should help: -m HYPOTHESIS"))?.to_owned();
    let parent = match &wanted.parent {
        Some(text) => find::trial(&study, text)?.id,
        None => study.incumbent,
    };
    let edits = edits(&dir, &study, parent, wanted.patch.as_deref(), wanted.from.as_deref())?;
    let draft = Draft { hypothesis, surface: None, expected: None, edits, knobs: Default::default(), reasoning: String::new() };
    let command = Command::Propose { parent: Some(parent), proposer: "researcher".into(), draft: Box::new(draft), accepted: false };
    runtime()?.block_on(async {
        let mut caller = connect(&dir).await?;
        let ack = caller.command(command).await.map_err(refused)?;
        let id = ack.trial.ok_or_else(|| refused("the engine named no trial".into()))?;
        became(&mut caller, id, wanted).await
    })
}

/// Waits until a handed-in trial is checked, or decided where that was asked for, and prints it.
async fn became(caller: &mut Caller, id: TrialId, wanted: &Proposal) -> Outcome {
    let settled = |status: Status| {
        if wanted.wait { status.is_final() } else { status != Status::Proposed }
    };
    caller.wait_until(|mirror| mirror.row(id).filter(|row| settled(row.status)).map(|_| ())).await.map_err(refused)?;
    let answer = caller.query(Query::Trial { trial: id }).await.map_err(refused)?;
    let Answer::Trial { detail } = answer else { return Err(refused("the engine gave another answer".into())) };
    let trial = detail.document;
    if wanted.json {
        put_json(&trial)?;
    } else {
        put(&line_of(&trial));
    }
    Ok(exit_of(&trial, wanted.wait))
}

/// Hands an idea to an agent. Without `--wait` the request alone is told: writing the edit takes a model its time.
fn pitch(dir: &Path, command: Command, wanted: &Proposal) -> Outcome {
    runtime()?.block_on(async {
        let mut caller = connect(dir).await?;
        let ack = caller.command(command).await.map_err(refused)?;
        let proposal = ack.proposal.ok_or_else(|| refused("the engine named no proposal".into()))?;
        if !wanted.wait {
            if wanted.json {
                put_json(&ack)?;
            } else {
                put(&format!("{proposal} is being written; it will wait for review like any proposal"));
            }
            return Ok(Exit::DONE);
        }
        // The last fact about the request says what became of it, for nothing came of it when it is asked no more.
        let told = |mirror: &crate::client::Mirror| {
            let header = mirror.header.as_ref().filter(|_| mirror.seq >= ack.seq)?;
            let row = mirror.rows.iter().find(|row| row.proposal == Some(proposal)).map(|row| row.id);
            let open = header.proposing.iter().any(|(id, _)| *id == proposal);
            row.map(Some).or((!open).then_some(None))
        };
        match caller.wait_until(told).await.map_err(refused)? {
            Some(trial) => became(&mut caller, trial, wanted).await,
            None => {
                let why = run::reread(dir)?.proposals.get(&proposal).and_then(|p| p.failed.clone()).unwrap_or_default();
                Err(refused(format!("nothing came of {proposal}: {}", crate::model::Safe::line(&why))))
            }
        }
    })
}

/// One trial in one line.
fn line_of(trial: &document::TrialDocument) -> String {
    let fate = match (trial.verdict, trial.score, &trial.failure) {
        (Some(verdict), Some(score), _) => format!("{} {}", verdict.word(), crate::model::number::short(score)),
        (_, _, Some(failure)) => format!("{}: {}", failure.label.word(), crate::model::Safe::line(&failure.detail)),
        _ => trial.status.word().to_owned(),
    };
    let proposal = trial.proposal.map(|p| format!(" ({p})")).unwrap_or_default();
    format!("{}{proposal} {fate}", trial.id)
}

/// Exit code of a proposal: 0 kept, 3 another verdict, 1 not run; without `--wait` 0 unless a rule refused it.
fn exit_of(trial: &document::TrialDocument, waited: bool) -> Exit {
    match (trial.status, trial.verdict) {
        (Status::Done, Some(Verdict::Keep)) => Exit::DONE,
        (Status::Done, _) => Exit::NO_GAIN,
        (Status::Vetoed | Status::Rejected | Status::Stale | Status::Unreadable, _) => Exit::FAILED,
        _ if waited => Exit::FAILED,
        _ => Exit::DONE,
    }
}

/// `trialdeck ctl`.
pub(super) fn ctl(name: &str, wish: Wish, json: bool, studies: &Studies) -> Outcome {
    let (dir, study) = find::study(name, studies)?;
    find::can_go_on(&study)?;
    let command = command(&dir, &study, wish)?;
    let ack = send(&dir, command)?;
    if json {
        put_json(&ack)?;
    } else {
        let about: Vec<String> = ack.proposal.map(|p| p.to_string()).into_iter().chain(ack.trial.map(|t| t.to_string())).collect();
        put(&if about.is_empty() { format!("done (fact {})", ack.seq) } else { format!("done: {} (fact {})", about.join(", "), ack.seq) });
    }
    Ok(Exit::DONE)
}

fn command(dir: &Path, study: &Study, wish: Wish) -> Result<Command, Failure> {
    let proposal = |text: &str| find::proposal(study, text);
    let trial = |text: &str| find::trial(study, text).map(|t| t.id);
    Ok(match wish {
        Wish::Accept { proposal: p, tree } => Command::Accept { proposal: proposal(&p)?, tree },
        Wish::Veto { proposal: p, reason } => Command::Veto { proposal: proposal(&p)?, tree: None, reason },
        Wish::Edit { proposal: p, patch, from } => edit(dir, study, proposal(&p)?, patch.as_deref(), from.as_deref())?,
        Wish::Revise { proposal: p, comment } => Command::Revise { proposal: proposal(&p)?, comment },
        Wish::Undo { proposal: p } => Command::Undo { proposal: proposal(&p)? },
        Wish::Pause => Command::Pause,
        Wish::Unpause => Command::Unpause,
        Wish::Kill { run } => Command::Kill { run: find::run(study, &run)? },
        Wish::Replicate { trial: t, runs } => Command::Replicate { trial: trial(&t)?, runs },
        Wish::Autonomy { mode } => Command::Autonomy { mode: create::autonomy(mode) },
        Wish::Steer { text, to } => Command::Steer { text, to },
        Wish::Favour { kind, factor } => Command::Favour { favour: favour(&kind, factor)? },
        Wish::Forbid { glob, off } => Command::Forbid { glob, on: !off },
        Wish::Proposer { proposers } => Command::Proposers { proposers: named(study, &proposers)? },
        Wish::Branch { trial: t } => Command::Pin { trial: trial(&t)?, on: true },
        Wish::Pin { trial: t, off } => Command::Pin { trial: trial(&t)?, on: !off },
        Wish::Prune { trial: t, off } => Command::Prune { trial: trial(&t)?, on: !off },
    })
}

/// `ROLE[/MODEL[/SURFACE]]`; an empty part is every one.
fn favour(kind: &str, factor: f64) -> Result<Favour, Failure> {
    let mut parts = kind.splitn(3, '/').map(|part| Some(part.trim().to_owned()).filter(|p| !p.is_empty()));
    let role =
        parts.next().flatten().ok_or_else(|| Failure::usage(format!("`{kind}` names no role: say ROLE, ROLE/MODEL or ROLE//SURFACE")))?;
    Ok(Favour { role, model: parts.next().flatten(), surface: parts.next().flatten(), factor })
}

/// Proposers that the living engine can ask: agents and programs are those that the study was made with.
fn named(study: &Study, text: &str) -> Result<Vec<String>, Failure> {
    let names: Vec<String> = text.split('+').map(|n| n.trim().to_owned()).collect();
    let of_the_study =
        |name: &str| (name == "agents" && study.settings.agents.is_some()) || study.settings.proposers.iter().any(|p| p == name);
    let unknown = names.iter().filter(|name| !of_the_study(name)).cloned().collect::<Vec<_>>();
    if !unknown.is_empty() {
        create::proposers(Some(&unknown.join("+")))?;
    }
    Ok(names)
}

/// A new revision: the whole of it, against the parent, with the words of the one before.
fn edit(dir: &Path, study: &Study, proposal: ProposalId, patch: Option<&Path>, from: Option<&Path>) -> Result<Command, Failure> {
    // The journal may lag behind by a moment; the engine checks again.
    let study = read_study(dir).unwrap_or_else(|_| study.clone());
    let trial = study.trial_of(proposal).ok_or_else(|| Failure::usage(format!("nothing came of {proposal} yet")))?;
    let parent = trial.parents.first().copied().unwrap_or(TrialId::BASELINE);
    let edits = edits(dir, &study, parent, patch, from)?;
    let draft = Draft {
        hypothesis: trial.hypothesis.clone(),
        surface: trial.surface.clone(),
        expected: trial.expected,
        edits,
        knobs: Default::default(),
        reasoning: String::new(),
    };
    Ok(Command::Edit { proposal, tree: trial.tree.clone(), draft: Box::new(draft), accepted: false })
}
