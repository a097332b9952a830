//! A replay step by step: each row is a recording, what the study has of it, and what comes next.

use super::*;
use crate::engine::recording::Manifest;
use crate::engine::server::played::{created, proposed, settings, started};
use crate::model::{Assignment, Decision, DiffStat, Failure, Label, Millis, Operator, Record, Reviewer, RunKind, RunNo, apply, create};
use std::{collections::BTreeMap, fs, path::Path};

const P: ProposalId = ProposalId(1);
const T: TrialId = TrialId(1);

fn asked(n: u32, parent: u32, by_agent: bool) -> Event {
    let assignment =
        Assignment { role: "optimizer".into(), model: "small".into(), surface: None, why: String::new(), idea: None, adapts: None };
    Event::ProposalAsked {
        proposal: ProposalId(n),
        proposer: if by_agent { "agents/optimizer".into() } else { "knobs/tpe".into() },
        parents: vec![TrialId(parent)],
        operator: Operator::Improve,
        decision: u64::from(n),
        assignment: by_agent.then(|| Box::new(assignment)),
    }
}

fn checked(tree: &str) -> Event {
    let diff = DiffStat { files: 1, added: 1, removed: 1 };
    Event::Checked { trial: T, revision: 1, commit: "c1".into(), tree: tree.into(), diff, surface: None, flags: Vec::new() }
}

fn reviewed(trial: u32) -> Event {
    Event::Reviewed { trial: TrialId(trial), by: Reviewer::Human, decision: Decision::Veto, reason: None, tree: None }
}

fn judged(verdict: Verdict) -> Event {
    Event::Judged { trial: T, verdict, verified: false, comparison: None, failure: None }
}

fn scored(trial: u32, score: f64) -> Event {
    let (metrics, gates) = (BTreeMap::new(), Vec::new());
    Event::RunScored { run: TrialId(trial).run(RunNo(1)), score: Some(score), metrics, gates, failure: None, trial_score: Some(score) }
}

fn ended(trial: u32) -> Event {
    let run = TrialId(trial).run(RunNo(1));
    Event::RunEnded { run, seconds: 1.0, peak_memory_bytes: 0, self_reported: None, failure: None, artifacts: None }
}

/// A study whose baseline has run; `busy`: is still running.
fn beginning(busy: bool) -> Vec<Event> {
    let run = TrialId::BASELINE.run(RunNo(1));
    let kind = RunKind::Baseline;
    let scheduled = Event::RunScheduled { run, kind, seed: 1, slot: 0, tree: "tree0".into(), retry_of: None, gpus: 0 };
    let mut events = vec![created(settings(), "tree0"), started(), scheduled];
    if !busy {
        events.extend([ended(0), scored(0, 0.2), Event::BaselineDone { failure: None }]);
    }
    events
}

fn folded(events: &[Event]) -> Study {
    let record = |n: usize, event: &Event| Record { seq: n as u64 + 1, at: Millis(1_000), event: event.clone() };
    let mut study = create(&record(0, &events[0])).unwrap();
    events.iter().enumerate().skip(1).for_each(|(n, event)| apply(&mut study, &record(n, event)));
    study
}

fn draft() -> Draft {
    Draft {
        hypothesis: "a larger step".into(),
        surface: None,
        expected: None,
        edits: Vec::new(),
        knobs: BTreeMap::new(),
        reasoning: String::new(),
    }
}

fn body(dir: &Path, text: &str) {
    let dir = dir.join("proposals").join(P.to_string());
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("rev-1.json"), text).unwrap();
}

fn recorded(dir: &Path, events: Vec<Event>) -> Recorded {
    let events = events.into_iter().filter(|e| part::part(e) != Part::Own).collect();
    Recorded { dir: dir.to_owned(), manifest: Manifest { study: "first".into(), events } }
}

