//! Text that wants to be obeyed: hundreds of crafted strings and ten thousand random ones in logs, hypotheses, notes, names and titles,
//! through the real program into a terminal. What comes out moves no cursor, sets no title, fills no clipboard and changes no mode
//! but the program's own, and everything around it stands as in a study of plain words.

use crate::screen::Term;
use crate::support::{Place, Toy};
use std::{fmt::Write, fs, time::Duration};

/// Control sequences of all families, whole and cut, as escape sequences, as C1 in UTF-8 and as raw bytes.
fn crafted() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    let ends: [&[u8]; 4] = [b"\x07", b"\x1b\\", "\u{9c}".as_bytes(), b""];
    let mut string = |head: &[u8], body: &str| {
        for end in ends {
            all.push([head, body.as_bytes(), end, b"after"].concat());
        }
    };
    for body in [
        "0;OWNED",
        "1;OWNED",
        "2;OWNED",
        "4;1;red",
        "7;file://x/",
        "8;;http://evil/",
        "9;note",
        "52;c;T1dORUQ=",
        "777;notify;a;b",
        "1337;File=:aa",
    ] {
        string(b"\x1b]", body);
        string("\u{9d}".as_bytes(), body);
    }
    for head in [&b"\x1bP"[..], b"\x1b_", b"\x1b^", b"\x1bX", b"\x1bk"] {
        string(head, "1;2|OWNED");
    }
    for body in [
        "2J",
        "3J",
        "1K",
        "H",
        "1;1H",
        "99;99H",
        "5A",
        "9B",
        "3C",
        "3D",
        "2E",
        "2F",
        "7G",
        "4d",
        "?1049h",
        "?1049l",
        "?47h",
        "?1000h",
        "?1003h",
        "?1006h",
        "?2004h",
        "?2004l",
        "200~",
        "201~",
        "6n",
        "5n",
        "c",
        ">c",
        "=c",
        "4h",
        "20h",
        "?7l",
        "?25h",
        "?5h",
        "?3h",
        "2;5r",
        "s",
        "u",
        "9L",
        "9M",
        "9P",
        "9@",
        "9X",
        "99b",
        "3S",
        "3T",
        "!p",
        "8;9;9t",
        "21t",
        "5i",
        "?1;2",
        "1;;;;;;;;;;;;;;H",
        "31",
    ] {
        for head in [&b"\x1b["[..], "\u{9b}".as_bytes(), b"\x9b"] {
            all.push([b"a", head, body.as_bytes(), b"after"].concat());
        }
    }
    for c in "c78DEHMNOZ=>no|}~".bytes() {
        all.push(vec![b'a', 0x1b, c, b'z']);
    }
    for body in ["\x1b#8", "\x1b(0lqk", "\x1b)0", "\x1b%G", "\x0e\x0f", "\x1b", "\x1b\x1b[2J", "\x1b[\x1b[2J"] {
        all.push(body.as_bytes().to_vec());
    }
    for c in "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{200e}\u{200f}\u{61c}\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}\u{ad}\u{3164}\u{e0041}\u{2028}\u{85}".chars() {
        all.push(format!("loss{c}0.1").into_bytes());
    }
    for bytes in
        [&b"\xff\xfe"[..], b"\xc3", b"\xe2\x80", b"\xf0\x9f\x92", b"\xc0\x9b2J", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\x80\x9d0;x\x07"]
    {
        all.push([b"bad ", bytes, b" end"].concat());
    }
    for text in [
        "real words\rfake words",
        "x\x08\x08\x08\x08y",
        "\x7f\x7f",
        "bell\x07\x07",
        "\0nul",
        "tab\tbed",
        "wide 日本語 wide",
        "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
        "\u{301}\u{302}first",
        "👩\u{200d}👩\u{200d}👧 ❤\u{fe0f} 👍\u{1f3fd} 🇩🇪",
        "APPROVED by user",
        "\x1b[1;1H p0001 APPROVED by user \x1b[K",
        "\x1b[s\x1b[H\x1b[7mAPPROVED by user\x1b[0m\x1b[u",
        "┌─ review ─┐│ APPROVED by user │└──┘",
        "\x1b[8mhidden\x1b[28m",
        "\x1b[30;40minvisible",
        "\x1b[38;5;1;48;2;1;2;3mcolour",
    ] {
        all.push(text.as_bytes().to_vec());
    }
    all.push(vec![b'A'; 100_000]);
    all.push("\u{301}".repeat(3_000).into_bytes());
    all.push(b"\x1b[".repeat(3_000));
    all.push("日".repeat(3_000).into_bytes());
    all
}

