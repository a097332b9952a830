//! What is looked at from outside before and after each attack: nothing of it is to have changed, and nothing of it is to be
//! in what the attack left behind.

use super::ground::Ground;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Longest life of a process after the end of its run.
const LAST_BREATH: Duration = Duration::from_secs(5);
/// Files of a run that are searched for canaries, in bytes each.
const SEARCHED: u64 = 8 << 20;

/// What came of an attack beside its own result: a word of the table, and what was seen.
pub(crate) type Breaches = BTreeMap<&'static str, Vec<String>>;

/// What the file system says of a file, and what is in it where that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    mode: u32,
    uid: u32,
    bytes: u64,
    modified: (i64, i64),
    inode: u64,
    sha256: Option<[u8; 32]>,
}

/// All files and directories below a place.
type Tree = BTreeMap<PathBuf, Mark>;

fn hash(path: &Path) -> Option<[u8; 32]> {
    fs::read(path).ok().map(|bytes| Sha256::digest(bytes).into())
}

fn tree(root: &Path, with_content: bool) -> Tree {
    let mut found = Tree::new();
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        if meta.is_dir() {
            left.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|e| e.path()));
        }
        let sha256 = if with_content && meta.is_file() { hash(&path) } else { None };
        // A directory's size and time change with what is made in it and taken away again; its entries are looked at.
        let (bytes, modified) = if meta.is_dir() { (0, (0, 0)) } else { (meta.len(), (meta.mtime(), meta.mtime_nsec())) };
        let mark = Mark { mode: meta.mode(), uid: meta.uid(), bytes, modified, inode: meta.ino(), sha256 };
        found.insert(path, mark);
    }
    found
}

/// The first differences between two looks at a tree.
fn differences(before: &Tree, after: &Tree) -> Vec<String> {
    let gone = before.keys().filter(|p| !after.contains_key(*p)).map(|p| format!("{} is gone", p.display()));
    let new = after.keys().filter(|p| !before.contains_key(*p)).map(|p| format!("{} is new", p.display()));
    let changed =
        before.iter().filter(|(p, m)| after.get(*p).is_some_and(|n| n != *m)).map(|(p, _)| format!("{} was changed", p.display()));
    gone.chain(new).chain(changed).take(6).collect()
}

/// What must stay as it is.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    trees: Vec<(&'static str, PathBuf, Tree)>,
    /// Scores of the trials so far.
    scores: BTreeMap<String, String>,
    settings: String,
}

impl Picture {
    /// Looks at everything.
    pub(crate) fn of(ground: &Ground) -> Self {
        let study = ground.study();
        let at = |breach, path: PathBuf, content| (breach, path.clone(), tree(&path, content));
        let mut trees = vec![
            at("evaluator", study.join("evaluator"), true),
            at("environment", study.join("setup"), true),
            at("study", study.join("study.toml"), true),
            at("home", ground.place.path("home/.ssh"), true),
            at("home", ground.place.path("home/.aws"), true),
            at("home", ground.place.path("home/notes.txt"), true),
            at("repository", ground.place.path("repo"), true),
            at("repository", ground.place.path("elsewhere"), true),
            at("repository", ground.place.path("evil"), true),
            at("executed", ground.place.path("trip"), true),
            at("study", study.join("repo.git/hooks"), true),
        ];
        // A cache that was filled once stays as it is.
        trees.push(at("environment", ground.place.path("home/.cache/trialdeck"), true));
        let trials = fs::read_dir(study.join("trials")).into_iter().flatten().flatten().map(|e| e.path());
        trees.extend(trials.map(|path| at("runs", path, false)));
        let shown = ground.show();
        let scores = shown["trials"].as_array().into_iter().flatten().filter(|t| t["status"] == "done");
        let scores = scores.map(|t| (t["id"].to_string(), format!("{} {} {}", t["score"], t["verdict"], t["runs"]))).collect();
        let mode = |path: PathBuf| fs::metadata(path).map_or(0, |m| m.mode() & 0o7777);
        let modes = format!("{:o} {:o}", mode(study.clone()), mode(study.join("journal.jsonl")));
        let settings = format!("{} {} {} {} {modes}", shown["isolation"], shown["goal"], shown["seed"], shown["budget"]["trials"]);
        Self { trees, scores, settings }
    }

    /// Puts back what an attack changed, so that the next one finds what it needs.
    pub(crate) fn restore(&self, kept: &Path, ground: &Ground) {
        for (what, source) in [("evaluator", ground.study().join("evaluator")), ("repo", ground.place.path("repo"))] {
            let _ = fs::remove_dir_all(&source);
            let status = std::process::Command::new("cp").arg("-a").arg(kept.join(what)).arg(&source).status().unwrap();
            assert!(status.success());
        }
        let study = ground.study();
        let set = |path: PathBuf, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        set(study.clone(), 0o700);
        set(study.join("journal.jsonl"), 0o644);
        let _ = fs::remove_file(study.join("repo.git/hooks/post-checkout"));
    }
}

