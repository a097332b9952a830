//! The two processes behind a study: its engine, and the shim of each run.

use super::{Exit, Failure, Outcome, agents, host, isolation};
use crate::engine::cast::Cast;
use crate::engine::driver::Driver;
use crate::engine::layout::Layout;
use crate::engine::recording::{Player, Recorded};
use crate::engine::rig::{Parts, Rig};
use crate::engine::{clock, server, study_file};
use crate::journal::{self, Journal, JournalError};
use crate::model::{Event, apply, redact};
use crate::run::slots;
use crate::watch::Watcher;
use std::path::Path;
use tokio::sync::{mpsc, watch};

/// Body of `trialdeck shim`: no runtime, no environment, as little as can be between it and the command.
pub(super) fn shim(arguments: &[std::ffi::OsString]) -> u8 {
    u8::try_from(crate::run::shim_main(arguments)).unwrap_or(1)
}

/// Body of `trialdeck engine`: detached from the terminal that started it.
pub(super) fn engine(dir: &Path) -> Outcome {
    // Fails only for a process that leads its group already, which is as well.
    let _ = rustix::process::setsid();
    let _ = std::env::set_current_dir("/");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let (leave, left) = watch::channel(false);
        tokio::spawn(async move {
            wait_for_end().await;
            let _ = leave.send(true);
        });
        serve(dir, left).await
    })
}

/// Waits for TERM or INT. HUP says that a terminal went away, which is none of an engine's business.
async fn wait_for_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int), Ok(mut hup)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()))
    else {
        return std::future::pending().await;
    };
    loop {
        tokio::select! {
            _ = term.recv() => return,
            _ = int.recv() => return,
            _ = hup.recv() => {}
        }
    }
}

/// Takes a study and works until it is over or `left` says so.
pub(super) async fn serve(dir: &Path, left: watch::Receiver<bool>) -> Outcome {
    let layout = Layout::new(dir);
    // Before the first text is looked at for keys.
    let granted =
        study_file::read(&layout).map(|(_, choices)| host::named(choices.programs.iter().flat_map(|p| &p.env))).unwrap_or_default();
    granted.values().for_each(|value| redact::learn(value));
    let mut opened = match Journal::open(dir) {
        Ok(opened) => opened,
        Err(error @ JournalError::Owned { .. }) => return Err(Failure { message: error.to_string(), exit: Exit::OWNED }),
        Err(error) => return Err(error.into()),
    };
    let mut study =
        opened.study.ok_or_else(|| Failure { message: format!("{} has no first record", dir.display()), exit: Exit::FAILED })?;
    if study.engine_live {
        // The engine before was killed: it ended no earlier than its last fact. Without room for that the start waits and says so.
        for record in opened.journal.append(study.at, &[Event::EngineStopped]).unwrap_or_default() {
            apply(&mut study, &record);
        }
    }
    let (task, choices) = study_file::read(&layout)?;
    let has_agents = study.settings.agents.is_some();
    let (slots, mut notes) = slots::find(study.settings.gpus, choices.slots, host::cpus());
    if let Some(recovered) = opened.recovered {
        notes.push(format!("the journal was recovered: {recovered}"));
    }
    let (seen_to, seen) = mpsc::unbounded_channel();
    let watcher = Watcher::start(clock::now, move |event| {
        let _ = seen_to.send(event);
    })?;
    let recorded = Recorded::open(&layout)?;
    let parts = Parts {
        task,
        path: choices.path,
        program: host::program()?,
        slots,
        lock_dir: host::temp_dir(),
        cache: host::cache_dir(),
        private: host::installing(),
        grants: choices.grants,
        confinement: isolation::confinement(&study, dir, dir, &choices.shut)?,
        proposers: choices.programs,
        granted,
        cast: if has_agents { agents::cast(&layout, recorded.as_ref())? } else { Cast::nobody() },
    };
    let rig = Rig::open(layout, parts, watcher)?;
    rig.end_seats();
    notes.extend(rig.grants_unset());
    rig.store().remove_stale_locks();
    // An engine that nobody can reach would work on with no one to stop it.
    let bound = server::Bound::new(dir, &host::socket(dir)).await?;
    let mut driver = Driver::new(rig, opened.journal, study, seen, notes);
    if let Some(recorded) = recorded {
        let own = journal::read_from(dir, journal::Cursor::default())?.records;
        driver = driver.replaying(Player::new(recorded, own.iter().map(|record| &record.event)));
    }
    let (done, over) = watch::channel(false);
    let serving = tokio::spawn(bound.serve(driver.handle(), gone(over)));
    let (journal, worked) = driver.work(left).await;
    let _ = done.send(true);
    let served = serving.await;
    // Not before the socket is gone: who finds the study free must not find the old engine answering for it.
    drop(journal);
    worked?;
    served?;
    Ok(Exit::DONE)
}

async fn gone(mut over: watch::Receiver<bool>) {
    let _ = over.changed().await;
}

/// The engine that holds a study, if one lives.
pub(super) fn owner(dir: &Path) -> Option<journal::Owner> {
    journal::owner(dir)
}
