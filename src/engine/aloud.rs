//! What proposers say while they work: told to whoever listens as it comes, and kept, bounded, for who comes later.
//!
//! Only of attempts that are under way; what was said to the end lies in the record. Of the last few of those it is kept here too, for
//! a client that was there and fell behind: it cannot know that the end of them is missing. A piece is kept and sent under one lock,
//! and so is listening begun, so that a listener who comes in the middle misses no piece and hears none twice.

use crate::model::ProposalId;
use crate::model::conversation::Thought;
use crate::protocol::Signal;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::broadcast;

/// Bytes kept of one attempt; the oldest go first.
const BYTES: usize = 64 << 10;
/// Bytes up to which pieces of one voice are joined: tokens come one by one.
const JOINED: usize = 2 << 10;
/// What keeping a piece costs beside its text.
const PIECE: usize = 32;
/// Attempts that are over and that a client which fell behind is told once more.
const OVER: usize = 4;

/// Signals of one engine, and what its proposers have said so far. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Aloud {
    /// Where all signals go.
    pub signals: broadcast::Sender<Arc<Signal>>,
    kept: Arc<Mutex<Attempts>>,
}

#[derive(Debug, Default)]
struct Attempts {
    under_way: BTreeMap<ProposalId, Kept>,
    /// The latest last.
    over: VecDeque<(ProposalId, Kept)>,
}

#[derive(Debug, Default)]
struct Kept {
    revision: u32,
    thoughts: VecDeque<Thought>,
    bytes: usize,
    lost: u64,
}

/// One attempt that is under way. Dropping it ends what is kept of it.
pub struct Voice {
    aloud: Aloud,
    proposal: ProposalId,
}

