//! Any size, at any time.

use crate::screen::Term;
use crate::support::{Place, Toy};

#[test]
fn a_terminal_of_10x3_and_resizes_in_mid_run() {
    let place = Place::new();
    let toy = Toy::new(&place).quick().train("PAUSE = 0.0", "PAUSE = 0.2").write(&place, "toy");
    let toy = toy.to_string_lossy().into_owned();
    let mut deck = Term::open(&place, (120, 36), &["run", &toy, "--name", "s", "--trials", "4", "--autonomy", "auto"]);
    deck.sees("enter starts");
    // The card too.
    deck.resize(10, 3);
    deck.sees("enter sta");
    deck.resize(120, 36);
    deck.sees("before the first run of s");
    deck.press("\r");
    deck.sees("running");
    for (columns, rows) in [(80, 24), (10, 3), (200, 60), (1, 1), (40, 12), (160, 48), (60, 20), (120, 36)] {
        deck.resize(columns, rows);
        // A screen of its own size has its last corner drawn.
        if columns >= 40 {
            deck.until(&format!("a frame of {columns}x{rows}"), |s| {
                let last = s.contents_between(rows - 1, 0, rows - 1, columns);
                let first = s.contents_between(0, 0, 0, columns);
                last.contains("? help") && first.contains('s') && s.contents().contains("trials")
            });
        }
    }
    deck.sees("finished: trials");
    deck.press("q");
    assert!(deck.end().success());

    let mut small = Term::open(&place, (10, 3), &["attach", "s"]);
    small.sees("best");
    // None of these opens something that cannot be seen and would take the `q`.
    small.press("?:/ivrz3\t j q");
    assert!(small.end().success());
    small.given_back();
}
