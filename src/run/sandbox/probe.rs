//! Which tiers this machine offers: each is really started, and acts that it must refuse are tried from inside.

use super::{
    Sandbox, bubblewrap,
    enter::{Then, enter},
    forbidden::{ACTS, Attempt},
    users::ForNow,
};
use crate::{model::Tier, run::time::boottime};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// A sandbox that has not answered by then does not work.
const PATIENCE: Duration = Duration::from_secs(10);

/// A tier that was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// Which.
    pub tier: Tier,
    /// Runs get a user of their own.
    pub own_user: bool,
}

/// What the process that tries gets as its argument.
#[derive(Serialize, Deserialize)]
struct Plan {
    entered: PathBuf,
    cwd: PathBuf,
    sandbox: Sandbox,
    then: Then,
}

/// The body of `shim --probe`.
pub(in crate::run) fn run(plan: &str) -> io::Result<i32> {
    let plan: Plan = serde_json::from_str(plan)?;
    enter(File::create(&plan.entered)?, &plan.cwd, &plan.sandbox, &plan.then)
}

/// What came of trying one tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Which.
    pub tier: Tier,
    /// How it works, or in words why it does not.
    pub way: Result<Way, String>,
    /// What it does not stop, of the acts that were tried.
    pub open: Vec<String>,
}

/// Tries all tiers, strongest first. `program` is the binary that answers to `shim`, `scratch` a directory for what is
/// needed in between.
pub fn all(program: &Path, scratch: &Path) -> Vec<Tried> {
    Tier::ALL.iter().map(|tier| one(program, scratch, *tier)).collect()
}

/// Tries one tier.
pub fn one(program: &Path, scratch: &Path, tier: Tier) -> Tried {
    let root = rustix::process::geteuid().is_root();
    let ways: &[bool] = match (tier, root) {
        (Tier::E, _) => return Tried { tier, way: Ok(Way { tier, own_user: false }), open: ACTS.map(str::to_owned).to_vec() },
        (Tier::B | Tier::D, false) => {
            return Tried { tier, way: Err("only root can give runs another user".into()), open: Vec::new() };
        }
        (Tier::A, _) if bubblewrap::program().is_none() => {
            return Tried { tier, way: Err("bubblewrap is not installed".into()), open: Vec::new() };
        }
        (Tier::A, true) => &[true, false],
        (Tier::B | Tier::D, true) => &[true],
        (Tier::A | Tier::C, _) => &[false],
    };
    let mut why = String::new();
    for own_user in ways {
        match acts(program, scratch, tier, *own_user) {
            Ok(said) => match judge(tier, &said) {
                Ok(open) => return Tried { tier, way: Ok(Way { tier, own_user: *own_user }), open },
                Err(error) => why = error,
            },
            Err(error) => why = error,
        }
    }
    Tried { tier, way: Err(why), open: Vec::new() }
}

/// The strongest tier that works.
pub fn best(program: &Path, scratch: &Path) -> Way {
    let found = Tier::ALL.iter().find_map(|tier| one(program, scratch, *tier).way.ok());
    found.unwrap_or(Way { tier: Tier::E, own_user: false })
}

/// What is open, if that is no more than the tier admits.
fn judge(tier: Tier, said: &BTreeMap<String, String>) -> Result<Vec<String>, String> {
    let admits: &[&str] = match tier {
        Tier::A | Tier::B => &[],
        // Signals are refused by Landlock from version 6 on.
        Tier::C => &["mode", "signal"],
        Tier::D => &["tcp", "udp"],
        Tier::E => &ACTS,
    };
    match said.get("work").map(String::as_str) {
        Some("allowed") => {}
        Some(why) => return Err(format!("a run could not write its own directory: {why}")),
        None => return Err("it gave no answer".into()),
    }
    let open: Vec<String> = ACTS.iter().filter(|act| said.get(**act).is_none_or(|s| s == "allowed")).map(|act| (*act).to_owned()).collect();
    match open.iter().find(|act| !admits.contains(&act.as_str())) {
        Some(act) => Err(format!("it does not refuse what it must: {act}")),
        None => Ok(open),
    }
}

/// Starts a sandbox in which our own program tries what is forbidden, and reads what it says.
fn acts(program: &Path, scratch: &Path, tier: Tier, own_user: bool) -> Result<BTreeMap<String, String>, String> {
    // Where everybody may make files: a name that nobody foresees, and nothing that was there before.
    let (mode, prefix) = (fs::Permissions::from_mode(0o711), format!("trialdeck-probe-{}-", tier.word()));
    let root = tempfile::Builder::new().prefix(&prefix).permissions(mode).tempdir_in(scratch);
    let root = root.map_err(|error| format!("making a directory for the trial: {error}"))?;
    in_directory(program, root.path(), tier, own_user)
}

