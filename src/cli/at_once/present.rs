//! Whether a study would have the files that a command line runs: they are there, and git knows them. Said before anything
//! is written or started. Knows nothing of task files. Tested by a table, and with git in `tests/journeys`.

use super::super::Failure;
use crate::task::inspect::{About, Facts};
use crate::task::nearest_word;
use std::path::Path;
use std::process::Command as Process;

/// The script that the command begins with is there. Errors: it is not, with the nearest one that is.
pub(super) fn script(cmd: &str, dir: &Path, facts: &Facts, shown: &str) -> Result<(), Failure> {
    let Some(script) = first_script(cmd).filter(|s| !dir.join(s).exists()) else { return Ok(()) };
    let near = nearest_word(&script, facts.tree.files.keys().map(String::as_str));
    let near = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
    Err(Failure::usage(format!("--cmd runs {script}, and there is no such file in {shown}{near}")))
}

/// The file that the first command of a line runs, where its words name one plainly: `python -u train.py` and `./run.sh`,
/// not `cd src && python train.py`, `python -m pkg` or `$PYTHON "$SCRIPT"`.
fn first_script(cmd: &str) -> Option<String> {
    let first = cmd.split(['\n', ';', '&', '|']).next()?;
    let words = shell_words::split(first).ok()?;
    let runner = |word: &str| ["python", "bash", "sh", "uv", "env", "time", "torchrun"].iter().any(|r| word.starts_with(r));
    if !words.iter().map(String::as_str).find(|w| !w.contains('=')).is_some_and(|w| runner(w) || is_script(w)) {
        return None;
    }
    let word = words.into_iter().find(|w| is_script(w))?;
    word.chars().all(|c| !"$*?[{~`<>".contains(c)).then_some(word)
}

fn is_script(word: &str) -> bool {
    [".py", ".sh"].iter().any(|end| word.ends_with(end)) && !word.starts_with('-')
}

/// A git repository gives a study its tracked files alone: an untracked script would be missing from every run.
pub(super) fn tracked(dir: &Path, about: &About) -> Result<(), Failure> {
    let mut wanted: Vec<&str> = about.named.iter().chain(&about.reached).map(String::as_str).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let Some(known) = listed(dir, &[], &wanted).filter(|_| !wanted.is_empty()) else { return Ok(()) };
    let missing: Vec<&str> = wanted.into_iter().filter(|w| !known.split('\0').any(|k| k == *w)).collect();
    let Some(first) = missing.first() else { return Ok(()) };
    if let Some(module) = submodule(dir, first) {
        let inside = shell_words::quote(&module).into_owned();
        return Err(Failure::usage(format!(
            "{first} lies in the git submodule {module}, and a study has no submodules: start in there (`trialdeck run {inside} --cmd …`), or copy its files into the repository"
        )));
    }
    let files: Vec<_> = missing.iter().map(|m| shell_words::quote(m)).collect();
    Err(Failure::usage(format!(
        "git does not track {}, so a study would not have it: `git add {}` (a commit is not needed)",
        missing.join(", "),
        files.join(" ")
    )))
}

/// What `git ls-files` says of paths, each ended by a zero byte; none outside of a repository or without git.
fn listed(dir: &Path, options: &[&str], paths: &[&str]) -> Option<String> {
    let mut git = Process::new("git");
    // A repository may name programs for git to start, and this only asks what it lists.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS"] {
        git.env_remove(name);
    }
    git.args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false", "--no-optional-locks"]);
    git.env("GIT_NO_LAZY_FETCH", "1").stdin(std::process::Stdio::null());
    let out =
        git.arg("-C").arg(dir).args(["--literal-pathspecs", "ls-files", "-z", "--cached"]).args(options).arg("--").args(paths).output();
    let out = out.ok().filter(|out| out.status.success())?;
    Some(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// The submodule that a path lies in.
fn submodule(dir: &Path, path: &str) -> Option<String> {
    path.match_indices('/').find_map(|(at, _)| {
        let above = path.get(..at)?;
        let listed = listed(dir, &["--stage"], &[above])?;
        listed.starts_with("160000 ").then(|| above.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_that_a_line_begins_with() {
        for (cmd, script) in [
            ("python train.py --lr 1", Some("train.py")),
            ("OMP_NUM_THREADS=1 python3 -u src/train.py x.py", Some("src/train.py")),
            ("./run.sh 3", Some("./run.sh")),
            ("python 'a b.py'", Some("a b.py")),
            ("uv run train.py", Some("train.py")),
            ("cd src && python train.py", None),
            ("python -m pkg.train", None),
            ("python make.py > train.py && python train.py", Some("make.py")),
            ("python $SCRIPT.py", None),
            ("make train OUT=gen.py", None),
            ("cargo run -- gen.py", None),
            ("python -c 'print(1)'", None),
            ("'", None),
        ] {
            assert_eq!(first_script(cmd).as_deref(), script, "{cmd}");
        }
    }
}
