//! TensorBoard event files: scalar summaries, old style and as tensors.
//!
//! A record is its length, the length's checksum, the data, the data's checksum (TensorFlow, `core/lib/io/record_writer.h`); the data is an
//! `Event` (`core/util/event.proto`). A record whose data is damaged is passed over; after a damaged length the next record is searched for.

use super::{
    Losses, Reader, Reading,
    checksum::CASTAGNOLI,
    scalar::{self, Kind},
    wire::{Wire, fields, varint},
};
use std::{collections::HashMap, sync::Arc};

/// Longest record that is read; longer ones hold images or graphs and are passed over.
const MAX_RECORD: usize = 4 << 20;
/// A length beyond this is no length.
const MAX_LENGTH: u64 = 1 << 31;
/// Length and its checksum.
const HEAD: usize = 12;
/// Tags that are remembered; a file with more still reads, only slower.
const MAX_KNOWN: usize = 4096;

/// Reads event files.
#[derive(Default)]
pub struct TfEvents {
    pending: Vec<u8>,
    /// Bytes of a long record that are yet to be passed over.
    skip: u64,
    searching: bool,
    losses: Losses,
    tags: HashMap<Box<[u8]>, Arc<str>>,
}

impl TfEvents {
    /// Returns a reader at the start of a file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one record from the front of `bytes`; none if it is not all there.
    fn record(&mut self, bytes: &mut &[u8], out: &mut Vec<Reading>) -> Option<()> {
        if self.skip > 0 {
            let n = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
            *bytes = bytes.get(n..)?;
            self.skip -= n as u64;
            return (self.skip == 0).then_some(());
        }
        let (head, rest) = bytes.split_at_checked(HEAD)?;
        let (length, sum) = head.split_first_chunk::<8>()?;
        let size = u64::from_le_bytes(*length);
        if size > MAX_LENGTH || checksum(length).to_le_bytes() != sum {
            self.losses.rubbish += u64::from(!self.searching);
            self.searching = true;
            *bytes = bytes.get(1..)?;
            return Some(());
        }
        self.searching = false;
        if size > MAX_RECORD as u64 {
            self.losses.too_long += 1;
            self.skip = size + 4;
            *bytes = rest;
            return Some(());
        }
        let (data, rest) = rest.split_at_checked(usize::try_from(size).ok()?)?;
        let (sum, rest) = rest.split_at_checked(4)?;
        *bytes = rest;
        if checksum(data).to_le_bytes() != sum || self.event(data, out).is_none() {
            self.losses.rubbish += 1;
        }
        Some(())
    }

    /// Reads an `Event`: 2 is its step, 5 its summary, whose field 1 repeats.
    fn event(&mut self, data: &[u8], out: &mut Vec<Reading>) -> Option<()> {
        let mut step = 0i64;
        let mut summary = None;
        fields(data, |number, wire| match (number, wire) {
            (2, Wire::Varint(value)) => step = value.cast_signed(),
            (5, Wire::Bytes(value)) => summary = Some(value),
            _ => {}
        })?;
        let mut values = Vec::new();
        fields(summary.unwrap_or_default(), |number, wire| {
            if let (1, Wire::Bytes(value)) = (number, wire) {
                values.push(value);
            }
        })?;
        let start = out.len();
        for value in values {
            if self.value(value, step as f64, out).is_none() {
                out.truncate(start);
                return None;
            }
        }
        Some(())
    }

    /// Reads a `Summary.Value`: 1 is its tag, 2 a plain number, 8 a tensor. Images and the like have neither.
    fn value(&mut self, data: &[u8], step: f64, out: &mut Vec<Reading>) -> Option<()> {
        let (mut tag, mut found) = (&b""[..], None);
        fields(data, |number, wire| match (number, wire) {
            (1, Wire::Bytes(text)) => tag = text,
            (2, Wire::Fixed32(bytes)) => found = Some(f64::from(f32::from_le_bytes(bytes))),
            (8, Wire::Bytes(bytes)) => found = tensor(bytes).or(found),
            _ => {}
        })?;
        if let Some(value) = found.filter(|_| !tag.is_empty()) {
            out.push(Reading { key: self.key(tag), step: Some(step), value });
        }
        Some(())
    }

