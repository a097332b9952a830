use super::facts::{Before, line};
use super::finish::Ending;
use super::status::area;
use super::*;
use crate::client::{
    Incoming, Link, LinkState, Request,
    studies::{Head, Listed},
};
use crate::engine::server::played::{created, proposed, settings, started};
use crate::journal::Journal;
use crate::model::*;
use crate::protocol::{Command, Signal, TrialDetail, document::trial_document, header, row, snapshot, update};
use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};
use unicode_width::UnicodeWidthStr;

const DEADLINE: Duration = Duration::from_secs(20);

fn run(trial: u32, no: u32) -> RunId {
    TrialId(trial).run(RunNo(no))
}

fn checked(trial: u32) -> Event {
    Event::Checked {
        trial: TrialId(trial),
        revision: 1,
        commit: format!("{trial:040}"),
        tree: format!("tree{trial}"),
        diff: DiffStat { files: 1, added: 3, removed: 2 },
        surface: None,
        flags: Vec::new(),
    }
}

fn reviewed(trial: u32, by: Reviewer, decision: Decision, reason: Option<&str>) -> Event {
    Event::Reviewed { trial: TrialId(trial), by, decision, reason: reason.map(Into::into), tree: Some(format!("tree{trial}")) }
}

fn scheduled(run: RunId, kind: RunKind) -> Event {
    Event::RunScheduled { run, kind, seed: 11, slot: 0, tree: String::new(), retry_of: None, gpus: 0 }
}

fn ended(run: RunId, failure: Option<Failure>) -> Event {
    Event::RunEnded { run, seconds: 2.4, peak_memory_bytes: 64 << 20, self_reported: None, failure, artifacts: None }
}

fn scored(run: RunId, score: f64, trial_score: f64) -> Event {
    Event::RunScored {
        run,
        score: Some(score),
        metrics: BTreeMap::from([("mae".to_owned(), 0.31)]),
        gates: vec![GateResult { key: "artifact_bytes".into(), value: Some(1024.0), ok: true }],
        failure: None,
        trial_score: Some(trial_score),
    }
}

fn whole_run(events: &mut Vec<Event>, run: RunId, kind: RunKind, score: f64, trial_score: f64) {
    events.extend([scheduled(run, kind), Event::RunStarted { run, pid: 9 }, ended(run, None), scored(run, score, trial_score)]);
}

fn comparison(gain: f64) -> Comparison {
    Comparison {
        against: TrialId(0),
        candidate: 0.2 - gain,
        reference: 0.2,
        gain,
        n_candidate: 2,
        n_reference: 3,
        sd: Some(0.0021),
        nu: 3,
        t: Some(5.2),
        needed: Some(2.353),
    }
}

fn judged(trial: u32, verdict: Verdict, gain: Option<f64>, failure: Option<Failure>) -> Event {
    Event::Judged { trial: TrialId(trial), verdict, verified: false, comparison: gain.map(|g| Box::new(comparison(g))), failure }
}

