use super::*;
use crate::lineage::tests::{store, tree_of, words};
use proptest::prelude::*;
use std::fs as std_fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

const FILES: &[(&str, &str)] = &[
    ("train.py", "lr = 1\n"),
    ("run.sh*", "#!/bin/sh\n"),
    ("models/a.py", "a\n"),
    ("models/deep/b.py", "b\n"),
    ("here@", "models"),
    ("public/readme", "r\n"),
];

struct Setup {
    dir: tempfile::TempDir,
    store: Store,
    slot: Slot,
    tree: String,
}

fn setup() -> Setup {
    let (dir, store) = store();
    let tree = tree_of(&store, FILES);
    let slot = Slot::new(dir.path().join("work/slot-0"));
    slot.prepare(&store, &tree, &[]).unwrap();
    Setup { dir, store, slot, tree }
}

#[test]
fn a_switch_writes_only_what_differs() {
    let s = setup();
    assert_eq!(s.slot.verify(&s.store, &s.tree, &[]).unwrap(), Vec::<String>::new());
    assert_eq!(std_fs::metadata(s.slot.dir().join("run.sh")).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(std_fs::read_link(s.slot.dir().join("here")).unwrap(), Path::new("models"));
    assert_eq!(s.slot.prepare(&s.store, &s.tree, &[]).unwrap(), Prepared::default());
    let inode = |path: &str| std_fs::metadata(s.slot.dir().join(path)).unwrap().ino();
    let before = inode("models/a.py");
    let other = tree_of(&s.store, &[("train.py", "lr = 2\n"), ("models/a.py", "a\n"), ("new/c.py", "c\n")]);
    let done = s.slot.prepare(&s.store, &other, &[]).unwrap();
    // `public` is the engine's: what the old tree had there stays.
    assert_eq!(done, Prepared { written: 2, removed: 3, repaired: 0 });
    assert_eq!(inode("models/a.py"), before);
    assert_eq!(s.slot.verify(&s.store, &other, &[]).unwrap(), Vec::<String>::new());
    assert!(!s.slot.dir().join("models/deep").exists());
}

#[test]
fn a_record_that_is_written_late_does_not_vouch_for_what_was_changed_at_once() {
    let s = setup();
    let (at, clock) = (s.slot.dir().join("train.py"), s.dir.path().join("clock"));
    for round in 0..20 {
        // Written by the switch itself, then by the run, with the same size and within one step of the file system's clock.
        let tree = tree_of(&s.store, &[("train.py", &format!("lr = {round:02}\n"))]);
        let (_, record) = s.slot.make_equal(&s.store, &tree, &[]).unwrap();
        let was = std_fs::metadata(&at).unwrap();
        std_fs::File::options().write(true).open(&at).unwrap().write_all(b"lr = 99\n").unwrap();
        std_fs::File::options().write(true).open(&at).unwrap().set_modified(was.modified().unwrap()).unwrap();
        let until = was.ctime_nsec() + was.ctime() * 1_000_000_000 + 60_000_000;
        loop {
            std_fs::write(&clock, "").unwrap();
            let now = std_fs::metadata(&clock).unwrap();
            if now.ctime_nsec() + now.ctime() * 1_000_000_000 > until {
                break;
            }
        }
        record.save().unwrap();
        s.slot.prepare(&s.store, &tree, &[]).unwrap();
        assert_eq!(s.slot.verify(&s.store, &tree, &[]).unwrap(), Vec::<String>::new(), "round {round}");
    }
}

#[test]
fn what_a_run_leaves_behind_is_found_and_mended() {
    let s = setup();
    let at = |path: &str| s.slot.dir().join(path);
    let outside = s.dir.path().join("outside");
    std_fs::create_dir(&outside).unwrap();
    std_fs::write(outside.join("precious"), "p").unwrap();
    // Same size and same mtime: only ctime and inode tell.
    let meta = std_fs::metadata(at("train.py")).unwrap();
    std_fs::write(at("train.py"), "lr = 9\n").unwrap();
    std_fs::File::options().write(true).open(at("train.py")).unwrap().set_modified(meta.modified().unwrap()).unwrap();
    // A link in place of a directory, and of a file.
    std_fs::remove_dir_all(at("models/deep")).unwrap();
    symlink(&outside, at("models/deep")).unwrap();
    std_fs::remove_file(at("models/a.py")).unwrap();
    symlink("/etc/passwd", at("models/a.py")).unwrap();
    // Extras of all kinds.
    std_fs::create_dir_all(at("results/x")).unwrap();
    std_fs::write(at("results/x/y"), "y").unwrap();
    std_fs::create_dir_all(at("empty/empty")).unwrap();
    std_fs::set_permissions(at("results/x"), std_fs::Permissions::from_mode(0o000)).unwrap();
    std_fs::set_permissions(at("results"), std_fs::Permissions::from_mode(0o500)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("sock")).unwrap();
    symlink(&outside, at("planted")).unwrap();
    std_fs::write(at("public/data"), "the engine's").unwrap();
    symlink(&outside, at(".trialdeck")).unwrap();
    for planted in [".git/hooks", "models/.git"] {
        std_fs::create_dir_all(at(planted)).unwrap();
        std_fs::write(at(planted).join("config"), "[core]\n\tfsmonitor = evil\n").unwrap();
    }
    std_fs::set_permissions(at("run.sh"), std_fs::Permissions::from_mode(0o4755)).unwrap();
    let done = s.slot.prepare(&s.store, &s.tree, &[]).unwrap();
    assert_eq!(s.slot.verify(&s.store, &s.tree, &[]).unwrap(), Vec::<String>::new());
    assert_eq!(done.repaired, 4, "{done:?}");
    assert!(outside.join("precious").exists());
    assert!(!at("results").exists() && !at("sock").exists() && !at("empty").exists());
    assert!(at("public/data").exists() && at(".trialdeck").symlink_metadata().is_err());
}

#[test]
fn a_hard_link_from_elsewhere_does_not_reach_the_next_run() {
    let s = setup();
    let file = s.slot.dir().join("train.py");
    let second = s.dir.path().join("second-name");
    std_fs::hard_link(&file, &second).unwrap();
    s.slot.prepare(&s.store, &s.tree, &[]).unwrap();
    std_fs::write(&second, "lr = 9\n").unwrap();
    assert_eq!(std_fs::read_to_string(&file).unwrap(), "lr = 1\n");
}

#[test]
fn directories_of_any_depth_go() {
    use std::os::fd::AsFd as _;
    let s = setup();
    let deep = |place: &str, levels: usize| {
        std_fs::create_dir_all(s.slot.dir().join(place)).unwrap();
        let mut at: rustix::fd::OwnedFd = std_fs::File::open(s.slot.dir().join(place)).unwrap().into();
        let name = "d".repeat(250);
        for level in 0..levels {
            fs::make_dir(at.as_fd(), OsStr::new(&name)).unwrap();
            if level % 100 == 99 {
                fs::write_link(at.as_fd(), OsStr::new(".moved-7"), b"/etc").unwrap();
                fs::make_dir(at.as_fd(), OsStr::new("closed")).unwrap();
                std_fs::set_permissions(
                    format!("/proc/self/fd/{}/closed", std::os::fd::AsRawFd::as_raw_fd(&at)),
                    std_fs::Permissions::from_mode(0o000),
                )
                .unwrap();
            }
            at = fs::open_dir(at.as_fd(), OsStr::new(&name)).unwrap();
        }
    };
    deep("planted", 5000);
    deep(".trialdeck", 3000);
    s.slot.remove_reserved(".trialdeck").unwrap();
    s.slot.prepare(&s.store, &s.tree, &words(&["**/*.log"])).unwrap();
    assert_eq!(s.slot.verify(&s.store, &s.tree, &[]).unwrap(), Vec::<String>::new());
}

#[test]
fn what_the_task_keeps_stays_and_the_tree_wins_over_it() {
    let s = setup();
    let at = |path: &str| s.slot.dir().join(path);
    std_fs::create_dir_all(at("cache/deep")).unwrap();
    std_fs::write(at("cache/deep/x"), "x").unwrap();
    std_fs::create_dir_all(at("out/logs")).unwrap();
    std_fs::write(at("out/logs/a.log"), "a").unwrap();
    std_fs::write(at("out/b.txt"), "b").unwrap();
    std_fs::write(at("models/a.py"), "changed\n").unwrap();
    std_fs::create_dir(at(".trialdeck")).unwrap();
    std_fs::write(at(".trialdeck/x"), "the engine's").unwrap();
    let keep = words(&["cache/**", "out/logs/*.log", "models/**"]);
    s.slot.prepare(&s.store, &s.tree, &keep).unwrap();
    assert!(at("cache/deep/x").exists() && at("out/logs/a.log").exists() && !at("out/b.txt").exists());
    assert!(at(".trialdeck/x").exists());
    assert_eq!(std_fs::read_to_string(at("models/a.py")).unwrap(), "a\n");
    assert_eq!(s.slot.verify(&s.store, &s.tree, &keep).unwrap(), Vec::<String>::new());
}

#[test]
fn a_lost_broken_or_foreign_record_only_costs_time() {
    let s = setup();
    let record = s.dir.path().join("work/slot-0.state.json");
    for broken in [None, Some(""), Some("{"), Some("{\"format\":99,\"boot\":\"\",\"files\":[]}")] {
        match broken {
            None => std_fs::remove_file(&record).unwrap(),
            Some(text) => std_fs::write(&record, text).unwrap(),
        }
        assert_eq!(s.slot.prepare(&s.store, &s.tree, &[]).unwrap(), Prepared::default(), "{broken:?}");
    }
    // A slot that is itself a link is not followed.
    let elsewhere = s.dir.path().join("elsewhere");
    std_fs::rename(s.slot.dir(), &elsewhere).unwrap();
    std_fs::write(elsewhere.join("mine"), "m").unwrap();
    symlink(&elsewhere, s.slot.dir()).unwrap();
    s.slot.prepare(&s.store, &s.tree, &[]).unwrap();
    assert!(elsewhere.join("mine").exists() && s.slot.dir().symlink_metadata().unwrap().is_dir());
    assert_eq!(s.slot.verify(&s.store, &s.tree, &[]).unwrap(), Vec::<String>::new());
}

/// One deed of a run.
#[derive(Debug, Clone)]
enum Deed {
    Write(usize, u8),
    Remove(usize),
    Chmod(usize, u32),
    Link(usize, usize),
    HardLink(usize, usize),
    Dir(usize),
}

const PLACES: [&str; 10] = ["a", "b", "d/a", "d/b", "d/e/a", "d/e", "d", "x/y", "x", "public"];

fn deed() -> impl Strategy<Value = Deed> {
    let place = 0..PLACES.len();
    prop_oneof![
        (place.clone(), 0u8..3).prop_map(|(p, c)| Deed::Write(p, c)),
        place.clone().prop_map(Deed::Remove),
        (place.clone(), prop::sample::select(vec![0o000, 0o444, 0o600, 0o644, 0o755, 0o4755])).prop_map(|(p, m)| Deed::Chmod(p, m)),
        (place.clone(), place.clone()).prop_map(|(p, q)| Deed::Link(p, q)),
        (place.clone(), place.clone()).prop_map(|(p, q)| Deed::HardLink(p, q)),
        place.prop_map(Deed::Dir),
    ]
}

fn act(root: &Path, deed: &Deed) {
    let at = |p: usize| root.join(PLACES[p]);
    // What cannot be done is not done.
    let _ = match deed {
        Deed::Write(p, c) => std_fs::write(at(*p), [*c]),
        Deed::Remove(p) => std_fs::remove_file(at(*p)).or_else(|_| std_fs::remove_dir_all(at(*p))),
        Deed::Chmod(p, mode) => std_fs::set_permissions(at(*p), std_fs::Permissions::from_mode(*mode)),
        Deed::Link(p, q) => symlink(at(*q), at(*p)),
        Deed::HardLink(p, q) => std_fs::hard_link(at(*q), at(*p)),
        Deed::Dir(p) => std_fs::create_dir_all(at(*p)),
    };
}

/// A tree from some of a few paths, never empty.
fn some_tree() -> impl Strategy<Value = Vec<(&'static str, u8)>> {
    prop::collection::btree_map(prop::sample::select(vec!["a", "b", "d/a", "d/b*", "d/e/a", "x/y", "l@"]), 0u8..3, 1..6)
        .prop_map(|m| m.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_was_done_prepare_makes_the_directory_equal(rounds in prop::collection::vec((some_tree(), prop::collection::vec(deed(), 0..12)), 1..5)) {
        let (dir, store) = store();
        let slot = Slot::new(dir.path().join("slot-0"));
        for (tree, deeds) in rounds {
            let contents: Vec<(&str, String)> = tree.iter().map(|(p, c)| (*p, char::from(*c).to_string())).map(|(p, c)| (p, if p.ends_with('@') { "a".into() } else { c })).collect();
            let files: Vec<(&str, &str)> = contents.iter().map(|(p, c)| (*p, c.as_str())).collect();
            let tree = tree_of(&store, &files);
            slot.prepare(&store, &tree, &[]).unwrap();
            prop_assert_eq!(slot.verify(&store, &tree, &[]).unwrap(), Vec::<String>::new());
            for deed in &deeds {
                act(slot.dir(), deed);
            }
        }
    }
}

/// Figures, printed: `cargo test --release --lib lineage::slot -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn figures_of_five_thousand_files() {
    let (dir, store) = crate::lineage::tests::durable_store();
    let user = dir.path().join("user");
    for i in 0..5000 {
        let content = format!("# file {i}\n{}", "x = 1  # some line of code\n".repeat(150));
        crate::lineage::tests::put(&user, &format!("pkg{}/sub{}/file{i}.py", i % 25, i % 200), &content);
    }
    let time = |what: &str, from: std::time::Instant| println!("{what:<44} {:>8.1} ms", from.elapsed().as_secs_f64() * 1e3);
    let now = std::time::Instant::now;
    let t = now();
    let imported = store.import(&user, &[]).unwrap();
    time("import", t);
    let rules = crate::lineage::tests::open_rules();
    let mut trees = vec![imported.tree.clone()];
    for i in 0..4 {
        let edit = crate::model::Edit::Write { path: "pkg0/sub0/file0.py".into(), content: format!("x = {i}\n") };
        let t = now();
        let applied = store.apply(&imported.tree, &[edit], &rules).unwrap();
        time("apply, durable", t);
        let t = now();
        let id = crate::model::TrialId(i + 1);
        store.commit(id, std::slice::from_ref(&imported.commit), &applied.tree, &crate::lineage::Message::new(id, "h", "p")).unwrap();
        time("commit, durable", t);
        trees.push(applied.tree);
    }
    let slot = Slot::new(dir.path().join("slot-0"));
    let t = now();
    slot.prepare(&store, &trees[0], &[]).unwrap();
    time("first fill", t);
    for tree in trees.iter().skip(1).chain(trees.iter()) {
        let t = now();
        let done = slot.prepare(&store, tree, &[]).unwrap();
        time(&format!("switch {done:?}"), t);
    }
    let t = now();
    let _ = store.leaves(&trees[0]).unwrap();
    time("  of which: listing the tree", t);
    let t = now();
    let _ = State::load(slot.dir());
    time("  of which: reading the record", t);
    let t = now();
    fn look(dir: BorrowedFd<'_>) -> usize {
        let look_at = |name: std::ffi::OsString| {
            let stat = fs::stat(dir, &name).unwrap().unwrap();
            if stat.kind == FileType::Directory { look(fs::open_dir(dir, &name).unwrap().as_fd()) } else { 1 }
        };
        fs::names(dir).unwrap().into_iter().map(look_at).sum()
    }
    assert_eq!(look(fs::open_root(slot.dir()).unwrap().as_fd()), 5000);
    time("  of which: looking at each entry", t);
    let leaves = store.leaves(&trees[0]).unwrap();
    let key = Key::from(&fs::stat(rustix::fs::CWD, OsStr::new("/")).unwrap().unwrap());
    let record: Vec<_> = leaves.iter().map(|l| (l.clone(), key)).collect();
    let t = now();
    Record::of(&dir.path().join("other"), record).unwrap().save().unwrap();
    time("  of which: writing the record", t);
    let t = now();
    let _ = nested(&leaves);
    time("  of which: nesting the tree", t);
    let t = now();
    assert!(slot.verify(&store, trees.last().unwrap(), &[]).unwrap().is_empty());
    time("verify", t);
}

/// A process that outlived its run swaps directories for links while the slot is switched: nothing outside is written or removed.
#[test]
fn a_directory_swapped_for_a_link_leads_a_switch_nowhere() {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    let s = setup();
    let other = tree_of(&s.store, &[("train.py", "lr = 2\n"), ("models/a.py", "other\n"), ("models/deep/c.py", "c\n")]);
    let outside = s.dir.path().join("outside");
    std_fs::create_dir_all(outside.join("deep")).unwrap();
    let canaries = ["a.py", "deep/b.py", "deep/c.py", "precious"].map(|name| outside.join(name));
    canaries.iter().for_each(|path| std_fs::write(path, "canary").unwrap());
    let (over, swaps) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let slot = std_fs::File::open(s.slot.dir()).unwrap();
            while !over.load(Ordering::Relaxed) {
                let _ = symlink(&outside, s.slot.dir().join("swap"));
                if rustix::fs::renameat_with(&slot, "models", &slot, "swap", rustix::fs::RenameFlags::EXCHANGE).is_ok() {
                    swaps.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        for n in 0.. {
            // It may fail: the ground moves under it.
            let _ = s.slot.prepare(&s.store, if n % 2 == 0 { &other } else { &s.tree }, &[]);
            let _ = s.slot.link(&[("models/data".to_owned(), outside.join("precious"))]);
            let _ = s.slot.make_reserved(&["models/deep/made"]);
            if n >= 300 && swaps.load(Ordering::Relaxed) >= 300 || std::time::Instant::now() > end {
                break;
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(swaps.load(Ordering::Relaxed) > 0, "the race took place");
    canaries.iter().for_each(|path| assert_eq!(std_fs::read_to_string(path).unwrap(), "canary", "{}", path.display()));
    assert_eq!(
        std_fs::read_dir(&outside).unwrap().count() + std_fs::read_dir(outside.join("deep")).unwrap().count(),
        5,
        "nothing came to it"
    );
    s.slot.prepare(&s.store, &s.tree, &[]).unwrap();
    assert_eq!(s.slot.verify(&s.store, &s.tree, &[]).unwrap(), Vec::<String>::new());
}
