//! How a program is told its seed: a variable, an argument, or a number in the source that nobody can change from outside,
//! for which there is a patch.

use super::python::Script;
use std::collections::BTreeMap;

/// How the seed reaches the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seed {
    /// An environment variable that the source reads.
    Variable {
        /// Its name.
        name: String,
        /// `train.py:12`.
        at: String,
    },
    /// An argument that the source uses.
    Argument {
        /// `--seed`.
        flag: String,
        /// `train.py:12`.
        at: String,
    },
    /// A number in the source.
    Pinned {
        /// `train.py:12`, each place.
        at: Vec<String>,
    },
    /// Nothing is seeded: two runs differ by themselves.
    Unseeded,
}

/// A change of one file, whole texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The file.
    pub path: String,
    /// Before.
    pub old: String,
    /// After.
    pub new: String,
}

/// Finds the hand-over of the seed in the files that the entry runs (`reached`, the entry first).
pub fn find(scripts: &BTreeMap<String, Script>, reached: &[String]) -> Seed {
    let files = || reached.iter().filter_map(|p| scripts.get(p).map(|s| (p, s)));
    if let Some((path, (name, line))) = files().find_map(|(p, s)| s.seed_variables.first().map(|v| (p, v))) {
        return Seed::Variable { name: name.clone(), at: format!("{path}:{line}") };
    }
    let pinned: Vec<String> = places(scripts, reached).into_iter().map(|(path, line)| format!("{path}:{line}")).collect();
    if let Some((path, script)) = reached.first().and_then(|p| scripts.get(p).map(|s| (p, s))) {
        let flag = script.flags.iter().find(|f| {
            let name = f.name.trim_start_matches('-').replace('-', "_");
            f.name.starts_with("--")
                && name.to_ascii_lowercase().split('_').any(|w| w == "seed")
                && files().any(|(_, s)| s.seed_attributes.contains(&name))
        });
        // A parser may have a `--seed` beside a number in the source that wins: then the argument changes nothing.
        if let Some(flag) = flag.filter(|_| pinned.is_empty()) {
            return Seed::Argument { flag: flag.name.clone(), at: format!("{path}:{}", flag.line) };
        }
    }
    if pinned.is_empty() { Seed::Unseeded } else { Seed::Pinned { at: pinned } }
}

/// Numbers that decide the seed: those of the entry, or else of the files that it runs.
fn places(scripts: &BTreeMap<String, Script>, reached: &[String]) -> Vec<(String, usize)> {
    let of = |path: &String| -> Vec<(String, usize)> {
        scripts.get(path).map(|s| deciding(s).map(|l| (path.clone(), l.line)).collect()).unwrap_or_default()
    };
    let used = |path: &&String| {
        scripts.get(*path).is_some_and(|s| {
            let names: Vec<&str> = s.seed_literals.iter().map(|l| l.name.as_str()).collect();
            // A constant counts where something is seeded; a number passed to a seeding call counts by itself.
            !names.is_empty()
                && (!s.seeding.is_empty()
                    || reached
                        .iter()
                        .filter_map(|p| scripts.get(p))
                        .any(|o| o.seeded_by.iter().any(|b| names.iter().any(|n| b.contains(n)))))
        })
    };
    reached.iter().filter(used).map(of).find(|found| !found.is_empty()).unwrap_or_default()
}

/// Numbers passed to seeding calls, else constants: an offset beside such a number is not patched as well.
fn deciding(script: &Script) -> impl Iterator<Item = &super::python::SeedLiteral> {
    let direct = script.seed_literals.iter().any(|l| l.direct);
    script.seed_literals.iter().filter(move |l| l.direct == direct)
}

/// The change that lets the variable `SEED` decide, for a seed that is a number in the source. None where nothing is pinned.
pub fn patch(scripts: &BTreeMap<String, Script>, reached: &[String], sources: &BTreeMap<String, String>) -> Option<Patch> {
    let path = places(scripts, reached).into_iter().next()?.0;
    let (script, old) = (scripts.get(&path)?, sources.get(&path)?);
    let mut literals: Vec<_> = deciding(script).collect();
    literals.sort_by_key(|l| std::cmp::Reverse(l.place.start));
    let mut new = old.clone();
    for literal in literals {
        let with = format!("int(os.environ.get(\"SEED\", \"{}\"))", literal.text);
        if new.get(literal.place.clone()) == Some(literal.text.as_str()) {
            new.replace_range(literal.place.clone(), &with);
        }
    }
    if !script.imports.iter().any(|i| i.level == 0 && i.module == "os" && i.names.is_empty()) {
        let at = first_import(old);
        new.insert_str(at, "import os\n");
    }
    super::python::read(&new).is_ok().then(|| Patch { path, old: old.clone(), new })
}

