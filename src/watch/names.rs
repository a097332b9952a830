//! Names of metrics when several files of a run give the same one: the first keeps it, the others get their directory or name before it.
//!
//! `train/` and `validation/` of one TensorBoard log both say `epoch_loss`; the second becomes `validation/epoch_loss`. Event files of one
//! directory are one log. A log that gives the *same values at the same steps* (printed and written to a file) is no second metric: it adds
//! what the first does not have, and its repetitions are left out; with the first value that differs it gets a name of its own after all.

use super::reader::{Format, Reading};
use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    path::Path,
    sync::Arc,
};

/// Who gave which name first, and what.
#[derive(Debug, Default)]
pub(super) struct Names {
    owners: HashMap<Arc<str>, Arc<str>>,
    others: HashMap<(Arc<str>, Arc<str>), Other>,
    values: HashMap<Arc<str>, Values>,
    kept: usize,
    ordinals: HashMap<(Arc<str>, Arc<str>), u64>,
    /// Logs that were written anew.
    rewritten: HashSet<Arc<str>>,
}

/// Of one name: where which log gave which value.
type Values = HashMap<At, (Arc<str>, f64)>;

/// A further log with a name that has an owner.
#[derive(Debug)]
enum Other {
    /// It has said nothing new so far. What was left out, in case that it turns out to be another metric.
    Twin(Vec<Reading>),
    /// It is another metric.
    Named(Arc<str>),
}

/// What is to be done with a reading.
#[derive(Debug, PartialEq)]
pub(super) enum Fate {
    /// It stands under its own name.
    Own,
    /// It stands under this one.
    Further(Arc<str>),
    /// It was given already.
    Again,
    /// It stands under this name, and before it those that were left out.
    Parted(Arc<str>, Vec<Reading>),
}

/// Where a value stands: at a step, or as which of those without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    Step(u64),
    Ordinal(u64),
}

/// Most names that are remembered; a run has fewer metrics.
const MAX_NAMES: usize = 4096;
/// Most values of a run that are remembered, about 16 MB; beyond it a log that repeated another is taken to go on so.
const MAX_VALUES: usize = 1 << 18;
/// Most readings of one log that are kept until it is known to be another metric.
const MAX_LEFT_OUT: usize = 256;

impl Names {
    /// Says under which name a log's reading stands. `had` says whether a further name is in use already.
    pub(super) fn of(&mut self, log: &Arc<str>, reading: &Reading, had: impl Fn(&str) -> bool) -> Fate {
        let key = &reading.key;
        let at = self.at(log, reading);
        let Some(owner) = self.owners.get(key).cloned() else {
            let labels = [label(log, ""), label(log, log), log];
            if let Some(name) = labels.iter().map(|label| format!("{label}/{key}")).find(|name| had(name)) {
                let name: Arc<str> = name.into();
                self.name(log, key, &name);
                return Fate::Further(name);
            }
            if self.owners.len() < MAX_NAMES {
                self.owners.insert(Arc::clone(key), Arc::clone(log));
            }
            self.keep(log, reading, at);
            return Fate::Own;
        };
        if owner == *log {
            // A twin may have been faster.
            return if self.told(log, reading, at) == Some(true) || self.repeats(log, reading, at) {
                Fate::Again
            } else {
                self.keep(log, reading, at);
                Fate::Own
            };
        }
        let told = self.told(log, reading, at);
        let repeated = self.repeats(log, reading, at);
        let full = self.kept >= MAX_VALUES;
        let place = (Arc::clone(log), Arc::clone(key));
        let room = self.others.len() < MAX_NAMES;
        let left_out = match (self.others.get_mut(&place), told) {
            (Some(Other::Named(name)), _) => {
                let named = Reading { key: Arc::clone(name), ..reading.clone() };
                return if self.repeats(log, &named, at) {
                    Fate::Again
                } else {
                    self.keep(log, &named, at);
                    Fate::Further(named.key)
                };
            }
            (Some(Other::Twin(_)), None) if full || repeated => return Fate::Again,
            (Some(Other::Twin(_)), None) => {
                self.keep(log, reading, at);
                return Fate::Own;
            }
            (Some(Other::Twin(left_out)), Some(true)) => {
                if left_out.len() < MAX_LEFT_OUT {
                    left_out.push(reading.clone());
                }
                return Fate::Again;
            }
            (None, Some(true)) if room => {
                self.others.insert(place, Other::Twin(vec![reading.clone()]));
                return Fate::Again;
            }
            (Some(Other::Twin(left_out)), Some(false)) => std::mem::take(left_out),
            (None, _) => Vec::new(),
        };
        let near = format!("{}/{key}", label(log, &owner));
        // Two further ones of the same label differ by their whole paths.
        let name: Arc<str> = if self.owners.contains_key(near.as_str()) { format!("{log}/{key}") } else { near }.into();
        self.name(log, key, &name);
        for reading in left_out.iter().chain([reading]) {
            let at = reading.step.map_or(at, |step| At::Step(step.to_bits()));
            self.keep(log, &Reading { key: Arc::clone(&name), ..reading.clone() }, at);
        }
        if left_out.is_empty() { Fate::Further(name) } else { Fate::Parted(name, left_out) }
    }