/// Copies aside what `restore` puts back.
pub(crate) fn keep(kept: &Path, ground: &Ground) {
    fs::create_dir_all(kept).unwrap();
    for (what, source) in [("evaluator", ground.study().join("evaluator")), ("repo", ground.place.path("repo"))] {
        let status = std::process::Command::new("cp").arg("-a").arg(&source).arg(kept.join(what)).status().unwrap();
        assert!(status.success());
    }
}

/// Looks again after an attack by some trials, and says what is not as it was; with the new look.
pub(crate) fn look(before: &Picture, ground: &Ground, trials: &[String]) -> (Breaches, Picture) {
    let mut breaches = Breaches::new();
    let mut add = |breach: &'static str, what: String| breaches.entry(breach).or_default().push(what);
    survivors(ground, trials).into_iter().for_each(|s| add("survivors", s));
    let after = Picture::of(ground);
    for (breach, path, old) in &before.trees {
        let new = after.trees.iter().find(|(_, p, _)| p == path).map(|(_, _, t)| t.clone()).unwrap_or_default();
        differences(old, &new).into_iter().for_each(|d| add(breach, d));
    }
    for (trial, score) in &before.scores {
        if after.scores.get(trial) != Some(score) {
            add("score", format!("{trial} was {score} and is {:?}", after.scores.get(trial)));
        }
    }
    if before.settings != after.settings {
        add("study", format!("settings were {} and are {}", before.settings, after.settings));
    }
    if let Err(why) = chain(&ground.study().join("journal.jsonl")) {
        add("study", why);
    }
    for (way, bytes) in ground.listeners.heard.take() {
        let breach = match way {
            "unix" | "abstract" => "sockets",
            "open unix" => "open sockets",
            _ => "network",
        };
        add(breach, format!("{way} brought {} bytes", bytes.len()));
        for canary in ground.canaries.iter().filter(|c| holds(&bytes, &c.value)) {
            add(canary.breach, format!("{way} brought {}", canary.value));
        }
    }
    if !ground.victim_alive() {
        add("signals", "a process of the user's was ended".into());
    }
    for dir in Ground::common_places().into_iter().map(Path::to_owned).chain([ground.place.path("home"), ground.study()]) {
        for path in [dir.join(&ground.mark), dir.join(format!("{}-pair", ground.mark)), dir.join("td-shared-cache").join(&ground.mark)] {
            if path.exists() {
                let _ = fs::remove_file(&path);
                let _ = path.parent().filter(|p| p.ends_with("td-shared-cache")).map(fs::remove_dir);
                add("shared", format!("{} was left", path.display()));
            }
        }
    }
    let inductor = Path::new("/tmp/torchinductor_x").join(&ground.mark);
    if inductor.exists() {
        let _ = fs::remove_file(&inductor);
        let _ = inductor.parent().map(fs::remove_dir);
        add("shared", format!("{} was left", inductor.display()));
    }
    for (breach, what) in leaks(ground, trials) {
        add(breach, what);
    }
    (breaches, after)
}

/// Each line's `prev` is the hash of the line before.
fn chain(journal: &Path) -> Result<(), String> {
    let mut bytes = fs::read(journal).map_err(|e| e.to_string())?;
    bytes.truncate(bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1));
    let mut last: Option<String> = None;
    for (number, line) in bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty()).enumerate() {
        let fact: serde_json::Value = serde_json::from_slice(line).map_err(|e| format!("line {} of the journal: {e}", number + 1))?;
        let prev = fact["prev"].as_str().unwrap_or_default();
        if last.as_ref().is_some_and(|last| prev != last) {
            return Err(format!("line {} of the journal does not follow the one before", number + 1));
        }
        last = Some(Sha256::digest(line).iter().map(|b| format!("{b:02x}")).collect());
    }
    Ok(())
}