/// What comes next of a recording in a study that has some of it, in words.
fn next(dir: &Path, recording: &[Event], own: &[Event], here: &[Event]) -> String {
    let all = [own, here].concat();
    let mut player = Player::new(recorded(dir, [beginning(false), recording.to_vec()].concat()), own);
    here.iter().for_each(|event| player.heard(event));
    told(&player.next(&folded(&all)))
}

fn told(turn: &Turn) -> String {
    match turn {
        Turn::Wait => "waits".into(),
        Turn::Take(id, _) => format!("takes {id:?}"),
        Turn::Record(events, body) => match events.as_slice() {
            [Event::StateChanged { state: StudyState::Finished, detail: Some(detail), .. }] => format!("ends: {detail}"),
            [Event::Noted { warning: true, text }] => format!("says: {text}"),
            [event] => format!("records {}{}", named(event), if body.is_some() { " with its body" } else { "" }),
            other => panic!("{other:?}"),
        },
    }
}

#[test]
fn what_comes_next() {
    let dir = tempfile::tempdir().unwrap();
    body(dir.path(), &serde_json::to_string(&draft()).unwrap());
    let sampled = [asked(1, 0, false), proposed(1, 0, "a larger step")];
    let spoken = [asked(1, 0, true), proposed(1, 0, "a larger step")];
    let has = |more: &[Event]| [beginning(false), more.to_vec()].concat();
    let to_verdict = |verdict, score| vec![scored(1, score), judged(verdict)];
    let rows = [
        ("a request", sampled.to_vec(), has(&[]), vec![], "records recorded, the request p0001"),
        ("its answer", sampled.to_vec(), has(&sampled[..1]), vec![], "records recorded, the answer to p0001 with its body"),
        ("an agent is heard out first", spoken.to_vec(), has(&spoken[..1]), vec![], "waits"),
        ("its check is of here", [&sampled[..], &[checked("x")]].concat(), has(&sampled), vec![], "waits"),
        (
            "cut short",
            sampled[..1].to_vec(),
            has(&sampled[..1]),
            vec![],
            "ends: the recording of first ends here: it was not over when it was read",
        ),
        (
            "a request on a node that is not here",
            vec![asked(1, 9, false)],
            has(&[]),
            vec![],
            "ends: the recording of first ends here: recorded, the request p0001 does not fit here: there is no t0009 here",
        ),
        (
            "a word that does not fit is passed over, and told at the end",
            vec![reviewed(7)],
            has(&[]),
            vec![],
            "ends: the recording of first ends here: it was not over when it was read; the first difference: recorded, the review of t0007 \
             is passed over: there is no t0007 here",
        ),
        (
            "off the path: another tree",
            [&sampled[..], &[checked("x"), reviewed(1)]].concat(),
            has(&sampled),
            vec![checked("y")],
            "says: t0001 was checked with another result than in first: it has another tree; the replay goes on with what was recorded",
        ),
        (
            "off the path: refused here",
            [&sampled[..], &[checked("x")]].concat(),
            has(&sampled),
            vec![Event::Rejected { trial: T, failure: Failure::new(Label::ApplyFailed, "no such line") }],
            "says: t0001 was checked with another result than in first: no such line; the replay goes on with what was recorded",
        ),
        (
            "off the path: another verdict",
            [&sampled[..], &[checked("x")], &to_verdict(Verdict::Keep, 0.1)].concat(),
            has(&[&sampled[..], &[checked("x")]].concat()),
            to_verdict(Verdict::Revert, 0.3),
            "says: the verdict on t0001 is revert with 0.3 here and was keep with 0.1 in first; the replay goes on with what was recorded",
        ),
        (
            "what is paused ends nothing",
            sampled[..1].to_vec(),
            has(&[sampled[0].clone(), Event::StateChanged { state: StudyState::Paused, reason: None, detail: None }]),
            vec![],
            "waits",
        ),
    ];
    for (what, recording, own, here, want) in rows {
        assert_eq!(next(dir.path(), &recording, &own, &here), want, "{what}");
    }
}

