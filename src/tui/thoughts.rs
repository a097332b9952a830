//! What proposers think, as it comes: pieces in order for each request, bounded in bytes, the oldest dropped.
//!
//! A model may say anything, and may not end. Text is kept as it came and made safe where it is drawn, in lines of bounded
//! length, so that drawing the end of it costs no more than the lines that show.

use crate::model::conversation::{Message, Thought, Turn};
use crate::model::{Millis, ProposalId};
use crate::protocol::{ConversationPart, Header, ThinkingRow};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Bytes held of one request, each line counted with what it costs to hold.
const BYTES: usize = 96 << 10;
/// What holding one line costs besides its text.
const LINE_COST: usize = 24;
/// Longest line; a longer one is broken at a space.
const LINE: usize = 2_000;
/// Bytes held of what a tool was told and answered.
const TOLD: usize = 8 << 10;
/// Requests held; the one that was silent longest goes first.
const STREAMS: usize = 24;

/// Which voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It thinks.
    Reasoning,
    /// It speaks.
    Answer,
}

/// A tool that was called, and what it answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its number within the request, from 0; kept when older pieces go.
    pub no: u64,
    /// The tool.
    pub name: String,
    /// JSON as the model wrote it, cut.
    pub arguments: String,
    /// The answer, once it is there, and whether it is a refusal.
    pub told: Option<(String, bool)>,
}

/// One piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text of one voice.
    Text(Tone, VecDeque<String>),
    /// A tool call.
    Call(Call),
    /// A retry, a wait.
    Note(String),
}

impl Piece {
    fn cost(&self) -> usize {
        LINE_COST
            + match self {
                Self::Text(_, lines) => lines.iter().map(|l| l.len() + LINE_COST).sum(),
                Self::Call(call) => call.name.len() + call.arguments.len() + call.told.as_ref().map_or(0, |(text, _)| text.len()),
                Self::Note(text) => text.len(),
            }
    }
}

/// What is held of one request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stream {
    /// In the order in which they came.
    pub pieces: VecDeque<Piece>,
    /// Bytes at the start that are not held any more.
    pub lost: u64,
    /// Who was asked for what, as last told.
    pub row: Option<ThinkingRow>,
    /// When nothing came of it, and why.
    pub failed: Option<(Millis, String)>,
    /// Its first word was heard here: nothing is missing at the start but what was dropped.
    pub whole: bool,
    /// The first word of the attempt that is under way was heard here.
    pub begun: bool,
    cost: usize,
    calls: u64,
    /// The last character was a carriage return: a line feed after it is the same line end.
    after_return: bool,
    touched: u64,
}

impl Stream {
    /// Takes the next piece.
    pub fn push(&mut self, thought: Thought) {
        match thought {
            Thought::Reasoning { text } => self.text(Tone::Reasoning, &text),
            Thought::Answer { text } => self.text(Tone::Answer, &text),
            Thought::Called { name, arguments } => {
                let call = Call { no: self.calls, name: cut(&name, 200), arguments: cut(&arguments, TOLD), told: None };
                self.calls += 1;
                self.add(Piece::Call(call));
            }
            Thought::Told { name, text, failed } => {
                let text = cut(&text, TOLD);
                let open = self.pieces.iter_mut().find_map(|p| match p {
                    Piece::Call(call) if call.told.is_none() && call.name == name => Some(call),
                    Piece::Text(..) | Piece::Call(_) | Piece::Note(_) => None,
                });
                match open {
                    Some(call) => {
                        self.cost += text.len();
                        call.told = Some((text, failed));
                    }
                    // The call itself was not heard: it was dropped, or came before this client.
                    None => {
                        let call = Call { no: self.calls, name: cut(&name, 200), arguments: String::new(), told: Some((text, failed)) };
                        self.calls += 1;
                        self.add(Piece::Call(call));
                    }
                }
            }
            Thought::Note { text } => self.add(Piece::Note(cut(&text, LINE))),
        }
        self.drop_oldest();
    }

