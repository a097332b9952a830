//! Working directories that lie outside of their study, where the users of its runs can get: what a study that was deleted left
//! there is found by a mark that names it.

use std::{
    fs, io,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

/// How the directories begin.
pub(super) const PREFIX: &str = "trialdeck-";
/// The file in each that names its study.
const MARK: &str = "study";
/// No path is longer.
const LONGEST: u64 = 4096;

/// A working directory of ours outside of its study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// Where it lies.
    pub dir: PathBuf,
    /// The study that it belongs to; none where nothing names it.
    pub study: Option<PathBuf>,
}

impl Outside {
    /// Whether its study is known to be gone.
    pub fn abandoned(&self) -> bool {
        self.study.as_ref().is_some_and(|s| s.symlink_metadata().is_err_and(|e| e.kind() == io::ErrorKind::NotFound))
    }
}

/// Says whose a working directory is.
pub(super) fn mark(dir: &Path, study: &Path) -> io::Result<()> {
    let path = dir.join(MARK);
    if read(&path).is_none_or(|named| named != study) {
        let _ = fs::remove_file(&path);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        io::Write::write_all(&mut file, study.as_os_str().as_bytes())?;
    }
    Ok(())
}

/// Those below a directory in which everybody may make some: directories that are ours and that nobody else can write.
pub fn outside(root: &Path) -> Vec<Outside> {
    let own = rustix::process::geteuid().as_raw();
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let named = entries.filter(|e| e.file_name().as_bytes().starts_with(PREFIX.as_bytes())).map(|e| e.path());
    let ours = |dir: &PathBuf| dir.symlink_metadata().is_ok_and(|m| m.is_dir() && m.uid() == own && m.mode() & 0o022 == 0);
    let work = |dir: &PathBuf| dir.join("work").symlink_metadata().is_ok_and(|m| m.is_dir());
    let mut found: Vec<Outside> = named.filter(ours).filter(work).map(|dir| Outside { study: read(&dir.join(MARK)), dir }).collect();
    found.sort_by(|a, b| a.dir.cmp(&b.dir));
    found
}

/// Removes those whose study is gone; no link is followed.
pub(super) fn clear(root: &Path) {
    for left in outside(root).into_iter().filter(Outside::abandoned) {
        if let Err(error) = fs::remove_dir_all(&left.dir) {
            super::log::line(&format!("{} of a study that is gone cannot be removed: {error}", left.dir.display()));
        }
    }
}

/// The study that a mark of ours names.
fn read(path: &Path) -> Option<PathBuf> {
    let meta = path.symlink_metadata().ok()?;
    let ours = meta.is_file() && meta.uid() == rustix::process::geteuid().as_raw() && meta.len() <= LONGEST;
    let study = PathBuf::from(std::ffi::OsString::from_vec(fs::read(path).ok().filter(|_| ours)?));
    study.is_absolute().then_some(study)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours_and_whose_study_is_gone_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let (there, gone) = (at("studies/there"), at("studies/gone"));
        fs::create_dir_all(&there).unwrap();
        fs::create_dir_all(at("precious")).unwrap();
        fs::write(at("precious/file"), "").unwrap();
        for (name, study) in
            [("trialdeck-there", Some(&there)), ("trialdeck-gone", Some(&gone)), ("trialdeck-unmarked", None), ("other", Some(&gone))]
        {
            fs::create_dir_all(at(name).join("work/slot-0")).unwrap();
            if let Some(study) = study {
                mark(&at(name), study).unwrap();
            }
        }
        // What somebody planted: a link by such a name, a mark that is a link, a place that others can write.
        std::os::unix::fs::symlink(at("precious"), at("trialdeck-gone/work/link")).unwrap();
        std::os::unix::fs::symlink(at("trialdeck-there"), at("trialdeck-link")).unwrap();
        fs::create_dir_all(at("trialdeck-planted/work")).unwrap();
        std::os::unix::fs::symlink(at("trialdeck-gone/study"), at("trialdeck-planted/study")).unwrap();
        fs::create_dir_all(at("trialdeck-open/work")).unwrap();
        mark(&at("trialdeck-open"), &gone).unwrap();
        fs::set_permissions(at("trialdeck-open"), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        let names = |all: Vec<Outside>| all.iter().map(|o| o.dir.file_name().unwrap().to_string_lossy().into_owned()).collect::<Vec<_>>();
        assert_eq!(names(outside(root.path())), ["trialdeck-gone", "trialdeck-planted", "trialdeck-there", "trialdeck-unmarked"]);
        clear(root.path());
        assert_eq!(names(outside(root.path())), ["trialdeck-planted", "trialdeck-there", "trialdeck-unmarked"]);
        assert!(at("precious/file").exists() && at("other").exists() && at("trialdeck-open").exists() && at("trialdeck-link").is_symlink());
    }

    #[test]
    fn a_mark_is_written_once_and_follows_the_study() {
        let dir = tempfile::tempdir().unwrap();
        for study in ["/a", "/a", "/b"] {
            mark(dir.path(), Path::new(study)).unwrap();
            assert_eq!(read(&dir.path().join(MARK)), Some(study.into()));
        }
    }
}
