//! Says in words and numbers why a point was chosen.
//!
//! Only what the history shows is claimed: where the good trials stand, what was never tried, and nothing of the cause.

use super::{
    Request, Seen,
    axes::Axis,
    choose::{Change, Chosen, Phase},
};
use crate::{
    model::{
        Goal, KnobValue,
        number::{four, rough},
    },
    propose::{
        knobs::Kind,
        samplers::{Outcome, Sampler},
    },
};
use std::fmt::Write;

/// One sentence: the change, and what speaks for it.
pub(super) fn hypothesis(request: &Request<'_>, axes: &[Axis<'_>], chosen: &Chosen) -> String {
    let strongest = strongest(chosen);
    let why = strongest.and_then(|change| reason(request, axes.get(change.axis)?, change));
    let verb = if why.as_ref().is_some_and(|w| w.explores) { "explore: " } else { "" };
    let parts: Vec<String> = chosen.changes.iter().filter_map(|c| Some(phrase(axes.get(c.axis)?, c, verb.is_empty()))).collect();
    let changes = parts.join(", ");
    match (why, strongest.and_then(|c| axes.get(c.axis)), parts.len()) {
        (Some(why), Some(axis), 2..) => format!("{verb}{changes}; for {}, {}", axis.knob.name, why.text),
        (Some(why), ..) => format!("{verb}{changes}: {}", why.text),
        (None, ..) => changes,
    }
}

/// The change that carries most of log l - log g; the first, without a model.
fn strongest(chosen: &Chosen) -> Option<&Change> {
    chosen.changes.iter().reduce(|a, b| if b.ratio > a.ratio { b } else { a })
}

/// `raise LR 0.01 → 0.05`; after `explore:` without the verb.
fn phrase(axis: &Axis<'_>, change: &Change, with_verb: bool) -> String {
    let name = &axis.knob.name;
    let arrow = format!("{name} {} → {}", change.from, change.to);
    if !with_verb {
        return arrow;
    }
    match (&change.from, &change.to, numbers(change)) {
        (_, KnobValue::Bool(true), _) => format!("turn {name} on"),
        (_, KnobValue::Bool(false), _) => format!("turn {name} off"),
        (_, _, Some((from, to))) if matches!(axis.knob.kind, Kind::Int { .. } | Kind::Float { .. }) => {
            format!("{} {arrow}", if to > from { "raise" } else { "lower" })
        }
        _ => format!("set {arrow}"),
    }
}

struct Why {
    text: String,
    explores: bool,
}

/// What the history says of the strongest change.
fn reason(request: &Request<'_>, axis: &Axis<'_>, change: &Change) -> Option<Why> {
    let ranked = ranked(request, axis);
    let explores = |text: String| Some(Why { text, explores: true });
    let n = ranked.len();
    let same = ranked.iter().filter(|(v, _)| *v == change.to).count();
    let Some((_, to)) = numbers(change).filter(|_| !matches!(axis.knob.kind, Kind::Choice(_) | Kind::Bool)) else {
        let mut with = ranked.iter().filter(|(v, _)| *v == change.to).map(|(_, s)| *s);
        let mut without = ranked.iter().filter(|(v, _)| *v != change.to).map(|(_, s)| *s);
        let (Some(best_with), Some(best_without)) = (with.next(), without.next()) else {
            return explores(if same == 0 { "it was never tried".into() } else { "every trial so far had it".into() });
        };
        let better = request.goal.better(best_with, best_without);
        let text = format!("best {} {} with it in {same} of {n} trials, {} without", request.metric, four(best_with), four(best_without));
        return Some(Why { text, explores: !better });
    };
    let tried: Vec<f64> = ranked.iter().filter_map(|(v, _)| number(v)).collect();
    let (low, high) = tried.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    if n == 0 {
        return explores("no trial has a score yet".into());
    }
    if to > high {
        return explores(format!("nothing above {} was tried", four(high)));
    }
    if to < low {
        return explores(format!("nothing below {} was tried", four(low)));
    }
    // The claim that separates best: the top trials all stand on the new value's side of some place.
    let top: Vec<f64> = tried.iter().copied().take(top_of(n)).collect();
    let (from, to) = numbers(change)?;
    let (low, high) = top.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    let k = top.len();
    let best = if k == 1 { "the best".to_owned() } else { format!("the {k} best") };
    let sits = if k == 1 { "sits" } else { "sit" };
    if n >= 4 && to > from && low > from {
        return Some(Why { text: format!("{best} of {n} trials {sits} at {} or above", four(low)), explores: false });
    }
    if n >= 4 && to < from && high < from {
        return Some(Why { text: format!("{best} of {n} trials {sits} at {} or below", four(high)), explores: false });
    }
    if let Some((place, seen)) = good_neighbour(request, axis, change).filter(|_| n >= 4) {
        let value = seen.knobs.get(&axis.knob.name).map(ToString::to_string).unwrap_or_default();
        return Some(Why { text: format!("{}, {} of {n} trials, has {value}", seen.trial, ordinal(place)), explores: false });
    }
    let span = tried.iter().filter(|v| (**v - to).abs() <= (from - to).abs() / 2.0).count();
    explores(if same > 0 {
        format!("seen in {same} of {n} trials, in other combinations")
    } else if span == 0 {
        format!("nothing near {} was tried in {n} trials", change.to)
    } else {
        format!("{span} of {n} trials were near it")
    })
}

