//! The text of the task file: what was found, each line with `sure` or `guess` and the reason, and what nobody could find out
//! as a question. Pure; that the text is valid is checked by whoever writes it, and by the journeys.

use super::evaluator::Skeleton;
use super::knobs::{self, LISTED};
use super::timed::Timed;
use crate::cli::task_text::{comment, list, name_of, quoted};
use crate::model::Goal;
use crate::model::number::short;
use crate::task::inspect::{About, Candidate, Command, Facts, Seed, reach};
use std::path::Path;

/// What is known beside the repository's own facts.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The command that trains.
    pub(super) command: Option<Command>,
    /// Why its interpreter was changed.
    pub(super) interpreter: Option<String>,
    /// What is to be known of a script that the command runs.
    pub(super) script: Vec<String>,
    /// The score.
    pub(super) metric: Option<Candidate>,
    /// A person chose it.
    pub(super) metric_told: bool,
    /// Which end is better.
    pub(super) goal: Option<Goal>,
    /// A budget that was given.
    pub(super) wall: Option<String>,
    /// The trial run.
    pub(super) timed: Option<Timed>,
    /// Packages that are imported and not installed.
    pub(super) missing: Vec<String>,
    /// What would build the environment.
    pub(super) setup: Option<Setup>,
    /// A patch of the seed was shown and not applied.
    pub(super) patch_offered: bool,
}

/// What would build the environment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Setup {
    /// For `[setup]`.
    pub(super) command: String,
    /// The file that says so.
    pub(super) at: String,
}

/// The file, and what is said about it.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    pub(super) text: String,
    /// What only a person can know.
    pub(super) questions: Vec<String>,
    /// The main findings, for the terminal.
    pub(super) summary: Vec<(&'static str, String)>,
    /// Lines marked so.
    pub(super) sure: usize,
    pub(super) guessed: usize,
    /// The score is the run's own word.
    pub(super) self_reported: bool,
}

impl Draft {
    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// An empty line, and the head where there is one.
    fn section(&mut self, head: &str) {
        self.line("");
        if !head.is_empty() {
            self.line(head);
        }
    }

    fn sure(&mut self, text: &str, why: &str) {
        self.sure += 1;
        self.line(&format!("{text}   # sure: {}", comment(why)));
    }

    fn guess(&mut self, text: &str, why: &str) {
        self.guessed += 1;
        self.line(&format!("{text}   # guess: {}", comment(why)));
    }

    fn marked(&mut self, sure: bool, text: &str, why: &str) {
        if sure { self.sure(text, why) } else { self.guess(text, why) }
    }

    fn question(&mut self, text: &str) {
        self.line(&format!("# QUESTION: {}", comment(text)));
        self.questions.push(text.to_owned());
    }
}

/// Makes the file of a repository in `dir`; `path` is how the file names it.
pub(super) fn compose(dir: &Path, path: &str, facts: &Facts, about: &About, known: &Known, skeleton: &Skeleton) -> Draft {
    let mut d = Draft::default();
    d.line("# Made by `trialdeck init`. Lines say `sure` where the repository says so and `guess` where it does not; what only you can");
    d.line("# know stands as QUESTION. `trialdeck doctor .` checks it, `trialdeck run .` starts a study.");
    about_task(&mut d, dir, facts, about, known);
    repository(&mut d, path, facts, about);
    data(&mut d, about);
    setup(&mut d, known);
    run(&mut d, about, known);
    budget(&mut d, known);
    evaluator(&mut d, known, skeleton);
    live(&mut d, about);
    knob_list(&mut d, facts, about, known);
    d
}

