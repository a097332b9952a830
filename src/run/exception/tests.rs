//! The texts beside this file are tracebacks as Python 3.12 printed them, their paths shortened.

use super::*;
use proptest::prelude::*;

#[test]
fn type_message_and_cause() {
    for (name, log, want) in [
        ("two that are not one chain", include_str!("two.txt"), "ValueError: unrelated, later"),
        (
            "an import of NumPy that failed",
            include_str!("numpy.txt"),
            "ImportError: Importing the numpy C-extensions failed; original error: libopenblas.so.0: cannot open shared object file: No such \
             file or directory; caused by ImportError: libopenblas.so.0: cannot open shared object file: No such file or directory",
        ),
        (
            "a state that does not fit",
            include_str!("state.txt"),
            "RuntimeError: Error(s) in loading state_dict for Net: size mismatch for fc.weight: copying a param with shape torch.Size([10, \
             64]) from checkpoint, the shape in current model is torch.Size([10, 32]). Missing key(s) in state_dict: \"head.bias\".",
        ),
        ("handled badly", include_str!("during.txt"), "RuntimeError: no config; while handling KeyError: 'lr'"),
        (
            "raised on purpose, twice",
            include_str!("three.txt"),
            "RuntimeError: training could not begin; caused by FileNotFoundError: [Errno 2] No such file or directory: '/nonexistent/data.npy'",
        ),
        (
            "a group",
            include_str!("group.txt"),
            "ExceptionGroup: workers failed (2 sub-exceptions); caused by ValueError: worker 1: bad shape",
        ),
        ("without a message", include_str!("empty.txt"), "AssertionError: assert 1 == 2"),
        (
            "of a validator",
            include_str!("pyd.txt"),
            "ValidationError: 1 validation error for Config lr Input should be a valid number, unable to parse string as a number \
             [type=float_parsing, input_value='x', input_type=str]",
        ),
        ("advice after it", include_str!("cuda.txt"), "RuntimeError: CUDA error: device-side assert triggered"),
        ("with a note", include_str!("note.txt"), "ValueError: nan in gradient"),
        ("memory behind it", include_str!("oom.txt"), "RuntimeError: step failed; caused by MemoryError: Unable to allocate 8 GiB"),
        ("no traceback", "  File \"x.py\", line 1\n    def\nSyntaxError: invalid syntax\nbye\n", "SyntaxError: invalid syntax"),
        (
            "cut before its exception",
            "Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 1\nTraceback (most recent call last):\n  File",
            "KeyError: 1",
        ),
        (
            "a colon at its end",
            "Traceback (most recent call last):\n  x\nRuntimeError: failed with:\nthe disk is full\nbye\n",
            "RuntimeError: failed with: the disk is full",
        ),
    ] {
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!(last(&lines).map(|e| e.words()).as_deref(), Some(want), "{name}");
    }
    for nothing in ["", "step 1\nloss 2\n", "Traceback (most recent call last):\n  File \"a.py\", line 1\n"] {
        assert_eq!(last(&nothing.lines().collect::<Vec<_>>()), None, "{nothing}");
    }
}

#[test]
fn ranks_and_frames_are_looked_through() {
    let ranked: String = include_str!("three.txt").lines().map(|l| format!("[rank0]: {l}\n")).collect();
    let found = last(&ranked.lines().collect::<Vec<_>>()).unwrap();
    assert!(found.direct && found.said == "RuntimeError: training could not begin", "{found:?}");
    let long = format!("Traceback (most recent call last):\n  x\nValueError: {}\n", "é".repeat(1000));
    let found = last(&long.lines().collect::<Vec<_>>()).unwrap();
    assert!(found.said.len() <= MESSAGE + '…'.len_utf8() && found.said.ends_with('…'));
}

proptest! {
    #[test]
    fn any_log_gives_a_short_text(
        log in "(Traceback \\(most recent call last\\):|The above exception was the direct cause of the following exception:|  \\+ Exception Group Traceback \\(most recent call last\\):|  \\+-\\+-- 1 --|    \\| |\\w{0,5}Error:|  File \"[a-z/]{0,8}\", line [0-9]{0,3}|\\PC{0,20}|\n){0,60}"
    ) {
        if let Some(found) = last(&log.lines().collect::<Vec<_>>()) {
            prop_assert!(found.words().len() <= MESSAGE + CAUSE + 40);
        }
    }
}
