//! `resume`, and `run` of a study that exists: a study goes on, whether its engine lives, leaves, comes, or was killed.
//!
//! Any number of these commands may come at once. Who writes holds the journal's lock for that moment, which from outside
//! looks like a living engine; so whatever is found is looked at again until it is one thing or the other.

use super::args::{How, Studies};
use super::create::priced;
use super::run::{self, LOOK, PATIENCE, reread};
use super::{Exit, Failure, Outcome, engine, find, host, isolation, say, steer};
use crate::engine::{clock, machine};
use crate::journal::{Journal, JournalError};
use crate::model::{Autonomy, Event, Limits, PolicyName, SettingsChange, Study, Tier, TrialId};
use crate::protocol::Command;
use crate::task::quantity;
use std::{path::Path, time::Instant};

/// Settings that were given with a study that exists.
pub(super) struct Changes {
    pub(super) limits: Option<Limits>,
    pub(super) proposers: Option<Vec<String>>,
    pub(super) policy: Option<PolicyName>,
    pub(super) autonomy: Option<Autonomy>,
    pub(super) isolation: Option<Tier>,
}

impl Changes {
    /// Whether there are any.
    pub(super) fn any(&self) -> bool {
        self.limits.is_some() || self.proposers.is_some() || self.policy.is_some() || self.autonomy.is_some() || self.isolation.is_some()
    }

    /// What they make of a study.
    pub(super) fn of(&self, study: &Study) -> (Limits, Vec<SettingsChange>) {
        let now = study.settings.limits;
        let limits = self.limits.map_or(now, |l| Limits {
            trials: l.trials.or(now.trials),
            seconds: l.seconds.or(now.seconds),
            usd: l.usd.or(now.usd),
            tokens: l.tokens.or(now.tokens),
        });
        let mut changes = Vec::new();
        changes.extend(self.proposers.clone().map(|proposers| SettingsChange::Proposers { proposers }));
        changes.extend(self.policy.map(|policy| SettingsChange::Policy { policy }));
        changes.extend(self.autonomy.map(|mode| SettingsChange::Autonomy { mode }));
        changes.extend(self.isolation.map(|tier| SettingsChange::Isolation { tier }));
        (limits, changes)
    }
}

/// How far a study is to go on: each a new limit, or `+` and how much more.
pub(super) struct More {
    pub(super) trials: Option<String>,
    pub(super) time: Option<String>,
    pub(super) cost: Option<String>,
    pub(super) tokens: Option<String>,
}

/// `trialdeck resume`.
pub(super) fn resume(name: &str, wanted: &More, isolation: Option<&str>, how: &How, studies: &Studies) -> Outcome {
    let (dir, study) = find::study(name, studies)?;
    find::can_go_on(&study)?;
    let unattended = how.auto || how.json || how.detach || !host::interactive();
    let tier = isolation::goes_on(&dir, &study, isolation, unattended)?;
    let limits = |study: &Study| -> Result<Limits, Failure> {
        let now = study.settings.limits;
        let limits = Limits {
            trials: more_trials(study, wanted.trials.as_deref())?,
            seconds: more_time(now.seconds, study, wanted.time.as_deref())?,
            usd: more_money(study, wanted.cost.as_deref())?,
            tokens: more_tokens(study, wanted.tokens.as_deref())?,
        };
        priced(&limits, study.settings.agents.as_deref())?;
        Ok(limits)
    };
    let more = [&wanted.trials, &wanted.time, &wanted.cost, &wanted.tokens].into_iter().any(Option::is_some);
    let settings = |study: &Study| {
        // A history that begins to run here has no autonomy of anyone's choice yet: it gets that of a new study.
        let unchosen = !host::interactive() && !measured_here(study).is_empty();
        let auto = (how.auto || unchosen) && study.settings.autonomy != Autonomy::Auto;
        let tier = tier.map(|tier| SettingsChange::Isolation { tier });
        auto.then_some(SettingsChange::Autonomy { mode: Autonomy::Auto }).into_iter().chain(tier).collect()
    };
    if go_on(&dir, |study| Ok((limits(study)?, settings(study))), Extent { tell: more, beyond: more })? {
        say(&format!("{name} has a living engine: attaching"));
    }
    run::follow(&dir, how, unattended)
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

fn more_money(study: &Study, text: Option<&str>) -> Result<Option<f64>, Failure> {
    let Some(text) = text else { return Ok(study.settings.limits.usd) };
    let wrong = || Failure::usage(format!("--cost {text}: write an amount of money, such as 5 or 2.50, or +5 for 5 more"));
    let amount = |t: &str| t.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0).ok_or_else(wrong);
    match text.strip_prefix('+') {
        Some(more) => Ok(Some(study.spend.usd + amount(more)?)),
        None => Ok(Some(amount(text)?)),
    }
}

