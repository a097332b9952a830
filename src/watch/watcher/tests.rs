use super::*;
use crate::model::{RunNo, TrialId};
use std::{fs, io::Write, path::Path};

const DEADLINE: Duration = Duration::from_secs(20);

/// A run's directories, a watcher, and what it told.
struct Room {
    dir: tempfile::TempDir,
    told: Receiver<(Instant, Seen)>,
    watcher: Watcher,
}

fn watcher(told: Sender<(Instant, Seen)>) -> Watcher {
    Watcher::start(|| Millis(7), move |seen| told.send((Instant::now(), seen)).unwrap_or_default()).unwrap()
}

fn without_events(told: Sender<(Instant, Seen)>) -> Watcher {
    let (mailbox, messages) = mpsc::channel();
    let sink = move |seen| told.send((Instant::now(), seen)).unwrap_or_default();
    Watcher::spawn(mailbox, messages, Arc::default(), Wake::silent(), Some("quiet".into()), || Millis(7), sink).unwrap()
}

impl Room {
    fn new(start: fn(Sender<(Instant, Seen)>) -> Watcher) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("slot")).unwrap();
        fs::create_dir_all(dir.path().join("run")).unwrap();
        let (tell, told) = mpsc::channel();
        Self { dir, told, watcher: start(tell) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn plan(&self) -> Plan {
        Plan {
            run: run(),
            stdout: self.path("run/stdout.log"),
            stderr: Some(self.path("run/stderr.log")),
            patterns: vec![r"step (?P<step>\d+) loss (?P<loss>\S+)".into()],
            automatic: false,
            printed: vec![],
            root: self.path("slot"),
            files: vec!["results/**/metrics.jsonl".into(), "*.csv".into()],
            cache: self.path("run/metrics.jsonl"),
            primary: Some("loss".into()),
        }
    }

    /// Waits until something is told that `wanted` takes.
    fn until<T>(&self, what: &str, mut wanted: impl FnMut(Seen) -> Option<T>) -> (Instant, T) {
        let end = Instant::now() + DEADLINE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let (at, seen) = self.told.recv_timeout(left).unwrap_or_else(|_| panic!("nothing came of: {what}"));
            if let Some(found) = wanted(seen) {
                return (at, found);
            }
        }
    }

    fn point(&self, key: &str) -> (Instant, Point) {
        self.until(key, |seen| match seen {
            Seen::Points(batch) => batch.points.into_iter().find(|p| p.key == key),
            _ => None,
        })
    }
}

fn run() -> RunId {
    TrialId(3).run(RunNo(1))
}

fn append(path: &Path, text: &str) -> Instant {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    Instant::now()
}

fn stored(room: &Room) -> Vec<(String, u64, f64)> {
    crate::watch::series::keys(&room.path("run/metrics.jsonl")).unwrap().into_iter().map(|k| (k.key, k.count, k.last)).collect()
}

#[test]
fn points_show_soon_with_events_and_without() {
    for (name, start) in [("events", watcher as fn(_) -> _), ("poll", without_events)] {
        let room = Room::new(start);
        room.watcher.add(room.plan()).unwrap();
        let mut slowest = Duration::ZERO;
        for i in 0..12 {
            let key = format!("k{i}");
            let file = ["run/stdout.log", "slot/results/a/metrics.jsonl", "slot/results/b/metrics.jsonl"][i % 3];
            let written = append(&room.path(file), &format!("{{\"step\": {i}, \"{key}\": 0.5}}\n"));
            let (seen, point) = room.point(&key);
            assert_eq!((point.step, point.value, point.at), (i as f64, 0.5, Millis(7)));
            slowest = slowest.max(seen.saturating_duration_since(written));
        }
        println!("{name}: slowest of 12 points {slowest:?}");
        assert!(slowest < Duration::from_secs(3), "{name}: {slowest:?}");
    }
}

#[test]
fn a_run_from_its_first_line_to_its_totals() {
    let room = Room::new(watcher);
    room.watcher.add(room.plan()).unwrap();
    room.watcher.add(room.plan()).unwrap();
    append(&room.path("run/stdout.log"), "step 1 loss 0.5\nstep 2 loss nan\nstep 3 loss 0.25");
    append(&room.path("run/stderr.log"), "warning\n");
    append(&room.path("slot/log.csv"), "epoch,acc\n1,0.5\n2,0.75\n");
    append(&room.path("slot/results/x/metrics.jsonl"), "{\"f1\": 1}\nrubbish\n{\"f1\": 2}\n");
    append(&room.path("slot/other.log"), "step 9 loss 9\n");
    let (_, diverged) = room.until("divergence", |seen| if let Seen::Diverged(d) = seen { Some(d) } else { None });
    assert_eq!((diverged.run, diverged.key.as_str(), diverged.step), (run(), "loss", 2.0));
    room.until("sizes", |seen| matches!(seen, Seen::LogGrew { stdout: 48, stderr: 8, .. }).then_some(()));
    let totals = room.watcher.finish(run());
    assert_eq!(totals.points, 7);
    assert_eq!(totals.last["loss"], 0.25, "the half line counts at the end");
    assert_eq!((totals.last["acc"], totals.last["f1"], totals.rubbish_lines), (0.75, 2.0, 1));
    assert_eq!(totals.diverged.unwrap().step, 2.0);
    assert_eq!(stored(&room), [("acc".into(), 2, 0.75), ("f1".into(), 2, 2.0), ("loss".into(), 3, 0.25)]);
    assert_eq!(room.watcher.finish(run()), Totals::default(), "it is not watched any more");
}

