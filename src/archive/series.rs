//! Curves of a run, from the cache that the watcher writes beside its logs.

use crate::protocol::{Curve, KeySummary};
use crate::watch::series;
use std::path::{Path, PathBuf};

/// Columns of a curve at most.
const WIDEST: u32 = 4096;
/// Names of metrics handed out at most.
const MOST_KEYS: usize = 2000;

/// Returns one metric's curve, at most two points a column.
pub(super) fn curve(run_dir: &Path, key: &str, width: u32) -> Result<Curve, String> {
    let path = cache(run_dir);
    let found =
        series::series(&path, key, None, width.min(WIDEST) as usize).map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
    let (steps, values) = found.points.into_iter().map(|(step, value)| (step, number(value))).unzip();
    Ok(Curve { steps, values, total: found.total })
}

/// Returns the metrics of a run by name.
pub(super) fn keys(run_dir: &Path) -> Result<Vec<KeySummary>, String> {
    let path = cache(run_dir);
    let found = series::keys(&path).map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
    Ok(found.into_iter().take(MOST_KEYS).map(|k| KeySummary { key: k.key, count: k.count, last: number(k.last) }).collect())
}

fn cache(run_dir: &Path) -> PathBuf {
    run_dir.join("metrics.jsonl")
}

/// JSON has neither NaN nor infinities: a chart draws a gap.
fn number(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
