//! Reads a directory for `inspect`: the names and sizes of its files, the texts of those that tell something, and where data lies.
//!
//! Bounded in files and bytes; hidden and ignored files are not read, and of ignored ones only sizes are taken. Tested by
//! the tests of `inspect`.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// Most files that are looked at.
const MOST: usize = 20_000;
/// Largest text that is read.
const LARGEST_TEXT: u64 = 1 << 20;
/// All texts together.
const TEXTS: u64 = 64 << 20;
/// The end of a log that is read.
const LOG_TAIL: u64 = 256 << 10;

/// What was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tree {
    /// Its root.
    pub root: PathBuf,
    /// Paths relative to the root, with their bytes.
    pub files: BTreeMap<String, u64>,
    /// Texts of sources, configurations, scripts and the README.
    pub texts: BTreeMap<String, String>,
    /// Ends of logs.
    pub logs: BTreeMap<String, String>,
    /// There were more files than are looked at.
    pub cut: bool,
}

fn is_text(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    matches!(end, "py" | "sh" | "bash" | "slurm" | "yaml" | "yml" | "toml" | "json" | "gin" | "cfg" | "ini" | "md" | "rst")
        || name.starts_with("readme")
        || name.starts_with("requirements")
        || name == "makefile"
        || name == "environment.yml"
}

fn is_log(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let named = lower.contains("log") || lower.contains("result") || lower.contains("output");
    lower.ends_with(".log") || lower.ends_with(".out") || (lower.ends_with(".txt") && named)
}

/// Reads the tree. Errors: the directory cannot be read.
pub fn read(root: &Path) -> io::Result<Tree> {
    fs::read_dir(root)?;
    let mut tree = Tree { root: root.to_owned(), ..Tree::default() };
    let mut budget = TEXTS;
    // A `.gitignore` counts outside of git too: it is how people say what is theirs.
    let walk = ignore::WalkBuilder::new(root).require_git(false).follow_links(false).sort_by_file_path(Path::cmp).build();
    for entry in walk.flatten().filter(|e| e.file_type().is_some_and(|t| t.is_file())) {
        let Some(path) = entry.path().strip_prefix(root).ok().and_then(Path::to_str) else { continue };
        if tree.files.len() >= MOST {
            tree.cut = true;
            break;
        }
        let bytes = entry.metadata().map_or(0, |m| m.len());
        tree.files.insert(path.to_owned(), bytes);
        if is_text(path) && bytes <= LARGEST_TEXT.min(budget) {
            if let Ok(text) = fs::read_to_string(entry.path()) {
                budget -= bytes;
                tree.texts.insert(path.to_owned(), text);
            }
        } else if is_log(path) && tree.logs.len() < 20 {
            tree.logs.extend(tail(entry.path()).ok().map(|text| (path.to_owned(), text)));
        }
    }
    Ok(tree)
}

fn tail(path: &Path) -> io::Result<String> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Bytes of a file or of all files of a directory, and how many; none where there is no such path. Counting ends at 100,000 files.
pub fn size(path: &Path) -> Option<(u64, usize)> {
    let meta = fs::metadata(path).ok()?;
    if meta.is_file() {
        return Some((meta.len(), 1));
    }
    let (mut bytes, mut files) = (0u64, 0usize);
    for entry in ignore::WalkBuilder::new(path).standard_filters(false).build().flatten().take(100_000) {
        if entry.file_type().is_some_and(|t| t.is_file()) {
            bytes += entry.metadata().map_or(0, |m| m.len());
            files += 1;
        }
    }
    Some((bytes, files))
}
