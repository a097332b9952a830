//! A disk that fails, and two engines at once.

use super::*;
use crate::journal::{line::Cursor, lock, sink, sink::Sink};
use std::fs::File;
use std::io;

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// The write gives this error after so many bytes.
    Write(i32, usize),
    /// The write gives this error, and the cut as well.
    WriteAndCut(i32, usize),
    Sync(i32),
}

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const EDQUOT: i32 = 122;
const EFBIG: i32 = 27;

/// A file that fails in the operations whose number is due.
struct Faulty {
    file: File,
    fault: Fault,
    due: u32,
    /// Appends, or syncs for a fault of the sync.
    count: u32,
}

impl Faulty {
    fn now(&mut self) -> bool {
        self.count += 1;
        self.count == self.due
    }
}

impl Sink for Faulty {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let fault = self.fault;
        match fault {
            Fault::Write(errno, n) | Fault::WriteAndCut(errno, n) if self.now() => {
                self.file.write_all(&bytes[..n.min(bytes.len())])?;
                Err(io::Error::from_raw_os_error(errno))
            }
            _ => self.file.write_all(bytes),
        }
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        if matches!(self.fault, Fault::WriteAndCut(..)) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        self.file.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        let fault = self.fault;
        match fault {
            Fault::Sync(errno) if self.now() => Err(io::Error::from_raw_os_error(errno)),
            _ => self.file.sync_data(),
        }
    }
}

fn faulty(dir: &Path, fault: Fault, due: u32) -> Journal {
    let lock = lock::take(dir).unwrap();
    let file = sink::open(&dir.join(FILE)).unwrap();
    Journal::with(dir, Box::new(Faulty { file, fault, due, count: 0 }), Cursor::default(), lock)
}

#[test]
fn a_full_disk_leaves_whole_lines_and_work_goes_on_when_there_is_room() {
    for errno in [ENOSPC, EDQUOT, EFBIG] {
        for partial in [0, 1, 40, 200, usize::MAX] {
            let dir = tempfile::tempdir().unwrap();
            let mut journal = faulty(dir.path(), Fault::Write(errno, partial), 2);
            journal.append(Millis(1), &[created()]).unwrap();
            let before = bytes(dir.path());
            let error = journal.append(Millis(2), &[proposed(1), noted("x")]).unwrap_err();
            assert!(matches!(error, JournalError::DiskFull { .. }), "{errno} {partial}: {error}");
            assert_eq!(bytes(dir.path()), before, "{errno} {partial}");
            assert_eq!(journal.seq(), 1);
            assert_eq!(journal.append(Millis(3), &[proposed(1)]).unwrap()[0].seq, 2, "{errno} {partial}");
            drop(journal);
            assert_eq!(Journal::open(dir.path()).unwrap().study.unwrap().trials.len(), 2);
        }
    }
}

#[test]
fn any_other_failure_poisons_and_what_was_acknowledged_is_there_after_a_restart() {
    for (name, fault) in [
        ("write", Fault::Write(EIO, 30)),
        ("sync", Fault::Sync(EIO)),
        ("sync on a full disk", Fault::Sync(ENOSPC)),
        ("full disk, and the cut fails", Fault::WriteAndCut(ENOSPC, 30)),
    ] {
        for due in 1..=4 {
            let dir = tempfile::tempdir().unwrap();
            let mut journal = faulty(dir.path(), fault, due);
            let mut acknowledged = 0;
            let mut failed = 0;
            for n in 0..6 {
                let event = if n == 0 { created() } else { noted("x") };
                match journal.append(Millis(n), &[event]) {
                    Ok(records) => {
                        assert_eq!(failed, 0, "{name} {due}: an append after the failure");
                        acknowledged = records[0].seq;
                    }
                    Err(error) => {
                        assert_eq!(matches!(error, JournalError::Poisoned { .. }), failed > 0, "{name} {due}: {error}");
                        failed += 1;
                    }
                }
            }
            assert_eq!((acknowledged, failed), (u64::from(due) - 1, 7 - due), "{name}");
            drop(journal);
            let opened = Journal::open(dir.path()).unwrap();
            assert!(opened.journal.seq() >= acknowledged, "{name} {due}: an acknowledged fact was lost");
        }
    }
}

#[test]
fn a_fact_that_could_not_be_read_back_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(dir.path()).unwrap();
    journal.append(Millis(1), &[created()]).unwrap();
    let before = bytes(dir.path());
    let run = TrialId(0).run(RunNo(1));
    let bad = Event::RunEnded { run, seconds: f64::NAN, peak_memory_bytes: 0, self_reported: None, failure: None, artifacts: None };
    let error = journal.append(Millis(2), &[noted("fine"), bad]).unwrap_err();
    assert!(matches!(error, JournalError::Unwritable { .. }), "{error}");
    assert_eq!(bytes(dir.path()), before);
    // What JSON turns into null where null may stand is given back as it will be read.
    let odd =
        Event::RunEnded { run, seconds: 1.0, peak_memory_bytes: 0, self_reported: Some(f64::INFINITY), failure: None, artifacts: None };
    let records = journal.append(Millis(2), &[odd]).unwrap();
    assert!(matches!(records[0].event, Event::RunEnded { self_reported: None, .. }));
}

#[test]
fn one_engine_writes() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(owner(dir.path()), None);
    written(dir.path(), &[]);
    assert_eq!(owner(dir.path()), None, "the lock goes with the journal");
    let first = Journal::open(dir.path()).unwrap();
    let me = owner(dir.path()).unwrap();
    assert_eq!(me.pid, std::process::id());
    for second in [Journal::open(dir.path()).err(), Journal::create(dir.path()).err()] {
        let error = second.unwrap();
        assert!(error.to_string().contains(&format!("process {} on {}", me.pid, me.host)), "{error}");
        assert!(matches!(error, JournalError::Owned { owner: Some(o), .. } if o == me));
    }
    assert_eq!(read(dir.path()).unwrap().cursor.seq, 1, "readers need no lock");
    drop(first);
    assert!(Journal::open(dir.path()).is_ok());
}

#[test]
fn a_study_is_not_begun_over_another_and_not_opened_where_there_is_none() {
    let dir = tempfile::tempdir().unwrap();
    for error in [Journal::open(dir.path()).err().unwrap(), read(dir.path()).err().unwrap()] {
        assert!(matches!(error, JournalError::Missing { .. }), "{error}");
    }
    assert!(!dir.path().join("journal.lock").exists(), "nothing is made in a directory that is no study's");
    written(dir.path(), &[noted("x")]);
    assert!(matches!(Journal::create(dir.path()), Err(JournalError::Exists { .. })));
    assert_eq!(verify(dir.path()).unwrap().records, 2);
}
