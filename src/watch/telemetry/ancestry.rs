//! From a process to the run that it belongs to, over its parents.

use crate::model::RunId;

/// Longest chain of parents that is walked.
const MAX_GENERATIONS: usize = 64;

/// Returns what `owner` says of the process or of its nearest ancestor that it knows.
pub(super) fn find(pid: u32, parent: impl Fn(u32) -> Option<u32>, owner: &impl Fn(u32) -> Option<RunId>) -> Option<RunId> {
    let mut chain = std::iter::successors(Some(pid), |pid| parent(*pid).filter(|parent| *parent > 1));
    chain.by_ref().take(MAX_GENERATIONS).find_map(owner)
}

/// Returns the parent of a process as `/proc` tells it.
pub(super) fn parent(pid: u32) -> Option<u32> {
    parse_parent(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name in parentheses may hold spaces and parentheses itself: the fields begin behind the last one.
fn parse_parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RunNo, TrialId};

    #[test]
    fn the_nearest_known_ancestor_owns_it() {
        let run = |n| TrialId(n).run(RunNo(1));
        let parents = |pid: u32| pid.checked_sub(10);
        assert_eq!(find(50, parents, &|pid| (pid == 30).then(|| run(3))), Some(run(3)));
        assert_eq!(find(50, parents, &|pid| Some(run(pid))), Some(run(50)));
        assert_eq!(find(50, parents, &|_| None), None);
        assert_eq!(find(7, Some, &|_| None), None, "a loop ends");
        assert_eq!(parse_parent("12 (odd) name (x)) S 7 12 12"), Some(7));
        assert_eq!(parse_parent("rubbish"), None);
    }
}
