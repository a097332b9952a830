//! Truncation and alteration at every byte.

use super::*;
use crate::journal::line::{Cursor, seal};

/// The number, from 1, of the line that holds a byte; a line end belongs to its line.
fn line_of(bytes: &[u8], at: usize) -> u64 {
    1 + bytes[..at].iter().filter(|b| **b == b'\n').count() as u64
}

#[test]
fn truncation_at_every_byte_of_the_last_4_kib_keeps_all_whole_records() {
    let dir = tempfile::tempdir().unwrap();
    let events: Vec<Event> = (1..=10).flat_map(|n| [proposed(n), noted("a note")]).collect();
    written(dir.path(), &events);
    let whole = bytes(dir.path());
    assert!(whole.len() > 4_096 + 512, "{}", whole.len());
    for length in whole.len() - 4_096..=whole.len() {
        overwrite(dir.path(), &whole[..length]);
        let records = whole[..length].iter().filter(|b| **b == b'\n').count() as u64;
        let kept = whole[..length].iter().rposition(|b| *b == b'\n').unwrap() + 1;

        let cold = read(dir.path()).unwrap();
        assert_eq!((cold.cursor.seq, cold.torn), (records, kept < length), "cold, {length}");
        assert_eq!(bytes(dir.path()).len(), length, "a reader changes nothing");
        // Cutting needs a sync, which some disks take long for: every record's edges, and every 64th byte between.
        let near_an_edge = length - kept < 3 || whole.get(length).is_some_and(|b| *b == b'\n') || length % 64 == 0;
        if near_an_edge {
            let mut opened = Journal::open(dir.path()).unwrap();
            assert_eq!(opened.journal.seq(), records, "{length}");
            assert_eq!(opened.recovered.is_some(), kept < length, "{length}");
            assert_eq!(opened.study.unwrap(), cold.study, "{length}");
            assert_eq!(bytes(dir.path()).len(), kept, "{length}");
            let next = opened.journal.append(Millis(3_000), &[noted("after")]).unwrap();
            assert_eq!(next[0].seq, records + 1, "{length}");
            assert_eq!(verify(dir.path()).unwrap().records, records + 1, "{length}");
        }
    }
}

#[test]
fn a_journal_without_a_whole_record_opens_empty_and_may_be_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &[]);
    let whole = bytes(dir.path());
    for length in [0, 1, 20, whole.len() - 1] {
        overwrite(dir.path(), &whole[..length]);
        assert!(matches!(read(dir.path()), Err(JournalError::Empty { .. })), "{length}");
        let opened = Journal::open(dir.path()).unwrap();
        assert!(opened.study.is_none() && opened.journal.seq() == 0, "{length}");
        drop(opened);
        drop(Journal::create(dir.path()).unwrap());
    }
}

#[test]
fn an_altered_byte_anywhere_is_refused_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &[proposed(1), noted("x"), proposed(2), Event::EngineStopped]);
    let whole = bytes(dir.path());
    for at in 0..whole.len() {
        for flip in [1, 2, b'\n' ^ whole[at], b' ' ^ whole[at], 0xff] {
            if flip == 0 {
                continue;
            }
            let mut altered = whole.clone();
            altered[at] ^= flip;
            overwrite(dir.path(), &altered);
            match verify(dir.path()) {
                Err(JournalError::Altered { line, .. }) => assert_eq!(line, line_of(&whole, at), "byte {at} ^ {flip}"),
                other => panic!("byte {at} ^ {flip}: {other:?}"),
            }
        }
    }
    // The engine and a cold reader refuse likewise, and change nothing.
    let mut altered = whole.clone();
    altered[whole.len() / 2] ^= 1;
    overwrite(dir.path(), &altered);
    let line = line_of(&whole, whole.len() / 2);
    assert!(matches!(Journal::open(dir.path()), Err(JournalError::Altered { line: l, .. }) if l == line));
    let message = read(dir.path()).unwrap_err().to_string();
    assert!(message.contains(&format!("line {line} was altered")), "{message}");
    assert_eq!(bytes(dir.path()), altered);
}

#[test]
fn lines_that_are_whole_but_out_of_place_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &[noted("2"), noted("3"), noted("4")]);
    let whole = bytes(dir.path());
    let lines: Vec<&[u8]> = whole.split_inclusive(|b| *b == b'\n').collect();
    for (name, order, line) in [
        ("the first is gone", vec![1, 2, 3], 1),
        ("one in the middle is gone", vec![0, 1, 3], 3),
        ("two changed places", vec![0, 2, 1, 3], 2),
        ("one stands twice", vec![0, 1, 1, 2, 3], 3),
    ] {
        overwrite(dir.path(), &order.iter().flat_map(|i| lines[*i]).copied().collect::<Vec<u8>>());
        assert!(matches!(verify(dir.path()), Err(JournalError::Altered { line: l, .. }) if l == line), "{name}");
    }
    overwrite(dir.path(), &[whole.as_slice(), b"\n"].concat());
    assert!(matches!(verify(dir.path()), Err(JournalError::Altered { line: 5, .. })), "an empty line");
    overwrite(dir.path(), &[whole.as_slice(), &[0; 5_000]].concat());
    assert_eq!(Journal::open(dir.path()).unwrap().journal.seq(), 4, "zeros of a write that a power cut undid are a torn end");
    assert_eq!(bytes(dir.path()), whole);
}

#[test]
fn what_a_newer_program_wrote_is_refused_with_a_hint() {
    let newer_format = serde_json::to_string(&created()).unwrap().replace("\"format\":1", "\"format\":2");
    let known = serde_json::to_string(&created()).unwrap();
    let inner = |text: &str| text[1..text.len() - 1].to_owned();
    for (name, lines, line) in [
        ("an unknown fact", vec![inner(&known), "\"event\":\"teleported\",\"to\":3".into()], 2),
        ("an unknown word in a known fact", vec![inner(&known), "\"event\":\"state_changed\",\"state\":\"asleep\"".into()], 2),
        ("a newer format", vec![inner(&newer_format)], 1),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (mut cursor, mut out) = (Cursor::default(), Vec::new());
        for fields in &lines {
            seal(&mut cursor, Millis(1), fields.as_bytes(), &mut out);
        }
        overwrite(dir.path(), &out);
        let error = Journal::open(dir.path()).err().unwrap();
        assert!(matches!(error, JournalError::Newer { line: l, .. } if l == line), "{name}: {error}");
        assert!(error.to_string().contains("upgrade"), "{name}: {error}");
        assert_eq!(bytes(dir.path()), out, "{name}");
    }
}

#[test]
fn a_field_of_a_newer_program_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let (mut cursor, mut out) = (Cursor::default(), Vec::new());
    let known = serde_json::to_string(&created()).unwrap();
    seal(&mut cursor, Millis(1), &known.as_bytes()[1..known.len() - 1], &mut out);
    seal(&mut cursor, Millis(2), b"\"event\":\"engine_stopped\",\"mood\":\"good\"", &mut out);
    overwrite(dir.path(), &out);
    assert_eq!(read(dir.path()).unwrap().cursor.seq, 2);
}

#[test]
fn a_journal_that_does_not_begin_with_a_study_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (mut cursor, mut out) = (Cursor::default(), Vec::new());
    seal(&mut cursor, Millis(1), b"\"event\":\"engine_stopped\"", &mut out);
    overwrite(dir.path(), &out);
    assert!(matches!(read(dir.path()), Err(JournalError::Altered { line: 1, .. })));
}
