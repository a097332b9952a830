//! Reads a journal line by line from a place in it, checking the chain as it goes.

use super::JournalError;
use super::line::{Cursor, Refusal, decode, intact};
use crate::model::{Record, Study, apply, create};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::{fs::File, path::Path, path::PathBuf};

/// Longer lines are refused: no fact comes near it, and a file without line ends must not fill the memory.
const LONGEST_LINE: u64 = 16 << 20;

/// A walk along the lines of one journal.
pub(super) struct Scan {
    path: PathBuf,
    input: BufReader<File>,
    buffer: Vec<u8>,
    /// After the last whole record that was read.
    pub cursor: Cursor,
    /// Bytes of an unfinished last line; known once `next` has returned none.
    pub torn: u64,
}

impl Scan {
    /// Opens the journal of a study at a place that was reached before.
    pub fn open(study_dir: &Path, cursor: Cursor) -> Result<Self, JournalError> {
        let path = study_dir.join(super::FILE);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(JournalError::Missing { path }),
            Err(e) => return Err(JournalError::io("open", path)(e)),
        };
        if cursor.offset > 0 {
            let length = file.metadata().map_err(JournalError::io("read", &path))?.len();
            if length < cursor.offset {
                return Err(JournalError::Replaced { path });
            }
            file.seek(SeekFrom::Start(cursor.offset)).map_err(JournalError::io("read", &path))?;
        }
        Ok(Self { path, input: BufReader::with_capacity(1 << 18, file), buffer: Vec::new(), cursor, torn: 0 })
    }

    /// The journal's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next whole record; none at the end, where an unfinished line may remain.
    pub fn next(&mut self) -> Result<Option<Record>, JournalError> {
        self.buffer.clear();
        let mut limited = (&mut self.input).take(LONGEST_LINE);
        let read = limited.read_until(b'\n', &mut self.buffer).map_err(JournalError::io("read", &self.path))?;
        if read == 0 {
            return Ok(None);
        }
        let line = self.cursor.seq + 1;
        let altered = |detail: String| JournalError::Altered { path: self.path.clone(), line, detail };
        if self.buffer.last() != Some(&b'\n') {
            // A torn line is a beginning of a line that was never finished. A whole line with more behind it is not:
            // there the line end was altered.
            let whole_but_for_its_end = self.buffer.split_last().is_some_and(|(_, line)| intact(line).is_some());
            if whole_but_for_its_end || read as u64 == LONGEST_LINE {
                return Err(altered("it has no end".to_owned()));
            }
            self.torn = read as u64;
            return Ok(None);
        }
        self.buffer.pop();
        match decode(&mut self.cursor, &mut self.buffer) {
            Ok(record) => Ok(Some(record)),
            Err(Refusal::Altered(detail)) => Err(altered(detail)),
            Err(Refusal::Newer(detail)) => Err(JournalError::Newer { path: self.path.clone(), line, detail }),
        }
    }

    /// Folds all records from here on into `study`.
    pub fn fold(&mut self, mut study: Option<Study>) -> Result<Option<Study>, JournalError> {
        while let Some(record) = self.next()? {
            match &mut study {
                Some(study) => apply(study, &record),
                None => {
                    let made = create(&record);
                    if made.is_none() {
                        let detail = "it is not the creation of a study".to_owned();
                        return Err(JournalError::Altered { path: self.path.clone(), line: record.seq, detail });
                    }
                    study = made;
                }
            }
        }
        Ok(study)
    }
}