fn more_tokens(study: &Study, text: Option<&str>) -> Result<Option<u64>, Failure> {
    let Some(text) = text else { return Ok(study.settings.limits.tokens) };
    let number = |t: &str| t.parse::<u64>().map_err(|_| Failure::usage(format!("--tokens {text}: write a number, or +100000 for more")));
    let spent = study.spend.prompt_tokens.saturating_add(study.spend.completion_tokens);
    match text.strip_prefix('+') {
        Some(more) => Ok(Some(spent.saturating_add(number(more)?))),
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

/// How far a study is to go on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// A living engine is told the limits.
    pub(super) tell: bool,
    /// A target that is reached is lifted.
    pub(super) beyond: bool,
}

/// Makes a study go on: changes it where no engine holds it, and tells the engine that does the limits if that is wished.
/// True when one does. An engine about to leave takes no more wishes: its end is waited for.
pub(super) fn go_on(
    dir: &Path,
    changes: impl Fn(&Study) -> Result<(Limits, Vec<SettingsChange>), Failure>,
    extent: Extent,
) -> Result<bool, Failure> {
    let Extent { tell, beyond } = extent;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let late = Instant::now() > deadline;
        if engine::owner(dir).is_none() {
            if change(dir, beyond, &changes)? {
                return Ok(false);
            }
        } else if at_work(dir)? || late {
            let study = reread(dir)?;
            // One that was told to stop goes on after all.
            if !tell && study.stopping.is_none() {
                return Ok(true);
            }
            run::ensure_engine(dir)?;
            let (limits, _) = changes(&study)?;
            match steer::send(dir, Command::Extend { limits, beyond }) {
                Ok(_) => return Ok(true),
                Err(failure) if late || (engine::owner(dir).is_some() && at_work(dir)?) => return Err(failure),
                Err(_) => {}
            }
        }
        std::thread::sleep(LOOK);
    }
}

/// Whether the journal says that an engine has the study and will go on with it.
fn at_work(dir: &Path) -> Result<bool, Failure> {
    let study = reread(dir)?;
    Ok(study.engine_live && !study.is_over())
}

/// Changes a study that no engine holds: an ended one is made to go on before its next engine looks at it, `beyond` its
/// target if that is reached. False when somebody else was faster and holds it now.
fn change(dir: &Path, beyond: bool, changes: impl Fn(&Study) -> Result<(Limits, Vec<SettingsChange>), Failure>) -> Result<bool, Failure> {
    let mut opened = match Journal::open(dir) {
        Ok(opened) => opened,
        Err(JournalError::Owned { .. }) => return Ok(false),
        Err(e) => return Err(Failure { message: e.to_string(), exit: Exit::FAILED }),
    };
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
    let (mut events, _) = machine::command(&study, Command::Extend { limits, beyond }, now).map_err(Failure::usage)?;
    if events.iter().any(|e| matches!(e, Event::SettingsChanged { change: SettingsChange::Target { target: None } })) {
        let target = study.settings.target.map(crate::model::number::short).unwrap_or_default();
        say(&format!("note: the target {target} is reached already: it is lifted, and the study goes on beyond it"));
    }
    events.extend(changes.into_iter().map(|change| Event::SettingsChanged { change }));
    let first = measured_here(&study);
    for text in first.iter().filter_map(|e| if let Event::Noted { text, .. } = e { Some(text) } else { None }) {
        say(&format!("note: {text}"));
    }
    events.extend(first);
    if let Some(recovered) = opened.recovered {
        let text = format!("the journal was recovered: {recovered}");
        say(&format!("note: {text}"));
        events.push(Event::Noted { warning: true, text });
    }
    opened.journal.append(now, &events)?;
    Ok(true)
}

/// Runs that an imported history needs before anything can be compared with it: its numbers are of another machine.
const HERE_BEST: u32 = 2;
const HERE_BASELINE: u32 = 1;

/// Asks once for runs of an imported incumbent and baseline.
fn measured_here(study: &Study) -> Vec<Event> {
    let asked = |id: TrialId, runs: u32| {
        let trial = study.trial(id).filter(|t| t.imported.is_some() && t.tree.is_some())?;
        let new = trial.replicates_wanted == 0 && trial.runs.iter().all(|r| r.imported);
        new.then_some(Event::ReplicatesAsked { trial: id, runs, certify: false })
    };
    let mut events: Vec<Event> = asked(study.incumbent, HERE_BEST).into_iter().collect();
    if study.incumbent != TrialId::BASELINE {
        events.extend(asked(TrialId::BASELINE, HERE_BASELINE));
    }
    if !events.is_empty() {
        let text = "the imported numbers come from another machine: the best trial and the baseline run here first, and new trials are compared with that";
        events.push(Event::Noted { warning: false, text: text.into() });
    }
    events
}
