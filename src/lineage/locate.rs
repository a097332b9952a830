//! Finds the place in a file that a block of lines means: exactly, else by whitespace-insensitive lines, else by a unique likeness.

use super::text::squeezed;
use similar::TextDiff;
use std::collections::HashMap;

/// Least likeness (characters of the squeezed block, 0 to 1) that counts as found.
const ALIKE: f64 = 0.9;
/// Least likeness that is worth showing as the nearest place.
const WORTH_SHOWING: f64 = 0.5;
/// Most places that are compared character by character, for short blocks and for others.
const MOST_CANDIDATES: usize = 64;
const MOST_CANDIDATES_LONG: usize = 8;
/// A block of at most so many characters is short.
const SHORT: usize = 500;
/// Longest block, in lines and characters, that is looked for by likeness.
const LONGEST_BLOCK: usize = 400;
const LONGEST_CHARS: usize = 10_000;

/// How the place was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Exactly,
    BySpace,
    ByLikeness,
}

/// The outcome of a search.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// Lines `start..start + len`.
    At { start: usize, len: usize, how: How },
    /// Several places fit equally well; first lines, counted from 1.
    Ambiguous { lines: Vec<usize> },
    /// None fits; the nearest, with its likeness.
    Nowhere { nearest: Option<(usize, f64)> },
}

/// Looks for `block` in `file` from line `from` on. With a `hint` (the line that a patch names, from 0) several exact places are no
/// ambiguity: the nearest is meant. `slack` allows a place that is one line longer or shorter, for likeness only.
pub(super) fn locate(file: &[&str], block: &[&str], from: usize, hint: Option<usize>, slack: usize) -> Place {
    if block.is_empty() {
        return Place::Nowhere { nearest: None };
    }
    let exact = places(file, block, from);
    if let Some(place) = choose(&exact, block.len(), hint, How::Exactly) {
        return place;
    }
    let squeezed_file: Vec<String> = file.iter().map(|l| squeezed(l)).collect();
    let squeezed_block: Vec<String> = block.iter().map(|l| squeezed(l)).collect();
    if squeezed_block.iter().any(|l| !l.is_empty()) {
        let spaced = places(&squeezed_file, &squeezed_block, from);
        if let Some(place) = choose(&spaced, block.len(), hint, How::BySpace) {
            return place;
        }
    }
    by_likeness(&squeezed_file, &squeezed_block, from, slack)
}

/// Starts of all places where the block stands, overlapping ones too; linear in both (Knuth, Morris and Pratt 1977), as models repeat lines.
fn places<T: PartialEq>(file: &[T], block: &[T], from: usize) -> Vec<usize> {
    let step = |border: &[usize], mut matched: usize, line: &T| {
        while matched > 0 && block.get(matched) != Some(line) {
            matched = border.get(matched - 1).copied().unwrap_or(0);
        }
        if block.get(matched) == Some(line) { matched + 1 } else { 0 }
    };
    // border[i]: length of the longest proper prefix of the block that ends at i.
    let mut border = Vec::with_capacity(block.len());
    border.push(0);
    for line in block.iter().skip(1) {
        let next = step(&border, border.last().copied().unwrap_or(0), line);
        border.push(next);
    }
    let mut out = Vec::new();
    let mut matched = 0;
    for (i, line) in file.iter().enumerate().skip(from) {
        matched = step(&border, matched, line);
        if matched == block.len() {
            out.push(i + 1 - matched);
            matched = border.last().copied().unwrap_or(0);
        }
    }
    out
}

fn choose(starts: &[usize], len: usize, hint: Option<usize>, how: How) -> Option<Place> {
    let at = |start: usize| Place::At { start, len, how };
    match (starts, hint) {
        ([], _) => None,
        ([one], _) => Some(at(*one)),
        (many, Some(hint)) => many.iter().min_by_key(|s| s.abs_diff(hint)).map(|s| at(*s)),
        (many, None) => Some(Place::Ambiguous { lines: many.iter().map(|s| s + 1).collect() }),
    }
}

fn by_likeness(file: &[String], block: &[String], from: usize, slack: usize) -> Place {
    let wanted = block.join("\n");
    if block.len() > LONGEST_BLOCK || wanted.len() > LONGEST_CHARS || wanted.trim().is_empty() {
        return Place::Nowhere { nearest: None };
    }
    let mut scored: Vec<(usize, usize, f64)> = Vec::new();
    for start in candidates(file, block, from) {
        let lengths = block.len().saturating_sub(slack).max(1)..=block.len() + slack;
        let best = lengths
            .filter(|len| start + len <= file.len())
            .map(|len| (len, likeness(&file.iter().skip(start).take(len).cloned().collect::<Vec<_>>().join("\n"), &wanted)))
            .max_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((len, alike)) = best {
            scored.push((start, len, alike));
        }
    }
    let Some(&(start, len, alike)) = scored.iter().max_by(|a, b| a.2.total_cmp(&b.2)) else {
        return Place::Nowhere { nearest: None };
    };
    if alike < ALIKE {
        return Place::Nowhere { nearest: (alike >= WORTH_SHOWING).then_some((start, alike)) };
    }
    let apart = |other: usize, n: usize| other + n <= start || other >= start + len;
    let rivals: Vec<usize> = scored.iter().filter(|(s, n, a)| *a >= ALIKE && apart(*s, *n)).map(|(s, _, _)| s + 1).collect();
    if rivals.is_empty() {
        Place::At { start, len, how: How::ByLikeness }
    } else {
        Place::Ambiguous { lines: std::iter::once(start + 1).chain(rivals).collect() }
    }
}

