//! Where an interpreter and its libraries lie: often in somebody's home, of which a run sees nothing else.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Prints the places, one a line. Isolated: neither the user's own packages nor variables put anything in between.
const PLACES: &str =
    "import sys\nfor p in [sys.executable, sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix] + sys.path: print(p)";
/// Files of an environment that lead to another place: links of `bin/python`.
const HOPS: usize = 8;

/// What a run needs to use an interpreter.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Python {
    /// The program itself, no wrapper of it.
    pub program: PathBuf,
    /// Directories and files that it reads, beyond the system's.
    pub read: Vec<PathBuf>,
}

impl Python {
    /// Asks an interpreter. `shut` are places that nothing may be granted above: the study, the evaluator's files, homes.
    /// None when it does not answer.
    pub fn ask(program: &Path, shut: &[PathBuf]) -> Option<Self> {
        let output = Command::new(program)
            .args(["-I", "-c", PLACES])
            .env_clear()
            // A wrapper (pyenv's) is a script that needs its own tools.
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .current_dir("/")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()
            .filter(|o| o.status.success())?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut places = text.lines().map(PathBuf::from).filter(|p| p.is_absolute());
        let program = places.next()?;
        Some(Self { read: granted(links(&program).into_iter().chain(places), shut), program })
    }
}

/// The places that may be granted, without what is the system's or lies in another of them.
fn granted(places: impl Iterator<Item = PathBuf>, shut: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for place in places.filter(|p| p.exists()) {
        let place = if place.is_dir() { place } else { place.parent().map_or(place.clone(), Path::to_owned) };
        let real = place.canonicalize().unwrap_or_else(|_| place.clone());
        for path in [place, real] {
            let of_system = super::of_system(&path);
            let too_much = path.parent().is_none() || shut.iter().any(|s| s.starts_with(&path));
            if !of_system && !too_much && !found.contains(&path) {
                found.push(path);
            }
        }
    }
    let all = found.clone();
    found.retain(|path| !all.iter().any(|other| other != path && path.starts_with(other)));
    found.sort();
    found
}

/// A program and what it is a link to, hop by hop.
fn links(program: &Path) -> Vec<PathBuf> {
    let mut hops = vec![program.to_owned()];
    for _ in 0..HOPS {
        let Some(last) = hops.last() else { break };
        let Ok(target) = last.read_link() else { break };
        let next = last.parent().map_or(target.clone(), |dir| dir.join(&target));
        hops.push(next);
    }
    hops
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_and_studies_are_not_granted_with_a_library() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for path in ["home/.venv/bin", "home/.venv/lib", "home/repo/src", "home/studies/a"] {
            std::fs::create_dir_all(root.join(path)).unwrap();
        }
        let shut = [root.join("home"), root.join("home/studies/a"), root.join("home/repo/evaluate.py")];
        let places = ["home/.venv", "home/.venv/lib", "home", "home/repo", "home/repo/src", "home/studies", "gone"];
        let found = granted(places.iter().map(|p| root.join(p)).chain(["/usr/lib".into(), "/".into()]), &shut);
        assert_eq!(found, ["home/.venv", "home/repo/src"].map(|p| root.join(p)));
    }

    #[test]
    fn the_machines_python_says_where_it_lies() {
        let Some(program) = crate::run::interpreter::find("python3", "/usr/bin:/usr/local/bin:/bin") else {
            return println!("skipped: no python3");
        };
        let python = Python::ask(&program, &[]).unwrap();
        assert!(python.program.is_absolute() && python.program.exists());
        println!("{python:?}");
    }
}
