//! `trialdeck init [DIR]`: reads a repository and writes a task file for it, each line marked as sure or as a guess with the
//! reason; what nobody but a person can know is asked on a terminal, and else stands as a question in the file.
//!
//! `task::inspect` finds the facts, `compose` makes the text of them, `knobs` ranks what can be turned, `evaluator` drafts the
//! program that would own the score, `script` keeps a shell script as the thing to tune, `timed` makes the trial run. Nothing that exists is written over.

mod compose;
mod evaluator;
mod knobs;
mod needs;
mod script;
mod timed;

use super::task_text::{quoted, write_new};
use super::{Exit, Failure, Outcome, ask, host, put, say};
use crate::model::{Goal, Safe};
use crate::task::inspect::{self, About, Candidate, Facts, Patch, Seed};
use crate::task::{self, quantity};
use clap::Args;
use compose::{Draft, Known};
use std::path::{Path, PathBuf};

/// Options of `init`.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// The repository, or the part of one that a study should have
    #[arg(default_value = ".", value_name = "DIR")]
    pub dir: String,
    /// Command that trains [default: found in README, scripts and sources]
    #[arg(long, value_name = "COMMAND")]
    pub cmd: Option<String>,
    /// Pattern of the score in its output, with a group around the number
    #[arg(long, value_name = "REGEX")]
    pub metric: Option<String>,
    /// minimize or maximize
    #[arg(long, value_name = "GOAL")]
    pub goal: Option<String>,
    /// Budget of one run, e.g. 5m
    #[arg(long, value_name = "T")]
    pub wall: Option<String>,
    /// Ask nothing: take the likeliest, and make the timed trial run
    #[arg(long, conflicts_with = "no_run")]
    pub yes: bool,
    /// Make no timed trial run
    #[arg(long)]
    pub no_run: bool,
    /// Print the task file and write nothing
    #[arg(long, conflicts_with = "out")]
    pub stdout: bool,
    /// Write the task file there [default: DIR/task.toml]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Let the source read the variable SEED, where its seed is a fixed number
    #[arg(long)]
    pub apply_seed_patch: bool,
}

/// `trialdeck init`.
pub(super) fn init(args: &InitArgs) -> Outcome {
    let cwd = host::cwd()?;
    let dir = if args.dir == "." { cwd.clone() } else { cwd.join(&args.dir) };
    if !dir.is_dir() {
        return Err(Failure::usage(format!("{} is no directory; name the repository: `trialdeck init DIR`", args.dir)));
    }
    let file = args.out.as_ref().map_or_else(|| dir.join("task.toml"), |out| cwd.join(out));
    if !args.stdout && file.symlink_metadata().is_ok() {
        let run = shell_words::quote(&args.dir).into_owned();
        return Err(Failure::usage(format!(
            "{} exists and is not written over: `trialdeck run {run}` uses it\n`trialdeck init {run} --stdout` prints what would be written, `--out FILE` writes it elsewhere",
            file.display()
        )));
    }
    let facts = inspect::inspect(&dir).map_err(|e| Failure::usage(format!("cannot read {}: {e}", dir.display())))?;
    let talk = host::interactive() && !args.yes && !args.stdout;
    let (facts, about, known) = learn(args, &dir, facts, talk)?;
    let home = file.parent().unwrap_or(&dir);
    let path = if same(home, &dir) { ".".to_owned() } else { dir.to_string_lossy().into_owned() };
    let skeleton = evaluator::draft(&facts, &about, &known);
    let draft = compose::compose(&dir, &path, &facts, &about, &known, &skeleton);
    // What we write has to be understood by our own reader: a mistake here is ours, and better said than written.
    task::parse(&draft.text, &file.display().to_string()).map_err(|problems| Failure {
        message: format!(
            "the task file that was made of this repository is not valid, which is a mistake of trialdeck's:\n{}",
            problems.render(host::colour())
        ),
        exit: Exit::FAILED,
    })?;
    if args.stdout {
        put(&draft.text);
        return Ok(Exit::DONE);
    }
    write_new(&file, &draft.text)?;
    let evaluator = home.join(&skeleton.name);
    let skeleton_written = evaluator.symlink_metadata().is_err();
    if skeleton_written {
        write_new(&evaluator, &skeleton.text)?;
    }
    report(args, &file, &skeleton, skeleton_written, &about, &draft);
    Ok(Exit::DONE)
}

