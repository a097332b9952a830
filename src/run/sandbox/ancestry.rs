//! Whether a process belongs to a run: every process of a run descends from a shim, which is a subreaper.

use crate::run::process;

/// Longer lines of ancestors are nobody's.
const GENERATIONS: usize = 256;

/// Whether the process descends from the shim of some run, of whichever study. Nobody can tell of one that is gone: it counts as
/// a run's, or a child that connects and dies would open the engine to its parent.
pub fn of_a_run(pid: u32) -> bool {
    let mut pid = pid;
    for _ in 0..GENERATIONS {
        if pid <= 1 {
            return false;
        }
        if std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| is_shim(&line)) {
            return true;
        }
        let Some(stat) = process::stat(pid) else { return true };
        pid = stat.parent;
    }
    true
}

/// `trialdeck shim …`, as the words of a process stand in the kernel.
fn is_shim(line: &[u8]) -> bool {
    let mut words = line.split(|b| *b == 0);
    let program = words.next().and_then(|w| w.rsplit(|b| *b == b'/').next());
    program == Some(b"trialdeck") && words.next() == Some(b"shim")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shim_is_known_by_its_words() {
        assert!(is_shim(b"trialdeck\0shim\0--supervise\0/x\0"));
        assert!(is_shim(b"/usr/bin/trialdeck\0shim\0/x\0"));
        assert!(!is_shim(b"trialdeck\0ctl\0shim\0"));
        assert!(!is_shim(b"python3\0shim\0"));
        assert!(!is_shim(b""));
        assert!(!of_a_run(std::process::id()));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(of_a_run(child.id()), "one that is gone");
    }
}
