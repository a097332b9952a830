//! Why a command failed, told from its exit code, its signal and the end of its log. Pure.
//!
//! The log is untrusted: what it says chooses between `crashed`, `out_of_memory` and `gate_failed` only, never a label
//! that would have the run repeated.

use super::exception::{self, Exception};
use super::time::bytes_words;
use crate::model::{Failure, Label, Safe};

/// Longest evidence, in bytes.
const LONGEST: usize = 500;

/// How a command ended, as the supervisor saw it.
#[derive(Debug, Default, Clone, Copy)]
pub struct End {
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Largest resident memory of its processes together, in bytes.
    pub peak_memory_bytes: u64,
    /// The kernel ended some process for want of memory meanwhile.
    pub kernel_oom: bool,
    /// The limit on a file's size, in bytes.
    pub output_bytes: Option<u64>,
}

/// Returns why the command failed; none when it exited with 0. `stderr` is the end of that log.
pub fn failure(end: &End, stderr: &[u8]) -> Option<Failure> {
    if end.exit_code == Some(0) {
        return None;
    }
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().collect();
    // A shell reports the signal of its child as 128 + n.
    let signal = end.signal.or_else(|| end.exit_code.map(|c| c - 128).filter(|n| signal_name(*n).is_some()));
    let how = match (end.signal, end.exit_code, signal) {
        (Some(n), _, _) => signal_name(n).map_or_else(|| format!("signal {n}"), str::to_owned),
        (None, Some(code), Some(n)) => format!("exit code {code}, {}", signal_name(n).unwrap_or("signal")),
        (None, Some(code), None) => format!("exit code {code}"),
        (None, None, _) => "no exit code".to_owned(),
    };
    if let (Some(25), Some(limit)) = (signal, end.output_bytes) {
        return Some(Failure::new(Label::GateFailed, format!("output_bytes: a file grew over {} ({how})", bytes_words(limit))));
    }
    let exception = exception::last(&lines);
    let last = exception
        .as_ref()
        .map(Exception::words)
        .or_else(|| lines.iter().rev().map(|l| l.trim()).find(|l| !l.is_empty()).map(str::to_owned));
    if let (Some(line), Some(limit)) = (&last, end.output_bytes)
        && (line.contains("[Errno 27]") || line.contains("File too large"))
    {
        return Some(Failure::new(Label::GateFailed, format!("output_bytes: a file grew over {}: {}", bytes_words(limit), clean(line))));
    }
    if let Some(line) = out_of_memory_line(exception.as_ref(), &lines) {
        return Some(Failure::new(Label::OutOfMemory, format!("{} ({how})", clean(&line))));
    }
    if signal == Some(9) {
        let who =
            if end.kernel_oom { "the kernel's out-of-memory killer was at work" } else { "not by trialdeck; most likely out of memory" };
        return Some(Failure::new(
            Label::OutOfMemory,
            format!("ended by SIGKILL, {who}; peak {} ({how})", bytes_words(end.peak_memory_bytes)),
        ));
    }
    let said = match end.exit_code {
        Some(127) => missing_command(&lines).map(|c| format!("command not found: {c}")).or(last),
        _ => last,
    };
    let detail = said.map_or_else(|| format!("{how}, nothing on stderr"), |line| format!("{} ({how})", clean(&line)));
    Some(Failure::new(Label::Crashed, detail))
}

const MEMORY_WORDS: [&str; 8] = [
    "CUDA out of memory",
    "CUDA error: out of memory",
    "OutOfMemoryError",
    "RESOURCE_EXHAUSTED: Out of memory",
    "_ArrayMemoryError",
    "std::bad_alloc",
    "Cannot allocate memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
];

fn out_of_memory_line(exception: Option<&Exception>, lines: &[&str]) -> Option<String> {
    let speaks = |line: &str| line == "MemoryError" || line.starts_with("MemoryError:") || MEMORY_WORDS.iter().any(|w| line.contains(w));
    match exception {
        // What it was raised from on purpose is what happened; what was being handled meanwhile is not.
        Some(e) => (speaks(&e.said) || e.direct && e.cause.as_deref().is_some_and(speaks)).then(|| e.words()),
        None => lines.iter().rev().take(5).find(|l| speaks(l)).map(|l| (*l).to_owned()),
    }
}

/// `sh: 1: nosuch: not found` and `sh: line 1: nosuch: command not found`.
fn missing_command(lines: &[&str]) -> Option<String> {
    lines.iter().rev().find_map(|line| {
        let rest = line.trim().strip_suffix("command not found").or_else(|| line.trim().strip_suffix("not found"))?;
        let name = rest.trim_end().strip_suffix(':')?.rsplit(": ").next()?.trim();
        (!name.is_empty()).then(|| clean(name))
    })
}