fn about_task(d: &mut Draft, dir: &Path, facts: &Facts, about: &About, known: &Known) {
    d.section("[task]");
    d.line(&format!("name   = {}", quoted(&name_of(dir))));
    match &known.metric {
        Some(metric) => {
            let word = if known.metric_told { "told" } else { "printed" };
            d.marked(known.metric_told, &format!("metric = {}", quoted(&metric.key)), &format!("{word} at {}", metric.at));
            d.summary.push(("metric", format!("{} ({word} at {})", metric.key, metric.at)));
            let others: Vec<String> = about
                .candidates
                .iter()
                .filter(|c| c.key != metric.key && c.points > -40)
                .take(5)
                .map(|c| format!("{} ({})", c.key, c.at))
                .collect();
            if !known.metric_told && !others.is_empty() {
                d.line(&format!(
                    "# others that are printed: {}; `trialdeck init --metric REGEX` takes another",
                    comment(&others.join(", "))
                ));
            }
        }
        None => {
            d.question("which number is the score? nothing that looks like one is printed; name the key that evaluate.py prints");
            d.line("metric = \"score\"");
        }
    }
    if let Some((metric, path)) = known.metric.as_ref().filter(|_| !known.metric_told).and_then(|m| only_imported(m, about)) {
        let other = facts.commands.iter().find(|c| {
            let stem = c.script.rsplit('/').next().unwrap_or_default();
            stem.contains("eval") || stem.contains("test")
        });
        let other = other.map(|c| format!("; `{}` ({}) may have to follow it in [run] command", c.line, c.at)).unwrap_or_default();
        d.question(&format!("does the command itself print {}? {path}, where it is printed, is only imported{other}", metric.key));
    }
    match known.goal {
        Some(goal) => {
            d.marked(known.metric_told, &format!("goal   = {}", quoted(goal.word())), "the name of the metric says which end is better")
        }
        None => {
            d.question("is a smaller score better, or a larger one?");
            d.line("goal   = \"minimize\"");
        }
    }
    d.line("# min_effect = 0.001   # smaller differences do not matter; needed where the noise is UNKNOWN");
    d.line("# target = 0.0   # reached and verified, the study may stop");
}

/// The file of the metric, where that is one that the command imports and that computes scores for others as well.
fn only_imported<'a>(metric: &'a Candidate, about: &'a About) -> Option<(&'a Candidate, &'a str)> {
    let here = |path: &str| metric.at.strip_prefix(path).is_some_and(|rest| rest.starts_with(':'));
    about.guarded.iter().find(|(path, _)| here(path)).map(|(path, _)| (metric, path.as_str()))
}

fn repository(d: &mut Draft, path: &str, facts: &Facts, about: &About) {
    d.section("[repository]");
    d.line(&format!("path = {}", quoted(path)));
    let globs = reach::globs(&about.editable, &facts.scripts);
    if globs.is_empty() {
        d.question("which files may be edited? the command names none of the repository");
        d.line("editable = [\"**/*.py\"]");
    } else {
        d.line("# guess: what the command names and imports, without what loads data or computes scores");
        d.guessed += 1;
        d.line(&format!("editable = {}", list(&globs)));
        d.summary.push(("editable", few(&globs)));
    }
    for (path, why) in &about.guarded {
        d.line(&format!("# {}: {}", comment(path), comment(why)));
    }
    let guarded: Vec<String> = about.guarded.iter().map(|(p, _)| p.clone()).collect();
    if !guarded.is_empty() {
        d.guess(&format!("protected = {}", list(&reach::globs(&guarded, &facts.scripts))), "an edit there would change what is measured");
        d.summary.push(("protected", few(&guarded)));
    }
    for (path, why) in facts.unread.iter().take(5) {
        d.line(&format!("# not read: {}: {}", comment(path), comment(why)));
    }
}

