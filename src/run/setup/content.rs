//! What names an environment: the command, the files that declare what it needs, the programs that build it, the platform.

use crate::run::interpreter;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Time for a program to say its version.
const PATIENCE: Duration = Duration::from_secs(10);

/// Names of files that declare dependencies, wherever they lie.
const DECLARING: &[&str] = &[
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "uv.lock",
    "uv.toml",
    "poetry.lock",
    "pdm.lock",
    "pixi.toml",
    "pixi.lock",
    "Pipfile",
    "Pipfile.lock",
    "environment.yml",
    "environment.yaml",
    "conda-lock.yml",
    ".python-version",
];

/// A program that the command uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Without links.
    pub path: PathBuf,
    /// What it says of itself.
    pub version: String,
}

/// All that names an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The task's command.
    pub command: String,
    /// Files of the tree that it may read, with their content, in path order.
    pub files: Vec<(String, Vec<u8>)>,
    /// The programs that it uses.
    pub tools: Vec<Tool>,
}

/// Whether the command's outcome may depend on this file of the tree: it declares dependencies, or the command names it or a
/// directory above it.
pub fn declares(command: &str, path: &str) -> bool {
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    let requirements =
        |n: &str| (n.starts_with("requirements") || n.starts_with("constraints")) && (n.ends_with(".txt") || n.ends_with(".in"));
    if DECLARING.contains(&name) || requirements(name) || (dir.ends_with("requirements") && name.ends_with(".txt")) {
        return true;
    }
    words(command).any(|word| {
        let word = word.trim_start_matches("./").trim_end_matches('/');
        word == path || word == "." || (!word.is_empty() && path.strip_prefix(word).is_some_and(|rest| rest.starts_with('/')))
    })
}

/// The words of a command, quotes and operators taken off; `-e.`, `.[dev]` and `--file=x` give what they name.
fn words(command: &str) -> impl Iterator<Item = &str> {
    command
        .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '&' | '|' | '(' | ')' | '=' | '<' | '>'))
        .map(|w| w.split('[').next().unwrap_or(w))
        .filter(|w| !w.is_empty() && !w.contains('$'))
}

/// The programs that decide what the command builds: the Python that `PATH` finds, and installers that the command names.
pub fn tools(command: &str, path: &str) -> Vec<Tool> {
    let mut names: BTreeSet<&str> = BTreeSet::from(["python3"]);
    let installers = ["uv", "conda", "mamba", "micromamba", "poetry", "pdm", "pixi"];
    for word in words(command) {
        let name = word.rsplit('/').next().unwrap_or(word);
        if installers.contains(&name) || interpreter::is_python(name) {
            names.insert(word);
        }
    }
    let found = names.into_iter().filter_map(|name| interpreter::find(name, path));
    let paths: BTreeSet<PathBuf> = found.map(|p| p.canonicalize().unwrap_or(p)).collect();
    paths.into_iter().map(|program| Tool { version: version(&program, path), path: program }).collect()
}

/// What a program says of itself; empty when it says nothing in time.
fn version(program: &Path, path: &str) -> String {
    let spawned = Command::new(program)
        .arg("--version")
        .env_clear()
        .env("PATH", path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = spawned else { return String::new() };
    let end = Instant::now() + PATIENCE;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > end {
            let _ = child.kill();
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().map(|out| String::from_utf8_lossy(&out.stdout).trim().chars().take(200).collect()).unwrap_or_default()
}

/// The name of an environment: 16 hexadecimal digits.
pub fn key(content: &Content) -> String {
    let mut hash = Sha256::new();
    let mut add = |what: &str, bytes: &[u8]| {
        // Lengths keep two parts from reading as one other.
        hash.update(format!("{what} {}\n", bytes.len()));
        hash.update(bytes);
    };
    add("format", b"1");
    let machine = rustix::system::uname();
    add("platform", format!("{} {}", machine.sysname().to_string_lossy(), machine.machine().to_string_lossy()).as_bytes());
    add("command", content.command.trim().as_bytes());
    for (path, bytes) in &content.files {
        add(path, bytes);
    }
    for tool in &content.tools {
        add(&tool.path.to_string_lossy(), tool.version.as_bytes());
    }
    hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_declares_dependencies_or_is_named() {
        let pip = "python -m venv $SETUP && $SETUP/bin/pip install -r requirements.txt";
        for (command, path, want) in [
            (pip, "requirements.txt", true),
            (pip, "sub/requirements-dev.txt", true),
            (pip, "requirements/base.txt", true),
            (pip, "pyproject.toml", true),
            (pip, "train.py", false),
            ("sh tools/build.sh", "tools/build.sh", true),
            ("cd vendor/ext && make PREFIX=$SETUP", "vendor/ext/a.c", true),
            ("cd vendor/ext && make PREFIX=$SETUP", "vendor/extra.c", false),
            ("pip install .", "src/a.py", true),
            ("pip install -e '.[dev]'", "src/a.py", true),
            ("conda env create -p $SETUP --file=envs/gpu.yml", "envs/gpu.yml", true),
            ("./install.sh", "install.sh", true),
        ] {
            assert_eq!(declares(command, path), want, "{command}: {path}");
        }
    }

    #[test]
    fn every_part_names_it() {
        let content = |command: &str, file: &str, version: &str| {
            let files = vec![("requirements.txt".to_owned(), file.as_bytes().to_vec())];
            key(&Content { command: command.into(), files, tools: vec![Tool { path: "/usr/bin/python3".into(), version: version.into() }] })
        };
        let first = content("a", "numpy", "Python 3.11.7");
        assert_eq!(first.len(), 16);
        assert_eq!(first, content(" a\n", "numpy", "Python 3.11.7"));
        for other in
            [content("b", "numpy", "Python 3.11.7"), content("a", "scipy", "Python 3.11.7"), content("a", "numpy", "Python 3.12.0")]
        {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn programs_are_found_and_asked() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in
            [("python3", "#!/bin/sh\necho Python 9.9.9\n"), ("uv", "#!/bin/sh\necho uv 1\n"), ("conda", "#!/bin/sh\nexit 3\n")]
        {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        let versions = |command: &str| tools(command, &dir.path().to_string_lossy()).into_iter().map(|t| t.version).collect::<Vec<_>>();
        assert_eq!(versions("python3 -m venv $SETUP"), ["Python 9.9.9"]);
        assert_eq!(versions("uv venv $SETUP && uv pip install x"), ["Python 9.9.9", "uv 1"]);
        assert_eq!(versions("conda env create"), ["", "Python 9.9.9"]);
    }
}
