//! The environment that a task's `[setup]` builds: what names it, the script around the task's command, what a run sees of
//! it, and what its log tells.
//!
//! One directory for one content, shared by all studies of the user. It is filled in place, for virtual environments do not
//! move, under a lock that the supervisor holds for its life; a mark with the list of its files is written last, so that
//! what is half built or was thinned out is built anew. Knows no study. Tested beside the code and in `tests/journeys`.

mod content;
mod evidence;

pub use content::{Content, Tool, declares, key, tools};
pub use evidence::{hiccup, last_lines, words};

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Written last, inside: the list of files that were built.
pub const MARK: &str = ".trialdeck-complete";
/// Where the script says that there was nothing to do: inside the run directory.
pub const CACHED: &str = "cached";

/// Around the task's command. `TRIALDECK_SETUP_…` come with the environment; the lock is held by whoever runs this.
///
/// Byte code is no part of the list: Python may add it. `conda` refuses a prefix that is there already, all others want one.
const SCRIPT: &str = r#"exec 2>&1
mark="$SETUP/.trialdeck-complete"
list() { (cd "$SETUP" && find . '(' -type f -o -type l ')' ! -name '*.pyc' ! -name '.trialdeck-*' | LC_ALL=C sort | cksum); }
if [ -f "$mark" ] && [ "$(list)" = "$(cat "$mark")" ]; then
    echo "built before and whole: $SETUP"
    : > "$TRIALDECK_SETUP_CACHED"
    exit 0
fi
if [ -e "$SETUP" ]; then
    echo "$SETUP is not whole: it is built anew"
    chmod -R u+w "$SETUP"
    rm -rf "$SETUP" || exit 1
fi
mkdir -p "${SETUP%/*}" || exit 1
case $TRIALDECK_SETUP_COMMAND in
    *conda*|*mamba*) ;;
    *) mkdir "$SETUP" || exit 1 ;;
esac
command=$TRIALDECK_SETUP_COMMAND cached=$TRIALDECK_SETUP_CACHED
unset TRIALDECK_SETUP_COMMAND TRIALDECK_SETUP_CACHED
/bin/sh -c "$command" || exit $?
mkdir -p "$SETUP" || exit 1
list > "$SETUP/.trialdeck-draft" && mv "$SETUP/.trialdeck-draft" "$mark" || exit 1
chmod -R a-w "$SETUP"
"#;

/// The script that a supervisor runs.
pub fn script() -> &'static str {
    SCRIPT
}

/// The variables of the script beside the user's own.
pub fn variables(command: &str, dir: &Path, run_dir: &Path) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("SETUP".to_owned(), dir.to_string_lossy().into_owned()),
        ("TRIALDECK_SETUP_COMMAND".to_owned(), command.to_owned()),
        ("TRIALDECK_SETUP_CACHED".to_owned(), run_dir.join(CACHED).to_string_lossy().into_owned()),
    ])
}

/// Whether a variable of the user's is for installing: proxies, certificates, indexes, the home with its configuration.
pub fn passes(name: &str) -> bool {
    const PROXIES: [&str; 5] = ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"];
    const CERTIFICATES: [&str; 6] =
        ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS"];
    let installer = ["PIP_", "UV_", "CONDA_"].iter().any(|p| name.starts_with(p));
    // What publishes packages is not needed to install them.
    let key = name.starts_with("UV_PUBLISH") || name.ends_with("API_KEY");
    name == "HOME" || PROXIES.contains(&name.to_ascii_lowercase().as_str()) || CERTIFICATES.contains(&name) || (installer && !key)
}

/// What was built, as runs see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Where it lies, without links.
    pub dir: PathBuf,
    venv: bool,
    conda: bool,
    bin: bool,
}

impl Built {
    /// Looks at what lies there; none where its mark is missing.
    pub fn at(dir: &Path) -> Option<Self> {
        let dir = dir.canonicalize().ok()?;
        dir.join(MARK).is_file().then(|| Self {
            venv: dir.join("pyvenv.cfg").is_file(),
            conda: dir.join("conda-meta").is_dir(),
            bin: dir.join("bin").is_dir(),
            dir,
        })
    }

