//! Histories of other programs: imported, looked at, taken out again, and gone on with where their code came along.

use crate::support::{Place, trial};
use serde_json::{Value, json};
use std::{fs, path::Path};

const RECIPES: &str = "exp_id\ttimestamp\tspecialist\tparent_exp\tbaseline_exp\tdomain\thypothesis\texpected_delta\tstatus\tval_bpb\tdelta_vs_best\tartifact_bytes\ttrain_s\teval_s\ttotal_s\tjob_name\tsnapshot_path\tnotes
000\t2026-01-01T00:00:00Z\tbaseline\t\t\tbaseline\tthe start\t0\tbaseline\t1.0900\t\t\t\t\t\t\t\tseed
001\t2026-01-01T01:00:00Z\tarch\t000\t000\tarch\tgate → 16\t-0.003\tkeep\t1.0850\t-0.005\t15990000\t600\t590\t1400\tj1\ts1\tit should help
002\t2026-01-01T02:00:00Z\tquant\texp_001\t001\tquant\ttoo big\t+0.005\tsize_blocked\t1.0700\t\t21797963\t600\t590\t1400\tj2\t\t
003\t2026-01-01T03:00:00Z\treg\t001\t001\treg\tcut here
004\t2026-01-01T04:00:00Z\topt\t003\t001\topt\tno gain\t-0.01\tdiscard\t1.0860\t+0.001\t15990001\t600\t590\t1400\tj4\t\t
005\t2026-01-01T05:00:00Z\topt\t001\t001\topt\tbetter\t-0.01\tkeep\t1.0840\t-0.001\t15990002\t600\t590\t1400\tj5\t\t
";

#[test]
fn a_table_without_code_is_a_study_to_look_at() {
    let place = Place::new();
    fs::write(place.path("golf.results.tsv"), RECIPES).unwrap();
    let out = place.run(&["import", "golf.results.tsv", "--from", "recipes"]).exits(0);
    let out =
        out.says(&["golf: a baseline and 5 trials imported (2 kept, 1 reverted, 1 failed, 1 unreadable)", "best t0005 val_bpb 1.084"]);
    assert!(out.err.is_empty(), "{out:#?}");
    let shown = place.show("golf");
    assert_eq!(
        shown["imported"],
        json!({"format": "recipes", "file": "golf.results.tsv", "rows": 6, "unreadable": 1, "fixed": "the table holds no code"})
    );
    assert_eq!(
        (&shown["task"], &shown["metric"], &shown["goal"], &shown["state"]),
        (&json!("parameter-golf"), &json!("val_bpb"), &json!("minimize"), &json!("finished"))
    );
    assert_eq!(
        (&shown["score_source"], &shown["best"]["trial"], &shown["best"]["verified"]),
        (&json!("self"), &json!("t0005"), &json!(false))
    );
    assert_eq!((&shown["baseline"]["score"], &shown["budget"]["trials_used"], &shown["reason"]), (&json!(1.09), &json!(5), &Value::Null));
    for t in shown["trials"].as_array().unwrap() {
        for field in ["commit", "tree", "diff", "proposal"] {
            assert!(t[field].is_null() && t.get(field).is_some(), "{t:#}");
        }
    }
    let blocked = trial(&shown, "t0002");
    assert_eq!(
        (&blocked["score"], &blocked["self_reported"], &blocked["failure"]["label"]),
        (&Value::Null, &json!(1.07), &json!("gate_failed"))
    );
    assert_eq!(blocked["gates"], json!([{"key": "artifact_bytes", "value": 21_797_963.0, "ok": false}]));
    assert_eq!(blocked["runs"][0]["seed"], Value::Null, "its seed is not known");
    let cut = trial(&shown, "t0003");
    assert_eq!((&cut["status"], &cut["verdict"], &cut["failure"]), (&json!("unreadable"), &Value::Null, &Value::Null));
    assert_eq!(
        (&trial(&shown, "t0004")["parents"], &trial(&shown, "t0001")["times"]["finished"]),
        (&json!(["t0003"]), &json!("2026-01-01T01:00:00.000Z"))
    );
    // A full citizen of everything that only looks.
    place.run(&["show", "golf"]).exits(0).says(&[
        "imported from golf.results.tsv (recipes), to look at and not to go on with",
        "1 unreadable",
        "gate → 16",
    ]);
    place.run(&["show", "golf", "t0001"]).exits(0).says(&["001 of golf.results.tsv (line 3): keep", "it should help"]);
    place.run(&["tree", "golf"]).exits(0).says(&["unreadable", "★ best, provisional"]);
    place.run(&["ls"]).exits(0).says(&["golf", "imported", "1.084"]);
    // And clear words for what it cannot do; nothing is started by any of them.
    let fixed = "golf was imported from golf.results.tsv (recipes) and cannot go on: the table holds no code";
    for (args, code, words) in [
        (&["diff", "golf", "t0005"][..], 1, "was imported without its code: there is nothing to compare"),
        (&["log", "golf", "t0005"], 1, "it ran elsewhere, so there is no log of it here"),
        (&["log", "golf", "t0003"], 2, "unreadable"),
        (&["replay", "golf", "best"], 2, "its seed and its machine are not known"),
        (&["resume", "golf", "--detach"], 2, fixed),
        (&["ctl", "golf", "pause"], 2, fixed),
        (&["propose", "golf", "--from", ".", "-m", "x"], 2, fixed),
        (&["export", "golf", "best"], 2, "it was imported without its code"),
        (&["stop", "golf"], 0, "golf is finished already"),
        (&["import", "golf.results.tsv", "--from", "recipes", "--name", "golf"], 2, "there is a study golf"),
    ] {
        place.run(args).exits(code).says(&[words]);
    }
    assert!(place.engine("golf").is_none());
    assert!(place.run(&["attach", "golf"]).exits(0).out.lines().count() > 3);
    let again = place.run(&["import", "golf.results.tsv", "--from", "recipes", "--json"]).exits(0).json();
    assert_eq!((&again["study"], &again["rows"], &again["resumable"]), (&json!("golf-2"), &json!(6), &json!(false)));
}

