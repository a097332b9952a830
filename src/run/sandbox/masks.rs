//! What stays out of sight of a run that may look through directories of others (`reach`): the right opens every file that is
//! closed to other users, so the ones that nobody granted are covered, and those that look like keys even where all is granted.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Where people and installers put programs of their own, with settings beside them. What else is the system's comes from packages,
/// and is the same on every machine.
const OWN_PROGRAMS: [&str; 2] = ["/opt", "/usr/local"];
/// Entries that are looked at, so that a large data set does not delay a start for long.
const MOST_ENTRIES: usize = 200_000;
/// Each mask is a mount or a rule.
const MOST_MASKS: usize = 1000;

/// What to cover for a run that was granted these paths, in order. None when there is too much to see or to cover.
pub fn masks(granted: &[PathBuf]) -> Option<Vec<PathBuf>> {
    of(&OWN_PROGRAMS.map(PathBuf::from), granted)
}

fn of(programs: &[PathBuf], granted: &[PathBuf]) -> Option<Vec<PathBuf>> {
    let mut look = Look { left: MOST_ENTRIES, found: Vec::new(), granted };
    for root in programs.iter().filter(|r| r.is_dir()) {
        look.below(root, false)?;
    }
    for root in granted.iter().filter(|r| r.symlink_metadata().is_ok_and(|m| m.is_dir())) {
        look.below(root, true)?;
    }
    look.found.sort();
    look.found.dedup();
    Some(look.found)
}

struct Look<'a> {
    left: usize,
    found: Vec<PathBuf>,
    granted: &'a [PathBuf],
}

impl Look<'_> {
    /// Looks through a directory; `ours` when all in it was granted.
    fn below(&mut self, dir: &Path, ours: bool) -> Option<()> {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            self.left = self.left.checked_sub(1)?;
            let (path, Ok(meta)) = (entry.path(), entry.metadata()) else { continue };
            // Named by itself, it was meant.
            if self.granted.contains(&path) || meta.is_symlink() {
                continue;
            }
            let open = if meta.is_dir() { 0o005 } else { 0o004 };
            let closed = meta.mode() & open != open;
            let holds_granted = self.granted.iter().any(|g| g.starts_with(&path));
            if closed && !holds_granted && (!ours || looks_like_keys(&entry.file_name())) {
                if self.found.len() >= MOST_MASKS {
                    return None;
                }
                self.found.push(path);
            } else if meta.is_dir() {
                self.below(&path, ours)?;
            }
        }
        Some(())
    }
}

/// Whether a file or directory is named as those are that hold keys.
fn looks_like_keys(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_lowercase();
    const WHOLE: [&str; 12] =
        [".netrc", "_netrc", ".pgpass", ".pypirc", ".npmrc", ".git-credentials", ".htpasswd", ".ssh", ".gnupg", ".aws", ".kube", ".docker"];
    let begins = [
        ".env",
        "id_rsa",
        "id_dsa",
        "id_ecdsa",
        "id_ed25519",
        "credentials",
        "secret",
        "service-account",
        "service_account",
        "token.",
        "tokens.",
    ];
    let ends = [".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk", ".env"];
    WHOLE.contains(&name.as_str()) || begins.iter().any(|b| name.starts_with(b)) || ends.iter().any(|e| name.ends_with(e))
}

/// A path without what is masked below it: places that are seen whole, and directories of which only the names are.
pub(super) fn around(path: &Path, masks: &[PathBuf]) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if masks.iter().any(|m| real.starts_with(m)) {
        return (Vec::new(), Vec::new());
    }
    if !masks.iter().any(|m| m.starts_with(&real)) {
        return (vec![path.to_owned()], Vec::new());
    }
    let (mut whole, mut listed) = (Vec::new(), vec![real.clone()]);
    for entry in fs::read_dir(&real).into_iter().flatten().flatten() {
        // A link is followed to where it leads, and judged there.
        if entry.file_type().is_ok_and(|kind| !kind.is_symlink()) {
            let (inner, names) = around(&entry.path(), masks);
            whole.extend(inner);
            listed.extend(names);
        }
    }
    (whole, listed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn ground() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for (path, mode) in [
            ("opt/app/.env", 0o600),
            ("opt/app/run", 0o755),
            ("opt/app/private/db", 0o644),
            ("opt/python/bin/python", 0o755),
            ("opt/python/.env", 0o644),
            ("home/venv/lib/a.py", 0o600),
            ("home/venv/.env", 0o600),
            ("home/venv/cacert.pem", 0o644),
            ("home/venv/.ssh/id_rsa", 0o644),
            ("home/venv/data/token.bin", 0o600),
        ] {
            let at = root.join(path);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(&at, path).unwrap();
            fs::set_permissions(at, fs::Permissions::from_mode(mode)).unwrap();
        }
        for closed in ["opt/app/private", "home/venv", "home/venv/.ssh"] {
            fs::set_permissions(root.join(closed), fs::Permissions::from_mode(0o700)).unwrap();
        }
        for open in ["opt", "opt/app", "opt/python", "opt/python/bin", "home/venv/lib", "home/venv/data"] {
            fs::set_permissions(root.join(open), fs::Permissions::from_mode(0o755)).unwrap();
        }
        std::os::unix::fs::symlink("/etc/shadow", root.join("opt/app/link")).unwrap();
        (dir, root)
    }

    #[test]
    fn what_is_closed_and_not_granted_or_looks_like_a_key_is_masked() {
        let (_dir, root) = ground();
        let found = of(&[root.join("opt")], &[root.join("home/venv"), root.join("home/venv/data/token.bin")]).unwrap();
        assert_eq!(found, ["home/venv/.env", "home/venv/.ssh", "opt/app/.env", "opt/app/private"].map(|p| root.join(p)));
        // A closed directory in which something granted lies is not masked whole.
        let found = of(&[root.join("opt")], &[root.join("opt/app/private/db")]).unwrap();
        assert_eq!(found, [root.join("opt/app/.env")]);
    }

    #[test]
    fn a_place_is_divided_around_what_is_masked() {
        let (_dir, root) = ground();
        let masks = ["opt/app/.env", "opt/app/private"].map(|p| root.join(p));
        let (mut whole, listed) = around(&root.join("opt"), &masks);
        whole.sort();
        assert_eq!(whole, ["opt/app/run", "opt/python"].map(|p| root.join(p)));
        assert_eq!(listed, ["opt", "opt/app"].map(|p| root.join(p)));
        assert_eq!(around(&root.join("home"), &masks), (vec![root.join("home")], Vec::new()));
        assert_eq!(around(&root.join("opt/app/private/db"), &masks), (Vec::new(), Vec::new()));
    }

    #[test]
    fn names_that_keys_have() {
        for name in
            [".env", ".env.local", "prod.env", "id_ed25519", "id_rsa.bak", "server.key", "ca.pem", ".netrc", "credentials.json", ".aws"]
        {
            assert!(looks_like_keys(OsStr::new(name)), "{name}");
        }
        for name in ["train.py", "tokenizer.json", "environment.yml", "keys.npy", "data.bin", "idx", "tokens_train"] {
            assert!(!looks_like_keys(OsStr::new(name)), "{name}");
        }
    }
}
