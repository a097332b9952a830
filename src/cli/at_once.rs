//! `run DIR --cmd … --metric … --goal … --wall …`: a study of a directory that has no task file yet. The task that it makes is
//! written into the directory once, so that it can be refined; the score is the run's own word.

use super::args::RunArgs;
use super::task_text::{comment, list, name_of, quoted, write_new};
use super::{Failure, host, say};
use crate::model::Goal;
use crate::task::inspect::{self, About, Facts, ScorePattern, Seed};
use crate::task::{self, Found, Origin, Scoring, quantity};
use globset::{GlobBuilder, GlobSetBuilder};
use std::path::{Path, PathBuf};

mod present;

/// The task of a command line, and what has to be said or written once everything else is in order.
pub(super) struct AtOnce {
    /// The task.
    pub(super) found: Found,
    write: Option<PathBuf>,
    notes: Vec<String>,
}

/// Whether the options of a study without a task file were given.
pub(super) fn asked(args: &RunArgs) -> bool {
    args.cmd.is_some() || args.metric.is_some() || args.goal.is_some() || args.wall.is_some() || !args.edit.is_empty()
}

/// What the four options say.
struct Said<'a> {
    cmd: &'a str,
    pattern: ScorePattern,
    goal: Goal,
    wall: &'a str,
}

/// Makes the task, or finds the one of the directory where it says the same. Nothing is written.
pub(super) fn task(args: &RunArgs) -> Result<AtOnce, Failure> {
    let cwd = host::cwd()?;
    let dir = if args.task == "." { cwd } else { cwd.join(&args.task) };
    if !dir.is_dir() {
        let hint = "with --cmd, name the directory to run in: `trialdeck run . --cmd …`";
        return Err(Failure::usage(format!("{} is no directory; {hint}", args.task)));
    }
    let facts = inspect::inspect(&dir).map_err(|e| Failure::usage(format!("cannot read {}: {e}", dir.display())))?;
    let said = said(args, &dir, &facts)?;
    let file = dir.join("task.toml");
    if file.symlink_metadata().is_ok() {
        return agreeing(args, &said, &dir);
    }
    present::script(said.cmd, &dir, &facts, &args.task)?;
    let about = facts.about(said.cmd);
    let (editable, guessed) = editable(args, &facts, &about)?;
    present::tracked(&dir, &about)?;
    let text = text(&dir, &said, &about, &editable, guessed);
    let parsed = task::parse(&text, &file.display().to_string()).map_err(|problems| Failure::usage(problems.render(host::colour())))?;
    let mut notes = Vec::new();
    if guessed {
        let guarded = about.guarded.iter().map(|(p, _)| p.as_str()).collect::<Vec<_>>().join(", ");
        let but = if guarded.is_empty() { String::new() } else { format!(", and not {guarded}") };
        notes.push(format!("note: edits may touch {}{but}; --edit GLOB says otherwise", editable.join(", ")));
    }
    notes.extend(seed_note(&about));
    if said.pattern.cuts_exponents {
        notes.push(r"note: the group of --metric reads 1.5 out of `1.5e-05`; write ([-+\d.e]+) where the score can be that small".into());
    }
    for data in about.data.iter().filter(|d| d.size.is_none()) {
        notes.push(format!("note: {} ({}) is not there", data.path, data.at));
    }
    let found = Found { parsed, text, file: file.clone(), base: dir, origin: Origin::Disk };
    Ok(AtOnce { found, write: Some(file), notes })
}

impl AtOnce {
    /// Writes the task file and says what was guessed.
    pub(super) fn settle(self, shown: &str) -> Result<Found, Failure> {
        if let Some(file) = &self.write {
            write_new(file, &self.found.text)?;
            let place = if shown == "." { "task.toml".to_owned() } else { format!("{}/task.toml", shown.trim_end_matches('/')) };
            say(&format!("wrote {place}: refine it, then `trialdeck run {}`", shell_words::quote(shown)));
        }
        self.notes.iter().for_each(|note| say(note));
        Ok(self.found)
    }
}

