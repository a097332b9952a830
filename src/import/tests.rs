//! Tables of odd rows for every reader, and random text.

use super::*;
use crate::model::Label;
use proptest::prelude::*;

const HEAD: &str = "exp_id\ttimestamp\tspecialist\tparent_exp\tbaseline_exp\tdomain\thypothesis\texpected_delta\tstatus\tval_bpb\tdelta_vs_best\tartifact_bytes\ttrain_s\teval_s\ttotal_s\tjob_name\tsnapshot_path\tnotes";

/// Twelve rows that hold every oddity of the released tables.
fn golf() -> String {
    let rows = [
        "000\t2026-01-01T00:00:00Z\tbaseline\t\t\tbaseline\tthe start\t0\tbaseline\t1.0900\t\t\t\t\t\t\t\tseed",
        "001\t2026-01-01T01:00:00Z\tarch\t000\t000\tarch\tgate → 16\t-0.003\tkeep\t1.0850\t-0.005\t15990000\t600\t590\t1400\tj1\ts1\twhy not",
        "002\t2026-01-01T02:00:00Z\tquant\texp_001\t001\tquant\t\"a \"\"quoted\"\" word\"\t+0.005\tdiscard\t1.0870\t+0.002\t15990001\t600\t590\t1400\tj2\t\t",
        "003\t2026-01-01T03:00:00Z\tquant\t1\t001\tquant\ttoo big\t-0.01\tsize_blocked\t1.0700\t\t21797963\t600\t590\t1400\tj3\t\t",
        "004\t2026-01-01T04:00:00Z\topt\texp_1\t001\topt\tslow eval\t-0.01\teval_budget_overrun\t1.0801\t\t15990002\t600\t1603\t2000\tj4\t\t",
        "005\t2026-01-01T05:00:00Z\topt\t002\t001\topt\tslow train\t\ttrain_budget_overrun\t\t\t\t999\t\t999\tj5\t\t",
        "006\t2026-01-01T06:00:00Z\treg\t001\t001\treg\tcut here",
        "007\t2026-01-01T07:00:00Z\treg\t006\t001\treg\ton a cut one\t\tharness_abort\t\t\t\t\t\t\tj7\t\t",
        "008\t2026-01-01T08:00:00Z\tloss\t777\t001\tloss\tno such parent\t\tcrash\t1.2\t\t\t\t\t\tj8\t\t",
        "009\t2026-01-01T09:00:00Z\tloss\t001\t001\tloss\tnever started\t\tpreflight_crash\t\t\t\t\t\t\tj9\t\t",
        "010\tyesterday\tmeta\t001\t001\tmeta\tunknown word\t\tparked\t1.0840\t\t\t\t\t\tj10\t\t",
        "011\t2026-01-01T11:00:00Z\tmeta\t001\t001\tmeta\tlast\t-0.001\tkeep\t1.0830\t-0.002\t15990003\t600\t590\t1400\tj11\t\ta\ttab",
    ];
    format!("{HEAD}\r\n{}\n\n", rows.join("\n"))
}

fn told(history: &History) -> Vec<String> {
    history
        .rows
        .iter()
        .map(|r| {
            let parents: Vec<String> = r.parents.iter().map(ToString::to_string).collect();
            let label = r.failure.as_ref().map_or("-", |f| f.label.word());
            let verdict = r.verdict.map_or("-", |v| v.word());
            let number = |v: Option<f64>| v.map_or("-".into(), |v| v.to_string());
            format!(
                "{}<{} {} {verdict} {label} {} {}",
                r.name,
                parents.join(","),
                r.status.word(),
                number(r.score),
                number(r.self_reported)
            )
        })
        .collect()
}