fn data(d: &mut Draft, about: &About) {
    for data in &about.data {
        let size = data.size.map(|(bytes, files)| format!("{}, {files} file{}", human(bytes), if files == 1 { "" } else { "s" }));
        match size {
            None => {
                d.section("");
                d.question(&format!("{} is not there (named at {}): where is the data?", data.path, data.at));
            }
            Some(size) if data.comes_along => d.section(&format!(
                "# data that comes along with the repository: {} ({size}; named at {})",
                comment(&data.path),
                comment(&data.at)
            )),
            Some(size) if data.path.starts_with('/') => {
                d.section(&format!("# data outside of the repository, to be granted by [sandbox] read: {} ({size})", comment(&data.path)))
            }
            Some(size) => {
                d.section("[[data]]");
                d.sure(
                    &format!("path = {}", quoted(&data.path)),
                    &format!("{size}, not among the imported files; named at {}; granted read-only", data.at),
                );
            }
        }
    }
    for at in about.home.iter().take(3) {
        d.section("");
        d.question(&format!(
            "{at} looks below the home directory, and runs have an empty home of their own: where is that data? ([run] env can name it)"
        ));
    }
    if !about.data.is_empty() {
        d.section("");
        d.question("is part of the data the truth that scores are computed from? give it hidden = true and let evaluate.py read it");
        d.summary.push((
            "data",
            about
                .data
                .iter()
                .map(|x| if x.size.is_some() { x.path.clone() } else { format!("{} (not there)", x.path) })
                .collect::<Vec<_>>()
                .join(", "),
        ));
    }
}

/// The first of a list, and how many more there are.
fn few(texts: &[String]) -> String {
    let more = texts.len().saturating_sub(6);
    let shown: Vec<&str> = texts.iter().take(6).map(String::as_str).collect();
    format!("{}{}", shown.join(", "), if more > 0 { format!(" and {more} more") } else { String::new() })
}