    fn key(&mut self, tag: &[u8]) -> Arc<str> {
        if let Some(known) = self.tags.get(tag) {
            return Arc::clone(known);
        }
        let key: Arc<str> = String::from_utf8_lossy(tag).into();
        if self.tags.len() < MAX_KNOWN {
            self.tags.insert(tag.into(), Arc::clone(&key));
        }
        key
    }
}

/// Returns the number that a `TensorProto` of one element holds.
fn tensor(data: &[u8]) -> Option<f64> {
    let (mut kind, mut single, mut found, mut bits) = (0, true, None, None);
    let mut content = &b""[..];
    fields(data, |number, wire| match (number, wire) {
        (1, Wire::Varint(value)) => kind = value,
        (2, Wire::Bytes(shape)) => single = one_element(shape),
        (4, Wire::Bytes(bytes)) => content = bytes,
        // Lists of numbers, packed or not: half, float, double, int, int64, bool.
        (5, Wire::Bytes(bytes)) => found = scalar::read(Kind::Float, bytes, false),
        (5, Wire::Fixed32(bytes)) => found = scalar::read(Kind::Float, &bytes, false),
        (6, Wire::Bytes(bytes)) => found = scalar::read(Kind::Float, bytes, false),
        (6, Wire::Fixed64(bytes)) => found = scalar::read(Kind::Float, &bytes, false),
        (7 | 10 | 11 | 13, Wire::Bytes(mut bytes)) => bits = varint(&mut bytes),
        (7 | 10 | 11 | 13, Wire::Varint(value)) => bits = Some(value),
        _ => {}
    })?;
    if !single {
        return None;
    }
    // `DataType` of `types.proto`.
    let (element, width) = match kind {
        1 => (Kind::Float, 4),
        2 => (Kind::Float, 8),
        3 => (Kind::Signed, 4),
        4 => (Kind::Unsigned, 1),
        5 => (Kind::Signed, 2),
        6 => (Kind::Signed, 1),
        9 => (Kind::Signed, 8),
        10 => (Kind::Bool, 1),
        14 => (Kind::Brain, 2),
        17 => (Kind::Unsigned, 2),
        19 => (Kind::Float, 2),
        22 => (Kind::Unsigned, 4),
        23 => (Kind::Unsigned, 8),
        _ => return None,
    };
    if !content.is_empty() {
        return (content.len() == width).then(|| scalar::read(element, content, false))?;
    }
    bits.map_or(found, |bits| {
        Some(match (element, width) {
            // `half_val` holds the bits.
            (Kind::Float, 2) => scalar::half(bits as u16),
            (Kind::Brain, _) => f64::from(f32::from_bits((bits as u32) << 16)),
            (Kind::Signed, _) => bits.cast_signed() as f64,
            (Kind::Float | Kind::Bool | Kind::Unsigned, _) => bits as f64,
        })
    })
}

/// Whether a `TensorShapeProto` (2: dimensions, of which 1 is the size) has room for one number.
fn one_element(shape: &[u8]) -> bool {
    let mut single = true;
    let whole = fields(shape, |number, wire| {
        if let (2, Wire::Bytes(dimension)) = (number, wire) {
            let mut size = 0;
            let read = fields(dimension, |number, wire| {
                if let (1, Wire::Varint(value)) = (number, wire) {
                    size = value;
                }
            });
            single &= read.is_some() && size == 1;
        }
    });
    whole.is_some() && single
}

impl Reader for TfEvents {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Reading>) {
        let mut held = std::mem::take(&mut self.pending);
        held.extend_from_slice(bytes);
        let mut rest = held.as_slice();
        while !rest.is_empty() && self.record(&mut rest, out).is_some() {}
        let used = held.len() - rest.len();
        held.drain(..used);
        self.pending = held;
    }

    fn finish(&mut self, _out: &mut Vec<Reading>) {
        // What was being written when the writer died.
        self.losses.rubbish += u64::from(!self.searching && (!self.pending.is_empty() || self.skip > 0));
        self.pending = Vec::new();
        self.skip = 0;
        self.searching = false;
    }

    fn losses(&self) -> Losses {
        self.losses
    }
}

/// The masked checksum of a record.
fn checksum(bytes: &[u8]) -> u32 {
    CASTAGNOLI.of(&[bytes]).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests;
