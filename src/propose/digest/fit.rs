//! Sections under caps: whole lines only, what is left out is counted, and the least important give way first.

use crate::propose::agent::floor;
use std::fmt::Write;

/// Longest single line.
const LONGEST_LINE: usize = 1600;

/// A part of the digest.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Section {
    pub(super) title: String,
    /// The most important first.
    pub(super) lines: Vec<String>,
    /// Most bytes, its title included.
    pub(super) cap: usize,
    /// The lowest gives way first.
    pub(super) weight: u8,
}

impl Section {
    pub(super) fn new(title: impl Into<String>, cap: usize, weight: u8, lines: Vec<String>) -> Self {
        Self { title: title.into(), lines, cap, weight }
    }

    /// Its text under a cap; nothing for a section without lines.
    fn text(&self, cap: usize) -> String {
        if self.lines.is_empty() {
            return String::new();
        }
        let mut out = format!("\n## {}\n", self.title);
        let room = cap.saturating_sub(24);
        for (number, line) in self.lines.iter().enumerate() {
            let line = line.get(..floor(line, LONGEST_LINE)).unwrap_or_default();
            if out.len() + line.len() + 1 > room {
                let _ = writeln!(out, "(+{} more)", self.lines.len() - number);
                break;
            }
            out.push_str(line);
            out.push('\n');
        }
        out
    }
}

/// All sections in their order, together at most `longest` bytes.
pub(super) fn together(head: String, sections: Vec<Section>, longest: usize) -> String {
    let mut texts: Vec<String> = sections.iter().map(|s| s.text(s.cap)).collect();
    let mut order: Vec<usize> = (0..sections.len()).collect();
    order.sort_by_key(|at| sections.get(*at).map_or(0, |s| s.weight));
    // Halved first, then gone; the heaviest are never reached, since their caps fit together.
    for halved in [true, false] {
        for at in &order {
            let size = head.len() + texts.iter().map(String::len).sum::<usize>();
            if size <= longest {
                break;
            }
            if let (Some(section), Some(text)) = (sections.get(*at), texts.get_mut(*at)) {
                *text = if halved { section.text(section.cap / 2) } else { String::new() };
            }
        }
    }
    let mut out = head;
    texts.iter().for_each(|text| out.push_str(text));
    out.truncate(floor(&out, longest));
    out
}
