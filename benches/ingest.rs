//! How many JSON lines a second one core reads, and how many go all the way into a run's cache.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a bench prints, and may stop")]

use std::{
    fs,
    time::{Duration, Instant},
};
use trialdeck::{
    model::{Millis, RunNo, TrialId},
    watch::{
        Plan, Watcher,
        reader::{JsonLines, Reader},
    },
};

const LINES: usize = 500_000;

fn main() {
    let text: String = (0..LINES)
        .map(|step| {
            let x = 1.0 / (1.0 + step as f64);
            format!("{{\"step\": {step}, \"train_loss\": {:.4}, \"dev_accuracy\": {:.3}, \"lr\": 0.001}}\n", 2.0 + x, 0.4 - x / 10.0)
        })
        .collect();
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let (mut reader, mut out, mut readings) = (JsonLines::new(), Vec::new(), 0);
        let start = Instant::now();
        for piece in text.as_bytes().chunks(1 << 16) {
            reader.feed(piece, &mut out);
            readings += out.len();
            out.clear();
        }
        best = best.min(start.elapsed());
        assert_eq!(readings, 3 * LINES);
    }
    println!("reader: {:.0} lines/s", LINES as f64 / best.as_secs_f64());

    let dir = tempfile::tempdir().expect("a temporary directory");
    let run = TrialId(1).run(RunNo(1));
    let stdout = dir.path().join("stdout.log");
    fs::write(&stdout, &text).expect("the log");
    let watcher = Watcher::start(|| Millis(0), |_| {}).expect("a watcher");
    let plan = Plan {
        run,
        stdout,
        stderr: None,
        patterns: vec![],
        printed: vec![],
        root: dir.path().to_owned(),
        files: vec![],
        cache: dir.path().join("metrics.jsonl"),
        primary: None,
    };
    let start = Instant::now();
    watcher.add(plan).expect("a plan");
    let totals = watcher.finish(run);
    assert_eq!(totals.points, 3 * LINES as u64);
    println!("file to cache: {:.0} lines/s", LINES as f64 / start.elapsed().as_secs_f64());
}
