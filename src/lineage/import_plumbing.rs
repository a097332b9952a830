//! Reads a repository through git's plumbing commands, where libgit2 cannot: SHA-256 objects, partial clones, reftable, sparse index.
//!
//! The commands run without system and user configuration, hooks, file system monitor, optional locks (so that the index is not
//! refreshed) and without fetching missing objects. Its objects are stored anew with our own hashes.

use super::checkout::{From, Tracked, below};
use super::error::{Error, Result};
use super::store::GITLINK_MODE;
use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A repository read by commands.
pub(super) struct Plumbing {
    dir: PathBuf,
    /// Filters that its configuration names: programs, which a look at the working copy would start.
    filters: Vec<String>,
}

/// What the commands tell of it.
pub(super) struct Listing {
    pub prefix: String,
    pub tracked: Vec<Tracked>,
    pub revision: Option<String>,
    pub uncommitted: usize,
    pub warnings: Vec<String>,
}

impl Plumbing {
    /// Checks that git reads the repository; `reason` is why libgit2 did not.
    pub(super) fn open(source: &Path, reason: &str) -> Result<Self> {
        let mut this = Self { dir: source.to_owned(), filters: Vec::new() };
        let said = this.command(&["rev-parse", "--git-dir"]).output();
        match said {
            Err(_) => Err(Error::NoGit { path: source.to_owned(), reason: reason.to_owned() }),
            Ok(out) if out.status.success() => {
                this.filters = this.named_filters();
                Ok(this)
            }
            Ok(out) if String::from_utf8_lossy(&out.stderr).contains("dubious ownership") => Err(Error::Ownership(source.to_owned())),
            Ok(out) => Err(this.failed(&["rev-parse"], &out)),
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut git = Command::new("git");
        for name in FOREIGN {
            git.env_remove(name);
        }
        git.arg("-C").arg(&self.dir);
        git.args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false"]);
        git.args(["-c", "protocol.ext.allow=never", "-c", "submodule.recurse=false", "--no-optional-locks", "--literal-pathspecs"]);
        git.args(args);
        for (name, value) in [
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("LC_ALL", "C"),
        ] {
            git.env(name, value);
        }
        // By the environment: a name may hold `=`, which `-c` would cut. What is empty starts nothing.
        let off = |name: &String| {
            [("clean", ""), ("smudge", ""), ("process", ""), ("required", "false")].map(|(k, v)| (format!("filter.{name}.{k}"), v))
        };
        let settings: Vec<(String, &str)> = self.filters.iter().flat_map(off).collect();
        for (n, (key, value)) in settings.iter().enumerate() {
            git.env(format!("GIT_CONFIG_KEY_{n}"), key).env(format!("GIT_CONFIG_VALUE_{n}"), value);
        }
        if !settings.is_empty() {
            git.env("GIT_CONFIG_COUNT", settings.len().to_string());
        }
        git.stdin(Stdio::null());
        git
    }

    /// The filters that the configuration names; reading it starts nothing.
    fn named_filters(&self) -> Vec<String> {
        let listed = self.command(&["config", "--includes", "-z", "--name-only", "--get-regexp", r"^filter\."]).output();
        let listed = listed.map(|out| out.stdout).unwrap_or_default();
        let names = listed.split(|b| *b == 0).filter_map(|key| std::str::from_utf8(key).ok()?.strip_prefix("filter.")?.rsplit_once('.'));
        let mut names: Vec<String> = names.map(|(name, _)| name.to_owned()).collect();
        names.sort();
        names.dedup();
        names
    }

    fn run(&self, args: &[&str]) -> Result<Vec<u8>> {
        match self.command(args).output() {
            Ok(out) if out.status.success() => Ok(out.stdout),
            Ok(out) => Err(self.failed(args, &out)),
            Err(source) => Err(Error::Io { what: "running git in", path: self.dir.clone(), source }),
        }
    }

    fn failed(&self, args: &[&str], out: &std::process::Output) -> Error {
        let stderr = String::from_utf8_lossy(&out.stderr);
        Error::Command {
            command: args.join(" "),
            path: self.dir.clone(),
            status: out.status.to_string(),
            stderr: stderr.lines().rfind(|l| !l.trim().is_empty()).unwrap_or_default().to_owned(),
        }
    }

    /// The tracked files below the directory.
    pub(super) fn listing(&self) -> Result<Listing> {
        let revision = self.run(&["rev-parse", "--verify", "--quiet", "HEAD"]).ok();
        let revision = revision.map(|r| String::from_utf8_lossy(&r).trim().to_owned()).filter(|r| !r.is_empty());
        if self.run(&["rev-parse", "--is-bare-repository"])?.starts_with(b"true") {
            return self.bare(revision);
        }
        let prefix = self.run(&["rev-parse", "--show-prefix"])?;
        let prefix = String::from_utf8_lossy(&prefix).trim_end_matches(['\n', '/']).to_owned();
        let mut tracked: Vec<Tracked> = Vec::new();
        let mut warnings = Vec::new();
        let mut conflicted = HashSet::new();
        // `H 100644 <hash> 0\tpath`, relative to the directory; tag S is a file that a sparse checkout leaves out.
        for record in self.run(&["ls-files", "-s", "-t", "-z", "--", "."])?.split(|b| *b == 0).filter(|r| !r.is_empty()) {
            let Some((head, path)) = split_at_byte(record, b'\t') else { continue };
            let head = String::from_utf8_lossy(head);
            let mut words = head.split(' ');
            let (tag, mode, id, stage) = (words.next(), words.next(), words.next(), words.next());
            if stage != Some("0") && !conflicted.insert(path.to_vec()) {
                continue;
            }
            let mode = mode.and_then(|m| u32::from_str_radix(m, 8).ok()).unwrap_or(GITLINK_MODE);
            let absent = tag == Some("S") && self.dir.join(std::ffi::OsStr::from_bytes(path)).symlink_metadata().is_err();
            let from = if absent { From::Object(id.unwrap_or_default().to_owned()) } else { From::WorkingCopy };
            tracked.push(Tracked { path: path.to_vec(), mode, from, head: None, clean: true });
        }
        if !conflicted.is_empty() {
            warnings.push("a merge is not finished: conflicted files are imported as they stand in the working copy".into());
        }
        let uncommitted = if revision.is_some() { self.changed()? } else { 0 };
        Ok(Listing { prefix, tracked, revision, uncommitted, warnings })
    }

    fn bare(&self, revision: Option<String>) -> Result<Listing> {
        let mut tracked = Vec::new();
        if revision.is_some() {
            for record in self.run(&["ls-tree", "-r", "-z", "--full-tree", "HEAD"])?.split(|b| *b == 0).filter(|r| !r.is_empty()) {
                let Some((head, path)) = split_at_byte(record, b'\t') else { continue };
                let head = String::from_utf8_lossy(head);
                let mut words = head.split(' ');
                let mode = words.next().and_then(|m| u32::from_str_radix(m, 8).ok()).unwrap_or(GITLINK_MODE);
                let id = words.nth(1).unwrap_or_default().to_owned();
                let Some(path) = below(path, b"") else { continue };
                tracked.push(Tracked { path, mode, from: From::Object(id), head: None, clean: true });
            }
        }
        Ok(Listing { prefix: String::new(), tracked, revision, uncommitted: 0, warnings: Vec::new() })
    }

    /// How many tracked files differ from HEAD.
    fn changed(&self) -> Result<usize> {
        let out =
            self.run(&["diff-index", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=all", "HEAD", "--", "."])?;
        Ok(out.split(|b| *b == 0).filter(|r| !r.is_empty()).count())
    }

    /// The content of an object; none where it is not on this machine.
    pub(super) fn blob(&self, id: &str) -> Option<Vec<u8>> {
        self.run(&["cat-file", "blob", id]).ok()
    }
}

fn split_at_byte(record: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = record.iter().position(|b| *b == byte)?;
    Some((record.get(..at)?, record.get(at + 1..)?))
}

/// What could make git look elsewhere than at the directory.
const FOREIGN: [&str; 16] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CEILING_DIRECTORIES",
    "GIT_EXTERNAL_DIFF",
    "GIT_ATTR_SOURCE",
    "GIT_TRACE",
    "GIT_DEFAULT_HASH",
];
