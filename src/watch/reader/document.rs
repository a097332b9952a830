//! A JSON document that is written anew each time: results (`metrics.json`), histories (`trainer_state.json`), or JSON lines after all.
//!
//! What grows at its end comes first, so that of a newer state only the end is new: records of histories in their order, then the numbers
//! beside them. Read at `finish`; a half document gives nothing.

use super::{Losses, Reader, Reading, json_lines, json_lines::Objects, scan};
use std::{collections::HashMap, sync::Arc};

/// Largest document that is read, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 64 << 20;
/// Longest list of numbers that is taken for a curve.
const MAX_CURVE: usize = 100_000;
/// The list of records in the state that Hugging Face's trainer stores; what stands beside it are settings.
const TRAINER_STATE: &[u8] = b"log_history";

/// Reads one document.
#[derive(Default)]
pub struct Document {
    pending: Vec<u8>,
    losses: Losses,
}

impl Document {
    /// Returns a reader at the start of a file.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Reader for Document {
    fn feed(&mut self, bytes: &[u8], _out: &mut Vec<Reading>) {
        if self.losses.too_long > 0 {
            return;
        }
        if self.pending.len() + bytes.len() > MAX_DOCUMENT_BYTES {
            self.losses.too_long = 1;
            self.pending = Vec::new();
            return;
        }
        self.pending.extend_from_slice(bytes);
    }

    fn finish(&mut self, out: &mut Vec<Reading>) {
        let text = std::mem::take(&mut self.pending);
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        if text.trim_ascii().is_empty() {
            return;
        }
        let start = out.len();
        if document(text, out).is_some() {
            return;
        }
        out.truncate(start);
        if json_lines::is_lines(text) {
            let mut lines = json_lines::JsonLines::new();
            lines.feed(text, out);
            lines.finish(out);
            self.losses = lines.losses();
        } else {
            self.losses.rubbish += 1;
        }
    }

    fn losses(&self) -> Losses {
        self.losses
    }

    fn remark(&self) -> Option<String> {
        (self.losses.too_long > 0).then(|| format!("larger than {} MiB: not read", MAX_DOCUMENT_BYTES >> 20))
    }
}

fn document(text: &[u8], out: &mut Vec<Reading>) -> Option<()> {
    let mut members = Vec::new();
    let list = scan::members(text, &mut |key, value| members.push((key, value)))?;
    if list {
        let mut objects = Objects::default();
        members.iter().filter(|(_, value)| value.starts_with(b"{")).for_each(|(_, value)| {
            objects.read(value, out);
        });
        return Some(());
    }
    let histories: Vec<(&[u8], Vec<&[u8]>)> = members.iter().filter_map(|(key, value)| Some((*key, records(value)?))).collect();
    let state = histories.iter().find(|(key, _)| *key == TRAINER_STATE);
    for (key, records) in &histories {
        if state.is_some_and(|(state, _)| state != key) {
            continue;
        }
        let mut objects = Objects::default();
        let start = out.len();
        records.iter().for_each(|record| {
            objects.read(record, out);
        });
        if histories.len() > 1 && state.is_none() {
            prefix(&String::from_utf8_lossy(key), out.get_mut(start..).unwrap_or_default());
        }
    }
    if state.is_none() {
        curves(&members, out);
        Objects::default().read(text, out);
    }
    Some(())
}

/// The elements of a list that holds objects and nothing else.
fn records(value: &[u8]) -> Option<Vec<&[u8]>> {
    if !value.starts_with(b"[") {
        return None;
    }
    let mut all = Vec::new();
    scan::members(value, &mut |_, element| all.push(element))?;
    (!all.is_empty() && all.iter().all(|element| element.starts_with(b"{"))).then_some(all)
}

fn prefix(name: &str, readings: &mut [Reading]) {
    let mut named: HashMap<Arc<str>, Arc<str>> = HashMap::new();
    for reading in readings {
        let key = named.entry(Arc::clone(&reading.key)).or_insert_with(|| format!("{name}.{}", reading.key).into());
        reading.key = Arc::clone(key);
    }
}

