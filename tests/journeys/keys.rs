//! Keys in the user's shell: a run that hunts for them gets none, nothing in the study's directory holds one, and what is written down
//! of other people's words has them covered.

use crate::support::{Place, Toy, trial};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Values that nobody else on the machine has: the test itself must not find those of another run of it.
pub(crate) fn canaries() -> [(&'static str, String); 2] {
    let salt = format!("{:x}{:x}", std::process::id(), std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos());
    [("OPENAI_API_KEY", format!("sk-proj-{salt}Canary7")), ("AWS_SECRET_ACCESS_KEY", format!("{salt}/Kx+CanaryAws9"))]
}

/// Looks where keys lie, for variables by their names, and shows what it finds as it is and in two disguises.
pub(crate) const HUNT: &str = r#"
import base64, glob, re

FOUND = set()
NAMES = re.compile(rb"(?:OPENAI_API_KEY|AWS_SECRET_ACCESS_KEY)=([^\0\n]{12,80})")


def hunt(what):
    for value in NAMES.findall(what):
        FOUND.add(value)


def read(path, most=1 << 20):
    try:
        with open(path, "rb") as f:
            return f.read(most)
    except OSError:
        return b""


def memory(pid):
    for line in read(f"/proc/{pid}/maps").splitlines():
        span, mode = line.split()[:2]
        first, last = (int(x, 16) for x in span.split(b"-"))
        if not mode.startswith(b"rw") or last - first > 1 << 26:
            continue
        try:
            with open(f"/proc/{pid}/mem", "rb") as f:
                f.seek(first)
                hunt(f.read(last - first))
        except (OSError, ValueError, OverflowError):
            pass


hunt("\n".join(f"{k}={v}" for k, v in os.environ.items()).encode())
for path in glob.glob("/proc/[0-9]*/environ"):
    hunt(read(path))
pid = os.getppid()
while pid > 1:
    memory(pid)
    fields = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    pid = int(fields[1]) if len(fields) > 1 else 0
for root in {os.path.expanduser("~"), "HOMES", "../..", "../../.."}:
    for at, dirs, files in os.walk(root):
        dirs[:] = dirs[:20]
        for name in files[:50]:
            hunt(read(os.path.join(at, name)))
hunt(read("../../study.toml"))
with open("found.txt", "wb") as out:
    out.write(b"\n".join(FOUND))
for value in FOUND:
    print("found", value.decode(), base64.b64encode(value).decode(), value.hex())
print("hunted", len(FOUND))
"#;

/// Every file below a directory, and what git objects hold.
fn contents(place: &Place, study: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut all, mut pending) = (BTreeMap::new(), vec![study.to_owned()]);
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir).unwrap().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                pending.push(entry.path());
            } else if kind.is_file() {
                all.insert(entry.path(), fs::read(entry.path()).unwrap());
            }
        }
    }
    let store = study.join("repo.git");
    for line in place.git(&store, &["cat-file", "--batch-check", "--batch-all-objects"]).lines() {
        let (id, kind) = line.split_once(' ').unwrap();
        let kind = kind.split(' ').next().unwrap();
        all.insert(store.join(id), place.git(&store, &["cat-file", kind, id]).into_bytes());
    }
    all
}

/// What a value looks like in the clothes that `HUNT` puts on it.
fn disguises(value: &str) -> Vec<String> {
    let hex = value.bytes().map(|b| format!("{b:02x}")).collect();
    let python = "import base64, sys; print(base64.b64encode(sys.argv[1].encode()).decode().rstrip('='))";
    let out = Command::new("python3").args(["-c", python, value]).output().unwrap();
    vec![value.to_owned(), hex, String::from_utf8(out.stdout).unwrap().trim().to_owned()]
}

/// Fails with every place that holds one of the values.
#[track_caller]
pub(crate) fn held_nowhere(place: &Place, study: &Path, keys: &[(&str, String)]) {
    let all = contents(place, study);
    assert!(all.len() > 20, "the search sees the study: {:?}", all.keys());
    let held = |bytes: &[u8], word: &str| bytes.windows(word.len()).any(|w| w == word.as_bytes());
    let mut hits = Vec::new();
    for (name, value) in keys {
        for word in disguises(value) {
            hits.extend(all.iter().filter(|(_, bytes)| held(bytes, &word)).map(|(path, _)| format!("{name} in {}", path.display())));
        }
    }
    assert!(hits.is_empty(), "{hits:#?}");
}

/// A toy that writes nothing outside of its slot, so that it may be contained.
fn toy(place: &Place) -> Toy {
    let toy = Toy::new(place).quick();
    let starts =
        "    with open(os.environ[\"STARTS\"], \"a\") as starts:\n        starts.write(os.environ[\"TRIALDECK_TRIAL\"] + \"\\n\")\n";
    if toy.train.contains(starts) { toy.train(starts, "") } else { toy }
}