    /// Its programs first, then those of `path`.
    pub fn path(&self, path: &str) -> String {
        if self.bin { format!("{}:{path}", self.dir.join("bin").display()) } else { path.to_owned() }
    }

    /// The variables by which programs know it.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let dir = self.dir.to_string_lossy().into_owned();
        let names = [("SETUP", true), ("VIRTUAL_ENV", self.venv), ("CONDA_PREFIX", self.conda)];
        names.into_iter().filter(|(_, there)| *there).map(|(name, _)| (name.to_owned(), dir.clone())).collect()
    }
}

/// Whether files can be made in a directory, which is made.
pub fn writable(dir: &Path) -> bool {
    fs::create_dir_all(dir).is_ok() && tempfile::Builder::new().prefix(".probe-").tempfile_in(dir).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn run(dir: &Path, command: &str) -> (i32, String, bool) {
        let run_dir = dir.join("run");
        fs::create_dir_all(&run_dir).unwrap();
        let _ = fs::remove_file(run_dir.join(CACHED));
        let out = Command::new("/bin/sh")
            .args(["-c", script()])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(variables(command, &dir.join("built"), &run_dir))
            .current_dir(dir)
            .output()
            .unwrap();
        (out.status.code().unwrap(), String::from_utf8_lossy(&out.stdout).into_owned(), run_dir.join(CACHED).exists())
    }

    #[test]
    fn built_once_and_again_when_it_is_not_whole() {
        let dir = tempfile::tempdir().unwrap();
        let command = "echo building; mkdir $SETUP/bin; echo x > $SETUP/bin/tool; env | grep TRIALDECK_SETUP; echo err >&2";
        let (code, said, cached) = run(dir.path(), command);
        assert_eq!((code, said.as_str(), cached), (0, "building\nerr\n", false));
        let built = Built::at(&dir.path().join("built")).unwrap();
        assert!(built.path("/bin").ends_with("built/bin:/bin"));
        assert_eq!(built.variables().into_keys().collect::<Vec<_>>(), ["SETUP"]);
        assert!(fs::metadata(built.dir.join("bin/tool")).unwrap().permissions().readonly());
        let (code, said, cached) = run(dir.path(), command);
        assert!(code == 0 && cached && said.starts_with("built before and whole"), "{said}");
        // A file that somebody took away.
        Command::new("chmod").args(["-R", "u+w"]).arg(&built.dir).status().unwrap();
        fs::remove_file(built.dir.join("bin/tool")).unwrap();
        let (code, said, cached) = run(dir.path(), command);
        assert!(code == 0 && !cached && said.contains("is not whole") && said.contains("building"), "{said}");
        // An attempt that breaks off leaves no mark.
        Command::new("chmod").args(["-R", "u+w"]).arg(&built.dir).status().unwrap();
        fs::write(built.dir.join(MARK), "other").unwrap();
        assert_eq!(run(dir.path(), "echo half > $SETUP/half; exit 3").0, 3);
        assert_eq!(Built::at(&dir.path().join("built")), None);
        assert_eq!(run(dir.path(), command).0, 0);
        assert!(!built.dir.join("half").exists());
        Command::new("chmod").args(["-R", "u+w"]).arg(&built.dir).status().unwrap();
    }

    #[test]
    fn the_users_keys_do_not_pass() {
        for (name, want) in [
            ("HOME", true),
            ("https_proxy", true),
            ("NO_PROXY", true),
            ("PIP_INDEX_URL", true),
            ("UV_INDEX_URL", true),
            ("CONDA_PKGS_DIRS", true),
            ("SSL_CERT_FILE", true),
            ("UV_PUBLISH_TOKEN", false),
            ("OPENAI_API_KEY", false),
            ("PIP_API_KEY", false),
            ("AWS_SECRET_ACCESS_KEY", false),
            ("PYTHONPATH", false),
            ("PATH", false),
        ] {
            assert_eq!(passes(name), want, "{name}");
        }
    }
}