    fn turn(&mut self, turn: Turn) {
        match turn {
            Turn::Began { revision: 0 | 1 } => {}
            Turn::Began { revision } => self.push(Thought::Note { text: format!("revision {revision}") }),
            Turn::Told { message: Message::System { text } } => self.said("its instructions", text),
            Turn::Told { message: Message::User { text } } => self.said("what it was told", text),
            // Its own words of before, given back to it.
            Turn::Told { message: Message::Assistant { .. } } => {}
            Turn::Told { message: Message::Tool { name, text, failed, .. } } => self.push(Thought::Told { name, text, failed }),
            Turn::Answered { answer, .. } => {
                self.push(Thought::Reasoning { text: answer.reasoning });
                self.push(Thought::Answer { text: answer.text });
                for call in answer.calls {
                    self.push(Thought::Called { name: call.name, arguments: call.arguments });
                }
            }
            Turn::Retried { why, wait_secs } => self.push(Thought::Note { text: format!("{why}: tried again after {wait_secs:.0} s") }),
            Turn::Failed { why } => self.push(Thought::Note { text: why }),
        }
    }

    /// Text that the model was given, folded like the answer of a tool.
    fn said(&mut self, what: &str, text: String) {
        self.push(Thought::Called { name: what.into(), arguments: String::new() });
        self.push(Thought::Told { name: what.into(), text, failed: false });
    }

    /// Whether there is anything to show.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The calls held, in order.
    pub fn calls(&self) -> impl DoubleEndedIterator<Item = &Call> {
        self.pieces.iter().filter_map(|p| match p {
            Piece::Call(call) => Some(call),
            Piece::Text(..) | Piece::Note(_) => None,
        })
    }

    fn add(&mut self, piece: Piece) {
        self.cost += piece.cost();
        self.after_return = false;
        self.pieces.push_back(piece);
    }

    fn text(&mut self, tone: Tone, text: &str) {
        let text = match text.len().checked_sub(BYTES) {
            Some(over @ 1..) => {
                let from = (over..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
                self.lost += from as u64;
                text.get(from..).unwrap_or_default()
            }
            Some(0) | None => text,
        };
        if text.is_empty() {
            return;
        }
        if !matches!(self.pieces.back(), Some(Piece::Text(t, _)) if *t == tone) {
            self.add(Piece::Text(tone, VecDeque::from([String::new()])));
        }
        let Some(Piece::Text(_, lines)) = self.pieces.back_mut() else { return };
        let mut cost = 0;
        let mut rest = text;
        if std::mem::take(&mut self.after_return) {
            rest = rest.strip_prefix('\n').unwrap_or(rest);
        }
        self.after_return = text.ends_with('\r');
        loop {
            let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
            let (head, tail) = rest.split_at(end);
            cost += head.len();
            if let Some(line) = lines.back_mut() {
                line.push_str(head);
            }
            while let Some(more) = lines.back_mut().and_then(broken) {
                cost += LINE_COST;
                lines.push_back(more);
            }
            let Some(next) = tail.strip_prefix("\r\n").or_else(|| tail.strip_prefix(['\n', '\r'])) else { break };
            cost += LINE_COST;
            lines.push_back(String::new());
            rest = next;
        }
        self.cost += cost;
    }

    fn drop_oldest(&mut self) {
        while self.cost > BYTES {
            let more = self.pieces.len() > 1;
            let gone = match self.pieces.front_mut() {
                Some(Piece::Text(_, lines)) if lines.len() > 1 => lines.pop_front().map_or(0, |l| l.len() + LINE_COST),
                Some(_) if more => self.pieces.pop_front().map_or(0, |p| p.cost()),
                Some(_) | None => return,
            };
            self.cost = self.cost.saturating_sub(gone);
            self.lost += gone.saturating_sub(LINE_COST) as u64;
        }
    }
}

/// Breaks a line that is too long, and returns its end.
fn broken(line: &mut String) -> Option<String> {
    if line.len() <= LINE {
        return None;
    }
    let most = (0..=LINE).rev().find(|at| line.is_char_boundary(*at))?;
    let at = line.get(..most)?.rfind(' ').map_or(most, |space| space + 1);
    Some(line.split_off(at))
}

fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// A recorded conversation as if it had been heard; what the model was told at its start stands first, folded.
pub fn recorded(part: ConversationPart) -> Stream {
    let mut stream = Stream { whole: part.offset == 0, ..Stream::default() };
    if part.offset > 0 {
        stream.push(Thought::Note { text: format!("{} earlier entries are in the record", part.offset) });
    }
    for turn in part.turns {
        stream.turn(turn);
    }
    if part.next < part.total {
        stream.push(Thought::Note { text: format!("{} more entries are in the record", part.total - part.next) });
    }
    if let Some(trouble) = part.trouble {
        stream.push(Thought::Note { text: trouble });
    }
    stream
}

/// What is held of all requests, and which of their tool calls are open.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Thoughts {
    streams: BTreeMap<ProposalId, Stream>,
    /// What the record says of requests that were not heard from their start.
    records: BTreeMap<ProposalId, Stream>,
    /// The call that keys act on.
    pub at: Option<(ProposalId, u64)>,
    /// Calls that show their arguments and answer.
    pub open: BTreeSet<(ProposalId, u64)>,
    clock: u64,
}

