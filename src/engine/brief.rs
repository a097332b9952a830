//! The task's briefs: texts that agents read, copied into the study so that it can be told later what they knew.

use super::layout::Layout;
use crate::model::redact;
use crate::run::durable::{self, Keep};
use crate::task::Task;
use anyhow::Context;
use std::{fs, path::Path};

/// Bytes of one brief at most; a paper as text has some 100 KiB.
const LARGEST: u64 = 1 << 20;

/// Copies the briefs that the task names. Errors: one that is not there, is too large, or is no text.
pub(super) fn keep(task: &Task, base: &Path, layout: &Layout) -> anyhow::Result<()> {
    if task.task.brief.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(layout.briefs())?;
    let mut kept = Vec::new();
    for (number, name) in task.task.brief.iter().enumerate() {
        let path = base.join(name);
        let size = path.metadata().with_context(|| format!("the brief {name} (key `brief` of [task]) cannot be read"))?.len();
        anyhow::ensure!(size <= LARGEST, "the brief {name} has {size} bytes; agents read at most {LARGEST}");
        let bytes = fs::read(&path).with_context(|| format!("the brief {name} (key `brief` of [task]) cannot be read"))?;
        let Ok(text) = String::from_utf8(bytes) else {
            anyhow::bail!("the brief {name} is no text; make one of it (`pdftotext {name}`) and name that");
        };
        kept.push((name.clone(), format!("{number}.txt")));
        fs::write(layout.briefs().join(format!("{number}.txt")), redact::ours().text(&text).as_bytes())?;
    }
    Ok(durable::write_json(&layout.briefs().join(LIST), &kept, Keep::Durable)?)
}

const LIST: &str = "list.json";

/// Reads them back: name and text, in the task's order. What is not there is left out.
pub(super) fn read(layout: &Layout) -> Vec<(String, String)> {
    let list: Vec<(String, String)> = durable::read_json(&layout.briefs().join(LIST)).unwrap_or_default();
    let plain = |file: &String| !file.contains('/');
    list.into_iter()
        .filter(|(_, file)| plain(file))
        .filter_map(|(name, file)| Some((name, fs::read_to_string(layout.briefs().join(file)).ok()?)))
        .collect()
}