/// A third of the trials, at least one: enough to call a region good, few enough to mean something.
fn top_of(n: usize) -> usize {
    (n / 3).clamp(1, 5)
}

/// Values of a knob with their scores, the best first.
fn ranked(request: &Request<'_>, axis: &Axis<'_>) -> Vec<(KnobValue, f64)> {
    let of = |seen: &Seen| match seen.outcome {
        Outcome::Score(score) if score.is_finite() => Some((seen.knobs.get(&axis.knob.name)?.clone(), score)),
        _ => None,
    };
    let mut out: Vec<(KnobValue, f64)> = request.history.iter().filter_map(of).collect();
    out.sort_by(|a, b| {
        let (a, b) = if request.goal == Goal::Minimize { (a.1, b.1) } else { (b.1, a.1) };
        a.total_cmp(&b)
    });
    out
}

/// The best of the top trials that stands nearer to the new value than to the old one, with its place.
fn good_neighbour<'r>(request: &'r Request<'_>, axis: &Axis<'_>, change: &Change) -> Option<(usize, &'r Seen)> {
    let of = |seen: &'r Seen| match seen.outcome {
        Outcome::Score(score) if score.is_finite() => Some((seen, score)),
        _ => None,
    };
    let mut scored: Vec<(&Seen, f64)> = request.history.iter().filter_map(of).collect();
    scored.sort_by(|a, b| request.goal.gain(a.1, b.1).total_cmp(&0.0).reverse());
    let place = |value: &KnobValue| axis.encode(value).map(|v| axis.domain.coordinate(&v));
    let (from, to) = (place(&change.from)?, place(&change.to)?);
    let top = scored.iter().take(top_of(scored.len())).enumerate();
    let near = |seen: &Seen| seen.knobs.get(&axis.knob.name).and_then(place).is_some_and(|at| (at - to).abs() < (at - from).abs());
    top.map(|(i, (seen, _))| (i + 1, *seen)).find(|(_, seen)| near(seen))
}

fn ordinal(place: usize) -> String {
    match place {
        1 => "the best".into(),
        2 => "2nd best".into(),
        3 => "3rd best".into(),
        n => format!("{n}th best"),
    }
}

fn numbers(change: &Change) -> Option<(f64, f64)> {
    Some((number(&change.from)?, number(&change.to)?))
}

fn number(value: &KnobValue) -> Option<f64> {
    match value {
        KnobValue::Int(v) => Some(*v as f64),
        KnobValue::Float(v) => Some(*v),
        KnobValue::Bool(_) | KnobValue::Choice(_) => None,
    }
}

