//! The snapshot cache, following a journal, and head.json.

use super::*;
use crate::journal::snapshot;

/// A study with a snapshot at record 3 and two records after it.
fn with_snapshot(dir: &Path) -> Study {
    let mut study = written(dir, &[proposed(1), noted("x")]);
    let mut journal = Journal::open(dir).unwrap().journal;
    journal.save_snapshot(&study).unwrap();
    for record in journal.append(Millis(3_000), &[proposed(2), noted("y")]).unwrap() {
        apply(&mut study, &record);
    }
    study
}

#[test]
fn a_snapshot_saves_the_fold_of_what_came_before() {
    let dir = tempfile::tempdir().unwrap();
    let live = with_snapshot(dir.path());
    let (cached, cursor) = snapshot::load(dir.path()).unwrap();
    assert_eq!((cached.seq, cursor.seq, cached.trials.len()), (3, 3, 2));
    let reading = read(dir.path()).unwrap();
    assert_eq!(reading.study, live);
    assert_eq!(reading.cursor.seq, 5);
    // It is really used: what lies before it is not read by a cold client, but by `verify` and the engine.
    let mut altered = bytes(dir.path());
    altered[30] ^= 1;
    overwrite(dir.path(), &altered);
    assert_eq!(read(dir.path()).unwrap().study, live);
    assert!(matches!(verify(dir.path()), Err(JournalError::Altered { line: 1, .. })));
    assert!(Journal::open(dir.path()).is_err());
}

#[test]
fn a_snapshot_of_many_trials_keeps_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let events: Vec<Event> = (1..=1_300).map(proposed).collect();
    let live = written(dir.path(), &events);
    let journal = Journal::open(dir.path()).unwrap().journal;
    journal.save_snapshot(&live).unwrap();
    let (cached, _) = snapshot::load(dir.path()).unwrap();
    assert_eq!(cached, live);
}

#[test]
fn a_snapshot_that_does_not_fit_is_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let live = with_snapshot(dir.path());
    let path = dir.path().join(snapshot::SNAPSHOT);
    let whole = std::fs::read(&path).unwrap();
    let same = |name: &str| assert_eq!(read(dir.path()).unwrap().study, live, "{name}");
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        put(&path, &whole[..length]);
        assert!(snapshot::load(dir.path()).is_none(), "cut at {length}");
        same("cut");
    }
    for at in (0..whole.len()).step_by(3) {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        put(&path, &altered);
        same("altered");
    }
    std::fs::remove_file(&path).unwrap();
    same("deleted");

    // Another study's snapshot, and one that is ahead of a journal that was put back from a copy.
    let other = tempfile::tempdir().unwrap();
    let mut study = written(other.path(), &[noted("another"), noted("study"), noted("!"), noted("!")]);
    Journal::open(other.path()).unwrap().journal.save_snapshot(&study).unwrap();
    std::fs::copy(other.path().join(snapshot::SNAPSHOT), &path).unwrap();
    same("another study's");
    let lines = bytes(other.path()).split_inclusive(|b| *b == b'\n').take(2).flatten().copied().collect::<Vec<u8>>();
    overwrite(other.path(), &lines);
    assert_eq!(read(other.path()).unwrap().study.seq, 2);

    // A study that is not the fold of exactly this journal is not saved.
    std::fs::remove_file(&path).unwrap();
    study.seq += 1;
    Journal::open(dir.path()).unwrap().journal.save_snapshot(&study).unwrap();
    assert!(!path.exists());
}

#[test]
fn a_reader_follows_a_writer() {
    let dir = tempfile::tempdir().unwrap();
    let mut live = written(dir.path(), &[proposed(1)]);
    let mut reading = read(dir.path()).unwrap();
    let mut journal = Journal::open(dir.path()).unwrap().journal;
    for n in 2..6 {
        let tail = read_from(dir.path(), reading.cursor).unwrap();
        assert!(tail.records.is_empty() && tail.cursor == reading.cursor, "{n}");
        for record in journal.append(Millis(n.into()), &[proposed(n), noted("x")]).unwrap() {
            apply(&mut live, &record);
        }
        let tail = read_from(dir.path(), reading.cursor).unwrap();
        assert_eq!(tail.records.len(), 2, "{n}");
        tail.records.iter().for_each(|r| apply(&mut reading.study, r));
        reading.cursor = tail.cursor;
        assert_eq!((reading.cursor, &reading.study), (journal.cursor(), &live), "{n}");
    }
    // A write in progress: the reader waits for the rest.
    let whole = bytes(dir.path());
    let next = {
        journal.append(Millis(9), &[noted("a longer note")]).unwrap();
        bytes(dir.path())
    };
    overwrite(dir.path(), &next[..next.len() - 5]);
    let tail = read_from(dir.path(), reading.cursor).unwrap();
    assert!(tail.records.is_empty() && tail.torn);
    overwrite(dir.path(), &next);
    assert_eq!(read_from(dir.path(), reading.cursor).unwrap().records.len(), 1);
    // The file was cut or replaced under the reader.
    overwrite(dir.path(), &whole[..whole.len() - 1]);
    assert!(matches!(read_from(dir.path(), reading.cursor), Err(JournalError::Replaced { .. })));
    let mut other = whole.clone();
    other.extend(whole.split_inclusive(|b| *b == b'\n').next_back().unwrap());
    overwrite(dir.path(), &other);
    assert!(matches!(read_from(dir.path(), reading.cursor), Err(JournalError::Replaced { .. })));
}

#[test]
fn the_head_tells_a_study_in_a_few_lines() {
    let dir = tempfile::tempdir().unwrap();
    let mut study = written(dir.path(), &[proposed(1), proposed(2)]);
    assert_eq!(head::read(dir.path()), None);
    study.trials[0].score = Some(0.5);
    for (trial, verdict, score) in [(1, Verdict::Revert, 0.3), (2, Verdict::Keep, 0.4)] {
        let t = &mut study.trials[trial];
        (t.status, t.verdict, t.score) = (Status::Done, Some(verdict), Some(score));
    }
    head::write(dir.path(), &study, Some(42)).unwrap();
    let head = head::read(dir.path()).unwrap();
    assert_eq!(head, Head::of(&study, Some(42)));
    assert_eq!((head.name.as_str(), head.task.as_str(), head.pid), ("wind-1", "wind-power", Some(42)));
    assert_eq!((head.baseline, head.trials_limit, head.seq), (Some(0.5), Some(20), 3));
    assert_eq!(head.sparkline, [0.5, 0.5, 0.4], "a lucky run that was not kept does not move it");
    for broken in ["", "{", "{}", "null"] {
        std::fs::write(dir.path().join("head.json"), broken).unwrap();
        assert_eq!(head::read(dir.path()), None, "{broken}");
    }
    // A long study is thinned to what a line of the screen can show, from the first point to the last.
    let kept = study.trials[2].clone();
    for n in 3..500 {
        study.trials.push(Trial { id: TrialId(n), score: Some(0.4 - f64::from(n) / 10_000.0), ..kept.clone() });
    }
    let line = Head::of(&study, None).sparkline;
    assert_eq!((line.len(), line[0], line[39]), (40, 0.5, 0.4 - 0.0499));
    assert!(line.windows(2).all(|w| w[1] <= w[0]));
}
