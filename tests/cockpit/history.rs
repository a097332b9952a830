//! An imported history of many rows: the tree, filters by status, verdict and text, and trials without a diff.

use crate::screen::Term;
use crate::support::Place;
use std::{fmt::Write, fs};

#[test]
fn a_history_of_900_trials_can_be_looked_through() {
    let place = Place::new();
    let mut table = "exp_id\tspecialist\tparent_exp\tdomain\thypothesis\tstatus\tval_bpb\tartifact_bytes\tnotes\n".to_owned();
    for n in 0..=900 {
        let (status, score) = match n {
            0 => ("baseline", "1.1000"),
            _ if n % 30 == 0 => ("keep", "1.0900"),
            _ if n % 7 == 0 => ("size_blocked", "1.0000"),
            _ => ("discard", "1.1200"),
        };
        let parent = if n == 0 { String::new() } else { format!("exp_{}", (n - 1) / 30 * 30) };
        if n % 50 == 25 {
            writeln!(table, "{n:03}\treg\t{parent}\treg\tcut number {n}").unwrap();
        } else {
            writeln!(table, "{n:03}\treg\t{parent}\treg\tidea number {n}\t{status}\t{score}\t15000000\tthe notes of {n}").unwrap();
        }
    }
    fs::write(place.path("many.tsv"), table).unwrap();
    place.run(&["import", "many.tsv", "--from", "recipes"]).exits(0);
    let mut deck = Term::open(&place, (120, 36), &["attach", "many"]);
    for words in ["imported from recipes", "trials 900", "901 of 901", "idea number 900", "imported without its code: there is no diff"] {
        deck.sees(words);
    }
    deck.press("g");
    deck.sees("1 of 901");
    deck.press("/unreadable\r");
    deck.sees("18 of 901");
    deck.sees("cut, outcome unknown");
    deck.press("/\x15gate failed\r");
    deck.sees("/gate failed");
    deck.sees("size_blocked");
    deck.press("/\x15keep number 300\r");
    deck.sees("1 of 901");
    deck.sees("the notes of 300");
    // What needs an engine says that there is none, and none is started.
    deck.press("p");
    deck.sees("an imported history is to look at");
    deck.resize(80, 24);
    deck.sees("imported from recipes");
    deck.press("q");
    assert!(deck.end().success());
    assert!(place.engine("many").is_none());
}
