//! Commands that may start the training: from README code blocks, shell scripts, Makefiles, and scripts with a command line.
//!
//! Pure. A shell script is looked into: its first command that runs a Python file of the repository is written out with its
//! variables put in, since a study wants one run, not a sweep. Tested by a table.

use super::python::Script;
use std::collections::BTreeMap;

/// A command that may be the entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// One line for `sh -c`.
    pub line: String,
    /// The Python file of the repository that it runs.
    pub script: String,
    /// `README.md:30`.
    pub at: String,
    /// The shell script it was written out of.
    pub shell: Option<Shell>,
    /// Parts that only a person can fill in: `$DATA`, `<path>`, a required argument.
    pub open: Vec<String>,
    /// How much it looks like the training.
    pub points: i32,
}

/// The shell script that holds a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shell {
    /// The script.
    pub path: String,
    /// How many commands that run Python files of the repository it has.
    pub times: usize,
    /// This one is the first of them.
    pub first: bool,
    /// The last line of this one, from 1.
    pub end: usize,
}

const TRAIN: &[&str] = &["train", "main", "run", "pretrain", "finetune", "fit", "experiment", "training"];
const OTHER: &[&str] = &[
    "prepare",
    "download",
    "eval",
    "evaluate",
    "test",
    "sample",
    "demo",
    "plot",
    "convert",
    "preprocess",
    "export",
    "generate",
    "infer",
    "inference",
    "predict",
    "setup",
    "install",
    "visualize",
    "bench",
    "benchmark",
    "analysis",
    "data",
    "dataset",
    "util",
    "utils",
    "configurator",
];

fn name_points(script: &str) -> i32 {
    let stem = script.rsplit('/').next().unwrap_or(script).trim_end_matches(".py").to_ascii_lowercase();
    let words: Vec<&str> = stem.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let mut points = 0;
    points += match () {
        () if words.iter().any(|w| w.contains("train")) => 40,
        () if words.iter().any(|w| TRAIN.contains(w)) => 25,
        () => 0,
    };
    points -= if words.iter().any(|w| OTHER.contains(w)) { 60 } else { 0 };
    points += if script.contains('/') { 0 } else { 5 };
    points -= if script
        .split('/')
        .rev()
        .skip(1)
        .any(|d| matches!(d, "tests" | "test" | "data" | "docs" | "tools" | "examples" | "scripts" | "utils"))
    {
        12
    } else {
        0
    };
    points
}

/// What the texts and scripts of a repository offer, the likeliest first. `texts` are the README, shell scripts and Makefiles.
pub fn find(texts: &BTreeMap<String, String>, scripts: &BTreeMap<String, Script>) -> Vec<Command> {
    let mut out: Vec<Command> = Vec::new();
    for (path, text) in texts {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        if name.starts_with("readme") {
            let top = if path.contains('/') { 12 } else { 30 };
            for (line, command) in code_lines(text) {
                collect(&command, &format!("{path}:{line}"), top, texts, scripts, &mut out);
            }
        } else if name.ends_with(".sh") || name.ends_with(".slurm") || name.ends_with(".bash") {
            if let Some(found) = in_shell(path, text, scripts) {
                out.push(Command { points: found.points + 18, ..found });
            }
        } else if name == "makefile" {
            for (line, command) in joined(text).into_iter().filter(|(_, l)| l.starts_with('\t')) {
                collect(command.trim().trim_start_matches(['@', '-']), &format!("{path}:{line}"), 20, texts, scripts, &mut out);
            }
        }
    }
    for (path, script) in scripts {
        let runs = script.parser.or(script.main_guard);
        let points = name_points(path);
        if runs.is_some() || points >= 40 {
            let open: Vec<String> = script.flags.iter().filter(|f| f.required).map(|f| f.name.clone()).collect();
            let at = runs.map_or_else(|| path.clone(), |line| format!("{path}:{line}"));
            let short = -(open.len() as i32);
            let line = format!("python {path}");
            out.push(Command {
                line,
                script: path.clone(),
                at,
                shell: None,
                open,
                points: points + short + if runs.is_some() { 10 } else { 5 },
            });
        }
    }
    out.sort_by_key(|c| std::cmp::Reverse(c.points));
    let mut seen: Vec<String> = Vec::new();
    out.retain(|c| {
        !seen.contains(&c.line) && {
            seen.push(c.line.clone());
            true
        }
    });
    out
}

