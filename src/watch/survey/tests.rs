use super::*;
use std::{fs, io::Write};

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|t| (*t).to_owned()).collect()
}

fn append(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
}

fn shown(report: &Report) -> Vec<String> {
    let key = |k: &KeySeen| format!("{} x{} @{:?} = {}", k.key, k.count, k.step, k.last);
    report.files.iter().flat_map(|f| f.keys.iter().map(|k| format!("{}: {}", f.file, key(k))).collect::<Vec<_>>()).collect()
}

#[test]
fn a_directory_while_it_grows() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    append(&at("train.log"), b"epoch 1 val_loss 0.7\nepoch 2 val_");
    append(&at("logs/metrics.csv"), b"epoch,val_loss\n1,0.5\n");
    append(&at("results.json"), b"{\"test\": {\"f1\": 0.5}}");
    append(&at("model.out"), &[0; 100]);
    append(&at("pred.npy"), b"\x93NUMPY\x01\0\x3c\0{'descr': '<f4', 'fortran_order': False, 'shape': (977, 24)}\n");
    append(&at("train.py"), b"print(1)");
    append(&at(".git/x.log"), b"loss: 0.5\n");
    let mut survey = Survey::open(dir.path(), &[], &[]).unwrap();
    let start = Instant::now();
    assert!(survey.look(start, false));
    let report = survey.report();
    assert_eq!(
        shown(&report),
        [
            "logs/metrics.csv: val_loss x1 @Some(1.0) = 0.5",
            "results.json: test.f1 x1 @None = 0.5",
            "train.log: train/val_loss x1 @Some(1.0) = 0.7"
        ]
    );
    let why: Vec<_> = report.files.iter().filter_map(|f| Some((f.file.as_str(), f.why.as_deref()?))).collect();
    assert_eq!(why[0], ("model.out", "not read: binary, and of no format that is known"));
    assert_eq!(why[1].0, "pred.npy");
    assert_eq!(report.others, [(".py".to_owned(), 1)]);
    assert!(!survey.look(start, false), "nothing is new");
    append(&at("train.log"), b"loss 0.25\n");
    fs::write(at("results.json"), "{\"test\": {\"f1\": 0.75}}").unwrap();
    append(&at("more.jsonl"), b"{\"step\": 3, \"x\": 1}\nrubbish\n");
    assert!(survey.look(start + BETWEEN_WALKS, true));
    let report = survey.report();
    assert_eq!(
        shown(&report)[1..],
        ["more.jsonl: x x1 @Some(3.0) = 1", "results.json: test.f1 x2 @None = 0.75", "train.log: train/val_loss x2 @Some(2.0) = 0.25"]
    );
    assert_eq!(report.files.iter().find(|f| f.file == "more.jsonl").map(|f| (f.lines, f.rubbish)), Some((Some(2), 1)));
}

#[test]
fn a_pattern_that_misses_is_helped() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("out.log");
    append(&log, b"starting\nstep 1: lr 0.1, train loss 2.5\nstep 1: val loss 2.75\nstep 2: val loss 2.5\n");
    let patterns = texts(&["val_loss: ([\\d.]+)", "train loss (?P<train>\\S+)"]);
    let mut survey = Survey::open(&log, &patterns, &[]).unwrap();
    survey.look(Instant::now(), true);
    let report = survey.report();
    assert_eq!(shown(&report), ["out.log: train x1 @None = 2.5"]);
    assert_eq!(report.files[0].keys[0].patterns, [2]);
    assert_eq!((report.patterns[0].lines, report.patterns[1].lines), (0, 1));
    let first = &report.patterns[0].nearest[0];
    assert_eq!((first.key.as_str(), first.line, first.text.as_str()), ("val_loss", 4, "step 2: val loss 2.5"));
    let mut mended = Survey::open(&log, std::slice::from_ref(&first.pattern), &[]).unwrap();
    mended.look(Instant::now(), true);
    assert_eq!(shown(&mended.report()), ["out.log: val_loss x2 @Some(2.0) = 2.5"]);
}

#[test]
fn what_cannot_be_used_says_so() {
    let dir = tempfile::tempdir().unwrap();
    for (place, pattern, glob, want) in [
        (dir.path().join("none"), None, None, "none cannot be read"),
        (dir.path().to_owned(), Some("loss ("), None, "is no regular expression"),
        (dir.path().to_owned(), None, Some("../x"), "stay inside"),
    ] {
        let error = Survey::open(&place, &texts(pattern.as_slice()), &texts(glob.as_slice())).err().unwrap().to_string();
        assert!(error.contains(want), "{error}");
    }
}
