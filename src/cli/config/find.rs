//! Where the user's file lies, reading it, and writing a first one.

use super::{Config, Trouble, read, template};
use crate::cli::{Failure, host};
use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Bytes of the largest file that is read.
const LARGEST: u64 = 1 << 20;

/// Where the file lies, or would lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// The path.
    pub(crate) path: PathBuf,
    /// `TRIALDECK_CONFIG` names it: then it has to be there.
    pub(crate) named: bool,
}

impl Source {
    /// Returns the place of the file: `TRIALDECK_CONFIG`, else `$XDG_CONFIG_HOME/trialdeck/config.toml`, else below
    /// `~/.config`; none without any of the three.
    pub(crate) fn find() -> Option<Self> {
        if let Some(path) = host::set("TRIALDECK_CONFIG") {
            let path = std::path::absolute(&path).unwrap_or_else(|_| path.into());
            return Some(Self { path, named: true });
        }
        // A relative XDG_CONFIG_HOME is to be ignored, says its specification.
        let config = host::set("XDG_CONFIG_HOME").map(PathBuf::from).filter(|d| d.is_absolute());
        let config = config.or_else(|| host::set("HOME").map(|home| PathBuf::from(home).join(".config")))?;
        Some(Self { path: config.join("trialdeck/config.toml"), named: false })
    }
}

/// Reads the configuration; what is wrong is kept beside what is right.
pub(super) fn load() -> Config {
    let Some(source) = Source::find() else { return Config::default() };
    load_from(&source)
}

pub(super) fn load_from(source: &Source) -> Config {
    let shown = source.path.display();
    let broken = |why: String| Config { path: Some(source.path.clone()), trouble: Some(Trouble::Unreadable(why)), ..Config::default() };
    let text = match bounded(&source.path) {
        Ok(text) => text,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) && !source.named => return Config::default(),
        Err(e) if source.named => return broken(format!("cannot read {shown}, which TRIALDECK_CONFIG names: {e}")),
        Err(e) => return broken(format!("cannot read {shown}: {e}")),
    };
    let (file, problems) = read::parse(&text, &shown.to_string());
    Config { path: Some(source.path.clone()), file, trouble: problems.map(|p| Trouble::Problems(Box::new(p))) }
}

fn bounded(path: &Path) -> io::Result<String> {
    // The usual way to say "none at all".
    if path == Path::new("/dev/null") {
        return Ok(String::new());
    }
    let meta = fs::metadata(path)?;
    if !meta.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    if meta.len() > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB, which no configuration is"));
    }
    String::from_utf8(fs::read(path)?).map_err(|e| {
        let line = e.as_bytes().iter().take(e.utf8_error().valid_up_to()).filter(|b| **b == b'\n').count() + 1;
        io::Error::new(io::ErrorKind::InvalidData, format!("line {line} is not UTF-8"))
    })
}

/// Writes the commented file, never over another one. Returns its path.
pub(crate) fn init() -> Result<PathBuf, Failure> {
    let source = Source::find()
        .ok_or_else(|| Failure::usage("neither HOME nor XDG_CONFIG_HOME is set, so there is no place for a configuration"))?;
    let shown = source.path.display();
    let refuse = |e: io::Error| match e.kind() {
        io::ErrorKind::AlreadyExists => Failure::usage(format!("there is a configuration already: {shown}; it was left as it is")),
        _ => Failure::usage(format!("cannot write {shown}: {e}")),
    };
    if let Some(parent) = source.path.parent() {
        fs::create_dir_all(parent).map_err(|e| Failure::usage(format!("cannot make {}: {e}", parent.display())))?;
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&source.path).map_err(refuse)?;
    file.write_all(template::TEXT.as_bytes()).and_then(|()| file.sync_all()).map_err(refuse)?;
    Ok(source.path)
}
