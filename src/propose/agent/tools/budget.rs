//! `budget`: what a run may use, and what is left of the study.

use super::Hands;
use crate::model::number;
use crate::propose::role::{phase, seconds};

pub(super) fn budget(hands: &Hands<'_>) -> Result<String, String> {
    let task = hands.task();
    let turns = hands.role.limits.turns;
    let mut lines = vec![format!(
        "a run: wall clock {}, then {} to end",
        seconds(task.budget.wall.as_secs_f64()),
        seconds(task.budget.grace.as_secs_f64())
    )];
    if let Some(memory) = task.budget.memory_bytes {
        lines.push(format!("a run: memory {} MiB over all its processes", memory >> 20));
    }
    if let Some(output) = task.budget.output_bytes {
        lines.push(format!("a run: {} MiB of files and logs", number::rough(output as f64 / f64::from(1 << 20))));
    }
    lines.push(format!("the evaluator: {}", seconds(task.evaluator.wall.as_secs_f64())));
    for gate in &task.gates {
        let side = |word: &str, value: Option<f64>| value.map(|v| format!(" {word} {}", number::short(v))).unwrap_or_default();
        lines.push(format!("gate: {}{}{}", gate.key, side("at least", gate.min), side("at most", gate.max)));
    }
    if let Some(most) = task.repository.max_changed_lines {
        lines.push(format!("a proposal: at most {most} changed lines"));
    }
    let calls = hands.desk.calls;
    let of_study = hands.ask(|study| {
        let limits = &study.settings.limits;
        let tokens = study.spend.prompt_tokens + study.spend.completion_tokens;
        let of = |what: &str, used: String, limit: Option<String>| match limit {
            Some(limit) => format!("the study has used of its {what}: {used} of {limit}"),
            None => format!("the study has used of its {what}: {used}, without a limit"),
        };
        vec![
            of("trials", study.trials_used.to_string(), limits.trials.map(|t| t.to_string())),
            of("time", seconds(study.active_millis as f64 / 1000.0), limits.seconds.map(seconds)),
            of("tokens", tokens.to_string(), limits.tokens.map(|t| t.to_string())),
            of("US dollars", format!("{:.2}", study.spend.usd), limits.usd.map(|usd| format!("{usd:.2}"))),
            format!("it is {}", phase(study)),
        ]
    });
    lines.extend(of_study.unwrap_or_default());
    lines.push(format!("this proposal: {turns} answers of yours at most, {calls} tool calls so far"));
    Ok(lines.join("\n"))
}
