//! W&B's offline files (`run-*.wandb`): the history of a run.
//!
//! A head of seven bytes, then blocks of 32 KiB that hold LevelDB's log format (LevelDB, `doc/log_format.md`, with the CRC of zlib): records
//! in one piece or in several. A record is a `Record` of W&B's protocol buffers; its field 2 is a `HistoryRecord`: items of a name and a
//! value in JSON. What is damaged is passed over up to the next block. Checked by hand against files of the library.

use super::{
    Losses, Reader, Reading, StepFields,
    checksum::ZLIB,
    number, step_rank,
    wire::{Wire, fields},
};
use std::{collections::HashMap, sync::Arc};

/// `:W&B`, the magic number 0xBEE1 and version 0.
const HEAD: &[u8] = b":W&B\xe1\xbe\0";
/// Bytes of a block.
const BLOCK: u64 = 32 << 10;
/// Checksum, length and kind of a piece.
const PIECE: u64 = 7;
/// Longest record that is read; longer ones hold the output of the run or its code.
const MAX_RECORD: usize = 4 << 20;
/// Names that are remembered; a file with more still reads, only slower.
const MAX_KNOWN: usize = 4096;
/// What the library adds to each row, beside `_step`.
const ADDED: [&str; 3] = ["_timestamp", "_runtime", "_wandb"];

/// Reads offline files.
#[derive(Default)]
pub struct Wandb {
    pending: Vec<u8>,
    /// Where in the file `pending` begins.
    at: u64,
    /// Bytes that are yet to be passed over.
    skip: u64,
    /// The pieces of a record that is not complete.
    record: Option<Vec<u8>>,
    foreign: bool,
    losses: Losses,
    names: HashMap<String, Arc<str>>,
    steps: StepFields,
}

impl Wandb {
    /// Returns a reader at the start of a file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a piece from the front of `bytes`; none if it is not all there.
    fn piece(&mut self, bytes: &mut &[u8], out: &mut Vec<Reading>) -> Option<()> {
        if self.skip > 0 {
            let n = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
            self.pass(bytes, n)?;
            self.skip -= n as u64;
            return (self.skip == 0).then_some(());
        }
        if self.at == 0 {
            self.foreign = bytes.get(..HEAD.len())? != HEAD;
            return self.pass(bytes, HEAD.len());
        }
        let left = BLOCK - self.at % BLOCK;
        if left < PIECE {
            self.skip = left;
            return Some(());
        }
        let (sum, rest) = bytes.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (kind, rest) = rest.split_first()?;
        let length = usize::from(u16::from_le_bytes(*length));
        let plausible = length as u64 + PIECE <= left && (1..=4).contains(kind);
        let data = if plausible { rest.get(..length)? } else { &[] };
        if !plausible || ZLIB.of(&[&[*kind], data]).to_le_bytes() != *sum {
            self.losses.rubbish += 1;
            self.record = None;
            self.skip = left;
            return Some(());
        }
        // 1: whole, 2: first, 3: middle, 4: last.
        match (kind, self.record.take()) {
            (1, _) => self.row(data, out),
            (2, _) => self.record = Some(data.to_vec()),
            (_, Some(mut record)) => {
                record.extend_from_slice(data);
                if record.len() > MAX_RECORD {
                    self.losses.too_long += 1;
                } else if *kind == 4 {
                    self.row(&record, out);
                } else {
                    self.record = Some(record);
                }
            }
            // Its beginning was damaged or too long.
            (_, None) => {}
        }
        self.pass(bytes, PIECE as usize + length)
    }

    fn pass(&mut self, bytes: &mut &[u8], n: usize) -> Option<()> {
        *bytes = bytes.get(n..)?;
        self.at += n as u64;
        Some(())
    }

    /// Reads a record; all but history is passed over.
    fn row(&mut self, record: &[u8], out: &mut Vec<Reading>) {
        let start = out.len();
        let mut items = Vec::new();
        let whole = fields(record, |number, wire| {
            if let (2, Wire::Bytes(history)) = (number, wire) {
                let _ = fields(history, |number, wire| {
                    if let (1, Wire::Bytes(item)) = (number, wire) {
                        items.push(item);
                    }
                });
            }
        });
        if whole.is_none() {
            self.losses.rubbish += 1;
            return;
        }
        for item in items {
            let (mut name, mut value) = (String::new(), None);
            // 1 is a name, 2 the parts of one, 16 the value.
            let _ = fields(item, |number, wire| match (number, wire) {
                (1 | 2, Wire::Bytes(part)) => {
                    if !name.is_empty() {
                        name.push('.');
                    }
                    name.push_str(&String::from_utf8_lossy(part));
                }
                (16, Wire::Bytes(json)) => value = number::whole(json).or_else(|| number::non_finite(unquoted(json))),
                _ => {}
            });
            let Some(value) = value.filter(|_| !name.is_empty() && !ADDED.contains(&name.as_str())) else { continue };
            let rank = step_rank(&name);
            let key = self.key(name);
            match rank {
                Some(rank) => self.steps.hold(rank, &key, value),
                None => out.push(Reading { key, step: None, value }),
            }
        }
        self.steps.settle(start, out);
    }

    fn key(&mut self, name: String) -> Arc<str> {
        if let Some(known) = self.names.get(&name) {
            return Arc::clone(known);
        }
        let key: Arc<str> = name.as_str().into();
        if self.names.len() < MAX_KNOWN {
            self.names.insert(name, Arc::clone(&key));
        }
        key
    }
}

fn unquoted(json: &[u8]) -> &[u8] {
    json.strip_prefix(b"\"").and_then(|j| j.strip_suffix(b"\"")).unwrap_or(json)
}

impl Reader for Wandb {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Reading>) {
        if self.foreign {
            return;
        }
        let mut held = std::mem::take(&mut self.pending);
        held.extend_from_slice(bytes);
        let mut rest = held.as_slice();
        while !rest.is_empty() && !self.foreign && self.piece(&mut rest, out).is_some() {}
        let used = held.len() - rest.len();
        held.drain(..used);
        self.pending = held;
    }

    fn finish(&mut self, _out: &mut Vec<Reading>) {
        // What was being written when the writer died.
        self.losses.rubbish += u64::from(!self.foreign && (!self.pending.is_empty() || self.record.is_some()));
        (self.pending, self.record) = (Vec::new(), None);
    }

    fn losses(&self) -> Losses {
        self.losses
    }

    fn remark(&self) -> Option<String> {
        self.foreign.then(|| "no offline file of W&B, or of a version that is not known".into())
    }
}

#[cfg(test)]
mod tests;
