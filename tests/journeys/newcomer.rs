//! Journey 1: one command on a fresh machine, and a closing table that says what came of it.

use crate::support::Place;

#[test]
fn the_quickstart_improves_on_its_baseline_and_says_so() {
    let place = Place::new();
    let out = place.run(&["run", "quickstart", "--auto", "--trials", "12", "--seed", "1"]).exits(0);
    let row = |key: &str| {
        let line = out.out.lines().rev().find(|l| l.split_whitespace().next() == Some(key));
        line.unwrap_or_else(|| panic!("no row `{key}` in\n{}", out.out))
    };
    assert!(row("study").contains("quickstart-1: finished (trials), minimize val_loss"));
    assert!(row("baseline").contains(" ± ") && row("baseline").contains("(3 runs)"), "{}", row("baseline"));
    assert!(row("best").contains(" t00"), "{}", row("best"));
    assert!(row("gain").contains(" +") && row("gain").contains(", 95 % +"), "{}", row("gain"));
    assert!(row("holdout").contains("(+"), "{}", row("holdout"));
    assert!(row("trials").contains("12 of 12"), "{}", row("trials"));
    let shown = place.show("quickstart-1");
    assert!(shown["best"]["gain_interval"][0].as_f64().unwrap() > 0.0, "{:#}", shown["best"]);
    assert!(out.err.is_empty(), "{}", out.err);
    // Fresh runs of a decided trial were judged before the end.
    for trial in shown["trials"].as_array().unwrap() {
        let fresh = trial["runs"].as_array().unwrap().iter().filter(|r| r["kind"] == "certify" && r["score"].is_number()).count();
        assert!(fresh == 0 || trial["verified"] == true || fresh >= 2, "{trial:#}");
    }
    place.run(&["ls", "--short"]).exits(0).says(&["quickstart-1"]);
}
