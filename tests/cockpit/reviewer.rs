//! Journey 2: a reviewer at 120x36 accepts one proposal, vetoes one, edits one and pitches an own idea.

use crate::screen::Term;
use crate::support::{Place, Toy, trial};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;

/// First call: another momentum. Second call: another width.
const EDITOR: &str = r#"#!/bin/sh
if [ -e "$0.used" ]; then
    sed -i.old 's/^WIDTH = .*/WIDTH = 48/' "$1"
else
    : > "$0.used"
    sed -i.old 's/^MOMENTUM = .*/MOMENTUM = 0.777/' "$1"
fi
"#;

fn decisions(trial: &Value) -> Vec<(&str, &str)> {
    let reviews = trial["reviews"].as_array().unwrap();
    reviews.iter().map(|r| (r["by"].as_str().unwrap(), r["decision"].as_str().unwrap())).collect()
}

/// The proposal that is shown, and its trial: `p0002 → t0001` on the border of its pane.
fn shown(text: &str) -> Option<(String, String)> {
    let (before, after) = text.split_once(" → t")?;
    let proposal: String = before.chars().rev().take(5).collect::<Vec<_>>().into_iter().rev().collect();
    let trial: String = after.chars().take_while(char::is_ascii_digit).collect();
    (proposal.starts_with('p') && trial.len() == 4).then(|| (proposal, format!("t{trial}")))
}

/// Waits for the diff of a proposal that is none of these.
fn next(deck: &mut Term, done: &[&(String, String)]) -> (String, String) {
    let fresh = |text: &str| shown(text).filter(|s| !done.contains(&s) && text.contains("@@"));
    deck.until("the next proposal", |s| fresh(&s.contents()).is_some());
    fresh(&deck.text()).unwrap()
}

#[test]
fn a_reviewer_accepts_vetoes_edits_and_pitches() {
    let place = Place::new();
    let editor = place.path("editor");
    std::fs::write(&editor, EDITOR).unwrap();
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    // Every run says with which values it ran, outside of its slot.
    let said = r#"f"{os.environ['TRIALDECK_TRIAL']} {LEARNING_RATE} {MOMENTUM} {WIDTH}\n""#;
    let toy = Toy::new(&place).quick().train(r#"os.environ["TRIALDECK_TRIAL"] + "\n""#, said).write(&place, "toy");
    let toy = toy.to_string_lossy().into_owned();
    let mut deck = Term::open(&place, (120, 36), &["run", &toy, "--name", "r", "--seed", "5", "--trials", "3", "--autonomy", "ask"]);
    deck.sees("before the first run of r");
    deck.sees("enter starts the first run");
    assert!(place.starts().is_empty(), "nothing runs before enter");
    deck.press("\r");
    deck.sees("waiting");
    deck.press("r");
    deck.sees("review queue");

    let accepted = next(&mut deck, &[]);
    deck.press("a");
    deck.sees(&format!("accepted {}", accepted.0));

    let vetoed = next(&mut deck, &[&accepted]);
    deck.press("v");
    deck.sees(&format!("veto {}", vetoed.0));
    deck.press("too slow for us\r");
    deck.sees(&format!("vetoed {}", vetoed.0));

    let edited = next(&mut deck, &[&accepted, &vetoed]);
    deck.press("e");
    deck.sees(&format!("your edit of {} is accepted", edited.0));

    deck.press("i");
    deck.sees("an idea on");
    deck.press("A wider layer holds more\r");
    deck.sees("your idea is in the queue");

    deck.sees("finished: trials");
    deck.press("q");
    assert!(deck.end().success());
    deck.given_back();
    deck.sees("trialdeck show r");

    let shown = place.shown("r", "the end", |v| v["state"] == "finished");
    let (accepted_id, vetoed_id, edited_id) = (&accepted.1, &vetoed.1, &edited.1);
    let accepted = trial(&shown, accepted_id);
    assert_eq!((accepted["status"].as_str(), decisions(accepted)), (Some("done"), vec![("human", "accept")]), "{accepted:#}");
    let vetoed = trial(&shown, vetoed_id);
    assert_eq!((vetoed["status"].as_str(), decisions(vetoed)), (Some("vetoed"), vec![("human", "veto")]), "{vetoed:#}");
    assert_eq!(vetoed["reviews"][0]["reason"], "too slow for us");
    assert_eq!(vetoed["runs"], Value::Array(vec![]));
    let edited = trial(&shown, edited_id);
    assert_eq!(edited["status"], "done");
    assert!(decisions(edited).iter().any(|(by, what)| *by == "human" && *what == "edit"), "{edited:#}");
    let trials = shown["trials"].as_array().unwrap();
    let own = trials.iter().find(|t| t["proposer"] == "researcher").unwrap();
    assert_eq!((own["hypothesis"].as_str(), own["status"].as_str()), (Some("A wider layer holds more"), Some("done")), "{own:#}");

    // What ran, in the words of the runs themselves.
    let ran = |id: &str| {
        let lines = place.starts().into_iter().filter(|l| l.starts_with(id)).collect::<Vec<_>>();
        lines.iter().map(|l| l.split(' ').skip(1).map(str::to_owned).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    assert!(!ran(accepted_id).is_empty());
    assert!(ran(vetoed_id).is_empty(), "what was vetoed never ran");
    let edits = ran(edited_id);
    assert!(!edits.is_empty() && edits.iter().all(|v| v[1] == "0.777"), "what was edited ran as edited: {edits:?}");
    let own_runs = ran(own["id"].as_str().unwrap());
    assert!(!own_runs.is_empty() && own_runs.iter().all(|v| v[2] == "48"), "{own_runs:?}");
}
