use super::super::{Patterns, Reader, Reading, Text};
use super::*;
use std::sync::Arc;

fn read(patterns: Patterns, text: &str) -> Vec<Reading> {
    let mut reader = Text::new(Arc::new(patterns));
    let mut out = Vec::new();
    reader.feed(text.as_bytes(), &mut out);
    reader.finish(&mut out);
    out
}

fn keys(text: &str) -> Vec<String> {
    suggest(text.lines()).into_iter().map(|c| c.key).collect()
}

/// Logs as trainers write them, and the keys that are wanted first.
const LOGS: &[(&str, &str, &[&str])] = &[
    ("a small trainer", "starting\nepoch 1 val_loss 0.512\nepoch 2 val_loss 0.412\n", &["val_loss"]),
    (
        "nanogpt",
        "number of parameters: 0.80M\nstep 0: train loss 4.2, val loss 4.3\niter 0: loss 4.2, time 109.01ms, mfu 0.01%\nstep 300: train loss 2.4057, val loss 2.4047\n",
        &["val_loss", "train_loss", "loss"],
    ),
    (
        "autoresearch",
        "step 00250 (26.3%) | loss: 3.9 | lrm: 1.00 | epoch: 1\r---\nval_bpb:          0.997900\ntraining_seconds: 300.1\n",
        &["val_bpb", "loss"],
    ),
    (
        "timexer",
        "\titers: 100, epoch: 1 | loss: 0.5465201\nEpoch: 1, Steps: 104 | Train Loss: 0.6754070 Vali Loss: 0.2675007 Test Loss: 0.3020351\nmse:0.306, mae:0.354\n",
        &["vali_loss", "test_loss", "loss", "train_loss", "mse", "mae"],
    ),
    (
        "golf",
        "step:200/20000 train_loss:2.8041 train_time:8677ms\nstep:400/20000 val_loss:2.0606 val_bpb:1.2172\n",
        &["val_loss", "val_bpb", "train_loss"],
    ),
    ("nanochat", "Step 00250 | Validation bpb: 0.977000\nStep 02000 | CORE metric: 0.1618\n", &["validation_bpb", "core_metric"]),
    (
        "airbench",
        "|  run     |  epoch  |  train_loss  |  val_acc  |\n|  1  |  12  |  1.2345  |  0.5  |\n|  1  |  13  |  1.1  |  0.6  |\n",
        &["val_acc", "train_loss"],
    ),
    ("tqdm", "12%|█▏ | 12/100 [00:03<00:20, 3.9it/s, loss=0.43, acc=0.9]\n", &["loss", "acc"]),
    ("hugging face", "{'loss': 0.5, 'learning_rate': 1e-05, 'epoch': 0.25}\n{'eval_loss': 0.4, 'epoch': 1.0}\n", &["eval_loss", "loss"]),
    (
        "xgboost",
        "[0]\ttrain-logloss:0.48\teval-logloss:0.52\n[1]\ttrain-logloss:0.38\teval-logloss:0.42\n",
        &["eval_logloss", "train_logloss"],
    ),
    ("stable baselines", "| rollout/    |      |\n|    ep_rew_mean | 22.3 |\n", &["rollout_ep_rew_mean"]),
];

#[test]
fn metrics_of_real_logs_are_proposed() {
    for (name, text, want) in LOGS {
        let got = keys(text);
        assert_eq!(got.get(..want.len()), Some(&want.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()[..]), "{name}: {got:?}");
    }
    assert_eq!(keys("We found 3 files in 2.5 seconds.\nNote: 3 things\n"), Vec::<String>::new());
}

#[test]
fn what_is_proposed_reads_what_was_found() {
    for (name, text, _) in LOGS {
        // Objects are read without a pattern, and before one.
        if text.starts_with('{') {
            continue;
        }
        let automatic = read(Patterns::default().and_automatic(), text);
        for candidate in suggest(text.lines()) {
            let patterns = Patterns::compile(std::slice::from_ref(&candidate.pattern), None, &[]).unwrap();
            let got: Vec<f64> = read(patterns, text).into_iter().filter(|r| *r.key == candidate.key).map(|r| r.value).collect();
            let want: Vec<f64> = automatic.iter().filter(|r| group_name(&r.key) == candidate.key).map(|r| r.value).collect();
            assert_eq!(got, want, "{name}: {}", candidate.pattern);
            assert_eq!(got.len() as u64, candidate.count, "{name}: {}", candidate.pattern);
            assert!(text.contains(&candidate.sample), "{name}");
        }
    }
}

#[test]
fn patterns_are_what_a_person_would_write() {
    let pattern = |text: &str, key: &str| suggest(text.lines()).into_iter().find(|c| c.key == key).map(|c| c.pattern).unwrap();
    let number = NUMBER;
    for (text, key, want) in [
        ("epoch 2 val_loss 0.412", "val_loss", format!(r"\bepoch\s+(?P<epoch>\d+).*?\bval_loss\s+(?P<val_loss>{number})")),
        ("val_bpb:          0.99", "val_bpb", format!(r"\bval_bpb:\s*(?P<val_bpb>{number})")),
        ("Average mAP: 12.34 (%)", "average_map", format!(r"\bAverage\s+mAP:\s*(?P<average_map>{number})")),
        ("12%|#| 12/100 [00:03<00:20, 3it/s, loss=0.43]", "loss", format!(r"(?P<step>\d+)/\d+ \[.*?\bloss=\s*(?P<loss>{number})")),
        ("{\"val_loss\": 0.5}", "val_loss", format!(r#"["']val_loss["']\s*:\s*(?P<val_loss>{number})"#)),
    ] {
        assert_eq!(pattern(text, key), want);
    }
}