#[test]
fn recipes_keep_every_row_and_never_count_a_cut_one() {
    let history = read(Format::Recipes, golf().as_bytes(), &Hints::default()).unwrap();
    assert_eq!((history.task.as_deref(), history.metric.as_str(), history.goal), (Some("parameter-golf"), "val_bpb", Goal::Minimize));
    assert_eq!(
        told(&history),
        [
            "000< done - - 1.09 -",
            "001<0 done keep - 1.085 -",
            "002<1 done revert - 1.087 -",
            "003<1 done revert gate_failed - 1.07",
            "004<1 done revert eval_timed_out - 1.0801",
            "005<2 done revert timed_out - -",
            "006<1 unreadable - - - -",
            "007<6 done revert infrastructure - -",
            "008<0 done revert crashed - 1.2",
            "009<1 done revert preflight_failed - -",
            "010<1 done undecided - 1.084 -",
            "011<1 done keep - 1.083 -",
        ]
    );
    let row = |n: usize| &history.rows[n];
    assert_eq!((row(1).expected, row(2).expected, row(5).expected), (Some(0.003), Some(-0.005), None));
    assert_eq!((row(1).hypothesis.as_str(), row(2).hypothesis.as_str()), ("gate → 16", "a \"quoted\" word"));
    assert_eq!(row(6).hypothesis, "cut here");
    assert_eq!(
        row(3).failure.as_ref().unwrap().detail,
        "size blocked, artifact_bytes 21797963, train_s 600, eval_s 590, total_s 1400, val_bpb 1.07 does not count"
    );
    assert_eq!((row(3).gates[0].ok, row(1).gates[0].ok, row(4).gates[0].value), (false, true, Some(15_990_002.0)));
    assert_eq!((row(1).seconds, row(1).finished, row(10).finished), (1400.0, Some(Millis(1_767_229_200_000)), None));
    assert_eq!((row(11).notes.as_str(), row(1).metrics.get("val_bpb"), row(1).metrics.get("eval_s")), ("a tab", None, Some(&590.0)));
    assert_eq!(
        history.warnings,
        [
            "row 008 on line 10 names the parent `777`, which does not come before it: shown under the baseline",
            "the status `parked` (1 row on line 12) is not known: shown as undecided",
        ]
    );
}

#[test]
fn columns_tell_the_task_or_it_is_asked_for() {
    let hints = |metric: &str, goal: Option<Goal>| Hints { metric: Some(metric.to_owned()).filter(|m| !m.is_empty()), goal };
    let of = |columns: &str, cells: &str, hints: &Hints| {
        read(Format::Recipes, format!("exp_id\thypothesis\tstatus\t{columns}\n000\tstart\tbaseline\t{cells}\n").as_bytes(), hints)
            .map(|h| (h.task.unwrap_or_default(), h.metric, h.goal))
            .map_err(|e| e.to_string())
    };
    let no = Hints::default();
    assert_eq!(of("core_metric\tval_bpb", "0.1\t0.8", &no).unwrap(), ("nanochat-d12".into(), "core_metric".into(), Goal::Maximize));
    assert_eq!(of("train_s\taccuracy\tn_seeds", "26\t0.96\t10", &no).unwrap(), ("airbench96".into(), "train_s".into(), Goal::Minimize));
    assert_eq!(of("a\tb", "1\t2", &no).unwrap_err(), "none of its columns is known to be the score; name it with --metric, one of: a, b");
    assert_eq!(of("a\tb", "1\t2", &hints("c", None)).unwrap_err(), "--metric c: it has no such column; it has a, b");
    let goal = "whether a lower or a higher a is better is not said; add --goal minimize or --goal maximize";
    assert_eq!(of("a\tb", "1\t2", &hints("a", None)).unwrap_err(), goal);
    assert_eq!(of("a\tb", "1\t2", &hints("a", Some(Goal::Maximize))).unwrap(), (String::new(), "a".into(), Goal::Maximize));
    assert_eq!(of("top_acc", "1", &hints("top_acc", None)).unwrap(), (String::new(), "top_acc".into(), Goal::Maximize));
    for (text, why) in [
        ("", "it holds no header"),
        ("a,b,c\n1,2,3\n", "it is not a recipes table: its header has no column `exp_id` (tab-separated: a,b,c)"),
        (
            "{\"nodes\": [{\"code\": \"print(1)\", \"plan\": \"draft\", \"step\": 0}]}\n",
            "it is not a recipes table: its header has no column `exp_id` (tab-separated: {\"nodes\": [{\"code\": \"print(1)\", \"plan\": , …); it looks like a journal of AIDE (--from aide)",
        ),
        (
            "commit\tval_bpb\tstatus\n",
            "it is not a recipes table: its header has no column `exp_id` (tab-separated: commit, val_bpb, status); it looks like a table of autoresearch (--from autoresearch)",
        ),
        (HEAD, "it holds no rows"),
    ] {
        assert_eq!(read(Format::Recipes, text.as_bytes(), &no).unwrap_err().to_string(), why);
    }
}

