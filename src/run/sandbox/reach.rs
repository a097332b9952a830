//! Whether a user that owns nothing can reach a path: each directory above it must be open to everybody.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The directory or file that is closed to users who do not own it, if there is one on the way to `path`.
pub fn unreachable(path: &Path) -> Option<PathBuf> {
    let whole = path.canonicalize().ok()?;
    let above = whole.ancestors().skip(1).find(|dir| mode(dir).is_some_and(|m| m & 0o001 == 0));
    above.or(Some(whole.as_path()).filter(|p| closed(p))).map(Path::to_owned)
}

/// Whether a file or directory itself is closed to users who do not own it.
pub fn closed(path: &Path) -> bool {
    mode(path).is_some_and(|m| m & 0o004 == 0 || (path.is_dir() && m & 0o001 == 0))
}

/// Whether a run can be given the right to look through directories of others: this process has it to give.
pub fn can_reach() -> bool {
    rustix::thread::capabilities(None).is_ok_and(|sets| sets.permitted.contains(rustix::thread::CapabilitySet::DAC_READ_SEARCH))
}

fn mode(path: &Path) -> Option<u32> {
    path.metadata().ok().map(|meta| meta.mode())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn the_closed_directory_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let deep = root.join("a/b");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("file"), "").unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        // The temporary directory itself is its owner's alone.
        set(&root, 0o755);
        set(&root.join("a"), 0o755);
        set(&deep, 0o755);
        set(&deep.join("file"), 0o644);
        if unreachable(&root).is_none() {
            assert_eq!(unreachable(&deep.join("file")), None);
        }
        set(&deep.join("file"), 0o600);
        assert_eq!(unreachable(&deep.join("file")), Some(deep.join("file")));
        set(&root.join("a"), 0o700);
        assert_eq!(unreachable(&deep.join("file")), Some(root.join("a")));
        assert_eq!(unreachable(Path::new("/no/such/file")), None);
    }
}