/// Starts worth a comparison: places that share lines with the block, else (short blocks) those of like length and letters.
fn candidates(file: &[String], block: &[String], from: usize) -> Vec<usize> {
    let mut lines_at: HashMap<&str, Vec<usize>> = HashMap::new();
    for (i, line) in file.iter().enumerate().skip(from).filter(|(_, l)| !l.is_empty()) {
        lines_at.entry(line).or_default().push(i);
    }
    let mut votes: HashMap<usize, usize> = HashMap::new();
    for (i, line) in block.iter().enumerate() {
        for at in lines_at.get(line.as_str()).into_iter().flatten().take(200) {
            if let Some(start) = at.checked_sub(i).filter(|s| *s >= from) {
                *votes.entry(start).or_default() += 1;
            }
        }
    }
    let mut ranked: Vec<(usize, usize)> = votes.into_iter().map(|(start, n)| (n, start)).collect();
    if block.len() <= 3 {
        let wanted = letters(&block.join(" "));
        let likely = (from..(file.len() + 1).saturating_sub(block.len())).filter_map(|start| {
            let bound = shared(&wanted, &letters(&file.iter().skip(start).take(block.len()).cloned().collect::<Vec<_>>().join(" ")));
            (bound >= WORTH_SHOWING).then_some(((bound * 1000.0) as usize, start))
        });
        ranked = likely.collect();
    }
    ranked.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let short = block.iter().map(String::len).sum::<usize>() <= SHORT;
    ranked.truncate(if short { MOST_CANDIDATES } else { MOST_CANDIDATES_LONG });
    ranked.into_iter().map(|(_, start)| start).collect()
}

fn letters(text: &str) -> HashMap<char, usize> {
    let mut out = HashMap::new();
    for c in text.chars() {
        *out.entry(c).or_default() += 1;
    }
    out
}

/// Upper bound of the likeness of two texts from their letters alone (difflib's `quick_ratio`).
fn shared(a: &HashMap<char, usize>, b: &HashMap<char, usize>) -> f64 {
    let total: usize = a.values().chain(b.values()).sum();
    let common: usize = a.iter().map(|(c, n)| (*n).min(b.get(c).copied().unwrap_or(0))).sum();
    if total == 0 { 0.0 } else { 2.0 * common as f64 / total as f64 }
}

fn likeness(a: &str, b: &str) -> f64 {
    let longest = a.len().max(b.len());
    if longest <= 2 * SHORT { f64::from(TextDiff::from_chars(a, b).ratio()) } else { f64::from(TextDiff::from_words(a, b).ratio()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[&str] =
        &["def f(x):", "    y = x + 1", "    return y", "", "def g(x):", "    y = x + 1", "    return y * 2", "", "learning_rate = 0.001"];

    #[test]
    fn a_block_is_found_where_it_is_meant() {
        let at = |start, len, how| Place::At { start, len, how };
        for (name, block, hint, want) in [
            ("exact", vec!["    return y * 2"], None, at(6, 1, How::Exactly)),
            ("twice", vec!["    y = x + 1"], None, Place::Ambiguous { lines: vec![2, 6] }),
            ("twice with a hint", vec!["    y = x + 1"], Some(4), at(5, 1, How::Exactly)),
            ("indentation", vec!["def g(x):", "  y  = x + 1"], None, at(4, 2, How::BySpace)),
            ("a typo", vec!["learning_rates = 0.001"], None, at(8, 1, How::ByLikeness)),
            ("a typo in three", vec!["def g(x):", "    y = x + 1", "    return y * 3"], None, at(4, 3, How::ByLikeness)),
            ("nothing like it", vec!["import torch"], None, Place::Nowhere { nearest: None }),
        ] {
            assert_eq!(locate(FILE, &block, 0, hint, 1), want, "{name}");
        }
        let Place::Nowhere { nearest: Some((8, alike)) } = locate(FILE, &["learning = 0.01"], 0, None, 1) else { panic!("nearest") };
        assert!((0.5..0.9).contains(&alike), "{alike}");
    }

    #[test]
    fn all_places_are_found_and_repetition_costs_no_time() {
        for (file, block, from, want) in
            [("aabaabaa", "aabaa", 0, vec![0, 3]), ("aaaa", "aa", 1, vec![1, 2]), ("abc", "abcd", 0, vec![]), ("abab", "b", 0, vec![1, 3])]
        {
            let letters = |t: &str| t.chars().collect::<Vec<_>>();
            assert_eq!(places(&letters(file), &letters(block), from), want, "{file} {block}");
        }
        let file = vec!["x"; 100_000];
        let mut block = vec!["x"; 50_000];
        block.push("y");
        assert_eq!(locate(&file, &block, 0, None, 1), Place::Nowhere { nearest: None });
    }

    #[test]
    fn a_block_that_misses_one_line_of_many_is_found_with_slack() {
        let file: Vec<String> = (0..30).map(|i| format!("    value_{i} = compute({i})")).collect();
        let file: Vec<&str> = file.iter().map(String::as_str).collect();
        let block: Vec<&str> = file[5..20].iter().copied().filter(|l| !l.contains("value_12 ")).collect();
        assert_eq!(locate(&file, &block, 0, None, 1), Place::At { start: 5, len: 15, how: How::ByLikeness });
    }
}