/// Processes that outlive their run: found by what their environment, command line or working directory say.
fn survivors(ground: &Ground, trials: &[String]) -> Vec<String> {
    let end = Instant::now() + LAST_BREATH;
    loop {
        let left = living(ground, trials);
        if left.is_empty() || Instant::now() > end {
            // They end here: the next attack is to find the machine as it was.
            for (pid, _) in &left {
                super::support::kill(*pid);
            }
            return left.into_iter().map(|(pid, line)| format!("process {pid} lives: {line}")).collect();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn living(ground: &Ground, trials: &[String]) -> Vec<(i32, String)> {
    let slots = ground.study().join("work");
    let slots = slots.canonicalize().unwrap_or(slots);
    let all = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    all.filter(|pid| *pid != ground.victim_pid() && super::support::alive(*pid))
        .filter_map(|pid| {
            let file = |what: &str| fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
            let (line, environ) = (file("cmdline"), file("environ"));
            let of_trial = trials.iter().any(|t| contains(&environ, format!("TRIALDECK_TRIAL={t}/").as_bytes()))
                && contains(&environ, ground.mark.as_bytes());
            let marked = contains(&line, ground.mark.as_bytes());
            let within = fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(&slots));
            (of_trial || marked || within).then(|| (pid, String::from_utf8_lossy(&line).replace('\0', " ").chars().take(120).collect()))
        })
        .collect()
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else { return false };
    let mut at = 0;
    while let Some(found) = hay[at..].iter().position(|b| b == first) {
        at += found + 1;
        if hay[at..].starts_with(rest) {
            return true;
        }
    }
    false
}

/// Whether bytes hold a value, plain, backwards or in the usual disguises.
fn holds(bytes: &[u8], value: &str) -> bool {
    let back: String = value.chars().rev().collect();
    let hex: String = value.bytes().map(|b| format!("{b:02x}")).collect();
    let sixes: Vec<String> = (0..3).map(|shift| base64_middle(value.as_bytes(), shift)).collect();
    [value, &back, &hex].into_iter().chain(sixes.iter().map(String::as_str)).any(|form| contains(bytes, form.as_bytes()))
}

/// What base64 makes of the middle of some bytes when `shift` other bytes stand before them.
fn base64_middle(bytes: &[u8], shift: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let whole = &bytes[shift..bytes.len() - (bytes.len() - shift) % 3];
    let digit = |n: u32| char::from(DIGITS[(n & 63) as usize]);
    let triple = |c: &[u8]| u32::from(c[0]) << 16 | u32::from(c[1]) << 8 | u32::from(c[2]);
    whole.chunks(3).flat_map(|c| [18, 12, 6, 0].map(|by| digit(triple(c) >> by))).collect()
}

/// Canaries in anything that the runs of some trials left: logs, artifacts, evaluations, working directories.
fn leaks(ground: &Ground, trials: &[String]) -> BTreeSet<(&'static str, String)> {
    let study = ground.study();
    let mut left: Vec<PathBuf> = trials.iter().map(|t| study.join("trials").join(t)).collect();
    // What other trials left in their slots is theirs.
    let loot = |path: &Path| {
        let text = fs::read(path).unwrap_or_default();
        trials.iter().any(|t| text.starts_with(format!("LOOT of {t}/").as_bytes()))
    };
    let slots = fs::read_dir(study.join("work")).into_iter().flatten().flatten().map(|e| e.path().join("loot.txt"));
    left.extend(slots.filter(|path| loot(path)));
    let mut found = BTreeSet::new();
    while let Some(path) = left.pop() {
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        if meta.is_dir() {
            left.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|e| e.path()));
        } else if meta.is_file() && meta.len() <= SEARCHED {
            let bytes = fs::read(&path).unwrap_or_default();
            for canary in ground.canaries.iter().filter(|c| holds(&bytes, &c.value)) {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                found.insert((canary.breach, format!("{} in {name}", &canary.value[..14])));
            }
        }
    }
    found
}

/// Values of the user's keys in the whole study, when it is over.
pub(crate) fn keys_in_study(ground: &Ground) -> Vec<String> {
    let mut left = vec![ground.study()];
    let mut found = Vec::new();
    while let Some(path) = left.pop() {
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        if meta.is_dir() {
            left.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|e| e.path()));
        } else if meta.is_file() && meta.len() <= SEARCHED {
            let bytes = fs::read(&path).unwrap_or_default();
            let keys = ground.canaries.iter().filter(|c| matches!(c.breach, "keys" | "memory"));
            found.extend(keys.filter(|c| holds(&bytes, &c.value)).map(|c| format!("{} in {}", c.value, path.display())));
        }
    }
    found
}

#[test]
fn a_canary_is_found_in_every_disguise() {
    let value = "canaryenvtdAbC0123456789";
    assert!(holds(b"xx canaryenvtdAbC0123456789 yy", value));
    assert!(holds(b"9876543210CbAdtvneyranac", value));
    assert!(holds(b"2b63616e617279656e7674644162433031323334353637383900", value));
    for before in ["", "k", "ke"] {
        let text = format!("{before}{value}...");
        let coded: String = {
            let mut bytes = text.into_bytes();
            bytes.truncate(bytes.len() - bytes.len() % 3);
            base64_middle(&bytes, 0)
        };
        assert!(holds(coded.as_bytes(), value), "{coded}");
    }
    assert!(!holds(b"canaryenv", value));
}
