//! The forty attacks of model-written code on its own score, the host and the person: each a real proposal through the real
//! program, under every tier of isolation that this machine offers. `table` says what is handed in and what is expected,
//! `ground` makes a task with everything beside it that a trial must not reach, `witness` looks at all of that from outside,
//! and `docs/trust.md` is the result (`TRIALDECK_TRUST=write cargo test --test attacks` writes it anew).
//!
//! Nothing here hurts the machine where it succeeds: what is attacked are canaries, and what fills or forks ends of itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "a test file")]

mod drill;
mod ground;
mod listeners;
#[path = "../journeys/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the journeys, which use the rest")]
mod support;
mod table;
mod terminal;
mod tiers;
mod trust;
mod witness;

use std::sync::Mutex;
use tiers::Tier;

/// Tiers that are tried at the same time.
const AT_ONCE: usize = 2;

#[test]
fn forty_attacks_under_every_tier_that_this_machine_offers() {
    let left: Mutex<Vec<Tier>> = Mutex::new(Tier::wanted().into_iter().rev().collect());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(tier) = { left.lock().unwrap().pop() } {
                    match drill::drill(tier) {
                        Ok(report) => done.lock().unwrap().push(report),
                        Err(why) => eprintln!("tier {} is skipped: {why}", tier.letter()),
                    }
                }
            });
        }
    });
    let mut reports = done.into_inner().unwrap();
    reports.sort_by_key(|r| r.tier);
    let mut wrong = Vec::new();
    for report in &reports {
        eprintln!("tier {}: {} attacks in {:.0} s", report.tier.letter(), report.outcomes.len(), report.took.as_secs_f64());
        wrong.extend(report.wrong.iter().map(|w| format!("{}: {w}", report.tier.letter())));
        for outcome in &report.outcomes {
            wrong.extend(outcome.wrong.iter().map(|w| format!("{} A{}: {w}", report.tier.letter(), outcome.attack.id)));
        }
    }
    if let Err(stale) = trust::document(&reports) {
        wrong.push(stale);
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
