//! Whether runs would get a copy of what is hidden from them: granted data, or files of the repository, that equal hidden
//! data by their content. Looked at once, when a study is made; sizes are compared first, so that little is read.

use super::grants::hash;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Files below this size are equal by chance: an empty one, a single number.
const LEAST: u64 = 64;
/// Directories below one another that are looked through.
const DEPTH: u32 = 32;

/// A file that runs would see, and the hidden one that it equals, as people name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Overlap {
    pub(super) seen: String,
    pub(super) hidden: String,
}

/// The first file below `seen`, but for what lies in `except`, that equals one below `hidden`. Each is a name for people and a place; directories stand for
/// all their files. A hidden file within a seen directory is no copy of itself; another way to it is. Errors: a file that
/// cannot be read.
pub(super) fn find(hidden: &[(String, PathBuf)], seen: &[(String, PathBuf)], except: &[PathBuf]) -> std::io::Result<Option<Overlap>> {
    let mut by_size: BTreeMap<u64, Vec<(String, PathBuf)>> = BTreeMap::new();
    let real = |file: &Path| file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let (mut own, mut names) = (BTreeMap::new(), BTreeSet::new());
    for (name, place) in hidden {
        for (name, file, size) in files(name, place) {
            own.insert(real(&file), name.clone());
            names.insert(file.clone());
            if size >= LEAST {
                by_size.entry(size).or_default().push((name, file));
            }
        }
    }
    let mut known = BTreeMap::new();
    for (name, place) in seen {
        for (name, file, size) in files(name, place) {
            if names.contains(&file) || except.iter().any(|e| file.starts_with(e)) {
                continue;
            }
            if let Some(hidden) = own.get(&real(&file)) {
                return Ok(Some(Overlap { seen: name, hidden: hidden.clone() }));
            }
            let Some(candidates) = by_size.get(&size) else { continue };
            let found = hash(&file)?;
            for (hidden, place) in candidates {
                let same = match known.get(place) {
                    Some(known) => *known == found,
                    None => {
                        let fresh = hash(place)?;
                        let same = fresh == found;
                        known.insert(place.clone(), fresh);
                        same
                    }
                };
                if same {
                    return Ok(Some(Overlap { seen: name, hidden: hidden.clone() }));
                }
            }
        }
    }
    Ok(None)
}

/// The regular files at a place, with their names for people and sizes. A link is followed at the top alone.
fn files(name: &str, place: &Path) -> Vec<(String, PathBuf, u64)> {
    fn below(name: String, place: PathBuf, depth: u32, found: &mut Vec<(String, PathBuf, u64)>) {
        let meta = if depth == DEPTH { fs::metadata(&place) } else { fs::symlink_metadata(&place) };
        let Ok(meta) = meta else { return };
        if meta.is_file() {
            found.push((name, place, meta.len()));
        } else if meta.is_dir() && depth > 0 {
            let mut entries: Vec<_> = fs::read_dir(&place).into_iter().flatten().flatten().collect();
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                let inner = entry.file_name();
                let shown =
                    if name.is_empty() { inner.to_string_lossy().into_owned() } else { format!("{name}/{}", inner.to_string_lossy()) };
                below(shown, entry.path(), depth - 1, found);
            }
        }
    }
    let mut found = Vec::new();
    below(name.trim_end_matches('/').to_owned(), place.to_owned(), DEPTH, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_contents_are_found_under_any_name() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let put = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let (labels, other) = ("label ".repeat(40), "bagel ".repeat(40));
        put("data/labels.bin", &labels);
        put("data/train.bin", &other);
        put("shards/a/val_0007.bin", &labels);
        put("shards/mine/copy.bin", &labels);
        put("small", "0\n");
        put("data/small", "0\n");
        let at = |name: &str| (name.to_owned(), root.join(name));
        let both = |hidden: &[&str], seen: &[&str]| {
            let [hidden, seen] = [hidden, seen].map(|names| names.iter().map(|n| at(n)).collect::<Vec<_>>());
            find(&hidden, &seen, &[root.join("shards/mine")]).unwrap().map(|o| (o.seen, o.hidden))
        };
        let found = Some(("shards/a/val_0007.bin".to_owned(), "data/labels.bin".to_owned()));
        assert_eq!(both(&["data/labels.bin"], &["data/train.bin", "shards"]), found);
        assert_eq!(both(&["data"], &["shards"]), found);
        // The hidden file within what is granted around it is no copy of itself.
        assert_eq!(both(&["data/labels.bin"], &["data"]), None);
        assert_eq!(both(&["data/small"], &["small"]), None, "too small to mean anything");
        assert_eq!(both(&["data/labels.bin"], &["data/train.bin"]), None);
        assert_eq!(both(&["data/labels.bin"], &["shards/mine"]), None, "excepted");
        assert_eq!(both(&[], &["shards"]), None);
        std::os::unix::fs::symlink(root.join("data/labels.bin"), root.join("elsewhere")).unwrap();
        assert_eq!(both(&["data/labels.bin"], &["elsewhere"]), Some(("elsewhere".to_owned(), "data/labels.bin".to_owned())));
    }
}
