//! What a program reads and writes: data that must be there, and result files that can be watched.
//!
//! Looks at the disk for sizes only. Tested by a table on a small directory.

use super::python::Script;
use super::tree::{self, Tree};
use std::collections::BTreeMap;
use std::path::Path;

/// Data that a program reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// As it is named, without `./` in front and `/` behind.
    pub path: String,
    /// Its bytes and files; none where it is not there.
    pub size: Option<(u64, usize)>,
    /// It is among the files that a study imports: neither ignored nor outside.
    pub comes_along: bool,
    /// `train.py:12`, `the command`.
    pub at: String,
}

/// Result files that can be watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Relative to the root.
    pub glob: String,
    /// Who writes them.
    pub at: String,
}

const DATA_ENDS: &[&str] = &[
    "csv", "tsv", "npy", "npz", "bin", "parquet", "feather", "h5", "hdf5", "pkl", "pickle", "pt", "pth", "arrow", "jsonl", "txt", "mat",
    "zip", "gz", "json", "lmdb", "db", "wav", "tfrecord",
];
const DATA_DIRS: &[&str] = &["data", "dataset", "datasets", "input", "inputs", "corpus"];
const RESULTS: &[&str] =
    &["log", "logs", "out", "output", "outputs", "result", "results", "run", "runs", "ckpt", "checkpoint", "checkpoints", "save", "saved"];

fn end(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path).rsplit_once('.').map_or("", |(_, end)| end)
}

fn clean(path: &str) -> String {
    path.trim().trim_matches(['"', '\'', ',']).trim_start_matches("./").trim_end_matches('/').to_owned()
}

/// Whether a text names a place of results, which is no data.
fn is_result(path: &str) -> bool {
    path.split('/').any(|part| RESULTS.contains(&part.split(['-', '_', '.']).next().unwrap_or(part).to_ascii_lowercase().as_str()))
}

/// Whether a text names data: by its ending, or by a directory's name.
fn is_data(path: &str) -> bool {
    !is_result(path) && (DATA_ENDS.contains(&end(path)) || path.split('/').next().is_some_and(|d| DATA_DIRS.contains(&d)))
}

/// The data of a command, named ones first.
pub(super) fn data(tree: &Tree, scripts: &BTreeMap<String, Script>, reached: &[String], named: &[String], line: &str) -> Vec<Data> {
    let mut wanted: Vec<(String, String)> = Vec::new();
    let mut want = |path: &str, at: String| {
        let path = clean(path);
        let fine = !path.is_empty()
            && path.len() < 200
            && !path.contains(['$', '*', '{', '<', '~', ' ', ':'])
            && path != "."
            && !path.contains("..");
        if fine && !named.contains(&path) && wanted.iter().all(|(p, _)| *p != path) {
            wanted.push((path, at));
        }
    };
    let words: Vec<&str> = line.split_whitespace().collect();
    for word in words.iter().flat_map(|w| w.rsplit('=').next()) {
        let path = clean(word);
        let there = word.contains('/') && tree.root.join(&path).exists();
        if (there && !is_result(&path)) || (word.contains('/') && is_data(&path)) {
            want(word, "the command".into());
        }
    }
    for path in named.iter().filter(|p| matches!(end(p), "yaml" | "yml" | "json" | "toml" | "gin" | "cfg" | "ini")) {
        for (n, text) in tree.texts.get(path).map(|t| t.lines().enumerate().collect::<Vec<_>>()).unwrap_or_default() {
            let value = text.split('#').next().unwrap_or(text).split_once([':', '=']).map_or("", |(_, v)| v.trim());
            if value.contains('/') && !value.contains("//") && is_data(&clean(value)) {
                want(value, format!("{path}:{}", n + 1));
            }
        }
    }
    for path in reached {
        for (text, at) in scripts.get(path).map(|s| s.paths.as_slice()).unwrap_or_default() {
            let there = tree.root.join(clean(text)).exists();
            // A default that is not there is somebody else's; one that is there is ours.
            if is_data(&clean(text)) && there {
                want(text, format!("{path}:{at}"));
            }
        }
    }
    for dir in DATA_DIRS {
        let inside = |path: &str| path == *dir || path.starts_with(&format!("{dir}/"));
        // Directories of Python modules are no data, whatever they are called.
        let code = scripts.keys().any(|p| p.starts_with(&format!("{dir}/")) && p.ends_with("__init__.py"));
        if tree.root.join(dir).is_dir() && !code && !wanted.iter().any(|(p, _)| inside(p)) {
            wanted.push(((*dir).to_owned(), format!("a directory named {dir}")));
        }
    }
    let outer: Vec<String> = wanted.iter().map(|(p, _)| p.clone()).collect();
    wanted
        .into_iter()
        .filter(|(path, _)| !outer.iter().any(|o| o != path && path.starts_with(&format!("{o}/"))))
        .map(|(path, at)| {
            let size = tree::size(&tree.root.join(&path));
            let below = format!("{path}/");
            let visible: usize = tree.files.keys().filter(|f| **f == path || f.starts_with(&below)).count();
            let comes_along = !Path::new(&path).is_absolute() && size.is_some_and(|(_, files)| visible > 0 && visible >= files);
            Data { path, size, comes_along, at }
        })
        .collect()
}

