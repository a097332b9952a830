//! What a repository says of itself, before anybody wrote a `task.toml`: how it is started, what it prints, where it seeds,
//! what it reads and writes. Facts with their places; what is made of them is decided by whoever asks.
//!
//! `tree` reads the directory; the rest is pure. Tested by tables beside each kind of fact.

pub mod commands;
pub mod metrics;
pub mod python;
pub mod reach;
mod score_pattern;
pub mod seeds;
mod template;
pub mod traces;
pub mod tree;

pub use commands::{Command, Shell};
pub use metrics::{Candidate, MetricLine};
pub use score_pattern::{ScorePattern, understand};
pub use seeds::{Patch, Seed};
pub use template::Piece;
pub use traces::{Data, Trace};
pub use tree::Tree;

use python::Script;
use std::{collections::BTreeMap, io, path::Path};

/// The facts of a repository.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// What was read.
    pub tree: Tree,
    /// Its Python files.
    pub scripts: BTreeMap<String, Script>,
    /// Python files that could not be read, and why.
    pub unread: Vec<(String, String)>,
    /// What may start the training, the likeliest first.
    pub commands: Vec<Command>,
}

/// The facts about one command.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// Files of the repository that the command names: scripts, shell scripts, configurations.
    pub named: Vec<String>,
    /// Python files that it runs, the script first.
    pub reached: Vec<String>,
    /// Files that an edit may touch.
    pub editable: Vec<String>,
    /// Files that it runs and an edit should not touch, with the reason.
    pub guarded: Vec<(String, String)>,
    /// Lines with metrics that it prints.
    pub lines: Vec<MetricLine>,
    /// Values that may be the score, the likeliest first.
    pub candidates: Vec<Candidate>,
    /// How it is told its seed.
    pub seed: Seed,
    /// What it reads.
    pub data: Vec<Data>,
    /// Files that it writes and that can be watched.
    pub traces: Vec<Trace>,
    /// Where it asks for the user's home directory, `prepare.py:38`.
    pub home: Vec<String>,
}

/// Reads and inspects a directory. Errors: it cannot be read.
pub fn inspect(root: &Path) -> io::Result<Facts> {
    Ok(Facts::of(tree::read(root)?))
}

impl Facts {
    /// Inspects what was read.
    pub fn of(tree: Tree) -> Self {
        let mut scripts = BTreeMap::new();
        let mut unread = Vec::new();
        for (path, text) in tree.texts.iter().filter(|(path, _)| path.ends_with(".py")) {
            match python::read(text) {
                Ok(script) => drop(scripts.insert(path.clone(), script)),
                Err(why) => unread.push((path.clone(), why)),
            }
        }
        let commands = commands::find(&tree.texts, &scripts);
        Self { tree, scripts, unread, commands }
    }

