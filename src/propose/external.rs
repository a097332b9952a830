//! What a program that proposes is told, and what is read out of its answer. Pure.
//!
//! The program works in a copy of the parent's tree; what it changed there is the edit. Here are its brief, and the hypothesis in
//! what it printed. The digest that lies beside the copy is that of the specialists.

use crate::model::number::short;
use crate::model::{Goal, Operator, TrialId};
use std::fmt::Write;

/// Bytes of a diff that is shown to its author.
const DIFF: usize = 24 << 10;
/// Longest hypothesis, in characters.
const HYPOTHESIS: usize = 300;

/// What the brief is made of.
#[derive(Debug, Clone, Copy)]
pub struct Brief<'a> {
    /// The task's title.
    pub title: &'a str,
    /// The metric's key.
    pub metric: &'a str,
    /// Which way it is better.
    pub goal: Goal,
    /// The trial whose code the directory holds.
    pub parent: TrialId,
    /// What is wanted.
    pub operator: Operator,
    /// Why the parent failed, where it did.
    pub failure: Option<&'a str>,
    /// Globs of what may be changed.
    pub editable: &'a [String],
    /// Globs of what may not, though the others match.
    pub protected: &'a [String],
    /// Lines added and removed together at most.
    pub max_changed_lines: Option<u32>,
    /// The command of a run.
    pub command: &'a str,
    /// Seconds of a run.
    pub run_secs: f64,
    /// Seconds that the program has.
    pub wall_secs: f64,
    /// What a reviewer wants of its last revision, and the diff of that.
    pub revise: Option<(&'a str, &'a str)>,
}

/// Returns what the program reads on its standard input, in Markdown.
pub fn brief(b: &Brief<'_>) -> String {
    let better = match b.goal {
        Goal::Minimize => "lower is better",
        Goal::Maximize => "higher is better",
    };
    let mut out = format!(
        "# One change to a training program\n\nTask: {}. The metric is `{}`, {better}; a program that you cannot see or touch measures it.\n\n",
        b.title, b.metric
    );
    let _ = writeln!(
        out,
        "Your working directory holds the code of trial {}. {} What you have changed in it when you exit is your proposal: one idea, whole and \
         working. It is then reviewed, run with `{}` for at most {} s, and scored.\n",
        b.parent,
        wanted(b.operator),
        b.command,
        short(b.run_secs)
    );
    if let Some(failure) = b.failure {
        let _ = writeln!(out, "Trial {} failed:\n\n    {}\n", b.parent, failure.replace('\n', "\n    "));
    }
    out.push_str("Rules:\n");
    let _ = writeln!(out, "- You may change: {}.", b.editable.join(", "));
    if !b.protected.is_empty() {
        let _ = writeln!(out, "- You may not change: {}.", b.protected.join(", "));
    }
    if let Some(lines) = b.max_changed_lines {
        let _ = writeln!(out, "- At most {lines} lines added and removed together.");
    }
    out.push_str("- Plain text files only: no links, nothing binary. Files elsewhere are not taken.\n");
    out.push_str("- Seeds, time limits and what is printed of the score are not yours to change.\n");
    let _ = writeln!(out, "- You have {} s.\n", short(b.wall_secs));
    out.push_str(
        "The file named by $TRIALDECK_DIGEST (.trialdeck/DIGEST.md) says what was tried so far and what it gave: do not repeat it.\n\n\
         What you print is shown to the researcher. Let the first or the last line be\n\n    hypothesis: what you changed, and why it should help, in one sentence\n",
    );
    if let Some((comment, diff)) = b.revise {
        let _ = writeln!(
            out,
            "\n## Another revision is wanted\n\nThe directory holds your last revision already. The reviewer says of it:\n\n> {}\n\nYour last revision \
             against trial {}:\n\n```diff\n{}\n```",
            comment.replace('\n', "\n> "),
            b.parent,
            cut(diff, DIFF)
        );
    }
    out
}