/// Result files that a command writes.
pub(super) fn traces(tree: &Tree, scripts: &BTreeMap<String, Script>, reached: &[String]) -> Vec<Trace> {
    let mut out: Vec<Trace> = Vec::new();
    let mut add = |glob: &str, at: String| {
        if out.iter().all(|t| t.glob != glob) {
            out.push(Trace { glob: glob.to_owned(), at });
        }
    };
    for path in reached {
        let Some(script) = scripts.get(path) else { continue };
        for (name, line) in &script.writes {
            let at = format!("{path}:{line}");
            match name.as_str() {
                "SummaryWriter" | "TensorBoardLogger" => add("**/events.out.tfevents.*", at),
                "CSVLogger" => add("**/metrics.csv", at),
                "writer" | "DictWriter" | "to_csv" => {
                    let named: Vec<&(String, usize)> = script
                        .paths
                        .iter()
                        // Opened nearby, and whole: `_forecast.csv` is the end of a name that is put together.
                        .filter(|(p, at)| end(p) == "csv" && !p.starts_with('_') && at.abs_diff(*line) <= 3 && !is_data_file(tree, p))
                        .collect();
                    for (csv, line) in named {
                        add(&clean(csv), format!("{path}:{line}"));
                    }
                }
                _ => {}
            }
        }
        for (text, line) in script.paths.iter().filter(|(p, _)| end(p) == "jsonl" && !is_data_file(tree, p)) {
            add(&clean(text), format!("{path}:{line}"));
        }
        if script.imports.iter().any(|i| i.module.starts_with("transformers") && i.names.iter().any(|n| n.contains("Trainer"))) {
            add("**/trainer_state.json", path.clone());
        }
    }
    for path in tree.files.keys().filter(|p| is_result(p)) {
        let name = path.rsplit('/').next().unwrap_or(path);
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir.split('/').next().unwrap_or_default());
        if name.starts_with("events.out.tfevents") {
            add("**/events.out.tfevents.*", path.clone());
        } else if !dir.is_empty() && (end(name) == "jsonl" || (end(name) == "csv" && (name.contains("metric") || name.contains("log")))) {
            add(&format!("{dir}/**/{name}"), path.clone());
        }
    }
    out.retain(|t| !t.glob.contains("..") && !t.glob.starts_with('/'));
    out
}

/// Whether the repository brings the file along: what is read there is no result.
fn is_data_file(tree: &Tree, path: &str) -> bool {
    tree.files.contains_key(&clean(path)) && !is_result(path)
}

#[cfg(test)]
mod tests {
    use super::super::Facts;
    use std::fs;

    #[test]
    fn data_and_results() {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("train.py", "w = SummaryWriter('runs/a')\nx = np.load('data/x.npy')\nwith open('logs/m.jsonl', 'w') as f: pass\n"),
            ("data/x.npy", "12345"),
            (".gitignore", "big/\n"),
            ("big/y.bin", "1"),
            ("dataset/tracked.csv", "a,b\n"),
            ("conf/a.yaml", "file: ./data/gone/z.json\nout: ./ckpt/a.pt\n"),
        ] {
            let at = dir.path().join(path);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, text).unwrap();
        }
        let about = super::super::inspect(dir.path()).map(|f: Facts| f.about("python train.py conf/a.yaml --bin ./big/y.bin")).unwrap();
        let data: Vec<_> = about.data.iter().map(|d| (d.path.as_str(), d.size, d.comes_along, d.at.as_str())).collect();
        assert_eq!(
            data,
            [
                ("big/y.bin", Some((1, 1)), false, "the command"),
                ("data/gone/z.json", None, false, "conf/a.yaml:1"),
                ("data/x.npy", Some((5, 1)), true, "train.py:2"),
                ("dataset", Some((4, 1)), true, "a directory named dataset"),
            ]
        );
        assert_eq!(about.traces.iter().map(|t| t.glob.as_str()).collect::<Vec<_>>(), ["**/events.out.tfevents.*", "logs/m.jsonl"]);
    }
}
