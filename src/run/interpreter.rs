//! The Python that a command would use, and what it says of the syntax of a file: it compiles, nothing is run.

use crate::model::Safe;
use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Time for the interpreter to read all files.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of a script's first line.
const FIRST_LINE: u64 = 256;

/// Reads `path NUL length NUL bytes` again and again and prints the first error as one line.
///
/// Compiling runs nothing, and finds what parsing alone does not: a `return` outside of a function.
const CHECK: &str = r#"
import sys
data = sys.stdin.buffer.read()
while data:
    path, size, data = data.split(b"\0", 2)
    path, source, data = path.decode("utf-8", "replace"), data[:int(size)], data[int(size):]
    try:
        compile(source, path, "exec", 0, True)
    except SyntaxError as e:
        sys.stdout.buffer.write(("%s\0%d\0%d\0%s" % (path, e.lineno or 0, e.offset or 0, e.msg)).encode("utf-8", "replace"))
        sys.exit(3)
    except (ValueError, OverflowError, RecursionError, MemoryError) as e:
        sys.stdout.buffer.write(("%s\0000\0000\0%s" % (path, e or type(e).__name__)).encode("utf-8", "replace"))
        sys.exit(3)
"#;

/// What an interpreter refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which file.
    pub path: String,
    /// Line, from 1; 0 when it does not say.
    pub line: u32,
    /// Column, from 1; 0 when it does not say.
    pub column: u32,
    /// In its own words.
    pub message: String,
}

/// Whether a program of this name is a Python.
pub fn is_python(name: &str) -> bool {
    let rest = name.strip_prefix("python").or_else(|| name.strip_prefix("pypy"));
    rest.is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.' || c == 't'))
}

/// A program by its name on a search path, or by its own path.
pub fn find(name: &str, path: &str) -> Option<PathBuf> {
    let runs = |p: &PathBuf| fs::metadata(p).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|p| p.is_absolute() && runs(p));
    }
    path.split(':').filter(|d| !d.is_empty()).map(|d| Path::new(d).join(name)).find(runs)
}

/// The Python that a run's command uses: the one that it names, or whose script it starts (`torchrun`), or else the one
/// that is found first. `setup` stands for `$SETUP`.
pub fn of_command(command: &str, path: &str, setup: Option<&Path>) -> Option<PathBuf> {
    let setup = setup.map(|s| s.to_string_lossy().into_owned());
    let words = shell_words::split(command).unwrap_or_else(|_| command.split_whitespace().map(str::to_owned).collect());
    let mut found = words.iter().filter_map(|word| {
        let word = match &setup {
            Some(dir) => word.replace("${SETUP}", dir).replace("$SETUP", dir),
            None => word.clone(),
        };
        let program = find(&word, path)?;
        if is_python(word.rsplit('/').next().unwrap_or_default()) { Some(program) } else { of_script(&program, path) }
    });
    found.next().or_else(|| find("python3", path)).or_else(|| find("python", path))
}

/// The Python of a script's first line.
fn of_script(script: &Path, path: &str) -> Option<PathBuf> {
    let mut head = String::new();
    fs::File::open(script).ok()?.take(FIRST_LINE).read_to_string(&mut head).ok()?;
    let line = head.strip_prefix("#!")?.lines().next()?;
    let mut words = line.split_whitespace();
    let first = words.next()?;
    let name = if first.ends_with("/env") { words.find(|w| !w.starts_with('-'))? } else { first };
    is_python(name.rsplit('/').next()?).then(|| find(name, path))?
}