    /// Files of the repository that a command line names, through the shell scripts that it runs.
    pub fn named(&self, line: &str) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        self.collect_named(line, &mut out);
        let shells: Vec<String> = out.iter().filter(|p| p.ends_with(".sh")).cloned().collect();
        for text in shells.iter().filter_map(|p| self.tree.texts.get(p)) {
            self.collect_named(&text.replace("\\\n", " "), &mut out);
        }
        out
    }

    fn collect_named(&self, text: &str, out: &mut Vec<String>) {
        let mut dir = String::new();
        for part in text.split(['\n', ';']).flat_map(|l| l.split("&&")) {
            let words = shell_words::split(part).unwrap_or_else(|_| part.split_whitespace().map(str::to_owned).collect());
            if let [cd, to] = words.as_slice()
                && cd == "cd"
            {
                dir = format!("{}/", to.trim_start_matches("./").trim_end_matches('/'));
                continue;
            }
            for (n, word) in words.iter().enumerate() {
                let module = n > 0 && words.get(n - 1).is_some_and(|w| w == "-m");
                let value = word.rsplit('=').next().unwrap_or(word).trim_start_matches("./");
                let mut tries = vec![format!("{dir}{value}"), value.to_owned()];
                if module {
                    let inner = word.replace('.', "/");
                    tries.extend([format!("{inner}.py"), format!("{inner}/__main__.py")]);
                }
                let readable = |p: &String| self.tree.texts.contains_key(p) && !p.ends_with(".md");
                if let Some(path) = tries.into_iter().find(readable)
                    && !out.contains(&path)
                {
                    out.push(path);
                }
            }
        }
    }

    /// The facts about one command.
    pub fn about(&self, line: &str) -> About {
        let named = self.named(line);
        let entry = named.iter().find(|p| self.scripts.contains_key(*p) && !is_config(p, line)).cloned();
        let mut reached = entry.as_deref().map(|e| reach::reached(&self.scripts, e)).unwrap_or_default();
        // A configuration in Python (`train.py config/small.py`) is executed too.
        reached.extend(named.iter().filter(|p| self.scripts.contains_key(*p) && !reached.contains(p)).cloned().collect::<Vec<_>>());
        let mut editable = Vec::new();
        let mut guarded = Vec::new();
        for path in reached.iter().chain(named.iter().filter(|p| !reached.contains(p))) {
            let why = (Some(path) != entry.as_ref()).then(|| reach::guarded(path, self.scripts.get(path))).flatten();
            match why.filter(|_| path.ends_with(".py")) {
                Some(why) => guarded.push((path.clone(), why)),
                None if self.tree.texts.get(path).is_some_and(|t| t.trim().is_empty()) => {}
                None => editable.push(path.clone()),
            }
        }
        let mut lines: Vec<(MetricLine, bool)> = Vec::new();
        let far = |path: &String| !reached.contains(path);
        let order = reached.iter().chain(self.scripts.keys().filter(|p| far(p)));
        for path in order {
            let Some(script) = self.scripts.get(path) else { continue };
            for made in script.printed.iter().filter_map(|p| metrics::of_printed(path, p)) {
                if lines.iter().all(|(l, _)| l.pattern != made.pattern) {
                    lines.push((made, far(path)));
                }
            }
        }
        for (path, text) in &self.tree.logs {
            for made in metrics::of_log(path, text) {
                if lines.iter().all(|(l, _)| l.values != made.values) {
                    lines.push((made, !lines.is_empty()));
                }
            }
        }
        let candidates = metrics::candidates(&lines);
        About {
            seed: seeds::find(&self.scripts, &reached),
            data: traces::data(&self.tree, &self.scripts, &reached, &named, line),
            traces: traces::traces(&self.tree, &self.scripts, &reached),
            home: reached
                .iter()
                .flat_map(|p| self.scripts.get(p).into_iter().flat_map(move |s| s.home.iter().map(move |line| format!("{p}:{line}"))))
                .collect(),
            lines: lines.into_iter().filter(|(_, far)| !far).map(|(line, _)| line).collect(),
            candidates,
            named,
            reached,
            editable,
            guarded,
        }
    }

    /// The change that lets the variable `SEED` decide, where the seed is a number in the source.
    pub fn seed_patch(&self, about: &About) -> Option<Patch> {
        seeds::patch(&self.scripts, &about.reached, &self.tree.texts)
    }
}

/// Whether a Python file on a command line is an argument of another one.
fn is_config(path: &str, line: &str) -> bool {
    let scripts: Vec<&str> = line.split_whitespace().filter(|w| w.ends_with(".py")).collect();
    scripts.len() > 1 && scripts.first().is_some_and(|first| first.trim_start_matches("./") != path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let texts: BTreeMap<String, String> = files.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect();
        Tree { files: texts.iter().map(|(p, t)| (p.clone(), t.len() as u64)).collect(), texts, ..Tree::default() }
    }

    #[test]
    fn the_files_that_a_command_names() {
        let facts = Facts::of(tree(&[
            ("train.py", "import net\nimport data_loader\n"),
            ("net.py", "x = 1\n"),
            ("data_loader.py", "x = 1\n"),
            ("configs/a.yaml", "lr: 1\n"),
            ("run.sh", "cd .\npython train.py \\\n  --config=configs/a.yaml\n"),
            ("pkg/__main__.py", "x = 1\n"),
            ("sub/go.py", "x = 1\n"),
        ]));
        for (line, want) in [
            ("python train.py ./configs/a.yaml", vec!["train.py", "configs/a.yaml"]),
            ("bash run.sh", vec!["run.sh", "train.py", "configs/a.yaml"]),
            ("python -m pkg", vec!["pkg/__main__.py"]),
            ("cd sub && python go.py", vec!["sub/go.py"]),
            ("cargo run", vec![]),
        ] {
            assert_eq!(facts.named(line), want, "{line}");
        }
        let about = facts.about("python train.py ./configs/a.yaml");
        assert_eq!(about.editable, ["train.py", "net.py", "configs/a.yaml"]);
        assert_eq!(about.guarded.iter().map(|(p, _)| p.as_str()).collect::<Vec<_>>(), ["data_loader.py"]);
    }
}
