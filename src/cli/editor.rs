//! The user's editor on files in a private directory.

use super::host;
use std::{
    fs, io,
    path::{Component, Path},
    process::Command,
};

/// Spawns the user's editor; the cockpit has left the screen meanwhile.
pub(super) struct Spawned;

impl crate::tui::Editor for Spawned {
    fn edit(&mut self, files: &[(String, String)]) -> io::Result<Option<Vec<(String, String)>>> {
        let words = host::editor().map_err(io::Error::other)?;
        let dir = tempfile::Builder::new().prefix("trialdeck-edit-").tempdir()?;
        let mut paths = Vec::new();
        for (name, text) in files {
            let relative = Path::new(name);
            if !relative.components().all(|c| matches!(c, Component::Normal(_))) {
                return Err(io::Error::other(format!("{name} does not stay inside the tree")));
            }
            let path = dir.path().join(relative);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&path, text)?;
            paths.push(path);
        }
        let (program, arguments) = words.split_first().ok_or_else(|| io::Error::other("no editor: set EDITOR"))?;
        let status = Command::new(program)
            .args(arguments)
            .args(&paths)
            .current_dir(dir.path())
            .status()
            .map_err(|e| io::Error::new(e.kind(), format!("could not start the editor {program}: {e}; set EDITOR")))?;
        if !status.success() {
            return Err(io::Error::other(format!("the editor {program} ended with {status}; nothing was changed")));
        }
        let mut edited = Vec::new();
        for ((name, before), path) in files.iter().zip(&paths) {
            let after = fs::read_to_string(path).map_err(|e| io::Error::new(e.kind(), format!("cannot read back {name}: {e}")))?;
            edited.push((name.clone(), after == *before, after));
        }
        if edited.iter().all(|(_, same, _)| *same) {
            return Ok(None);
        }
        Ok(Some(edited.into_iter().map(|(name, _, text)| (name, text)).collect()))
    }
}