#[test]
fn nothing_is_given_up_while_something_is_at_work() {
    let dir = tempfile::tempdir().unwrap();
    let own = beginning(true);
    let mut player = Player::new(recorded(dir.path(), [beginning(false), vec![asked(1, 9, false)]].concat()), &own);
    assert_eq!(player.next(&folded(&own)), Turn::Wait);
    // It ends before its turn, and its turn comes.
    let id = EffectId::Run(TrialId::BASELINE.run(RunNo(1)));
    let input = Input::NoDraft { proposal: P, detail: "any report".into(), gave_up: false };
    assert_eq!(player.keep(id, input.clone()), None);
    assert_eq!(player.next(&folded(&own)), Turn::Take(id, input));
}

#[test]
fn an_agents_answer_is_taken_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    body(dir.path(), &serde_json::to_string(&draft()).unwrap());
    let recording = [asked(1, 0, true), proposed(1, 0, "a larger step")];
    let own = [beginning(false), recording[..1].to_vec()].concat();
    let study = folded(&own);
    let mut player = Player::new(recorded(dir.path(), [beginning(false), recording.to_vec()].concat()), &own);
    assert_eq!(player.next(&study), Turn::Wait);
    let other = Box::new(Draft { hypothesis: "something else".into(), ..draft() });
    let input = Input::Drafted { proposal: P, draft: other, basis: 3 };
    assert_eq!(player.keep(EffectId::Propose(P), input), None);
    let Turn::Record(events, Some((proposal, 1, taken))) = player.next(&study) else { panic!("its answer comes") };
    assert_eq!((proposal, taken.hypothesis.as_str()), (P, "a larger step"));
    assert!(matches!(&events[..], [Event::Proposed { proposal: P, .. }]), "{events:?}");
}

#[test]
fn a_body_that_cannot_be_read_ends_it_with_the_reason() {
    let recording = [asked(1, 0, false), proposed(1, 0, "a larger step")];
    let own = [beginning(false), recording[..1].to_vec()].concat();
    for (what, text, want) in [
        ("missing", None, "No such file"),
        ("cut", Some("{\"hypothesis\":"), "EOF while parsing"),
        ("of something else", Some("[]"), "invalid length"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        if let Some(text) = text {
            body(dir.path(), text);
        }
        let ends = next(dir.path(), &recording, &own, &[]);
        assert!(
            ends.starts_with("ends: the recording of first ends here: the recording of first has no revision 1 of p0001: "),
            "{what}: {ends}"
        );
        assert!(ends.contains(want), "{what}: {ends}");
    }
    let dir = tempfile::tempdir().unwrap();
    body(dir.path(), "");
    let file = dir.path().join("proposals/p0001/rev-1.json");
    fs::File::options().write(true).open(file).unwrap().set_len(1 << 40).unwrap();
    assert!(next(dir.path(), &recording, &own, &[]).ends_with("it is too long"));
}

#[test]
fn a_study_asks_nobody_and_ends_only_where_the_recording_did() {
    let dir = tempfile::tempdir().unwrap();
    let over = Event::StateChanged { state: StudyState::Finished, reason: Some(EndReason::Trials), detail: None };
    let on = Event::StateChanged { state: StudyState::Running, reason: None, detail: None };
    let player = |recording: Vec<Event>| Player::new(recorded(dir.path(), recording), []);
    let alone = player(vec![asked(1, 0, false)]);
    assert_eq!(alone.settle(vec![asked(1, 0, false)]), []);
    assert_eq!(alone.settle(vec![over.clone()]), vec![over.clone()]);
    assert_eq!(player(vec![on]).settle(vec![over]), [], "it was gone on with then");
    assert_eq!(alone.settle(vec![judged(Verdict::Keep)]), [judged(Verdict::Keep)]);
}
