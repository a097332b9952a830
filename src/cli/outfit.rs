//! What a task's runs are fitted out with, for `doctor`: whether `[setup]` lies in the cache, and where granted data lie.

use super::{Failure, host};
use crate::engine::{environment, grants};
use crate::lineage::Store;
use crate::run::setup::{self, Built};
use crate::task::Found;

/// Findings: what, whether it is well, in words. Nothing is written but a temporary directory.
pub(super) fn findings(found: &Found) -> Result<Vec<(&'static str, bool, String)>, Failure> {
    let task = &found.parsed.task;
    if task.setup.is_none() && task.data.is_empty() {
        return Ok(Vec::new());
    }
    let place = tempfile::Builder::new().prefix("trialdeck-doctor-").tempdir()?;
    let found = found.clone().unpacked(&place.path().join("task"))?;
    let base = found.base.canonicalize()?;
    let source = base.join(&task.repository.path).canonicalize()?;
    let mut findings = Vec::new();
    if let Some(plan) = &task.setup {
        let hidden = crate::engine::create::hidden(task, &base, &source);
        let store = Store::create(&place.path().join("repo.git"))?;
        let tree = store.import(&source, &hidden)?.tree;
        let hash = setup::key(&environment::content(&store, &tree, &plan.command, &host::program_path())?);
        let cache = host::cache_dir().map(|c| c.join("setup"));
        let there = cache.as_ref().and_then(|c| Built::at(&c.join(&hash)));
        let text = match (there, cache) {
            (Some(built), _) => format!("{hash}: in the cache, {}; {}", built.dir.display(), worth()),
            (None, Some(cache)) if setup::writable(&cache) => format!("{hash}: will be built in {}", cache.display()),
            (None, _) => format!("{hash}: will be built inside of each study, for the cache directory cannot be written"),
        };
        findings.push(("setup", true, text));
    }
    match grants::resolve(task, &base, &source, host::cache_dir().as_deref(), &super::say) {
        Ok(grants) => findings.extend(grants.into_iter().map(|g| {
            let how = if g.inside.is_some() { "a link in the working directory" } else { "by its absolute path" };
            ("data", true, format!("{}: {}, {how}", g.path, g.at.display()))
        })),
        Err(error) => findings.push(("data", false, format!("{error:#}"))),
    }
    findings.extend(task.data.iter().filter(|d| d.hidden).map(|d| ("data", true, format!("{}: for the evaluator alone", d.path))));
    Ok(findings)
}

/// What read-only is worth.
fn worth() -> &'static str {
    if rustix::process::getuid().is_root() {
        "read-only by its mode bits, which stop nobody here: runs are root"
    } else {
        "read-only by its mode bits"
    }
}
