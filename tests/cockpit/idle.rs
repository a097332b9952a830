//! A cockpit with nothing to show writes nothing.

use crate::screen::Term;
use crate::support::{Place, Toy};
use std::time::Duration;

#[test]
fn no_frame_when_nothing_changes() {
    let place = Place::new();
    let toy = Toy::new(&place).quick().write(&place, "toy");
    place.run(&["run", &toy.to_string_lossy(), "--name", "s", "--auto", "--trials", "2"]);
    place.shown("s", "the end", |v| v["state"] == "finished");
    let mut deck = Term::open(&place, (120, 36), &["attach", "s"]);
    deck.sees("finished: trials");
    // Longer than the clock's second and the notice's four: only a cockpit at rest is silent for so long.
    deck.falls_silent(Duration::from_millis(4500));
    // It is not dead: one key, one frame, and silence again.
    deck.press("?");
    deck.sees("everywhere");
    deck.falls_silent(Duration::from_millis(1500));
    deck.press("\x1b");
    deck.loses("everywhere");
    deck.press("q");
    assert!(deck.end().success());
    deck.given_back();
}