#[test]
fn what_cannot_be_imported_leaves_nothing_behind() {
    let place = Place::new();
    fs::write(place.path("a.tsv"), "a\tb\n1\t2\n").unwrap();
    fs::write(place.path("b.tsv"), "exp_id\thypothesis\tstatus\tspeed\n0\tx\tbaseline\t3\n").unwrap();
    for (args, words) in [
        (&["import", "a.tsv", "--from", "recipes"][..], "a.tsv: it is not a recipes table"),
        (&["import", "a.tsv", "--from", "aide"], "it is not a journal.json of AIDE"),
        (&["import", "gone.tsv", "--from", "recipes"], "cannot read"),
        (&["import", "b.tsv", "--from", "recipes"], "name it with --metric, one of: speed"),
        (&["import", "b.tsv", "--from", "recipes", "--metric", "speed"], "add --goal minimize or --goal maximize"),
        (&["import", "b.tsv", "--from", "recipes", "--branch", "x"], "--branch and --repo go with --from autoresearch"),
        (&["import", "b.tsv"], "--from"),
    ] {
        place.run(args).exits(2).says(&[words]);
    }
    assert!(fs::read_dir(place.path("state/trialdeck/studies")).map(|mut d| d.next().is_none()).unwrap_or(true));
    place.run(&["import", "b.tsv", "--from", "recipes", "--metric", "speed", "--goal", "maximize", "--name", "b"]).exits(0);
}

const AUTORESEARCH: &str = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n";

/// A repository in which karpathy's loop has worked, and its table.
fn autoresearch(place: &Place, dir: &Path) -> String {
    fs::create_dir_all(dir).unwrap();
    place.git(dir, &["init", "-q"]);
    place.git(dir, &["checkout", "-q", "-b", "autoresearch/jan1"]);
    let mut table = AUTORESEARCH.to_owned();
    let mut row = |lr: &str, score: &str, memory: &str, status: &str, text: &str| {
        let train = format!(
            "import os\nLR = {lr}\nloss = (LR - 0.3) ** 2 + int.from_bytes(os.urandom(2), 'big') / 65536 * 0.0001\nprint(f'val_bpb: {{1.0 + loss:.6f}}')\n"
        );
        fs::write(dir.join("train.py"), train).unwrap();
        place.git(dir, &["add", "train.py"]);
        place.git(dir, &["commit", "-qm", text]);
        let commit = place.git(dir, &["rev-parse", "--short=7", "HEAD"]);
        if status != "keep" {
            place.git(dir, &["reset", "-q", "--hard", "HEAD~1"]);
        }
        table.push_str(&format!("{}\t{score}\t{memory}\t{status}\t{text}\n", commit.trim()));
    };
    row("0.05", "1.062500", "0.5", "keep", "baseline");
    row("0.15", "1.022500", "0.5", "keep", "raise LR");
    row("0.9", "1.360000", "0.5", "discard", "raise it much more");
    row("'x'", "0.000000", "0.0", "crash", "a typo");
    table.push_str("abcdef0\t1.030000\t0.5\tdiscard\tgone since\n");
    fs::write(dir.join("results.tsv"), &table).unwrap();
    table
}

