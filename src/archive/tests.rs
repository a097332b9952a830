use super::*;
use crate::engine::server::played::{Played, created, noted, proposed, settings, started};
use crate::journal::Journal;
use crate::lineage::{Rules, RulesSpec, Store};
use crate::model::conversation::Turn;
use crate::model::{DiffStat, Edit, Event, FileStatus, LineKind, Millis, ProposalId, RunKind, RunNo, apply, create};
use std::{fs, path::Path};

const TRAIN: &str = "lr = 0.1\nsteps = 3\n";

/// A study with a real store: the baseline, and a trial that changes one file and adds one.
struct Fixture {
    dir: tempfile::TempDir,
    study: Study,
    journal: Journal,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        fs::create_dir_all(source.join("models")).unwrap();
        fs::write(source.join("train.py"), TRAIN).unwrap();
        fs::write(source.join("models/net.py"), "width = 8\n").unwrap();
        fs::write(source.join("models/loss.py"), "fixed\n").unwrap();
        fs::write(source.join("weights.bin"), b"\x00\xff\x01").unwrap();
        let study_dir = dir.path().join("study");
        fs::create_dir(&study_dir).unwrap();
        let store = Store::create(&study_dir.join("repo.git")).unwrap();
        let imported = store.import(&source, &[]).unwrap();
        let edits = [
            Edit::Replace { path: "train.py".into(), search: "lr = 0.1".into(), replace: "lr = 0.2".into() },
            Edit::Write { path: "models/new.py".into(), content: "new\n".into() },
        ];
        let rules = Rules::new(&RulesSpec { editable: vec!["**".into()], ..RulesSpec::default() }).unwrap();
        let applied = store.apply(&imported.tree, &edits, &rules).unwrap();
        let mut journal = Journal::create(&study_dir).unwrap();
        let run = |trial: u32| TrialId(trial).run(RunNo(1));
        let scheduled =
            Event::RunScheduled { run: run(1), kind: RunKind::Screen, seed: 1, slot: 0, tree: String::new(), retry_of: None, gpus: 0 };
        let checked = Event::Checked {
            trial: TrialId(1),
            revision: 1,
            commit: "c1".into(),
            tree: applied.tree,
            diff: DiffStat::default(),
            surface: None,
            flags: Vec::new(),
        };
        let asked = Event::ProposalAsked {
            proposal: ProposalId(1),
            proposer: "knobs/tpe".into(),
            parents: vec![TrialId(0)],
            operator: crate::model::Operator::Improve,
            decision: 0,
            assignment: None,
        };
        let events = [
            created(settings(), &imported.tree),
            started(),
            asked,
            proposed(1, 0, "a larger step"),
            checked,
            proposed(2, 1, "unchecked"),
            scheduled,
        ];
        let records = journal.append(Millis(1), &events).unwrap();
        let mut study = create(&records[0]).unwrap();
        records.iter().skip(1).for_each(|record| apply(&mut study, record));
        Self { dir, study, journal }
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("study")
    }

    fn ask(&self, query: Query) -> Result<Answer, String> {
        answer(&self.path(), &self.study, &query)
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn log(&self, stream: LogStream, offset: i64, len: u32) -> (u64, u64, u64, String) {
        match self.ask(Query::Log { run: TrialId(1).run(RunNo(1)), stream, offset, len }) {
            Ok(Answer::Log { part }) => (part.offset, part.next, part.total, part.text),
            other => panic!("{other:?}"),
        }
    }
}

fn one(trial: u32, against: Against) -> Query {
    Query::Diff { trial: TrialId(trial), against, options: DiffOptions::default(), revision: None }
}

#[test]
fn diffs_against_what_was_asked_for() {
    let f = Fixture::new();
    for against in [Against::Parent, Against::Baseline, Against::Trial(TrialId(0))] {
        let Ok(Answer::Diff { diff }) = f.ask(one(1, against)) else { panic!("{against:?}") };
        let files: Vec<_> = diff.files.iter().map(|d| (d.path.as_str(), d.status, d.added, d.removed)).collect();
        assert_eq!(files, [("models/new.py", FileStatus::Added, 1, 0), ("train.py", FileStatus::Modified, 1, 1)], "{against:?}");
        let kinds: Vec<LineKind> = diff.files[1].hunks[0].lines.iter().map(|l| l.kind).collect();
        assert_eq!(kinds, [LineKind::Removed, LineKind::Added, LineKind::Context]);
        assert!(diff.patch.contains("+lr = 0.2") && !diff.truncated);
    }
    let Ok(Answer::Diff { diff }) = f.ask(one(0, Against::Parent)) else { panic!("the baseline changes nothing") };
    assert_eq!(diff.files, []);
    for (query, want) in [
        (one(1, Against::Best), "no trial has been kept yet"),
        (one(2, Against::Parent), "trial t0002 has no tree yet (proposed)"),
        (one(9, Against::Parent), "there is no trial t0009 in study wind-1: its trials are t0000 to t0002"),
        (one(1, Against::Trial(TrialId(9))), "there is no trial t0009"),
    ] {
        let told = f.ask(query.clone()).unwrap_err();
        assert!(told.contains(want), "{query:?}: {told}");
    }
}