    /// A log is read from its beginning once more: what it repeats counts once. Lightning writes its table anew for each new column.
    pub(super) fn begin_again(&mut self, log: &Arc<str>) {
        self.ordinals.retain(|(of, _), _| of != log);
        self.rewritten.insert(Arc::clone(log));
    }

    /// Whether a log that was written anew gave this before.
    fn repeats(&self, log: &Arc<str>, reading: &Reading, at: At) -> bool {
        let given = || self.values.get(&reading.key)?.get(&at);
        self.rewritten.contains(log) && given().is_some_and(|(teller, value)| teller == log && value.to_bits() == reading.value.to_bits())
    }

    fn name(&mut self, log: &Arc<str>, key: &Arc<str>, name: &Arc<str>) {
        let place = (Arc::clone(log), Arc::clone(key));
        if self.others.len() < MAX_NAMES || self.others.contains_key(&place) {
            self.owners.insert(Arc::clone(name), Arc::clone(log));
            self.others.insert(place, Other::Named(Arc::clone(name)));
        }
    }

    fn at(&mut self, log: &Arc<str>, reading: &Reading) -> At {
        if let Some(step) = reading.step {
            return At::Step(step.to_bits());
        }
        match self.ordinals.entry((Arc::clone(log), Arc::clone(&reading.key))) {
            Entry::Occupied(mut seen) => {
                *seen.get_mut() += 1;
                At::Ordinal(*seen.get())
            }
            Entry::Vacant(new) => At::Ordinal(*new.insert(0)),
        }
    }

    /// Whether another log gave this value there; nothing if none gave any.
    fn told(&self, log: &Arc<str>, reading: &Reading, at: At) -> Option<bool> {
        let (teller, value) = self.values.get(&reading.key)?.get(&at)?;
        (teller != log).then(|| agree(*value, reading.value))
    }

    fn keep(&mut self, log: &Arc<str>, reading: &Reading, at: At) {
        if self.kept < MAX_VALUES {
            let of_key = self.values.entry(Arc::clone(&reading.key)).or_default();
            self.kept += usize::from(of_key.insert(at, (Arc::clone(log), reading.value)).is_none());
        }
    }
}

/// Whether two values are one: equal as 32-bit floats are, or the one is the other, rounded to the decimals that it has.
fn agree(a: f64, b: f64) -> bool {
    if !a.is_finite() || !b.is_finite() {
        return a == b || (a.is_nan() && b.is_nan());
    }
    let apart = (a - b).abs();
    if apart <= 1e-6 * a.abs().max(b.abs()) {
        return true;
    }
    let decimals = |v: f64| format!("{v}").split_once('.').map_or(0, |(_, decimals)| decimals.len());
    // Whole numbers are rather counted than rounded.
    let fewest = decimals(a).min(decimals(b));
    fewest > 0 && i32::try_from(fewest).is_ok_and(|n| apart <= 0.500_001 * 10f64.powi(-n))
}

/// What counts as one log: a file without its last extension, or a directory of event files.
pub(super) fn log(file: &str, format: Format) -> Arc<str> {
    let path = Path::new(file.trim_start_matches(':'));
    let log = match format {
        Format::TfEvents => path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("events")).to_owned(),
        Format::JsonLines | Format::Json | Format::Csv | Format::Text | Format::Npy | Format::Wandb => path.with_extension(""),
    };
    log.to_string_lossy().into()
}

