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
#[ignore = "waits too tightly for a loaded machine; run with --ignored"]
fn q_and_sigterm_give_the_terminal_back() {
    let place = Place::new();
    let engine = study(&place);
    let mut deck = attached(&place);
    deck.press("q");
    assert!(deck.end().success());
    deck.given_back();
    deck.sees("the engine works on; `trialdeck attach s` comes back");

    let mut deck = attached(&place);
    kill_process(Pid::from_raw(deck.pid()).unwrap(), Signal::TERM).unwrap();
    deck.end();
    deck.given_back();
    deck.sees("the engine works on");
    assert!(alive(engine) && place.engine("s") == Some(engine));
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
#[ignore = "waits too tightly for a loaded machine; run with --ignored"]
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