/// Lists of numbers of one length are curves (Keras's `history`): they are given step by step.
fn curves(members: &[(&[u8], &[u8])], out: &mut Vec<Reading>) {
    let mut found: Vec<(Arc<str>, Vec<f64>)> = Vec::new();
    for (key, value) in members.iter().filter(|(_, value)| value.starts_with(b"[")) {
        let (mut numbers, mut other) = (Vec::new(), false);
        let list = scan::members(value, &mut |_, element| match scan::number(element) {
            Some(number) => numbers.push(number),
            None => other = true,
        });
        if list.is_some() && !other && !numbers.is_empty() && numbers.len() <= MAX_CURVE {
            found.push((String::from_utf8_lossy(key).into(), numbers));
        }
    }
    let Some(length) = found.first().map(|(_, numbers)| numbers.len()) else { return };
    if found.iter().any(|(_, numbers)| numbers.len() != length) {
        return;
    }
    // A list named `epoch` or `step` counts for the others.
    let counter = found.iter().position(|(key, _)| super::step_rank(key).is_some());
    for at in 0..length {
        let step = counter.and_then(|c| found.get(c)?.1.get(at).copied());
        for (place, (key, numbers)) in found.iter().enumerate() {
            if Some(place) != counter
                && let Some(value) = numbers.get(at)
            {
                out.push(Reading { key: Arc::clone(key), step, value: *value });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<String>, Losses) {
        let (mut reader, mut out) = (Document::new(), Vec::new());
        reader.feed(text.as_bytes(), &mut out);
        reader.finish(&mut out);
        let shown = out.iter().map(|r| r.step.map_or_else(|| format!("{}={}", r.key, r.value), |s| format!("{}@{s}={}", r.key, r.value)));
        (shown.collect(), reader.losses())
    }

    #[test]
    fn documents() {
        let state = "{\n  \"best_metric\": 0.4,\n  \"epoch\": 2.0,\n  \"global_step\": 20,\n  \"log_history\": [\n    {\"epoch\": 1.0, \"loss\": 0.5, \
                     \"step\": 10},\n    {\"epoch\": 1.0, \"eval_loss\": 0.6, \"step\": 10}\n  ],\n  \"stateful_callbacks\": {\"x\": [{\"y\": 1}]}\n}";
        for (name, text, want, rubbish) in [
            ("hugging face", state, &["loss@10=0.5", "epoch@10=1", "eval_loss@10=0.6", "epoch@10=1"][..], 0),
            (
                "results",
                "{\n \"mse\": 0.3,\n \"test\": {\"mae\": 1e-3, \"ok\": true},\n \"n\": [1, \"a\"]\n}\n",
                &["mse=0.3", "test.mae=0.001"],
                0,
            ),
            ("one line", "{\"mse\": NaN}", &["mse=NaN"], 0),
            ("a list", "[{\"epoch\": 1, \"f1\": 0.5}, 3, {\"epoch\": 2, \"f1\": 0.6}]", &["f1@1=0.5", "f1@2=0.6"], 0),
            (
                "keras",
                "{\"loss\": [0.5, 0.4], \"val_loss\": [0.6, 0.7], \"best\": 0.6}",
                &["loss=0.5", "val_loss=0.6", "loss=0.4", "val_loss=0.7", "best=0.6"],
                0,
            ),
            ("a counting list", "{\"epoch\": [1, 2], \"loss\": [0.5, 0.4]}", &["loss@1=0.5", "loss@2=0.4"], 0),
            ("lists of all kinds", "{\"ids\": [1, 2, 3], \"scores\": [0.5, 0.4], \"f1\": 1}", &["f1=1"], 0),
            ("histories", "{\"train\": [{\"loss\": 1}], \"val\": [{\"loss\": 2}]}", &["train.loss=1", "val.loss=2"], 0),
            ("lines", "{\"step\": 1, \"x\": 1}\n{\"step\": 2, \"x\": 2}\n", &["x@1=1", "x@2=2"], 0),
            ("half", "{\"mse\": 0.3, \"ma", &[], 1),
            ("not yet", "", &[], 0),
            ("a number", "3", &[], 1),
        ] {
            let (got, losses) = read(text);
            assert_eq!(got, want, "{name}");
            assert_eq!(losses.rubbish, rubbish, "{name}");
        }
    }
}
