//! How many lines a second one core reads, as JSON, by patterns and automatically, and how many go all the way into a run's cache.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a bench prints, and may stop")]

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use trialdeck::{
    model::{Millis, RunNo, TrialId},
    watch::{
        Plan, Watcher,
        reader::{Format, JsonLines, Patterns, Reader},
    },
};

const LINES: usize = 500_000;

/// Writes the line of a step.
type Line = fn(usize) -> String;

fn main() {
    let text: String = (0..LINES)
        .map(|step| {
            let x = 1.0 / (1.0 + step as f64);
            format!("{{\"step\": {step}, \"train_loss\": {:.4}, \"dev_accuracy\": {:.3}, \"lr\": 0.001}}\n", 2.0 + x, 0.4 - x / 10.0)
        })
        .collect();
    let rate = measure(&text, || Box::new(JsonLines::new()), 3 * LINES);
    println!("JSON lines: {rate:.0} lines/s");

    let none = || Patterns::compile(&[], None, &[]).expect("no pattern");
    let pattern = r"step (?P<step>\d+).*train_loss: (?P<train_loss>\S+).*lr: (?P<lr>\S+)".to_owned();
    let patterns = Patterns::compile(&[pattern], None, &[]).expect("a pattern");
    let logs: [(&str, Patterns, usize, Line); 6] = [
        ("pattern", patterns, 2, |step| format!("step {step}/500000 | train_loss: {:.4} | lr: 1.00e-03\n", loss(step))),
        ("automatic, plain", none().and_automatic(), 1, |step| format!("step {step} loss {:.4}\n", loss(step))),
        ("automatic, full", none().and_automatic(), 3, |step| {
            format!("step {step}/500000 | train_loss: {:.4} | lr: 1.00e-03 | tok/sec: 513,227\n", loss(step))
        }),
        ("automatic, logging", none().and_automatic(), 2, |step| {
            format!("2026-11-21 12:00:01,123 INFO train: epoch={step} loss={:.4} acc=91.2%\n", loss(step))
        }),
        ("automatic, tqdm", none().and_automatic(), 1, |step| {
            format!("\r 45%|####5     | {step}/500000 [00:01<00:02, 3.9it/s, loss={:.4}]", loss(step))
        }),
        ("automatic, prose", none().and_automatic(), 0, |step| format!("Loading shard {step} of the data set from disk, please wait\n")),
    ];
    for (name, patterns, each, line) in logs {
        let (text, patterns) = ((0..LINES).map(line).collect::<String>(), Arc::new(patterns));
        let rate = measure(&text, || Format::Text.reader(Path::new("stdout"), &patterns), each * LINES);
        println!("{name}: {rate:.0} lines/s");
    }

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
        automatic: true,
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

fn loss(step: usize) -> f64 {
    2.0 + 1.0 / (1.0 + step as f64)
}

/// Returns the lines a second of the best of five goes.
fn measure(text: &str, fresh: impl Fn() -> Box<dyn Reader>, want: usize) -> f64 {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let (mut reader, mut out, mut readings) = (fresh(), Vec::new(), 0);
        let start = Instant::now();
        for piece in text.as_bytes().chunks(1 << 16) {
            reader.feed(piece, &mut out);
            readings += out.len();
            out.clear();
        }
        reader.finish(&mut out);
        best = best.min(start.elapsed());
        assert_eq!(readings + out.len(), want);
    }
    LINES as f64 / best.as_secs_f64()
}
