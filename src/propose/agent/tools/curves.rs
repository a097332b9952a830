//! `curves`: the curves of a run at a glance, beside those of another.

use super::{Args, Hands, text};
use crate::model::number;
use crate::propose::agent::CurveSummary;
use crate::propose::digest::{self, shape};

const MOST: usize = 24;

pub(super) fn curves(hands: &Hands<'_>, args: &Args) -> Result<String, String> {
    let run = text::run(hands, args)?;
    let key = args.text("key").map(|k| k.trim().to_lowercase());
    let wanted = |curve: &CurveSummary| key.as_ref().is_none_or(|key| curve.key.to_lowercase().contains(key));
    let own = hands.bench.curves(run)?;
    let chosen: Vec<&CurveSummary> = own.iter().filter(|c| wanted(c)).take(MOST).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = own.iter().map(|c| c.key.as_str()).take(40).collect();
        return Ok(if names.is_empty() {
            format!("{run} wrote no curve")
        } else {
            format!("no curve of {run} has that name; there are {}", crate::propose::agent::line(&names.join(", "), 600))
        });
    }
    let other = match args.trial("against")? {
        None => None,
        Some(id) => {
            let last = hands.ask(|study| study.trial(id).and_then(digest::telling_run).map(|run| id.run(run))).flatten();
            let last = last.ok_or_else(|| format!("{id} has not run"))?;
            Some((last, hands.bench.curves(last)?))
        }
    };
    let mut lines = Vec::new();
    for curve in chosen {
        lines.push(format!("{run} {}\n  {}", shape(curve), points(curve)));
        if let Some((last, curves)) = &other {
            match curves.iter().find(|c| c.key == curve.key) {
                Some(beside) => lines.push(format!("{last} {}\n  {}", shape(beside), points(beside))),
                None => lines.push(format!("{last} has no {}", crate::propose::agent::line(&curve.key, 40))),
            }
        }
    }
    Ok(lines.join("\n"))
}

fn points(curve: &CurveSummary) -> String {
    let all: Vec<String> = curve.points.iter().map(|(step, value)| format!("{}:{}", number::short(*step), number::four(*value))).collect();
    all.join("  ")
}