fn collect(line: &str, at: &str, base: i32, texts: &BTreeMap<String, String>, scripts: &BTreeMap<String, Script>, out: &mut Vec<Command>) {
    if let Some(found) = python_command(line, at, scripts) {
        out.push(Command { points: found.points + base, ..found });
    } else if let Some(path) = shell_command(line)
        && let Some(text) = texts.get(&path)
        && let Some(found) = in_shell(&path, text, scripts)
    {
        let points = found.points + base;
        out.push(Command { points, at: format!("{at}, {}", found.at), ..found });
    }
}

/// The path of `bash ./scripts/x.sh` and the like.
fn shell_command(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let first = words.next()?;
    let path = if matches!(first, "bash" | "sh" | "source" | "." | "sbatch") { words.find(|w| !w.starts_with('-'))? } else { first };
    path.ends_with(".sh").then(|| path.trim_start_matches("./").to_owned())
}

/// Lines with `\` at their end are joined; with the number of the first, from 1.
pub fn joined(text: &str) -> Vec<(usize, String)> {
    let mut out: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (n, line) in text.lines().enumerate() {
        let (body, more) = match line.trim_end().strip_suffix('\\') {
            Some(body) => (body.trim_end(), true),
            None => (line.trim_end(), false),
        };
        match out.last_mut() {
            Some((_, last)) if open => {
                last.push(' ');
                last.push_str(body.trim_start());
            }
            _ => out.push((n + 1, body.to_owned())),
        }
        open = more;
    }
    out
}

/// Lines of fenced code blocks, and of blocks that are indented by four spaces and begin with a prompt.
fn code_lines(text: &str) -> Vec<(usize, String)> {
    let mut inside = false;
    let mut out = Vec::new();
    for (n, line) in joined(text) {
        let trimmed = line.trim();
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            inside = !inside;
        } else if inside || trimmed.starts_with("$ ") {
            out.push((n, trimmed.trim_start_matches("$ ").to_owned()));
        }
    }
    out
}

/// A command that runs a Python file of the repository, without its redirections.
fn python_command(line: &str, at: &str, scripts: &BTreeMap<String, Script>) -> Option<Command> {
    let line = line.split(" #").next().unwrap_or(line);
    let line = line.split("&&").map(str::trim).find(|part| part.contains(".py")).unwrap_or(line);
    let cut = [" 2>&1", " > ", " >> ", " | ", " &>"].iter().filter_map(|mark| line.find(mark)).min().unwrap_or(line.len());
    let line = line.get(..cut)?.trim().trim_end_matches(['&', ';']).trim();
    let words: Vec<&str> = line.split_whitespace().collect();
    let starts = |w: &str| {
        matches!(w, "python" | "python3" | "torchrun" | "accelerate" | "uv" | "poetry" | "deepspeed")
            || w.starts_with("python3.")
            || w.ends_with("/python")
    };
    // Variables in front stay, but for the choice of a GPU: slots have their own.
    let first = words.iter().position(|w| !w.contains('=') || w.starts_with('-'))?;
    if !words.get(first).is_some_and(|w| starts(w)) {
        return None;
    }
    let at_script = words.iter().position(|w| w.ends_with(".py") && scripts.contains_key(w.trim_start_matches("./")))?;
    if words.iter().take(at_script).any(|w| *w == "-c" || *w == "pip") {
        return None;
    }
    let script = words.get(at_script)?.trim_start_matches("./").to_owned();
    let kept: Vec<&str> =
        words.iter().enumerate().filter(|(n, w)| !(*n < first && w.starts_with("CUDA_VISIBLE_DEVICES="))).map(|(_, w)| *w).collect();
    let open: Vec<String> = kept
        .iter()
        .filter(|w| {
            w.contains('$')
                || (w.starts_with('<') && w.ends_with('>'))
                || w.contains("/path/to")
                || w.contains("...")
                || w.starts_with('[')
                || w.contains("YOUR_")
        })
        .map(|w| (*w).to_owned())
        .collect();
    let mut points = name_points(&script);
    points -= 4 * open.len() as i32;
    // One machine and one process unless the reader says otherwise.
    points -=
        if words.iter().take(at_script).any(|w| w.starts_with("torchrun") || w.contains("nproc") || w.contains("launch")) { 6 } else { 0 };
    points -=
        if words.iter().any(|w| w.contains("test_only") || w.contains("eval_only") || *w == "--eval" || *w == "--test") { 25 } else { 0 };
    Some(Command { line: kept.join(" "), script, at: at.to_owned(), shell: None, open, points })
}

