//! From the document to the typed task: one function a section, the rules that settle questions beside the keys.

mod running;
mod scoring;
mod searching;

use super::{
    root::Root,
    schema::{About, Data, Reference, Repository, Task},
    walk::{Section, Walk, float},
};
use crate::model::{Goal, NoisePlan};
use toml::de::{DeTable, DeValue};

/// Reads the whole document. With problems noted the result is not to be used.
pub(super) fn task<'w>(walk: &'w Walk<'w>, document: &'w DeTable<'w>) -> Task {
    let root = Root::open(walk, document);
    let evaluator = scoring::evaluator(&root);
    let task = about(&root);
    let gates = scoring::gates(&root, evaluator.holdout.as_deref());
    scoring::check_holdout(&root, &task.metric, &evaluator);
    let inference = scoring::inference(&root, &evaluator);
    Task {
        task,
        reference: reference(&root),
        repository: repository(&root),
        data: data(&root),
        setup: running::setup(&root),
        run: running::entry(&root),
        budget: running::budget(&root),
        evaluator,
        inference,
        gates,
        live: running::live(&root),
        sandbox: running::sandbox(&root),
        surfaces: searching::surfaces(&root),
        knobs: searching::knobs(&root),
        space: searching::space(&root),
        retention: running::retention(&root),
    }
}

fn about(root: &Root<'_>) -> About {
    const EXAMPLE: &str = "name   = \"my-task\"\nmetric = \"val_loss\"\ngoal   = \"minimize\"";
    const GOALS: &[(&str, Goal)] = &[("minimize", Goal::Minimize), ("maximize", Goal::Maximize)];
    let blank = |name: String, metric: String| About {
        title: name.clone(),
        name,
        metric,
        goal: Goal::Minimize,
        target: None,
        brief: Vec::new(),
        noise: NoisePlan::Measure,
        min_effect: None,
    };
    let Some(section) = root.need_section("task", EXAMPLE) else { return blank(String::new(), String::new()) };
    let name = section.need_text("name", "\"my-task\"");
    section.check_name(&name);
    let mut about = blank(name.value, section.need_text("metric", "\"val_loss\"").value);
    if let Some(title) = section.text("title", "\"What is optimised\"") {
        about.title = title.value;
    }
    if !section.has("goal") {
        section.missing("goal", "goal = \"minimize\"   # or \"maximize\"");
    }
    about.goal = section.word("goal", GOALS).unwrap_or(Goal::Minimize);
    about.target = section.number("target", "0.19").map(|n| n.value);
    about.brief = section.texts("brief", "[\"README.md\"]").into_iter().map(|t| t.value).collect();
    about.noise = noise(&section);
    about.min_effect = section.number("min_effect", "0.001").and_then(|n| {
        if n.value > 0.0 {
            return Some(n.value);
        }
        section.walk.problem(
            n.span,
            "`min_effect` must be positive",
            "it is the smallest difference of the metric that matters".to_owned(),
        );
        None
    });
    about
}

fn noise(section: &Section<'_>) -> NoisePlan {
    let Some((_, value)) = section.get("noise") else { return NoisePlan::Measure };
    match value.get_ref() {
        DeValue::String(_) => section.word("noise", &[("measure", NoisePlan::Measure)]).unwrap_or(NoisePlan::Measure),
        DeValue::Table(_) => {
            let Some(table) = section.table("noise", &["sd"]) else { return NoisePlan::Measure };
            if !table.has("sd") {
                table.missing("sd", "noise = { sd = 0.002 }");
            }
            match table.number("sd", "0.002") {
                Some(sd) if sd.value >= 0.0 => NoisePlan::Given { sd: sd.value },
                Some(sd) => {
                    table.walk.problem(sd.span, "a standard deviation is not negative", "write noise = { sd = 0.002 }".to_owned());
                    NoisePlan::Measure
                }
                None => NoisePlan::Measure,
            }
        }
        other => {
            let example = float(other).map_or("\"measure\"".to_owned(), |sd| format!("{{ sd = {sd} }}"));
            section.wrong("noise", value, "\"measure\" or { sd = … }", &example);
            NoisePlan::Measure
        }
    }
}

fn reference(root: &Root<'_>) -> Option<Reference> {
    let section = root.section("reference")?;
    if !section.has("value") {
        section.missing("value", "value = 0.183");
    }
    Some(Reference {
        value: section.number("value", "0.183").map(|n| n.value).unwrap_or_default(),
        source: section.text("source", "\"paper, table 2\"").map(|t| t.value),
        protocol: section.text("protocol", "\"test split\"").map(|t| t.value),
    })
}

fn repository(root: &Root<'_>) -> Repository {
    let mut repository = Repository {
        path: ".".into(),
        url: None,
        rev: None,
        patch: None,
        editable: vec!["**".into()],
        protected: Vec::new(),
        max_changed_lines: None,
    };
    let Some(section) = root.section("repository") else { return repository };
    if let Some(path) = section.text("path", "\".\"") {
        repository.path = path.value;
    }
    repository.url = section.text("url", "\"https://…\"").map(|t| t.value);
    repository.rev = section.text("rev", "\"v1.0\"").map(|t| t.value);
    repository.patch = section.text("patch", "\"fix.diff\"").map(|t| t.value);
    if section.has("url") && section.has("path") {
        let hint = "keep `path` for a directory on this machine, or `url` and `rev` for a repository to clone".to_owned();
        section.walk.problem(section.key_span("url"), "`url` and `path` exclude each other", hint);
    }
    if section.has("url") && !section.has("rev") {
        section.missing("rev", "rev = \"…\"   # the commit or tag of `url` that is studied");
    }
    if section.has("rev") && !section.has("url") {
        section.walk.problem(
            section.key_span("rev"),
            "`rev` without `url` means nothing",
            "add url = \"https://…\", or remove `rev`".to_owned(),
        );
    }
    let why = "repositories are not cloned yet; clone it yourself and give its `path`";
    for (key, essential, why) in
        [("url", true, why), ("rev", true, why), ("patch", true, "patches are not applied yet; apply it to the repository yourself")]
    {
        if section.has(key) {
            section.walk.unused(&format!("repository.{key}"), &section.key_span(key), essential, why);
        }
    }
    if section.has("editable") {
        let n_before = section.texts_given("editable");
        repository.editable = section.globs("editable", "[\"train.py\"]");
        if n_before == Some(0) {
            section.walk.problem(
                section.key_span("editable"),
                "`editable` is empty: nothing could be proposed",
                "write editable = [\"train.py\"]".to_owned(),
            );
        }
    }
    repository.protected = section.globs("protected", "[\"evaluate.py\"]");
    repository.max_changed_lines = section.whole("max_changed_lines", 1, "400");
    repository
}

fn data(root: &Root<'_>) -> Vec<Data> {
    let sections = root.sections("data");
    sections
        .iter()
        .map(|section| {
            let sha256 = section.text("sha256", "\"64 hexadecimal digits\"").and_then(|spot| {
                let lower = spot.value.to_lowercase();
                if lower.len() == 64 && lower.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Some(lower);
                }
                let hint = "write the 64 hexadecimal digits that `sha256sum` prints".to_owned();
                section.walk.problem(spot.span, "`sha256` is not a SHA-256 hash", hint);
                None
            });
            Data { path: section.need_text("path", "\"dataset/wind.csv\"").value, sha256, hidden: section.flag("hidden").unwrap_or(false) }
        })
        .collect()
}
