//! Bad input: journals that were torn or altered, and a disk that is full.

use crate::support::{Place, Toy};
use std::{fs, io::Write};

fn ended(place: &Place) {
    Toy::new(place).quick().write(place, "toy");
    let out = place.run(&["run", "toy", "--auto", "--trials", "2", "--name", "a"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
}

#[test]
fn a_torn_last_line_is_recovered_and_an_altered_one_refused_by_number() {
    let place = Place::new();
    ended(&place);
    let journal = place.study("a").join("journal.jsonl");
    let whole = place.journal_bytes("a");
    fs::OpenOptions::new().append(true).open(&journal).unwrap().write_all(b"{\"seq\":99,\"at\":17952575").unwrap();
    // Readers leave it be; the next engine cuts it and says so.
    assert_eq!(place.show("a")["budget"]["trials_used"], 2);
    let out = place.run(&["resume", "a", "--trials", "+1", "--auto"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    assert!(place.journal_bytes("a").starts_with(&whole));
    assert_eq!(place.show("a")["budget"]["trials_used"], 3);
    let noted = place.journal("a").iter().any(|e| e["event"] == "noted" && e["text"].as_str().unwrap().contains("recovered"));
    eprintln!("the recovery was noted: {noted}");
    assert!(noted || out.err.contains("recovered"), "{out:#?}");

    let text = fs::read_to_string(&journal).unwrap();
    let line = text.lines().position(|l| l.contains("\"run_scored\"")).unwrap() + 1;
    let altered: Vec<String> = text
        .lines()
        .enumerate()
        .map(|(i, l)| if i + 1 == line { l.replacen("\"score\":0.", "\"score\":0.0", 1) } else { l.to_owned() })
        .collect();
    assert_ne!(altered.join("\n"), text.trim_end());
    fs::write(&journal, altered.join("\n") + "\n").unwrap();
    for cache in ["snapshot.json", "head.json"] {
        let _ = fs::remove_file(place.study("a").join(cache));
    }
    let number = format!("line {line}");
    place.run(&["resume", "a", "--trials", "+1", "--auto"]).exits(1).says(&[&number]);
    place.run(&["show", "a"]).exits(1).says(&[&number]);
    // Nothing was written to it, and the list of studies still comes.
    assert_eq!(fs::read_to_string(&journal).unwrap(), altered.join("\n") + "\n");
    place.run(&["ls"]).exits(0).says(&["a"]);
}

/// Runs below a small file system that is filled and emptied again while a study is at work.
const SCRIPT: &str = r#"set -eu
mount -t tmpfs -o size=40m tmpfs "$SMALL" || { echo no-mount; exit 77; }
"$TRIALDECK" run toy --detach --proposer researcher --name a --studies "$SMALL"
until "$TRIALDECK" show a --json --studies "$SMALL" | grep -q '"status":"done"'; do :; done
dd if=/dev/zero of="$SMALL/filler" bs=64k 2>/dev/null || true
cp "$SMALL/a/journal.jsonl" before.jsonl
code=0
"$TRIALDECK" propose a --from edited -m "wider" --wait --json --studies "$SMALL" > proposed.json 2> proposed.err || code=$?
echo $code > proposed.code
# More than the last page of the journal has room for.
long=$(printf '%01500d' 0)
for word in one two three four; do
  ( code=0; "$TRIALDECK" ctl a steer "$word $long" --studies "$SMALL" > steered.$word 2>&1 || code=$?; echo $code > steered.$word.code ) &
done
for look in 1 2 3; do "$TRIALDECK" show a --studies "$SMALL" > shown.txt; done
cat steered.*.code > early.txt 2>/dev/null || true
rm "$SMALL/filler"
wait
cp "$SMALL/a/journal.jsonl" after.jsonl
"$TRIALDECK" show a --json --studies "$SMALL" > shown.json
"$TRIALDECK" stop a --studies "$SMALL"
"$TRIALDECK" attach a --studies "$SMALL" > attached.txt || true
"#;

#[test]
fn a_full_disk_is_waited_out_and_nothing_is_lost() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    fs::create_dir(place.path("edited")).unwrap();
    fs::write(place.path("edited/train.py"), Toy::new(&place).train("WIDTH = 8", "WIDTH = 16").train).unwrap();
    fs::create_dir(place.path("small")).unwrap();
    let mut command = place.program("unshare", &["-Urm", "sh", "-c", SCRIPT]);
    command.env("SMALL", place.path("small")).env("TRIALDECK", env!("CARGO_BIN_EXE_trialdeck"));
    let out = place.start(command).end();
    if out.code == 77 || out.err.contains("unshare") {
        eprintln!("skipped: this machine lets no test mount a file system ({})", out.err.trim());
        return;
    }
    let out = out.exits(0);
    let read = |name: &str| fs::read_to_string(place.path(name)).unwrap_or_default();
    let names = ["proposed.err", "steered.one", "steered.two", "steered.three", "steered.four", "early.txt", "attached.txt"];
    let said = names.map(|n| format!("{n}: {}", read(n)));
    let after = read("after.jsonl");
    assert!(after.starts_with(&read("before.jsonl")), "{out:#?}\n{said:#?}");
    // What could not be stored was refused with the reason.
    assert_eq!(read("proposed.code").trim(), "1", "{said:#?}");
    assert!(read("proposed.err").contains("No space left"), "{said:#?}");
    assert!(!after.contains("\"proposed\""), "{after}");
    // What was acknowledged is in the journal; what was not was refused with the reason, and is not there.
    let mut refused = 0;
    for word in ["one", "two", "three", "four"] {
        let recorded = after.contains(&format!("\"{word} 000"));
        if read(&format!("steered.{word}.code")).trim() == "0" {
            assert!(recorded, "{word} was acknowledged and is lost: {said:#?}");
        } else {
            refused += 1;
            assert!(!recorded && read(&format!("steered.{word}")).contains("no room left"), "{word}: {said:#?}");
        }
    }
    assert!(refused > 0, "the disk was never full: {said:#?}");
    assert!(read("shown.txt").contains("t0000"), "{said:#?}");
    assert!(read("attached.txt").contains("finished (user)"), "{said:#?}");
}