/// A study in which most things happen once.
fn story(settings: Settings) -> Vec<Event> {
    let mut events = vec![created(settings, "tree0"), started()];
    for (no, score) in [(1, 0.198), (2, 0.2), (3, 0.202)] {
        whole_run(&mut events, run(0, no), RunKind::Baseline, score, 0.2);
    }
    events.push(Event::NoiseMeasured { noise: Noise::Measured { sd: 0.002, nu: 2 } });
    let accept = |n: u32| reviewed(n, Reviewer::Auto, Decision::Accept, None);
    events.extend([proposed(1, 0, "raise LEARNING_RATE from 0.01 to 0.03: the curve is still falling"), checked(1), accept(1)]);
    whole_run(&mut events, run(1, 1), RunKind::Screen, 0.185, 0.185);
    events.push(Event::Advanced { trial: TrialId(1), comparison: Box::new(comparison(0.015)) });
    whole_run(&mut events, run(1, 2), RunKind::Confirm, 0.187, 0.186);
    events.extend([
        Event::NoiseMeasured { noise: Noise::Measured { sd: 0.0019, nu: 3 } },
        judged(1, Verdict::Keep, Some(0.014), None),
        Event::IncumbentMoved { trial: TrialId(1), from: TrialId(0) },
        Event::BestChanged { trial: TrialId(1), score: 0.186, verified: false, gain: 0.014, gain_interval: Some([0.009, 0.019]) },
        proposed(2, 1, "wider \u{1b}[31mnet\u{7}"),
        checked(2),
        accept(2),
        scheduled(run(2, 1), RunKind::Screen),
        Event::RunStarted { run: run(2, 1), pid: 10 },
        ended(run(2, 1), Some(Failure::new(Label::Crashed, "ValueError: shapes \u{1b}]0;x\u{7}(8,) and (9,)"))),
        judged(2, Verdict::Revert, None, Some(Failure::new(Label::Crashed, "ValueError: shapes \u{1b}]0;x\u{7}(8,) and (9,)"))),
        proposed(3, 1, "raise LEARNING_RATE again"),
        Event::Rejected { trial: TrialId(3), failure: Failure::new(Label::Duplicate, "the same tree as t0001") },
        proposed(4, 0, "delete the evaluator"),
        checked(4),
        reviewed(4, Reviewer::Human, Decision::Veto, Some("no")),
        proposed(5, 1, "漢字 as a name"),
        checked(5),
        accept(5),
        scheduled(run(5, 1), RunKind::Screen),
        Event::RunStarted { run: run(5, 1), pid: 11 },
        Event::Noted { warning: true, text: "the disk is nearly full".into() },
    ]);
    events
}

fn the_end(unsealed: bool) -> Vec<Event> {
    let mut events = vec![ended(run(5, 1), None), scored(run(5, 1), 0.19, 0.19), judged(5, Verdict::Revert, Some(-0.004), None)];
    events.push(Event::StateChanged { state: StudyState::Finished, reason: Some(EndReason::Trials), detail: None });
    if unsealed {
        events.push(Event::HoldoutUnsealed { holdout: BTreeMap::from([(TrialId(0), 0.21), (TrialId(1), 0.199)]) });
    }
    events.push(Event::EngineStopped);
    events
}

fn records(events: Vec<Event>) -> Vec<Record> {
    (1..).zip(events).map(|(seq, event)| Record { seq, at: Millis(1_000 * seq as i64), event }).collect()
}

fn fold(events: Vec<Event>) -> Study {
    let records = records(events);
    let mut study = create(&records[0]).unwrap();
    records.iter().skip(1).for_each(|record| apply(&mut study, record));
    study
}

fn finished() -> Study {
    fold([story(settings()), the_end(true)].concat())
}

/// Every line as a pipe shows it.
fn told(events: Vec<Event>) -> String {
    let mut out = String::new();
    let mut before = Before::default();
    let records = records(events);
    let mut study = create(&records[0]).unwrap();
    for record in &records {
        if record.seq > 1 {
            apply(&mut study, record);
        }
        if let Some(said) = line(record, &header(&study), |id| row(&study, id), &before) {
            out.push_str(format!("{} {}", said.subject, said.text).trim_end());
            out.push('\n');
        }
        before.know(&record.event);
    }
    out
}

fn printable(text: &str) {
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}

#[test]
fn lines_of_a_study() {
    let text = told([story(settings()), the_end(true)].concat());
    printable(&text);
    insta::assert_snapshot!("lines", text);
}

