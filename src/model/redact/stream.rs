//! The same for text that comes in pieces: a key that is cut in two by a piece's end is found as well.
//!
//! What may be the beginning of one is held back until it can be told, or until nobody writes on (`flush`).

use super::{Redactor, cover};

/// A stream on its way through a redactor. As many bytes come out as go in.
#[derive(Debug)]
pub struct Stream<'a> {
    redactor: &'a Redactor,
    /// Not yet told.
    held: Vec<u8>,
    out: Vec<u8>,
}

impl<'a> Stream<'a> {
    /// At its beginning.
    pub fn new(redactor: &'a Redactor) -> Self {
        Self { redactor, held: Vec::new(), out: Vec::new() }
    }

    /// Takes the next piece; returns what can be told by now.
    pub fn push<'s>(&'s mut self, piece: &'s [u8]) -> &'s [u8] {
        if self.held.is_empty() {
            let found = self.redactor.find(piece, false);
            if found.covers.is_empty() {
                let (sure, open) = piece.split_at(found.sure.min(piece.len()));
                self.held.extend_from_slice(open);
                return sure;
            }
            self.out.clear();
            self.out.extend_from_slice(piece);
            return self.release(found);
        }
        self.out.clear();
        self.out.append(&mut self.held);
        self.out.extend_from_slice(piece);
        let found = self.redactor.find(&self.out, false);
        self.release(found)
    }

    fn release(&mut self, found: super::Found) -> &[u8] {
        cover(&mut self.out, &found.covers);
        let sure = found.sure.min(self.out.len());
        self.held.extend(self.out.drain(sure..));
        &self.out
    }

    /// Whether something is held back.
    pub fn waits(&self) -> bool {
        !self.held.is_empty()
    }

    /// What was held back, as it stands: nothing follows for now.
    pub fn flush(&mut self) -> &[u8] {
        self.out.clear();
        self.out.append(&mut self.held);
        let found = self.redactor.find(&self.out, true);
        cover(&mut self.out, &found.covers);
        &self.out
    }
}
