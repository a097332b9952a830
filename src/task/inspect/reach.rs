//! Which files of the repository a script runs: its imports, theirs, and files that it names and executes; and which of those
//! an edit should not touch, since they load the data or compute the score.

use super::python::Script;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Most files that are followed.
const MOST: usize = 2000;

/// Paths that the script at `entry` runs, itself included, in the order in which they are found.
pub fn reached(scripts: &BTreeMap<String, Script>, entry: &str) -> Vec<String> {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut out = Vec::new();
    let mut queue = VecDeque::from([entry.to_owned()]);
    while let Some(path) = queue.pop_front() {
        let Some(script) = scripts.get(&path) else { continue };
        if out.len() >= MOST || !seen.insert(path.clone()) {
            continue;
        }
        for import in &script.imports {
            queue.extend(modules(scripts, entry, &path, &import.module, import.level, &import.names));
        }
        // exec(open('configurator.py').read()) and the like.
        for (text, _) in script.paths.iter().filter(|(text, _)| text.ends_with(".py")) {
            let text = text.trim_start_matches("./");
            if scripts.contains_key(text) {
                queue.push_back(text.to_owned());
            }
        }
        out.push(path);
    }
    out
}

fn modules(scripts: &BTreeMap<String, Script>, entry: &str, from: &str, module: &str, level: u32, names: &[String]) -> Vec<String> {
    let here = |path: &str| path.rsplit_once('/').map(|(dir, _)| dir.to_owned()).unwrap_or_default();
    let inner = module.replace('.', "/");
    let mut roots = Vec::new();
    if level > 0 {
        let mut dir = here(from);
        for _ in 1..level {
            dir = here(&dir);
        }
        roots.push(dir);
    } else {
        // sys.path[0] is the script's own directory; packages at the root, or below src/, are common too.
        roots.extend([here(entry), String::new(), "src".to_owned()]);
    }
    let join = |a: &str, b: &str| match (a.is_empty(), b.is_empty()) {
        (true, _) => b.to_owned(),
        (_, true) => a.to_owned(),
        _ => format!("{a}/{b}"),
    };
    for root in roots {
        let base = join(&root, &inner);
        let mut found = Vec::new();
        let mut take = |path: String| {
            if scripts.contains_key(&path) {
                found.push(path);
            }
        };
        if !base.is_empty() {
            take(format!("{base}.py"));
        }
        take(join(&base, "__init__.py"));
        for name in names {
            take(format!("{}.py", join(&base, name)));
            take(join(&join(&base, name), "__init__.py"));
        }
        // A package's own __init__ runs before its modules.
        let mut above = here(&base);
        while !above.is_empty() && found.iter().any(|f| f.starts_with(&above)) {
            let init = join(&above, "__init__.py");
            if scripts.contains_key(&init) && !found.contains(&init) {
                found.push(init);
            }
            above = here(&above);
        }
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// Why an edit should not touch a file: its name says that it loads the data or computes the score.
pub fn guarded(path: &str, script: Option<&Script>) -> Option<String> {
    let words: Vec<String> = path
        .trim_end_matches(".py")
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let stem = path.rsplit('/').next().unwrap_or(path);
    let has = |wanted: &[&str]| words.iter().any(|w| wanted.contains(&w.as_str()));
    if has(&[
        "data",
        "dataset",
        "datasets",
        "dataloader",
        "dataloaders",
        "loader",
        "loaders",
        "prepare",
        "preprocess",
        "preprocessing",
        "corpus",
    ]) {
        return Some("its name says that it loads or prepares the data".into());
    }
    if has(&["eval", "evaluate", "evaluation", "evaluator", "metric", "metrics", "score", "scorer", "scoring", "benchmark"]) {
        return Some("its name says that it computes the score".into());
    }
    let defines = script.and_then(|s| s.definitions.iter().find(|(n, _)| n.starts_with("evaluate") || n.starts_with("compute_metric")));
    // A training script that evaluates as well is still the training script.
    let small = !matches!(stem, "train.py" | "main.py" | "run.py") && !words.iter().any(|w| w.contains("train") || w.contains("model"));
    defines.filter(|_| small).map(|(name, line)| format!("line {line} defines {name}"))
}

/// Globs for a list of paths: a directory whose Python files are all in the list becomes `dir/**`… only its own files.
pub fn globs(paths: &[String], all: &BTreeMap<String, Script>) -> Vec<String> {
    let dir = |path: &str| path.rsplit_once('/').map(|(dir, _)| dir.to_owned()).unwrap_or_default();
    let mut out: Vec<String> = Vec::new();
    for path in paths {
        let home = dir(path);
        let glob = if home.is_empty() {
            path.clone()
        } else {
            let siblings: Vec<&String> = all.keys().filter(|p| dir(p) == home).collect();
            let whole = siblings.len() > 2 && siblings.iter().all(|s| paths.contains(s));
            if whole { format!("{home}/*.py") } else { path.clone() }
        };
        if !out.contains(&glob) {
            out.push(glob);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::python;
    use super::*;

    fn scripts(files: &[(&str, &str)]) -> BTreeMap<String, Script> {
        files.iter().map(|(path, text)| ((*path).to_owned(), python::read(text).unwrap())).collect()
    }

    #[test]
    fn imports_are_followed_inside_the_repository() {
        let all = scripts(&[
            ("run.py", "import torch\nfrom exp.forecast import Exp\nimport prepare\nexec(open('configurator.py').read())\n"),
            ("exp/__init__.py", ""),
            ("exp/forecast.py", "from .basic import Basic\nfrom models import Net, TimeXer\n"),
            ("exp/basic.py", "from utils.metrics import mse\n"),
            ("exp/unused.py", ""),
            ("models/__init__.py", ""),
            ("models/TimeXer.py", "from layers import attention\n"),
            ("models/Other.py", ""),
            ("layers/attention.py", ""),
            ("utils/metrics.py", ""),
            ("configurator.py", ""),
            ("prepare.py", ""),
            ("plot.py", ""),
        ]);
        let mut got = reached(&all, "run.py");
        got.sort();
        let want = [
            "configurator.py",
            "exp/__init__.py",
            "exp/basic.py",
            "exp/forecast.py",
            "layers/attention.py",
            "models/TimeXer.py",
            "models/__init__.py",
            "prepare.py",
            "run.py",
            "utils/metrics.py",
        ];
        assert_eq!(got, want);
        for (path, want) in [
            ("prepare.py", true),
            ("utils/metrics.py", true),
            ("data_provider/m4.py", true),
            ("libs/datasets/anet.py", true),
            ("train.py", false),
            ("models/TimeXer.py", false),
            ("exp/forecast.py", false),
        ] {
            assert_eq!(guarded(path, None).is_some(), want, "{path}");
        }
        let scoring = python::read("def evaluate_bpb(m):\n    pass\n").unwrap();
        assert_eq!(guarded("tools.py", Some(&scoring)).unwrap(), "line 1 defines evaluate_bpb");
        assert_eq!(guarded("train.py", Some(&scoring)), None);
    }
}