#[test]
fn lines_of_a_study_with_reviews_and_of_other_facts() {
    let ask = Settings { autonomy: Autonomy::Ask, score_source: ScoreSource::SelfReported, ..settings() };
    let mut events = story(ask);
    let steered = |change| Event::SettingsChanged { change };
    events.extend([
        Event::NoiseMeasured { noise: Noise::Unknown { seed_without_effect: true } },
        Event::NoiseMeasured { noise: Noise::Unknown { seed_without_effect: true } },
        Event::ReviewUndone { trial: TrialId(4) },
        Event::Revised {
            trial: TrialId(4),
            revision: 2,
            by: Reviewer::Human,
            reason: None,
            accepted: true,
            hypothesis: None,
            expected: None,
        },
        Event::Staled { trial: TrialId(4), detail: "t0001 was kept before it was accepted".into() },
        Event::ProposalFailed { proposal: ProposalId(9), detail: "every value has been tried".into(), gave_up: false },
        Event::ReplicatesAsked { trial: TrialId(1), runs: 2, certify: true },
        steered(SettingsChange::Autonomy { mode: Autonomy::Auto }),
        steered(SettingsChange::LetPass { proposer: "knobs/tpe".into() }),
        steered(SettingsChange::Limits { limits: Limits { trials: None, seconds: Some(7200.0), usd: None, tokens: None } }),
        Event::Steered { text: "smaller steps\u{202e}".into(), to: None },
        judged(1, Verdict::RolledBack, Some(0.001), None),
        ended(run(5, 1), Some(Failure::new(Label::LostSupervisor, "the shim vanished"))),
        Event::StopAsked { now: true, reason: EndReason::User },
        Event::StateChanged { state: StudyState::Failed, reason: Some(EndReason::Baseline), detail: Some("every run crashed".into()) },
    ]);
    let text = told(events);
    printable(&text);
    insta::assert_snapshot!("lines_ask_self", text);
}

#[test]
fn the_live_area() {
    let mut out = String::new();
    let all = story(settings());
    let unlimited = Settings { limits: Limits { seconds: Some(600.0), ..Limits::default() }, ..settings() };
    let mut stopping = all.clone();
    stopping.push(Event::StopAsked { now: false, reason: EndReason::User });
    for (name, events) in [
        ("at the start", all[..3].to_vec()),
        ("with a baseline", all[..15].to_vec()),
        ("in the middle", all.clone()),
        ("stopping", stopping),
        ("limited by time", story(unlimited)),
        ("over", [all, the_end(true)].concat()),
    ] {
        let study = fold(events);
        let rows: Vec<_> = study.trials.iter().filter_map(|t| row(&study, t.id)).collect();
        let now = Millis(study.at.0 + 7_000);
        for width in [120, 40] {
            let lines = area(&header(&study), &rows, "", now, width, Paint::PLAIN);
            assert!(lines.len() <= 3 && lines.iter().all(|l| unicode_width::UnicodeWidthStr::width(l.as_str()) < width));
            out.push_str(&format!("{name}, {width} columns\n{}\n\n", lines.join("\n")));
        }
        for width in 0..10 {
            area(&header(&study), &rows, "", now, width, Paint { color: true });
        }
    }
    insta::assert_snapshot!("area", out);
}

#[test]
fn the_closing_table() {
    let now = Millis(200_000);
    let mut out = String::new();
    let self_reported = Settings { score_source: ScoreSource::SelfReported, ..settings() };
    let mut unknown = vec![created(settings(), "tree0"), started()];
    unknown.push(Event::NoiseMeasured { noise: Noise::Unknown { seed_without_effect: true } });
    unknown.push(Event::StateChanged {
        state: StudyState::Failed,
        reason: Some(EndReason::Baseline),
        detail: Some("3 of 3 crashed".into()),
    });
    for (name, study) in [
        ("finished", finished()),
        ("running, self-reported", fold(story(self_reported))),
        ("failed", fold(unknown)),
        ("the first fact alone", fold(vec![created(settings(), "tree0")])),
    ] {
        out.push_str(&format!("{name}\n{}\n\n", closing(&study, now, " --studies DIR", usize::MAX).join("\n")));
    }
    printable(&out);
    insta::assert_snapshot!("closing", out);
    let summary = summary(&finished(), now, 0);
    insta::assert_snapshot!("summary", serde_json::to_string_pretty(&summary).unwrap());
}

#[test]
fn trees_and_tables() {
    let study = finished();
    let mut text = tree(&study, usize::MAX, Paint::PLAIN);
    text.push('\n');
    text.push_str(&show_study(&study, Millis(200_000), true, "", usize::MAX, Paint::PLAIN));
    printable(&text);
    insta::assert_snapshot!("tree_and_show", text);
    assert!(tree(&study, usize::MAX, Paint { color: true }).contains("\u{1b}[32m"));
}

