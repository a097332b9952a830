//! What the `TASK|DIR` of the command line names: a task file, a directory with one, or a task that the binary carries.

use super::{Parsed, Problems, embedded, nearest_word, parse};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The name that a task file has in its directory.
const FILE: &str = "task.toml";
/// Bytes of the largest task file that is read.
const LARGEST: u64 = 1 << 20;

/// Where a task comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file on disk.
    Disk,
    /// The binary, under this name.
    Embedded(String),
}

/// A task that was found and read.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The task.
    pub parsed: Parsed,
    /// Its text, for `study.toml`.
    pub text: String,
    /// The task file. For an embedded task that is not unpacked: its path inside `tasks/`.
    pub file: PathBuf,
    /// The directory that relative paths refer to; empty for an embedded task that is not unpacked.
    pub base: PathBuf,
    /// Where it comes from.
    pub origin: Origin,
}

impl Found {
    /// Writes an embedded task into `into` and points `file` and `base` there; leaves a task on disk as it is.
    pub fn unpacked(mut self, into: &Path) -> io::Result<Self> {
        if let Origin::Embedded(name) = &self.origin {
            embedded::unpack(name, into)?;
            self.file = into.join(FILE);
            self.base = into.to_owned();
        }
        Ok(self)
    }
}

/// Why no task was found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Neither a path nor an embedded task.
    #[error("there is no task `{argument}`: neither a file or directory nor one of the tasks that trialdeck carries ({}){}", known.join(", "), meant(near))]
    Unknown {
        /// As typed.
        argument: String,
        /// The nearest embedded task.
        near: Option<String>,
        /// All embedded tasks.
        known: Vec<String>,
    },
    /// A directory without a task file.
    #[error("there is no task.toml in {}: `trialdeck init` writes one from what it finds there, or start with a task that comes along (`trialdeck tasks`){}", dir.display(), meant(near))]
    NoTaskFile {
        /// The directory.
        dir: PathBuf,
        /// The nearest embedded task.
        near: Option<String>,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why; in the message already, so that a printed chain of causes does not repeat it.
        cause: io::Error,
    },
    /// The file is not text.
    #[error("{} is not a text file in UTF-8: line {line} has bytes that are not; save it as UTF-8", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// Line of the first such byte, from 1.
        line: usize,
    },
    /// The file was read and is wrong.
    #[error(transparent)]
    Problems(#[from] Box<Problems>),
}

fn meant(near: &Option<String>) -> String {
    near.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// Finds and reads the task that `argument` names, seen from the directory `cwd`.
///
/// A path wins over an embedded task of the same name only if it is a file, or a directory with a `task.toml`.
pub fn find(argument: &str, cwd: &Path) -> Result<Found, FindError> {
    // Without `/./`: people read it in every message.
    let path: PathBuf = cwd.join(argument).components().collect();
    if path.is_dir() {
        let file = path.join(FILE);
        if file.symlink_metadata().is_ok() {
            return read(file);
        }
        if let Some(text) = embedded::text(argument) {
            return carried(argument, text);
        }
        return Err(FindError::NoTaskFile { dir: path, near: near(argument) });
    }
    // A plain name without an ending is a task's, even where a file of that name lies about.
    if let Some(text) = embedded::text(argument) {
        return carried(argument, text);
    }
    if path.symlink_metadata().is_ok() {
        return read(path);
    }
    let looks_like_path = argument.contains('/') || argument.ends_with(".toml");
    if looks_like_path {
        let cause = io::Error::new(io::ErrorKind::NotFound, "there is no such file or directory");
        return Err(FindError::Unreadable { path, cause });
    }
    let known = embedded::names().into_iter().map(str::to_owned).collect();
    Err(FindError::Unknown { argument: argument.to_owned(), near: near(argument), known })
}

fn near(argument: &str) -> Option<String> {
    nearest_word(argument, embedded::names()).map(str::to_owned)
}

fn carried(name: &str, text: &str) -> Result<Found, FindError> {
    let file = Path::new(name).join(FILE);
    let parsed = parse(text, &file.display().to_string()).map_err(Box::new)?;
    Ok(Found { parsed, text: text.to_owned(), file, base: PathBuf::new(), origin: Origin::Embedded(name.to_owned()) })
}

/// A device or a data set given by mistake must not be read without end.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    if metadata.len() > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB, which no task file is"));
    }
    fs::read(path)
}

