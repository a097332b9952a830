//! Answers at hand. What is on the screen and neither here nor on its way gets asked for, so the latest wish wins.

use crate::protocol::{Answer, Query};

/// Answers kept.
const KEPT: usize = 64;
/// Questions under way at most.
const UNDER_WAY: usize = 8;

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    query: Query,
    /// What the answer holds for: a tree's hash, a sequence number.
    stamp: String,
    flying: Option<u64>,
    answer: Option<Result<Answer, String>>,
    used: u64,
}

/// Answers by question.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shelf {
    entries: Vec<Entry>,
    clock: u64,
}

impl Shelf {
    /// The answer, or why there is none; none at all while it is on its way for the first time.
    pub fn get(&self, query: &Query) -> Option<Result<&Answer, &str>> {
        let answer = self.entries.iter().find(|e| e.query == *query)?.answer.as_ref()?;
        Some(answer.as_ref().map_err(String::as_str))
    }

    /// The good answer to change in place (live points of a curve).
    pub fn get_mut(&mut self, query: &Query) -> Option<&mut Answer> {
        self.entries.iter_mut().find(|e| e.query == *query)?.answer.as_mut()?.as_mut().ok()
    }

    /// Marks a question as wanted under `stamp`; true when it must be asked under `id`.
    pub fn want(&mut self, query: &Query, stamp: &str, id: u64) -> bool {
        self.clock += 1;
        let flying = self.entries.iter().filter(|e| e.flying.is_some()).count();
        match self.entries.iter_mut().find(|e| e.query == *query) {
            Some(entry) => {
                entry.used = self.clock;
                if entry.flying.is_some() || (entry.answer.is_some() && entry.stamp == stamp) || flying >= UNDER_WAY {
                    return false;
                }
                entry.stamp = stamp.to_owned();
                entry.flying = Some(id);
                true
            }
            None => {
                if flying >= UNDER_WAY {
                    return false;
                }
                if self.entries.len() >= KEPT {
                    let oldest = self.entries.iter().enumerate().filter(|(_, e)| e.flying.is_none()).min_by_key(|(_, e)| e.used);
                    if let Some((at, _)) = oldest {
                        self.entries.remove(at);
                    }
                }
                self.entries.push(Entry {
                    query: query.clone(),
                    stamp: stamp.to_owned(),
                    flying: Some(id),
                    answer: None,
                    used: self.clock,
                });
                true
            }
        }
    }

    /// The question that is on its way under `id`.
    pub fn asked(&self, id: u64) -> Option<&Query> {
        self.entries.iter().find(|e| e.flying == Some(id)).map(|e| &e.query)
    }

    /// Takes an answer; false when it is not to a question of ours.
    pub fn answered(&mut self, id: u64, result: &Result<Box<Answer>, String>) -> bool {
        let Some(entry) = self.entries.iter_mut().find(|e| e.flying == Some(id)) else { return false };
        entry.flying = None;
        // An old answer is worth more than a new refusal (a link that is just coming back).
        if result.is_ok() || entry.answer.is_none() {
            entry.answer = Some(result.as_ref().map(|a| (**a).clone()).map_err(Clone::clone));
        }
        true
    }

    /// Makes an answer stale, so that it is asked for again when wanted.
    pub fn spoil(&mut self, query: &Query) {
        if let Some(entry) = self.entries.iter_mut().find(|e| e.query == *query) {
            entry.stamp.clear();
        }
    }

    /// A new link: nothing is on its way any more, and what was refused is asked again.
    pub fn relink(&mut self) {
        for entry in &mut self.entries {
            entry.flying = None;
        }
        self.entries.retain(|e| matches!(e.answer, Some(Ok(_))));
        // Points may have been missed meanwhile.
        for entry in self.entries.iter_mut().filter(|e| matches!(e.query, Query::Series { .. })) {
            entry.stamp.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TrialId;

    #[test]
    fn asks_once_keeps_the_old_answer_and_asks_again_when_the_stamp_moves() {
        let q = Query::Editable { trial: TrialId(1) };
        let yes = |p: &str| Ok(Box::new(Answer::Editable { paths: vec![p.into()] }));
        let mut shelf = Shelf::default();
        assert!(shelf.want(&q, "1", 7));
        assert!(!shelf.want(&q, "1", 8), "on its way");
        assert!(!shelf.answered(8, &yes("x")));
        assert!(shelf.answered(7, &yes("a")));
        assert!(!shelf.want(&q, "1", 9), "fresh");
        assert!(shelf.want(&q, "2", 10), "stale");
        assert!(matches!(shelf.get(&q), Some(Ok(Answer::Editable { paths })) if paths == &["a"]));
        shelf.answered(10, &Err("gone".into()));
        assert!(matches!(shelf.get(&q), Some(Ok(_))));
        for n in 0..200 {
            let q = Query::Editable { trial: TrialId(n + 10) };
            if shelf.want(&q, "", u64::from(n) + 100) {
                shelf.answered(u64::from(n) + 100, &yes("b"));
            }
        }
        assert!(shelf.entries.len() <= KEPT);
    }
}