#[test]
fn a_terminal_gets_lines_of_its_width_and_a_pipe_the_whole() {
    let hypothesis =
        "漢字 a warm-up of two hundred steps keeps the first updates from throwing the weights far away from where they began, all of it";
    let mut events = story(settings());
    let first = fold(events.clone()).trials.len() as u32;
    events.extend((first..first + 20).map(|n| proposed(n, n - 1, hypothesis)));
    let study = fold(events);
    let wide = |text: &str| text.lines().map(UnicodeWidthStr::width).max().unwrap();
    for width in [40, 60, 80, 100, 120, 160] {
        let text = tree(&study, width, Paint::PLAIN);
        assert!(wide(&text) == width, "{width}\n{text}");
        assert_eq!(text.lines().count(), study.trials.len());
        let shown = show_study(&study, Millis(200_000), true, "", width, Paint::PLAIN);
        let (page, table) = shown.split_once("\nTRIAL").unwrap();
        assert!(width < 80 || wide(page) <= width, "{width}\n{page}");
        assert!(wide(table) <= width && table.contains('…'), "{width}\n{table}");
        assert!(width < 80 || table.contains("warm-up of two"), "{width}\n{table}");
        let coloured = tree(&study, width, Paint { color: true });
        assert_eq!(coloured.matches("\u{1b}[0m").count() * 2, coloured.matches('\u{1b}').count(), "each colour ends");
    }
    let whole = [tree(&study, usize::MAX, Paint::PLAIN), show_study(&study, Millis(200_000), true, "", usize::MAX, Paint::PLAIN)];
    assert!(whole.iter().all(|text| text.matches(hypothesis).count() == 20 && !text.contains('…')));
    let trial = study.trial(TrialId(7)).unwrap();
    let detail = TrialDetail { document: trial_document(trial), request: None, draft: None, comparison: None };
    let page = show_trial(&study, &detail, "", 60, Paint::PLAIN);
    assert!(wide(&page) <= 60 && !page.contains('…'), "a trial's own page says all\n{page}");
}

#[test]
fn a_study_that_was_never_started_says_so() {
    let study = fold(vec![created(settings(), "tree0")]);
    let text = show_study(&study, Millis(0), false, "", usize::MAX, Paint::PLAIN);
    assert!(text.contains("not started yet: `trialdeck resume ") && !text.contains("no engine drives"), "{text}");
    let listed = |study: &Study| {
        let head = Ok(Head::of(study, None));
        ls(&[Listed { name: "wind-1".into(), dir: "/studies/wind-1".into(), head, live: false }], Millis(0), usize::MAX, Paint::PLAIN)
    };
    assert!(listed(&study).contains("not started"));
    let begun = fold(story(settings()));
    assert!(listed(&begun).contains("no engine"));
    assert!(show_study(&begun, Millis(0), false, "", usize::MAX, Paint::PLAIN).contains("goes on where it stopped"));
}

#[test]
fn a_tree_of_any_shape_is_drawn() {
    let mut events = vec![created(settings(), "tree0")];
    for n in 1..3_000 {
        events.push(proposed(n, n - 1, "deeper"));
    }
    // An import may name parents that do not make a tree.
    events.extend([proposed(3_000, 3_000, "itself"), proposed(3_001, 9_999, "nobody")]);
    let text = tree(&fold(events), usize::MAX, Paint::PLAIN);
    assert_eq!(text.lines().count(), 3_002);
    assert!(text.lines().all(|line| line.chars().count() < 120));
}

#[test]
fn one_trial_in_full() {
    let study = finished();
    let mut out = String::new();
    for id in [0, 1, 2, 4] {
        let trial = study.trial(TrialId(id)).unwrap();
        let draft = (id == 1).then(|| Draft {
            hypothesis: trial.hypothesis.clone(),
            surface: None,
            expected: None,
            edits: Vec::new(),
            knobs: BTreeMap::from([("learning_rate".to_owned(), KnobValue::Float(0.03))]),
            reasoning: "expected improvement 0.012\n\u{1b}[2Jbest of 24 candidates".into(),
        });
        let detail = TrialDetail { document: trial_document(trial), request: None, draft, comparison: trial.comparison.clone() };
        out.push_str(&show_trial(&study, &detail, "", usize::MAX, Paint::PLAIN));
        out.push_str("────\n");
    }
    printable(&out);
    insta::assert_snapshot!("show_trial", out);
}