#[test]
fn autoresearch_rows_build_on_the_last_that_was_kept() {
    let text = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n\
        a1b2c3d\t0.997900\t44.0\tkeep\tbaseline\n\
        b2c3d4e\t0.993200\t44.2\tkeep\tincrease LR to 0.04\n\
        c3d4e5f\t1.005000\t44.0\tdiscard\tswitch\tto GeLU\n\
        d4e5f6a\t0.000000\t0.0\tcrash\tdouble width (OOM)\n\
        e5f6a7b\t0.000000\t0.0\tdiscard\tnothing came of it\n\
        f6a7b8c\t0.990000\t44.0\tKEEP\tlast\n\
        0a0a0a0\n";
    let history = read(Format::Autoresearch, text.as_bytes(), &Hints::default()).unwrap();
    assert_eq!(
        told(&history),
        [
            "a1b2c3d< done - - 0.9979 -",
            "b2c3d4e<0 done keep - 0.9932 -",
            "c3d4e5f<1 done revert - 1.005 -",
            "d4e5f6a<1 done revert crashed - -",
            "e5f6a7b<1 done revert invalid_score - -",
            "f6a7b8c<1 done keep - 0.99 -",
            "0a0a0a0<5 unreadable - - - -",
        ]
    );
    assert_eq!((history.rows[2].hypothesis.as_str(), history.rows[1].metrics["memory_gb"]), ("switch to GeLU", 44.2));
    assert_eq!(history.warnings, ["1 rows that are no crash have 0 for a score: shown as invalid_score"]);
    // A fork with another metric and without the memory.
    let fork =
        "commit\tval_rmse\tstatus\tdescription\nc2450ad\t343.88\tkeep\tbaseline\n7436138\t285.86\tkeep\tlog\n7436138\t321\tdiscard\tage\n";
    let history = read(Format::Autoresearch, fork.as_bytes(), &Hints::default()).unwrap();
    assert_eq!((history.metric.as_str(), history.goal, history.rows.len()), ("val_rmse", Goal::Minimize, 3));
}