impl Thoughts {
    /// Where the whole of a request is: heard from its start, else recorded, else what was heard of it.
    pub fn fullest(&self, proposal: ProposalId) -> Option<&Stream> {
        let heard = self.streams.get(&proposal).filter(|s| !s.is_empty());
        heard.filter(|s| s.whole).or_else(|| self.records.get(&proposal).filter(|s| !s.is_empty())).or(heard)
    }

    /// Whether the record of a request would tell more than was heard of it.
    pub fn wants_record(&self, proposal: ProposalId) -> bool {
        self.streams.get(&proposal).is_none_or(|s| !s.whole)
    }

    /// Takes the record of a request.
    pub fn record(&mut self, proposal: ProposalId, part: ConversationPart) {
        self.records.insert(proposal, recorded(part));
        while self.records.len() > STREAMS {
            // The one farthest from what is looked at now.
            let far = self.records.keys().max_by_key(|id| id.0.abs_diff(proposal.0)).copied();
            far.map(|id| self.records.remove(&id));
        }
    }

    /// What is held of a request.
    pub fn of(&self, proposal: ProposalId) -> Option<&Stream> {
        self.streams.get(&proposal)
    }

    /// All of them, in the order of the requests.
    pub fn all(&self) -> impl Iterator<Item = (ProposalId, &Stream)> {
        self.streams.iter().map(|(id, s)| (*id, s))
    }

    /// Takes a piece.
    pub fn push(&mut self, proposal: ProposalId, thought: Thought) {
        self.stream(proposal).push(thought);
    }

    /// What was said so far in the attempt that is under way: in place of all that was heard of the request.
    pub fn heard(&mut self, proposal: ProposalId, revision: u32, lost: u64, thoughts: Vec<Thought>) {
        let stream = self.stream(proposal);
        // What was said of earlier revisions is in the record.
        let (whole, row) = (revision <= 1, stream.row.take());
        *stream = Stream { lost, whole, begun: true, row, touched: stream.touched, ..Stream::default() };
        for thought in thoughts {
            stream.push(thought);
        }
    }

    /// The engine is not heard any more: of what is held the end may be missing.
    pub fn cut_off(&mut self) {
        for stream in self.streams.values_mut() {
            (stream.whole, stream.begun) = (false, false);
        }
    }

    /// A request was made: what comes now comes from its start.
    pub fn asked(&mut self, proposal: ProposalId) {
        self.stream(proposal).whole = true;
    }

    /// Nothing came of a request.
    pub fn failed(&mut self, proposal: ProposalId, at: Millis, why: &str) {
        if let Some(stream) = self.streams.get_mut(&proposal) {
            stream.failed = Some((at, cut(why, LINE)));
        }
    }

    /// Notes who thinks, while the study says so.
    pub fn note(&mut self, header: &Header) {
        for row in &header.thinking {
            if row.assignment.is_some() || self.streams.contains_key(&row.proposal) {
                self.stream(row.proposal).row = Some(row.clone());
            }
        }
    }

