//! The tasks that the binary carries: every directory of `tasks/` with a `task.toml`.
//!
//! What Python leaves behind (`__pycache__`) does not count, although it may have lain there when the binary was built.

use include_dir::{Dir, DirEntry, include_dir};
use std::{fs, io, path::Path};

static TASKS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/tasks");

fn left_behind(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "__pycache__") || path.extension().is_some_and(|ext| ext == "pyc")
}

/// Names of the embedded tasks, in alphabetical order.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<_> =
        TASKS.dirs().filter(|dir| dir.get_file(dir.path().join("task.toml")).is_some()).filter_map(|dir| dir.path().to_str()).collect();
    names.sort_unstable();
    names
}

/// Text of the task file of an embedded task.
pub fn text(name: &str) -> Option<&'static str> {
    names().contains(&name).then(|| TASKS.get_file(format!("{name}/task.toml"))).flatten()?.contents_utf8()
}

/// Title of an embedded task.
pub fn title(name: &str) -> Option<String> {
    super::parse(text(name)?, &format!("{name}/task.toml")).ok().map(|parsed| parsed.task.task.title)
}

/// Writes the files of an embedded task into a directory, which is made; files that are there are overwritten.
///
/// Errors: `NotFound` for a name that is not in `names`, and whatever writing gives.
pub fn unpack(name: &str, into: &Path) -> io::Result<()> {
    let dir = names().contains(&name).then(|| TASKS.get_dir(name)).flatten();
    let dir = dir.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no task `{name}` in this binary")))?;
    write(dir, dir.path(), into)
}

fn write(dir: &Dir<'_>, root: &Path, into: &Path) -> io::Result<()> {
    fs::create_dir_all(into)?;
    for entry in dir.entries().iter().filter(|entry| !left_behind(entry.path())) {
        match entry {
            DirEntry::Dir(inner) => write(inner, root, into)?,
            DirEntry::File(file) => {
                let path = into.join(file.path().strip_prefix(root).unwrap_or(file.path()));
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent)?;
                }
                fs::write(&path, file.contents())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_task_is_whole() {
        assert!(names().contains(&"quickstart"));
        for name in names() {
            let parsed = super::super::parse(text(name).unwrap(), name).unwrap_or_else(|p| panic!("{p}"));
            assert_eq!(parsed.task.task.name, name);
            assert_eq!(title(name).as_deref(), Some(parsed.task.task.title.as_str()));
            let dir = tempfile::tempdir().unwrap();
            unpack(name, &dir.path().join("a/b")).unwrap();
            for file in parsed.task.evaluator.files.iter().chain([&"task.toml".to_owned()]) {
                assert!(dir.path().join("a/b").join(file).is_file(), "{name}: {file}");
            }
        }
        let quickstart = super::super::parse(text("quickstart").unwrap(), "quickstart").unwrap();
        assert_eq!(quickstart.unused, [], "the quickstart asks for nothing that is not there yet");
        assert_eq!(unpack("zebra", Path::new("nowhere")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!((text("quickstart/.."), title("")), (None, None));
    }

    #[test]
    fn what_python_leaves_behind_stays_out() {
        for (path, want) in
            [("quickstart/__pycache__/train.cpython-311.pyc", true), ("quickstart/train.pyc", true), ("quickstart/train.py", false)]
        {
            assert_eq!(left_behind(Path::new(path)), want, "{path}");
        }
    }
}
