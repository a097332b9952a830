//! However the cockpit is left, the terminal is a shell's again, and the engine goes on.

use crate::screen::Term;
use crate::support::{Place, Toy, alive, kill, wait_until};
use rustix::process::{Pid, Signal, kill_process};

/// A study whose runs take long enough to be left, and the name of its engine.
fn study(place: &Place) -> i32 {
    let toy = Toy::new(place).quick().train("PAUSE = 0.0", "PAUSE = 0.5").write(place, "toy");
    place.run(&["run", &toy.to_string_lossy(), "--name", "s", "--detach", "--autonomy", "auto", "--slots", "1"]).exits(0);
    wait_until("the engine", || place.engine("s"))
}

/// Attaches and waits for a whole screen.
fn attached(place: &Place) -> Term {
    let mut deck = Term::open(place, (120, 36), &["attach", "s"]);
    deck.sees("t0000");
    deck.sees("? help");
    assert!(!deck.cooked());
    deck
}

#[test]
fn q_and_sigterm_give_the_terminal_back() {
    let place = Place::new();
    let engine = study(&place);
    let mut deck = attached(&place);
    deck.press("q");
    deck.until("a cooked terminal", |s| !s.alternate_screen() && s.contents().contains("comes back"));
    assert!(deck.cooked());
    assert!(deck.end().success());
    deck.given_back();

    let mut deck = attached(&place);
    kill_process(Pid::from_raw(deck.pid()).unwrap(), Signal::TERM).unwrap();
    deck.end();
    deck.given_back();
    deck.sees("the engine works on");
    assert!(alive(engine) && place.engine("s") == Some(engine));
}

#[test]
fn who_leaves_the_card_has_started_nothing() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    let mut deck = Term::open(&place, (80, 24), &["run", "toy", "--name", "s", "--trials", "1", "--autonomy", "auto"]);
    deck.sees("enter starts");
    deck.press("q");
    deck.until("its last words", |s| !s.alternate_screen() && s.contents().contains("`trialdeck resume s` starts it"));
    deck.end();
    deck.given_back();
    assert!(place.engine("s").is_none() && place.starts().is_empty());
    place.run(&["ls"]).exits(0).says(&["not started"]);
    place.run(&["show", "s"]).exits(0).says(&["was not started yet: `trialdeck resume s", "s: not started"]);
    let doctor = place.run(&["doctor"]);
    assert!(!doctor.out.contains("lost theirs"), "{doctor:#?}");
    let out = place.run(&["resume", "s", "--auto"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    assert_eq!(place.journal("s").iter().filter(|e| e["event"] == "engine_started").count(), 1);
}

#[test]
fn a_shell_suspends_it_and_brings_it_back() {
    let place = Place::new();
    study(&place);
    let mut shell = Term::start(&place, (120, 36), "sh", &["-i"]);
    shell.sees("shell>");
    shell.press(&format!("{} attach s\r", env!("CARGO_BIN_EXE_trialdeck")));
    shell.sees("? help");
    assert!(!shell.cooked());
    shell.press("\x1a");
    // The shell's own words, on the screen that it had.
    shell.until("the shell's prompt", |s| !s.alternate_screen() && s.contents().contains("Stopped"));
    shell.given_back();
    shell.press("fg\r");
    shell.until("the cockpit again", |s| s.alternate_screen() && s.contents().contains("? help") && s.hide_cursor());
    shell.press("?");
    shell.sees("everywhere");
    shell.press("\x1b");
    shell.loses("everywhere");
    shell.press("q");
    shell.until("its last words", |s| !s.alternate_screen() && s.contents().contains("`trialdeck attach s` comes back"));
    shell.press("echo $((6 * 7))\r");
    shell.sees("42");
    shell.given_back();
}

/// Opens a terminal of its own for a program and shows what it writes. Killed, it takes that terminal away.
const HOLDER: &str = r#"
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
    os.execv(sys.argv[1], sys.argv[1:])
with open(sys.argv[-1] + ".pid", "w") as out:
    out.write(str(pid))
while True:
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    os.write(1, data)
"#;

#[test]
fn a_line_that_drops_ends_the_cockpit_and_not_the_engine() {
    let place = Place::new();
    let engine = study(&place);
    let program = env!("CARGO_BIN_EXE_trialdeck");
    let mut holder = Term::start(&place, (120, 36), "python3", &["-c", HOLDER, program, "attach", "s"]);
    holder.sees("? help");
    let cockpit: i32 = wait_until("its number", || std::fs::read_to_string(place.path("s.pid")).ok()?.parse().ok());
    assert!(alive(cockpit));
    kill(holder.pid());
    wait_until("the end of the cockpit", || (!alive(cockpit)).then_some(()));
    assert!(alive(engine));
    // And it can be looked at again.
    let mut deck = attached(&place);
    deck.press("q");
    assert!(deck.end().success());
}