#[test]
fn what_was_superseded_can_still_be_looked_at() {
    let mut f = Fixture::new();
    let of = |revision| match one(1, Against::Parent) {
        Query::Diff { trial, against, options, .. } => Query::Diff { trial, against, options, revision },
        other => other,
    };
    let store = Store::open(&f.path().join("repo.git")).unwrap();
    let rules = Rules::new(&RulesSpec { editable: vec!["**".into()], ..RulesSpec::default() }).unwrap();
    let edits = [Edit::Replace { path: "train.py".into(), search: "lr = 0.1".into(), replace: "lr = 0.3".into() }];
    let tree = store.apply(f.study.trials[0].tree.as_ref().unwrap(), &edits, &rules).unwrap().tree;
    let reason = Some("0.3 at least".to_owned());
    let by = crate::model::Reviewer::Human;
    let revised = Event::Revised { trial: TrialId(1), revision: 2, by, reason, accepted: false, hypothesis: None, expected: None };
    let checked = |revision, tree: String| {
        let diff = DiffStat { files: 1, added: 1, removed: 1 };
        Event::Checked { trial: TrialId(1), revision, commit: "c2".into(), tree, diff, surface: None, flags: Vec::new() }
    };
    let carried = Event::Rebased { trial: TrialId(1), revision: 3, parents: vec![TrialId(0)] };
    for event in [revised, checked(2, tree), carried] {
        let records = f.journal.append(Millis(9), &[event]).unwrap();
        apply(&mut f.study, &records[0]);
    }
    for (revision, want) in [(Some(1), "+lr = 0.2"), (Some(2), "+lr = 0.3")] {
        let Ok(Answer::Diff { diff }) = f.ask(of(revision)) else { panic!("{revision:?}") };
        assert!(diff.patch.contains(want), "{}", diff.patch);
    }
    for (query, want) in [(of(Some(9)), "t0001 has no revision 9: it has 1 to 3"), (of(None), "trial t0001 has no tree yet")] {
        assert!(f.ask(query).unwrap_err().contains(want), "{want}");
    }
    let Ok(Answer::Trial { detail }) = f.ask(Query::Trial { trial: TrialId(1) }) else { panic!("a trial") };
    let told: Vec<_> = detail.document.superseded.iter().map(|r| (r.revision, r.why())).collect();
    let edited = "a person's edit took its place: 0.3 at least".to_owned();
    assert_eq!(told, [(1, edited), (2, "its edits were carried over to another trial".to_owned())]);
    // An older client names no revision.
    let old = r#"{"query":"diff","trial":"t0001","against":"parent","options":{"context":3,"ignore_whitespace":false}}"#;
    assert_eq!(serde_json::from_str::<Query>(old).unwrap(), of(None));
}

