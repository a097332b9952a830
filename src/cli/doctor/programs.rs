//! The programs that a study needs: Python, git, and the interpreter that a task names.

use super::asked::asked;
use super::finding::Finding;
use crate::cli::host;
use crate::task::{Found, Origin};
use std::path::{Path, PathBuf};

/// Oldest Python that the quickstart runs on.
const OLDEST: (u32, u32) = (3, 9);

pub(super) fn python() -> Finding {
    const MEND: &str = "install Python 3.9 or newer: the quickstart and most tasks run it";
    let Some(path) = host::which("python3") else { return Finding::fail("python3", "not found on PATH").mend(MEND) };
    match version(&path) {
        Ok((version, found)) if found >= OLDEST => Finding::ok("python3", format!("{version}, {}", path.display())),
        Ok((version, _)) => {
            Finding::warn("python3", format!("{version}, {}", path.display())).means("older than the quickstart needs").mend(MEND)
        }
        Err(why) => Finding::fail("python3", format!("{} does not work: {why}", path.display())).mend(MEND),
    }
}

/// The version of an interpreter, in words and to compare.
fn version(path: &Path) -> Result<(String, (u32, u32)), String> {
    let said = asked(path, &["--version"])?;
    let text = said.strip_prefix("Python ").unwrap_or(&said).lines().next().unwrap_or_default().to_owned();
    let mut numbers = text.split('.').map_while(|n| n.parse().ok());
    let pair = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    Ok((text, pair))
}

pub(super) fn git() -> Finding {
    const MEND: &str = "install git: repositories are read with it where the built-in library cannot";
    let Some(path) = host::which("git") else { return Finding::fail("git", "not found on PATH").mend(MEND) };
    match asked(&path, &["--version"]) {
        Ok(said) => Finding::ok("git", format!("{}, {}", said.trim_start_matches("git version "), path.display())),
        Err(why) => Finding::fail("git", format!("{} does not work: {why}", path.display())).mend(MEND),
    }
}

/// The interpreter that a task's command begins with, as its runs will find it.
pub(super) fn interpreter(found: &Found) -> Option<Finding> {
    let task = &found.parsed.task;
    let words = shell_words::split(&task.run.command).unwrap_or_default();
    // `VAR=1 exec python3 -u train.py` is a command of python3's.
    let word = words.iter().find(|w| !w.contains('=') && !["exec", "env", "nice", "time"].contains(&w.as_str()))?;
    let name = "interpreter";
    if task.setup.is_some() && !word.contains('/') {
        return Some(Finding::info(name, format!("`{word}`: what [setup] builds comes first, then PATH")));
    }
    let path = if !word.contains('/') {
        match host::which(word) {
            Some(path) => path,
            None => {
                let near = word.starts_with("python").then(|| host::which("python3")).flatten();
                let mend = match near {
                    Some(_) => format!("write python3 instead of {word} in [run] command"),
                    None => format!("install {word}, or name another program in [run] command"),
                };
                return Some(Finding::fail(name, format!("`{word}` is not on PATH")).means("every run would fail").mend(mend));
            }
        }
    } else if word.starts_with('/') {
        PathBuf::from(word)
    } else {
        return Some(relative(found, word));
    };
    if !path.is_file() {
        return Some(
            Finding::fail(name, format!("{} does not exist", path.display()))
                .means("every run would fail")
                .mend("name one that does in [run] command"),
        );
    }
    let is_python = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("python"));
    Some(match is_python.then(|| version(&path)) {
        Some(Ok((version, _))) => Finding::ok(name, format!("{version}, {}", path.display())),
        Some(Err(why)) => Finding::fail(name, format!("{} does not work: {why}", path.display())).means("every run would fail"),
        None => Finding::ok(name, path.display().to_string()),
    })
}

/// A program of the repository's: runs see what git knows of it, and nothing else.
fn relative(found: &Found, word: &str) -> Finding {
    let inner = Path::new(&found.parsed.task.repository.path).join(word.trim_start_matches("./"));
    let path = found.base.join(&inner);
    if found.origin == Origin::Disk && !path.exists() {
        return Finding::fail("interpreter", format!("{} does not exist", path.display())).means("every run would fail");
    }
    let inside_environment = path.parent().and_then(Path::parent).is_some_and(|d| d.join("pyvenv.cfg").is_file());
    if inside_environment {
        return Finding::fail("interpreter", format!("`{word}` is a virtual environment in the repository"))
            .means("runs work in a copy of what git tracks, where it is missing")
            .mend(format!("write its absolute path in [run] command: {}", std::path::absolute(&path).unwrap_or(path).display()));
    }
    Finding::ok("interpreter", format!("`{word}` of the repository"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Level;
    use crate::task;

    #[test]
    fn the_interpreter_is_the_one_that_runs_will_find() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join(".venv/bin")).unwrap();
        std::fs::write(dir.path().join(".venv/pyvenv.cfg"), "").unwrap();
        std::fs::write(dir.path().join(".venv/bin/python"), "").unwrap();
        std::fs::write(dir.path().join("train.sh"), "").unwrap();
        for (command, level, says) in [
            ("sh train.sh", Level::Ok, "/sh"),
            ("OMP_NUM_THREADS=1 exec sh train.sh", Level::Ok, "/sh"),
            ("./train.sh", Level::Ok, "of the repository"),
            ("./gone.sh", Level::Fail, "does not exist"),
            ("/no/such/python train.py", Level::Fail, "does not exist"),
            (".venv/bin/python train.py", Level::Fail, "virtual environment"),
            ("no-such-program-at-all x", Level::Fail, "not on PATH"),
        ] {
            let text = format!(
                "[task]\nname=\"t\"\nmetric=\"m\"\ngoal=\"minimize\"\n[run]\ncommand=\"{command}\"\n[budget]\nwall=\"1m\"\n[evaluator]\ncommand=\"true\"\n"
            );
            std::fs::write(dir.path().join("task.toml"), text).unwrap();
            let found = task::find(".", dir.path()).unwrap();
            let finding = interpreter(&found).unwrap();
            assert_eq!(finding.level, level, "{command}: {finding:?}");
            assert!(finding.found.contains(says), "{command}: {finding:?}");
        }
    }
}
