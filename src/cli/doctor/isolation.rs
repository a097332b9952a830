//! What this machine could be isolated with: found by trying, never by versions.
//!
//! Until isolation is built every run is tier E, whatever is found; the facts say what is to come here.

use super::asked::asked;
use super::finding::Finding;
use crate::cli::host;
use std::{collections::BTreeMap, fs};

/// What tier E means, in one line.
pub(crate) const TIER_E: &str = "none: runs have your rights, your network and your files; only accept code that you would run yourself";

/// Asks the kernel by its system calls, which Rust without `unsafe` cannot.
const PROBE: &str = include_str!("probe.py");
/// Landlock that also covers truncation: less protects no file.
const LANDLOCK: i64 = 3;
/// The answer to a filter at address zero: filters exist, this is none.
const EFAULT: i64 = -14;

/// What was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tried {
    bubblewrap: Option<Result<String, String>>,
    /// What the probe printed; none without Python.
    kernel: Option<BTreeMap<String, i64>>,
    root: bool,
    /// A group of our own could be made.
    cgroup: Result<String, String>,
}

pub(super) fn isolation() -> Vec<Finding> {
    findings(&Tried { bubblewrap: bubblewrap(), kernel: kernel(), root: rustix::process::geteuid().is_root(), cgroup: cgroup() })
}

fn bubblewrap() -> Option<Result<String, String>> {
    let path = host::which("bwrap")?;
    let arguments = [
        "--unshare-user",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-ipc",
        "--die-with-parent",
        "--ro-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--",
        "/bin/sh",
        "-c",
        ":",
    ];
    let works = asked(&path, &arguments);
    Some(works.map(|_| asked(&path, &["--version"]).unwrap_or_default().trim_start_matches("bubblewrap ").to_owned()))
}

fn kernel() -> Option<BTreeMap<String, i64>> {
    let said = asked(host::which("python3")?, &["-I", "-c", PROBE]).ok()?;
    Some(said.lines().filter_map(|l| l.split_once(' ')).filter_map(|(name, n)| Some((name.to_owned(), n.parse().ok()?))).collect())
}

/// Really makes a control group below our own, and takes it away again.
fn cgroup() -> Result<String, String> {
    let text = fs::read_to_string("/proc/self/cgroup").map_err(|e| e.to_string())?;
    let own = text.lines().find_map(|l| l.strip_prefix("0::")).ok_or("only version 1 is mounted")?;
    let root = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].into_iter().find(|r| fs::metadata(format!("{r}/cgroup.controllers")).is_ok());
    let dir = format!("{}{own}", root.ok_or("version 2 is not mounted")?);
    let probe = format!("{dir}/trialdeck-probe-{}", std::process::id());
    fs::create_dir(&probe).map_err(|_| "not delegated to this user".to_owned())?;
    let _ = fs::remove_dir(&probe);
    let controllers = fs::read_to_string(format!("{dir}/cgroup.controllers")).unwrap_or_default();
    Ok(if controllers.trim().is_empty() { "without controllers".to_owned() } else { controllers.trim().replace(' ', ", ") })
}

fn errno(number: i64) -> String {
    std::io::Error::from_raw_os_error(i32::try_from(-number).unwrap_or(0))
        .to_string()
        .split(" (os")
        .next()
        .unwrap_or_default()
        .to_lowercase()
}