#[test]
fn aide_nodes_become_trials_with_their_code() {
    let text = r#"{"nodes": [
        {"code": "print(1)\n", "plan": "a forest", "step": 0, "id": "aaaa", "ctime": 1767225600.5, "_term_out": ["hm\n", "Traceback\n"], "exec_time": 2.5,
         "exc_type": "ValueError", "exc_info": {"args": ["bad shape"]}, "analysis": "", "metric": {"value": null, "maximize": null}, "is_buggy": true},
        {"code": "print(2)\n", "plan": "fix it", "id": "bbbb", "exec_time": 3, "metric": {"value": 0.8, "maximize": true}, "is_buggy": false, "analysis": "good"},
        {"code": "print(3)\n", "plan": "boost", "id": "cccc", "exec_time": NaN, "metric": {"value": 0.7, "maximize": true}, "is_buggy": false},
        {"code": "print(4)\n", "plan": "slow", "id": "dddd", "exc_type": "TimeoutError", "metric": {"value": NaN, "maximize": null}, "is_buggy": true},
        {"code": "print(5)\n", "plan": "wrong", "id": "eeee", "exc_type": null, "analysis": "leaks", "metric": {"value": 0.99, "maximize": true}, "is_buggy": true},
        {"code": "print(6)\n", "plan": "best", "id": "ffff", "metric": {"value": 0.9, "maximize": true}, "is_buggy": false},
        7], "node2parent": {"bbbb": "aaaa", "dddd": "bbbb", "eeee": "bbbb", "ffff": "bbbb", "zzzz": "aaaa"}, "__version": "2"}"#;
    let history = read(Format::Aide, text.as_bytes(), &Hints::default()).unwrap();
    assert_eq!((history.metric.as_str(), history.goal), ("metric", Goal::Maximize));
    assert_eq!(
        told(&history),
        [
            "aaaa< done revert crashed - -",
            "bbbb<0 done keep - 0.8 -",
            "cccc< done revert - 0.7 -",
            "dddd<1 done revert timed_out - -",
            "eeee<1 done revert crashed - 0.99",
            "ffff<1 done keep - 0.9 -",
            "< unreadable - - - -",
        ]
    );
    let operators: Vec<&str> = history.rows.iter().map(|r| r.operator.word()).collect();
    assert_eq!(operators, ["draft", "debug", "draft", "improve", "improve", "improve", "improve"]);
    assert_eq!(history.rows[0].failure.as_ref().unwrap().detail, "ValueError: bad shape");
    assert_eq!(history.rows[4].failure.as_ref().map(|f| (f.label, f.detail.as_str())), Some((Label::Crashed, "leaks")));
    assert_eq!((history.rows[0].proposed, history.rows[0].finished), (Some(Millis(1_767_225_600_500)), Some(Millis(1_767_225_603_000))));
    assert_eq!(history.rows[5].code.as_deref(), Some("print(6)\n"));
    for (text, why) in [("[]", "it holds no nodes"), ("{}", "it is not a journal.json of AIDE: it has no list `nodes`")] {
        assert_eq!(read(Format::Aide, text.as_bytes(), &Hints::default()).unwrap_err().to_string(), why);
    }
    let silent = r#"{"nodes": [{"id": "a", "metric": null, "is_buggy": true}], "node2parent": {}}"#;
    let said = read(Format::Aide, silent.as_bytes(), &Hints::default()).unwrap_err().to_string();
    assert_eq!(said, "whether a lower or a higher metric is better is not said; add --goal minimize or --goal maximize");
}

fn sound(history: &History) {
    assert!(!history.rows.is_empty());
    for (n, row) in history.rows.iter().enumerate() {
        assert!(row.parents.iter().all(|p| *p < n), "{n}: {:?}", row.parents);
        assert!(row.failure.is_none() || row.score.is_none());
        assert!(row.score.is_none_or(f64::is_finite) && row.metrics.values().all(|v| v.is_finite()));
        assert!(row.status != Status::Unreadable || (row.score.is_none() && row.failure.is_none() && row.verdict.is_none()));
    }
    assert!(history.rows[0].parents.is_empty());
}

proptest! {
    #[test]
    fn no_text_makes_a_reader_fall(text in "\\PC{0,200}", lines in prop::collection::vec("[a-z0-9.+\\-\t\"]{0,60}", 0..12)) {
        let hints = Hints { metric: None, goal: Some(Goal::Minimize) };
        let table = lines.join("\n");
        for format in [Format::Autoresearch, Format::Recipes, Format::Aide] {
            for file in [text.clone(), format!("{HEAD}\n{table}"), format!("commit\tval_bpb\tmemory_gb\tstatus\tdescription\n{table}")] {
                if let Ok(history) = read(format, file.as_bytes(), &hints) {
                    sound(&history);
                }
            }
        }
    }

    #[test]
    fn every_row_of_a_cut_table_is_there(cut in 0usize..2400) {
        let whole = golf();
        let end = (cut.min(whole.len())..=whole.len()).find(|n| whole.is_char_boundary(*n)).unwrap();
        let Ok(history) = read(Format::Recipes, &whole.as_bytes()[..end], &Hints::default()) else { return Ok(()) };
        sound(&history);
        let lines = whole[..end].lines().skip(1).filter(|l| l.matches('\t').count() >= 2).count();
        prop_assert_eq!(history.rows.len().max(1), lines.max(1));
    }
}
