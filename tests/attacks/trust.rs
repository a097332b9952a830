//! `docs/trust.md`: the table of attacks by tiers, as they went. Columns of tiers that a machine does not offer stay as they
//! were; those that it offers must agree.

use super::{
    drill::{Outcome, Report},
    table::{ATTACKS, Attack},
    tiers::Tier,
};
use std::{collections::BTreeMap, fmt::Write, fs, path::PathBuf};

/// Cells of the table, by attack and tier.
pub(crate) type Cells = BTreeMap<(u8, Tier), String>;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/trust.md")
}

const BEGIN: &str = "<!-- the table is written by the attack suite -->";
const END: &str = "<!-- end of the table -->";

/// What a breach means, for people.
fn words(breach: &str) -> &'static str {
    match breach {
        "evaluator" => "changes the evaluator",
        "study" => "changes the study",
        "home" => "changes the home",
        "repository" => "changes your repository",
        "labels" => "reads labels",
        "keys" => "reads keys",
        "runs" => "reads other runs",
        "journal" => "reads the journal",
        "memory" => "reads other processes",
        "network" => "reaches the network",
        "sockets" => "reaches your sockets",
        "open sockets" => "reaches sockets that are open to all",
        "signals" => "signals processes",
        "scheduling" => "slows or moves your processes",
        "shared" => "meets other runs in common directories",
        "environment" => "changes programs",
        "survivors" => "outlives its run",
        "executed" => "runs elsewhere",
        "score" => "gets a score that it did not earn",
        _ => "something else",
    }
}

/// One cell.
fn cell(tier: Tier, outcome: &Outcome) -> String {
    let known = known_open(outcome.attack, tier);
    if outcome.breaches.is_empty() {
        let mut fates: Vec<String> = outcome.fates.iter().map(|f| if f.contains('_') { format!("`{f}`") } else { f.clone() }).collect();
        fates.sort_by_key(|f| ["refused", "vetoed"].iter().position(|w| w == f).unwrap_or(if f == "flagged" { 9 } else { 5 }));
        let fates = fates.join(", ");
        let elsewhere = known.iter().map(|b| words(b)).collect::<Vec<_>>().join(", ");
        return if known.is_empty() { fates } else { format!("{fates}; on some machines **{elsewhere}**") };
    }
    let open: Vec<&str> = outcome.breaches.keys().map(|b| words(b)).collect();
    let seen = outcome.fates.contains("tampered");
    format!("**{}**{}", open.join(", "), if seen { "; seen: `tampered`" } else { "" })
}

/// What a tier is known not to stop on every machine.
fn known_open(attack: &Attack, tier: Tier) -> Vec<&'static str> {
    attack.open.iter().filter(|(t, _)| *t == tier).flat_map(|(_, words)| words.iter().copied()).collect()
}

/// Whether a cell is the same on every machine: what a tier is known to leave open on some is not, nor is what attacks get without
/// isolation, which depends on who runs the program.
fn the_same_everywhere(id: u8, tier: Tier, root: bool) -> bool {
    let attack = ATTACKS.iter().find(|a| a.id == id);
    (root || tier != Tier::E) && attack.is_some_and(|a| known_open(a, tier).is_empty())
}

/// The cells of the document as it stands.
fn written(text: &str) -> Cells {
    let mut cells = Cells::new();
    let table = text.split(BEGIN).nth(1).and_then(|t| t.split(END).next()).unwrap_or_default();
    for line in table.lines() {
        let parts: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let Some(id) = parts.first().and_then(|p| p.strip_prefix('A')?.parse::<u8>().ok()) else { continue };
        for (tier, cell) in Tier::ALL.into_iter().zip(parts.iter().skip(3)) {
            cells.insert((id, tier), (*cell).to_owned());
        }
    }
    cells
}

fn table(cells: &Cells) -> String {
    let mut text = format!("{BEGIN}\n\n| | attack | what stops it | A | B | C | D | E |\n|---|---|---|---|---|---|---|---|\n");
    let mut attacks: Vec<_> = ATTACKS.iter().collect();
    attacks.sort_by_key(|a| a.id);
    for attack in attacks {
        let _ = write!(text, "| A{} | {} | {} |", attack.id, attack.what, attack.by);
        for tier in Tier::ALL {
            let _ = write!(text, " {} |", cells.get(&(attack.id, tier)).map_or("not tried yet", String::as_str));
        }
        text.push('\n');
    }
    let _ = write!(text, "\n{END}");
    text
}

/// Compares the document with what happened, or writes it when that is asked for (`TRIALDECK_TRUST=write`).
pub(crate) fn document(reports: &[Report]) -> Result<(), String> {
    let old = fs::read_to_string(path()).map_err(|e| format!("{}: {e}", path().display()))?;
    let mut cells = written(&old);
    let before = cells.clone();
    for report in reports {
        for outcome in &report.outcomes {
            cells.insert((outcome.attack.id, report.tier), cell(report.tier, outcome));
        }
    }
    let (Some((head, _)), Some((_, tail))) = (old.split_once(BEGIN), old.split_once(END)) else {
        return Err("docs/trust.md has lost the marks around its table".into());
    };
    let new = format!("{head}{}{tail}", table(&cells));
    if std::env::var("TRIALDECK_TRUST").as_deref() == Ok("write") {
        return fs::write(path(), new).map_err(|e| e.to_string());
    }
    let root = rustix::process::geteuid().is_root();
    let differs =
        cells.iter().filter(|((id, tier), cell)| the_same_everywhere(*id, *tier, root) && before.get(&(*id, *tier)) != Some(cell));
    let differs: Vec<String> = differs
        .map(|((id, tier), cell)| format!("A{id} under {}: {cell}, the document says {:?}", tier.letter(), before.get(&(*id, *tier))))
        .collect();
    // With the cells as they stand, the rest of the table is to be what the suite would write.
    if differs.is_empty() && format!("{head}{}{tail}", table(&before)) == old {
        return Ok(());
    }
    Err(format!("docs/trust.md is stale; TRIALDECK_TRUST=write cargo test --test attacks writes it:\n  {}", differs.join("\n  ")))
}

#[test]
fn the_document_is_read_as_it_is_written() {
    let cells: Cells = ATTACKS.iter().flat_map(|a| Tier::ALL.map(|t| ((a.id, t), format!("{} {}", a.id, t.letter())))).collect();
    assert_eq!(written(&table(&cells)), cells);
    assert_eq!(cells.len(), 200, "forty attacks under five tiers");
    assert_eq!(ATTACKS.iter().map(|a| a.id).collect::<std::collections::BTreeSet<_>>(), (1..=40).collect());
}
