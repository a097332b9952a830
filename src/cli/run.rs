//! `run` and `resume`: make or find the study, see to its engine, and follow it.

use super::args::{How, RunArgs, Studies};
use super::create::{self, Wanted};
use super::{Exit, Failure, Outcome, attach, engine, find, host, put, put_json, say};
use crate::client::Caller;
use crate::engine::{clock, layout::Layout, machine, study_file};
use crate::journal::Journal;
use crate::model::{Event, Limits, SettingsChange, Study};
use crate::protocol::Command;
use crate::task::quantity;
use std::{
    path::Path,
    process::{Child, Command as Process, Stdio},
    time::{Duration, Instant},
};

/// Time for an engine to answer: it checks the whole journal first.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(10);

/// `trialdeck run`.
pub(super) fn run(args: &RunArgs) -> Outcome {
    let unattended = args.how.auto || args.how.json || args.how.detach || !host::interactive();
    let wanted = create::wanted(args, args.how.auto || !host::interactive())?;
    let studies = host::studies_dir(&args.studies)?;
    if let Some(name) = &wanted.name {
        let dir = studies.join(name);
        if dir.symlink_metadata().is_ok() {
            return again(args, &wanted, &dir);
        }
    }
    for unused in wanted.found.parsed.unused.iter().filter(|u| u.essential) {
        say(&format!("note: {} (line {}) is not used yet: {}", unused.key, unused.line, unused.why));
    }
    let made = create::create(wanted, args.slots, &studies)?;
    for warning in &made.warnings {
        say(&format!("note: {warning}"));
    }
    if !unattended && !attach::preflight(&made.dir)? {
        say(&format!("nothing was started; `trialdeck attach {}` goes on from here", name_of(&made.dir)));
        return Ok(Exit::STOPPED);
    }
    follow(&made.dir, &args.how, unattended)
}

/// The same name again: attach to the living engine, else go on.
fn again(args: &RunArgs, wanted: &Wanted, dir: &Path) -> Outcome {
    let name = name_of(dir);
    let (_, choices) = study_file::read(&Layout::new(dir))
        .map_err(|e| Failure::usage(format!("{} is in the way and is no study ({e}); choose another --name", dir.display())))?;
    if choices.task_hash != create::task_hash(&wanted.found.text) {
        return Err(Failure::usage(format!(
            "there is a study {name} of another task (or of another version of this one): choose another --name, or go on with it by `trialdeck resume {name}`"
        )));
    }
    let unattended = args.how.auto || args.how.json || args.how.detach || !host::interactive();
    if !living(dir)? {
        let given = create::limits(args)?;
        let changes = Changes {
            limits: (given != Limits::default()).then_some(given),
            proposers: args.proposer.as_deref().map(|p| create::proposers(Some(p))).transpose()?,
            policy: args.policy.map(create::policy),
            autonomy: args.autonomy.map(create::autonomy),
        };
        change(dir, |study| Ok(changes.of(study)))?;
    } else {
        say(&format!("{name} has a living engine: attaching"));
    }
    follow(dir, &args.how, unattended)
}

/// Whether an engine is at work on the study. One whose study is over is about to leave and takes no more wishes: it is
/// waited for.
fn living(dir: &Path) -> Result<bool, Failure> {
    if engine::owner(dir).is_none() {
        return Ok(false);
    }
    if !reread(dir)?.is_over() {
        return Ok(true);
    }
    let deadline = Instant::now() + PATIENCE;
    while engine::owner(dir).is_some() && Instant::now() < deadline {
        std::thread::sleep(LOOK);
    }
    Ok(engine::owner(dir).is_some())
}

/// Settings that were given with a study that exists.
struct Changes {
    limits: Option<Limits>,
    proposers: Option<Vec<String>>,
    policy: Option<crate::model::PolicyName>,
    autonomy: Option<crate::model::Autonomy>,
}

impl Changes {
    fn of(&self, study: &Study) -> (Limits, Vec<SettingsChange>) {
        let now = study.settings.limits;
        let limits = self.limits.map_or(now, |l| Limits {
            trials: l.trials.or(now.trials),
            seconds: l.seconds.or(now.seconds),
            usd: l.usd.or(now.usd),
        });
        let mut changes = Vec::new();
        changes.extend(self.proposers.clone().map(|proposers| SettingsChange::Proposers { proposers }));
        changes.extend(self.policy.map(|policy| SettingsChange::Policy { policy }));
        changes.extend(self.autonomy.map(|mode| SettingsChange::Autonomy { mode }));
        (limits, changes)
    }
}

/// `trialdeck resume`.
pub(super) fn resume(name: &str, trials: Option<&str>, time: Option<&str>, how: &How, studies: &Studies) -> Outcome {
    let dir = find::study_dir(name, studies)?;
    let unattended = how.auto || how.json || how.detach || !host::interactive();
    let limits = |study: &Study| -> Result<Limits, Failure> {
        let now = study.settings.limits;
        Ok(Limits { trials: more_trials(study, trials)?, seconds: more_time(now.seconds, study, time)?, ..now })
    };
    if living(&dir)? {
        if trials.is_some() || time.is_some() {
            let (_, study) = find::study(name, studies)?;
            super::steer::send(&dir, Command::Extend { limits: limits(&study)? })?;
        }
        say(&format!("{name} has a living engine: attaching"));
    } else {
        change(&dir, |study| Ok((limits(study)?, Vec::new())))?;
    }
    follow(&dir, how, unattended)
}