    fn stream(&mut self, proposal: ProposalId) -> &mut Stream {
        self.clock += 1;
        if !self.streams.contains_key(&proposal) && self.streams.len() >= STREAMS {
            let silent = self.streams.iter().min_by_key(|(_, s)| s.touched).map(|(id, _)| *id);
            if let Some(gone) = silent {
                self.streams.remove(&gone);
                self.open.retain(|(of, _)| *of != gone);
                self.at = self.at.filter(|(of, _)| *of != gone);
            }
        }
        let stream = self.streams.entry(proposal).or_default();
        stream.touched = self.clock;
        stream
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn say(text: &str) -> Thought {
        Thought::Reasoning { text: text.into() }
    }

    #[test]
    fn pieces_join_and_calls_find_their_answers() {
        let mut stream = Stream::default();
        for thought in [
            say("one\r"),
            say("\ntw"),
            say("o"),
            Thought::Called { name: "read_file".into(), arguments: "{\"path\":\"a\"}".into() },
            Thought::Called { name: "read_file".into(), arguments: "{\"path\":\"b\"}".into() },
            Thought::Told { name: "read_file".into(), text: "of a".into(), failed: false },
            Thought::Told { name: "search".into(), text: "unheard".into(), failed: true },
            Thought::Answer { text: "said".into() },
            Thought::Answer { text: " more".into() },
            Thought::Note { text: "next try in 8 s".into() },
        ] {
            stream.push(thought);
        }
        let call = |no, name: &str, arguments: &str, told: Option<(&str, bool)>| {
            Piece::Call(Call { no, name: name.into(), arguments: arguments.into(), told: told.map(|(t, f)| (t.into(), f)) })
        };
        let text = |tone, lines: &[&str]| Piece::Text(tone, lines.iter().map(|l| (*l).to_owned()).collect());
        let want = [
            text(Tone::Reasoning, &["one", "two"]),
            call(0, "read_file", "{\"path\":\"a\"}", Some(("of a", false))),
            call(1, "read_file", "{\"path\":\"b\"}", None),
            call(2, "search", "", Some(("unheard", true))),
            text(Tone::Answer, &["said more"]),
            Piece::Note("next try in 8 s".into()),
        ];
        assert_eq!(Vec::from(stream.pieces), want);
    }

    #[test]
    fn an_endless_stream_and_many_requests_stay_bounded() {
        let mut thoughts = Thoughts::default();
        for n in 0..200u32 {
            thoughts.push(ProposalId(n), say(&"all work and no play \n".repeat(60_000)));
            thoughts.push(ProposalId(n), say(&"x".repeat(10 << 20)));
            thoughts.push(ProposalId(n), say(&"\n".repeat(200_000)));
            thoughts.push(ProposalId(n), say("the end"));
            if n > 30 {
                continue;
            }
            for _ in 0..2_000 {
                thoughts.push(ProposalId(n), Thought::Called { name: "list".into(), arguments: "{}".into() });
            }
        }
        assert_eq!(thoughts.streams.len(), STREAMS);
        let last = thoughts.of(ProposalId(199)).unwrap();
        assert!(matches!(last.pieces.back(), Some(Piece::Text(_, lines)) if lines.back().is_some_and(|l| l == "the end")));
        assert!(thoughts.all().all(|(_, s)| s.cost <= BYTES && s.lost > 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn cost_is_what_is_held(parts in prop::collection::vec(("[a-z \\r\\n\u{1b}é]{0,900}|x{1990,6100}", 0u8..5), 0..20)) {
            let mut stream = Stream::default();
            for (text, kind) in parts {
                stream.push(match kind {
                    0 | 1 => Thought::Reasoning { text },
                    2 => Thought::Answer { text },
                    3 => Thought::Called { name: "t".into(), arguments: text },
                    _ => Thought::Told { name: "t".into(), text, failed: false },
                });
                prop_assert_eq!(stream.cost, stream.pieces.iter().map(Piece::cost).sum::<usize>());
                prop_assert!(stream.cost <= BYTES);
                for piece in &stream.pieces {
                    if let Piece::Text(_, lines) = piece {
                        prop_assert!(!lines.is_empty() && lines.iter().all(|l| l.len() <= LINE));
                    }
                }
            }
        }
    }
}