/// Start of the first line that imports something, but for `__future__`, which stands first; it is above all literals that
/// the patch changes, or else the place behind the file's docstring and comments.
fn first_import(source: &str) -> usize {
    let mut at = 0;
    let mut quote: Option<&str> = None;
    for line in source.split_inclusive('\n') {
        let text = line.trim();
        if let Some(mark) = quote {
            if text.contains(mark) {
                quote = None;
            }
        } else if let Some(mark) = ["\"\"\"", "'''"].into_iter().find(|m| text.starts_with(m)) {
            if text.get(3..).is_some_and(|rest| !rest.contains(mark)) {
                quote = Some(mark);
            }
        } else if !(text.is_empty()
            || text.starts_with('#')
            || text.starts_with("from __future__")
            || (text.starts_with(['"', '\'']) && at < 400))
        {
            return at;
        }
        at += line.len();
    }
    at
}

#[cfg(test)]
mod tests {
    use super::super::python;
    use super::*;

    fn seed_of(source: &str) -> (Seed, Option<Patch>) {
        let sources = BTreeMap::from([("train.py".to_owned(), source.to_owned())]);
        let scripts = BTreeMap::from([("train.py".to_owned(), python::read(source).unwrap())]);
        let reached = ["train.py".to_owned()];
        (find(&scripts, &reached), patch(&scripts, &reached, &sources))
    }

    #[test]
    fn the_hand_over_of_a_seed() {
        let at = "train.py:1".to_owned();
        for (source, want) in [
            ("import os\nrandom.seed(int(os.environ['SEED']))\n", Seed::Variable { name: "SEED".into(), at: "train.py:2".into() }),
            ("s = int(os.getenv('MY_SEED', 1))\n", Seed::Variable { name: "MY_SEED".into(), at: at.clone() }),
            ("p.add_argument('--seed')\nset_seed(args.seed)\n", Seed::Argument { flag: "--seed".into(), at: at.clone() }),
            // The argument is there and nobody reads it.
            ("p.add_argument('--seed')\ntorch.manual_seed(42)\n", Seed::Pinned { at: vec!["train.py:2".into()] }),
            ("SEED = 7\nnp.random.seed(SEED)\n", Seed::Pinned { at: vec![at.clone()] }),
            ("torch.manual_seed(1337 + rank)\n", Seed::Pinned { at: vec![at] }),
            ("x = 1\n", Seed::Unseeded),
        ] {
            assert_eq!(seed_of(source).0, want, "{source}");
        }
    }

    #[test]
    fn the_patch_reads_the_variable_and_keeps_the_old_number_as_default() {
        let source =
            "\"\"\"Trains.\n\nUsage: run it.\n\"\"\"\nfrom __future__ import annotations\nimport random\n\nSEED = 7\nrandom.seed(SEED)\n";
        let patch = seed_of(source).1.unwrap();
        let want = "\"\"\"Trains.\n\nUsage: run it.\n\"\"\"\nfrom __future__ import annotations\nimport os\nimport random\n\nSEED = int(os.environ.get(\"SEED\", \"7\"))\nrandom.seed(SEED)\n";
        assert_eq!(patch.new, want);
        assert!(python::read(&patch.new).is_ok());
        assert_eq!(seed_of(&patch.new).0, Seed::Variable { name: "SEED".into(), at: "train.py:9".into() });
        let twice = seed_of("import os\ntorch.manual_seed(42)\ntorch.cuda.manual_seed(42)\n").1.unwrap();
        assert_eq!(twice.new.matches("os.environ.get(\"SEED\", \"42\")").count(), 2);
        assert_eq!(twice.new.matches("import os").count(), 1);
        let offset = seed_of("seed_offset = 0\ntorch.manual_seed(1337 + seed_offset)\n").1.unwrap();
        assert!(offset.new.contains("seed_offset = 0\n") && offset.new.contains("\"1337\")) + seed_offset"), "{}", offset.new);
        assert_eq!(seed_of("x = 1\n").1, None);
    }
}
