//! Renders a prompt for one request, and tries it beforehand on invented requests, so that a role that was read never fails.

use super::{
    Role, RoleProblem,
    around::{Around, OfRole, OfStudy, OfSurface, OfTask},
    head,
};
use crate::model::Study;
use crate::propose::agent::{Scene, tools};
use crate::task::{Task, nearest_word};
use minijinja::{Environment, ErrorKind, UndefinedBehavior};

/// Longest prompt, in bytes of its rendered text: it is paid for in every turn.
pub(super) const LONGEST: usize = 24_000;
/// Steps that a prompt may take: one that loops in loops must not hold up its study. The embedded ones take some thousand.
const STEPS: u64 = 500_000;
/// The name of the role's own template among those that it includes.
const OWN: &str = "prompt";

impl Role {
    /// The prompt for this request.
    ///
    /// Errors: what minijinja says, with its place; not for roles that `read` or `load` gave out.
    pub fn render(&self, scene: &Scene, task: &Task, study: &Study) -> Result<String, RoleProblem> {
        let around = Around::of(self, scene, task, study);
        let environment = environment(self).map_err(|(name, error)| problem(self, &name, &error))?;
        text(self, &environment, &around)
    }
}

fn environment(role: &Role) -> Result<Environment<'_>, (String, minijinja::Error)> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_trim_blocks(true);
    // Else the heading after an included part would stick to it.
    environment.set_keep_trailing_newline(true);
    environment.set_lstrip_blocks(true);
    environment.set_fuel(Some(STEPS));
    for (name, part) in role.parts.iter() {
        environment.add_template(name, part).map_err(|error| (name.clone(), error))?;
    }
    environment.add_template(OWN, &role.template).map_err(|error| (OWN.to_owned(), error))?;
    Ok(environment)
}

fn text(role: &Role, environment: &Environment<'_>, around: &Around) -> Result<String, RoleProblem> {
    let rendered = environment.get_template(OWN).and_then(|template| template.render(around));
    let rendered = rendered.map_err(|error| problem(role, OWN, &error))?;
    Ok(squeezed(&rendered))
}