fn read(path: PathBuf) -> Result<Found, FindError> {
    let bytes = match read_bounded(&path) {
        Ok(bytes) => bytes,
        Err(cause) => return Err(FindError::Unreadable { path, cause }),
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes().iter().take(valid).filter(|b| **b == b'\n').count() + 1;
            return Err(FindError::NotText { path, line });
        }
    };
    let parsed = parse(&text, &path.display().to_string()).map_err(Box::new)?;
    let base = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    Ok(Found { parsed, text, file: path, base, origin: Origin::Disk })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: &str = "[task]\nname=\"tiny\"\nmetric=\"loss\"\ngoal=\"minimize\"\n[run]\ncommand=\"true\"\n[budget]\nwall=\"1m\"\n[evaluator]\ncommand=\"true\"\n";

    #[test]
    fn paths_and_names() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for made in ["with", "without", "quickstart"] {
            fs::create_dir(root.join(made)).unwrap();
        }
        fs::write(root.join("with/task.toml"), TINY).unwrap();
        fs::write(root.join("other.toml"), TINY).unwrap();
        let with = root.join("with");
        for (argument, cwd, file, base) in [
            ("with", root, "with/task.toml", "with"),
            ("with/task.toml", root, "with/task.toml", "with"),
            ("other.toml", root, "other.toml", ""),
            (".", &with, "with/./task.toml", "with"),
            (with.to_str().unwrap(), Path::new("/"), "with/task.toml", "with"),
        ] {
            let found = find(argument, cwd).unwrap();
            assert_eq!((found.file, found.base, found.origin), (root.join(file), root.join(base), Origin::Disk), "{argument}");
            assert_eq!((found.text.as_str(), found.parsed.task.task.name.as_str()), (TINY, "tiny"), "{argument}");
        }
        // A directory without a task file does not hide the embedded task of its name.
        let found = find("quickstart", root).unwrap();
        assert_eq!((found.origin.clone(), found.base.as_os_str().len()), (Origin::Embedded("quickstart".into()), 0));
        let unpacked = found.unpacked(&root.join("out")).unwrap();
        assert_eq!((unpacked.file, unpacked.base), (root.join("out/task.toml"), root.join("out")));
        fs::write(root.join("quickstart/task.toml"), TINY).unwrap();
        assert_eq!(find("quickstart", root).unwrap().origin, Origin::Disk);
    }

    #[test]
    fn errors_say_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir(root.join("empty")).unwrap();
        fs::write(root.join("latin.toml"), b"[task]\nname = \"caf\xe9\"\n").unwrap();
        fs::write(root.join("broken.toml"), "[task]\n").unwrap();
        fs::write(root.join("large.toml"), "#".repeat(2 << 20)).unwrap();
        let shown = root.display();
        for (argument, want) in [
            ("quikstart", "there is no task `quikstart`: neither a file or directory nor one of the tasks that trialdeck carries (digits, quickstart); did you mean `quickstart`?".to_owned()),
            ("zebra", "there is no task `zebra`: neither a file or directory nor one of the tasks that trialdeck carries (digits, quickstart)".to_owned()),
            ("empty", format!("there is no task.toml in {shown}/empty: `trialdeck init` writes one from what it finds there, or start with a task that comes along (`trialdeck tasks`)")),
            ("gone.toml", format!("cannot read {shown}/gone.toml: there is no such file or directory")),
            ("latin.toml", format!("{shown}/latin.toml is not a text file in UTF-8: line 2 has bytes that are not; save it as UTF-8")),
            ("large.toml", format!("cannot read {shown}/large.toml: it is larger than 1 MiB, which no task file is")),
            ("/dev/null", "cannot read /dev/null: it is not a regular file".to_owned()),
        ] {
            assert_eq!(find(argument, root).unwrap_err().to_string(), want, "{argument}");
        }
        assert!(matches!(find("broken.toml", root), Err(FindError::Problems(p)) if p.list.len() == 6));
    }
}
