//! `study.toml`: the task as its author wrote it, and below a line the choices that the study was made with.

use super::external::Program;
use super::grants::Grant;
use super::layout::Layout;
use crate::model::Settings;
use crate::run::durable;
use crate::task::{self, Task};
use serde::{Deserialize, Serialize};
use std::{fs, io, path::PathBuf};

/// What follows is not part of the task.
const MARK: &str = "# ---- written by trialdeck: the study's first settings; later changes are in the journal ----";

/// What the engine needs of the choices beside the settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Choices {
    /// The study's name.
    pub name: String,
    /// Slots asked for; by the machine when null.
    pub slots: Option<u32>,
    /// Directories in which runs find programs.
    pub path: String,
    /// Hash of the task's text: the same name with another task is a mistake.
    pub task_hash: String,
    /// Data that runs may read, where they lie.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// Where the repository and what the task hides lie: no library is granted that holds them.
    #[serde(default)]
    pub shut: Vec<PathBuf>,
    /// Programs that propose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<Program>,
    /// The study whose recording this one replays, by the name that it was given by; what is needed of it lies in `recording/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replays: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Tail {
    study: Choices,
    settings: Settings,
}

/// Writes the file.
pub fn write(layout: &Layout, task_text: &str, choices: &Choices, settings: &Settings) -> io::Result<()> {
    let tail = toml::to_string(&Tail { study: choices.clone(), settings: settings.clone() }).map_err(io::Error::other)?;
    let text = format!("{}\n\n{MARK}\n{tail}", task_text.trim_end());
    durable::write(&layout.study_file(), text.as_bytes(), durable::Keep::Durable)
}

/// Reads the file.
pub fn read(layout: &Layout) -> anyhow::Result<(Task, Choices)> {
    let path = layout.study_file();
    let text = fs::read_to_string(&path).map_err(|e| anyhow::anyhow!("cannot read {}: {e}", path.display()))?;
    let (task, tail) =
        // The last one: a task that was itself taken from a study.toml carries the line too.
        text.rsplit_once(MARK).ok_or_else(|| anyhow::anyhow!("{} lacks its second part; it was cut or edited", path.display()))?;
    let parsed = task::parse(task, &path.display().to_string()).map_err(|problems| anyhow::anyhow!("{problems}"))?;
    let tail: Tail = toml::from_str(tail).map_err(|e| anyhow::anyhow!("{}: {e}", path.display()))?;
    Ok((parsed.task, tail.study))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_carries_the_line_itself_is_read_whole() {
        let found = task::find("quickstart", std::path::Path::new("/")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let settings = found.parsed.task.settings(&task::Choices::default());
        let program = Program {
            name: "claude".into(),
            run: "claude -p \"x\"".into(),
            network: true,
            env: vec!["KEY".into()],
            read: vec!["/opt/node".into()],
            wall_secs: 600.0,
            memory_bytes: None,
        };
        let choices =
            Choices { name: "a".into(), path: "/bin".into(), task_hash: "0".into(), programs: vec![program], ..Choices::default() };
        let text = format!("{}\n{MARK}\n# [study]\n# name = \"another\"\n", found.text);
        write(&layout, &text, &choices, &settings).unwrap();
        let (task, read) = read(&layout).unwrap();
        assert_eq!((read, task), (choices, found.parsed.task));
    }
}
