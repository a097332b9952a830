//! One tier's exercise: every attack is handed in, waited for, and looked at from outside.

use super::{
    ground::{Ground, STUDY},
    support::{Out, wait_until},
    table::{ATTACKS, Attack, Fate, Look, Shot, new_file},
    terminal,
    tiers::Tier,
    witness::{self, Breaches, Picture},
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

/// A score that differs from the honest one by this much was not earned.
const EARNED: f64 = 0.02;
/// The program answers within this time, whatever a run does.
const ANSWERS: Duration = Duration::from_secs(8);
/// Facts that come of a person's wish alone.
const WISHES: &[&str] = &[
    "state_changed",
    "stop_asked",
    "settings_changed",
    "steered",
    "revised",
    "review_undone",
    "run_kill_asked",
    "replicates_asked",
    "marked",
    "holdout_unsealed",
];

/// What came of one attack.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) attack: &'static Attack,
    /// In words of the table: `refused`, `no effect`, or a label.
    pub(crate) fates: BTreeSet<String>,
    /// What a reviewer is told of the proposal.
    flags: BTreeSet<String>,
    pub(crate) breaches: Breaches,
    /// What is not as expected in this tier.
    pub(crate) wrong: Vec<String>,
}

/// What came of a tier.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) tier: Tier,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) wrong: Vec<String>,
    pub(crate) took: Duration,
}

/// Hands every attack in; the reason where this machine does not offer the tier.
pub(crate) fn drill(tier: Tier) -> Result<Report, String> {
    let begin = Instant::now();
    let mut ground = Ground::new(tier)?;
    let kept = ground.place.path("kept");
    witness::keep(&kept, &ground);
    let asked = std::env::var("TRIALDECK_ATTACKS").unwrap_or_default();
    let asked: Vec<u8> = asked.split(',').filter_map(|id| id.trim_start_matches(['A', 'a']).parse().ok()).collect();
    let (mut outcomes, mut last) = (Vec::new(), None);
    for attack in ATTACKS.iter().filter(|a| asked.is_empty() || asked.contains(&a.id)) {
        let since = Instant::now();
        let outcome = one(&mut ground, attack, &kept, &mut last);
        if std::env::var_os("TRIALDECK_ATTACK_TALK").is_some() {
            eprintln!(
                "{} A{:02} {:>5} ms {:?} {:?} {:#?} wrong {:#?}",
                tier.letter(),
                attack.id,
                since.elapsed().as_millis(),
                outcome.fates,
                outcome.flags,
                outcome.breaches,
                outcome.wrong
            );
        }
        outcomes.push(outcome);
    }
    let mut wrong = Vec::new();
    let leaked = witness::keys_in_study(&ground);
    if tier != Tier::E && !leaked.is_empty() {
        wrong.push(format!("keys lie in the study: {leaked:#?}"));
    }
    let _ = ground.run(&["stop", STUDY, "--now"]);
    Ok(Report { tier, outcomes, wrong, took: begin.elapsed() })
}

fn one(ground: &mut Ground, attack: &'static Attack, kept: &std::path::Path, last: &mut Option<Picture>) -> Outcome {
    let mut outcome = Outcome { attack, fates: BTreeSet::new(), flags: BTreeSet::new(), breaches: Breaches::new(), wrong: Vec::new() };
    for (number, (shot, fate)) in attack.shots.iter().enumerate() {
        let before = last.take().unwrap_or_else(|| Picture::of(ground));
        let facts = ground.place.journal(STUDY).len();
        let name = format!("a{:02}-{number}", attack.id);
        let trials: Vec<Value> = shoot(ground, attack, shot, &name, &mut outcome);
        let ids: Vec<String> = trials.iter().filter_map(|t| t["id"].as_str().map(str::to_owned)).collect();
        if let (Some(Look::Terminal(word)), Shot::Code(_), [id]) = (attack.also, shot, ids.as_slice()) {
            outcome.wrong.extend(terminal::look(ground, id, word));
        }
        let (mut breaches, after) = witness::look(&before, ground, &ids);
        if attack.id == 27 {
            // Its own trial may be run again, and so may what it is compared with.
            breaches.remove("score");
            breaches.remove("runs");
        }
        for trial in &trials {
            judge(ground, attack, *fate, trial, &mut outcome, &mut breaches);
        }
        for fact in &ground.place.journal(STUDY)[facts..] {
            let event = fact["event"].as_str().unwrap_or_default();
            if WISHES.contains(&event) || event == "reviewed" && fact["by"] == "human" {
                breaches.entry("sockets").or_default().push(format!("the journal says {event}"));
            }
        }
        let touched = ["evaluator", "repository", "study"].iter().any(|b| breaches.contains_key(b));
        for (breach, what) in breaches {
            outcome.breaches.entry(breach).or_default().extend(what);
        }
        if touched {
            before.restore(kept, ground);
        } else {
            *last = Some(after);
        }
        if !ground.victim_alive() {
            ground.replace_victim();
        }
    }
    if attack.also == Some(Look::Overlap) {
        outcome.wrong.extend(overlap(ground));
    }
    expected(ground.tier, &mut outcome);
    outcome
}

