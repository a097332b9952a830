//! `log_tail`, `brief` and `hardware`: texts that lie in files.

use super::{Args, Hands};
use crate::model::{RunId, RunNo, number};
use crate::propose::agent::{Workbench, cut, data, end, legible, line, log_lines};
use crate::propose::{digest, role::seconds};

const TAIL: usize = 4000;
const MOST_TAIL: usize = 12_000;
const BRIEF: usize = 15_000;

pub(super) fn log_tail(hands: &Hands<'_>, args: &Args) -> Result<String, String> {
    let run = run(hands, args)?;
    let bytes = args.whole("bytes").map_or(TAIL, |b| b as usize).clamp(200, MOST_TAIL);
    let text = match args.text("stream").as_deref().map(str::trim) {
        Some("stderr" | "err" | "error") => hands.bench.log(run, true, bytes as u32)?,
        Some("stdout" | "out") => hands.bench.log(run, false, bytes as u32)?,
        _ => both(hands.bench, run, bytes as u32)?,
    };
    if text.trim().is_empty() {
        return Ok(format!("{run} wrote nothing there"));
    }
    Ok(data(&format!("end of the log of {run}"), end(&log_lines(&text), bytes)))
}

/// The run that is meant, where none is named the one that tells most.
pub(super) fn run(hands: &Hands<'_>, args: &Args) -> Result<RunId, String> {
    let trial = hands.meant(args)?;
    let runs = hands.ask(|study| study.trial(trial).map(|t| t.runs.iter().map(|r| r.id).collect::<Vec<_>>())).flatten().unwrap_or_default();
    let wanted = args.text("run").and_then(|text| {
        let digits: String = text.chars().rev().take_while(char::is_ascii_digit).collect::<Vec<_>>().into_iter().rev().collect();
        digits.parse().ok().map(RunNo)
    });
    let telling = || hands.ask(|study| study.trial(trial).and_then(digest::telling_run)).flatten();
    match wanted.or_else(telling) {
        Some(no) if runs.contains(&no) => Ok(trial.run(no)),
        Some(no) => Err(format!("{trial} has no {no}; it has {} runs", runs.len())),
        None => Err(format!("{trial} has not run yet")),
    }
}

/// Standard output and then errors, each half of the bytes where both say something.
pub(super) fn both(bench: &dyn Workbench, run: RunId, bytes: u32) -> Result<String, String> {
    let (out, errors) = (bench.log(run, false, bytes), bench.log(run, true, bytes));
    match (out, errors) {
        (Err(why), Err(_)) => Err(why),
        (out, errors) => {
            let (out, errors) = (out.unwrap_or_default(), errors.unwrap_or_default());
            let half = (bytes as usize) / 2;
            let room = |other: &str| (bytes as usize).saturating_sub(other.len().min(half));
            let (a, b) = (end(&out, room(&errors)), end(&errors, room(&out)));
            Ok(if b.trim().is_empty() { a.to_owned() } else { format!("{}\n{b}", a.trim_end()) })
        }
    }
}

pub(super) fn brief(hands: &Hands<'_>, args: &Args) -> Result<String, String> {
    let documents = hands.bench.brief();
    let named = args.text("name").map(|n| n.to_lowercase());
    let wanted: Vec<&(String, String)> =
        documents.iter().filter(|(name, _)| named.as_ref().is_none_or(|wanted| name.to_lowercase().contains(wanted.trim()))).collect();
    if wanted.is_empty() {
        let names: Vec<&str> = documents.iter().map(|(name, _)| name.as_str()).collect();
        return Err(format!("no document of that name; there are {}", line(&names.join(", "), 400)));
    }
    let each = BRIEF / wanted.len().max(1);
    Ok(wanted.iter().map(|(name, text)| data(name, &cut(&legible(text), each.saturating_sub(40)))).collect::<Vec<_>>().join("\n"))
}

pub(super) fn hardware(hands: &Hands<'_>) -> String {
    let base = hands.scene.base();
    let used = hands.ask(|study| {
        let run = study.trial(base)?.runs.iter().rev().find(|r| r.seconds > 0.0)?;
        Some(format!(
            "A run of {base} took {} of {}, {} MiB at its peak, {} GPUs.",
            seconds(run.seconds),
            seconds(study.settings.wall_secs),
            number::short((run.peak_memory_bytes >> 20) as f64),
            run.gpus
        ))
    });
    let limit = hands.task().budget.memory_bytes.map(|m| format!("\nA run may use {} MiB of memory.", m >> 20)).unwrap_or_default();
    let text = legible(&hands.bench.hardware());
    format!("{}\n{}{limit}", text.trim_end(), used.flatten().unwrap_or_default())
}