fn with_keys(place: &Place, keys: &[(&str, String)], args: &[&str]) -> crate::support::Out {
    let mut command = place.command(args);
    command.envs(keys.iter().map(|(n, v)| (*n, v)));
    place.start(command).end()
}

#[test]
fn a_run_that_hunts_for_keys_finds_none() {
    let (place, keys) = (Place::new(), canaries());
    let hunt = HUNT.replace("HOMES", &place.path("home").to_string_lossy());
    let text: String = keys.iter().map(|(n, v)| format!("export {n}={v}\n")).collect();
    fs::write(place.path("home/.bashrc"), text).unwrap();
    let toy = toy(&place).train("\n\nmain()\n", &format!("\n{hunt}\nmain()\n"));
    toy.write(&place, "toy");
    let mut contained = Vec::new();
    for tier in ["A", "B", "C"] {
        let name = format!("hunted-{tier}");
        let out = with_keys(&place, &keys, &["run", "toy", "--auto", "--trials", "1", "--name", &name, "--isolation", tier]);
        if out.code == 2 {
            println!("tier {tier} is not offered here: {}", out.err.lines().next().unwrap_or_default());
            continue;
        }
        assert!(matches!(out.code, 0 | 3), "{out:#?}");
        let log = with_keys(&place, &keys, &["log", &name, "t0000"]).exits(0);
        assert!(log.out.contains("hunted 0"), "tier {tier}: {}", log.out);
        assert_eq!(trial(&place.show(&name), "t0000")["status"], "done");
        held_nowhere(&place, &place.study(&name), &keys);
        contained.push(tier);
    }
    println!("contained in tiers {contained:?}");
}

/// What people, runs and evaluators write may hold a key all the same.
#[test]
fn keys_in_other_words_are_covered_before_they_are_kept() {
    let (place, keys) = (Place::new(), canaries());
    let [(_, openai), (_, aws)] = &keys;
    let shaped = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    let toy = toy(&place).train(
        "    loss += random.gauss(0, 0.004)\n",
        &format!(
            "    loss += random.gauss(0, 0.004)\n    print('see {}' + '{}')\n    print('https://me:pass{}@host/')\n",
            &shaped[..9],
            &shaped[9..],
            "word77"
        ),
    );
    toy.write(&place, "toy");
    let out = with_keys(&place, &keys, &["run", "toy", "--name", "a", "--detach", "--trials", "1", "--autonomy", "ask"]);
    out.exits(0);
    with_keys(&place, &keys, &["ctl", "a", "steer", &format!("use {openai} and {aws}")]).exits(0);
    place.shown("a", "the baseline", |v| v["trials"][0]["status"] == "done");
    let train = place.path("toy/train.py");
    let (plain, copy) = (fs::read_to_string(&train).unwrap(), place.path("copy"));
    fs::create_dir(&copy).unwrap();
    // An edit that would store a key is refused as it is, with the variable's name and nothing of its value.
    fs::write(copy.join("train.py"), plain.replace("WIDTH = 8", &format!("WIDTH = 9  # {aws}"))).unwrap();
    let refused = with_keys(&place, &keys, &["propose", "a", "--from", "copy", "-m", "wider"]);
    assert_ne!(refused.code, 0);
    let said = refused.says(&["$AWS_SECRET_ACCESS_KEY"]);
    assert!(!said.err.contains(aws.as_str()) && !said.out.contains(aws.as_str()));
    // Without it the edit is taken as it stands, and the hypothesis with its key covered.
    fs::write(copy.join("train.py"), plain.replace("WIDTH = 8", "WIDTH = 9")).unwrap();
    with_keys(&place, &keys, &["propose", "a", "--from", "copy", "-m", &format!("wider, as {openai} says")]).exits(0);
    let shown = place.shown("a", "the proposal", |v| {
        v["trials"]
            .as_array()
            .is_some_and(|t| t.iter().any(|t| t["status"] == "waiting" && t["hypothesis"].as_str().is_some_and(|h| h.contains("wider"))))
    });
    assert!(shown.to_string().contains("wider, as [redacted]**"), "{shown:#}");
    with_keys(&place, &keys, &["stop", "a", "--now"]).exits(0);
    place.shown("a", "the end", |v| v["state"] == "finished");
    let log = place.run(&["log", "a", "t0000"]).exits(0);
    assert!(log.out.contains("see [redacted]") && log.out.contains("https://me:[redacted]@host/"), "{}", log.out);
    held_nowhere(&place, &place.study("a"), &keys);
    let kept = fs::read_to_string(place.study("a").join("trials/t0000/run-1/stdout.log")).unwrap();
    assert!(!kept.contains(shaped), "{kept}");
}
