//! One answer as it comes in: pieces told apart and passed on, calls put together, and the guard against one without end.
//!
//! Knows no wire format: `chat` and `responses` say what came. What a server sends is not trusted: nothing in here panics,
//! and nothing grows past the limit of letters.

use super::{
    Finish, Heard, ToolCall,
    spent::Usage,
    text_tools,
    think::{self, Part, Splitter},
    trouble::{Remedy, Trouble},
};
use serde_json::Value;
use std::time::Instant;

/// Letters of an answer where no limit of tokens is known.
const MOST_LETTERS: usize = 600_000;
/// Letters that a token may have when a limit of tokens is turned into letters; code has fewer.
const LETTERS_OF_A_TOKEN: usize = 10;
/// Calls of one answer.
const MOST_CALLS: usize = 64;
/// Longest name of a tool that is kept whole, in bytes; what is cut is no tool's name anyway.
const LONGEST_NAME: usize = 256;
/// Longest id of a call that is sent back: routers pack a thought's signature into it. A longer one is replaced.
const LONGEST_ID: usize = 64 << 10;
/// Bytes of what a server wants back as it was.
const MOST_OPAQUE: usize = 4 << 20;
/// How many letters are looked at for something that is said over and over, and how often.
const LOOP_WINDOW: usize = 6_000;
const LOOP_EVERY: usize = 2_000;
/// Longest thing that is noticed when it is said over and over.
const LOOP_PERIOD: usize = 1_000;

/// Whoever listens.
pub(super) type Hear<'a> = dyn FnMut(Heard<'_>) + Send + 'a;

/// A call that is still being said.
#[derive(Debug, Default, Clone)]
struct Begun {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
    /// The listener knows of it.
    told: bool,
}

/// A piece of a tool call, as a server sends it.
#[derive(Debug, Default)]
pub(super) struct CallPiece<'a> {
    pub(super) index: Option<u64>,
    pub(super) id: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) arguments: String,
    /// `arguments` are all there is, not the next piece.
    pub(super) whole: bool,
}

/// What has come so far.
pub(super) struct Gather<'h, 'f> {
    hear: &'h mut Hear<'f>,
    text: String,
    reasoning: String,
    calls: Vec<Begun>,
    splitter: Splitter,
    listener: Option<text_tools::Listener>,
    /// What the server wants back as it was.
    pub(super) opaque: Vec<Value>,
    /// Why it stopped, once it said so.
    pub(super) finish: Option<Finish>,
    /// The last count that the server gave.
    pub(super) usage: Option<Usage>,
    /// When the first piece came.
    pub(super) first: Option<Instant>,
    /// Events that came.
    pub(super) events: u64,
    letters: usize,
    most: usize,
    unlooked: usize,
    held_back: usize,
}

/// What came, told apart.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) text: String,
    pub(super) reasoning: String,
    pub(super) calls: Vec<ToolCall>,
}

impl<'h, 'f> Gather<'h, 'f> {
    /// `in_words`: tools were offered in words, so calls stand in the text.
    pub(super) fn new(hear: &'h mut Hear<'f>, max_tokens: Option<u32>, in_words: bool) -> Self {
        let most = max_tokens.map_or(MOST_LETTERS, |n| (n as usize).saturating_mul(LETTERS_OF_A_TOKEN).saturating_add(10_000));
        Self {
            hear,
            text: String::new(),
            reasoning: String::new(),
            calls: Vec::new(),
            splitter: Splitter::default(),
            listener: in_words.then(text_tools::Listener::default),
            opaque: Vec::new(),
            finish: None,
            usage: None,
            first: None,
            events: 0,
            letters: 0,
            most,
            unlooked: 0,
            held_back: 0,
        }
    }

    /// Letters that came, thoughts and arguments of calls included.
    pub(super) fn letters(&self) -> usize {
        self.letters
    }

    /// It called a tool.
    pub(super) fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// No word of an answer came so far.
    pub(super) fn is_without_text(&self) -> bool {
        self.text.is_empty()
    }

