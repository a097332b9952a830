//! Answers questions about a run's curves from its cache, for the engine and for a study without one.

use super::cache;
use crate::model::curve;
use std::{collections::BTreeMap, io, path::Path};

/// A curve, thinned for a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// (step, value), at most two a column and the two ends.
    pub points: Vec<(f64, f64)>,
    /// Points of this key in the cache, whatever the range.
    pub total: u64,
    /// The last value written.
    pub last: Option<f64>,
}

/// One key of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct KeySummary {
    /// Its name, as the run wrote it: untrusted text.
    pub key: String,
    /// Points.
    pub count: u64,
    /// The last value.
    pub last: f64,
}

/// Returns the curve of `key` in `range` (closed; the whole curve without one), thinned to `width` columns.
///
/// Errors: the file's; a cache that is not there gives an empty curve.
pub fn series(cache: &Path, key: &str, range: Option<(f64, f64)>, width: usize) -> io::Result<Series> {
    let mut points = Vec::new();
    let mut last = None;
    // The start of a line tells most other keys apart without parsing it.
    let start = format!("{{\"k\":{}", serde_json::to_string(key)?);
    cache::read(
        cache,
        |line| line.starts_with(start.as_bytes()),
        |row| {
            points.push((row.s, row.v));
            last = Some(row.v);
        },
    )?;
    Ok(Series { total: points.len() as u64, points: curve::decimate(&points, range, width), last })
}

/// Returns the keys of a cache by name.
///
/// Errors: the file's; a cache that is not there has no keys.
pub fn keys(cache: &Path) -> io::Result<Vec<KeySummary>> {
    let mut seen: BTreeMap<String, (u64, f64)> = BTreeMap::new();
    cache::read(
        cache,
        |_| true,
        |row| match seen.get_mut(row.k.as_ref()) {
            Some((count, last)) => {
                *count += 1;
                *last = row.v;
            }
            None => {
                seen.insert(row.k.into_owned(), (1, row.v));
            }
        },
    )?;
    Ok(seen.into_iter().map(|(key, (count, last))| KeySummary { key, count, last }).collect())
}

#[cfg(test)]
mod tests {
    use super::super::{cache::Cache, tail::Place};
    use super::*;
    use crate::model::{Millis, Point};

    #[test]
    fn curves_come_back_thinned() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run-1/metrics.jsonl");
        assert_eq!(keys(&path).unwrap(), []);
        assert_eq!(series(&path, "loss", None, 10).unwrap(), Series { points: vec![], total: 0, last: None });
        let (mut cache, _) = Cache::open(&path, |_| {}).unwrap();
        for step in 0..1000 {
            for (key, value) in [("loss", 1.0 / f64::from(step + 1)), ("quote\"d é", f64::NAN)] {
                cache.push(&Point { key: key.into(), step: f64::from(step), value, at: Millis(5) });
            }
        }
        cache.flush(&[super::super::cache::Mark::new(":stdout", Place { begin: 0, offset: 9, before: 1 }, 2000)]).unwrap();
        let got = series(&path, "loss", None, 20).unwrap();
        assert_eq!((got.total, got.last), (1000, Some(0.001)));
        assert!(got.points.len() <= 42 && got.points.first() == Some(&(0.0, 1.0)));
        assert_eq!(series(&path, "loss", Some((10.0, 12.0)), 20).unwrap().points.len(), 3);
        let list = keys(&path).unwrap();
        assert_eq!(list.iter().map(|k| (k.key.as_str(), k.count)).collect::<Vec<_>>(), [("loss", 1000), ("quote\"d é", 1000)]);
        assert!(series(&path, "quote\"d é", None, 20).unwrap().last.unwrap().is_nan());
    }

    #[test]
    fn a_torn_batch_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let point = |step: f64| Point { key: "loss".into(), step, value: 0.5, at: Millis(1) };
        let (mut cache, _) = Cache::open(&path, |_| {}).unwrap();
        cache.push(&point(1.0));
        cache.flush(&[super::super::cache::Mark::new("a", Place { begin: 0, offset: 9, before: 7 }, 1)]).unwrap();
        let whole = std::fs::metadata(&path).unwrap().len();
        let torn = concat!("{\"k\":\"loss\",\"s\":2.0,\"v\":0.5,\"t\":1}\n", "{\"k\":\"lo");
        std::io::Write::write_all(&mut std::fs::OpenOptions::new().append(true).open(&path).unwrap(), torn.as_bytes()).unwrap();
        let mut seen = Vec::new();
        let (_, marks) = Cache::open(&path, |p| seen.push(p)).unwrap();
        assert_eq!(seen, [point(1.0)]);
        assert_eq!(marks["a"].n, 1);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), whole);
    }
}