fn findings(tried: &Tried) -> Vec<Finding> {
    let number = |name: &str| tried.kernel.as_ref().and_then(|k| k.get(name).copied());
    let unknown = || "not tried: that needs python3".to_owned();
    let landlock = number("landlock");
    let seccomp = number("seccomp") == Some(EFAULT);
    let kernel = landlock.is_some_and(|abi| abi >= LANDLOCK) && seccomp;
    let works = matches!(tried.bubblewrap, Some(Ok(_)));
    let (tier, by) = match (works, tried.root, kernel) {
        (true, ..) => ("A", "bubblewrap"),
        (false, true, true) => ("B", "another user, landlock and seccomp"),
        (false, false, true) => ("C", "landlock and seccomp"),
        (false, true, false) => ("D", "another user"),
        (false, false, false) => ("E", "nothing"),
    };
    let tier_line = Finding::warn("tier", "E, none").means("runs have your rights, your network and your files");
    let tier_line = if tier == "E" {
        tier_line.mend("only accept code that you would run yourself; use a container on a shared machine")
    } else {
        tier_line.mend(format!("only accept code that you would run yourself. Once isolation is built: {tier} here, by {by}"))
    };
    let bubblewrap = match &tried.bubblewrap {
        Some(Ok(version)) => Finding::ok("bubblewrap", format!("{version}, works with namespaces of its own")),
        Some(Err(why)) => Finding::info("bubblewrap", format!("does not work: {why}")),
        None => Finding::info("bubblewrap", "not installed"),
    };
    let userns = match number("userns") {
        Some(0) => {
            Finding::ok("namespaces", if tried.root { "user namespaces can be made (you are root)" } else { "user namespaces can be made" })
        }
        Some(n) => Finding::info("namespaces", format!("user namespaces are refused: {}", errno(n))),
        None => Finding::info("namespaces", unknown()),
    };
    let landlock = match landlock {
        Some(abi) if abi >= LANDLOCK => Finding::ok("landlock", format!("version {abi}")),
        Some(abi) if abi > 0 => Finding::info("landlock", format!("version {abi}, from {LANDLOCK} on it protects files")),
        Some(n) => Finding::info("landlock", format!("not there: {}", errno(n))),
        None => Finding::info("landlock", unknown()),
    };
    let seccomp = match number("seccomp") {
        Some(EFAULT) => Finding::ok("seccomp", "filters can be set"),
        Some(n) => Finding::info("seccomp", format!("filters are refused: {}", errno(n))),
        None => Finding::info("seccomp", unknown()),
    };
    let root = match tried.root {
        true => Finding::info("user", "root: so is every run, until isolation is built"),
        false => Finding::ok("user", "not root"),
    };
    let cgroup = match &tried.cgroup {
        Ok(controllers) => Finding::ok("cgroup", format!("groups of our own can be made: {controllers}")),
        Err(why) => Finding::info("cgroup", format!("{why}: limits are kept by watching processes")),
    };
    vec![tier_line, bubblewrap, userns, landlock, seccomp, root, cgroup]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tier_to_come_follows_from_what_works() {
        let kernel = |landlock: i64, seccomp: i64| {
            Some([("landlock".to_owned(), landlock), ("seccomp".to_owned(), seccomp), ("userns".to_owned(), -1)].into())
        };
        for (bubblewrap, kernel, root, want) in [
            (Some(Ok("0.8.0".to_owned())), kernel(-38, -22), false, "A here"),
            (Some(Err("no".to_owned())), kernel(7, EFAULT), true, "B here"),
            (None, kernel(3, EFAULT), false, "C here"),
            (None, kernel(2, EFAULT), false, "use a container"),
            (None, kernel(7, -22), false, "use a container"),
            (None, None, true, "D here"),
            (None, None, false, "use a container"),
        ] {
            let tried = Tried { bubblewrap, kernel, root, cgroup: Err("not delegated to this user".into()) };
            let all = findings(&tried);
            assert!(all[0].mend.as_ref().is_some_and(|m| m.contains(want)), "{tried:?} {:?}", all[0]);
            assert!(all[0].found.starts_with('E'), "until it is built");
        }
    }

    #[test]
    fn the_probe_answers_where_python_is() {
        let Some(kernel) = kernel() else { return println!("skipped: no python3") };
        assert_eq!(kernel.keys().collect::<Vec<_>>(), ["landlock", "seccomp", "userns"]);
        println!("{kernel:?}");
    }
}
