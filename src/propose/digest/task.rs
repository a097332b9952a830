//! What is optimised, how scores are compared, and what is left to spend.

use super::effect::Effect;
use super::fit::Section;
use super::row::quoted;
use crate::model::{Goal, Noise, ScoreSource, Study, number};
use crate::propose::agent::Scene;
use crate::propose::role::{phase, seconds};
use crate::task::{BudgetKind, Gate, Task};

/// So few degrees of freedom make differences look larger than they will have to be.
const FEW: u32 = 2;

pub(super) fn section(study: &Study, task: &Task) -> Section {
    let settings = &study.settings;
    let mut lines = vec![format!("- {}: {}", settings.task, quoted(&settings.title, 120))];
    let self_reported = if settings.score_source == ScoreSource::SelfReported { "; the run reports it itself" } else { "" };
    let goal = match settings.goal {
        Goal::Minimize => "minimize",
        Goal::Maximize => "maximize",
    };
    lines.push(format!("- {goal} `{}`{self_reported}", settings.metric));
    if let Some(baseline) = study.reference() {
        let score = baseline.score.map(|score| format!("{} (mean of {} runs)", number::short(score), baseline.scores().len()));
        let failure =
            baseline.failure.as_ref().map(|f| format!("it failed as {}, and nothing can be measured before it runs", f.label.word()));
        let said = score.or(failure).unwrap_or_else(|| "no score yet".to_owned());
        let mends = study.reference.map(|_| ", which mended t0000: leave its mend in place").unwrap_or_default();
        lines.push(format!("- baseline {}: {said}{mends}", baseline.id));
    }
    if let Some(best) = &study.best {
        let word = if best.verified { "verified" } else { "provisional" };
        lines.push(format!(
            "- best {}: {} ({word}; {} on the baseline)",
            best.trial,
            number::short(best.score),
            super::row::delta(best.gain)
        ));
    }
    let incumbent = study.trial(study.incumbent).filter(|t| t.id != study.reference_id());
    let best = study.best.as_ref().map(|best| best.trial);
    if let Some((t, score)) = incumbent.filter(|t| Some(t.id) != best).and_then(|t| Some((t, t.score?))) {
        let runs = t.scores().len();
        lines.push(format!("- incumbent {}: {} ({runs} runs, not verified yet); the search builds on it", t.id, number::short(score)));
    }
    let goals = [("target", settings.target), ("reported by the source of the task", settings.reference)];
    for (what, value) in goals {
        if let Some(value) = value {
            let best = study.best.as_ref().map(|b| b.score).or(study.reference().and_then(|t| t.score));
            let away = best.map(|score| settings.goal.gain(value, score)).filter(|away| *away > 0.0);
            let away = away.map(|away| format!(", {} better than the best so far", number::rough(away))).unwrap_or_default();
            lines.push(format!("- {what}: {}{away}", number::short(value)));
        }
    }
    lines.push(noise(study));
    if let Some(least) = settings.min_effect {
        lines.push(format!("- differences below {} do not matter here", number::short(least)));
    }
    if !task.gates.is_empty() {
        lines.push(format!("- gates: {}", task.gates.iter().map(bound).collect::<Vec<_>>().join(", ")));
    }
    Section::new("Task and score", 1300, 200, lines)
}

/// The noise in one line, with the differences that one and two runs can tell.
pub(super) fn noise(study: &Study) -> String {
    let few = match study.noise {
        Noise::Measured { nu, .. } if nu <= FEW => ". Both shrink as more runs say more of the noise",
        Noise::Measured { .. } | Noise::Given { .. } | Noise::Unknown { .. } => "",
    };
    match (Effect::of(study), study.noise) {
        (Some(effect), _) => format!(
            "- noise: one run has sd {}; a difference that one run can tell from it is about {}, two runs {}. A smaller gain needs luck, \
             and is lost again when it is confirmed{few}",
            number::rough(effect.sd),
            number::rough(effect.distinguishable(1)),
            number::rough(effect.distinguishable(2))
        ),
        (None, Noise::Unknown { seed_without_effect: true }) => {
            "- noise: unknown; runs under different seeds gave equal scores, so the seed has no effect".to_owned()
        }
        (None, _) => "- noise: not known yet".to_owned(),
    }
}

/// A gate with its bound.
pub(super) fn bound(gate: &Gate) -> String {
    let side = |word: &str, value: Option<f64>| value.map(|v| format!(" {word} {}", number::short(v))).unwrap_or_default();
    format!("{}{}{}", gate.key, side(">=", gate.min), side("<=", gate.max))
}

pub(super) fn budget(study: &Study, scene: &Scene, task: &Task) -> Section {
    let (settings, limits) = (&study.settings, &study.settings.limits);
    let kind = match task.budget.kind {
        BudgetKind::Wall => "wall-clock time",
        BudgetKind::Steps => "optimiser steps",
        BudgetKind::Tokens => "training tokens",
        BudgetKind::Flops => "floating-point operations",
    };
    let mut lines = vec![format!("- a run: at most {}; held equal between trials: {kind}", seconds(settings.wall_secs))];
    let base = study.trial(scene.base());
    let longest = base.iter().flat_map(|t| &t.runs).map(|r| r.seconds).fold(0.0, f64::max);
    if let Some(took) = base.and_then(super::sights::took) {
        let share = if settings.wall_secs > 0.0 { longest / settings.wall_secs * 100.0 } else { 0.0 };
        let word = if share > 85.0 { "tight" } else { "the rest is unused" };
        lines.push(format!("- a run of {} took {took}: at most {} % of that, {word}", scene.base(), number::rough(share.round())));
    }
    let mut left = vec![match limits.trials {
        Some(limit) => format!("{} of {limit} trials", limit.saturating_sub(study.trials_used)),
        None => format!("trials without limit ({} used)", study.trials_used),
    }];
    if let Some(limit) = limits.seconds {
        left.push(format!("{} of {}", seconds((limit - study.active_millis as f64 / 1000.0).max(0.0)), seconds(limit)));
    }
    let tokens = study.spend.prompt_tokens + study.spend.completion_tokens;
    if let Some(limit) = limits.tokens {
        left.push(format!("{} of {limit} tokens", limit.saturating_sub(tokens)));
    }
    if let Some(limit) = limits.usd {
        left.push(format!("{:.2} of {:.2} US dollars", (limit - study.spend.usd).max(0.0), limit));
    }
    lines.push(format!("- left: {}; the study is {}", left.join(", "), phase(study)));
    Section::new("Budget", 500, 190, lines)
}