    /// Nothing was said so far.
    pub(super) fn is_silent(&self) -> bool {
        self.text.is_empty() && self.calls.is_empty()
    }

    /// A piece of its thoughts.
    pub(super) fn reasoning(&mut self, piece: &str) -> Result<(), Trouble> {
        if piece.is_empty() {
            return Ok(());
        }
        self.began();
        self.reasoning.push_str(piece);
        (self.hear)(Heard::Reasoning(piece));
        self.grew(piece.len())
    }

    /// A piece of its answer, in which thoughts may stand between tags.
    pub(super) fn content(&mut self, piece: &str) -> Result<(), Trouble> {
        if piece.is_empty() {
            return Ok(());
        }
        self.began();
        let mut splitter = std::mem::take(&mut self.splitter);
        splitter.push(piece, &mut |part, text| self.part(part, text));
        self.splitter = splitter;
        self.grew(piece.len())
    }

    fn part(&mut self, part: Part, text: &str) {
        match part {
            Part::Reasoning => {
                self.reasoning.push_str(text);
                (self.hear)(Heard::Reasoning(text));
            }
            Part::Text => {
                self.text.push_str(text);
                match &mut self.listener {
                    Some(listener) => listener.push(text, &mut *self.hear),
                    None => (self.hear)(Heard::Text(text)),
                }
            }
        }
    }

    /// A piece of a call. Servers differ in what of it they repeat, and some leave out numbers or names.
    pub(super) fn call(&mut self, piece: CallPiece<'_>) -> Result<(), Trouble> {
        self.began();
        let id = piece.id.filter(|id| !id.is_empty());
        let name = piece.name.filter(|name| !name.is_empty());
        let at = self.place(piece.index, id, name);
        let at = match at {
            Some(at) => at,
            None if self.calls.len() >= MOST_CALLS => {
                return Err(Trouble::new(
                    Remedy::AnotherAnswer,
                    format!("called more than {MOST_CALLS} tools at once"),
                    "try another model",
                ));
            }
            None => {
                self.calls.push(Begun { index: piece.index, ..Begun::default() });
                self.calls.len() - 1
            }
        };
        let Some(begun) = self.calls.get_mut(at) else { return Ok(()) };
        if let Some(id) = id.filter(|_| begun.id.is_empty()) {
            begun.id = if id.len() > LONGEST_ID { String::new() } else { id.to_owned() };
        }
        if let Some(name) = name.filter(|_| begun.name.is_empty()) {
            begun.name = name.get(..name.floor_char_boundary(LONGEST_NAME)).unwrap_or_default().to_owned();
        }
        let grown = piece.arguments.len();
        if piece.whole {
            begun.arguments = piece.arguments;
        } else {
            begun.arguments.push_str(&piece.arguments);
        }
        if !begun.told && !begun.name.is_empty() {
            begun.told = true;
            (self.hear)(Heard::Calling(&begun.name));
        }
        self.grew(grown)
    }

    /// So many more bytes are kept for the server that sent them.
    pub(super) fn hold(&mut self, bytes: usize) -> Result<(), Trouble> {
        self.held_back = self.held_back.saturating_add(bytes);
        if self.held_back <= MOST_OPAQUE {
            return Ok(());
        }
        let what = format!("sent more than {} MiB of encrypted or structured thoughts", MOST_OPAQUE >> 20);
        Err(Trouble::new(Remedy::AnotherAnswer, what, "lower reasoning_effort, or try another model"))
    }

    /// The call that a piece belongs to; none begins a new one.
    fn place(&self, index: Option<u64>, id: Option<&str>, name: Option<&str>) -> Option<usize> {
        if let Some(index) = index {
            // Some servers number every call 0 and tell them apart by their ids alone.
            let fits = |c: &Begun| c.index == Some(index) && !(name.is_some() && id.is_some_and(|id| !c.id.is_empty() && c.id != id));
            return self.calls.iter().rposition(fits);
        }
        if let Some(id) = id {
            return self.calls.iter().rposition(|c| c.id == id);
        }
        if name.is_some() { None } else { self.calls.len().checked_sub(1) }
    }

