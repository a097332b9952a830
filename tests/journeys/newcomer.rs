//! Journey 1: one command on a fresh machine, and a closing table that says what came of it.

use crate::support::Place;
use serde_json::json;

#[test]
fn the_quickstart_ends_with_a_table_that_says_what_came_of_it() {
    let place = Place::new();
    // The data are drawn anew for each study, so one study may find nothing; that two of them do not is next to impossible.
    let improved = ["1", "2"].into_iter().any(|seed| study(&place, seed) > 0.0);
    assert!(improved, "no study improved on its baseline");
    place.run(&["ls", "--short"]).exits(0).says(&["quickstart-1"]);
}

/// Runs a study to its end and looks at all that must hold whatever it found. Returns the gain of its best, 0 without one.
fn study(place: &Place, seed: &str) -> f64 {
    let name = format!("quickstart-{seed}");
    let out = place.run(&["run", "quickstart", "--auto", "--trials", "12", "--seed", seed]);
    let row = |key: &str| {
        let line = out.out.lines().rev().find(|l| l.split_whitespace().next() == Some(key));
        line.unwrap_or_else(|| panic!("no row `{key}` in\n{}", out.out))
    };
    assert!(row("study").contains(&format!("{name}: finished (trials), minimize val_loss")), "{}", row("study"));
    assert!(row("baseline").contains(" ± ") && row("baseline").contains("(3 runs)"), "{}", row("baseline"));
    assert!(row("trials").contains("12 of 12"), "{}", row("trials"));
    assert!(row("time").contains("slots"), "{}", row("time"));
    assert!(out.err.is_empty(), "{}", out.err);
    let shown = place.show(&name);
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("finished"), &json!("trials")));
    assert_eq!(shown["budget"]["trials_used"], 12);
    assert!(shown["baseline"]["sd"].as_f64().is_some_and(|sd| sd > 0.0), "{:#}", shown["baseline"]);
    for trial in shown["trials"].as_array().unwrap() {
        let ran = !trial["runs"].as_array().unwrap().is_empty();
        assert!(!ran || trial["status"] == "done", "{trial:#}");
        assert!(trial["status"] != "done" || trial["id"] == "t0000" || trial["verdict"].is_string(), "{trial:#}");
        // Fresh runs of a decided trial were judged before the end.
        let fresh = trial["runs"].as_array().unwrap().iter().filter(|r| r["kind"] == "certify" && r["score"].is_number()).count();
        assert!(fresh == 0 || trial["verified"] == true || fresh >= 2, "{trial:#}");
    }
    // An improvement is a best that is not the baseline, with a gain; the exit code says whether there is one.
    let best = &shown["best"];
    let gain = if best.is_null() { 0.0 } else { best["gain"].as_f64().unwrap() };
    assert_eq!(out.code, if gain > 0.0 { 0 } else { 3 }, "{best:#}\n{}", out.out);
    if gain > 0.0 {
        let [low, high] = [0, 1].map(|at| best["gain_interval"][at].as_f64().unwrap());
        assert!(low <= gain && gain <= high, "{best:#}");
        assert!(row("best").contains(best["trial"].as_str().unwrap()), "{}", row("best"));
        assert!(row("gain").contains(" +") && row("gain").contains(", 95 % "), "{}", row("gain"));
        assert!(row("holdout").contains("baseline ") && row("holdout").contains(", best "), "{}", row("holdout"));
    }
    gain
}