impl Aloud {
    /// `waiting` signals may wait for a slow client.
    pub fn new(waiting: usize) -> Self {
        Self { signals: broadcast::channel(waiting).0, kept: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Attempts> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A proposer begins on a revision: what was heard of an attempt before is over.
    pub fn begin(&self, proposal: ProposalId, revision: u32) -> Voice {
        let mut kept = self.lock();
        let new = Kept { revision, ..Kept::default() };
        // Nobody looking is no error.
        let _ = self.signals.send(Arc::new(new.told(proposal)));
        kept.over.retain(|(of, _)| *of != proposal);
        kept.under_way.insert(proposal, new);
        drop(kept);
        Voice { aloud: self.clone(), proposal }
    }

    /// Everything said so far by those at work, and all signals from now on.
    pub fn listen(&self) -> (Vec<Signal>, broadcast::Receiver<Arc<Signal>>) {
        let kept = self.lock();
        (kept.under_way.iter().map(|(proposal, kept)| kept.told(*proposal)).collect(), self.signals.subscribe())
    }

    /// The same for one who listened and fell behind: what was said to the end meanwhile comes first.
    pub fn listen_again(&self) -> (Vec<Signal>, broadcast::Receiver<Arc<Signal>>) {
        let kept = self.lock();
        let over = kept.over.iter().map(|(proposal, kept)| (proposal, kept));
        (over.chain(&kept.under_way).map(|(proposal, kept)| kept.told(*proposal)).collect(), self.signals.subscribe())
    }
}

impl Voice {
    /// The next piece. Keys in it are covered already.
    pub fn say(&self, thought: Thought) {
        let mut kept = self.aloud.lock();
        if let Some(kept) = kept.under_way.get_mut(&self.proposal) {
            kept.push(thought.clone());
        }
        let _ = self.aloud.signals.send(Arc::new(Signal::Thought { proposal: self.proposal, thought }));
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        let mut kept = self.aloud.lock();
        if let Some(said) = kept.under_way.remove(&self.proposal) {
            kept.over.push_back((self.proposal, said));
            let more = kept.over.len().saturating_sub(OVER);
            kept.over.drain(..more);
        }
    }
}

impl Kept {
    fn told(&self, proposal: ProposalId) -> Signal {
        Signal::Heard { proposal, revision: self.revision, lost: self.lost, thoughts: self.thoughts.iter().cloned().collect() }
    }

    fn push(&mut self, thought: Thought) {
        self.bytes += size(&thought);
        let joined = match (self.thoughts.back_mut(), &thought) {
            (Some(Thought::Reasoning { text }), Thought::Reasoning { text: more })
            | (Some(Thought::Answer { text }), Thought::Answer { text: more })
                if text.len() + more.len() <= JOINED =>
            {
                text.push_str(more);
                true
            }
            _ => false,
        };
        if !joined {
            self.bytes += PIECE;
            self.thoughts.push_back(thought);
        }
        while self.bytes > BYTES
            && let Some(gone) = self.thoughts.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(size(&gone) + PIECE);
            self.lost += size(&gone) as u64;
        }
    }
}

fn size(thought: &Thought) -> usize {
    match thought {
        Thought::Reasoning { text } | Thought::Answer { text } | Thought::Note { text } => text.len(),
        Thought::Called { name, arguments } => name.len() + arguments.len(),
        Thought::Told { name, text, .. } => name.len() + text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: ProposalId = ProposalId(3);

    fn say(text: &str) -> Thought {
        Thought::Reasoning { text: text.into() }
    }

    #[test]
    fn who_comes_late_hears_what_was_said_and_nothing_twice() {
        let aloud = Aloud::new(16);
        let (none, mut first) = aloud.listen();
        assert_eq!(none, []);
        let voice = aloud.begin(P, 1);
        voice.say(say("one "));
        voice.say(say("two"));
        voice.say(Thought::Answer { text: "said".into() });
        let (told, mut late) = aloud.listen();
        let thoughts = vec![say("one two"), Thought::Answer { text: "said".into() }];
        assert_eq!(told, [Signal::Heard { proposal: P, revision: 1, lost: 0, thoughts }]);
        voice.say(say("three"));
        assert_eq!(*late.try_recv().unwrap(), Signal::Thought { proposal: P, thought: say("three") });
        assert!(late.try_recv().is_err());
        let heard: Vec<Signal> = std::iter::from_fn(|| first.try_recv().ok()).map(|s| (*s).clone()).collect();
        assert_eq!(heard.len(), 5, "the beginning and each piece: {heard:?}");
        assert_eq!(heard[0], Signal::Heard { proposal: P, revision: 1, lost: 0, thoughts: Vec::new() });
        drop(voice);
        assert_eq!(aloud.listen().0, [], "the record has it now");
        let _again = aloud.begin(P, 2);
        assert_eq!(aloud.listen().0, [Signal::Heard { proposal: P, revision: 2, lost: 0, thoughts: Vec::new() }]);
    }

    #[test]
    fn who_fell_behind_hears_it_all_again_with_what_is_over() {
        let aloud = Aloud::new(4);
        let (_, mut slow) = aloud.listen();
        let heard = |n, text: &str| Signal::Heard { proposal: ProposalId(n), revision: 1, lost: 0, thoughts: vec![say(text)] };
        for n in 0..7 {
            aloud.begin(ProposalId(n), 1).say(say(&n.to_string()));
        }
        let under_way = aloud.begin(ProposalId(9), 1);
        under_way.say(say("nine"));
        // A new attempt stands in place of the one that is over.
        let anew = aloud.begin(ProposalId(6), 1);
        anew.say(say("six again"));
        assert!(matches!(slow.try_recv(), Err(broadcast::error::TryRecvError::Lagged(_))));
        let (told, mut from_now) = aloud.listen_again();
        assert_eq!(
            told,
            [heard(3, "3"), heard(4, "4"), heard(5, "5"), heard(6, "six again"), heard(9, "nine")],
            "the last few, then what goes on"
        );
        assert!(from_now.try_recv().is_err());
        assert_eq!(aloud.listen().0, [heard(6, "six again"), heard(9, "nine")], "who comes new has the record");
    }

    #[test]
    fn what_is_kept_is_bounded_and_says_what_it_lost() {
        let aloud = Aloud::new(4);
        let voice = aloud.begin(P, 1);
        for n in 0..100_000_u32 {
            voice.say(say(&format!("{n} ")));
        }
        voice.say(Thought::Told { name: "read_file".into(), text: "x".repeat(BYTES / 2), failed: false });
        let told = aloud.listen().0;
        let [Signal::Heard { lost, thoughts, .. }] = &told[..] else { panic!("{told:?}") };
        let bytes: usize = thoughts.iter().map(size).sum();
        assert!(bytes <= BYTES && bytes > BYTES - 2 * JOINED, "{bytes}");
        let said: usize = (0..100_000_u32).map(|n| n.to_string().len() + 1).sum();
        assert_eq!(*lost as usize + bytes, said + "read_file".len() + BYTES / 2, "nothing goes unsaid");
        let last = thoughts.iter().rev().find_map(|t| if let Thought::Reasoning { text } = t { Some(text) } else { None });
        assert!(last.unwrap().ends_with("99999 "), "the end is what stays");
        voice.say(say(&"y".repeat(2 * BYTES)));
        assert!(matches!(&aloud.listen().0[..], [Signal::Heard { thoughts, .. }] if thoughts.is_empty()), "one piece too long for all");
    }
}