/// The shortest word that tells a log from another: its own last part, or its directory's where that part is the same.
fn label<'a>(log: &'a str, owner: &str) -> &'a str {
    let split = |path: &'a str| path.rsplit_once('/');
    let last = |path: &'a str| split(path).map_or(path, |(_, last)| last);
    let other = owner.rsplit('/').next().unwrap_or(owner);
    match split(log) {
        Some((directory, name)) if name == other => last(directory),
        _ => last(log),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(key: &str, step: Option<f64>, value: f64) -> Reading {
        Reading { key: key.into(), step, value }
    }

    #[test]
    fn only_a_clash_changes_a_name() {
        let mut names = Names::default();
        let mut value = 0.0;
        let mut ask = |file: &str, format, key: &str| {
            value += 1.0;
            match names.of(&log(file, format), &reading(key, Some(1.0), value), |_| false) {
                Fate::Own => key.to_owned(),
                Fate::Further(name) => name.to_string(),
                other @ (Fate::Again | Fate::Parted(..)) => panic!("{other:?}"),
            }
        };
        for (file, format, key, want) in [
            (":stdout", Format::Text, "loss", "loss"),
            ("tb/train/events.out.tfevents.1.h", Format::TfEvents, "epoch_loss", "epoch_loss"),
            ("tb/validation/events.out.tfevents.2.h", Format::TfEvents, "epoch_loss", "validation/epoch_loss"),
            ("tb/train/events.out.tfevents.3.h", Format::TfEvents, "epoch_loss", "epoch_loss"),
            ("logs/a/metrics.csv", Format::Csv, "acc", "acc"),
            ("logs/b/metrics.csv", Format::Csv, "acc", "b/acc"),
            ("more/b/metrics.csv", Format::Csv, "acc", "more/b/metrics/acc"),
            ("logs/a/test.csv", Format::Csv, "acc", "test/acc"),
            ("logs/b/metrics.csv", Format::Csv, "acc", "b/acc"),
            (":stdout", Format::Text, "acc", "stdout/acc"),
            ("logs/a/metrics.csv", Format::Csv, "loss", "metrics/loss"),
        ] {
            assert_eq!(ask(file, format, key), want, "{file} {key}");
        }
    }

    /// What stands under which name in the end, as `name@step=value`.
    fn all(list: &[(&str, Option<f64>, f64)]) -> Vec<String> {
        let mut names = Names::default();
        let mut out = Vec::new();
        for (file, step, value) in list {
            let reading = reading("loss", *step, *value);
            let mut push = |name: &str, r: &Reading| out.push(format!("{name}@{:?}={}", r.step.unwrap_or(-1.0), r.value));
            match names.of(&log(file, Format::Text), &reading, |_| false) {
                Fate::Own => push("loss", &reading),
                Fate::Further(name) => push(&name, &reading),
                Fate::Again => {}
                Fate::Parted(name, before) => before.iter().chain([&reading]).for_each(|r| push(&name, r)),
            }
        }
        out
    }

    #[test]
    fn what_is_said_twice_counts_once() {
        let (out, file) = (":stdout", "m.jsonl");
        for (name, list, want) in [
            (
                "printed with fewer digits",
                &[(out, Some(0.0), 2.3457), (file, Some(0.0), 2.345_678), (file, Some(1.0), 1.5), (out, Some(1.0), 1.5)][..],
                &["loss@0.0=2.3457", "loss@1.0=1.5"][..],
            ),
            (
                "the file has more",
                &[(file, Some(0.0), 2.5), (out, Some(0.0), 2.5), (file, Some(1.0), 1.5), (file, Some(2.0), 1.0), (out, Some(2.0), 1.0)],
                &["loss@0.0=2.5", "loss@1.0=1.5", "loss@2.0=1"],
            ),
            (
                "no steps",
                &[(out, None, 0.5), (out, None, 0.25), (file, None, 0.5), (file, None, 0.25), (file, None, 0.125)],
                &["loss@-1.0=0.5", "loss@-1.0=0.25", "loss@-1.0=0.125"],
            ),
            (
                "one log may repeat itself",
                &[(out, Some(1.0), 0.5), (out, Some(1.0), 0.5), (out, Some(1.0), f64::NAN), (file, Some(1.0), f64::NAN)],
                &["loss@1.0=0.5", "loss@1.0=0.5", "loss@1.0=NaN"],
            ),
            (
                "alike at first, another after all",
                &[(out, Some(0.0), 1.5), (file, Some(0.0), 1.5), (out, Some(1.0), 1.2), (file, Some(1.0), 1.4), (file, Some(2.0), 1.3)],
                &["loss@0.0=1.5", "loss@1.0=1.2", "m/loss@0.0=1.5", "m/loss@1.0=1.4", "m/loss@2.0=1.3"],
            ),
            ("another step", &[(out, Some(1.0), 0.5), (file, Some(100.0), 0.5)], &["loss@1.0=0.5", "m/loss@100.0=0.5"]),
            ("whole numbers are not rounded", &[(out, Some(1.0), 2.0), (file, Some(1.0), 2.25)], &["loss@1.0=2", "m/loss@1.0=2.25"]),
        ] {
            assert_eq!(all(list), want, "{name}");
        }
    }

    #[test]
    fn rounded_values_agree() {
        for (a, b, want) in [
            (0.41, f64::from(0.41f32), true),
            (1e-5, f64::from(1e-5f32), true),
            (0.1235, 0.123_45, true),
            (0.1235, 0.1236, false),
            (91.2, 91.24, true),
            (0.9, 0.94, true),
            (0.9, 0.96, false),
            (1.0, 0.96, false),
            (f64::INFINITY, f64::INFINITY, true),
            (f64::NAN, 1.0, false),
        ] {
            assert_eq!((agree(a, b), agree(b, a)), (want, want), "{a} {b}");
        }
    }
}
