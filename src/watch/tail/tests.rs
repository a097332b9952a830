use super::*;
use std::fs;

struct Bench {
    dir: tempfile::TempDir,
    tail: Tail,
    start: Instant,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tail = Tail::new(dir.path().join("log"), Links::Beneath(dir.path().to_owned()));
        Self { dir, tail, start: Instant::now() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn append(&self, text: &str) {
        use std::io::Write;
        fs::OpenOptions::new().append(true).create(true).open(self.path()).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn look_at(&mut self, after_ms: u64) -> (String, Look) {
        let mut buffer = Vec::new();
        let look = self.tail.look(&mut buffer, Mood::Patient, self.start + Duration::from_millis(after_ms)).unwrap();
        (String::from_utf8_lossy(&buffer).into_owned(), look)
    }

    fn text(&mut self) -> String {
        self.look_at(0).0
    }
}

#[test]
fn a_file_that_comes_later_and_grows() {
    let mut b = Bench::new();
    assert_eq!(b.text(), "");
    b.append("one\ntw");
    assert_eq!(b.text(), "one\ntw");
    assert_eq!(b.text(), "");
    b.append("o\n");
    assert_eq!(b.look_at(0), ("o\n".into(), Look::default()));
}

#[test]
fn truncation_starts_again_after_a_moment() {
    let mut b = Bench::new();
    b.append("old old old\n");
    b.text();
    fs::write(b.path(), "new\n").unwrap();
    assert_eq!(b.look_at(10).0, "", "it may come back");
    let (text, look) = b.look_at(500);
    assert_eq!((text.as_str(), look.restarted, look.complete), ("new\n", true, false));
}

#[test]
fn other_content_of_the_same_or_a_larger_size_is_noticed() {
    let mut b = Bench::new();
    b.append("aaaa\n");
    b.text();
    fs::write(b.path(), "bbbb\nbb\n").unwrap();
    let (text, look) = b.look_at(0);
    assert_eq!((text.as_str(), look.restarted), ("bbbb\nbb\n", true));
}

#[test]
fn a_table_written_anew_with_one_more_row_goes_on() {
    let mut b = Bench::new();
    b.append("epoch,loss\n1,0.5\n");
    b.text();
    fs::write(b.path(), "").unwrap();
    assert_eq!(b.look_at(0).0, "");
    fs::write(b.path(), "epoch,loss\n1,0.5\n2,0.4\n").unwrap();
    assert_eq!(b.look_at(20), ("2,0.4\n".into(), Look::default()));
    let other = b.dir.path().join("other");
    fs::write(&other, "epoch,loss\n1,0.5\n2,0.4\n3,0.3\n").unwrap();
    fs::rename(other, b.path()).unwrap();
    assert_eq!(b.look_at(30), ("3,0.3\n".into(), Look::default()), "write and rename");
}

#[test]
fn rotation_reads_the_old_file_to_its_end() {
    let mut b = Bench::new();
    b.append("one\n");
    b.text();
    b.append("last of the old\n");
    fs::rename(b.path(), b.dir.path().join("log.1")).unwrap();
    b.append("new\n");
    assert_eq!(b.text(), "last of the old\n");
    b.look_at(0);
    let (text, look) = b.look_at(500);
    assert_eq!((text.as_str(), look.restarted, look.complete), ("new\n", true, true));
}

#[test]
fn deleted_and_made_again() {
    let mut b = Bench::new();
    b.append("one\ntwo\n");
    b.text();
    fs::remove_file(b.path()).unwrap();
    assert_eq!(b.text(), "");
    b.append("three\nand four\n");
    assert_eq!(b.text(), "three\nand four\n");
}

#[test]
fn a_huge_file_is_read_from_its_end_at_a_whole_line() {
    let mut b = Bench::new();
    b.append("head,er\n");
    let file = fs::OpenOptions::new().write(true).open(b.path()).unwrap();
    file.set_len(FIRST_SIGHT_BYTES + 5_000_000).unwrap();
    file.write_all_at(b"cut off\n1,2\n", 5_000_000 + 10).unwrap();
    let (text, look) = b.look_at(0);
    assert_eq!(look.skipped, 5_000_000);
    assert!(text.starts_with("1,2\n"), "{:?}", &text[..20]);
    assert_eq!(b.tail.place().begin, 5_000_000 + 18);
    assert_eq!(b.tail.first_line().unwrap(), b"head,er\n");
}

#[test]
fn links_pipes_and_directories_are_refused() {
    let mut b = Bench::new();
    let mut buffer = Vec::new();
    let elsewhere = b.dir.path().join("elsewhere");
    fs::write(&elsewhere, "secret 1\n").unwrap();
    std::os::unix::fs::symlink(&elsewhere, b.path()).unwrap();
    assert!(b.tail.look(&mut buffer, Mood::Patient, b.start).is_err(), "a link");
    fs::remove_file(b.path()).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, b.path(), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(b.tail.look(&mut buffer, Mood::Patient, b.start).is_err(), "a pipe, without waiting for its writer");
    fs::remove_file(b.path()).unwrap();
    fs::create_dir(b.path()).unwrap();
    assert!(b.tail.look(&mut buffer, Mood::Patient, b.start).is_err(), "a directory");
}

#[test]
fn a_stored_place_is_known_again() {
    let mut b = Bench::new();
    b.append("one\ntwo\n");
    b.text();
    let place = b.tail.place();
    assert!(b.tail.holds(&place));
    b.append("three\n");
    assert!(b.tail.holds(&place), "growth keeps it");
    fs::write(b.path(), "uno\ndos\ntres\n").unwrap();
    assert!(!b.tail.holds(&place), "other content does not");
}
