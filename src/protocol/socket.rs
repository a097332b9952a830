//! Where the socket of a study lies. Engine and client compute the same path from the study's directory; the engine also
//! announces it there, for a client whose environment differs (another login without `XDG_RUNTIME_DIR`).

use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// A socket's path must be shorter than this on every system that we know (macOS: 104 bytes with the final zero).
pub const LONGEST_PATH: usize = 103;

/// The file in a study's directory that names the socket of its living engine.
pub const ANNOUNCEMENT: &str = "engine.socket";

/// Returns the path of a study's socket: `RUNTIME/trialdeck/<8 hex>.sock`, or `TEMP/trialdeck-<uid>/<8 hex>.sock` where there
/// is no runtime directory or its path is too long. The digits are the beginning of the sha256 of the canonical study directory.
pub fn socket_path(study_dir: &Path, runtime_dir: Option<&Path>, temp_dir: &Path, uid: u32) -> PathBuf {
    let digest = Sha256::digest(canonical(study_dir).as_os_str().as_encoded_bytes());
    let name: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).chain([".sock".to_owned()]).collect();
    let own = format!("trialdeck-{uid}");
    let short = |path: &PathBuf| path.as_os_str().len() <= LONGEST_PATH;
    let runtime = runtime_dir.filter(|dir| dir.is_absolute() && dir.is_dir()).map(|dir| dir.join("trialdeck").join(&name));
    let temp = temp_dir.join(&own).join(&name);
    runtime.into_iter().chain([temp]).find(short).unwrap_or_else(|| Path::new("/tmp").join(own).join(name))
}

/// The text of an announcement. It names the directory too: in a copy of the study it is void.
pub fn announcement(study_dir: &Path, socket: &Path) -> String {
    format!("{}\n{}\n", socket.display(), canonical(study_dir).display())
}

/// Returns the socket that an engine announced in a study's directory; none when there is none or it makes no sense.
pub fn announced(study_dir: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(study_dir.join(ANNOUNCEMENT)).ok()?;
    let path = PathBuf::from(text.lines().next()?);
    let sensible = path.is_absolute() && path.as_os_str().len() <= LONGEST_PATH && text == announcement(study_dir, &path);
    sensible.then_some(path)
}

fn canonical(study_dir: &Path) -> PathBuf {
    study_dir.canonicalize().or_else(|_| std::path::absolute(study_dir)).unwrap_or_else(|_| study_dir.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_that_is_short_enough() {
        let home = tempfile::tempdir().unwrap();
        let (study, runtime) = (home.path().join("a"), home.path().join("runtime"));
        std::fs::create_dir_all(&study).unwrap();
        std::fs::create_dir_all(&runtime).unwrap();
        let path = socket_path(&study, Some(&runtime), home.path(), 7);
        assert_eq!(path.parent().unwrap(), runtime.join("trialdeck"));
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(name.len(), "01234567.sock".len());
        assert_eq!(socket_path(&study.join("../a"), Some(&runtime), home.path(), 7), path, "one study, one socket");
        for (what, runtime, temp, want) in [
            ("no runtime directory", None, home.path().to_owned(), home.path().join("trialdeck-7").join(&name)),
            ("one that is not there", Some(home.path().join("gone")), home.path().to_owned(), home.path().join("trialdeck-7").join(&name)),
            ("too long", None, home.path().join("x".repeat(100)), PathBuf::from("/tmp/trialdeck-7").join(&name)),
        ] {
            assert_eq!(socket_path(&study, runtime.as_deref(), &temp, 7), want, "{what}");
        }
    }

    #[test]
    fn an_announcement_must_make_sense() {
        let home = tempfile::tempdir().unwrap();
        let good = announcement(home.path(), Path::new("/run/x.sock"));
        let long = announcement(home.path(), &Path::new("/").join("x".repeat(200)));
        for (text, want) in [
            (good.as_str(), Some(PathBuf::from("/run/x.sock"))),
            (good.trim_end(), None),
            (&announcement(Path::new("/another/study"), Path::new("/run/x.sock")), None),
            (&announcement(home.path(), Path::new("x.sock")), None),
            (&long, None),
            ("", None),
        ] {
            std::fs::write(home.path().join(ANNOUNCEMENT), text).unwrap();
            assert_eq!(announced(home.path()), want, "{text:?}");
        }
    }
}
