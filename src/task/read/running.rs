//! How a trial runs: setup, entry command, budget, what to watch, sandbox, retention.

use super::Root;
use crate::{
    model::Aggregate,
    task::{
        schema::{Budget, BudgetKind, Entry, Live, Preflight, Retention, Sandbox, SeedForm, Setup, Tier},
        walk::{Section, Spot, quoted},
    },
};
use std::{collections::BTreeMap, time::Duration};
use toml::de::DeValue;

/// Where a task does not say: from SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(10);
/// Where a task does not say: the preflight command.
const PREFLIGHT_WALL: Duration = Duration::from_secs(60);
/// Where a task does not say: the setup command.
const SETUP_WALL: Duration = Duration::from_secs(20 * 60);

pub(super) fn setup(root: &Root<'_>) -> Option<Setup> {
    let section = root.section("setup")?;
    Some(Setup {
        command: section.need_text("command", "\"python -m venv $SETUP && $SETUP/bin/pip install -r requirements.txt\"").value,
        wall: section.duration("wall", "\"20m\"").unwrap_or(SETUP_WALL),
    })
}

pub(super) fn entry(root: &Root<'_>) -> Entry {
    let mut entry = Entry {
        command: String::new(),
        seed: SeedForm::None,
        seeds: 1,
        aggregate: Aggregate::Mean,
        env: BTreeMap::new(),
        keep: Vec::new(),
        preflight: None,
    };
    let Some(section) = root.need_section("run", "command = \"python train.py\"") else { return entry };
    entry.command = section.need_text("command", "\"python train.py\"").value;
    entry.seed = seed(&section);
    entry.seeds = section.whole("seeds", 1, "1").unwrap_or(1);
    entry.aggregate = section.word("aggregate", &[("mean", Aggregate::Mean), ("median", Aggregate::Median)]).unwrap_or(Aggregate::Mean);
    entry.env = environment(&section);
    entry.keep = section.globs("keep", "[\"cache/**\"]");
    entry.preflight = section.table("preflight", &["command", "wall"]).map(|table| Preflight {
        command: table.need_text("command", "\"python -m py_compile train.py\"").value,
        wall: table.duration("wall", "\"20s\"").unwrap_or(PREFLIGHT_WALL),
    });
    entry
}

fn seed(section: &Section<'_>) -> SeedForm {
    const FORMS: &str = "write seed = { env = \"SEED\" }, { arg = \"--seed {seed}\" } or \"none\"";
    let Some((_, value)) = section.get("seed") else { return SeedForm::None };
    let DeValue::Table(_) = value.get_ref() else {
        match value.get_ref() {
            DeValue::String(text) if text == "none" => {}
            _ => section.walk.problem(value.span(), "`seed` says how the program is told its seed", FORMS.to_owned()),
        }
        return SeedForm::None;
    };
    let Some(table) = section.table("seed", &["env", "arg"]) else { return SeedForm::None };
    let (env, arg) = (table.text("env", "\"SEED\""), table.text("arg", "\"--seed {seed}\""));
    match (env, arg) {
        (Some(env), None) => {
            table.check_variable(&env);
            SeedForm::Env(env.value)
        }
        (None, Some(arg)) => {
            if !arg.value.contains("{seed}") {
                let mended = quoted(&format!("{} {{seed}}", arg.value.trim()));
                section.walk.problem(
                    arg.span,
                    "the argument has no place for the seed",
                    format!("write {{seed}} where it goes: arg = {mended}"),
                );
            }
            SeedForm::Arg(arg.value)
        }
        (Some(_), Some(_)) => {
            section.walk.problem(value.span(), "`seed` has both `env` and `arg`", "keep the one that the program reads".to_owned());
            SeedForm::None
        }
        (None, None) => {
            if !table.has("env") && !table.has("arg") {
                section.walk.problem(value.span(), "`seed` names neither `env` nor `arg`", FORMS.to_owned());
            }
            SeedForm::None
        }
    }
}