#[test]
fn a_table_of_autoresearch_comes_back_as_it_was() {
    let place = Place::new();
    let dir = place.path("loop");
    let table = autoresearch(&place, &dir);
    place
        .run(&["import", "loop/results.tsv", "--from", "autoresearch"])
        .exits(0)
        .says(&["loop: a baseline and 4 trials", "the table holds no code"]);
    assert_eq!(place.run(&["export", "loop", "--tsv"]).exits(0).out, table);
    let shown = place.show("loop");
    let crash = trial(&shown, "t0003");
    assert_eq!((&crash["score"], &crash["self_reported"], &crash["failure"]["label"]), (&Value::Null, &Value::Null, &json!("crashed")));
    assert_eq!((&crash["parents"], &crash["tree"]), (&json!(["t0001"]), &Value::Null));
    fs::write(place.path("again.tsv"), place.run(&["export", "loop", "--tsv"]).exits(0).out).unwrap();
    place.run(&["import", "again.tsv", "--from", "autoresearch"]).exits(0);
    assert_eq!(place.run(&["export", "again", "--tsv"]).exits(0).out, table);
    let missing = place.run(&["import", "loop/results.tsv", "--from", "autoresearch", "--branch", "autoresearch/jan2"]).exits(2);
    missing.says(&["there is no branch autoresearch/jan2", "did you mean `autoresearch/jan1`?"]);
}

