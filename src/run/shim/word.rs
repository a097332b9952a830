//! A stage that is started ahead of its time waits for a word on its standard input: loading a program takes milliseconds, which
//! pass beside other work. Whoever starts it can still let go of it: then nothing has happened.

use std::{
    ffi::OsStr,
    io::{self, Read as _, Write},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

/// What a word begins with; a path may follow.
const GO: &[u8] = b"go ";

/// Lets a stage go on, with a path that it needs; the end of its input must follow.
///
/// Errors: it is not there any more.
pub(in crate::run) fn give(mut waiting: impl Write, path: &Path) -> io::Result<()> {
    waiting.write_all(&[GO, path.as_os_str().as_bytes()].concat())
}

/// Waits for the word; returns its path, empty where none came along. None when whoever should have given it let go.
pub(super) fn wait() -> Option<PathBuf> {
    let mut said = Vec::new();
    io::stdin().read_to_end(&mut said).ok()?;
    path(&said)
}

fn path(said: &[u8]) -> Option<PathBuf> {
    Some(PathBuf::from(OsStr::from_bytes(said.strip_prefix(GO)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_told_from_silence() {
        let mut said = Vec::new();
        give(&mut said, Path::new("/sys/fs/cgroup/x y")).unwrap();
        assert_eq!(path(&said), Some("/sys/fs/cgroup/x y".into()));
        assert_eq!((path(b"go "), path(b""), path(b"g")), (Some(PathBuf::new()), None, None));
    }
}