fn environment(section: &Section<'_>) -> BTreeMap<String, String> {
    let Some(table) = section.table("env", &[]) else { return BTreeMap::new() };
    let mut environment = BTreeMap::new();
    for (key, value) in table.entries() {
        let name = key.get_ref().to_string();
        table.check_variable(&Spot { value: name.clone(), span: key.span() });
        // An empty value is a value here.
        if let DeValue::String(text) = value.get_ref() {
            if text.contains('\0') {
                table.walk.problem(value.span(), format!("the value of `{name}` has a zero byte"), None);
            }
            environment.insert(name, text.to_string());
        } else {
            table.text(&name, "\"text\"");
        }
    }
    environment
}

pub(super) fn budget(root: &Root<'_>) -> Budget {
    const KINDS: &[(&str, BudgetKind)] =
        &[("wall", BudgetKind::Wall), ("steps", BudgetKind::Steps), ("tokens", BudgetKind::Tokens), ("flops", BudgetKind::Flops)];
    let mut budget =
        Budget { kind: BudgetKind::Wall, wall: Duration::ZERO, grace: GRACE, memory_bytes: None, gpus: None, output_bytes: None };
    let Some(section) = root.need_section("budget", "wall = \"5m\"") else { return budget };
    if !section.has("wall") {
        section.missing("wall", "wall = \"5m\"");
    }
    budget.wall = section.duration("wall", "\"5m\"").unwrap_or_default();
    budget.kind = section.word("kind", KINDS).unwrap_or(BudgetKind::Wall);
    if budget.kind != BudgetKind::Wall {
        let why = "only wall-clock time is held equal yet; gains from more of the other kind are not labelled";
        section.walk.unused("budget.kind", &section.key_span("kind"), false, why);
    }
    budget.grace = section.duration("grace", "\"10s\"").unwrap_or(GRACE);
    budget.memory_bytes = section.bytes("memory", "\"16GiB\"");
    budget.gpus = section.whole("gpus", 0, "1");
    budget.output_bytes = section.bytes("output", "\"2GiB\"");
    budget
}

pub(super) fn live(root: &Root<'_>) -> Live {
    let Some(section) = root.section("live") else { return Live::default() };
    Live {
        stdout: section.patterns("stdout", r"['loss: (?P<loss>[\d.]+)']"),
        files: section.globs("files", "[\"metrics.jsonl\"]"),
        primary: section.text("primary", "\"val_loss\"").map(|t| t.value),
    }
}

pub(super) fn sandbox(root: &Root<'_>) -> Sandbox {
    const TIERS: &[(&str, Tier)] = &[("A", Tier::A), ("B", Tier::B), ("C", Tier::C), ("D", Tier::D), ("E", Tier::E)];
    let Some(section) = root.section("sandbox") else { return Sandbox::default() };
    Sandbox {
        require: section.word("require", TIERS),
        network: section.flag("network").unwrap_or(false),
        read: section.texts("read", "[\"/usr/share/fonts\"]").into_iter().map(|t| t.value).collect(),
    }
}

pub(super) fn retention(root: &Root<'_>) -> Retention {
    const DEFAULT: Retention = Retention::KeptAndTop(8);
    let Some(section) = root.section("retention") else { return DEFAULT };
    section.walk.unused("retention", &section.header, false, "artifacts are not thinned out yet: all stay");
    let Some(spot) = section.text("artifacts", "\"kept+top8\"") else { return DEFAULT };
    let top = spot.value.strip_prefix("kept+top").and_then(|n| n.parse().ok());
    match (spot.value.as_str(), top) {
        ("all", _) => Retention::All,
        ("kept", _) => Retention::KeptAndTop(0),
        (_, Some(n)) => Retention::KeptAndTop(n),
        _ => {
            let message = format!("`{}` is not a valid `artifacts`", spot.value);
            section.walk.problem(spot.span, message, "write \"kept+top8\", \"kept\" or \"all\"".to_owned());
            DEFAULT
        }
    }
}
