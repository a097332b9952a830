//! The skeleton of an evaluator: a program that scores what a run saved against truth that no run saw, and the two lines by
//! which a training script saves it. What only a person can know is a TODO, and until it is done the program refuses to score.

use super::compose::Known;
use crate::task::inspect::{About, Facts};

/// The skeleton.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Skeleton {
    /// Its file's name, free in the repository.
    pub(super) name: String,
    /// The program.
    pub(super) text: String,
    /// What the run saves.
    pub(super) artifact: String,
    /// The held-back truth.
    pub(super) truth: String,
    /// What the training script needs.
    pub(super) two_lines: Vec<String>,
}

/// Lines that compute a score whose definition is the same everywhere, of numbers or of arrays; none for others.
fn formula(key: &str, numpy: bool) -> Option<&'static str> {
    let words: Vec<&str> = key.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let has = |wanted: &[&str]| words.iter().any(|w| wanted.contains(w));
    Some(match (numpy, ()) {
        (true, ()) if has(&["rmse"]) => "float(np.sqrt(np.mean((pred - truth) ** 2)))",
        (true, ()) if has(&["mse"]) => "float(np.mean((pred - truth) ** 2))",
        (true, ()) if has(&["mae"]) => "float(np.mean(np.abs(pred - truth)))",
        (true, ()) if has(&["acc", "accuracy"]) => "float(np.mean(pred == truth))",
        (false, ()) if has(&["rmse"]) => "(sum((p - t) ** 2 for p, t in zip(pred, truth)) / len(truth)) ** 0.5",
        (false, ()) if has(&["mse"]) => "sum((p - t) ** 2 for p, t in zip(pred, truth)) / len(truth)",
        (false, ()) if has(&["mae"]) => "sum(abs(p - t) for p, t in zip(pred, truth)) / len(truth)",
        (false, ()) if has(&["acc", "accuracy"]) => "sum(p == t for p, t in zip(pred, truth)) / len(truth)",
        _ => return None,
    })
}

/// Drafts the skeleton.
pub(super) fn draft(facts: &Facts, about: &About, known: &Known) -> Skeleton {
    let numpy = about.reached.iter().filter_map(|p| facts.scripts.get(p)).any(|s| {
        s.imports
            .iter()
            .filter(|i| !i.optional)
            .any(|i| matches!(i.module.split('.').next(), Some("numpy" | "torch" | "sklearn" | "pandas" | "jax" | "tensorflow")))
    });
    let key = known.metric.as_ref().map_or("score", |m| m.key.as_str());
    let free = |name: &str| !facts.tree.files.contains_key(name);
    let name =
        ["evaluate.py", "evaluate_trial.py", "trialdeck_evaluate.py"].into_iter().find(|n| free(n)).unwrap_or("trialdeck_evaluate.py");
    let (end, import, load, shape) = if numpy {
        ("npy", "import numpy as np\n", "np.load({}, allow_pickle=False)", "pred.shape != truth.shape")
    } else {
        ("json", "", "json.load(open({}))", "len(pred) != len(truth)")
    };
    let (artifact, truth) = (format!("pred.{end}"), format!("truth.{end}"));
    let open = |what: &str| load.replace("{}", what);
    let size = if numpy { "{pred.shape}, the truth is {truth.shape}" } else { "{len(pred)} values, the truth has {len(truth)}" };
    let score = match formula(key, numpy) {
        Some(formula) => format!("    return {formula}"),
        None => format!(
            "    # TODO(you): compute {key} of pred and truth here, and return one number.\n    sys.exit(\"evaluate: how {key} is computed is not written yet (see the TODO in this file)\")"
        ),
    };
    let text = format!(
        r#""""Scores the predictions of a run against truth that no run saw. Made by `trialdeck init` as a skeleton: the TODOs are yours.

It runs in a process of its own, out of the trial's reach, and prints one JSON object; the key `{key}` is the score.
"""
import json
import os
import sys

{import}
# TODO(you): put the held-back truth beside this file under this name, in the order in which the script predicts, and take it out
# of what the training reads. Then list both files in [evaluator] files of task.toml.
TRUTH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "{truth}")


def score(pred, truth):
{score}


def main():
    if not os.path.exists(TRUTH):
        sys.exit("evaluate: there is no {truth} beside this file yet (see the TODO in it)")
    path = os.path.join(os.environ["TRIALDECK_ARTIFACTS"], "{artifact}")
    if not os.path.exists(path):
        sys.exit("evaluate: the run saved no {artifact}")
    pred, truth = {pred}, {open_truth}
    if {shape}:
        sys.exit(f"evaluate: the predictions are {size}")
    print(json.dumps({{"{key}": score(pred, truth)}}))


if __name__ == "__main__":
    main()
"#,
        pred = open("path"),
        open_truth = open("TRUTH"),
    );
    let two_lines = if numpy {
        vec!["import numpy as np".to_owned(), format!("np.save(\"{artifact}\", predictions)   # of the held-back inputs, in their order")]
    } else {
        vec![
            "import json".to_owned(),
            format!("json.dump(list(predictions), open(\"{artifact}\", \"w\"))   # of the held-back inputs, in their order"),
        ]
    };
    Skeleton { name: name.to_owned(), text, artifact, truth, two_lines }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::inspect::{Candidate, Tree, python};
    use std::collections::BTreeMap;

    #[test]
    fn the_skeleton_is_python_and_never_pretends() {
        for (source, key, formula) in [
            ("import numpy as np\n", "test_mse", true),
            ("import json\n", "val_accuracy", true),
            ("import torch\n", "val_bpb", false),
            ("x = 1\n", "score", false),
        ] {
            let texts = BTreeMap::from([("train.py".to_owned(), source.to_owned()), ("evaluate.py".to_owned(), String::new())]);
            let facts = Facts::of(Tree { files: texts.keys().map(|k| (k.clone(), 1)).collect(), texts, ..Tree::default() });
            let about = facts.about("python train.py");
            let metric =
                Candidate { key: key.into(), pattern: String::new(), typed: String::new(), goal: None, at: String::new(), points: 0 };
            let made = draft(&facts, &about, &Known { metric: Some(metric), ..Known::default() });
            assert!(python::read(&made.text).is_ok(), "{}", made.text);
            assert_eq!(made.name, "evaluate_trial.py");
            assert_eq!(made.text.contains("is not written yet"), !formula, "{key}");
            assert_eq!(made.text.contains("import numpy"), source.contains("numpy") || source.contains("torch"));
            assert!(made.text.contains(&format!("{{\"{key}\": score(pred, truth)}}")));
            assert_eq!(made.two_lines.len(), 2);
        }
    }
}
