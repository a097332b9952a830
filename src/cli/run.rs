//! `run`: make or find the study, see to its engine, and follow it. What exists already is `resume`'s to make go on.

use super::args::{How, RunArgs};
use super::create::{self, Wanted};
use super::resume::{self, Changes, Extent};
use super::told::Told;
use super::{Exit, Failure, Outcome, attach, engine, host, put, put_json, say};
use crate::client::Caller;
use crate::engine::{layout::Layout, study_file};
use crate::model::{Limits, Study, Tier};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::{
    path::Path,
    process::{Child, Command as Process, Stdio},
    time::{Duration, Instant},
};

/// Time for an engine to answer: it checks the whole journal first.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
pub(super) const LOOK: Duration = Duration::from_millis(10);

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
    let told = Told::listening()?;
    let made = create::create(wanted, args.slots, &studies, &told)?;
    told.defaults();
    for warning in &made.warnings {
        say(&format!("note: {warning}"));
    }
    if !args.how.foreground && unattended {
        ensure_engine(&made.dir)?;
    }
    told.leave(heard(&args.how, unattended));
    if !unattended && !attach::preflight(&made.dir)? {
        say(&format!("nothing was started; `trialdeck resume {}` starts it", name_of(&made.dir)));
        return Ok(Exit::STOPPED);
    }
    follow(&made.dir, &args.how, unattended)
}

/// The signals that whoever follows a study hears themselves.
fn heard(how: &How, unattended: bool) -> &'static [i32] {
    match (how.foreground, unattended) {
        (_, false) => &[SIGHUP, SIGTERM],
        (true, true) => &[SIGINT, SIGTERM],
        (false, true) if how.detach => &[],
        (false, true) => &[SIGINT],
    }
}

/// The same name again: attach to the living engine, else go on.
fn again(args: &RunArgs, wanted: &Wanted, dir: &Path) -> Outcome {
    let name = name_of(dir);
    if reread(dir).is_ok_and(|study| study.imported.is_some()) {
        return Err(Failure::usage(format!("{name} is an imported history: choose another --name, or see `trialdeck show {name}`")));
    }
    let (_, choices) = study_file::read(&Layout::new(dir))
        .map_err(|e| Failure::usage(format!("{} is in the way and is no study ({e}); choose another --name", dir.display())))?;
    if choices.task_hash != create::task_hash(&wanted.found.text) {
        return Err(Failure::usage(format!(
            "there is a study {name} of another task (or of another version of this one): choose another --name, or go on with it by `trialdeck resume {name}`"
        )));
    }
    if let Some(program) = wanted.programs.iter().find(|p| !choices.programs.contains(p)) {
        return Err(Failure::usage(format!(
            "{name} was made without the program command/{} as it is named now: what a study's programs run and are granted is settled when it is made; choose another --name",
            program.name
        )));
    }
    let unattended = args.how.auto || args.how.json || args.how.detach || !host::interactive();
    let given = create::limits(args)?;
    let changes = Changes {
        limits: (given != Limits::default()).then_some(given),
        proposers: args.proposer.as_ref().map(|_| wanted.settings.proposers.clone()),
        policy: args.policy.map(create::policy),
        autonomy: args.autonomy.map(create::autonomy),
        isolation: args.isolation.as_ref().and_then(|_| Tier::parse(&wanted.settings.isolation)),
    };
    let beyond = changes.limits.is_some();
    if resume::go_on(dir, |study| Ok(changes.of(study)), Extent { tell: false, beyond })? {
        say(&format!("{name} has a living engine: attaching"));
        if changes.any() {
            say(&format!(
                "note: its limits and settings stay as they are; `trialdeck resume {name}` and `trialdeck ctl {name}` change them"
            ));
        }
    }
    follow(dir, &args.how, unattended)
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
    if unattended { attach::headless(dir, false, how.json) } else { attach::cockpit(dir, false) }
}

/// Starts an engine unless one lives, and returns once it answers and works: one that is leaving answers too.
pub(super) fn ensure_engine(dir: &Path) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut child = None;
    let deadline = Instant::now() + PATIENCE;
    loop {
        if runtime.block_on(at_work(dir, deadline)) {
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

/// Whether an engine answers that has taken the study and has not let it go.
async fn at_work(dir: &Path, deadline: Instant) -> bool {
    let Ok(mut caller) = Caller::connect(dir, &host::socket(dir)).await else { return false };
    let live = caller.wait_until(|mirror| mirror.header.as_ref().filter(|h| h.engine_live).map(|_| ()));
    tokio::time::timeout_at(deadline.into(), live).await.is_ok_and(|live| live.is_ok())
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
