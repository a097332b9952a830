//! The table of karpathy/autoresearch: `commit  METRIC  memory_gb  status  description`, one row for each trial that ran.

use crate::model::{Status, Study, Trial, TrialId, Verdict};
use std::fmt::Write as _;

/// A table and what it leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Header and rows, each with its line end.
    pub text: String,
    /// Trials that did not run, have not ended or cannot be read.
    pub left_out: usize,
}

/// Writes a study in the order of its trials. A trial without a score is a `crash` with 0.000000, as the format wants it.
pub fn tsv(study: &Study) -> Table {
    let mut table = Table { text: format!("commit\t{}\tmemory_gb\tstatus\tdescription\n", clean(&study.settings.metric)), left_out: 0 };
    for trial in &study.trials {
        let decided = matches!(trial.status, Status::Done) && (!trial.runs.is_empty() || trial.imported.is_some());
        if !decided {
            table.left_out += 1;
            continue;
        }
        let (score, memory, status) = match trial.score {
            Some(score) => (number(score), memory_gb(trial), if kept(trial) { "keep" } else { "discard" }),
            None => ("0.000000".into(), 0.0, "crash"),
        };
        let _ = writeln!(table.text, "{}\t{score}\t{memory:.1}\t{status}\t{}", commit(study, trial), clean(&trial.hypothesis));
    }
    table
}

fn kept(trial: &Trial) -> bool {
    trial.id == TrialId::BASELINE || trial.verdict == Some(Verdict::Keep)
}

/// Seven digits of the commit; what the source called it where a history has none.
fn commit(study: &Study, trial: &Trial) -> String {
    let of_source = trial.imported.as_ref().map(|o| clean(&o.name)).filter(|n| !n.is_empty());
    let names_commits = study.imported.as_ref().is_some_and(|from| from.format == "autoresearch");
    match (&trial.commit, of_source) {
        (_, Some(name)) if names_commits => name,
        (Some(commit), _) => commit.chars().take(7).collect(),
        (None, Some(name)) => name,
        (None, None) => trial.id.to_string(),
    }
}

/// Six places, or all that a small number needs.
fn number(value: f64) -> String {
    let short = format!("{value:.6}");
    if short.parse() == Ok(value) || value.abs() >= 0.1 { short } else { value.to_string() }
}

/// What the source measured, even where a run here took its place, else the largest resident memory of the runs, in GiB.
fn memory_gb(trial: &Trial) -> f64 {
    let said = trial.live_runs().chain(trial.runs.iter().filter(|r| r.imported)).find_map(|r| r.metrics.get("memory_gb").copied());
    said.unwrap_or_else(|| trial.live_runs().map(|r| r.peak_memory_bytes).max().unwrap_or(0) as f64 / f64::from(1 << 30))
}

/// One cell: neither tabs nor line ends nor other control characters.
fn clean(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty());
    words.fold(String::new(), |mut out, word| {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_what_they_say() {
        for (value, text) in
            [(0.9979, "0.997900"), (1.072_210_4, "1.072210"), (-3.5, "-3.500000"), (0.000_012_345_6, "0.0000123456"), (0.25, "0.250000")]
        {
            assert_eq!(number(value), text);
        }
        assert_eq!(clean("a\tb\r\n c\u{1b}[31m"), "a b c [31m");
    }
}
