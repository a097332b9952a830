//! Which way a metric is better, as far as its name tells. A guess: who uses it says so.

use super::Goal;

const LOWER: &[&str] = &[
    "loss",
    "bpb",
    "bpc",
    "ppl",
    "perplexity",
    "mse",
    "mae",
    "rmse",
    "mape",
    "mspe",
    "smape",
    "error",
    "err",
    "nll",
    "wer",
    "cer",
    "fid",
    "regret",
    "elbo",
    "brier",
    "logloss",
    "crps",
    "distance",
    "bits",
    "latency",
];
const HIGHER: &[&str] = &[
    "acc",
    "accuracy",
    "auc",
    "auroc",
    "f1",
    "map",
    "ap",
    "iou",
    "miou",
    "bleu",
    "rouge",
    "r2",
    "psnr",
    "ssim",
    "reward",
    "return",
    "precision",
    "recall",
    "dice",
    "ndcg",
    "mrr",
    "score",
    "hit",
    "top1",
    "top5",
    "success",
    "winrate",
    "throughput",
];

impl Goal {
    /// The better end of a metric by the words of its name; none where they are silent or disagree (`error_score`): better
    /// asked than guessed.
    pub fn of_metric(name: &str) -> Option<Self> {
        match told(name) {
            (true, false) => Some(Self::Minimize),
            (false, true) => Some(Self::Maximize),
            (true, true) | (false, false) => None,
        }
    }
}

/// Whether a word of the name is that of a metric at all.
pub fn names_a_metric(name: &str) -> bool {
    let (lower, higher) = told(name);
    lower || higher
}

fn told(name: &str) -> (bool, bool) {
    let name = name.to_lowercase();
    let has = |list: &[&str]| name.split(|c: char| !c.is_alphanumeric()).any(|word| list.contains(&word));
    (has(LOWER), has(HIGHER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_direction_or_nothing() {
        for (name, goal) in [
            ("val_bpb", Some(Goal::Minimize)),
            ("val_rmse", Some(Goal::Minimize)),
            ("eval/accuracy", Some(Goal::Maximize)),
            ("mAP", Some(Goal::Maximize)),
            ("maple", None),
            ("error_score", None),
            ("metric", None),
        ] {
            assert_eq!(Goal::of_metric(name), goal, "{name}");
        }
    }
}
