//! The one writer of a study's journal.

use super::line::{Cursor, encode};
use super::lock::{self, Lock};
use super::scan::Scan;
use super::sink::{self, Sink, is_full};
use super::{FILE, Hash, JournalError, replace, snapshot};
use crate::model::{Event, Millis, Record, Study};
use std::path::{Path, PathBuf};

/// A journal that is open for writing. While it lives no other process can open it.
pub struct Journal {
    study_dir: PathBuf,
    path: PathBuf,
    sink: Box<dyn Sink>,
    cursor: Cursor,
    /// The first failure after which the file's content is not known.
    poison: Option<String>,
    _lock: Lock,
}

/// What `Journal::open` found.
pub struct Opened {
    /// Ready to append.
    pub journal: Journal,
    /// The fold of all its facts; none when it has no whole record.
    pub study: Option<Study>,
    /// What was cut from a torn end, for a note to people.
    pub recovered: Option<String>,
}

/// A place in a journal, where a snapshot of its study may stand.
pub struct SnapshotPlace {
    study_dir: PathBuf,
    cursor: Cursor,
}

impl SnapshotPlace {
    /// Saves the study, if it is the fold of the journal up to this place.
    pub fn save(&self, study: &Study) -> Result<(), JournalError> {
        if study.seq != self.cursor.seq || self.cursor.seq == 0 {
            return Ok(());
        }
        snapshot::save(&self.study_dir, &self.cursor, study)
    }
}

impl Journal {
    /// Begins the journal of a new study in a directory that exists. Refused where a record lies already.
    pub fn create(study_dir: &Path) -> Result<Self, JournalError> {
        let lock = lock::take(study_dir)?;
        let path = study_dir.join(FILE);
        // An empty file is what a crash between its creation and the first record leaves.
        if std::fs::metadata(&path).is_ok_and(|m| m.len() > 0) {
            return Err(JournalError::Exists { path });
        }
        let file = sink::open(&path).map_err(JournalError::io("create", &path))?;
        replace::sync_dir(study_dir)?;
        Ok(Self::with(study_dir, Box::new(file), Cursor::default(), lock))
    }

    /// Opens a journal after checking its whole chain, and cuts an unfinished last line.
    ///
    /// Errors: `Owned` while another engine writes, `Altered` and `Newer` with the line's number, `Missing`.
    pub fn open(study_dir: &Path) -> Result<Opened, JournalError> {
        let path = study_dir.join(FILE);
        if !path.exists() {
            return Err(JournalError::Missing { path });
        }
        let lock = lock::take(study_dir)?;
        let mut scan = Scan::open(study_dir, Cursor::default())?;
        let study = scan.fold(None)?;
        let mut file = sink::open(&path).map_err(JournalError::io("open", &path))?;
        let recovered = (scan.torn > 0)
            .then(|| format!("{} bytes of an unfinished record after record {} were cut from {FILE}", scan.torn, scan.cursor.seq));
        if recovered.is_some() {
            file.cut(scan.cursor.offset).and_then(|()| file.sync()).map_err(JournalError::io("cut the torn end of", &path))?;
        }
        Ok(Opened { journal: Self::with(study_dir, Box::new(file), scan.cursor, lock), study, recovered })
    }

    pub(super) fn with(study_dir: &Path, sink: Box<dyn Sink>, cursor: Cursor, lock: Lock) -> Self {
        Self { study_dir: study_dir.to_owned(), path: study_dir.join(FILE), sink, cursor, poison: None, _lock: lock }
    }

    /// Appends facts and returns when they are durable: one write of whole lines, then one sync.
    ///
    /// Returns the records as every later reader will see them: apply these, not the events given. All are written or
    /// none. Errors: `DiskFull` leaves the journal as it was and may be tried again; after any other failed write or sync
    /// the journal is poisoned and refuses more, for the kernel may have dropped what it could not write.
    pub fn append(&mut self, at: Millis, events: &[Event]) -> Result<Vec<Record>, JournalError> {
        if let Some(first) = &self.poison {
            return Err(JournalError::Poisoned { path: self.path.clone(), first: first.clone() });
        }
        let (mut cursor, mut lines, mut records) = (self.cursor, Vec::new(), Vec::with_capacity(events.len()));
        for event in events {
            records.push(encode(&mut cursor, at, event, &mut lines).map_err(|detail| JournalError::Unwritable { detail })?);
        }
        if records.is_empty() {
            return Ok(records);
        }
        if let Err(source) = self.sink.append(&lines) {
            let cut = self.sink.cut(self.cursor.offset).and_then(|()| self.sink.sync());
            if is_full(&source) && cut.is_ok() {
                return Err(JournalError::DiskFull { path: self.path.clone(), source });
            }
            return Err(self.fail("write", source));
        }
        if let Err(source) = self.sink.sync() {
            return Err(self.fail("sync", source));
        }
        self.cursor = cursor;
        Ok(records)
    }

    fn fail(&mut self, what: &'static str, source: std::io::Error) -> JournalError {
        self.poison = Some(format!("{what}: {source}"));
        JournalError::Io { what, path: self.path.clone(), source }
    }

    /// Saves the study as it is at the last record, so that cold readers open it without folding everything. It can
    /// always be deleted; a study that is not the fold of exactly this journal is not saved.
    pub fn save_snapshot(&self, study: &Study) -> Result<(), JournalError> {
        self.snapshot_place().save(study)
    }

    /// The same for a thread that does not hold the journal: the place of the last record.
    pub fn snapshot_place(&self) -> SnapshotPlace {
        SnapshotPlace { study_dir: self.study_dir.clone(), cursor: self.cursor }
    }

    /// Number of the last record; 0 before the first.
    pub fn seq(&self) -> u64 {
        self.cursor.seq
    }

    /// Hash of the last record.
    pub fn hash(&self) -> Hash {
        self.cursor.hash
    }

    /// The place after the last record.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The study's directory.
    pub fn study_dir(&self) -> &Path {
        &self.study_dir
    }
}
