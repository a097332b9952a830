use super::super::{Patterns, Reader, Reading, Text};
use proptest::prelude::*;
use std::sync::Arc;

fn read(text: &[u8]) -> Vec<Reading> {
    let mut reader = Text::new(Arc::new(Patterns::default().and_automatic()));
    let mut out = Vec::new();
    reader.feed(text, &mut out);
    reader.finish(&mut out);
    out
}

/// `key@step=value`, with the step cut to four decimals.
fn shown(text: &str) -> Vec<String> {
    let short = |v: f64| format!("{v:.4}").trim_end_matches('0').trim_end_matches('.').to_owned();
    read(text.as_bytes())
        .iter()
        .map(|r| r.step.map_or_else(|| format!("{}={}", r.key, r.value), |s| format!("{}@{}={}", r.key, short(s), r.value)))
        .collect()
}

#[test]
fn lines_of_real_trainers() {
    let mut wrong = Vec::new();
    for (name, text, want) in [
        (
            "golf",
            "step:200/20000 train_loss:2.8041 train_time:8677ms step_avg:43.38ms",
            &["train_loss@200=2.8041", "train_time@200=8677", "step_avg@200=43.38"][..],
        ),
        (
            "golf, validation",
            "step:13780/20000 val_loss:2.0606 val_bpb:1.2172 train_time:600038ms",
            &["val_loss@13780=2.0606", "val_bpb@13780=1.2172", "train_time@13780=600038"],
        ),
        (
            "golf, the end",
            "final_int8_zlib_roundtrip_exact val_loss:2.07269931 val_bpb:1.22436570",
            &["val_loss=2.07269931", "val_bpb=1.2243657"],
        ),
        ("golf, memory", "peak memory allocated: 10184 MiB reserved: 10200 MiB", &["peak_memory_allocated=10184"]),
        ("nanochat, evaluation", "Step 00250 | Validation bpb: 0.977000", &["validation_bpb@250=0.977"]),
        ("nanochat, core", "Step 02000 | CORE metric: 0.1618", &["core_metric@2000=0.1618"]),
        (
            "nanochat, training",
            "step 00001/02000 (0.05%) | loss: 10.397220 | lrm: 1.00 | dt: 1021.55ms | tok/sec: 513,227 | bf16_mfu: 41.20 | epoch: 1 | total time: 0.02m",
            &["loss@1=10.39722", "lrm@1=1", "dt@1=1021.55", "tok/sec@1=513227", "bf16_mfu@1=41.2", "total_time@1=0.02", "epoch@1=1"],
        ),
        (
            "nanochat, the end",
            "Minimum validation bpb: 0.745036\nTotal training time: 182.49m\nPeak memory usage: 41021.33MiB",
            &["minimum_validation_bpb=0.745036", "total_training_time=182.49", "peak_memory_usage=41021.33"],
        ),
        (
            "autoresearch",
            "---\nval_bpb:          0.997900\ntraining_seconds: 300.1\npeak_vram_mb:     45060.2\n",
            &["val_bpb=0.9979", "training_seconds=300.1", "peak_vram_mb=45060.2"],
        ),
        ("timexer, batch", "\titers: 100, epoch: 1 | loss: 0.5465201", &["loss@100=0.5465201", "epoch@100=1"]),
        ("timexer, speed", "\tspeed: 0.0145s/iter; left time: 0.0725s", &["speed=0.0145", "left_time=0.0725"]),
        (
            "timexer, epoch",
            "Epoch: 1, Steps: 104 | Train Loss: 0.6754070 Vali Loss: 0.2675007 Test Loss: 0.3020351",
            &["train_loss@1=0.675407", "vali_loss@1=0.2675007", "test_loss@1=0.3020351"],
        ),
        ("timexer, prose", "Validation loss decreased (inf --> 0.267501).  Saving model ...\ntest shape: (977, 24, 1) (977, 24, 1)", &[]),
        ("timexer, the end", "mse:0.30622202157974243, mae:0.3544962704181671", &["mse=0.30622202157974243", "mae=0.3544962704181671"]),
        ("nanogpt", "step 300: train loss 2.4057, val loss 2.4047", &["train_loss@300=2.4057", "val_loss@300=2.4047"]),
        ("nanogpt, iteration", "iter 100: loss 2.6261, time 109.01ms, mfu 0.01%", &["loss@100=2.6261", "time@100=109.01", "mfu@100=0.01"]),
        ("actionformer", "Epoch: [003][00010/00100]\tTime 0.12 (0.13)\tLoss 1.23 (1.40)", &["Time@3.1=0.12", "Loss@3.1=1.23"]),
        (
            "actionformer, the end",
            "[Train]: Epoch 3 finished with lr=0.00100000\nAverage mAP: 12.34 (%)",
            &["lr@3=0.001", "average_map=12.34"],
        ),
        ("airbench, the end", "Mean: 0.9600    Std: 0.0012", &["Mean=0.96", "Std=0.0012"]),
        (
            "airbench, a table",
            "|  run     |  epoch  |  train_loss  |  val_acc  |\n|  1       |  12     |  1.2345  |  0.5  |\n|  1  |  eval  |    |  0.9601 |",
            &["train_loss@12=1.2345", "val_acc@12=0.5", "val_acc@12=0.9601"],
        ),
        ("a small trainer", "epoch 3 val_loss 0.412", &["val_loss@3=0.412"]),
        ("accuracy without a point", "epoch 3 acc 1", &["acc@3=1"]),
        ("tqdm", "12%|█▏ | 12/100 [00:03<00:20, 3.9it/s, loss=0.43, acc=0.9]", &["loss@12=0.43", "acc@12=0.9"]),
        (
            "tqdm, overwritten",
            "\r  1%|  | 1/100 [00:00<?, ?it/s, loss=2]\r  2%|  | 2/100 [00:00<00:09, 9it/s, loss=nan]\r",
            &["loss@1=2", "loss@2=NaN"],
        ),
        ("tqdm, described", "loss 0.9421:  40%|####      | 4.00k/10.0k [00:01<00:01, 3.1kit/s]", &["loss@4000=0.9421"]),
        ("tqdm, no total", "train: 12it [00:03, 3.9it/s, loss=0.43]", &["loss@12=0.43"]),
        (
            "lightning's bar of rich",
            "Epoch 3/9 ━━━╸━━━ 25/100 0:00:02 • 0:00:18 46.2it/s v_num: 0.000 train_loss: 0.431",
            &["train_loss@2.25=0.431"],
        ),
        ("hugging face", "{'loss': 0.41, 'learning_rate': 5e-05, 'epoch': 1.0}", &["loss@1=0.41", "learning_rate@1=0.00005"]),
        ("hugging face, behind its bar", " 20%|██ | 6/30 [00:02<00:09,  2.5it/s]{'loss': 0.31, 'epoch': 2.0}", &["loss@2=0.31"]),
        ("loguru", "2026-11-21 12:00:01.123 | INFO     | __main__:train:42 - epoch 3 loss=0.410 lr=1e-4", &["loss@3=0.41", "lr@3=0.0001"]),
        ("logging", "2026-11-21 12:00:01,123 INFO train: epoch=3 loss=0.41", &["loss@3=0.41"]),
        ("a share", "[Epoch 3/10] train_loss: 0.31 | val_acc: 91.2%", &["train_loss@3=0.31", "val_acc@3=91.2"]),
        ("lightning's bar", "Epoch 3:  25%|██▌  | 25/100 [00:02<00:18, 46.2it/s, v_num=0, train_loss=0.43]", &["train_loss@3.25=0.43"]),
        (
            "keras",
            "Epoch 2/10\n 50/100 [=====>....] - ETA: 1s - loss: 0.4 - accuracy: 0.9\n100/100 [==========] - 3s 2ms/step - loss: 0.3 - val_loss: 0.5\n",
            &["loss@1.5=0.4", "accuracy@1.5=0.9", "loss@2=0.3", "val_loss@2=0.5"],
        ),
        (
            "keras 3",
            "Epoch 1/3\n938/938 ━━━━━━━━━━━━ 3s 1ms/step - accuracy: 0.8747 - loss: 0.4352",
            &["accuracy@1=0.8747", "loss@1=0.4352"],
        ),
        ("pytorch's mnist", "Train Epoch: 1 [30000/60000 (50%)]\tLoss: 2.300039", &["Loss@1.5=2.300039"]),
        (
            "pytorch's mnist, test",
            "Test set: Average loss: 0.0501, Accuracy: 9831/10000 (98%)",
            &["average_loss=0.0501", "Accuracy=0.9831"],
        ),
        ("pytorch's tutorial", "Epoch [3/10], Step [100/400], Loss: 0.1234", &["Loss@2.25=0.1234"]),
        ("xgboost", "[0]\ttrain-logloss:0.48\teval-logloss:0.52", &["train-logloss@0=0.48", "eval-logloss@0=0.52"]),
        (
            "catboost",
            "10:\tlearn: 0.67\ttest: 0.68\tbest: 0.68 (9)\ttotal: 50ms\tremaining: 5s",
            &["learn@10=0.67", "test@10=0.68", "best@10=0.68", "total@10=50", "remaining@10=5"],
        ),
        (
            "fairseq",
            "2026-01-02 10:11:12 | INFO | train | epoch 001 | loss 7.5 | ppl 181 | wps 2000 | lr 1e-05",
            &["loss@1=7.5", "ppl@1=181", "wps@1=2000", "lr@1=0.00001"],
        ),
        (
            "mmcv",
            "2026-01-02 10:11:12,345 - mmdet - INFO - Epoch [1][50/100]\tlr: 1.978e-03, eta: 1 day, 2:30:11, time: 0.6, loss_cls: 0.5, loss: 2.3",
            &["lr@1.5=0.001978", "time@1.5=0.6", "loss_cls@1.5=0.5", "loss@1.5=2.3"],
        ),
        (
            "stable baselines",
            "-------\n| rollout/    |      |\n|    ep_rew_mean | 22.3 |\n| time/  |   |\n|    fps | 1234 |\n-------",
            &["rollout/ep_rew_mean=22.3", "time/fps=1234"],
        ),
        ("drawn", "│   test_acc   │   0.9123   │", &["test_acc=0.9123"]),
        ("hugging face", "{'loss': 0.5, 'learning_rate': 1e-05, 'epoch': 0.25}", &["loss@0.25=0.5", "learning_rate@0.25=0.00001"]),
        ("an object behind words", "INFO: {'eval_loss': 0.5, 'step': 12}", &["eval_loss@12=0.5"]),
        ("sklearn", "Iteration 1, loss = 2.30258509", &["loss@1=2.30258509"]),
        ("colours", "\x1b[32mepoch\x1b[0m 3 \x1b[1mval_loss\x1b[0m=\x1b[31m1.5e-3\x1b[0m", &["val_loss@3=0.0015"]),
        ("not finite", "epoch 1 loss nan\nepoch 2 loss: -inf", &["loss@1=NaN", "loss@2=-inf"]),
        ("share in percent", "test accuracy: 91.2%", &["test_accuracy=91.2"]),
        ("with an error", "val_loss: 0.43 ± 0.02", &["val_loss=0.43"]),
        ("a statement", "Accuracy on test set: 91.2", &["accuracy_on_test_set=91.2"]),
        ("a tail", "crps: 0.125", &["crps=0.125"]),
        ("a name nobody knows", "wobble: 0.125", &["wobble=0.125"]),
    ] {
        let got = shown(text);
        if got != want {
            wrong.push(format!("{name}: {got:?} instead of {want:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_metric() {
    for line in [
        "Note: 3 files were found",
        "Note: 3 files, 2 of them large",
        "Warning: 3 deprecated options",
        "Error: 3",
        "KeyError: 3",
        "Using seed: 42",
        "Listening on port: 8080",
        "http://127.0.0.1:8080/x?y=3",
        "  File \"train.py\", line 12, in main",
        "train.py:12: UserWarning: 3 things",
        "2026-01-02 12:30:45,123 INFO starting",
        "[12:30:45] loading",
        "Start time: 12:30:45",
        "took 3.5 seconds",
        "Loading 3 files (took: 4.2s)",
        "We saw an accuracy of 0.9 in the paper",
        "We got accuracy 0.9 there",
        "The loss was 0.5 after 3 tries",
        "loss improved from 0.5 to 0.4",
        "score 3 goals",
        "error 404",
        "return 0",
        "Namespace(lr=0.1, epochs=10, dropout=0.5)",
        "AdamW(lr=0.001, weight_decay=0.1)",
        "Dropout(p=0.1, inplace=False)",
        "batch_size: 32",
        "dropout: 0.1",
        "numpy==1.26.4 torch==2.1.0",
        "version: 1.2.3",
        "commit 1e5d3f loss",
        "| a | b |",
        "x > 3 and y < 4",
        "GPU 0: 40 C, 30 W",
        "100%|##########| 100/100 [00:01<00:00, 99.3it/s]",
        "Epoch 3/10",
    ] {
        assert_eq!(shown(line), Vec::<String>::new(), "{line}");
    }
}

#[test]
fn junk_cannot_fill_the_list_of_metrics() {
    let text: String = (0..2000).map(|n| format!("step {n} loss_{n}: 0.5\n")).collect();
    assert_eq!(read(text.as_bytes()).len(), super::MAX_NAMES);
}

/// Words of reports, documents and messages; those of metrics among them.
const PROSE: &[&str] = &[
    "the",
    "loss",
    "of",
    "a",
    "model",
    "with",
    "accuracy",
    "was",
    "is",
    "we",
    "found",
    "that",
    "training",
    "took",
    "and",
    "in",
    "epoch",
    "after",
    "better",
    "than",
    "files",
    "data",
    "error",
    "because",
    "see",
    "table",
    "score",
    "for",
    "validation",
    "batch",
    "which",
    "more",
];

proptest! {
    /// Sentences with numbers in them are no metrics: a number within a sentence goes on with a word, or has no name before it.
    #[test]
    fn prose_is_no_metric(words in prop::collection::vec((prop::sample::select(PROSE), prop::option::weighted(0.2, 0u32..5000)), 3..24)) {
        let mut text = String::from("Here");
        for (word, number) in &words {
            text.push_str(&number.map_or_else(|| format!(" {word}"), |n| format!(" {word} the {n} things")));
        }
        text.push_str(" then.");
        prop_assert_eq!(shown(&text), Vec::<String>::new(), "{}", text);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(prop_oneof![
        prop::sample::select(b" \t|,;:=/()[]{}%.-+#0123456789einfasloE\r\n'\"".to_vec()), any::<u8>()], 0..200)) {
        let _ = read(&bytes);
    }
}
