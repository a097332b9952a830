//! Finds `name: number` and the running number in one line of a log.
//!
//! A form alone proves little: `Note: 3 files` has it too. So a pair counts when its name is a metric's (`words`), or when it stands in a
//! line with one, or with a step; and its number must be followed by nothing that goes on with a sentence. Lines that hold nothing but a
//! decimal `name: 0.5` count as well, as the tails of reports do.

use super::{
    tokens::{self, Token, What},
    words::{self, Class},
};
use std::{borrow::Cow, ops::Range};

/// A metric that a line gives.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Pair {
    /// Where its name stands.
    pub(in super::super) name: Range<usize>,
    /// Where its number stands, without a unit.
    pub(in super::super) number: Range<usize>,
    pub(in super::super) value: f64,
    pub(in super::super) class: Class,
}

/// A running number that a line gives.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Step {
    /// Where its word stands; empty for a bare `[12/100]`.
    pub(in super::super) name: Range<usize>,
    pub(in super::super) number: Range<usize>,
    pub(in super::super) value: f64,
    /// As in `12/100`.
    pub(in super::super) total: Option<f64>,
    /// As `step_rank`; none for a bare `[12/100]`.
    pub(in super::super) rank: Option<usize>,
}

/// What a line gives. Reused from line to line.
#[derive(Debug, Default)]
pub(in super::super) struct Line {
    pub(in super::super) pairs: Vec<Pair>,
    pub(in super::super) steps: Vec<Step>,
    /// Nothing but a step: `Epoch 3/10`.
    pub(in super::super) heading: bool,
    tokens: Vec<Token>,
    raw: Vec<Raw>,
}

/// A pair before it was weighed.
#[derive(Debug)]
struct Raw {
    pair: Pair,
    /// Tokens from the first word of its run to behind its number and unit.
    tokens: Range<usize>,
    /// With `:` or `=`.
    assigned: bool,
    /// The name is one word, and the whole of what stands before the number.
    bare: bool,
    /// The name begins where a statement begins.
    first: bool,
    fine: bool,
    sound: bool,
}

/// Returns the key for a name: one word as it was printed, several as `train_loss`.
pub(in super::super) fn key(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let name = name.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '*'));
    if !name.contains(char::is_whitespace) {
        return name.to_owned();
    }
    let words: Vec<_> =
        name.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '*' | '+')).filter(|w| !w.is_empty()).collect();
    words.join("_").to_ascii_lowercase()
}

/// Longest name of several words.
const MAX_WORDS: usize = 4;
/// Longest name, in bytes.
const MAX_NAME: usize = 64;

impl Line {
    /// Reads a line from which control sequences were removed.
    pub(in super::super) fn read(&mut self, line: &[u8]) {
        self.pairs.clear();
        self.steps.clear();
        self.raw.clear();
        self.heading = false;
        if !line.iter().any(u8::is_ascii_digit) && !holds_non_finite(line) {
            return;
        }
        tokens::cut(line, &mut self.tokens);
        self.collect(line);
        self.weigh();
    }

    fn what(&self, at: usize) -> Option<What> {
        self.tokens.get(at).map(|t| t.what)
    }