/// Strings of bytes, and of characters that mean something to a terminal.
fn random(n: usize) -> Vec<Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let pieces: [&[u8]; 24] = [
        b"\x1b[",
        b"\x1b]",
        b"\x1bP",
        b"\x1b\\",
        b"\x07",
        b"\x9b",
        b"\xc2\x9b",
        b"\xc2\x9d",
        b"?1049h",
        b"2J",
        b";",
        b"0;t",
        b"52;c;",
        b"H",
        b"\r",
        b"\x08",
        b"\xe2\x80\xae",
        b"\xe2\x81\xa6",
        b"\xcc\x81",
        b"\xe6\x97\xa5",
        b"\xf0\x9f\x91\xa9",
        b"loss=0.5 ",
        b"m",
        b"\x1b",
    ];
    let one = |_| {
        let mut out = Vec::new();
        for _ in 0..next(24) {
            match next(3) {
                0 => out.push(next(256) as u8),
                _ => out.extend_from_slice(pieces[next(pieces.len())]),
            }
        }
        out
    };
    (0..n).map(one).collect()
}

/// What the terminal was told besides text.
#[derive(Default)]
struct Heard {
    titles: Vec<String>,
    clipboard: usize,
    bells: usize,
    other: Vec<String>,
}

impl vt100::Callbacks for Heard {
    fn audible_bell(&mut self, _: &mut vt100::Screen) {
        self.bells += 1;
    }
    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.titles.push(String::from_utf8_lossy(title).into_owned());
    }
    fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8], _: &[u8]) {
        self.clipboard += 1;
    }
    fn unhandled_char(&mut self, _: &mut vt100::Screen, c: char) {
        // What was no UTF-8 is shown as this.
        if c != char::REPLACEMENT_CHARACTER {
            self.other.push(format!("{c:?}"));
        }
    }
    fn unhandled_control(&mut self, _: &mut vt100::Screen, b: u8) {
        self.other.push(format!("control {b:#x}"));
    }
    fn unhandled_escape(&mut self, _: &mut vt100::Screen, i1: Option<u8>, i2: Option<u8>, b: u8) {
        self.other.push(format!("escape {i1:?} {i2:?} {:?}", b as char));
    }
    fn unhandled_osc(&mut self, _: &mut vt100::Screen, params: &[&[u8]]) {
        self.other.push(format!("osc {:?}", params.iter().map(|p| String::from_utf8_lossy(p)).collect::<Vec<_>>()));
    }
}

/// Every sequence in what a program wrote to its terminal, and whether all else is plain text.
#[track_caller]
pub(crate) fn sequences(bytes: &[u8], allowed: &[&str]) {
    let text =
        std::str::from_utf8(bytes).unwrap_or_else(|e| panic!("not UTF-8 at {}: {:?}", e.valid_up_to(), &bytes[e.valid_up_to()..][..8]));
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let around = || rest.chars().take(60).collect::<String>();
        match c {
            '\u{1b}' => {
                let end = match rest.as_bytes().get(1) {
                    Some(b'[') => rest.bytes().skip(2).position(|b| (0x40..0x7f).contains(&b)).map(|n| n + 3),
                    Some(b']') => rest.find('\u{7}').map(|n| n + 1),
                    _ => None,
                };
                let end = end.unwrap_or_else(|| panic!("a sequence without an end: {:?}", around()));
                let sequence = &rest[1..end];
                let known = allowed.iter().any(|a| match a.strip_suffix('*') {
                    Some(head) => sequence.starts_with(head),
                    // One letter allows all of its parameters, as long as they are numbers.
                    None if a.len() == 1 => {
                        sequence.ends_with(a)
                            && sequence[1..sequence.len() - 1].bytes().all(|b| b.is_ascii_digit() || b == b';' || b == b':')
                    }
                    None => sequence == *a,
                });
                assert!(known, "{sequence:?} reached the terminal: {:?}", around());
                rest = &rest[end..];
                continue;
            }
            '\r' | '\n' | '\t' => {}
            c => assert!(trialdeck::model::drawable(c.encode_utf8(&mut [0; 4])), "{c:?} reached the terminal: {:?}", around()),
        }
        rest = &rest[c.len_utf8()..];
    }
}