#[test]
fn studies_in_a_list() {
    let listed = |name: &str, study: &Study, live| Listed {
        name: name.into(),
        dir: format!("/studies/{name}").into(),
        head: Ok(Head::of(study, None)),
        live,
    };
    let ask = fold([story(settings()), vec![Event::ReviewUndone { trial: TrialId(4) }]].concat());
    let broken = Listed { head: Err("journal.jsonl, line 3 was altered".into()), ..listed("broken\u{1b}[2J", &ask, false) };
    let all = [listed("wind-1", &ask, true), listed("wind-2", &ask, false), listed("漢字", &finished(), false), broken];
    let now = Millis(100_000);
    let mut text = ls(&all, now, usize::MAX, Paint::PLAIN);
    text.push_str(&ls_short(&all));
    let long = [listed("a-history-with-a-long-name", &finished(), false), listed("wind-1", &ask, true)];
    for width in [110, 80, 60] {
        let narrow = ls(&long, now, width, Paint::PLAIN);
        assert!(narrow.lines().all(|line| line.width() <= width), "{narrow}");
        text.push_str(&format!("──── {width} columns\n{narrow}"));
    }
    printable(&text);
    insta::assert_snapshot!("ls", text);
    let objects: Vec<serde_json::Value> = ls_json(&all).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((objects.len(), &objects[0]["live"], &objects[3]["head"]), (4, &true.into(), &serde_json::Value::Null));
    assert_eq!(objects[2]["head"]["best"]["trial"], "t0001");
}

/// What a program printed.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// A link whose other end is the test, and a study to read at the end.
struct Stage {
    dir: tempfile::TempDir,
    journal: Journal,
    study: Study,
    told: mpsc::Sender<Incoming>,
    asked: mpsc::Receiver<Request>,
    keys: mpsc::Sender<Key>,
    out: Paper,
    err: Paper,
    following: tokio::task::JoinHandle<io::Result<Finish>>,
}

impl Stage {
    fn new(events: Vec<Event>, json: bool, terminal: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(dir.path()).unwrap();
        let written = journal.append(Millis(1), &events).unwrap();
        let mut study = create(&written[0]).unwrap();
        written.iter().skip(1).for_each(|record| apply(&mut study, record));
        let (told, incoming) = mpsc::channel(256);
        let (requests, asked) = mpsc::channel(8);
        let (keys, pressed) = mpsc::channel(8);
        let (out, err) = (Paper::default(), Paper::default());
        let output = Output {
            out: Box::new(out.clone()),
            err: Box::new(err.clone()),
            json,
            terminal,
            color: terminal,
            width: Box::new(|| 100),
            suffix: String::new(),
        };
        let path = dir.path().to_owned();
        told.try_send(Incoming::Link(LinkState::Live { pid: 42 })).unwrap();
        told.try_send(Incoming::Snapshot(Box::new(snapshot(&study, written)))).unwrap();
        let link = Link { requests, incoming };
        let following = tokio::spawn(async move { follow(&path, link, output, pressed).await });
        Self { dir, journal, study, told, asked, keys, out, err, following }
    }

    async fn record(&mut self, events: Vec<Event>) {
        for record in self.journal.append(Millis(2), &events).unwrap() {
            apply(&mut self.study, &record);
            // Whoever follows may have gone after the last fact that it needs.
            let _ = self.told.send(Incoming::Update(Box::new(update(&self.study, record)))).await;
        }
    }

    async fn end(self) -> (Finish, String, String, tempfile::TempDir) {
        let finish = timeout(DEADLINE, self.following).await.expect("it ends").unwrap().unwrap();
        (finish, self.out.text(), self.err.text(), self.dir)
    }