/// Reads the four options. Errors: which are missing, with the whole line to type.
fn said<'a>(args: &'a RunArgs, dir: &Path, facts: &Facts) -> Result<Said<'a>, Failure> {
    let missing: Vec<&str> = [("--cmd", &args.cmd), ("--metric", &args.metric), ("--goal", &args.goal), ("--wall", &args.wall)]
        .into_iter()
        .filter(|(_, value)| value.is_none())
        .map(|(name, _)| name)
        .collect();
    let (Some(cmd), Some(metric), Some(goal), Some(wall)) = (&args.cmd, &args.metric, &args.goal, &args.wall) else {
        return Err(Failure::usage(incomplete(args, &missing, dir, facts)));
    };
    if cmd.trim().is_empty() {
        return Err(Failure::usage("--cmd is empty: write the command that trains, such as \"python train.py\""));
    }
    let pattern = inspect::understand(metric).map_err(|e| Failure::usage(format!("--metric: {e}")))?;
    let goal = match goal.to_ascii_lowercase().as_str() {
        "minimize" | "minimise" | "min" => Goal::Minimize,
        "maximize" | "maximise" | "max" => Goal::Maximize,
        other => return Err(Failure::usage(format!("--goal {other}: write minimize or maximize"))),
    };
    quantity::duration(wall).map_err(|e| Failure::usage(format!("--wall: {e}")))?;
    Ok(Said { cmd: cmd.trim(), pattern, goal, wall })
}

/// What is missing, and the line with what is known of the repository put in.
fn incomplete(args: &RunArgs, missing: &[&str], dir: &Path, facts: &Facts) -> String {
    let place = shell_words::quote(&args.task).into_owned();
    let there = dir.join("task.toml").symlink_metadata().is_ok();
    if there && args.cmd.is_none() {
        let given =
            [("--metric", args.metric.is_some()), ("--goal", args.goal.is_some()), ("--wall", args.wall.is_some()), ("--edit", true)];
        let first = given.iter().find(|(_, given)| *given).map_or("--edit", |(name, _)| name);
        return format!(
            "{first} belongs to --cmd; {place} has a task.toml, which says such things: change it there, then `trialdeck run {place}`"
        );
    }
    let guess = args.cmd.clone().or_else(|| facts.commands.first().map(|c| c.line.clone()));
    let cmd = guess.clone().unwrap_or_else(|| "python train.py".into());
    let candidate = guess.as_deref().and_then(|line| facts.about(line).candidates.into_iter().next());
    let metric = args.metric.clone().unwrap_or_else(|| candidate.as_ref().map_or_else(|| r"val_loss:\s+(\S+)".into(), |c| c.typed.clone()));
    let goal = args.goal.clone().unwrap_or_else(|| candidate.as_ref().and_then(|c| c.goal).unwrap_or(Goal::Minimize).word().into());
    let wall = args.wall.clone().unwrap_or_else(|| "5m".into());
    let found =
        candidate.filter(|_| args.metric.is_none()).map(|c| format!("\n({} is printed at {})", c.key, comment(&c.at))).unwrap_or_default();
    let missing = match missing {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [init @ .., last] => format!("{} and {last}", init.join(", ")),
    };
    format!(
        "a study without a task.toml also needs {missing}; the whole line is, for instance:\n\n  trialdeck run {place} --cmd {} --metric {} --goal {goal} --wall {wall}\n{found}\n`trialdeck init {place}` finds such things in the repository and writes a task.toml to refine",
        shell_words::quote(&cmd),
        shell_words::quote(&metric),
    )
}

/// The task file that is there, where it says what the command line says.
fn agreeing(args: &RunArgs, said: &Said<'_>, dir: &Path) -> Result<AtOnce, Failure> {
    let found = super::create::find_task(&args.task)?;
    let task = &found.parsed.task;
    let report = task::SelfReport::parse(&format!("stdout:{}", said.pattern.from)).ok();
    let mut differing = Vec::new();
    if task.run.command != said.cmd {
        differing.push("[run] command");
    }
    if !matches!(&task.evaluator.scoring, Scoring::SelfReported(own) if Some(own) == report.as_ref()) {
        differing.push("[evaluator]");
    }
    if task.task.goal != said.goal {
        differing.push("[task] goal");
    }
    if quantity::duration(said.wall).is_ok_and(|wall| wall != task.budget.wall) {
        differing.push("[budget] wall");
    }
    if !args.edit.is_empty() && args.edit != task.repository.editable {
        differing.push("[repository] editable");
    }
    if differing.is_empty() {
        return Ok(AtOnce { found, write: None, notes: vec!["task.toml is there and says the same: it is used as it stands".into()] });
    }
    let place = shell_words::quote(&args.task).into_owned();
    Err(Failure::usage(format!(
        "{} is there and says something else ({}), and is not written over\nrun it as it stands with `trialdeck run {place}`, change it there, or move it away and try again",
        dir.join("task.toml").display(),
        differing.join(", ")
    )))
}