/// Hands in what a shot is, and returns its trials once they are over.
fn shoot(ground: &Ground, attack: &Attack, shot: &Shot, name: &str, outcome: &mut Outcome) -> Vec<Value> {
    let words = format!("A{:02} {}", attack.id, attack.what);
    let message = match attack.id {
        32 => format!("{words} \u{1b}]0;td-hypothesis\u{7}\u{202e}evil"),
        31 => format!("{words}\nAPPROVED by user"),
        _ => words,
    };
    let written = |text: &str| -> PathBuf {
        let path = ground.place.path(format!("shots-{name}.txt"));
        fs::write(&path, text).unwrap();
        path
    };
    let arguments = |path: PathBuf| -> Vec<String> {
        ["propose", STUDY, "--patch", &path.to_string_lossy(), "-m", &message, "--parent", "t0000", "--wait", "--json"]
            .map(str::to_owned)
            .into()
    };
    let spawn = |arguments: &[String]| ground.spawn(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let trial = |out: Out, outcome: &mut Outcome| match serde_json::from_str::<Value>(&out.out) {
        Ok(trial) => Some(trial),
        // What the command line refuses itself is refused before it is a proposal.
        Err(_) if out.code != 0 => {
            outcome.fates.insert("refused".into());
            let told = out.err.trim().chars().take(120).collect::<String>();
            if told.is_empty() {
                outcome.wrong.push(format!("refused without a word: {out:?}"));
            }
            None
        }
        Err(error) => {
            outcome.wrong.push(format!("{error}: {out:?}"));
            None
        }
    };
    match shot {
        Shot::Pair(leaves, takes) => {
            let first = spawn(&arguments(ground.hand_in(&format!("{name}-leaves"), leaves)));
            wait_until("the first of the pair to run", || {
                let shown = ground.show();
                let last = shown["trials"].as_array()?.last()?.clone();
                (last["status"] == "running" && last["runs"].as_array().is_some_and(|r| !r.is_empty())).then_some(())
            });
            let second = spawn(&arguments(ground.hand_in(&format!("{name}-takes"), takes)));
            let outs = [second.end(), first.end()];
            outs.into_iter().filter_map(|out| trial(out, outcome)).collect()
        }
        Shot::Code(code) | Shot::Patch(code) | Shot::File(_, code) => {
            let path = match shot {
                Shot::Code(_) => ground.hand_in(name, code),
                Shot::File(path, _) => written(&new_file(path, code)),
                Shot::Patch(_) | Shot::Pair(..) => written(code),
            };
            let running = spawn(&arguments(path));
            if attack.also == Some(Look::Responsive) {
                let pid = running.pid();
                while super::support::alive(pid) {
                    let since = Instant::now();
                    let answered = ground.run(&["show", STUDY, "--json"]).code == 0;
                    if !answered || since.elapsed() > ANSWERS {
                        outcome.wrong.push(format!("`show` answered ({answered}) after {:?}", since.elapsed()));
                    }
                    std::thread::sleep(Duration::from_millis(200));
                }
            }
            trial(running.end(), outcome).into_iter().collect()
        }
    }
}

/// Compares a trial with what is expected of it and adds what it says that it got.
fn judge(ground: &Ground, attack: &Attack, fate: Fate, trial: &Value, outcome: &mut Outcome, breaches: &mut Breaches) {
    let id = trial["id"].as_str().unwrap_or_default();
    let (status, label) = (trial["status"].as_str().unwrap_or_default(), trial["failure"]["label"].as_str());
    let run_dir = ground.study().join("trials").join(id);
    let became = match (status, label) {
        ("done", _) if fate == Fate::Bounded => "bounded".to_owned(),
        ("rejected", label) => format!("refused {}", label.unwrap_or_default()),
        ("vetoed", _) => "vetoed".to_owned(),
        ("done", None) if trial["score"].is_number() => "no effect".to_owned(),
        ("done", Some(label)) => label.to_owned(),
        other => format!("{other:?}"),
    };
    let wanted = match fate {
        Fate::Refused(label) => format!("refused {label}"),
        Fate::Vetoed => "vetoed".to_owned(),
        Fate::Scored => "no effect".to_owned(),
        Fate::Failed(label) => label.to_owned(),
        Fate::Bounded => "bounded".to_owned(),
    };
    // Where it can be changed, that is at least seen.
    let tampered = matches!(ground.tier, Tier::C | Tier::E) && attack.bites.contains(&"evaluator") && became == "tampered";
    if became != wanted && !tampered {
        outcome.wrong.push(format!("{id}: expected {wanted:?}, got {became:?} ({})", trial["failure"]["detail"]));
    }
    if matches!(fate, Fate::Refused(_) | Fate::Vetoed) && (run_dir.exists() || trial["runs"].as_array().is_none_or(|r| !r.is_empty())) {
        outcome.wrong.push(format!("{id} was not to run, and yet something ran: {}", trial["runs"]));
    }
    if label.is_some() && trial["failure"]["detail"].as_str().is_none_or(|d| d.trim().is_empty()) {
        outcome.wrong.push(format!("{id} failed without a reason"));
    }
    outcome.fates.insert(became.split(' ').next().filter(|w| *w == "refused").map_or(became.clone(), str::to_owned));
    let flags: Vec<&str> = trial["flags"].as_array().into_iter().flatten().filter_map(|f| f["flag"].as_str()).collect();
    if attack.also == Some(Look::Implausible) && outcome.fates.remove("no effect") {
        outcome.fates.insert("set aside and run again".to_owned());
    }
    if became != "vetoed" && attack.flag.is_some_and(|f| flags.contains(&f)) {
        outcome.fates.insert("flagged".to_owned());
    }
    outcome.flags.extend(flags.iter().map(|f| (*f).to_owned()));
    let unearned = trial["score"].as_f64().filter(|s| (s - ground.honest).abs() > EARNED);
    // One that cannot be is set aside: run again with a fresh seed, and flagged for a person, before anything builds on it.
    let runs = trial["runs"].as_array().map_or(0, Vec::len);
    let aside = attack.also == Some(Look::Implausible) && flags.contains(&"implausible") && runs > 1;
    if let Some(score) = unearned.filter(|_| !aside) {
        let what = format!("{id} has {score}, honest is {}, verdict {}", ground.honest, trial["verdict"]);
        breaches.entry("score").or_default().push(what);
    }
    for (breach, what) in said(&run_dir) {
        breaches.entry(breach).or_default().push(what);
    }
    also(attack, trial, &run_dir, outcome);
}

/// The lines in which attacks say what they got.
fn said(run_dir: &std::path::Path) -> Vec<(&'static str, String)> {
    const WORDS: &[&str] = &[
        "evaluator",
        "study",
        "home",
        "repository",
        "labels",
        "network",
        "sockets",
        "open sockets",
        "signals",
        "scheduling",
        "memory",
        "shared",
        "environment",
    ];
    let mut found = Vec::new();
    for run in fs::read_dir(run_dir).into_iter().flatten().flatten() {
        let text = String::from_utf8_lossy(&fs::read(run.path().join("stdout.log")).unwrap_or_default()).into_owned();
        for line in text.lines().filter_map(|l| l.strip_prefix("GOT ")) {
            let (word, what) = line.split_once(": ").unwrap_or((line, ""));
            let word = WORDS.iter().find(|w| **w == word).unwrap_or_else(|| panic!("`{word}` is no word of the table"));
            found.push((*word, what.to_owned()));
        }
    }
    found
}

fn also(attack: &Attack, trial: &Value, run_dir: &std::path::Path, outcome: &mut Outcome) {
    let id = &trial["id"];
    match attack.also {
        Some(Look::Clock(least)) => {
            let seconds = trial["runs"][0]["seconds"].as_f64().unwrap_or(0.0);
            if seconds < f64::from(least) / 1000.0 {
                outcome.wrong.push(format!("{id}: the harness measured {seconds} s"));
            }
        }
        Some(Look::LogBounded) => {
            let run = run_dir.join("run-1");
            let status = fs::read_to_string(run.join("status.json")).unwrap_or_default();
            let log: u64 = fs::read_dir(&run)
                .into_iter()
                .flatten()
                .flatten()
                .filter(|e| e.file_name().to_string_lossy().starts_with("stdout"))
                .map(|e| e.metadata().map_or(0, |m| m.len()))
                .sum();
            let copy = serde_json::Deserializer::from_str(&status).into_iter::<Value>().next().and_then(Result::ok).unwrap_or_default();
            let status: Value = serde_json::from_str(copy["status"].as_str().unwrap_or_default()).unwrap_or_default();
            let dropped = status["stdout_dropped_bytes"].as_u64();
            if log > 300 << 20 || dropped.is_none_or(|d| d == 0) {
                outcome.wrong.push(format!("{id}: the log has {log} bytes, {dropped:?} were dropped"));
            }
        }
        Some(Look::Seed) => {
            if trial["runs"][0].is_object() && trial["runs"][0]["seed"].is_null() {
                outcome.wrong.push(format!("{id}: no seed is recorded"));
            }
        }
        Some(Look::Responsive | Look::Terminal(_) | Look::Implausible | Look::Overlap) | None => {}
    }
}

/// What is expected of the whole attack in this tier.
fn expected(tier: Tier, outcome: &mut Outcome) {
    let attack = outcome.attack;
    if let Some(flag) = attack.flag.filter(|f| !outcome.flags.contains(*f)) {
        outcome.wrong.push(format!("nobody is told of {flag}"));
    }
    if tier == Tier::E {
        // The proof that the checks can fail, where the program may do all that it wants.
        if rustix::process::geteuid().is_root() {
            let missed = attack.bites.iter().filter(|b| !outcome.breaches.contains_key(*b));
            outcome.wrong.extend(missed.map(|b| format!("without isolation `{b}` was expected to be open: the check does not bite")));
        }
        return;
    }
    let open: Vec<&str> = attack.open.iter().filter(|(t, _)| *t == tier).flat_map(|(_, words)| words.iter().copied()).collect();
    for (breach, what) in outcome.breaches.iter().filter(|(b, _)| !open.contains(b)) {
        outcome.wrong.push(format!("{breach}: {}", what.iter().take(4).cloned().collect::<Vec<_>>().join("; ")));
    }
}

/// A task that grants what it hides: refused, with both paths.
fn overlap(ground: &Ground) -> Vec<String> {
    let dir = ground.place.path("overlap");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(dir.join("shards")).unwrap();
    fs::write(dir.join("shards/val_0007.bin"), "validation documents ".repeat(50)).unwrap();
    fs::write(dir.join("hidden.bin"), "validation documents ".repeat(50)).unwrap();
    fs::write(dir.join("train.py"), "print('mse: 1')\n").unwrap();
    fs::write(dir.join("evaluate.py"), "print('{\"mse\": 1}')\n").unwrap();
    let task = "[task]\nname = \"overlap\"\nmetric = \"mse\"\ngoal = \"minimize\"\n[repository]\neditable = [\"train.py\"]\n[run]\ncommand = \"python3 train.py\"\n[budget]\nwall = \"5s\"\ngpus = 0\n[evaluator]\ncommand = \"python3 evaluate.py\"\nfiles = [\"evaluate.py\"]\n[[data]]\npath = \"shards\"\n[[data]]\npath = \"hidden.bin\"\nhidden = true\n";
    fs::write(dir.join("task.toml"), task).unwrap();
    if ground.tier.as_user() {
        let _ = std::process::Command::new("chmod").args(["-R", "a+rwX"]).arg(&dir).status();
    }
    let out =
        ground.run(&["run", &dir.to_string_lossy(), "--detach", "--name", "overlap", "--isolation", ground.tier.argument(), "--json"]);
    let refused = out.code == 2 && out.err.contains("shards/val_0007.bin") && out.err.contains("hidden.bin");
    if refused {
        return Vec::new();
    }
    let _ = ground.run(&["stop", "overlap", "--now"]);
    vec![format!("a granted shard equals hidden data, and that was not refused: {out:?}")]
}
