//! Is a study what it says it is?

use super::args::Studies;
use super::{Exit, Failure, Outcome, find, host, isolation, put, put_json, say};
use crate::engine::cast::Cast;
use crate::engine::layout::Layout;
use crate::engine::rig::{Parts, Rig};
use crate::engine::verify::{self, Check, Scope};
use crate::engine::{clock, study_file};
use crate::model::{Safe, Study};
use crate::run::slots;
use crate::watch::Watcher;
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// `trialdeck verify`.
pub(super) fn verify(name: &str, all: bool, json: bool, choice: &Studies) -> Outcome {
    let dir = find::study_dir(name, choice)?;
    let layout = Layout::new(&dir);
    let live = super::engine::owner(&dir).is_some();
    let chain = verify::chain(&dir, live);
    let mut checks = vec![chain.check.clone()];
    told(&checks);
    checks.push(verify::store(&layout, &chain));
    told(&checks);
    let evaluator = verify::evaluator(&layout, chain.study.as_ref());
    let whole = evaluator.wrong.is_empty();
    checks.push(evaluator);
    told(&checks);
    checks.push(match &chain.study {
        None => Check::skipped("scores", "the journal that has them is damaged", "restore the journal first"),
        Some(_) if !whole => Check::skipped("scores", "the evaluator is not what it was", "restore the evaluator first"),
        Some(study) => match scores(&dir, study, if all { Scope::All } else { Scope::Kept }) {
            Ok(check) => check,
            Err(failure) => Check::skipped("scores", &failure.message, "mend that, and verify again"),
        },
    });
    told(&checks);
    let wrong: usize = checks.iter().map(|c| c.wrong.len()).sum();
    if json {
        put_json(&serde_json::json!({ "study": name, "ok": wrong == 0, "checks": checks }))?;
    } else {
        print(name, &checks, wrong);
    }
    Ok(if wrong == 0 { Exit::DONE } else { Exit::FAILED })
}

/// Progress, for whoever waits.
fn told(checks: &[Check]) {
    if let Some(check) = checks.last() {
        let word = if check.wrong.is_empty() { "ok" } else { "WRONG" };
        say(&format!("{:<9}  {word:<5}  {}", check.check, check.looked_at));
    }
}

fn print(name: &str, checks: &[Check], wrong: usize) {
    let line = |word: &str, check: &str, f: &verify::Finding| {
        let mend = if f.mend == "nothing" { String::new() } else { format!("; {}", Safe::line(&f.mend)) };
        put(&format!("{word}  {check}: {}: {}{mend}", Safe::line(&f.place), Safe::line(&f.what)));
    };
    for check in checks {
        check.wrong.iter().for_each(|f| line("wrong      ", check.check, f));
    }
    for check in checks {
        check.not_checked.iter().for_each(|f| line("not checked", check.check, f));
    }
    let looked: Vec<String> = checks.iter().map(|c| format!("{} {}", c.check, c.looked_at)).collect();
    match wrong {
        0 => put(&format!("{name} is what it says it is: {}", looked.join("; "))),
        1 => put(&format!("{name}: 1 thing is wrong")),
        n => put(&format!("{name}: {n} things are wrong")),
    }
}

/// Runs the evaluator again, in a directory of its own that goes afterwards.
fn scores(dir: &Path, study: &Study, scope: Scope) -> Result<Check, Failure> {
    if study.imported.as_ref().is_some_and(|from| from.fixed.is_some()) {
        return Ok(Check::skipped("scores", "the study is a history without a task: nothing of it can be scored here", "nothing"));
    }
    let (task, choices) = study_file::read(&Layout::new(dir))?;
    let (slots, _) = slots::find(study.settings.gpus, choices.slots, host::cpus());
    // The evaluator may be another user, who must get through.
    let scratch =
        tempfile::Builder::new().prefix("trialdeck-verify-").permissions(fs::Permissions::from_mode(0o711)).tempdir_in(host::temp_dir())?;
    let parts = Parts {
        task,
        path: choices.path,
        program: host::program()?,
        slots,
        lock_dir: host::temp_dir(),
        cache: None,
        private: Default::default(),
        grants: choices.grants,
        confinement: isolation::confinement(study, dir, scratch.path(), &choices.shut)?,
        proposers: Vec::new(),
        granted: Default::default(),
        cast: Cast::nobody(),
    };
    let rig = Rig::open(Layout::new(dir), parts, Watcher::start(clock::now, |_| {})?)?;
    if let Some(hash) = study.setup.as_ref().and_then(|s| s.hash.as_ref())
        && !rig.find_setup(hash)
    {
        let message = format!("what [setup] built is not there any more; `trialdeck resume {}` builds it again", study.name);
        return Err(Failure { message, exit: Exit::FAILED });
    }
    Ok(verify::scores(&rig, study, scratch.path(), scope, &|text| say(text)))
}
