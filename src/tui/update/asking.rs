//! The questions that are asked before something strong is done: each names object and cost.

use crate::client::Mirror;
use crate::model::RunPhase;
use crate::protocol::Command;
use crate::tui::ink;
use crate::tui::modal::confirm::{Choice, Confirm, Then};
use crate::tui::state::UiState;

/// Before the study is stopped.
pub fn stop(state: &UiState, mirror: &Mirror) -> Confirm {
    let header = mirror.header.as_ref();
    let running = header.map_or(0, |h| h.running.len());
    let lost: f64 = header.map_or(0.0, |h| h.running.iter().map(|r| state.now.seconds_since(r.since)).sum());
    let runs = |n: usize| if n == 1 { "1 run".to_owned() } else { format!("{n} runs") };
    let name = header.map_or("the study", |h| h.study.as_str());
    let body = vec![format!("Stop {name}? {} still going.", if running == 1 { "1 run is".into() } else { format!("{running} runs are") })];
    let choices = vec![
        Choice {
            key: 'a',
            text: "after the running runs".into(),
            then: Then::Send(Box::new(Command::Stop { now: false }), "it stops after the running runs".into()),
        },
        Choice {
            key: 'n',
            text: format!("now: kills {}, {} of work lost", runs(running), ink::span_of_time(lost)),
            then: Then::Send(Box::new(Command::Stop { now: true }), "it stops now".into()),
        },
        Choice { key: 'c', text: "cancel".into(), then: Then::Cancel },
    ];
    Confirm { title: "stop the study".into(), body, at: 2, choices }
}

/// Before a trial is pruned, or may be extended again.
pub fn prune(state: &UiState, mirror: &Mirror) -> Option<Confirm> {
    let row = state.shown_row(mirror)?;
    let (id, on) = (row.id, !row.pruned);
    let body = if on {
        vec![format!("Prune {id}? The search does not extend it any more. Its trials stay.")]
    } else {
        vec![format!("Let the search extend {id} again?")]
    };
    let text = if on { "prune" } else { "extend again" };
    Some(Confirm {
        title: "prune".into(),
        body,
        choices: vec![
            Choice { key: 'y', text: text.into(), then: Then::Send(Box::new(Command::Prune { trial: id, on }), format!("{id}: {text}")) },
            Choice { key: 'n', text: "cancel".into(), then: Then::Cancel },
        ],
        at: 1,
    })
}

/// Before a run is killed.
pub fn kill(state: &UiState, mirror: &Mirror) -> Option<Confirm> {
    let header = mirror.header.as_ref()?;
    let running = header.running.iter().find(|r| Some(r.run.trial) == state.shown() && r.phase == RunPhase::Running)?;
    let spent = ink::span_of_time(state.now.seconds_since(running.since));
    let body = vec![format!("Kill {}? {spent} of {} are lost; it gets no score.", running.run, ink::span_of_time(header.wall_secs))];
    let then = Then::Send(Box::new(Command::Kill { run: running.run }), format!("{} is being killed", running.run));
    Some(Confirm {
        title: "kill a run".into(),
        body,
        choices: vec![Choice { key: 'y', text: "kill it".into(), then }, Choice { key: 'n', text: "cancel".into(), then: Then::Cancel }],
        at: 1,
    })
}
