//! The deepest exception of a log, and the last frame of it that is the user's own code.

use crate::propose::agent::line;

const TRACEBACK: &str = "Traceback (most recent call last)";
/// Where code lies that a proposal cannot edit.
const FOREIGN: [&str; 8] =
    ["site-packages", "dist-packages", "/lib/python", "<frozen", "<string>", "/usr/lib/", ".cargo/registry", "rustlib/"];
/// Words by which the last line of trouble is known where there is no traceback.
const TROUBLE: [&str; 8] = ["error", "exception", "panicked", "fatal", "abort", "killed", "segmentation fault", "assert"];

/// What a log says about its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The exception's line.
    pub exception: String,
    /// The one that caused it, where Python says so.
    pub cause: Option<String>,
    /// `train.py:118 in train`, the deepest frame of the user's own.
    pub frame: Option<String>,
    /// The source line of that frame.
    pub code: Option<String>,
}

impl Trace {
    /// For a failure card.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(frame) = &self.frame {
            let code = self.code.as_deref().map(|code| format!(": `{}`", line(code, 160))).unwrap_or_default();
            lines.push(format!("deepest own frame {}{code}", line(frame, 160)));
        }
        if let Some(cause) = &self.cause {
            lines.push(format!("caused by \"{}\"", line(cause, 200).replace('"', "'")));
        }
        lines
    }
}

struct Block<'a> {
    exception: String,
    frames: Vec<(String, Option<&'a str>)>,
}

/// Finds the last exception in the text: a Python traceback, else the last line that speaks of trouble.
pub fn deepest(log: &str) -> Option<Trace> {
    let lines: Vec<&str> = log.lines().collect();
    let starts: Vec<usize> = lines.iter().enumerate().filter(|(_, l)| l.contains(TRACEBACK)).map(|(at, _)| at).collect();
    let blocks: Vec<(usize, Block<'_>)> = starts.iter().filter_map(|at| Some((*at, block(lines.get(at + 1..)?)?))).collect();
    let Some((at, last)) = blocks.last() else {
        let said = lines.iter().rev().find(|l| {
            let lower = l.to_lowercase();
            TROUBLE.iter().any(|word| lower.contains(word))
        })?;
        return Some(Trace { exception: said.trim().to_owned(), cause: None, frame: None, code: None });
    };
    // "The above exception was the direct cause …" or "During handling of …" stands between two blocks of one chain.
    let chained = |from: usize, to: usize| {
        lines.get(from..to).is_some_and(|between| between.iter().any(|l| l.contains("direct cause of") || l.contains("During handling of")))
    };
    let mut first = blocks.len() - 1;
    while first > 0 {
        let (Some(before), Some(here)) = (blocks.get(first - 1), blocks.get(first)) else { break };
        if !chained(before.0, here.0) {
            break;
        }
        first -= 1;
    }
    let root = blocks.get(first).filter(|(start, _)| start != at);
    // The root of the chain is where it began; its own frame says more than that of the handler.
    let own = root.map(|(_, b)| b).into_iter().chain([last]).find_map(own_frame);
    let (frame, code) = own.map_or((None, None), |(frame, code)| (Some(frame), code));
    Some(Trace { exception: last.exception.clone(), cause: root.map(|(_, b)| b.exception.clone()), frame, code })
}

/// Frames and the exception of one traceback; none where it was cut before its exception.
fn block<'a>(lines: &[&'a str]) -> Option<Block<'a>> {
    let (mut frames, mut at) = (Vec::new(), 0);
    while let Some(text) = lines.get(at) {
        at += 1;
        let trimmed = text.trim_start();
        if let Some(frame) = frame(trimmed) {
            let code = lines.get(at).map(|l| l.trim()).filter(|l| !l.is_empty() && !l.starts_with("File \""));
            frames.push((frame, code));
        } else if !text.starts_with([' ', '\t']) && !trimmed.is_empty() {
            return Some(Block { exception: trimmed.to_owned(), frames });
        }
    }
    None
}

/// `File "train.py", line 118, in train` as `train.py:118 in train`.
fn frame(text: &str) -> Option<String> {
    let rest = text.strip_prefix("File \"")?;
    let (path, rest) = rest.split_once("\", line ")?;
    let (number, name) = rest.split_once(", in ").unwrap_or((rest, "<module>"));
    Some(format!("{path}:{} in {}", number.trim(), name.trim()))
}

fn own_frame(block: &Block<'_>) -> Option<(String, Option<String>)> {
    let own = block.frames.iter().rev().find(|(frame, _)| !FOREIGN.iter().any(|part| frame.contains(part)));
    own.map(|(frame, code)| (frame.clone(), code.map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_deepest_own_frame_is_found() {
        let plain = "step 1\nTraceback (most recent call last):\n  File \"train.py\", line 140, in <module>\n    main()\n    ~~~~^^\n  File \"train.py\", line 118, in main\n    loss = f(x)\n  File \"/usr/lib/python3.12/math.py\", line 3, in f\n    raise ValueError(x)\nValueError: math domain error\n";
        let chained = "Traceback (most recent call last):\n  File \"a.py\", line 1, in load\n    d[k]\nKeyError: 'lr'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"b.py\", line 2, in main\n    raise RuntimeError\nRuntimeError: no config\n";
        for (name, log, want) in [
            ("plain", plain, Some(("ValueError: math domain error", None, Some("train.py:118 in main"), Some("loss = f(x)")))),
            ("chained", chained, Some(("RuntimeError: no config", Some("KeyError: 'lr'"), Some("a.py:1 in load"), Some("d[k]")))),
            ("no traceback", "ok\ncc1: fatal error: no input\nbye", Some(("cc1: fatal error: no input", None, None, None))),
            ("cut off", "Traceback (most recent call last):\n  File \"a.py\", line 1, in x\n", None),
            ("quiet", "step 1\nstep 2\n", None),
            ("empty", "", None),
        ] {
            let found = deepest(log);
            let found = found.as_ref().map(|t| (t.exception.as_str(), t.cause.as_deref(), t.frame.as_deref(), t.code.as_deref()));
            assert_eq!(found, want, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_log_is_read(log in "(Traceback \\(most recent call last\\):|  File \"[a-z/]{0,8}\", line [0-9]{0,3}|\\PC{0,20}|\n){0,40}") {
            let _ = deepest(&log);
        }
    }
}