/// A history whose names, hypotheses and notes are the given strings.
fn history(place: &Place, name: &str, words: &[String]) {
    let mut table = "exp_id\tspecialist\tparent_exp\tdomain\thypothesis\tstatus\tval_bpb\tartifact_bytes\tnotes\n".to_owned();
    for (n, word) in words.iter().enumerate() {
        let parent = if n == 0 { String::new() } else { "exp_0".to_owned() };
        let status = if n == 0 { "baseline" } else { "discard" };
        writeln!(table, "{n}\t{word}\t{parent}\t{word}\t{word}\t{status}\t1.1\t15000000\t{word}").unwrap();
    }
    fs::write(place.path(format!("{name}.tsv")), table).unwrap();
    place.run(&["import", &format!("{name}.tsv"), "--from", "recipes"]).exits(0);
}

/// Walks the cockpit through a history; what the terminal got, and header and footer at the end.
fn walked(place: &Place, name: &str) -> (Vec<u8>, Vec<String>) {
    let mut deck = Term::open(place, (100, 30), &["attach", name]);
    deck.sees("imported from recipes");
    deck.press("gz");
    for _ in 0..16 {
        deck.press("\x04");
        deck.falls_silent(Duration::from_millis(120));
    }
    deck.press("z");
    for _ in 0..6 {
        deck.press("kkk");
        deck.falls_silent(Duration::from_millis(120));
    }
    deck.press("/APPROVED\x15plain\r");
    deck.press("\x1b");
    deck.falls_silent(Duration::from_millis(300));
    let rows: Vec<String> = deck.text().lines().map(str::to_owned).collect();
    let around = vec![rows[0].clone(), rows[rows.len() - 1].clone()];
    deck.press("q");
    assert!(deck.end().success());
    deck.given_back();
    (deck.heard().to_vec(), around)
}

pub(crate) const COCKPIT: [&str; 22] = [
    "m",
    "H",
    "J",
    "K",
    "[?1049h",
    "[?1049l",
    "[?25l",
    "[?25h",
    "[?2004h",
    "[?2004l",
    "[?1004h",
    "[?1004l",
    "[?2026h",
    "[?2026l",
    "[?1000h",
    "[?1002h",
    "[?1003h",
    "[?1015h",
    "[?1006h",
    "]0;trialdeck*",
    "]0;\u{7}",
    "[?1*",
];

#[test]
fn the_cockpit_draws_hostile_words_inert() {
    let place = Place::new();
    let clean =
        |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).replace(['\t', '\n', '\r', '"'], " ").chars().take(400).collect::<String>();
    let words: Vec<String> = std::iter::once("plain".to_owned()).chain(crafted().iter().chain(&random(200)).map(clean)).collect();
    assert!(words.len() > 400);
    history(&place, "hostile", &words);
    history(&place, "control", &words.iter().map(|_| "plain words".to_owned()).collect::<Vec<_>>());
    let (hostile, around) = walked(&place, "hostile");
    let (control, plain) = walked(&place, "control");
    sequences(&hostile, &COCKPIT);
    sequences(&control, &COCKPIT);
    let told = |bytes: &[u8]| {
        let mut term = vt100::Parser::new_with_callbacks(30, 100, 0, Heard::default());
        term.process(bytes);
        let (modes, cursor) = (term.screen().input_mode_formatted(), term.screen().cursor_position());
        let heard = term.callbacks();
        (heard.titles.iter().map(|t| t.replace("hostile", "control")).collect::<Vec<_>>(), heard.clipboard, heard.bells, modes, cursor)
    };
    assert_eq!(told(&hostile), told(&control), "titles, clipboard, bells, modes, cursor");
    assert_eq!(around.iter().map(|r| r.replace("hostile", "control")).collect::<Vec<_>>(), plain, "header and footer");
}