fn more_trials(study: &Study, text: Option<&str>) -> Result<Option<u32>, Failure> {
    let now = study.settings.limits.trials;
    let Some(text) = text else { return Ok(now) };
    let number = |t: &str| t.parse::<u32>().map_err(|_| Failure::usage(format!("--trials {text}: write a number, or +20 for 20 more")));
    match text.strip_prefix('+') {
        Some(more) => Ok(Some(study.trials_used.saturating_add(number(more)?))),
        None => Ok(Some(number(text)?)),
    }
}

fn more_time(now: Option<f64>, study: &Study, text: Option<&str>) -> Result<Option<f64>, Failure> {
    let Some(text) = text else { return Ok(now) };
    let seconds = |t: &str| quantity::duration(t).map(|d| d.as_secs_f64()).map_err(|e| Failure::usage(format!("--time {text}: {e}")));
    match text.strip_prefix('+') {
        Some(more) => Ok(Some(study.active_millis as f64 / 1000.0 + seconds(more)?)),
        None => Ok(Some(seconds(text)?)),
    }
}

/// Changes a study that no engine holds: an ended one is made to go on before its next engine looks at it.
fn change(dir: &Path, changes: impl FnOnce(&Study) -> Result<(Limits, Vec<SettingsChange>), Failure>) -> Result<(), Failure> {
    let mut opened = Journal::open(dir).map_err(|e| Failure { message: e.to_string(), exit: Exit::FAILED })?;
    let study = opened.study.ok_or_else(|| Failure::usage(format!("{} has no first record", dir.display())))?;
    let (limits, changes) = changes(&study)?;
    let used_up = limits.trials.is_some_and(|n| study.trials_used >= n);
    if study.is_over() && used_up {
        let n = study.trials_used;
        return Err(Failure::usage(format!(
            "{} used its {n} trials; say how many more: `trialdeck resume {} --trials +20`",
            study.name, study.name
        )));
    }
    if study.is_over() && limits.seconds.is_some_and(|s| study.active_millis as f64 / 1000.0 >= s) {
        return Err(Failure::usage(format!(
            "{} used its time; say how much more: `trialdeck resume {} --time +2h`",
            study.name, study.name
        )));
    }
    if study.engine_live {
        // Its engine was killed. It ended no earlier than its last fact, and the time since then was nobody's work.
        opened.journal.append(study.at, &[Event::EngineStopped])?;
    }
    let now = clock::now();
    let (mut events, _) = machine::command(&study, Command::Extend { limits }, now).map_err(Failure::usage)?;
    events.extend(changes.into_iter().map(|change| Event::SettingsChanged { change }));
    if let Some(recovered) = opened.recovered {
        let text = format!("the journal was recovered: {recovered}");
        say(&format!("note: {text}"));
        events.push(Event::Noted { warning: true, text });
    }
    opened.journal.append(now, &events)?;
    Ok(())
}

/// Sees to the engine and follows the study in the way that was asked for.
pub(super) fn follow(dir: &Path, how: &How, unattended: bool) -> Outcome {
    if how.foreground {
        return attach::foreground(dir, how, unattended);
    }
    ensure_engine(dir)?;
    if how.detach {
        if how.json {
            put_json(&serde_json::json!({ "study": name_of(dir), "dir": dir }))?;
        } else {
            put(&name_of(dir));
        }
        return Ok(Exit::DONE);
    }
    if unattended { attach::headless(dir, how.json) } else { attach::cockpit(dir, false) }
}

/// Starts an engine unless one lives, and returns once it answers.
pub(super) fn ensure_engine(dir: &Path) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut child = None;
    let deadline = Instant::now() + PATIENCE;
    loop {
        if runtime.block_on(Caller::connect(dir, &host::socket(dir))).is_ok() {
            return Ok(());
        }
        match &mut child {
            None => match engine::owner(dir) {
                None => child = Some(start(dir)?),
                Some(owner) if !owner.host.is_empty() && owner.host != host::name() => {
                    let message = format!(
                        "the engine of {} runs on {} (process {}): follow it there, or end it there first",
                        name_of(dir),
                        owner.host,
                        owner.pid
                    );
                    return Err(Failure { message, exit: Exit::OWNED });
                }
                Some(_) => {}
            },
            Some(process) => {
                if let Some(status) = Child::try_wait(process)? {
                    // A study with nothing left to do ends at once: that is an answer too.
                    if status.success() {
                        return Ok(());
                    }
                    // Somebody else started one at the same moment: that one will answer.
                    if status.code() != Some(i32::from(Exit::OWNED.0)) {
                        return Err(died(dir, status.code()));
                    }
                    child = None;
                }
            }
        }
        if Instant::now() > deadline {
            return Err(died(dir, None));
        }
        std::thread::sleep(LOOK);
    }
}

fn start(dir: &Path) -> Result<Child, Failure> {
    let log = Layout::new(dir).engine_log();
    let open = || std::fs::OpenOptions::new().create(true).append(true).open(&log);
    let (out, err) = (open()?, open()?);
    Ok(Process::new(host::program()?).arg("engine").arg(dir).stdin(Stdio::null()).stdout(out).stderr(err).spawn()?)
}

fn died(dir: &Path, code: Option<i32>) -> Failure {
    let log = Layout::new(dir).engine_log();
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let last = text.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("it said nothing");
    let exit = if code == Some(i32::from(Exit::OWNED.0)) { Exit::OWNED } else { Exit::FAILED };
    let what = if code.is_some() { "the engine ended" } else { "the engine does not answer" };
    Failure { message: format!("{what}: {last}\n(more in {})", log.display()), exit }
}

/// The study's name: its directory's.
pub(super) fn name_of(dir: &Path) -> String {
    dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Reads the study again.
pub(super) fn reread(dir: &Path) -> Result<Study, Failure> {
    Ok(crate::journal::read(dir)?.study)
}