    fn began(&mut self) {
        self.first.get_or_insert_with(Instant::now);
    }

    fn grew(&mut self, letters: usize) -> Result<(), Trouble> {
        self.letters = self.letters.saturating_add(letters);
        self.unlooked = self.unlooked.saturating_add(letters);
        if self.letters > self.most {
            let what = format!("answered without end ({} letters)", self.letters);
            return Err(Trouble::new(Remedy::AnotherAnswer, what, "set max_tokens, or try another model"));
        }
        if self.unlooked < LOOP_EVERY {
            return Ok(());
        }
        self.unlooked = 0;
        let arguments = self.calls.last().map(|c| &c.arguments);
        if [&self.text, &self.reasoning].into_iter().chain(arguments).any(|text| repeats(text.as_bytes())) {
            let mend = "lower its temperature or raise its penalties in `body`, or try another model";
            return Err(Trouble::new(Remedy::AnotherAnswer, "said the same over and over", mend));
        }
        Ok(())
    }

    /// Nothing comes after this. `tools` are those that were offered, `calls_before` how many calls the conversation had.
    pub(super) fn end(&mut self, tools: &[super::ToolSpec], calls_before: usize) -> Whole {
        let mut splitter = std::mem::take(&mut self.splitter);
        splitter.end(&mut |part, text| self.part(part, text));
        if let Some(listener) = &mut self.listener {
            listener.end(&mut *self.hear);
        }
        let mut text = std::mem::take(&mut self.text);
        let mut reasoning = std::mem::take(&mut self.reasoning);
        if reasoning.is_empty()
            && let Some((thought, rest)) = think::headless(&text)
        {
            (reasoning, text) = (thought.to_owned(), rest.to_owned());
        }
        let mut calls: Vec<ToolCall> = Vec::new();
        for begun in std::mem::take(&mut self.calls) {
            if begun.name.is_empty() && begun.arguments.is_empty() {
                continue;
            }
            let taken = begun.id.is_empty() || calls.iter().any(|c| c.id == begun.id);
            let id = if taken { format!("call_{}", calls_before + calls.len() + 1) } else { begun.id };
            let arguments = if begun.arguments.trim().is_empty() { "{}".to_owned() } else { begun.arguments };
            calls.push(ToolCall { id, name: begun.name, arguments });
        }
        // Also where tools were offered in the request's own field: a server without the right parser leaves calls in the text.
        if calls.is_empty() && !tools.is_empty() {
            let told = text_tools::parse(&text, tools, calls_before);
            if self.listener.is_none() {
                told.calls.iter().for_each(|call| (self.hear)(Heard::Calling(&call.name)));
            }
            if self.listener.is_some() || !told.calls.is_empty() {
                (text, calls) = (told.text, told.calls);
            }
        }
        Whole { text: text.trim().to_owned(), reasoning: reasoning.trim().to_owned(), calls }
    }
}

