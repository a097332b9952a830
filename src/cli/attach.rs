//! Following a study: in the cockpit, or as lines.

use super::args::{How, Studies};
use super::{Exit, Failure, Outcome, config, editor, engine, find, host, keys, put, run, say};
use crate::client::{self, Link, OpenOptions, studies};
use crate::engine::{layout::Layout, study_file};
use crate::headless::{self, Key};
use crate::journal;
use crate::model::{Autonomy, Millis};
use crate::tui;
use std::path::Path;
use tokio::sync::{mpsc, watch};

/// `trialdeck attach`.
pub(super) fn attach(study: Option<&str>, watch_only: bool, studies: &Studies) -> Outcome {
    let dir = match study {
        Some(name) => find::study_dir(name, studies)?,
        None => {
            let all = studies::list(&super::find::studies_dir(studies)?);
            let newest =
                all.into_iter().next().ok_or_else(|| Failure::usage("there is no study yet: `trialdeck run quickstart` starts one"))?;
            newest.dir
        }
    };
    let over = journal::read(&dir)?.study.is_over();
    if !over && !watch_only {
        run::ensure_engine(&dir)?;
    }
    if host::interactive() { cockpit(&dir, watch_only) } else { headless(&dir, watch_only, false) }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

fn link(dir: &Path, watch_only: bool, signals: bool) -> Link {
    client::open(dir, OpenOptions { socket: host::socket(dir), watch: watch_only, signals })
}

/// The cockpit.
pub(super) fn cockpit(dir: &Path, watch_only: bool) -> Outcome {
    runtime()?.block_on(cockpit_on(dir, watch_only))
}

async fn cockpit_on(dir: &Path, watch_only: bool) -> Outcome {
    let visit = Visit::last(dir);
    let options = tui::Options { watch_only, last_seen: visit.last_seen, restore: visit.restore, ..options() };
    let outcome = tui::run(link(dir, watch_only, true), options, editor::Spawned).await?;
    Visit { last_seen: Some(outcome.last_seen), restore: outcome.restore }.remember(dir);
    if !outcome.lines.is_empty() {
        put(&outcome.lines.join("\n"));
    }
    Ok(Exit::DONE)
}

fn options() -> tui::Options {
    let ui = &config::current().file;
    tui::Options {
        mouse: ui.mouse.as_ref().is_none_or(|at| at.value),
        bell: ui.bell.as_ref().map(|at| at.value).unwrap_or_default(),
        no_color: host::no_color(),
        colors: host::colour_depth(),
        unicode: host::unicode(),
        theme: host::theme(),
        ..tui::Options::default()
    }
}

/// Shows what is about to run and asks; true starts it.
pub(super) fn preflight(dir: &Path) -> Result<bool, Failure> {
    let (task, choices) = study_file::read(&Layout::new(dir))?;
    let study = journal::read(dir)?.study;
    let card = super::doctor::card(&task, &study, &choices);
    Ok(runtime()?.block_on(tui::preflight(&card, &options()))?)
}

/// Lines on standard output until the study is over.
pub(super) fn headless(dir: &Path, watch_only: bool, json: bool) -> Outcome {
    runtime()?.block_on(headless_on(dir, watch_only, json))
}

async fn headless_on(dir: &Path, watch_only: bool, json: bool) -> Outcome {
    let (to, keys) = mpsc::channel(8);
    let interrupt = to.clone();
    // Who only looks leaves by Ctrl-C; the study is none of theirs to end.
    let key = if watch_only { Key::Detach } else { Key::Interrupt };
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if interrupt.send(key).await.is_err() {
                return;
            }
        }
    });
    let cbreak = (host::interactive() && !json).then(|| keys::listen(to));
    let output = headless::Output {
        out: Box::new(std::io::stdout()),
        err: Box::new(std::io::stderr()),
        json,
        terminal: host::stdout_is_terminal(),
        color: host::colour(),
        width: Box::new(host::width),
        suffix: host::suffix(dir),
    };
    let finish = headless::follow(dir, link(dir, watch_only, !json), output, keys).await;
    drop(cbreak);
    Ok(Exit(headless::exit_code(&finish?)))
}

/// Engine and follower in one process.
pub(super) fn foreground(dir: &Path, how: &How, unattended: bool) -> Outcome {
    runtime()?.block_on(async {
        let (leave, left) = watch::channel(false);
        let at = dir.to_owned();
        let mut serving = tokio::spawn(async move { engine::serve(&at, left).await });
        let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        // A follower that comes before the engine answers would take the study for one whose engine is gone.
        let mut ended = answering(dir, &mut serving).await?;
        let exit = {
            let following = async { if unattended { headless_on(dir, false, how.json).await } else { cockpit_on(dir, false).await } };
            tokio::pin!(following);
            loop {
                tokio::select! {
                    exit = &mut following => break exit?,
                    // An engine that someone else has is the answer; one that is done leaves its follower to finish.
                    served = &mut serving, if !ended => {
                        served??;
                        ended = true;
                    }
                    _ = term.recv() => {
                        say("ended by TERM; running runs go on, `trialdeck resume` takes them up");
                        break Exit::STOPPED;
                    }
                }
            }
        };
        // What a study still does once it is over (labels, the holdout) is not cut short; a follower that left ends its engine.
        if !ended {
            if !journal::read(dir)?.study.is_over() {
                let _ = leave.send(true);
            }
            tokio::select! {
                served = &mut serving => { served??; }
                _ = term.recv() => {
                    let _ = leave.send(true);
                    serving.await??;
                }
            }
        }
        Ok(exit)
    })
}

/// Waits until the engine answers; true when it ended before, for it had nothing to do.
async fn answering(dir: &Path, serving: &mut tokio::task::JoinHandle<Outcome>) -> Result<bool, Failure> {
    let socket = host::socket(dir);
    loop {
        tokio::select! {
            biased;
            served = &mut *serving => return served?.map(|_| true),
            connected = client::Caller::connect(dir, &socket) => if connected.is_ok() {
                return Ok(false);
            },
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// What the last visit of the cockpit left behind, beside the study; never part of its truth.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
struct Visit {
    last_seen: Option<(u64, Millis)>,
    restore: Option<Autonomy>,
}

impl Visit {
    fn last(dir: &Path) -> Self {
        std::fs::read(dir.join("visit.json")).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// A courtesy for the next visit: a full disk is no reason to fail.
    fn remember(&self, dir: &Path) {
        if let Ok(text) = serde_json::to_vec(self) {
            let _ = std::fs::write(dir.join("visit.json"), text);
        }
    }
}
