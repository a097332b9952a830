//! What the command needs of this machine: an interpreter of that name, and the packages that the sources import.

use super::compose::{Known, Setup};
use crate::cli::host;
use crate::task::inspect::Facts;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command as Process;

/// Modules that come with Python and that a finder may not see, or that are no package.
const BUILT_IN: &[&str] = &["__future__", "__main__"];

/// Completes the command and says what is missing.
pub(super) fn look(known: &mut Known, facts: &Facts, dir: &Path) {
    let path = host::program_path();
    let has = |name: &str| std::env::split_paths(&path).any(|d| d.join(name).is_file());
    let Some(command) = &mut known.command else { return };
    let about = facts.about(&command.line);
    let words: Vec<String> = command.line.split_whitespace().map(str::to_owned).collect();
    let interpreter = words.iter().find(|w| !w.contains('=')).cloned().unwrap_or_default();
    if interpreter == "python" && !has("python") && has("python3") {
        command.line = command.line.replacen("python ", "python3 ", 1);
        known.interpreter = Some("there is no `python` on this machine, there is `python3`".into());
    }
    // The top of every import that is no file of the repository.
    let local =
        |module: &str| facts.scripts.keys().any(|p| p.split('/').any(|part| part == module || part.strip_suffix(".py") == Some(module)));
    let modules: BTreeSet<String> = about
        .reached
        .iter()
        .filter_map(|p| facts.scripts.get(p))
        .flat_map(|s| s.imports.iter().filter(|i| i.level == 0 && !i.optional))
        .filter_map(|i| i.module.split('.').next().map(str::to_owned))
        .filter(|m| !m.is_empty() && !local(m) && !BUILT_IN.contains(&m.as_str()))
        .collect();
    let python = if has("python3") { "python3" } else { "python" };
    // find_spec of a top-level name looks and imports nothing; -I keeps the repository off its path.
    let script = "import importlib.util as u, sys\nprint(' '.join(m for m in sys.argv[1:] if u.find_spec(m) is None))";
    let out = Process::new(python).args(["-I", "-c", script]).args(&modules).current_dir(host::temp_dir()).output();
    known.missing = match out {
        Ok(out) if out.status.success() => String::from_utf8_lossy(&out.stdout).split_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    known.setup = setup(facts, dir);
}

/// The command that would build the environment, from the files that say what is needed.
fn setup(facts: &Facts, dir: &Path) -> Option<Setup> {
    let there = |name: &str| facts.tree.files.contains_key(name) || dir.join(name).is_file();
    let made = |command: &str, at: &str| Some(Setup { command: command.to_owned(), at: at.to_owned() });
    if there("uv.lock") {
        return made("UV_PROJECT_ENVIRONMENT=$SETUP uv sync --frozen --no-install-project", "uv.lock");
    }
    if let Some(file) = ["requirements.txt", "requirements/base.txt", "requirements-train.txt"].into_iter().find(|f| there(f)) {
        return made(&format!("python3 -m venv $SETUP && $SETUP/bin/pip install -r {file}"), file);
    }
    if let Some(file) = ["environment.yml", "environment.yaml"].into_iter().find(|f| there(f)) {
        return made(&format!("conda env create -p $SETUP -f {file}"), file);
    }
    project(facts).or_else(|| readme(facts))
}

/// `pip install torch numpy` in the README.
fn readme(facts: &Facts) -> Option<Setup> {
    let (path, text) = facts.tree.texts.iter().find(|(p, _)| p.to_ascii_lowercase().starts_with("readme"))?;
    let packages = |line: &str| -> Option<Vec<String>> {
        let rest = line.trim().trim_start_matches("$ ").strip_prefix("pip install ")?;
        let plain =
            rest.chars().all(|c| c.is_ascii_alphanumeric() || " ._-=<>[]~,".contains(c)) && !rest.contains(" -") && !rest.starts_with('-');
        plain.then(|| rest.split_whitespace().map(|w| shell_words::quote(w).into_owned()).collect())
    };
    let (n, packages) = text.lines().enumerate().find_map(|(n, line)| packages(line).map(|p| (n, p)))?;
    let command = format!("python3 -m venv $SETUP && $SETUP/bin/pip install {}", packages.join(" "));
    Some(Setup { command, at: format!("{path}:{}", n + 1) })
}

fn project(facts: &Facts) -> Option<Setup> {
    let project = facts.tree.texts.get("pyproject.toml")?;
    let table: toml::Table = toml::from_str(project).ok()?;
    let list = table.get("project")?.get("dependencies")?.as_array()?;
    let packages: Vec<String> = list.iter().filter_map(|d| d.as_str()).map(|d| shell_words::quote(d).into_owned()).collect();
    let command = format!("python3 -m venv $SETUP && $SETUP/bin/pip install {}", packages.join(" "));
    (!packages.is_empty()).then(|| Setup { command, at: "pyproject.toml".into() })
}