fn wanted(operator: Operator) -> &'static str {
    match operator {
        Operator::Draft => "Begin afresh: another way to do this task than those that were tried.",
        Operator::Improve => "Improve on it.",
        Operator::Debug => "It failed: repair it.",
        Operator::Crossover => "Bring into it what helped elsewhere.",
        Operator::Ablate => "Take one part out of it, to see whether that part matters.",
    }
}

/// Returns the hypothesis in what a program printed: of its first line, or of the last that begins with the word.
pub fn hypothesis(printed: &str) -> Option<String> {
    let of = |line: &str| {
        let line = line.trim().trim_start_matches(['*', '#', '>', ' ']);
        let (head, rest) = line.split_at_checked("hypothesis:".len())?;
        let rest = rest.trim_start_matches('*').trim();
        (head.eq_ignore_ascii_case("hypothesis:") && !rest.is_empty()).then(|| rest.chars().take(HYPOTHESIS).collect())
    };
    let first = printed.lines().find(|line| !line.trim().is_empty()).and_then(of);
    first.or_else(|| printed.lines().rev().find_map(of))
}

/// Returns a sentence for an edit that came without one.
pub fn of_diff(changed: &[String]) -> String {
    match changed {
        [] => "changes nothing".into(),
        [one] => format!("changes {one}"),
        [one, two] => format!("changes {one} and {two}"),
        [one, two, rest @ ..] => format!("changes {one}, {two} and {} more", rest.len()),
    }
}

fn cut(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let at = text.floor_char_boundary(longest);
    format!("{}…", text.get(..at).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hypotheses_are_found() {
        for (text, want) in [
            ("hypothesis: a larger step\nwords", Some("a larger step")),
            ("\n  Hypothesis:  a larger step", Some("a larger step")),
            ("words\nhypothesis: old\nwords\n**Hypothesis:** new\nwords", Some("new")),
            ("hypothesis:\nwords", None),
            ("the hypothesis: inside", None),
            ("", None),
            ("ипотеза", None),
        ] {
            assert_eq!(hypothesis(text).as_deref(), want, "{text}");
        }
        let two = ["a.py".to_owned(), "b.py".to_owned()];
        assert_eq!(of_diff(&two), "changes a.py and b.py");
        assert_eq!(of_diff(&[two.as_slice(), &["c".into(), "d".into()]].concat()), "changes a.py, b.py and 2 more");
    }

    #[test]
    fn a_brief_says_what_counts() {
        let editable = ["train.py".to_owned(), "models/**".to_owned()];
        let b = Brief {
            title: "Wind power",
            metric: "mse",
            goal: Goal::Minimize,
            parent: TrialId(3),
            operator: Operator::Debug,
            failure: Some("crashed: NameError\nline two"),
            editable: &editable,
            protected: &["loss.py".to_owned()],
            max_changed_lines: Some(40),
            command: "python train.py",
            run_secs: 300.0,
            wall_secs: 600.0,
            revise: Some(("smaller\nplease", "-a\n+b")),
        };
        let text = brief(&b);
        for word in [
            "`mse`, lower is better",
            "code of trial t0003. It failed: repair it.",
            "    crashed: NameError\n    line two",
            "You may change: train.py, models/**.",
            "You may not change: loss.py.",
            "At most 40 lines",
            "`python train.py` for at most 300 s",
            "You have 600 s",
            "> smaller\n> please",
            "```diff\n-a\n+b\n```",
        ] {
            assert!(text.contains(word), "no `{word}` in\n{text}");
        }
        assert!(!brief(&Brief { revise: None, failure: None, ..b }).contains("revision"));
    }

    proptest! {
        #[test]
        fn no_output_makes_it_stumble(text in "(?s).{0,200}") {
            if let Some(found) = hypothesis(&text) {
                prop_assert!(!found.is_empty() && !found.contains('\n') && found.chars().count() <= HYPOTHESIS);
            }
        }
    }
}