/// Whether the end of a text is one thing said over and over: at least six times, for thousands of letters.
fn repeats(text: &[u8]) -> bool {
    let Some(from) = text.len().checked_sub(LOOP_WINDOW) else { return false };
    let tail = text.get(from..).unwrap_or_default();
    (1..=LOOP_PERIOD).any(|period| tail.iter().zip(tail.iter().skip(period)).all(|(a, b)| a == b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn piece<'a>(index: Option<u64>, id: &'a str, name: &'a str, arguments: &str) -> CallPiece<'a> {
        CallPiece { index, id: Some(id), name: Some(name), arguments: arguments.to_owned(), whole: false }
    }

    fn calls(pieces: Vec<CallPiece<'_>>) -> Vec<(String, String, String)> {
        let mut hear = |_: Heard<'_>| {};
        let mut gather = Gather::new(&mut hear, None, false);
        pieces.into_iter().for_each(|p| gather.call(p).unwrap());
        gather.end(&[], 4).calls.into_iter().map(|c| (c.id, c.name, c.arguments)).collect()
    }

    #[test]
    fn calls_are_put_together_however_they_are_numbered() {
        let want =
            |list: &[(&str, &str, &str)]| list.iter().map(|(a, b, c)| (a.to_string(), b.to_string(), c.to_string())).collect::<Vec<_>>();
        for (what, pieces, wanted) in [
            (
                "in pieces",
                vec![piece(Some(0), "a", "read", "{\"p\""), piece(Some(1), "b", "list", "{}"), piece(Some(0), "", "", ":1}")],
                &[("a", "read", "{\"p\":1}"), ("b", "list", "{}")][..],
            ),
            (
                "all numbered 0",
                vec![piece(Some(0), "a", "read", "{}"), piece(Some(0), "b", "read", "{}")],
                &[("a", "read", "{}"), ("b", "read", "{}")],
            ),
            ("name repeated", vec![piece(Some(0), "a", "read", "{"), piece(Some(0), "a", "read", "}")], &[("a", "read", "{}")]),
            (
                "no numbers, no ids",
                vec![piece(None, "", "read", "{"), piece(None, "", "", "}"), piece(None, "", "list", "")],
                &[("call_5", "read", "{}"), ("call_6", "list", "{}")],
            ),
            (
                "one id twice",
                vec![piece(Some(0), "a", "read", "{}"), piece(Some(1), "a", "list", "{}")],
                &[("a", "read", "{}"), ("call_6", "list", "{}")],
            ),
        ] {
            assert_eq!(calls(pieces), want(wanted), "{what}");
        }
    }

    #[test]
    fn names_ids_and_what_goes_back_are_bounded() {
        let (name, id) = ("ä".repeat(1 << 20), "x".repeat(1 << 20));
        let list = calls(vec![piece(Some(0), &id, &name, "{}")]);
        assert_eq!((list[0].0.as_str(), list[0].1.len()), ("call_5", LONGEST_NAME));
        let mut hear = |_: Heard<'_>| {};
        let mut gather = Gather::new(&mut hear, None, false);
        assert!(gather.hold(MOST_OPAQUE).is_ok());
        assert!(gather.hold(1).unwrap_err().what.contains("4 MiB"));
    }

    #[test]
    fn an_answer_without_end_is_broken_off() {
        let mut hear = |_: Heard<'_>| {};
        let mut gather = Gather::new(&mut hear, Some(10), false);
        let endless = (0..).map(|n| gather.content(&format!("{n} "))).find_map(Result::err).unwrap();
        assert!(endless.what.starts_with("answered without end"), "{endless:?}");
        for what in ["la ", "\u{e9}", "a line that is said again\nand again\n"] {
            let mut hear = |_: Heard<'_>| {};
            let mut gather = Gather::new(&mut hear, None, false);
            let over = (0..100_000).map(|_| gather.content(what)).find_map(Result::err).unwrap();
            assert_eq!(over.what, "said the same over and over");
            assert!(gather.letters() < 20_000);
            let mut hear = |_: Heard<'_>| {};
            let mut gather = Gather::new(&mut hear, None, false);
            assert!((0..100_000).map(|_| gather.reasoning(what)).any(|r| r.is_err()));
        }
        assert!(!repeats((0..5_000).map(|n| n.to_string()).collect::<String>().as_bytes()));
    }

    proptest! {
        #[test]
        fn pieces_of_any_kind_are_survived(pieces in prop::collection::vec((prop::option::of(0u64..3), "[ab]{0,1}", "[xy]{0,1}", "\\PC{0,6}"), 0..40)) {
            let mut hear = |_: Heard<'_>| {};
            let mut gather = Gather::new(&mut hear, None, false);
            let all: usize = pieces.iter().map(|p| p.3.len()).sum();
            for (index, id, name, arguments) in &pieces {
                let piece = CallPiece { index: *index, id: Some(id), name: Some(name), arguments: arguments.clone(), whole: false };
                let _ = gather.call(piece);
            }
            prop_assert_eq!(gather.letters(), all);
            let calls = gather.end(&[], 0).calls;
            let ids: std::collections::BTreeSet<&str> = calls.iter().map(|c| c.id.as_str()).collect();
            prop_assert_eq!(ids.len(), calls.len());
        }
    }
}