/// The numbers behind the choice, a few plain lines.
pub(super) fn reasoning(request: &Request<'_>, axes: &[Axis<'_>], chosen: &Chosen) -> String {
    let mut lines: Vec<String> = Vec::new();
    let scores: Vec<(&Seen, f64)> = request
        .history
        .iter()
        .filter_map(|s| match s.outcome {
            Outcome::Score(v) if v.is_finite() => Some((s, v)),
            _ => None,
        })
        .collect();
    let pending = request.history.iter().filter(|s| matches!(s.outcome, Outcome::Pending)).count();
    let mut seen = format!("{} trials with a score, {} failed, {pending} pending", chosen.n_scores, chosen.n_crashes);
    let best = scores.iter().copied().reduce(|a, b| if request.goal.better(b.1, a.1) { b } else { a });
    if let Some((trial, score)) = best {
        let _ = write!(seen, "; best {} {} ({})", request.metric, four(score), trial.trial);
    }
    if let Some(sd) = request.noise_sd {
        let _ = write!(seen, "; noise of one run {}", rough(sd));
    }
    lines.push(seen);
    lines.push(match (request.sampler, chosen.phase) {
        (Sampler::Random, _) => "a uniform mutation of the parent, never seen before".to_owned(),
        (_, Phase::Explore) => "too few outcomes for a model: a mutation of the parent that favours knobs turned least".to_owned(),
        (_, Phase::Early) => format!(
            "{} mutations of the parent, ranked by log l - log g; l from the {} best, g from the other {}",
            chosen.considered, chosen.n_good, chosen.n_bad
        ),
        (_, Phase::Model) => format!(
            "{} mutations of the parent and draws from l, ranked by log l - log g; l from the {} best, g from the other {}",
            chosen.considered, chosen.n_good, chosen.n_bad
        ),
    });
    for change in &chosen.changes {
        let Some(axis) = axes.get(change.axis) else { continue };
        let mut line = format!("{}: {} → {} in {}", axis.knob.name, change.from, change.to, range(axis));
        if let Some(ratio) = change.ratio {
            let _ = write!(line, ", adds {ratio:+.2} to log l - log g");
        }
        lines.push(line);
    }
    if let Some(ratio) = chosen.ratio {
        lines.push(format!("log l - log g = {ratio:+.2}"));
    }
    if let Some((changes, ratio)) = &chosen.runner_up {
        let parts: Vec<String> = changes.iter().filter_map(|(a, to)| Some(format!("{} → {to}", axes.get(*a)?.knob.name))).collect();
        lines.push(format!("runner-up at {ratio:+.2}: {}", parts.join(", ")));
    }
    lines.join("\n")
}

fn range(axis: &Axis<'_>) -> String {
    let scale = |log: bool| if log { ", log" } else { "" };
    match &axis.knob.kind {
        Kind::Float { lo, hi, log } => {
            format!("[{}, {}{}{}]", four(*lo), four(*hi), scale(*log), if axis.knob.zero { ", or 0" } else { "" })
        }
        Kind::Int { lo, hi, .. } if axis.knob.powers_of_two => {
            let power = matches!(axis.knob.value, KnobValue::Int(v) if v.count_ones() == 1);
            format!("[{lo}, {hi}, {}]", if power { "powers of two" } else { "halved or doubled" })
        }
        Kind::Int { lo, hi, log } => format!("[{lo}, {hi}{}]", scale(*log)),
        Kind::Bool => "{false, true}".into(),
        Kind::Choice(choices) => format!("{{{}}}", choices.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// The part of the recipe that the names tell, the strongest change first; none where they tell none.
pub(super) fn surface(axes: &[Axis<'_>], chosen: &Chosen) -> Option<String> {
    const PARTS: &[(&str, &[&str])] = &[
        ("schedule", &["warmup", "epochs", "epoch", "steps", "iters", "schedule", "cooldown", "anneal", "passes", "patience", "min_lr"]),
        (
            "regularisation",
            &["dropout", "drop", "decay", "wd", "l1", "l2", "smoothing", "reg", "lambda", "regularization", "penalty", "mixup", "ridge"],
        ),
        (
            "optimizer",
            &[
                "lr",
                "learning",
                "momentum",
                "beta",
                "beta1",
                "beta2",
                "nesterov",
                "clip",
                "optimizer",
                "optimiser",
                "batch",
                "adam",
                "sgd",
                "muon",
            ],
        ),
        (
            "data",
            &[
                "data",
                "augment",
                "augmentation",
                "shuffle",
                "count",
                "ngram",
                "ngrams",
                "vocab",
                "lower",
                "lowercase",
                "tokens",
                "features",
                "crop",
                "flip",
                "sample",
                "samples",
                "buckets",
                "weighting",
                "tf",
                "idf",
            ],
        ),
        ("init", &["init", "std", "gain"]),
        ("loss", &["loss", "margin", "temperature", "focal"]),
        (
            "architecture",
            &[
                "layers",
                "layer",
                "hidden",
                "width",
                "dim",
                "heads",
                "head",
                "depth",
                "embd",
                "embed",
                "units",
                "channels",
                "activation",
                "norm",
                "bias",
                "kernel",
                "block",
                "blocks",
            ],
        ),
    ];
    let of = |name: &str| {
        let lower = name.to_ascii_lowercase();
        let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).collect();
        PARTS.iter().find(|(_, marks)| words.iter().any(|w| marks.contains(w))).map(|(part, _)| *part)
    };
    let rest = chosen.changes.iter();
    strongest(chosen).into_iter().chain(rest).filter_map(|c| axes.get(c.axis)).find_map(|a| of(&a.knob.name)).map(str::to_owned)
}