    async fn request(&mut self) -> Command {
        match timeout(DEADLINE, self.asked.recv()).await.unwrap() {
            Some(Request::Command(_, command)) => command,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_study_in_a_pipe() {
    let mut stage = Stage::new(story(settings()), false, false);
    stage.record(the_end(true)).await;
    let (finish, out, err, _dir) = stage.end().await;
    assert_eq!(finish, Finish { ending: Ending::Over, state: StudyState::Finished, reason: Some(EndReason::Trials), improved: true });
    assert_eq!(err, "");
    printable(&out);
    assert!(
        out.starts_with("study wind-1, task wind-power, minimize mse, 2 slots (CPU 0 to CPU 1), isolation E, 12 trials, 30s a run\n"),
        "{out}"
    );
    assert!(out.contains("\nt0001  keep        0.186 (+0.014 vs t0000)  knobs/tpe  raise LEARNING_RATE"), "{out}");
    assert!(out.contains("\nt0002  crashed     ValueError: shapes ␛(8,) and (9,)\n"), "{out}");
    assert!(out.contains("\ngain      +0.014, 95 % +0.009 to +0.019, provisional\n"), "{out}");
}

#[tokio::test]
async fn a_study_for_programs() {
    let events = story(settings());
    let n = events.len();
    let mut stage = Stage::new(events, true, true);
    stage.record(the_end(false)).await;
    let (_, out, err, _dir) = stage.end().await;
    let objects: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (summary, facts) = objects.split_last().unwrap();
    let seqs: Vec<u64> = facts.iter().map(|fact| fact["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=n as u64 + 5).collect::<Vec<_>>(), "every fact once, from the first to the last");
    assert_eq!(summary["summary"]["best"]["trial"], "t0001");
    assert_eq!((&summary["summary"]["exit_code"], &summary["summary"]["keeps"]), (&0.into(), &1.into()));
    assert!(err.starts_with("study wind-1"), "{err}");
}

#[tokio::test]
async fn an_engine_that_stays_after_the_end_is_not_waited_for() {
    let mut stage = Stage::new(story(settings()), false, false);
    let mut events = the_end(true);
    assert_eq!(events.pop(), Some(Event::EngineStopped));
    stage.record(events).await;
    let told = stage.told.clone();
    // Signals go on, and are no reason to stay.
    let signals = tokio::spawn(async move {
        let telemetry = || Incoming::Signal(Signal::Telemetry { telemetry: Box::default() });
        while told.send(telemetry()).await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    let (finish, _, _, _dir) = stage.end().await;
    assert_eq!((finish.ending, finish.reason), (Ending::Over, Some(EndReason::Trials)));
    signals.await.unwrap();
}

#[tokio::test]
async fn interrupts_are_wishes() {
    let mut stage = Stage::new(story(settings()), false, false);
    stage.keys.send(Key::Interrupt).await.unwrap();
    assert_eq!(stage.request().await, Command::Stop { now: false });
    stage.keys.send(Key::Interrupt).await.unwrap();
    assert_eq!(stage.request().await, Command::Stop { now: true });
    let state = Event::StateChanged { state: StudyState::Finished, reason: Some(EndReason::User), detail: None };
    stage.record(vec![Event::StopAsked { now: true, reason: EndReason::User }, state, Event::EngineStopped]).await;
    let (finish, out, _, _dir) = stage.end().await;
    assert_eq!(exit_code(&finish), 4);
    assert!(out.contains("once more kills them") && out.contains("killing what runs"), "{out}");
}

#[tokio::test]
async fn who_detaches_leaves_the_study_running() {
    let stage = Stage::new(story(settings()), false, false);
    stage.keys.send(Key::Detach).await.unwrap();
    let (finish, out, _, _dir) = stage.end().await;
    assert_eq!((finish.ending, exit_code(&finish)), (Ending::Detached, 0));
    assert!(out.ends_with("detached; the study goes on: trialdeck attach wind-1\n"), "{out}");
}

#[tokio::test]
async fn a_lost_engine_is_told() {
    let mut stage = Stage::new(story(settings()), false, false);
    stage.told.send(Incoming::Link(LinkState::Reconnecting { why: "the engine is gone".into() })).await.unwrap();
    stage.told.send(Incoming::Link(LinkState::Live { pid: 43 })).await.unwrap();
    // A fact came in between.
    let record = stage.journal.append(Millis(2), &[Event::Noted { warning: false, text: "meanwhile".into() }]).unwrap().remove(0);
    apply(&mut stage.study, &record);
    stage.told.send(Incoming::Snapshot(Box::new(snapshot(&stage.study, vec![record])))).await.unwrap();
    stage.told.send(Incoming::Link(LinkState::Cold)).await.unwrap();
    let (finish, out, _, _dir) = stage.end().await;
    assert_eq!((finish.ending, exit_code(&finish)), (Ending::Lost, 1));
    for want in ["the engine is gone; looking for the engine\nthe engine is back\nnote meanwhile\n", "trialdeck resume wind-1\n"] {
        assert!(out.contains(want), "{out}");
    }
}

#[tokio::test]
async fn a_terminal_shows_the_results_above_the_live_area() {
    let mut stage = Stage::new(story(settings()), false, true);
    stage.record(the_end(true)).await;
    let (_, out, _, _dir) = stage.end().await;
    let mut screen = vt100::Parser::new(60, 100, 0);
    screen.process(out.as_bytes());
    let text = screen.screen().contents();
    assert!(text.contains("study wind-1, task wind-power"), "{text}");
    assert!(text.contains("study finished trials\n"), "{text}");
    assert!(!text.contains("░"), "the live area is gone at the end: {text}");
    assert!(text.contains("trialdeck export wind-1 best --branch NAME --into REPO"), "{text}");
}

#[test]
fn a_screen_draws_its_area_under_the_lines() {
    let paper = Paper::default();
    let mut screen = super::screen::Screen::new(Box::new(paper.clone()), true);
    let mut terminal = vt100::Parser::new(8, 40, 0);
    screen.area(vec!["one".into(), "two".into()]).unwrap();
    screen.line("first").unwrap();
    screen.area(vec!["one".into(), "two".into(), "three".into()]).unwrap();
    screen.line("second").unwrap();
    let before = paper.text().len();
    screen.area(vec!["one".into(), "two".into(), "three".into()]).unwrap();
    assert_eq!(paper.text().len(), before, "nothing is drawn when nothing changed");
    terminal.process(paper.text().as_bytes());
    assert_eq!(terminal.screen().contents(), "first\nsecond\none\ntwo\nthree");
    screen.area(Vec::new()).unwrap();
    terminal = vt100::Parser::new(8, 40, 0);
    terminal.process(paper.text().as_bytes());
    assert_eq!(terminal.screen().contents(), "first\nsecond");
}

#[test]
fn the_first_line_says_what_is_unlimited_and_self_reported() {
    let odd = Settings { limits: Limits::default(), score_source: ScoreSource::SelfReported, ..settings() };
    let study = fold(vec![created(odd, "tree0")]);
    let text = opening(&header(&study));
    assert_eq!(
        text,
        "study wind-1, task wind-power, minimize mse, score source self: the run's own word, no slots yet, isolation E, unlimited trials, 30s a run"
    );
}

#[test]
fn flags_and_doubts_have_lines() {
    use crate::model::{Flag, FlagKind, Implausible};
    let Event::Checked { trial, revision, commit, tree, diff, surface, .. } = checked(1) else { unreachable!() };
    let flags = vec![Flag { flag: FlagKind::Seed, only: true, evidence: "train.py:12 has `SEED = 2\u{1b}[2J` now".into() }];
    let flagged = Event::Checked { trial, revision, commit, tree, diff, surface, flags };
    let implausible = Implausible {
        score: -90.0,
        median: 0.2,
        scale: 0.01,
        scores: 8,
        z: 9020.0,
        needed: Some(125.6),
        way: None,
        held_up: None,
        rerun: None,
    };
    let aside = Event::SetAside { trial: TrialId(1), implausible: Box::new(implausible) };
    let rerun = |held_up| Event::Rerun { trial: TrialId(1), held_up, mean: -89.5, distance: 0.5, allowed: 20.0 };
    let events = vec![created(settings(), "tree0"), started(), proposed(1, 0, "another seed"), flagged, aside, rerun(true), rerun(false)];
    let said = told(events);
    for want in [
        "t0001  flagged:    only changes the seed  (train.py:12 has `SEED = 2␛",
        "t0001  set aside   implausible gain, set aside: -90 is 9020 usual distances (0.01) better than the median 0.2 of 8 trials",
        "t0001  set aside   implausible gain, rerun with fresh seeds: held up; a person should look at it (mean -89.5)",
        "t0001  set aside   implausible gain, rerun with fresh seeds: did not hold up (mean -89.5)",
    ] {
        assert!(said.contains(want), "no `{want}` in\n{said}");
    }
}
