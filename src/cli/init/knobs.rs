//! Which of the knobs that the command can reach come first in the file, and what the command line itself overrides.

use crate::model::{KnobValue, number::short};
use crate::propose::knobs::{self, Around, Kind, Knob};
use crate::task::inspect::{About, Facts};
use std::collections::BTreeMap;

/// Most that are listed one by one.
pub(super) const LISTED: usize = 40;

/// Words that mark what a person would try first, the most telling first.
const FIRST: &[&[&str]] = &[
    &["lr", "learning", "eta"],
    &["batch", "bs"],
    &["decay", "wd", "l2", "dropout", "drop"],
    &["width", "hidden", "dim", "model", "embd", "ff", "size", "channels", "units"],
    &["layers", "layer", "depth", "heads", "head", "blocks", "kernels"],
    &["warmup", "momentum", "beta", "beta1", "beta2", "betas", "clip", "schedule", "scheduler", "optimizer", "ratio", "frac"],
    &["epochs", "epoch", "steps", "iters", "patience"],
];

/// What can be turned, the likeliest to matter first, and the names of what only the command line itself sets.
pub(super) fn find(facts: &Facts, about: &About, command: &str) -> (Vec<Knob>, Vec<String>) {
    let (mut sources, mut fixed) = (BTreeMap::new(), BTreeMap::new());
    for (path, text) in facts.tree.texts.iter().filter(|(path, _)| knobs::is_source(path)) {
        let files = if about.editable.contains(path) { &mut sources } else { &mut fixed };
        files.insert(path.clone(), text.clone());
    }
    let found = knobs::discover_around(&sources, &[], &Around { command: Some(command), fixed });
    let by_command = found
        .aside
        .iter()
        .filter(|a| a.reason.starts_with("the run command sets "))
        .map(|a| a.name.rsplit(':').next().unwrap_or(&a.name).to_owned())
        .collect();
    let mut out: Vec<(usize, usize, Knob)> = found
        .knobs
        .into_iter()
        .map(|knob| {
            let file = about.named.iter().chain(&about.reached).position(|p| *p == knob.path).unwrap_or(usize::MAX);
            let name = knob.name.rsplit(['.', ':']).next().unwrap_or(&knob.name).to_ascii_lowercase();
            let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
            let rank = FIRST.iter().position(|group| words.iter().any(|w| group.contains(w))).unwrap_or(FIRST.len());
            (usize::from(file > 2), rank, knob)
        })
        .collect();
    out.sort_by_key(|(far, rank, _)| (*far, *rank));
    (out.into_iter().map(|(_, _, knob)| knob).collect(), by_command)
}

/// The lines of a `[[knob]]`.
pub(super) fn lines(knob: &Knob) -> Vec<String> {
    let mut out = vec![super::pair("name", &knob.name)];
    match &knob.kind {
        Kind::Float { lo, hi, log } => {
            out.push("type = \"float\"".into());
            out.push(format!("range = [{}, {}]", float(*lo), float(*hi)));
            out.extend(log.then(|| "log = true".to_owned()));
        }
        Kind::Int { lo, hi, log } => {
            out.push("type = \"int\"".into());
            out.push(format!("range = [{lo}, {hi}]"));
            out.extend(log.then(|| "log = true".to_owned()));
        }
        Kind::Bool => out.push("type = \"bool\"".into()),
        Kind::Choice(choices) => {
            let texts: Vec<String> = choices.iter().map(choice).collect();
            out.push("type = \"choice\"".into());
            out.push(format!("choices = [{}]", texts.join(", ")));
        }
    }
    out
}

fn choice(value: &KnobValue) -> String {
    match value {
        KnobValue::Choice(text) => super::quoted(text),
        KnobValue::Bool(b) => b.to_string(),
        KnobValue::Int(n) => n.to_string(),
        KnobValue::Float(f) => float(*f),
    }
}

/// A number with a point or an exponent, as TOML wants its floats.
fn float(value: f64) -> String {
    let text = short(value);
    if text.parse::<f64>().is_ok() && !text.contains(['.', 'e']) {
        format!("{text}.0")
    } else if text.parse::<f64>().is_ok() {
        text
    } else {
        format!("{value:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::inspect::Tree;

    #[test]
    fn the_command_overrides_arguments() {
        let source = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--d_model', type=int, default=512)\np.add_argument('--lr', type=float, default=0.1)\n";
        let texts = BTreeMap::from([("run.py".to_owned(), source.to_owned())]);
        let facts = Facts::of(Tree { files: texts.keys().map(|k| (k.clone(), 1)).collect(), texts, ..Tree::default() });
        let line = "python run.py --d_model 64";
        let (found, by_command) = find(&facts, &facts.about(line), line);
        assert_eq!(found.iter().map(|k| k.name.as_str()).collect::<Vec<_>>(), ["lr"]);
        assert_eq!(by_command, ["d_model"]);
        assert_eq!(lines(&found[0])[..2], ["name = \"lr\"", "type = \"float\""]);
    }
}