#[test]
fn after_a_restart_no_point_is_lost_or_doubled() {
    let mut room = Room::new(watcher);
    let (log, table) = (room.path("run/stdout.log"), room.path("slot/log.csv"));
    for round in 0..4 {
        room.watcher.add(room.plan()).unwrap();
        append(&log, &format!("step {round} loss 0.5\n{{\"bare{round}\": 1}}\nstep 1"));
        append(&table, if round == 0 { "step,acc\n0,1\n" } else { "5,2\n" });
        // Both may come in one batch or in two.
        let mut missing = vec![format!("bare{round}"), "acc".into()];
        room.until("both files", |seen| {
            let Seen::Points(batch) = seen else { return None };
            missing.retain(|key| batch.points.iter().all(|p| p.key != *key));
            missing.is_empty().then_some(())
        });
        append(&log, "0 loss 2\n");
        let (tell, told) = mpsc::channel();
        room.told = told;
        room.watcher = watcher(tell);
    }
    // A cache torn by a kill is mended from the files.
    append(&room.path("run/metrics.jsonl"), "{\"k\":\"loss\",\"s\":1,\"v\":1,\"t\":1}\n{\"k\":\"lo");
    room.watcher.add(room.plan()).unwrap();
    let totals = room.watcher.finish(run());
    assert_eq!(totals.points, 16);
    let counts: Vec<_> = stored(&room).into_iter().map(|(key, count, _)| (key, count)).collect();
    let bare = |n| (format!("bare{n}"), 1);
    assert_eq!(counts, [("acc".into(), 4), bare(0), bare(1), bare(2), bare(3), ("loss".into(), 8)]);
}

#[test]
fn files_that_are_written_anew_truncated_or_unreadable() {
    let room = Room::new(watcher);
    let table = room.path("slot/log.csv");
    std::os::unix::fs::symlink("/etc/hostname", room.path("slot/link.csv")).unwrap();
    room.watcher.add(room.plan()).unwrap();
    append(&table, "step,a\n1,1\n");
    room.point("a");
    fs::write(&table, "step,a\n1,1\n2,2\n").unwrap();
    assert_eq!(room.point("a").1.step, 2.0);
    fs::write(&table, "step,b\n1,7\n").unwrap();
    assert_eq!(room.point("b").1.value, 7.0);
    fs::write(room.path("slot/noise.csv"), (0..200_000u32).map(|i| ((i * 7919) >> 3) as u8).collect::<Vec<_>>()).unwrap();
    let totals = room.watcher.finish(run());
    assert_eq!((totals.last["a"], totals.last["b"]), (2.0, 7.0));
}

#[test]
fn a_table_that_is_written_anew_with_another_column_loses_and_doubles_nothing() {
    for (name, renamed) in [("in place", false), ("by a rename", true)] {
        let room = Room::new(watcher);
        let table = room.path("slot/metrics.csv");
        room.watcher.add(Plan { patterns: vec![], automatic: true, ..room.plan() }).unwrap();
        append(&room.path("run/stdout.log"), "step 49 train_loss 0.5\n");
        append(&table, "epoch,step,train_loss\n0,49,0.5\n1,99,0.25\n");
        room.until(name, |seen| match seen {
            Seen::Points(batch) => batch.points.iter().any(|p| p.step == 99.0).then_some(()),
            _ => None,
        });
        let text = "epoch,step,train_loss,val_loss\n0,49,0.5,\n1,99,0.25,\n1,99,,0.75\n";
        if renamed {
            fs::write(room.path("slot/new"), text).unwrap();
            fs::rename(room.path("slot/new"), &table).unwrap();
        } else {
            fs::write(&table, text).unwrap();
        }
        assert_eq!(room.point("val_loss").1.value, 0.75, "{name}");
        room.watcher.finish(run());
        // The row of `val_loss` says the epoch of its step once more: the same value at the same place.
        let want = [("epoch".to_owned(), 2, 1.0), ("train_loss".to_owned(), 2, 0.25), ("val_loss".to_owned(), 1, 0.75)];
        assert_eq!(stored(&room), want, "{name}");
        // A restart of the engine doubles nothing.
        let again = Watcher::start(|| Millis(8), |_| {}).unwrap();
        again.add(Plan { patterns: vec![], automatic: true, ..room.plan() }).unwrap();
        again.finish(run());
        assert_eq!(stored(&room), want, "{name}, after a restart");
    }
}