#[test]
fn a_branch_brings_its_code_and_the_search_goes_on() {
    let place = Place::new();
    let dir = place.path("loop");
    autoresearch(&place, &dir);
    let refs = place.git(&dir, &["for-each-ref"]);
    let out = place.run(&["import", "loop/results.tsv", "--from", "autoresearch", "--branch", "autoresearch/jan1", "--name", "a"]).exits(0);
    out.says(&["`python train.py` for at most 10 minutes", "the code of 4 of 5 rows is in the study", "trialdeck resume a --trials +20"]);
    assert_eq!(place.git(&dir, &["for-each-ref"]), refs);
    let shown = place.show("a");
    assert_eq!(shown["imported"]["fixed"], Value::Null);
    let best = trial(&shown, "t0001");
    assert!(best["commit"].as_str().unwrap().starts_with(best["imported"]["name"].as_str().unwrap()));
    assert_eq!(best["diff"], json!({"files": 1, "added": 1, "removed": 1}));
    assert_eq!(trial(&shown, "t0004")["tree"], Value::Null);
    place.run(&["diff", "a", "t0002"]).exits(0).says(&["-LR = 0.15", "+LR = 0.9"]);
    place.run(&["diff", "a", "t0004"]).exits(1).says(&["was imported without its code"]);
    // `python` is not there everywhere; the repository's own task says what is.
    fs::write(
        dir.join("task.toml"),
        "[task]\nname = \"lr\"\nmetric = \"val_bpb\"\ngoal = \"minimize\"\n[repository]\neditable = [\"train.py\"]\n[run]\ncommand = \"python3 train.py\"\n[budget]\nwall = \"1m\"\ngpus = 0\n[evaluator]\nfrom = \"stdout:val_bpb\"\n",
    )
    .unwrap();
    place.run(&["import", "loop/results.tsv", "--from", "autoresearch", "--repo", "loop", "--name", "b"]).exits(0);
    assert_eq!(place.show("b")["task"], "lr");
    let out = place.run(&["resume", "b", "--trials", "+3", "--auto"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    let out = out.says(&["the imported numbers come from another machine"]);
    let shown = place.show("b");
    assert_eq!(
        (&shown["state"], &shown["reason"], &shown["budget"]["trials_used"]),
        (&json!("finished"), &json!("trials"), &json!(7)),
        "{out:#?}"
    );
    assert_eq!(shown["baseline"]["noise"], "measured");
    let best = trial(&shown, "t0001");
    let kinds: Vec<&str> = best["runs"].as_array().unwrap().iter().map(|r| r["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["screen", "certify", "certify"], "the imported one, then what was measured here");
    // What was measured here replaces the table's number.
    let mean = best["runs"].as_array().unwrap().iter().skip(1).map(|r| r["score"].as_f64().unwrap()).sum::<f64>() / 2.0;
    assert!((best["score"].as_f64().unwrap() - mean).abs() < 1e-9, "{best:#}");
    let new = trial(&shown, "t0005");
    assert_eq!((&new["parents"], &new["proposer"]), (&json!(["t0001"]), &json!("knobs/tpe")));
    assert!(new["verdict"].is_string(), "{new:#}");
}

#[test]
fn a_journal_of_aide_has_diffs() {
    let place = Place::new();
    let node = |id: &str, code: &str, value: Value, buggy: bool| json!({"id": id, "code": code, "plan": format!("plan {id}"), "metric": {"value": value, "maximize": true}, "is_buggy": buggy, "exec_time": 1.0, "exc_type": null, "analysis": "seen"});
    let nodes = [
        node("aa", "import x\n", Value::Null, true),
        node("bb", "import y\nfit()\n", json!(0.8), false),
        node("cc", "import y\nfit(2)\n", json!(0.9), false),
        node("dd", "other()\n", json!(0.7), false),
    ];
    let journal = json!({"nodes": nodes, "node2parent": {"bb": "aa", "cc": "bb"}, "__version": "2"});
    fs::create_dir(place.path("0-whale")).unwrap();
    fs::write(place.path("0-whale/journal.json"), journal.to_string().replace("null", "NaN")).unwrap();
    place
        .run(&["import", "0-whale/journal.json", "--from", "aide", "--metric", "auc"])
        .exits(0)
        .says(&["0-whale: a baseline and 3 trials", "best t0002 auc 0.9"]);
    let shown = place.show("0-whale");
    assert_eq!((&trial(&shown, "t0000")["failure"]["label"], &trial(&shown, "t0001")["operator"]), (&json!("crashed"), &json!("debug")));
    assert_eq!(
        (&shown["best"]["trial"], &shown["imported"]["fixed"]),
        (&json!("t0002"), &json!("nothing says how its code is run and scored"))
    );
    place.run(&["diff", "0-whale", "t0002"]).exits(0).says(&["-fit()", "+fit(2)"]);
    place.run(&["diff", "0-whale", "t0003"]).exits(0).says(&["+++ b/solution.py", "+other()"]);
    place.run(&["export", "0-whale", "t0002", "--dir", "out"]).exits(0);
    assert_eq!(fs::read_to_string(place.path("out/solution.py")).unwrap(), "import y\nfit(2)\n");
    assert_eq!(place.run(&["export", "0-whale", "--tsv"]).exits(0).out.lines().filter(|l| l.contains("\tcrash\t")).count(), 1);
}

/// The released tables themselves, where `TRIALDECK_RECIPES` names their directory.
#[test]
fn the_released_tables_open() {
    let Some(dir) = std::env::var_os("TRIALDECK_RECIPES") else {
        eprintln!("skipped: TRIALDECK_RECIPES does not name the directory of the released tables");
        return;
    };
    let place = Place::new();
    for (file, rows, unreadable, keeps, best) in [
        ("pg_main", 901, 46, 34, 1.07221),
        ("pg_variant_single_agent", 201, 2, 14, 1.075384),
        ("nanochat_d12", 201, 0, 5, 0.2244),
        ("cifar", 98, 0, 4, 25.1464),
    ] {
        let path = Path::new(&dir).join(format!("{file}.results.tsv"));
        place.run(&["import", &path.to_string_lossy(), "--from", "recipes"]).exits(0);
        let shown = place.show(file);
        let trials = shown["trials"].as_array().unwrap();
        let count = |field: &str, word: &str| trials.iter().filter(|t| t[field] == word).count();
        assert_eq!((trials.len(), count("status", "unreadable"), count("verdict", "keep")), (rows, unreadable, keeps), "{file}");
        assert_eq!(shown["best"]["score"], best, "{file}");
        assert!(trials.iter().all(|t| t["failure"].is_null() || t["score"].is_null()), "{file}");
        assert!(place.journal(file).iter().all(|fact| fact.to_string().len() <= 4096), "{file}");
        place.run(&["export", file, "--tsv"]).exits(0);
    }
}