fn clean(line: &str) -> String {
    let mut text = Safe::line(line.trim()).into_string();
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

/// The name of a signal that ends programs.
pub fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_of_each_kind() {
        let code = |c| End { exit_code: Some(c), ..End::default() };
        let signal = |s| End { signal: Some(s), peak_memory_bytes: 3 << 30, ..End::default() };
        let capped = |e: End| End { output_bytes: Some(1 << 20), ..e };
        let trace = "Traceback (most recent call last):\n  File \"t.py\", line 1, in <module>\n    f()\n";
        for (name, end, stderr, label, detail) in [
            ("exception", code(1), format!("noise\n{trace}ValueError: x\n"), Label::Crashed, "ValueError: x (exit code 1)"),
            (
                "chained",
                code(1),
                format!(
                    "{trace}KeyError: 'a'\n\nDuring handling of the above exception, another exception occurred:\n\n{trace}RuntimeError: b\n"
                ),
                Label::Crashed,
                "RuntimeError: b; while handling KeyError: 'a' (exit code 1)",
            ),
            ("words after it", code(1), format!("{trace}pkg.MyFault: y\nbye\n"), Label::Crashed, "pkg.MyFault: y (exit code 1)"),
            (
                "syntax",
                code(1),
                "  File \"x.py\", line 1\n    def\n      ^\nSyntaxError: invalid syntax\n".into(),
                Label::Crashed,
                "SyntaxError: invalid syntax (exit code 1)",
            ),
            (
                "module",
                code(1),
                format!("{trace}ModuleNotFoundError: No module named 'torch'\n"),
                Label::Crashed,
                "ModuleNotFoundError: No module named 'torch' (exit code 1)",
            ),
            (
                "rank",
                code(1),
                "[rank0]: Traceback (most recent call last):\n[rank0]:   File \"x\"\n[rank0]: ValueError: z\n".into(),
                Label::Crashed,
                "ValueError: z (exit code 1)",
            ),
            ("dash", code(127), "/bin/sh: 1: nosuch: not found\n".into(), Label::Crashed, "command not found: nosuch (exit code 127)"),
            (
                "bash",
                code(127),
                "sh: line 1: no-such: command not found\n".into(),
                Label::Crashed,
                "command not found: no-such (exit code 127)",
            ),
            ("nothing said", code(3), String::new(), Label::Crashed, "exit code 3, nothing on stderr"),
            ("last line", code(3), "a\nb\n\n".into(), Label::Crashed, "b (exit code 3)"),
            ("signal", signal(11), String::new(), Label::Crashed, "SIGSEGV, nothing on stderr"),
            ("signal by shell", code(139), "Segmentation fault\n".into(), Label::Crashed, "Segmentation fault (exit code 139, SIGSEGV)"),
            (
                "kill",
                signal(9),
                String::new(),
                Label::OutOfMemory,
                "ended by SIGKILL, not by trialdeck; most likely out of memory; peak 3 GiB (SIGKILL)",
            ),
            (
                "kill by shell",
                code(137),
                "Killed\n".into(),
                Label::OutOfMemory,
                "ended by SIGKILL, not by trialdeck; most likely out of memory; peak 0 B (exit code 137, SIGKILL)",
            ),
            ("python memory", code(1), format!("{trace}MemoryError\n"), Label::OutOfMemory, "MemoryError (exit code 1)"),
            (
                "cuda",
                code(1),
                format!("{trace}torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB\n"),
                Label::OutOfMemory,
                "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB (exit code 1)",
            ),
            (
                "bad_alloc",
                code(134),
                "terminate called\n  what():  std::bad_alloc\n".into(),
                Label::OutOfMemory,
                "what(): std::bad_alloc (exit code 134, SIGABRT)",
            ),
            ("file size", capped(signal(25)), String::new(), Label::GateFailed, "output_bytes: a file grew over 1 MiB (SIGXFSZ)"),
            (
                "file size in python",
                capped(code(1)),
                format!("{trace}OSError: [Errno 27] File too large\n"),
                Label::GateFailed,
                "output_bytes: a file grew over 1 MiB: OSError: [Errno 27] File too large",
            ),
            (
                "an import of NumPy that failed",
                code(1),
                include_str!("exception/numpy.txt").into(),
                Label::Crashed,
                "ImportError: Importing the numpy C-extensions failed; original error: libopenblas.so.0: cannot open shared object file: No \
                 such file or directory; caused by ImportError: libopenblas.so.0: cannot open shared object file: No such file or directory \
                 (exit code 1)",
            ),
            (
                "memory behind it",
                code(1),
                include_str!("exception/oom.txt").into(),
                Label::OutOfMemory,
                "RuntimeError: step failed; caused by MemoryError: Unable to allocate 8 GiB (exit code 1)",
            ),
            (
                "memory handled before",
                code(1),
                format!(
                    "{trace}MemoryError\n\n{}\n\n{trace}ValueError: b\n",
                    "During handling of the above exception, another exception occurred:"
                ),
                Label::Crashed,
                "ValueError: b; while handling MemoryError (exit code 1)",
            ),
            ("escape", code(1), format!("{trace}ValueError: \u{1b}[31mred\u{7}\n"), Label::Crashed, "ValueError: red␇ (exit code 1)"),
        ] {
            let got = failure(&end, stderr.as_bytes()).unwrap();
            assert_eq!((got.label, got.detail.replace("  ", " ").as_str()), (label, detail), "{name}");
        }
        assert_eq!(failure(&code(0), b"Traceback (most recent call last):\nValueError: x"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_give_one_short_line(stderr in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600), exit in 1..300i32) {
            let got = failure(&End { exit_code: Some(exit), ..End::default() }, &stderr).unwrap();
            proptest::prop_assert!(got.detail.len() < 600 && !got.detail.contains(char::is_control));
        }
    }
}
