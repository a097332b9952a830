//! A study without an engine: the fold of its journal, followed as it grows.

use super::Incoming;
use crate::journal::{self, Cursor, JournalError};
use crate::model::{Study, apply};
use crate::{archive, protocol};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// New facts of one look that are sent one by one; more of them are sent as a snapshot.
const ONE_BY_ONE: usize = 100;

/// Reads a study from its directory, with or without an engine. Errors: in words that say where and what to do.
pub fn read_study(study_dir: &Path) -> Result<Study, String> {
    journal::read(study_dir).map(|reading| reading.study).map_err(|e| e.to_string())
}

/// The fold and the place up to which it goes. Cheap to clone.
#[derive(Clone)]
pub(super) struct Cold {
    dir: PathBuf,
    pub(super) study: Arc<Study>,
    cursor: Cursor,
}

impl Cold {
    /// Folds the journal; blocks.
    pub(super) fn read(study_dir: &Path) -> Result<Self, String> {
        let reading = journal::read(study_dir).map_err(|e| e.to_string())?;
        Ok(Self { dir: study_dir.to_owned(), study: Arc::new(reading.study), cursor: reading.cursor })
    }

    /// What a client holds; blocks.
    pub(super) fn snapshot(&self) -> Incoming {
        Incoming::Snapshot(Box::new(archive::snapshot(&self.dir, &self.study)))
    }

    /// Takes what the journal has grown by since, and returns what a client is told of it; blocks.
    pub(super) fn grow(&mut self) -> Result<Vec<Incoming>, String> {
        let tail = match journal::read_from(&self.dir, self.cursor) {
            Ok(tail) => tail,
            Err(JournalError::Replaced { .. }) => {
                *self = Self::read(&self.dir)?;
                return Ok(vec![self.snapshot()]);
            }
            Err(e) => return Err(e.to_string()),
        };
        if tail.records.is_empty() {
            return Ok(Vec::new());
        }
        self.cursor = tail.cursor;
        let study = Arc::make_mut(&mut self.study);
        let one_by_one = tail.records.len() <= ONE_BY_ONE;
        let mut told = Vec::new();
        for record in tail.records {
            apply(study, &record);
            if one_by_one {
                told.push(Incoming::Update(Box::new(protocol::update(study, record))));
            }
        }
        if !one_by_one {
            told.push(self.snapshot());
        }
        Ok(told)
    }
}