#[test]
fn files_come_from_the_tree_alone() {
    let f = Fixture::new();
    let ask = |paths: &[&str]| {
        let paths = paths.iter().map(|p| (*p).to_owned()).collect();
        match f.ask(Query::Files { trial: TrialId(1), paths }) {
            Ok(Answer::Files { files }) => files.into_iter().map(|file| (file.path, file.text)).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    let file = |path: &str, text: Option<&str>| (path.to_owned(), text.map(str::to_owned));
    assert_eq!(ask(&[]), [file("models/new.py", Some("new\n")), file("train.py", Some("lr = 0.2\nsteps = 3\n"))]);
    let odd = ["weights.bin", "models", "gone.py", "../study.toml", "/etc/passwd", ""];
    assert_eq!(ask(&odd), odd.map(|path| file(path, None)));
}

#[test]
fn editable_paths_follow_the_task() {
    let f = Fixture::new();
    let ask = || f.ask(Query::Editable { trial: TrialId(1) });
    assert!(ask().unwrap_err().contains("study.toml cannot be read"));
    for (toml, want) in [
        ("", &["models/loss.py", "models/net.py", "models/new.py", "train.py", "weights.bin"][..]),
        ("[repository]\neditable = [\"models/**\"]\nprotected = [\"models/loss.py\"]\n", &["models/net.py", "models/new.py"]),
        ("[repository]\neditable = []\n", &[]),
    ] {
        f.write("study.toml", toml);
        let paths = want.iter().map(|p| (*p).to_owned()).collect();
        assert_eq!(ask(), Ok(Answer::Editable { paths }), "{toml}");
    }
}

#[test]
fn a_trial_with_its_draft() {
    let f = Fixture::new();
    let ask = || match f.ask(Query::Trial { trial: TrialId(1) }) {
        Ok(Answer::Trial { detail }) => detail,
        other => panic!("{other:?}"),
    };
    assert!(ask().draft.is_none(), "not written yet");
    f.write("proposals/p0001/rev-1.json", "{\"hypothesis\":\"a larger step\",\"edits\":[],\"reasoning\":\"numbers\"}");
    let detail = ask();
    assert_eq!(detail.draft.unwrap().reasoning, "numbers");
    assert_eq!(detail.request.unwrap().id, ProposalId(1));
    assert_eq!(detail.document.hypothesis, "a larger step");
    f.write("proposals/p0001/rev-1.json", "{\"hypothesis\":");
    assert!(ask().draft.is_none(), "half written");
}

#[test]
fn parts_of_logs() {
    let f = Fixture::new();
    let run = "trials/t0001/run-1";
    assert_eq!(f.log(LogStream::Stdout, 0, 100), (0, 0, 0, String::new()), "no log yet");
    f.write(&format!("{run}/stdout.log"), "0123456789");
    f.write(&format!("{run}/stdout.log.000000000000018"), "stuv");
    f.write(&format!("{run}/stdout.log.000000000000022"), "wxyz");
    f.write(&format!("{run}/stdout.log.backup"), "not a piece");
    for (offset, len, want) in [
        (0, 100, (0, 10, 26, "0123456789")),
        (3, 4, (3, 7, 26, "3456")),
        (10, 100, (18, 26, 26, "stuvwxyz")),
        (20, 4, (20, 24, 26, "uvwx")),
        (-3, 100, (23, 26, 26, "xyz")),
        (-100, 2, (0, 2, 26, "01")),
        (26, 5, (26, 26, 26, "")),
        (900, 5, (26, 26, 26, "")),
        (i64::MIN, 0, (0, 0, 26, "")),
    ] {
        assert_eq!(f.log(LogStream::Stdout, offset, len), (want.0, want.1, want.2, want.3.to_owned()), "{offset}, {len}");
    }
    f.write(&format!("{run}/stderr.log"), "x".repeat(200_000));
    assert_eq!(f.log(LogStream::Stderr, 0, u32::MAX).3.len(), 64 << 10);
    f.write(&format!("{run}/stderr.log"), "grün漢字\u{1f600}!\u{fffd}");
    let whole = f.log(LogStream::Stderr, 0, 100).3;
    for len in 4..12 {
        let (mut joined, mut offset) = (String::new(), 0);
        while joined.len() < whole.len() {
            let (_, next, _, text) = f.log(LogStream::Stderr, offset, len);
            assert!(next as i64 > offset, "parts of {len} bytes go on");
            (offset, joined) = (next as i64, joined + &text);
        }
        assert_eq!(joined, whole, "parts of {len} bytes join");
    }
    f.write(&format!("{run}/stderr.log"), b"ab\xff\xc3");
    assert_eq!(f.log(LogStream::Stderr, 0, 100), (0, 3, 4, "ab\u{fffd}".into()));
    let none = Query::Log { run: TrialId(1).run(RunNo(2)), stream: LogStream::Stdout, offset: 0, len: 1 };
    assert_eq!(f.ask(none), Err("trial t0001 has no run-2: its last run is run-1".into()));
    let none = Query::Log { run: TrialId(2).run(RunNo(1)), stream: LogStream::Stdout, offset: 0, len: 1 };
    assert_eq!(f.ask(none), Err("trial t0002 has not run (proposed)".into()));
}

#[test]
fn the_evaluators_output_is_sealed_with_the_holdout() {
    let mut f = Fixture::new();
    f.write("trials/t0001/run-1/evaluation/stdout.log", "{\"mse\":1,\"holdout_mse\":2}\n");
    f.write("trials/t0001/run-1/evaluation/stderr.log", "a warning\n");
    let ask = |f: &Fixture| f.log(LogStream::Evaluator, 0, 1000).3;
    assert_eq!(ask(&f), "a warning\n", "without a study.toml nobody knows");
    f.write("study.toml", "[evaluator]\nholdout = \"holdout_mse\"\n");
    assert_eq!(ask(&f), "a warning\n");
    let whole = "{\"mse\":1,\"holdout_mse\":2}\na warning\n";
    f.write("study.toml", "[evaluator]\ncommand = \"x\"\n");
    assert_eq!(ask(&f), whole, "there is nothing to seal");
    f.write("study.toml", "[evaluator]\nholdout = \"holdout_mse\"\n");
    let unsealed = Event::HoldoutUnsealed { holdout: [(TrialId(1), 2.0)].into() };
    let record = f.journal.append(Millis(9), &[unsealed]).unwrap().remove(0);
    apply(&mut f.study, &record);
    assert_eq!(ask(&f), whole);
}

#[test]
fn curves_of_a_run() {
    let f = Fixture::new();
    let run = TrialId(1).run(RunNo(1));
    let keys = || f.ask(Query::SeriesKeys { run });
    let curve = |key: &str| f.ask(Query::Series { run, key: key.into(), width: 10 });
    assert_eq!(keys(), Ok(Answer::SeriesKeys { keys: Vec::new() }), "nothing yet");
    assert_eq!(curve("loss"), Ok(Answer::Series { curve: crate::protocol::Curve::default() }));
    f.write(
        "trials/t0001/run-1/metrics.jsonl",
        "{\"k\":\"loss\",\"s\":1.0,\"v\":0.5,\"t\":1}\n{\"k\":\"loss\",\"s\":2.0,\"v\":\"nan\",\"t\":2}\n{\"k\":\"lr\",\"s\":1.0,\"v\":0.1,\"t\":2}\n{\"m\":[]}\n",
    );
    let Ok(Answer::SeriesKeys { keys }) = keys() else { panic!("keys") };
    let keys: Vec<_> = keys.into_iter().map(|k| (k.key, k.count, k.last)).collect();
    assert_eq!(keys, [("loss".to_owned(), 2, None), ("lr".to_owned(), 1, Some(0.1))]);
    let want = crate::protocol::Curve { steps: vec![1.0, 2.0], values: vec![Some(0.5), None], total: 2 };
    assert_eq!(curve("loss"), Ok(Answer::Series { curve: want }));
}

#[test]
fn the_last_facts() {
    let dir = tempfile::tempdir().unwrap();
    let mut played = Played::create(dir.path());
    let numbers = |seq: u64| recent(dir.path(), seq).iter().map(|r| r.seq).collect::<Vec<_>>();
    assert_eq!(numbers(2), [1, 2]);
    assert_eq!(numbers(1), [1], "later ones are not for this snapshot");
    for n in 0..RECENT {
        played.record(noted(&format!("note {n}")));
    }
    let last = played.seq();
    assert_eq!(numbers(last), (last + 1 - RECENT as u64..=last).collect::<Vec<_>>());
    // Large facts: fewer of them, and the one that is cut in two is left out.
    for _ in 0..100 {
        played.record(noted(&"x".repeat(3_900)));
    }
    let last = played.seq();
    let got = numbers(last);
    assert!((50..100).contains(&got.len()), "{}", got.len());
    assert_eq!(got, (last + 1 - got.len() as u64..=last).collect::<Vec<_>>());
    assert_eq!(recent(Path::new("/nowhere"), 5), []);
}

#[test]
fn parts_of_conversations() {
    let f = Fixture::new();
    let ask = |proposal: u32, revision: Option<u32>, offset: i64| {
        f.ask(Query::Conversation { proposal: ProposalId(proposal), revision, offset }).map(|answer| match answer {
            Answer::Conversation { part } => part,
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(ask(9, None, 0).unwrap_err(), "there is no proposal p0009 in study wind-1");
    assert_eq!(ask(1, None, 0).unwrap(), ConversationPart::default(), "nothing was said");
    let note = |revision: u32, texts: &[&str]| {
        let mut recorder = conversation::Recorder::begin(&f.path(), ProposalId(1), revision).unwrap();
        texts.iter().for_each(|text| recorder.note(&Turn::Failed { why: (*text).into() }).unwrap());
    };
    note(1, &["one", &"long".repeat(30 << 10), &"longer".repeat(30 << 10), "four"]);
    note(2, &["five"]);
    let all = ask(1, None, 0).unwrap();
    assert_eq!((all.offset, all.next, all.total, all.turns.len()), (0, 7, 7, 7));
    assert!(serde_json::to_vec(&all).unwrap().len() <= LONGEST_CONVERSATION + 1024, "long texts are shortened");
    let last = ask(1, None, -2).unwrap();
    assert_eq!((last.offset, last.next, last.turns.len()), (5, 7, 2));
    assert_eq!(last.turns[0], Turn::Began { revision: 2 });
    assert_eq!(ask(1, Some(2), 0).unwrap().turns, last.turns);
    assert_eq!(ask(1, None, 100).unwrap(), ConversationPart { offset: 7, next: 7, total: 7, ..ConversationPart::default() });
}