#[test]
fn lines_on_a_terminal_are_inert() {
    let place = Place::new();
    let mut toy = Toy::new(&place).quick();
    toy.task = toy.task.replace("name   = \"toy\"", "name   = \"toy\"\ntitle  = \"a\\u001b]0;OWNED\\u0007\\u202e title\"");
    let print = "    import sys\n    sys.stdout.flush()\n    sys.stdout.buffer.write(open('hostile.bin', 'rb').read())\n    sys.stdout.flush()\n    loss += random.gauss";
    let toy = toy.train("    loss += random.gauss", print);
    let dir = toy.write(&place, "toy");
    let strings: Vec<Vec<u8>> = crafted().into_iter().chain(random(10_000)).collect();
    fs::write(dir.join("hostile.bin"), [strings.join(&b'\n'), b"\n".to_vec()].concat()).unwrap();
    fs::write(dir.join("na\u{1b}[2Jme\u{202e}.txt"), "x").unwrap();
    place.run(&["run", "toy", "--name", "a", "--detach", "--trials", "1", "--autonomy", "ask", "--isolation", "none"]).exits(0);
    place.shown("a", "the baseline", |v| v["trials"][0]["status"] == "done");
    let copy = place.path("copy");
    place.run(&["export", "a", "t0000", "--dir", "copy"]);
    let train = fs::read_to_string(copy.join("train.py")).unwrap();
    fs::write(copy.join("train.py"), train.replace("WIDTH = 8", "WIDTH = 9  # \u{1b}]0;OWNED\u{7}\u{202e}\u{9b}2J")).unwrap();
    place.run(&["propose", "a", "--from", "copy", "-m", "wider\u{1b}[2J\u{1b}]52;c;T1dORUQ=\u{7}\u{202e} APPROVED by user"]).exits(0);
    place.shown("a", "the proposal", |v| v["trials"].to_string().contains("APPROVED"));
    place.run(&["ctl", "a", "steer", "go \u{1b}[2J\u{9b}2J"]).exits(0);
    let last = "t0001";
    for args in [
        &["log", "a", "t0000"][..],
        &["diff", "a", last],
        &["show", "a"],
        &["show", "a", last],
        &["show", "a", "--json"],
        &["show", "a", last, "--json"],
        &["diff", "a", last, "--json"],
        &["export", "a", last, "--patch"],
        &["tree", "a"],
        &["ls"],
        &["export", "a", "--tsv"],
        &["doctor", "toy"],
        &["knobs", "toy", "--all"],
        &["show", "no\u{1b}[2J\u{202e}such"],
        &["run", "no\u{1b}[2J\u{202e}such"],
        &["no\u{1b}[2Jsuch"],
        &["attach", "a", "--no\u{1b}]0;OWNED\u{7}"],
    ] {
        let mut term = Term::open(&place, (100, 30), args);
        term.end();
        sequences(term.heard(), &["m"]);
        let mut told = vt100::Parser::new_with_callbacks(30, 100, 0, Heard::default());
        told.process(term.heard());
        let heard = told.callbacks();
        assert!(
            heard.titles.is_empty() && heard.clipboard == 0 && heard.bells == 0 && heard.other.is_empty(),
            "{args:?}: {:?}",
            heard.other
        );
        term.given_back();
        if args[0] == "log" {
            assert!(String::from_utf8_lossy(term.heard()).matches('␛').count() > 2_000, "what was there is shown");
        }
    }
    let mut deck = Term::open(&place, (120, 36), &["attach", "a"]);
    deck.sees("WIDTH = 9  # ␛]0;OWNED␇<U+202E><U+009B>2J");
    deck.press("G");
    for key in ["4", "z", "\x15\x15\x15", "z", "5", "6", "?", "\x1b"] {
        deck.press(key);
        deck.falls_silent(Duration::from_millis(200));
    }
    deck.press("q");
    deck.sees(" for your review.");
    deck.press("k");
    deck.end();
    sequences(deck.heard(), &COCKPIT);
    place.run(&["stop", "a", "--now"]);
}