fn same(a: &Path, b: &Path) -> bool {
    a == b || std::fs::canonicalize(a).ok().zip(std::fs::canonicalize(b).ok()).is_some_and(|(a, b)| a == b)
}

/// Puts together what the repository, the options and, on a terminal, a person say.
fn learn(args: &InitArgs, dir: &Path, mut facts: Facts, talk: bool) -> Result<(Facts, About, Known), Failure> {
    let mut known = Known { command: command(args, &facts, talk)?, ..Known::default() };
    needs::look(&mut known, &facts, dir);
    let line = known.command.as_ref().map(|c| c.line.clone()).unwrap_or_default();
    let mut about = facts.about(&line);
    let mut line = line;
    if let Some(kept) = known.command.as_ref().and_then(|c| script::keep(c, &facts, &about)) {
        let data = std::mem::take(&mut about.data);
        line = kept.line;
        known.script = kept.notes;
        // The command's own words named the data.
        about = About { data, ..facts.about(&line) };
        if let Some(command) = &mut known.command {
            command.line.clone_from(&line);
        }
    }
    if let Some(patch) = facts.seed_patch(&about).filter(|_| matches!(about.seed, Seed::Pinned { .. })) {
        if seed_patch(args, dir, &patch, talk)? {
            facts = inspect::inspect(dir).map_err(|e| Failure::usage(format!("cannot read {}: {e}", dir.display())))?;
            about = About { data: std::mem::take(&mut about.data), ..facts.about(&line) };
        } else {
            known.patch_offered = true;
        }
    }
    (known.metric, known.metric_told) = metric(args, &about, talk)?;
    known.goal = match &args.goal {
        Some(text) => Some(goal(text)?),
        None => known.metric.as_ref().and_then(|m| m.goal),
    };
    if known.metric.is_some() && known.goal.is_none() && talk {
        let key = known.metric.as_ref().map(|m| m.key.clone()).unwrap_or_default();
        known.goal = ask::choose(&format!("is a smaller {key} better, or a larger one?"), &["smaller".into(), "larger".into()])?
            .map(|n| if n == 0 { Goal::Minimize } else { Goal::Maximize });
    }
    if let Some(wall) = &args.wall {
        quantity::duration(wall).map_err(|e| Failure::usage(format!("--wall: {e}")))?;
        known.wall = Some(wall.clone());
    }
    if let Some(command) = known.command.as_ref().filter(|_| !args.no_run)
        && (args.yes
            || (talk
                && ask::yes(
                    &format!("make a timed trial run of `{}` in a copy of the repository, 10 minutes at most?", Safe::line(&command.line)),
                    false,
                )?))
    {
        known.timed = timed::run(dir, &facts, &about, &command.line, known.metric.as_ref())?;
    }
    Ok((facts, about, known))
}

/// The command that trains, with where it comes from.
fn command(args: &InitArgs, facts: &Facts, talk: bool) -> Result<Option<inspect::Command>, Failure> {
    let told =
        |line: String, at: &str| inspect::Command { line, script: String::new(), at: at.into(), shell: None, open: Vec::new(), points: 0 };
    if let Some(line) = &args.cmd {
        return Ok(Some(told(line.trim().to_owned(), "--cmd")));
    }
    let best = facts.commands.first();
    let near: Vec<&inspect::Command> = facts.commands.iter().filter(|c| best.is_some_and(|b| c.points + 20 >= b.points)).take(6).collect();
    if talk && (near.len() > 1 || near.is_empty()) {
        let choices: Vec<String> = near.iter().map(|c| format!("{}   ({})", c.line, c.at)).collect();
        if let Some(n) = ask::choose_or_type("how is the training started?", &choices)? {
            return Ok(match n {
                ask::Choice::Number(n) => near.get(n).map(|c| (*c).clone()),
                ask::Choice::Typed(line) => Some(told(line, "as you typed")),
            });
        }
    }
    Ok(best.cloned())
}

fn goal(text: &str) -> Result<Goal, Failure> {
    match text.to_ascii_lowercase().as_str() {
        "minimize" | "minimise" | "min" => Ok(Goal::Minimize),
        "maximize" | "maximise" | "max" => Ok(Goal::Maximize),
        other => Err(Failure::usage(format!("--goal {other}: write minimize or maximize"))),
    }
}