#[test]
fn a_flood_is_thinned_for_the_screen_and_whole_in_the_cache() {
    let room = Room::new(watcher);
    let lines: String = (0..50_000).map(|i| format!("{{\"step\":{i},\"loss\":{}}}\n", if i == 31_234 { 99 } else { 1 })).collect();
    append(&room.path("run/stdout.log"), &lines);
    room.watcher.add(room.plan()).unwrap();
    let totals = room.watcher.finish(run());
    assert_eq!(totals.points, 50_000);
    assert_eq!(stored(&room), [("loss".into(), 50_000, 1.0)]);
    let shown: Vec<_> =
        room.told.try_iter().filter_map(|(_, seen)| if let Seen::Points(b) = seen { Some(b.points) } else { None }).collect();
    assert!(shown.iter().all(|points| points.len() <= 2100));
    assert!(shown.iter().flatten().any(|p| p.value == 99.0), "the spike is shown");
}

#[test]
fn plans_that_cannot_be_followed_say_so() {
    let room = Room::new(without_events);
    let cases: [(&str, Plan); 3] = [
        ("no regular expression", Plan { patterns: vec!["(".into()], ..room.plan() }),
        ("no pattern inside", Plan { files: vec!["../x".into()], ..room.plan() }),
        ("cannot be opened", Plan { cache: "/proc/none/metrics.jsonl".into(), ..room.plan() }),
    ];
    for (want, plan) in cases {
        let error = room.watcher.add(plan).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
    room.watcher.add(room.plan()).unwrap();
}

#[test]
fn files_that_are_written_anew_give_what_is_new() {
    let room = Room::new(watcher);
    let plan =
        || Plan { automatic: true, patterns: vec![], files: vec!["**/*.json".into(), "**/*.npy".into(), "tb/**".into()], ..room.plan() };
    let state = |records: &[&str]| format!("{{\n \"log_history\": [\n{}\n ]\n}}\n", records.join(",\n"));
    let (first, second) = ("{\"step\": 1, \"val\": 0.5}", "{\"step\": 2, \"val\": 0.25}");
    let events = include_bytes!("../reader/tfevents/scalars.tfevents");
    for place in ["slot/tb/train/events.out.tfevents.1.h", "slot/tb/validation/events.out.tfevents.2.h"] {
        fs::create_dir_all(room.path(place).parent().unwrap()).unwrap();
        fs::write(room.path(place), events).unwrap();
    }
    append(&room.path("run/stdout.log"), "Here are 3 things\nepoch 3 val_loss 0.5\n");
    fs::write(room.path("slot/trainer_state.json"), state(&[first])).unwrap();
    append(&room.path("slot/metrics.json"), "{\"step\": 1, \"f1\": 1}\n");
    room.watcher.add(plan()).unwrap();
    let mut first_ones = BTreeSet::new();
    room.until("the first of both", |seen| {
        if let Seen::Points(batch) = seen {
            first_ones.extend(batch.points.into_iter().map(|p| p.key).filter(|key| key == "val" || key == "f1"));
        }
        (first_ones.len() == 2).then_some(())
    });
    // It turns out to be JSON lines, and the other is written anew with one record more.
    append(&room.path("slot/metrics.json"), "{\"step\": 2, \"f1\": 2}\n");
    fs::write(room.path("slot/trainer_state.json"), state(&[first, second])).unwrap();
    room.until("the second of both", |seen| match seen {
        Seen::Points(batch) => batch.points.iter().any(|p| p.key == "f1" && p.value == 2.0).then_some(()),
        _ => None,
    });
    room.watcher.finish(run());
    let want = [("acc", 4, 0.75), ("f1", 2, 2.0), ("train/loss", 4, 0.25), ("val", 2, 0.25), ("val_loss", 1, 0.5)];
    // The two event files say the same, so they are one curve.
    let want: Vec<_> = want.iter().map(|(key, n, last)| ((*key).to_owned(), *n, *last)).collect();
    assert_eq!(stored(&room), want);
    // A restart of the engine doubles nothing.
    let again = Watcher::start(|| Millis(8), |_| {}).unwrap();
    again.add(plan()).unwrap();
    again.finish(run());
    assert_eq!(stored(&room), want);
}