/// The first command of a shell script that runs a Python file, with the script's own variables put in.
fn in_shell(path: &str, text: &str, scripts: &BTreeMap<String, Script>) -> Option<Command> {
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut found: Vec<Command> = Vec::new();
    for (n, raw) in joined(text) {
        let line = raw.trim();
        if line.starts_with('#') {
            continue;
        }
        if let Some((name, value)) = assignment(line) {
            variables.retain(|(known, _)| *known != name);
            variables.push((name, substitute(&value, &variables)));
            continue;
        }
        if let Some(command) = python_command(&substitute(line, &variables), &format!("{path}:{n}"), scripts) {
            found.push(command);
        }
    }
    let times = found.len();
    let best = found.iter().map(|c| c.points).max()?;
    let first_at = found.first().map(|c| c.at.clone());
    let first = found.into_iter().find(|c| c.points == best)?;
    let start: usize = first.at.rsplit(':').next().and_then(|line| line.parse().ok())?;
    let more = text.lines().skip(start.saturating_sub(1)).take_while(|line| line.trim_end().ends_with('\\')).count();
    let shell = Shell { path: path.to_owned(), times, first: first_at.as_ref() == Some(&first.at), end: start + more };
    Some(Command { shell: Some(shell), ..first })
}

/// `name=value` alone on a line, `export` in front allowed.
pub fn assignment(line: &str) -> Option<(String, String)> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let value = value.trim();
    let quoted = ['"', '\''].into_iter().find_map(|q| value.strip_prefix(q)?.strip_suffix(q));
    let single = quoted.is_some() || !value.contains(char::is_whitespace);
    (plain && single && !value.contains("$(") && !value.contains('`')).then(|| (name.to_owned(), quoted.unwrap_or(value).to_owned()))
}

fn substitute(line: &str, variables: &[(String, String)]) -> String {
    let mut out = line.to_owned();
    let mut names: Vec<&(String, String)> = variables.iter().collect();
    // `$model_name` before `$model`.
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    for (name, value) in names {
        out = out.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::python;
    use super::*;

    fn best(texts: &[(&str, &str)], sources: &[(&str, &str)]) -> Command {
        let texts = texts.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect();
        let scripts = sources.iter().map(|(p, t)| ((*p).to_owned(), python::read(t).unwrap())).collect();
        find(&texts, &scripts).into_iter().next().unwrap()
    }

    #[test]
    fn the_training_command_is_found() {
        let main = "if __name__ == '__main__':\n    pass\n";
        let shell = "export CUDA_VISIBLE_DEVICES=0\n\nmodel_name=TimeXer\npython3 -u run.py \\\n  --model $model_name \\\n  --lr 0.1\n\npython3 -u run.py --model ${model_name}\n";
        let readme = "# x\n```\npip install -r requirements.txt\n```\n```bash\nbash ./scripts/EPF.sh\n```\n";
        for (texts, sources, line, at) in [
            (
                vec![(
                    "README.md",
                    "```sh\npython data/prepare.py\n```\n```sh\npython train.py config/small.py\n$ python sample.py\n```\n",
                )],
                vec![("train.py", main), ("sample.py", main), ("data/prepare.py", main)],
                "python train.py config/small.py",
                "README.md:5",
            ),
            (
                vec![("README.md", readme), ("scripts/EPF.sh", shell)],
                vec![("run.py", main)],
                "python3 -u run.py --model TimeXer --lr 0.1",
                "README.md:6, scripts/EPF.sh:4",
            ),
            (vec![("Makefile", "all:\n\tpython train.py --fast\n")], vec![("train.py", main)], "python train.py --fast", "Makefile:2"),
            (
                vec![("tools/all.sh", "python ./train.py ./a.yaml --output x 2>&1 | tee log.txt\npython ./eval.py ./a.yaml\n")],
                vec![("train.py", main), ("eval.py", main)],
                "python ./train.py ./a.yaml --output x",
                "tools/all.sh:1",
            ),
            (vec![], vec![("train.py", "x = 1\n"), ("plot.py", main)], "python train.py", "train.py"),
            (
                vec![("README.md", "```\nCUDA_VISIBLE_DEVICES=0 A=1 python main.py\n```\n")],
                vec![("main.py", main)],
                "A=1 python main.py",
                "README.md:2",
            ),
        ] {
            let found = best(&texts, &sources);
            assert_eq!((found.line.as_str(), found.at.as_str()), (line, at));
        }
        let many = best(&[("README.md", readme), ("scripts/EPF.sh", shell)], &[("run.py", main)]);
        assert_eq!(many.shell, Some(Shell { path: "scripts/EPF.sh".into(), times: 2, first: true, end: 6 }));
        let open = best(&[("README.md", "```\npython train.py --data <path> --out $OUT\n```\n")], &[("train.py", main)]);
        assert_eq!(open.open, ["<path>", "$OUT"]);
    }
}
