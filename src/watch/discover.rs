//! Finds the files that a task wants watched inside a slot's directory.
//!
//! Walks only below the part of each glob that holds no wildcard, follows no symbolic link, never enters `.git`, and stops at a bound, so
//! that a slot full of data costs little. Returns the directories it saw as well: they are worth an inotify watch.

use globset::{GlobBuilder, GlobMatcher};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Most directory entries that one walk looks at.
const MAX_ENTRIES: usize = 20_000;
/// Most directories that are reported.
const MAX_DIRECTORIES: usize = 64;

/// A glob of the task that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("live file `{glob}` is no pattern inside the repository: {why}")]
pub struct GlobError {
    glob: String,
    why: String,
}

/// The globs of one task, ready to walk.
#[derive(Debug)]
pub struct Globs {
    list: Vec<Wanted>,
}

#[derive(Debug)]
struct Wanted {
    base: PathBuf,
    /// Levels below `base` that can match; none when the glob holds `**`.
    depth: Option<usize>,
    matcher: GlobMatcher,
}

/// What one walk saw. Paths of files are relative to the root, directories are not.
#[derive(Debug, Default)]
pub struct Found {
    /// Matching files.
    pub files: BTreeSet<PathBuf>,
    /// Directories where such a file may appear.
    pub directories: BTreeSet<PathBuf>,
    /// The bound was reached: there may be more.
    pub cut: bool,
}

impl Globs {
    /// Compiles globs that are relative to the slot's root; `**` spans directories, `*` does not.
    ///
    /// Errors: the first that is no glob, is absolute or climbs out with `..`.
    pub fn compile(globs: &[String]) -> Result<Self, GlobError> {
        let list = globs.iter().map(|glob| {
            let bad = |why: String| GlobError { glob: glob.clone(), why };
            let glob = glob.strip_prefix("./").unwrap_or(glob);
            if glob.is_empty() || glob.starts_with('/') || glob.split('/').any(|part| part == "..") {
                return Err(bad("it must be relative and stay inside".into()));
            }
            let matcher = GlobBuilder::new(glob).literal_separator(true).build().map_err(|e| bad(e.kind().to_string()))?.compile_matcher();
            let parts: Vec<_> = glob.split('/').collect();
            let literal = parts.iter().take(parts.len() - 1).take_while(|part| !part.contains(['*', '?', '[', '{', '\\'])).count();
            let depth = (!glob.contains("**") && !glob.contains('{')).then_some(parts.len() - literal);
            Ok(Wanted { base: parts.iter().take(literal).collect(), depth, matcher })
        });
        Ok(Self { list: list.collect::<Result<_, _>>()? })
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Walks the tree. What cannot be read is passed over: it may be gone again.
    pub fn walk(&self, root: &Path) -> Found {
        let mut found = Found::default();
        let mut budget = MAX_ENTRIES;
        for wanted in &self.list {
            let mut base = root.to_owned();
            let mut inside = true;
            for part in &wanted.base {
                let next = base.join(part);
                if !fs::symlink_metadata(&next).is_ok_and(|m| m.is_dir()) {
                    inside = false;
                    break;
                }
                base = next;
            }
            if inside {
                wanted.descend(root, &base, 1, &mut budget, &mut found);
            } else {
                found.directories.insert(base);
            }
        }
        found.cut |= budget == 0;
        found
    }
}

impl Wanted {
    fn descend(&self, root: &Path, directory: &Path, level: usize, budget: &mut usize, found: &mut Found) {
        let Ok(entries) = fs::read_dir(directory) else { return };
        if found.directories.len() < MAX_DIRECTORIES {
            found.directories.insert(directory.to_owned());
        }
        for entry in entries.flatten() {
            if *budget == 0 {
                return;
            }
            *budget -= 1;
            let Ok(kind) = entry.file_type() else { continue };
            let path = entry.path();
            let deeper = self.depth.is_none_or(|depth| level < depth);
            if kind.is_dir() && deeper && entry.file_name() != ".git" {
                self.descend(root, &path, level + 1, budget, found);
            } else if kind.is_file()
                && let Ok(relative) = path.strip_prefix(root)
                && self.matcher.is_match(relative)
            {
                found.files.insert(relative.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_find_files_and_stay_inside() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["logs/a.csv", "logs/deep/b.csv", "results/x/y/metrics.jsonl", "results/metrics.jsonl", ".git/metrics.jsonl", "top.csv"]
        {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink("/", dir.path().join("results/out")).unwrap();
        for (globs, want) in [
            (&["logs/*.csv"][..], &["logs/a.csv"][..]),
            (&["*.csv", "./logs/deep/b.csv"], &["logs/deep/b.csv", "top.csv"]),
            (&["results/**/metrics.jsonl"], &["results/metrics.jsonl", "results/x/y/metrics.jsonl"]),
            (&["**/metrics.jsonl"], &["results/metrics.jsonl", "results/x/y/metrics.jsonl"]),
            (&["not/yet/*.csv"], &[]),
        ] {
            let list: Vec<String> = globs.iter().map(|g| (*g).to_owned()).collect();
            let found = Globs::compile(&list).unwrap().walk(dir.path());
            let files: Vec<_> = found.files.iter().map(|f| f.to_str().unwrap()).collect();
            assert_eq!(files, want, "{globs:?}");
            assert!(!found.directories.is_empty(), "{globs:?}");
        }
        for bad in ["/etc/*", "../x", "a/../../b", "", "[z"] {
            assert!(Globs::compile(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