fn human(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

fn setup(d: &mut Draft, known: &Known) {
    let Some(setup) = &known.setup else {
        if !known.missing.is_empty() {
            d.section("");
            d.question(&format!(
                "how is the environment built? imported and not installed here: {}; no requirements file says more",
                known.missing.join(", ")
            ));
        }
        return;
    };
    // A README's line is for readers: versions and machines differ, so nothing is built by it unasked.
    let told = !setup.at.contains(':');
    if known.missing.is_empty() || !told {
        let why = match known.missing.is_empty() {
            true => "All that is imported is installed already".to_owned(),
            false => format!("Not installed here: {}; no requirements file says which versions", known.missing.join(", ")),
        };
        d.section(&format!("# {}; {} would build an environment of its own:", comment(&why), comment(&setup.at)));
        d.line("# [setup]");
        d.line(&format!("# command = {}", quoted(&setup.command)));
        d.line("# wall = \"20m\"");
        if !known.missing.is_empty() {
            d.question(&format!("how is the environment built? imported and not installed here: {}", known.missing.join(", ")));
        }
    } else {
        d.section("[setup]");
        d.line(&format!("# not installed here: {}", comment(&known.missing.join(", "))));
        d.guess(&format!("command = {}", quoted(&setup.command)), &format!("from {}", setup.at));
        d.line("wall = \"20m\"");
        d.summary.push(("setup", format!("{} (not installed here: {})", setup.at, known.missing.join(", "))));
    }
}

fn run(d: &mut Draft, about: &About, known: &Known) {
    d.section("[run]");
    match &known.command {
        Some(command) => {
            if let Some(shell) = command.shell.as_ref().filter(|s| s.times > 1) {
                d.line(&format!(
                    "# {} runs {} such commands; a study wants one: this is {}.",
                    comment(&shell.path),
                    shell.times,
                    if shell.first { "the first" } else { "one of them" }
                ));
            }
            for note in &known.script {
                d.line(&format!("# {}", comment(note)));
            }
            if let Some(why) = &known.interpreter {
                d.line(&format!("# {}", comment(why)));
            }
            let said = !command.at.ends_with(".py") && !command.at.contains(".py:");
            d.marked(said, &format!("command = {}", quoted(&command.line)), &command.at);
            d.summary.push(("command", format!("{} ({})", command.line, command.at)));
            if !command.open.is_empty() {
                d.question(&format!("the command needs values that only you know: {}", command.open.join(", ")));
            }
        }
        None => {
            d.question("how is the training started? neither README nor scripts say it");
            d.line("command = \"echo 'write [run] command into task.toml first' >&2; exit 2\"");
        }
    }
    let seed = match &about.seed {
        Seed::Variable { name, at } => {
            d.sure(&format!("seed = {{ env = {} }}", quoted(name)), &format!("read at {at}"));
            format!("the variable {name} ({at})")
        }
        Seed::Argument { flag, at } => {
            d.sure(&format!("seed = {{ arg = {} }}", quoted(&format!("{flag} {{seed}}"))), &format!("defined at {at} and used"));
            format!("the argument {flag} ({at})")
        }
        Seed::Pinned { at } => {
            d.sure("seed = \"none\"", &format!("the seed is a number in the source: {}; runs are alike and hide the noise", at.join(", ")));
            if known.patch_offered {
                d.line("# `trialdeck init --apply-seed-patch` lets the variable SEED decide; then: seed = { env = \"SEED\" }");
            }
            format!("fixed in the source ({}): it has no effect", at.join(", "))
        }
        Seed::Unseeded => {
            d.guess("seed = \"none\"", "nothing is seeded: runs differ by themselves, which measures the noise as well");
            "none is set: runs differ by themselves".into()
        }
    };
    d.summary.push(("seed", seed));
    let scores = known.timed.as_ref().and_then(|t| t.score.zip(t.second));
    if let Some((one, _)) = scores.filter(|(one, two)| one == two) {
        let why = match &about.seed {
            Seed::Variable { .. } | Seed::Argument { .. } => "the seed has no effect: two timed runs with other seeds",
            Seed::Pinned { .. } | Seed::Unseeded => "the training is deterministic: two timed runs",
        };
        d.line(&format!("# {why} both printed {}; without min_effect in [task] the noise is UNKNOWN and nothing is verified", short(one)));
        d.summary.push(("noise", format!("{why} both printed {}: set min_effect", short(one))));
    }
}

fn budget(d: &mut Draft, known: &Known) {
    d.section("[budget]");
    match (&known.wall, &known.timed) {
        (Some(wall), _) => d.sure(&format!("wall = {}", quoted(wall)), "--wall"),
        (None, Some(timed)) if timed.finished => {
            let wall = nice(timed.seconds * 1.5 + 10.0);
            d.sure(&format!("wall = {}", quoted(&wall)), &format!("a timed run took {:.1}s on this machine", timed.seconds));
            d.summary.push(("budget", format!("{wall} a run: a timed one took {:.1}s", timed.seconds)));
        }
        (None, Some(timed)) => {
            let why = timed
                .last_line
                .as_deref()
                .map_or_else(|| "a timed run did not end in 10 minutes".into(), |l| format!("a timed run failed: {l}"));
            d.guess("wall = \"15m\"", &why);
            d.question("how long may one run take? no timed run came to an end");
        }
        (None, None) => {
            d.guess("wall = \"10m\"", "nothing was timed; `trialdeck init --yes` makes a timed run");
            d.question("how long may one run take? 10m is a guess");
        }
    }
}

/// A duration of at least so many seconds that is easy to read.
fn nice(seconds: f64) -> String {
    let s = seconds.ceil() as u64;
    match s {
        0..120 => format!("{}s", s.div_ceil(10) * 10),
        120..3600 => format!("{}m", s.div_ceil(60)),
        _ => format!("{}m", s.div_ceil(900) * 15),
    }
}

fn evaluator(d: &mut Draft, known: &Known, skeleton: &Skeleton) {
    let files = list(&[skeleton.name.clone(), skeleton.truth.clone()]);
    let command = quoted(&format!("python3 {}", skeleton.name));
    let needs = list(std::slice::from_ref(&skeleton.artifact));
    d.self_reported = known.metric.is_some();
    if let Some(metric) = &known.metric {
        d.section("# The score is the run's own word, and everything that shows it says `self`: an edit could change what is printed.");
        d.line(&format!(
            "# Safer, once the TODOs of {} are done: the four lines below instead of `from`. The training script then needs",
            skeleton.name
        ));
        for line in &skeleton.two_lines {
            d.line(&format!("#     {line}"));
        }
        d.line("[evaluator]");
        let seen = known.timed.as_ref().and_then(|t| t.score).map(|s| format!(", and read {} in the timed run", short(s)));
        let why = format!("{}{}", metric.at, seen.clone().unwrap_or_default());
        d.marked(known.metric_told || seen.is_some(), &format!("from = {}", quoted(&format!("stdout:{}", metric.pattern))), &why);
        if known.timed.as_ref().is_some_and(|t| t.finished && t.score.is_none()) {
            d.question("the timed run ended without printing this score: which line holds it?");
        }
        for line in [format!("command = {command}"), format!("files = {files}"), format!("needs = {needs}"), "wall = \"60s\"".into()] {
            d.line(&format!("# {line}"));
        }
    } else {
        d.section(&format!(
            "# {} is a skeleton: it refuses to score until its TODOs are done. The training script then needs",
            skeleton.name
        ));
        for line in &skeleton.two_lines {
            d.line(&format!("#     {line}"));
        }
        d.line("[evaluator]");
        d.guess(&format!("command = {command}"), "no score is printed, so a program has to compute it");
        d.line(&format!("files = {files}"));
        d.line(&format!("needs = {needs}"));
        d.line("wall = \"60s\"");
    }
}

fn live(d: &mut Draft, about: &About) {
    if about.lines.is_empty() && about.traces.is_empty() {
        return;
    }
    d.section("[live]");
    if !about.lines.is_empty() {
        d.line("stdout = [");
        for line in about.lines.iter().take(12) {
            d.sure(&format!("  {},", quoted(&line.pattern)), &line.at);
        }
        d.line("]");
        let mut keys: Vec<String> = Vec::new();
        for value in about.lines.iter().take(12).flat_map(|l| &l.values) {
            if !keys.contains(&value.key) {
                keys.push(value.key.clone());
            }
        }
        d.summary.push(("curves", keys.join(", ")));
    }
    if !about.traces.is_empty() {
        let globs: Vec<String> = about.traces.iter().map(|t| t.glob.clone()).collect();
        let places: Vec<&str> = about.traces.iter().map(|t| t.at.as_str()).collect();
        d.guess(&format!("files = {}", list(&globs)), &places.join(", "));
        d.summary.push(("files", globs.join(", ")));
    }
}

fn knob_list(d: &mut Draft, facts: &Facts, about: &About, known: &Known) {
    let line = known.command.as_ref().map(|c| c.line.clone()).unwrap_or_default();
    let (found, by_command) = knobs::find(facts, about, &line);
    if !by_command.is_empty() {
        d.section(
            "# The command line itself sets these, so they are not turned; in a script or a configuration that it names they would be:",
        );
        d.line(&format!("# {}", comment(&by_command.join(", "))));
    }
    if found.is_empty() {
        d.section("# No knob was found in the editable files.");
        d.question("what can be turned? no constant, argument or configuration value was recognised; agents and your own edits need none");
        return;
    }
    d.section("# Knobs are found by themselves, with these ranges. To bound one, uncomment it and change it: once one stands here without");
    d.line("# `exclude`, only those that stand here are turned.");
    for knob in found.iter().take(LISTED) {
        d.line("#");
        d.line(&format!("# {}:{}, now {}", comment(&knob.path), knob.line, comment(&knob.text)));
        d.line("# [[knob]]");
        for line in knobs::lines(knob) {
            d.line(&format!("# {line}"));
        }
    }
    if found.len() > LISTED {
        let more: Vec<&str> = found.iter().skip(LISTED).map(|k| k.name.as_str()).collect();
        d.line("#");
        d.line(&format!("# and {} more: {}", more.len(), comment(&more.join(", "))));
    }
    let names: Vec<&str> = found.iter().take(10).map(|k| k.name.as_str()).collect();
    d.summary.push(("knobs", format!("{} found: {}{}", found.len(), names.join(", "), if found.len() > names.len() { ", …" } else { "" })));
}
