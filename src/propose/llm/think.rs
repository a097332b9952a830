//! Takes `<think>…</think>` out of an answer as it streams, wherever the pieces were cut. Pure.
//!
//! A tag counts at the beginning of a line alone, so that one that is quoted inside a sentence or a string stays what it is.
//! Tested by the property that cutting changes nothing and that no letter is lost.

const OPEN: [&str; 3] = ["<think>", "<thinking>", "<thought>"];
const CLOSE: [&str; 3] = ["</think>", "</thinking>", "</thought>"];

/// A piece told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Reasoning,
    Text,
}

/// What was not decided yet.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    inside: bool,
    /// The last letter that was given out was not white, and no line has ended since.
    within_line: bool,
    held: String,
}

impl Splitter {
    /// Takes the next piece; `out` gets what is sure by now.
    pub(super) fn push(&mut self, piece: &str, out: &mut dyn FnMut(Part, &str)) {
        self.held.push_str(piece);
        let mut held = std::mem::take(&mut self.held);
        while !held.is_empty() {
            let tags = if self.inside { &CLOSE } else { &OPEN };
            let Some(at) = held.find('<') else {
                self.give(&held, out);
                return;
            };
            let (before, rest) = held.split_at(at);
            self.give(before, out);
            // A closing tag counts wherever it stands: models end a thought in mid-line.
            let may = self.inside || !self.within_line;
            if let Some(tag) = tags.iter().find(|t| may && rest.starts_with(*t)) {
                self.inside = !self.inside;
                self.within_line = false;
                held = rest.get(tag.len()..).unwrap_or_default().to_owned();
                continue;
            }
            if may && tags.iter().any(|t| t.starts_with(rest)) {
                self.held = rest.to_owned();
                return;
            }
            let (one, more) = rest.split_at(1);
            self.give(one, out);
            held = more.to_owned();
        }
    }

    /// Nothing comes after this.
    pub(super) fn end(&mut self, out: &mut dyn FnMut(Part, &str)) {
        let held = std::mem::take(&mut self.held);
        self.give(&held, out);
    }

    fn give(&mut self, text: &str, out: &mut dyn FnMut(Part, &str)) {
        if text.is_empty() {
            return;
        }
        match text.rfind('\n').and_then(|at| text.get(at..)) {
            Some(line) => self.within_line = line.chars().any(|c| !c.is_whitespace()),
            None => self.within_line |= text.chars().any(|c| !c.is_whitespace()),
        }
        out(if self.inside { Part::Reasoning } else { Part::Text }, text);
    }
}

/// A thought whose beginning the server's template has swallowed: what stands before a lone closing tag, and the rest.
pub(super) fn headless(text: &str) -> Option<(&str, &str)> {
    let (at, tag) = CLOSE.iter().filter_map(|tag| Some((text.find(tag)?, tag))).min()?;
    let own_line = text.get(..at).is_some_and(|before| before.ends_with('\n') || before.lines().count() > 1);
    own_line.then(|| (text.get(..at).unwrap_or_default(), text.get(at + tag.len()..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(pieces: &[&str]) -> (String, String) {
        let (mut reasoning, mut text) = (String::new(), String::new());
        let mut splitter = Splitter::default();
        let mut out = |part: Part, piece: &str| match part {
            Part::Reasoning => reasoning.push_str(piece),
            Part::Text => text.push_str(piece),
        };
        pieces.iter().for_each(|p| splitter.push(p, &mut out));
        splitter.end(&mut out);
        (reasoning, text)
    }

    #[test]
    fn thoughts_are_told_from_answers() {
        for (pieces, reasoning, text) in [
            (&["<think>a</think>b"][..], "a", "b"),
            (&["<th", "ink", ">a</", "thi", "nk>", "b"], "a", "b"),
            (&["\n <think>a", " < b</think>\nc"], "a < b", "\n \nc"),
            (&["say <think> and", " </think>"], "", "say <think> and </think>"),
            (&["a\n<think>b</think>c"], "b", "a\nc"),
            (&["<thinking>x</thinking>y"], "x", "y"),
            (&["<think>never closed"], "never closed", ""),
            (&["<thi"], "", "<thi"),
            (&["if a <", "b: ä<ö"], "", "if a <b: ä<ö"),
        ] {
            assert_eq!(split(pieces), (reasoning.to_owned(), text.to_owned()), "{pieces:?}");
        }
        assert_eq!(headless("I see.\nSo.\n</think>\nyes"), Some(("I see.\nSo.\n", "\nyes")));
        assert_eq!(headless("the tag `</think>` is"), None);
    }

    proptest! {
        #[test]
        fn cutting_changes_nothing_and_loses_nothing(
            parts in prop::collection::vec(prop_oneof![
                Just("<think>"), Just("</think>"), Just("<thinking>"), Just("<"), Just("\n"), Just("word "), Just("ä<"), Just("</")
            ], 0..20),
            cuts in prop::collection::vec(0usize..200, 0..20),
        ) {
            let whole: String = parts.concat();
            let mut places: Vec<usize> = cuts.into_iter().filter(|c| whole.is_char_boundary(*c)).chain([0, whole.len()]).collect();
            places.sort_unstable();
            places.dedup();
            let pieces: Vec<&str> = places.windows(2).map(|w| &whole[w[0]..w[1]]).collect();
            let (reasoning, text) = split(&pieces);
            prop_assert_eq!(split(&[&whole]), (reasoning.clone(), text.clone()));
            let tags = |s: &str| CLOSE.iter().chain(&OPEN).fold(s.to_owned(), |s, t| s.replace(t, "")).len();
            prop_assert!(tags(&reasoning) + tags(&text) <= whole.len());
            prop_assert!(reasoning.len() + text.len() + 11 * parts.len() >= whole.len());
        }
    }
}