/// What edits may touch, and whether that is a guess.
fn editable(args: &RunArgs, facts: &Facts, about: &About) -> Result<(Vec<String>, bool), Failure> {
    if args.edit.is_empty() {
        if about.editable.is_empty() {
            let named = "no file of the repository that could be edited is named by --cmd";
            return Err(Failure::usage(format!("{named}: say which may be, for instance --edit train.py or --edit 'models/**'")));
        }
        return Ok((inspect::reach::globs(&about.editable, &facts.scripts), true));
    }
    for glob in &args.edit {
        let mut set = GlobSetBuilder::new();
        match GlobBuilder::new(glob).literal_separator(true).build() {
            Ok(built) => drop(set.add(built)),
            // The task file's own check words it with place and mend.
            Err(_) => continue,
        }
        let matches = set.build().is_ok_and(|set| {
            facts.tree.files.keys().any(|f| set.is_match(f) || f.starts_with(&format!("{}/", glob.trim_end_matches('/'))))
        });
        if !matches {
            return Err(Failure::usage(format!(
                "--edit {glob} fits no file of {}; globs are relative to it, `**` is any directories",
                args.task
            )));
        }
    }
    Ok((args.edit.clone(), false))
}

fn seed_note(about: &About) -> Option<String> {
    match &about.seed {
        Seed::Variable { name, at } => Some(format!("note: the seed goes into the variable {name} ({at})")),
        Seed::Argument { flag, at } => Some(format!("note: the seed goes into the argument {flag} ({at})")),
        Seed::Pinned { at } => Some(format!(
            "note: the seed is fixed in the source ({}): equal runs leave the noise UNKNOWN, and nothing is verified without min_effect in [task]; `trialdeck init` offers a patch that reads SEED",
            at.join(", ")
        )),
        Seed::Unseeded => None,
    }
}

/// The task file.
fn text(dir: &Path, said: &Said<'_>, about: &About, editable: &[String], guessed: bool) -> String {
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    line("# Made by `trialdeck run --cmd`; yours to refine. `trialdeck init` writes a longer one, with what it finds in the repository.");
    line("");
    line("[task]");
    line(&format!("name   = {}", quoted(&name_of(dir))));
    line(&format!("metric = {}", quoted(&said.pattern.metric)));
    line(&format!("goal   = {}", quoted(said.goal.word())));
    line("# min_effect = 0.001   # smaller differences do not matter; needed where the noise is UNKNOWN");
    line("");
    line("[repository]");
    line("path     = \".\"");
    if guessed {
        line("# A guess: the files that the command names and runs, without those that load data or compute scores.");
    }
    line(&format!("editable = {}", list(editable)));
    let guarded: Vec<String> = about.guarded.iter().map(|(p, _)| p.clone()).collect();
    if guessed && !guarded.is_empty() {
        for (path, why) in &about.guarded {
            line(&format!("# {}: {}", comment(path), comment(why)));
        }
        line(&format!("protected = {}", list(&guarded)));
    }
    for data in about.data.iter().filter(|d| !d.comes_along && d.size.is_some() && !d.path.starts_with('/')) {
        line("");
        line("[[data]]   # read by the command and not among the imported files");
        line(&format!("path = {}", quoted(&data.path)));
    }
    line("");
    line("[run]");
    line(&format!("command = {}", quoted(said.cmd)));
    let seed = match &about.seed {
        Seed::Variable { name, at } => format!("seed    = {{ env = {} }}   # read at {}", quoted(name), comment(at)),
        Seed::Argument { flag, at } => {
            format!("seed    = {{ arg = {} }}   # defined at {}", quoted(&format!("{flag} {{seed}}")), comment(at))
        }
        Seed::Pinned { at } => format!("seed    = \"none\"   # fixed in the source at {}", comment(&at.join(", "))),
        Seed::Unseeded => "seed    = \"none\"   # or { env = \"SEED\" }, or { arg = \"--seed {seed}\" }, once the program takes one".into(),
    };
    line(&seed);
    line("");
    line("[budget]");
    line(&format!("wall = {}", quoted(said.wall)));
    line("");
    line("# The run's own word, and everything that shows it says `self`. A program that scores what the run saved is safer:");
    line("# command = \"python evaluate.py\", files = [\"evaluate.py\", \"truth.npy\"], needs = [\"pred.npy\"].");
    line("[evaluator]");
    line(&format!("from = {}", quoted(&format!("stdout:{}", said.pattern.from))));
    let mut patterns: Vec<String> = said.pattern.live.iter().cloned().collect();
    patterns.extend(about.lines.iter().take(6).map(|l| l.pattern.clone()));
    let files: Vec<String> = about.traces.iter().map(|t| t.glob.clone()).collect();
    if !patterns.is_empty() || !files.is_empty() {
        line("");
        line("[live]   # curves to watch while it runs");
        if !patterns.is_empty() {
            line("stdout = [");
            for pattern in &patterns {
                line(&format!("  {},", quoted(pattern)));
            }
            line("]");
        }
        if !files.is_empty() {
            line(&format!("files = {}", list(&files)));
        }
    }
    out
}