    fn text<'a>(&self, line: &'a [u8], at: usize) -> Cow<'a, str> {
        self.tokens.get(at).and_then(|t| line.get(t.at.clone())).map(String::from_utf8_lossy).unwrap_or_default()
    }

    /// Finds steps and candidates for pairs.
    fn collect(&mut self, line: &[u8]) {
        let mut run = 0;
        let mut at = 0;
        let mut calls = 0usize;
        let mut depth: Vec<bool> = Vec::new();
        if let Some((step, after)) = self.leading(line) {
            self.steps.push(step);
            (run, at) = (after, after);
        }
        while let Some(token) = self.tokens.get(at) {
            match token.what {
                What::Word => {
                    at += 1;
                    continue;
                }
                What::Open { call } => {
                    if let Some((step, after)) = self.step(line, run, at).or_else(|| self.fraction(line, at)) {
                        self.steps.push(step);
                        (run, at) = (after, after);
                        continue;
                    }
                    calls += usize::from(call);
                    depth.push(call);
                }
                What::Close => calls -= usize::from(depth.pop().unwrap_or(false)),
                What::Assign | What::Number { .. } | What::Other => {
                    if let Some((step, after)) = self.step(line, run, at) {
                        self.steps.push(step);
                        (run, at) = (after, after);
                        continue;
                    }
                    let assigned = token.what == What::Assign;
                    let number = at + usize::from(assigned);
                    if run < at
                        && token.what != What::Other
                        && calls == 0
                        && let Some(raw) = self.candidate(line, run, number, assigned)
                    {
                        (run, at) = (raw.tokens.end, raw.tokens.end);
                        self.raw.push(raw);
                        continue;
                    }
                }
                What::Slash | What::Break | What::Junk => {}
            }
            at += 1;
            run = at;
        }
    }

    /// `[12]` or `12:` before a tab, as boosting libraries write it.
    fn leading(&self, line: &[u8]) -> Option<(Step, usize)> {
        let (number, after) = match (self.what(0)?, self.what(1)?, self.what(2)?) {
            (What::Open { call: false }, What::Number { fine: false, .. }, What::Close) => (1, 3),
            (What::Number { fine: false, .. }, What::Assign, What::Break) => (0, 2),
            _ => return None,
        };
        let end = self.tokens.get(after - 1)?.at.end;
        if line.get(end) != Some(&b'\t') {
            return None;
        }
        let (value, range) = self.count(number)?;
        Some((Step { name: 0..0, number: range, value, total: None, rank: words::counter("iteration") }, after))
    }

    /// A number that may count progress: no unit, not negative.
    fn count(&self, at: usize) -> Option<(f64, Range<usize>)> {
        let token = self.tokens.get(at)?;
        match token.what {
            What::Number { value, digits, .. } if value.is_finite() && value >= 0.0 && token.at.len() == digits => {
                Some((value, token.at.clone()))
            }
            _ => None,
        }
    }

    /// `epoch 3`, `step:200/20000`, `Epoch: [003][00010/00100]`: the word is the last of the run that ends at `at`.
    fn step(&self, line: &[u8], run: usize, at: usize) -> Option<(Step, usize)> {
        if run == at {
            return None;
        }
        let name = self.tokens.get(at - 1)?.at.clone();
        let rank = words::counter(&self.text(line, at - 1))?;
        let mut at = at;
        for skip in [What::Assign, What::Open { call: false }] {
            at += usize::from(self.what(at) == Some(skip));
        }
        at += usize::from(self.what(at) == Some(What::Other) && self.text(line, at) == "#");
        let opened = self.what(at - 1) == Some(What::Open { call: false });
        let (value, number) = self.count(at)?;
        at += 1;
        let total = self.total(&mut at);
        at += usize::from(opened && self.what(at) == Some(What::Close));
        Some((Step { name, number, value, total, rank: Some(rank) }, at))
    }

    fn total(&self, at: &mut usize) -> Option<f64> {
        let (total, _) = (self.what(*at)? == What::Slash).then(|| self.count(*at + 1))??;
        *at += 2;
        Some(total)
    }

    /// A bare `[640/60000 (1%)]`.
    fn fraction(&self, line: &[u8], at: usize) -> Option<(Step, usize)> {
        let (value, number) = self.count(at + 1)?;
        let mut after = at + 2;
        let total = self.total(&mut after)?;
        if line.get(self.tokens.get(at)?.at.start) != Some(&b'[') || value > total {
            return None;
        }
        while self.what(after).is_some_and(|w| w != What::Close) {
            after += 1;
        }
        // The share within may stand in brackets of its own.
        let nested = self.what(after + 1) == Some(What::Close) && self.what(after - 2).is_some_and(|w| matches!(w, What::Open { .. }));
        after += 1 + usize::from(nested);
        Some((Step { name: number.start..number.start, number, value, total: Some(total), rank: None }, after))
    }

    fn candidate(&self, line: &[u8], run: usize, number: usize, assigned: bool) -> Option<Raw> {
        let token = self.tokens.get(number)?;
        let What::Number { value, fine, digits } = token.what else { return None };
        let last = number - 1 - usize::from(assigned);
        let (begin, class) = self.name(line, run, last, assigned)?;
        let name = self.tokens.get(begin)?.at.start..self.tokens.get(last)?.at.end;
        let mut value = value;
        let mut digits = token.at.start..token.at.start + digits;
        let mut end = number + 1;
        if self.what(end) == Some(What::Slash) {
            // `Accuracy: 9831/10000` is a share; any other fraction is no value.
            let (total, range) = self.count(end + 1)?;
            if class != Class::Metric || total < 1.0 || value > total || fine {
                return None;
            }
            value /= total;
            digits.end = range.end;
            end += 2;
        }
        if self.what(end) == Some(What::Word) && words::unit(&self.text(line, end)) && self.what(end + 1) != Some(What::Assign) {
            end += 1;
        }
        let pair = Pair { name, number: digits, value, class };
        let word = self.text(line, last);
        // `Error: 3` is a message, `error: 0.3` a metric.
        let message = word.eq_ignore_ascii_case("error") && run == last && !fine;
        // `__main__:train:42` is a place in the source.
        let placed = assigned && run == last && !fine && class != Class::Metric && self.what(run.wrapping_sub(1)) == Some(What::Assign);
        let placed =
            placed && self.tokens.get(run.wrapping_sub(1)).is_some_and(|t| Some(t.at.end) == self.tokens.get(run).map(|t| t.at.start));
        let sound = pair.name.len() <= MAX_NAME && !words::never(&word) && !message && !placed;
        Some(Raw { pair, tokens: run..end, assigned, bare: run == last, first: begin == run, fine, sound })
    }

    /// Where the name begins that ends at `last`, and what it says. None when the words before the number are no name.
    fn name(&self, line: &[u8], run: usize, last: usize, assigned: bool) -> Option<(usize, Class)> {
        let mut begin = last;
        let mut class = words::class(&self.text(line, last));
        if run == last {
            return Some((last, class));
        }
        let attached = |at: usize| self.tokens.get(at).zip(self.tokens.get(at + 1)).is_some_and(|(a, b)| a.at.end == b.at.start);
        // Qualifiers and further words of measure belong to the name, unless it is a name of its own: `roundtrip val_loss:2.07`.
        let whole = self.text(line, last).contains(['_', '/']) && class != Class::Other;
        while !whole && begin > run {
            let word = self.text(line, begin - 1);
            let more = words::class(&word);
            if more == Class::Other && !words::qualifies(&word) {
                break;
            }
            class = class.max(more);
            begin -= 1;
        }
        if class == Class::Other || (!whole && begin > run) {
            // A statement of a few words about a measure: `Accuracy on test set`.
            let all = (run..=last).map(|at| words::class(&self.text(line, at))).max().unwrap_or(Class::Other);
            let told = assigned && self.text(line, last + 1) == ":";
            if told && last - run < MAX_WORDS && all > Class::Other {
                return Some((run, all));
            }
            if class == Class::Other && !(assigned && attached(last)) {
                return None;
            }
        }
        (last - begin < MAX_WORDS).then_some((begin, class))
    }

    /// Decides which candidates are metrics.
    fn weigh(&mut self) {
        // From the right: a number may be followed by the next name only if that one holds.
        let mut next: Option<usize> = None;
        for at in (0..self.raw.len()).rev() {
            let Some(raw) = self.raw.get(at) else { break };
            let end = raw.tokens.end;
            let follows = match self.what(end) {
                None | Some(What::Break | What::Close | What::Open { .. } | What::Other) => true,
                Some(What::Word) => next == Some(end) || self.steps_from(end),
                Some(What::Number { .. } | What::Assign | What::Slash | What::Junk) => false,
            };
            let arrow = self.what(end) == Some(What::Other) && matches!(self.what(end + 1), Some(What::Other));
            let sound = raw.sound && follows && !arrow;
            next = sound.then_some(raw.tokens.start);
            if let Some(raw) = self.raw.get_mut(at) {
                raw.sound = sound;
            }
        }
        let stepped = !self.steps.is_empty();
        let strong = |raw: &Raw| raw.sound && raw.pair.class == Class::Metric && (raw.assigned || (raw.first && (raw.fine || stepped)));
        let anchored = stepped || self.raw.iter().any(strong);
        let dense = self.dense();
        let exact = |raw: &Raw| {
            let edge = |what: Option<What>| matches!(what, None | Some(What::Break));
            raw.bare && edge(raw.tokens.start.checked_sub(1).and_then(|at| self.what(at))) && edge(self.what(raw.tokens.end))
        };
        let mut pairs = Vec::new();
        for raw in &self.raw {
            let takes = match raw.pair.class {
                Class::Metric => strong(raw),
                Class::Meter => (raw.assigned && (anchored || dense)) || (anchored && (raw.fine && raw.first || exact(raw))),
                Class::Other => (raw.assigned && (anchored || (dense && raw.fine))) || (anchored && exact(raw)),
            };
            if raw.sound && takes {
                pairs.push(raw.pair.clone());
            }
        }
        self.pairs = pairs;
        self.heading = stepped && self.raw.is_empty() && dense;
    }

    /// Whether a word of the run at `at` begins a step.
    fn steps_from(&self, at: usize) -> bool {
        let start = |t: usize| self.tokens.get(t).map(|t| t.at.clone());
        start(at).is_some_and(|word| self.steps.iter().any(|s| s.name == word))
    }

    /// Whether nothing stands in the line but pairs, steps and marks.
    fn dense(&self) -> bool {
        let covered = |at: usize, token: &Token| {
            self.raw.iter().any(|raw| raw.sound && raw.tokens.contains(&at))
                || self
                    .steps
                    .iter()
                    .any(|s| s.name == token.at || s.number == token.at || (s.total.is_some() && matches!(token.what, What::Number { .. })))
        };
        self.tokens.iter().enumerate().all(|(at, token)| match token.what {
            What::Word | What::Number { .. } | What::Junk => covered(at, token),
            What::Assign | What::Open { .. } | What::Close | What::Slash | What::Break | What::Other => true,
        })
    }
}

fn holds_non_finite(line: &[u8]) -> bool {
    line.windows(3).any(|w| w.eq_ignore_ascii_case(b"nan") || w.eq_ignore_ascii_case(b"inf"))
}
