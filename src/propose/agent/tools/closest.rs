//! After edits were refused again and again: the lines of the file that a search block is most like.

use super::Hands;
use crate::model::{Draft, Edit};
use crate::propose::agent::{data, legible, line};

/// Lines quoted around the place.
const AROUND: usize = 6;
const MOST_LINES: usize = 60;
/// Larger files are not searched.
const LARGEST: usize = 1 << 20;

/// Quotes the nearest place of every search block that stands nowhere, as the file has it.
pub(super) fn quoted(hands: &Hands<'_>, draft: &Draft) -> String {
    let Ok(tree) = hands.tree_of(hands.scene.base()) else { return String::new() };
    let mut out = String::new();
    for edit in &draft.edits {
        let Edit::Replace { path, search, .. } = edit else { continue };
        let Ok(Some(bytes)) = hands.bench.read(&tree, path) else { continue };
        let Ok(text) = String::from_utf8(bytes) else { continue };
        if text.len() > LARGEST || text.contains(search.as_str()) {
            continue;
        }
        let lines: Vec<&str> = text.lines().collect();
        let block: Vec<&str> = search.lines().collect();
        let at = nearest(&lines, &block);
        let (from, to) = (at.saturating_sub(AROUND), (at + block.len() + AROUND).min(at + MOST_LINES).min(lines.len()));
        let rows: String = lines
            .iter()
            .enumerate()
            .take(to)
            .skip(from)
            .map(|(n, l)| format!("{:>5}| {}\n", n + 1, legible(l).chars().take(300).collect::<String>()))
            .collect();
        out.push_str(&format!("\nThe file reads here, most like what you searched for:\n{}", data(&line(path, 200), &rows)));
        break;
    }
    out
}

/// The first line of the window that shares most words with the block; later windows only where they are better.
fn nearest(lines: &[&str], block: &[&str]) -> usize {
    let words = |text: &str| {
        text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| w.len() > 1).map(str::to_owned).collect::<Vec<String>>()
    };
    let wanted: std::collections::BTreeSet<String> = block.iter().flat_map(|l| words(l)).collect();
    let trimmed: std::collections::BTreeSet<&str> = block.iter().map(|l| l.trim()).filter(|l| !l.is_empty()).collect();
    let scores: Vec<usize> = lines
        .iter()
        .map(|l| words(l).iter().filter(|w| wanted.contains(*w)).count() + if trimmed.contains(l.trim()) { 8 } else { 0 })
        .collect();
    let width = block.len().clamp(1, MOST_LINES);
    let mut sum: usize = scores.iter().take(width).sum();
    let (mut best, mut at) = (sum, 0);
    for start in 1..lines.len().saturating_sub(width.saturating_sub(1)).max(1) {
        sum += scores.get(start + width - 1).copied().unwrap_or(0);
        sum -= scores.get(start - 1).copied().unwrap_or(0);
        if sum > best {
            (best, at) = (sum, start);
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_likest_window_wins() {
        let file: Vec<&str> =
            "import a\n\ndef f():\n    rate = base_rate * 0.5\n    return rate\n\ndef g():\n    return 1\n".lines().collect();
        for (block, want) in
            [("    rate = base_rate * 0.9\n    return rate", 3), ("def g():\n    return 2", 6), ("nothing like it", 0), ("", 0)]
        {
            assert_eq!(nearest(&file, &block.lines().collect::<Vec<_>>()), want, "{block}");
        }
        assert_eq!(nearest(&[], &["x"]), 0);
    }
}