/// Without the empty lines that the head and unused branches leave behind.
fn squeezed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.trim().lines().map(str::trim_end) {
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty < 2 {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

fn problem(role: &Role, name: &str, error: &minijinja::Error) -> RoleProblem {
    // The innermost place counts: an include fails where the included text does.
    let mut inner = error;
    while let Some(next) = std::error::Error::source(inner).and_then(|source| source.downcast_ref::<minijinja::Error>()) {
        inner = next;
    }
    let place = inner.name().filter(|named| *named != "<string>").unwrap_or(name);
    let file = if place == OWN { head::file_of(&role.name) } else { head::file_of(place) };
    let source = if place == OWN { Some(&role.template) } else { role.parts.get(place) };
    let column = inner.range().zip(source).and_then(|(range, source)| {
        let before = source.get(..range.start)?;
        Some(before.rsplit('\n').next().unwrap_or(before).chars().count() + 1)
    });
    let what = inner.detail().map_or_else(|| inner.kind().to_string(), |detail| format!("{}: {detail}", inner.kind()));
    let hint = (inner.kind() == ErrorKind::TemplateNotFound).then(|| {
        let parts: Vec<&str> = role.parts.keys().map(String::as_str).collect();
        format!("parts are {}", parts.join(", "))
    });
    RoleProblem { file, line: inner.line().unwrap_or(1), column: column.unwrap_or(1), message: what, hint }
}

/// What is wrong with a role's template: syntax, unknown variables, scenes that it cannot be rendered for, its size.
pub(super) fn lint(role: &mut Role, text_of_file: &str) -> Vec<RoleProblem> {
    let environment = match environment(role) {
        Ok(environment) => environment,
        Err((name, error)) => return vec![problem(role, &name, &error)],
    };
    let mut problems = Vec::new();
    for (name, template) in environment.templates() {
        let used = name == OWN || role.template.contains(name);
        if used {
            let source = if name == OWN { text_of_file } else { role.parts.get(name).map_or("", String::as_str) };
            problems.extend(unknown_variables(role, name, source, template.undeclared_variables(true)));
        }
    }
    if problems.is_empty() {
        let mut said = false;
        for around in invented(role) {
            match text(role, &environment, &around) {
                Ok(text) if text.len() > LONGEST => problems.push(RoleProblem {
                    file: head::file_of(&role.name),
                    line: 1,
                    column: 1,
                    message: format!("the prompt has {} bytes, {LONGEST} at most", text.len()),
                    hint: Some("it is sent with every turn: shorten it".to_owned()),
                }),
                Ok(text) => said |= !text.trim().is_empty(),
                Err(problem) => problems.push(problem),
            }
        }
        if !said && problems.is_empty() {
            problems.push(RoleProblem {
                file: head::file_of(&role.name),
                line: 1,
                column: 1,
                message: "the prompt is empty".to_owned(),
                hint: Some("write below the head what the specialist is to do".to_owned()),
            });
        }
    }
    problems.sort();
    // One sentence about a prompt's size is enough, whatever the size in each scene.
    problems.dedup_by(|a, b| (&a.file, a.line, a.column, a.hint.is_some()) == (&b.file, b.line, b.column, b.hint.is_some()));
    problems
}

fn unknown_variables(role: &Role, name: &str, source: &str, used: std::collections::HashSet<String>) -> Vec<RoleProblem> {
    let Some(sample) = invented(role).into_iter().next() else { return Vec::new() };
    let known = vocabulary(&sample);
    let mut strangers: Vec<String> = used.into_iter().filter(|variable| !known.contains(variable)).collect();
    strangers.sort();
    strangers
        .into_iter()
        .map(|variable| {
            let place = place_of(source, &variable);
            let hint = match nearest_word(&variable, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known are {}", known.join(", ")),
            };
            let file = head::file_of(if name == OWN { &role.name } else { name });
            RoleProblem { file, line: place.0, column: place.1, message: format!("there is no variable `{variable}`"), hint: Some(hint) }
        })
        .collect()
}

/// Dotted names of all variables, without those of list items.
fn vocabulary(sample: &Around) -> Vec<String> {
    let mut names = vec!["loop".to_owned()];
    if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(sample) {
        for (name, value) in fields {
            if let serde_json::Value::Object(inner) = &value {
                names.extend(inner.keys().map(|key| format!("{name}.{key}")));
            }
            names.push(name);
        }
    }
    names.sort();
    names
}

/// Line and column, from 1, of the first place inside of a tag where the name stands.
fn place_of(source: &str, name: &str) -> (usize, usize) {
    for (number, line) in source.lines().enumerate() {
        let tags = line.find("{{").into_iter().chain(line.find("{%")).min();
        let found = tags.and_then(|tag| line.get(tag..)?.find(name).map(|at| tag + at));
        if let Some(column) = found.and_then(|at| line.get(..at)).map(|before| before.chars().count() + 1) {
            return (number + 1, column);
        }
    }
    (1, 1)
}

/// Requests that cover every branch that a prompt can take: each operator, with and without what may be missing.
fn invented(role: &Role) -> Vec<Around> {
    let mut all = Vec::new();
    // The phases take turns: each is met with and without what may be missing.
    let mut phases = ["early", "middle", "late"].into_iter().cycle();
    for operator in ["draft", "improve", "debug", "crossover", "ablate"] {
        for (idea, revise) in [(false, false), (true, false), (false, true)] {
            let phase = phases.next().unwrap_or("early");
            all.extend([true, false].map(|rich| one(role, operator, rich, idea, revise, phase)));
        }
        // Fifteen turns in threes would tie each phase to one kind of request.
        phases.next();
    }
    all
}

fn one(role: &Role, operator: &'static str, rich: bool, idea: bool, revise: bool, phase: &'static str) -> Around {
    let surface =
        |name: &str| OfSurface { name: name.to_owned(), paths: vec!["train.py".to_owned()], hint: rich.then(|| "hint".to_owned()) };
    let kept = |list: Vec<String>| if rich { list } else { Vec::new() };
    Around {
        role: OfRole { name: role.name.clone(), title: role.title.clone(), turns: role.limits.turns },
        task: OfTask {
            name: "task".to_owned(),
            title: "A task".to_owned(),
            metric: "loss".to_owned(),
            better: if rich { "lower" } else { "higher" },
            command: "python train.py".to_owned(),
            budget: if rich { "wall" } else { "steps" },
            wall: "5 min".to_owned(),
            gpus: u32::from(rich),
            memory_gib: rich.then_some(16.0),
            seeded: rich,
            seeds_per_score: 1,
            max_changed_lines: rich.then_some(200),
            editable: vec!["train.py".to_owned()],
            protected: kept(vec!["evaluate.py".to_owned()]),
            target: rich.then(|| "0.19".to_owned()),
            gates: kept(vec!["artifact_bytes at most 16000000".to_owned()]),
            self_reported: !rich,
            brief: rich,
            preflight: rich,
            space: rich.then(|| "cell.yaml".to_owned()),
            network: false,
            needs: kept(vec!["model.pt".to_owned(), "pred.npy".to_owned()]),
            inference: rich.then(|| "python predict.py".to_owned()),
            inference_inputs: kept(vec!["inputs.npy".to_owned()]),
            inference_wall: rich.then(|| "60 s".to_owned()),
        },
        surfaces: if rich { vec![surface("optimizer"), surface("schedule")] } else { Vec::new() },
        others: if rich { vec![surface("architecture")] } else { Vec::new() },
        bound: rich,
        operator,
        parents: if operator == "crossover" { vec!["t0003".to_owned(), "t0007".to_owned()] } else { vec!["t0003".to_owned()] },
        surface: rich.then(|| "optimizer".to_owned()),
        idea,
        revise,
        study: OfStudy {
            name: "study".to_owned(),
            phase,
            trials_used: 7,
            trials_limit: rich.then_some(20),
            keeps: 2,
            since_keep: if rich { 9 } else { 1 },
            noise_known: rich,
        },
        tools: tools::NAMES.iter().filter(|name| role.tools.iter().any(|tool| tool == *name)).map(|name| (*name).to_owned()).collect(),
    }
}