fn in_directory(program: &Path, root: &Path, tier: Tier, own_user: bool) -> Result<BTreeMap<String, String>, String> {
    let fault = |what: &str, error: io::Error| format!("{what}: {error}");
    let (work, secret) = (root.join("work"), root.join("secret"));
    fs::create_dir(&work).map_err(|e| fault("making a directory for the trial", e))?;
    let set = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|e| fault("chmod", e));
    // Whatever the umask took away.
    set(root, 0o711)?;
    fs::write(&secret, "secret").map_err(|e| fault("writing", e))?;
    set(&secret, 0o600)?;
    let lent = own_user.then(|| ForNow::lend(root, "probe")).transpose().map_err(|e| fault("a user for the trial", e))?;
    let user = lent.as_ref().map(|lent| lent.user);
    if let Some(user) = user {
        chown(&work, Some(user), Some(user)).map_err(|e| fault("chown", e))?;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| fault("listening", e))?;
    let port = listener.local_addr().map_err(|e| fault("listening", e))?.port();
    let heard = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).map_err(|e| fault("listening", e))?;
    heard.set_nonblocking(true).map_err(|e| fault("listening", e))?;
    let pid = i32::try_from(std::process::id()).unwrap_or(i32::MAX);
    let plan = Plan {
        entered: root.join("entered"),
        cwd: work.clone(),
        sandbox: Sandbox {
            tier,
            user,
            reach: false,
            masked: Vec::new(),
            read: Vec::new(),
            write: vec![work.clone()],
            devices: Vec::new(),
            network: false,
            processes: super::processes(1),
            temporary: None,
            shared_memory_bytes: 1 << 20,
        },
        then: Then::Attempt(Attempt { secret, pid, port }),
    };
    let plan = serde_json::to_string(&plan).map_err(|e| e.to_string())?;
    let said = root.join("said");
    let out = File::create(&said).map_err(|e| fault("writing", e))?;
    let errors = out.try_clone().map_err(|e| fault("writing", e))?;
    let mut child = Command::new(program)
        .arg0("trialdeck")
        .args(["shim", "--probe"])
        .arg(&plan)
        .env_clear()
        .current_dir(&work)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(errors)
        .spawn()
        .map_err(|e| fault("starting", e))?;
    let until = boottime() + PATIENCE;
    while matches!(child.try_wait(), Ok(None)) {
        if boottime() > until {
            let _ = child.kill();
            let _ = child.wait();
            return Err("it did not answer".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(listener);
    if let Some(user) = user {
        super::end_leftovers(user);
    }
    let text = fs::read_to_string(&said).map_err(|e| fault("reading", e))?;
    let mut answers: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(act, _)| ACTS.contains(act) || *act == "work")
        .map(|(act, said)| (act.to_owned(), said.to_owned()))
        .collect();
    if answers.is_empty() {
        let line = text.lines().find(|l| !l.trim().is_empty()).unwrap_or("it said nothing");
        return Err(crate::model::Safe::line(line).to_string());
    }
    // In a network of its own a message can be sent, to nobody.
    let udp = if heard.recv(&mut [0]).is_ok() { "allowed" } else { "nothing arrived" };
    answers.insert("udp".into(), udp.into());
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_is_promised_only_for_what_it_refuses() {
        let said = |open: &[&str], work: &str| {
            let mut all: BTreeMap<String, String> = ACTS.iter().map(|a| ((*a).to_owned(), "refused".to_owned())).collect();
            all.extend(open.iter().map(|a| ((*a).to_owned(), "allowed".to_owned())));
            all.insert("work".into(), work.into());
            all
        };
        assert_eq!(judge(Tier::A, &said(&[], "allowed")), Ok(Vec::new()));
        assert_eq!(judge(Tier::C, &said(&["mode"], "allowed")), Ok(vec!["mode".to_owned()]));
        assert!(judge(Tier::B, &said(&["mode"], "allowed")).unwrap_err().contains("mode"));
        assert!(judge(Tier::D, &said(&["read", "tcp"], "allowed")).unwrap_err().contains("read"));
        assert!(judge(Tier::A, &said(&[], "Permission denied")).unwrap_err().contains("its own directory"));
        let mut silent = said(&[], "allowed");
        silent.remove("tcp");
        assert!(judge(Tier::A, &silent).is_err(), "an act without an answer counts as allowed");
    }
}
