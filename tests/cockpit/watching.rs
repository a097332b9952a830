//! Who only watches sees everything and changes nothing.

use crate::screen::Term;
use crate::support::{Place, Toy, wait_until};

#[test]
fn no_key_of_a_watcher_changes_the_study() {
    let place = Place::new();
    let toy = Toy::new(&place).quick().train("PAUSE = 0.0", "PAUSE = 0.5").write(&place, "toy");
    place.run(&["run", &toy.to_string_lossy(), "--name", "s", "--detach", "--autonomy", "ask", "--slots", "1"]).exits(0);
    place.shown("s", "a proposal that waits", |s| s["trials"].as_array().unwrap().iter().any(|t| t["status"] == "waiting"));
    let mut deck = Term::open(&place, (120, 36), &["attach", "s", "--watch"]);
    deck.sees("t0001");
    deck.sees("? help");
    // Pause; accept in the queue; stop, and yes to the question.
    for keys in ["p", "ra", "Q\ry"] {
        deck.press(keys);
        deck.sees("--watch");
    }
    // A key that is safe still works, and was read after all of those.
    deck.press("?");
    deck.sees("everywhere");
    deck.press("\x1b");
    deck.loses("everywhere");
    deck.press("q");
    assert!(deck.end().success());
    deck.given_back();
    let told = |e: &serde_json::Value| matches!(e["event"].as_str(), Some("stop_asked" | "state_changed")) || e["by"] == "human";
    assert!(!place.journal("s").iter().any(told), "{:#?}", place.journal("s"));
    place.run(&["stop", "s", "--now"]).exits(0);
    wait_until("the engine's end", || place.engine("s").is_none().then_some(()));
}
