//! Frames as they look. `cargo insta review` after a wanted change.

use super::fixture::*;
use crate::client::Incoming;
use crate::model::conversation::Thought;
use crate::model::{Autonomy, Event, Flag, FlagKind, Millis, Status};
use crate::protocol::Signal;
use crate::tui::Options;
use crate::tui::preflight::{self, Preflight};

pub(super) fn shot(name: &str, screen: &str) {
    insta::with_settings!({ snapshot_path => "frames", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, screen);
    });
}

#[test]
fn a_busy_study_at_all_sizes() {
    for (w, h) in [(30, 5), (40, 12), (60, 20), (80, 24), (80, 50), (120, 36), (160, 48), (200, 60)] {
        let desk = Desk::new(busy(), (w, h)).meters(false);
        shot(&format!("busy-{w}x{h}"), &desk.screen());
    }
}

#[test]
fn panes_at_80x24() {
    for (name, keys) in [
        ("proposal", "k k k k k k k k enter z"),
        ("failed", "g j j j j enter z"),
        ("diff", "g j j enter z ] ]"),
        ("curves", "3 z"),
        ("log", "4 z"),
        ("reasoning", "5 z"),
        ("machines", "6 z"),
        ("events", "7 z"),
        ("filter", "/ \"tpe revert\" enter"),
        ("folded", "g h"),
    ] {
        let mut desk = Desk::new(busy(), (80, 24)).meters(true);
        desk.keys(keys);
        shot(&format!("pane-{name}"), &desk.screen());
    }
}

#[test]
fn review_and_dialogs_at_120x36() {
    for (name, keys) in [
        ("review", "r"),
        ("review-hunks", "r enter ] ] space"),
        ("review-veto", "r v \"too slow\""),
        ("side-by-side", "r enter z s ]"),
        ("help", "?"),
        ("palette", ": \"rev\""),
        ("quit", "q"),
        ("stop", "Q"),
        ("compare", "g j space j space c"),
        ("choose", "i \"my idea\" enter"),
    ] {
        let mut desk = Desk::new(busy(), (120, 36)).meters(false);
        desk.keys(keys);
        shot(name, &desk.screen());
    }
}

#[test]
fn odd_studies() {
    shot("empty-100x30", &Desk::new(empty(), (100, 30)).screen());
    shot("empty-review", &Desk::new(empty(), (80, 24)).keys("r").screen());
    shot("cjk-120x30", &Desk::new(cjk(), (120, 30)).keys("G").screen());
    let mut desk = Desk::new(busy(), (80, 24));
    desk.nan = true;
    shot("curves-with-gaps", &desk.keys("3 z ]").screen());
    shot("many-120x36", &Desk::new(many(2000), (120, 36)).keys("G").screen());
}

#[test]
fn back_after_an_absence() {
    let maker = busy();
    let options = Options { last_seen: Some((20, Millis(START + 20_000))), restore: Some(Autonomy::Ask), ..Options::default() };
    let mut desk = Desk::with(maker, (120, 24), &options);
    shot("since-you-left", &desk.screen());
    desk.keys("esc");
    assert!(!desk.screen().contains("since you left"));
}

#[test]
fn ascii_and_thoughts() {
    let mut desk = Desk::new(busy(), (100, 30));
    let proposal = desk.mirror.header.as_ref().unwrap().proposing[0].0;
    desk.hear(Incoming::Signal(Signal::Thought {
        proposal,
        thought: Thought::Reasoning { text: "looking at the two\nkept trials \u{1b}[31mred".into() },
    }));
    desk.keys("5");
    let screen = text(&paint(&desk.vm(), (100, 30), "mono", false));
    assert!(screen.is_ascii(), "{screen}");
    shot("ascii-100x30", &screen);
}

#[test]
fn the_card_before_the_first_run() {
    let card = Preflight {
        study: "quickstart-1".into(),
        title: "Which package is this line from?".into(),
        metric: "error_rate, minimize".into(),
        command: "python -u train.py".into(),
        wall_secs: 4.0,
        seeds: 1,
        baseline_runs: 3,
        evaluator: "python evaluate.py, in its own process with hidden labels".into(),
        editable: vec!["train.py".into()],
        data: vec![],
        isolation: "E".into(),
        isolation_means: "a run can read what you can read; edits are checked, not contained".into(),
        slots: vec!["CPU 0".into(), "CPU 1".into()],
        trials: None,
        seconds: None,
        proposers: "tpe, hillclimb".into(),
        autonomy: "ask".into(),
        minutes: None,
        warnings: vec!["the repository has uncommitted changes; they are part of the study".into()],
    };
    for size in [(80, 24), (120, 36)] {
        let screen = text(&paint(&preflight::project(&card, size), size, "default", true));
        shot(&format!("preflight-{}x{}", size.0, size.1), &screen);
    }
}

#[test]
fn flags_are_seen_before_the_yes() {
    let mut maker = busy();
    let evidence = "train.py:12 has `SEED = 1337` now";
    let flag = |flag, only, evidence: &str| Flag { flag, only, evidence: evidence.into() };
    for trial in maker.study.trials.clone().iter().filter(|t| t.status == Status::Waiting) {
        let (commit, tree) = (trial.commit.clone().unwrap(), trial.tree.clone().unwrap());
        let flags = vec![flag(FlagKind::Seed, true, evidence)];
        let event = Event::Checked { trial: trial.id, revision: 1, commit, tree, diff: trial.diff.unwrap(), surface: None, flags };
        maker.now(event);
    }
    let mut desk = Desk::new(maker, (120, 36)).meters(false);
    desk.keys("r");
    let screen = desk.screen();
    assert!(screen.contains("flagged: only changes the seed") && screen.contains(evidence), "{screen}");
    shot("review-flagged", &screen);
}
