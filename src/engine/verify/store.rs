//! The object store: every object hashed, everything that the journal names there, each reference where the journal has it.

use super::{Chain, Check};
use crate::engine::layout::Layout;
use crate::lineage::Store;
use crate::model::{Status, Study, TrialId};
use std::collections::BTreeMap;

const RESTORE: &str = "restore repo.git from a copy";
const TRIALS: &str = "refs/trialdeck/trials/";

/// Checks the store against the journal.
pub fn store(layout: &Layout, chain: &Chain) -> Check {
    let mut check = Check::new("store");
    let checked = match Store::open(&layout.store()).and_then(|store| store.check(&chain.named)) {
        Ok(checked) => checked,
        Err(error) => {
            check.looked_at = "unreadable".into();
            check.wrong("repo.git", error.to_string(), RESTORE);
            return check;
        }
    };
    check.looked_at = format!("{} objects, {} references", checked.objects, checked.references.len());
    for (place, what) in checked.wrong {
        check.wrong(format!("repo.git {place}"), what, RESTORE);
    }
    match &chain.study {
        Some(study) => references(study, &checked.references, &mut check),
        None => check.leave("repo.git references", "the journal that they are compared with is damaged", "restore the journal first"),
    }
    check
}

fn references(study: &Study, found: &BTreeMap<String, String>, check: &mut Check) {
    for trial in &study.trials {
        let Some(commit) = &trial.commit else { continue };
        // Of these the store is ahead until the fact is written: a new revision, or the message with the score.
        let under_way = matches!(trial.status, Status::Proposed | Status::Rejected) || study.unlabelled.contains_key(&trial.id);
        let name = format!("{TRIALS}{}", trial.id);
        match found.get(&name) {
            None => check.wrong(format!("repo.git {name}"), "it is gone", format!("git -C repo.git update-ref {name} {commit}")),
            Some(there) if there != commit && !under_way => {
                let what = format!("it names {there}, the journal says {commit}");
                check.wrong(format!("repo.git {name}"), what, format!("git -C repo.git update-ref {name} {commit}"));
            }
            Some(_) => {}
        }
    }
    for name in found.keys() {
        let trial = name.strip_prefix(TRIALS).map(|id| id.parse::<TrialId>().ok().and_then(|id| study.trial(id)));
        if let Some(None) = trial {
            check.wrong(format!("repo.git {name}"), "the journal has no such trial", format!("git -C repo.git update-ref -d {name}"));
        }
    }
    let best = study.best.as_ref().filter(|b| !study.unlabelled.contains_key(&b.trial)).and_then(|b| study.trial(b.trial)?.commit.clone());
    if let (Some(commit), Some(there)) = (best, found.get("refs/trialdeck/best"))
        && commit != *there
    {
        let what = format!("it names {there}, the best trial's commit is {commit}");
        check.wrong("repo.git refs/trialdeck/best", what, format!("git -C repo.git update-ref refs/trialdeck/best {commit}"));
    }
}