/// Has the interpreter compile the files. The first that it refuses; none when it takes all of them.
///
/// Errors: in words, when the interpreter cannot be asked; then nothing is known.
pub fn refuses(interpreter: &Path, files: &[(String, Vec<u8>)]) -> Result<Option<Refused>, String> {
    let fault = |what: &str| format!("{} {what}", interpreter.display());
    let mut child = Command::new(interpreter)
        // Neither the user's site packages nor the variables of an environment can put code in between.
        .args(["-I", "-S", "-B", "-W", "ignore", "-c", CHECK])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| fault(&format!("cannot be started: {e}")))?;
    let mut input = Vec::new();
    for (path, bytes) in files {
        input.extend_from_slice(format!("{}\0{}\0", path.replace('\0', ""), bytes.len()).as_bytes());
        input.extend_from_slice(bytes);
    }
    if let Some(mut stdin) = child.stdin.take() {
        // It reads all before it answers; one that dies early is told by its end.
        let _ = stdin.write_all(&input);
    }
    let end = Instant::now() + PATIENCE;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > end {
            let _ = child.kill();
            let _ = child.wait();
            return Err(fault("gives no answer"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let out = child.wait_with_output().map_err(|e| fault(&e.to_string()))?;
    match out.status.code() {
        Some(0) => Ok(None),
        Some(3) => {
            let text = String::from_utf8_lossy(&out.stdout).into_owned();
            let mut parts = text.splitn(4, '\0');
            let (Some(path), Some(line), Some(column), Some(message)) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
                return Err(fault("gives an odd answer"));
            };
            let number = |t: &str| t.parse().unwrap_or(0);
            Ok(Some(Refused {
                path: path.to_owned(),
                line: number(line),
                column: number(column),
                message: Safe::line(message).into_string(),
            }))
        }
        _ => Err(fault(&format!("ended with {}", out.status))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(dir: &Path, name: &str, text: &str) {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn the_python_of_a_command() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for name in ["sys/python3", "sys/python", "setup/bin/python", "setup/bin/python3.11"] {
            make(root, name, "");
        }
        make(root, "setup/bin/torchrun", &format!("#!{}/setup/bin/python3.11\nimport x\n", root.display()));
        make(root, "sys/tool", "#!/usr/bin/env python3\n");
        make(root, "sys/bash", "\x7fELF");
        let path = format!("{0}/setup/bin:{0}/sys", root.display());
        for (command, want) in [
            ("python -u train.py", "setup/bin/python"),
            ("FOO=1 python3 train.py", "sys/python3"),
            ("$SETUP/bin/python3.11 train.py", "setup/bin/python3.11"),
            ("torchrun --nproc 1 train.py", "setup/bin/torchrun's"),
            ("tool", "sys/python3"),
            ("bash train.sh", "sys/python3"),
            ("'unfinished", "sys/python3"),
        ] {
            let want = if want.ends_with("'s") { "setup/bin/python3.11" } else { want };
            assert_eq!(of_command(command, &path, Some(&root.join("setup"))), Some(root.join(want)), "{command}");
        }
        assert_eq!(of_command("python x.py", "/nowhere", None), None);
        for (name, want) in
            [("python", true), ("python3.12", true), ("python3.13t", true), ("pypy3", true), ("python-config", false), ("ipython", false)]
        {
            assert_eq!(is_python(name), want, "{name}");
        }
    }

    #[test]
    fn it_says_what_it_refuses() {
        let Some(python) = find("python3", "/usr/local/bin:/usr/bin:/bin") else {
            println!("skipped: there is no python3 here");
            return;
        };
        let files = |texts: &[&str]| texts.iter().enumerate().map(|(n, t)| (format!("f{n}.py"), t.as_bytes().to_vec())).collect::<Vec<_>>();
        assert_eq!(refuses(&python, &files(&["x = 1\n", "", "# é\nraise SystemExit(7)\n"])), Ok(None));
        let refused = refuses(&python, &files(&["x = 1\n", "def f(:\n  pass\n"])).unwrap().unwrap();
        assert_eq!((refused.path.as_str(), refused.line), ("f1.py", 1));
        assert!(!refused.message.is_empty() && refused.column > 0);
        let refused = refuses(&python, &files(&["x = 1\n\nreturn 3\n"])).unwrap().unwrap();
        assert_eq!((refused.line, refused.message.as_str()), (3, "'return' outside function"));
        assert!(refuses(&python, &files(&["x = '\0'\n"])).unwrap().is_some());
        assert!(refuses(&python, &files(&[&"(".repeat(100_000)])).is_ok_and(|r| r.is_some()));
        assert!(refuses(Path::new("/bin/false"), &files(&["x"])).unwrap_err().contains("/bin/false"));
    }
}
