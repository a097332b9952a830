//! Cuts a stream of bytes into lines, keeping the half line at its end.
//!
//! A line over the cap is skipped to its end and counted, so that a binary file cannot fill the memory.

use std::io::BufRead;

/// Longest line that is read, in bytes.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::watch) enum Ends {
    /// A newline only.
    Newline,
    /// A newline, or the carriage return with which progress bars overwrite themselves.
    NewlineOrReturn,
}

/// The cutter.
#[derive(Debug)]
pub(in crate::watch) struct Lines {
    ends: Ends,
    pending: Vec<u8>,
    skipping: bool,
    pub(in crate::watch) too_long: u64,
}

impl Lines {
    pub(in crate::watch) fn new(ends: Ends) -> Self {
        Self { ends, pending: Vec::new(), skipping: false, too_long: 0 }
    }

    /// Calls `line` for every line that `bytes` completes, without its end.
    pub(in crate::watch) fn feed(&mut self, bytes: &[u8], mut line: impl FnMut(&[u8])) {
        let mut rest = bytes;
        while let Some(at) = self.ends.find(rest) {
            let (piece, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            rest = after.get(1..).unwrap_or_default();
            if self.pending.is_empty() && !self.skipping && piece.len() <= MAX_LINE_BYTES {
                line(piece);
                continue;
            }
            self.keep(piece);
            if !self.skipping {
                line(&self.pending);
            }
            self.pending.clear();
            self.skipping = false;
        }
        self.keep(rest);
    }

    /// Calls `line` for the half line at the end, if there is one.
    pub(in crate::watch) fn finish(&mut self, mut line: impl FnMut(&[u8])) {
        if !self.pending.is_empty() {
            line(&self.pending);
        }
        self.pending = Vec::new();
        self.skipping = false;
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.skipping {
            return;
        }
        if self.pending.len() + piece.len() > MAX_LINE_BYTES {
            self.pending = Vec::new();
            self.skipping = true;
            self.too_long += 1;
        } else {
            self.pending.extend_from_slice(piece);
        }
    }
}

impl Ends {
    fn find(self, bytes: &[u8]) -> Option<usize> {
        match self {
            // The standard library's fast byte search is reachable through `BufRead` alone; a slice cannot fail.
            Self::Newline => {
                let taken = (&mut &*bytes).skip_until(b'\n').ok()?;
                let at = taken.checked_sub(1)?;
                (bytes.get(at) == Some(&b'\n')).then_some(at)
            }
            Self::NewlineOrReturn => bytes.iter().position(|b| matches!(b, b'\n' | b'\r')),
        }
    }
}