/// The score, and whether a person said so.
fn metric(args: &InitArgs, about: &About, talk: bool) -> Result<(Option<Candidate>, bool), Failure> {
    if let Some(text) = &args.metric {
        let pattern = inspect::understand(text).map_err(|e| Failure::usage(format!("--metric: {e}")))?;
        let goal = Goal::of_metric(&pattern.metric);
        return Ok((
            Some(Candidate { key: pattern.metric, typed: text.clone(), pattern: pattern.from, goal, at: "--metric".into(), points: 0 }),
            true,
        ));
    }
    if talk && about.candidates.len() > 1 {
        let choices: Vec<String> = about.candidates.iter().take(8).map(|c| format!("{}   (printed at {})", c.key, c.at)).collect();
        if let Some(n) = ask::choose("which of these is the score?", &choices)? {
            return Ok((about.candidates.get(n).cloned(), true));
        }
    }
    // Lines of files that the command does not run are no score of it.
    Ok((about.candidates.first().filter(|c| c.points > -40).cloned(), false))
}

/// Shows the patch that lets SEED decide, and applies it where that was asked for; true when it was.
fn seed_patch(args: &InitArgs, dir: &Path, patch: &Patch, talk: bool) -> Result<bool, Failure> {
    let diff = similar::TextDiff::from_lines(&patch.old, &patch.new);
    let text = diff.unified_diff().header(&format!("a/{}", patch.path), &format!("b/{}", patch.path)).context_radius(1).to_string();
    say("the seed is a fixed number in the source, so equal runs would hide the noise; this lets the variable SEED decide:\n");
    text.lines().for_each(|line| say(&format!("  {}", Safe::line(line))));
    say("");
    let wanted =
        !args.stdout && (args.apply_seed_patch || (talk && ask::yes(&format!("apply it to {}?", Safe::line(&patch.path)), false)?));
    if !wanted {
        say("not applied; `trialdeck init --apply-seed-patch` applies it\n");
        return Ok(false);
    }
    let path = dir.join(&patch.path);
    // Only what was read and shown is replaced.
    if std::fs::read_to_string(&path).ok().as_deref() != Some(patch.old.as_str()) {
        return Err(Failure::usage(format!("{} changed while it was looked at; try again", patch.path)));
    }
    std::fs::write(&path, &patch.new).map_err(|e| Failure::usage(format!("cannot write {}: {e}", path.display())))?;
    say(&format!("applied to {}\n", Safe::line(&patch.path)));
    Ok(true)
}

/// What was written, what is open, and the next command.
fn report(args: &InitArgs, file: &Path, skeleton: &evaluator::Skeleton, written: bool, about: &About, draft: &Draft) {
    let show = |path: &Path| path.strip_prefix(host::cwd().unwrap_or_default()).unwrap_or(path).display().to_string();
    put(&format!("wrote {}: {} lines marked sure, {} marked guess", show(file), draft.sure, draft.guessed));
    if written {
        put(&format!(
            "wrote {}: a skeleton that would score saved predictions against held-back truth; until its TODOs are done the score is {}",
            skeleton.name,
            if draft.self_reported { "the run's own word (self)" } else { "missing" }
        ));
        put(&format!(
            "  the training script then saves them with two lines:\n{}",
            skeleton.two_lines.iter().map(|l| format!("    {l}\n")).collect::<String>()
        ));
    }
    for (key, text) in &draft.summary {
        put(&format!("  {key:<9} {}", Safe::line(text)));
    }
    if !draft.questions.is_empty() {
        put("\nonly you can know (each stands in the file as QUESTION):");
        draft.questions.iter().for_each(|q| put(&format!("  - {}", Safe::line(q))));
    }
    let out = args.out.as_ref().map(|o| o.to_string_lossy().into_owned());
    let target = shell_words::quote(out.as_deref().unwrap_or(&args.dir)).into_owned();
    if matches!(about.seed, Seed::Pinned { .. }) {
        put("\nthe seed has no effect as it is: without min_effect in [task], or the patch above, nothing can be verified");
    }
    put(&format!("\nnext: look through {}, then\n  trialdeck run {target}", show(file)));
}

/// A key and its value as one line of a task file.
fn pair(key: &str, value: &str) -> String {
    format!("{key} = {}", quoted(value))
}
