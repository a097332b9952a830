//! A short way to a run's temporary files. The path of a unix socket has at most 107 bytes, and Python's multiprocessing makes its
//! sockets some levels below `$TMPDIR`: in the slot of a study with a long name they would not fit.

use super::abandoned::PREFIX;
use crate::run::sandbox;
use std::{
    fs, io,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, symlink},
    },
    path::{Path, PathBuf},
};

/// Up to here a path leaves room for `/pymp-12345678/listener-12345678` and the like, in bytes.
const LONGEST: usize = 64;
/// Where links lie outside of a sandbox of their own.
pub(super) const COMMON: &str = "/tmp";

/// Whether a directory for temporary files needs a shorter way.
pub(super) fn is_long(path: &str) -> bool {
    path.len() > LONGEST
}

/// Makes a link to a place's directory below `common`, over the one that it had; returns the link.
///
/// Errors: somebody else's entry has its name.
pub(super) fn link(common: &Path, slots: &Path, place: &str, dir: &Path) -> io::Result<PathBuf> {
    let name = format!("{PREFIX}{}", sandbox::name_of(&slots.join(place)));
    let link = common.join(name);
    match link.symlink_metadata() {
        Ok(meta) if meta.is_symlink() && meta.uid() == own() => {
            if link.read_link()? == dir {
                return Ok(link);
            }
            fs::remove_file(&link)?;
        }
        Ok(_) => return Err(io::Error::other(format!("{} is somebody else's", link.display()))),
        Err(_) => {}
    }
    symlink(dir, &link)?;
    Ok(link)
}

/// Removes those links of ours that lead nowhere any more.
pub(super) fn clear(common: &Path) {
    for entry in fs::read_dir(common).into_iter().flatten().flatten() {
        let ours = entry.file_name().as_bytes().starts_with(PREFIX.as_bytes())
            && entry.metadata().is_ok_and(|meta| meta.is_symlink() && meta.uid() == own());
        if ours && fs::metadata(entry.path()).is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn own() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_one_link_which_goes_with_what_it_leads_to() {
        let root = tempfile::tempdir().unwrap();
        let (common, slots) = (root.path().join("common"), root.path().join("slots"));
        for dir in [&common, &slots.join("a"), &slots.join("b")] {
            fs::create_dir_all(dir).unwrap();
        }
        let first = link(&common, &slots, "slot-0", &slots.join("a")).unwrap();
        assert_eq!(link(&common, &slots, "slot-0", &slots.join("a")).unwrap(), first);
        let other = link(&common, &slots, "slot-1", &slots.join("b")).unwrap();
        assert_ne!(other, first);
        assert_eq!(link(&common, &slots, "slot-0", &slots.join("b")).unwrap(), first);
        assert_eq!(first.read_link().unwrap(), slots.join("b"));
        assert!(!is_long(&first.file_name().unwrap().to_string_lossy()) && is_long(&"x".repeat(65)));

        link(&common, &slots, "slot-0", &slots.join("a")).unwrap();
        symlink(root.path().join("gone"), common.join("other")).unwrap();
        fs::remove_dir(slots.join("a")).unwrap();
        clear(&common);
        assert!(!first.is_symlink() && other.is_symlink() && common.join("other").is_symlink());
        fs::write(&first, "planted").unwrap();
        assert!(link(&common, &slots, "slot-0", &slots.join("b")).unwrap_err().to_string().contains("somebody else's"));
    }
}
