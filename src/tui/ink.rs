//! Lines of text with role names: what the view-model is made of. All widths are terminal columns.

use super::theme::Role;
use crate::model::Safe;
use unicode_width::UnicodeWidthChar;

/// A piece of text in one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Fit to be drawn.
    pub text: String,
    /// How.
    pub role: Role,
}

/// How a whole line stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ground {
    /// Not at all.
    #[default]
    Plain,
    /// The row that keys act on.
    Selected,
    /// The same in a pane without the focus.
    Resting,
    /// An added line of a diff.
    Added,
    /// A removed one.
    Removed,
    /// A bar such as the header or a notice.
    Bar,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// In order.
    pub spans: Vec<Span>,
    /// Behind them, over the whole width.
    pub ground: Ground,
}

impl Line {
    /// A line of one span.
    pub fn of(text: impl Into<String>, role: Role) -> Self {
        Self::default().and(text, role)
    }

    /// Adds a span.
    #[must_use]
    pub fn and(mut self, text: impl Into<String>, role: Role) -> Self {
        self.push(text, role);
        self
    }

    /// Adds a span.
    pub fn push(&mut self, text: impl Into<String>, role: Role) {
        let text = text.into();
        if !text.is_empty() {
            self.spans.push(Span { text, role });
        }
    }

    /// Sets what lies behind.
    #[must_use]
    pub fn on(mut self, ground: Ground) -> Self {
        self.ground = ground;
        self
    }

    /// Columns that it takes.
    pub fn width(&self) -> usize {
        self.spans.iter().map(|s| width(&s.text)).sum()
    }

    /// Cut to `max` columns, with an ellipsis where something is lost.
    #[must_use]
    pub fn cut(mut self, max: usize) -> Self {
        if self.width() <= max {
            return self;
        }
        let mut left = max;
        let mut spans = Vec::new();
        for span in self.spans {
            let w = width(&span.text);
            if w < left {
                left -= w;
                spans.push(span);
                continue;
            }
            // One column must stay for the ellipsis, because something follows or is lost.
            spans.push(Span { text: cut_marked(&span.text, left), role: span.role });
            break;
        }
        self.spans = spans;
        self
    }

    /// Cut and filled with spaces to exactly `columns`.
    #[must_use]
    pub fn pad(self, columns: usize) -> Self {
        let mut line = self.cut(columns);
        let missing = columns.saturating_sub(line.width());
        line.push(" ".repeat(missing), Role::Text);
        line
    }

    /// `self` at the left, `right` at the right end of `columns`; the left side gives way.
    #[must_use]
    pub fn with_right(self, right: Line, columns: usize) -> Self {
        let right = right.cut(columns);
        let room = columns.saturating_sub(right.width());
        let gap = usize::from(right.width() > 0);
        let mut line = self.cut(room.saturating_sub(gap)).pad(room);
        line.spans.extend(right.spans);
        line
    }

    /// All text, for tests and for copying.
    pub fn text(&self) -> String {
        self.spans.iter().map(|s| s.text.as_str()).collect()
    }
}

/// Columns of a text.
pub fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Foreign text made fit to be drawn, on one line.
pub fn clean(text: &str) -> String {
    Safe::line(text).into_string()
}

/// A line of code, with every character of it to be seen.
pub fn code(text: &str) -> String {
    Safe::code(text).into_string()
}

/// At most `max` columns, with an ellipsis at the end where something is lost.
pub fn cut(text: &str, max: usize) -> String {
    if width(text) <= max { text.to_owned() } else { cut_marked(text, max) }
}

fn cut_marked(text: &str, max: usize) -> String {
    if max == 0 {
        return String::new();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used + w + 1 > max {
            break;
        }
        used += w;
        out.push(c);
    }
    let kept = out.trim_end().len();
    out.truncate(kept);
    out.push('…');
    out
}

/// At most `max` columns, shortened in the middle: for names and paths.
pub fn cut_middle(text: &str, max: usize) -> String {
    if width(text) <= max || max < 4 {
        return cut(text, max);
    }
    let tail_room = (max - 1) / 2;
    let head = cut_marked(text, max - tail_room);
    let mut tail: Vec<char> = Vec::new();
    let mut used = 0;
    for c in text.chars().rev() {
        let w = c.width().unwrap_or(0);
        if used + w > tail_room {
            break;
        }
        used += w;
        tail.push(c);
    }
    head + &tail.into_iter().rev().collect::<String>()
}

/// Filled with spaces at the end, or cut.
pub fn left(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    let missing = columns.saturating_sub(width(&text));
    text + &" ".repeat(missing)
}

/// Filled with spaces at the start, or cut.
pub fn right(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    " ".repeat(columns.saturating_sub(width(&text))) + &text
}

/// The columns from `from` on: for sideways scrolling.
pub fn skip(text: &str, from: usize) -> String {
    let mut passed = 0;
    text.chars()
        .skip_while(|c| {
            let go = passed < from;
            passed += c.width().unwrap_or(0);
            go
        })
        .collect()
}

/// Broken into lines of at most `columns`, at spaces where there are some.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    if columns == 0 {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    // Columns of `line`: counting them anew for each word would cost the square of its length.
    let mut used = 0;
    for mut word in text.split(' ') {
        let mut wide = width(word);
        if !line.is_empty() && used + 1 + wide > columns {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        while wide > columns {
            let mut taken = 0;
            let mut end = word.len();
            for (at, c) in word.char_indices() {
                let w = c.width().unwrap_or(0);
                if taken + w > columns && at > 0 {
                    end = at;
                    break;
                }
                taken += w;
            }
            let (head, tail) = word.split_at(end);
            lines.push(head.to_owned());
            word = tail;
            wide = width(word);
        }
        if !line.is_empty() {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += wide;
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// A span of time in at most seven columns: `4.2s`, `3m05s`, `2h14m`, `3d04h`.
pub fn span_of_time(seconds: f64) -> String {
    let s = seconds.max(0.0);
    let whole = s as u64;
    if s < 9.95 {
        format!("{s:.1}s")
    } else if whole < 60 {
        format!("{whole}s")
    } else if whole < 3600 {
        format!("{}m{:02}s", whole / 60, whole % 60)
    } else if whole < 86_400 {
        format!("{}h{:02}m", whole / 3600, whole % 3600 / 60)
    } else {
        format!("{}d{:02}h", whole / 86_400, whole % 86_400 / 3600)
    }
}

/// A limit of time: like `span_of_time`, without parts that are nothing: `1m`, `8h`, `30s`.
pub fn limit_of_time(seconds: f64) -> String {
    let text = if seconds.fract() == 0.0 && seconds < 9.95 { format!("{seconds:.0}s") } else { span_of_time(seconds) };
    ["m00s", "h00m", "d00h"].iter().find_map(|zero| text.strip_suffix(zero).map(|t| format!("{t}{}", &zero[..1]))).unwrap_or(text)
}

/// Bytes in at most five columns: `512B`, `3.2G`.
pub fn bytes(value: u64) -> String {
    let mut v = value as f64;
    for unit in ["B", "K", "M", "G", "T"] {
        if v < 999.5 {
            return if v < 9.95 && unit != "B" { format!("{v:.1}{unit}") } else { format!("{v:.0}{unit}") };
        }
        v /= 1024.0;
    }
    format!("{v:.0}P")
}

/// Tokens in at most four columns: `840`, `3.2k`, `84k`, `1.2M`.
pub fn tokens(count: u64) -> String {
    let mut v = count as f64;
    for unit in ["", "k", "M"] {
        if v < 999.5 {
            return if v < 9.95 && !unit.is_empty() { format!("{v:.1}{unit}") } else { format!("{v:.0}{unit}") };
        }
        v /= 1000.0;
    }
    format!("{v:.0}G")
}

/// US dollars, with the cents that say something: `$0.004`, `$0.12`, `$31`.
pub fn dollars(usd: f64) -> String {
    let v = usd.max(0.0);
    if v == 0.0 {
        "$0".into()
    } else if v < 0.0005 {
        "<$0.001".into()
    } else if v < 0.0995 {
        format!("${v:.3}")
    } else if v < 99.5 {
        format!("${v:.2}")
    } else {
        format!("${v:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_hold() {
        for (text, max, want) in [
            ("abcdef", 6, "abcdef"),
            ("abcdef", 5, "abcd…"),
            ("ab cdef", 4, "ab…"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("x", 0, ""),
        ] {
            assert_eq!(cut(text, max), want, "{text} {max}");
            assert!(width(&cut(text, max)) <= max);
        }
        assert_eq!(cut_middle("models/very/long/path.py", 13), "models…ath.py".to_owned());
        assert_eq!(right("7", 3), "  7");
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        let line = Line::of("left side", Role::Text).with_right(Line::of("right", Role::Dim), 12);
        assert_eq!(line.text(), "left…  right");
        assert_eq!(Line::of("abc", Role::Text).and("def", Role::Dim).cut(4).text(), "abc…");
        assert_eq!(Line::of("abc", Role::Text).and("def", Role::Dim).cut(3).text(), "ab…");
    }

    #[test]
    fn tokens_and_dollars() {
        for (n, want) in [(0, "0"), (840, "840"), (3_240, "3.2k"), (84_100, "84k"), (999_600, "1.0M"), (12_000_000, "12M")] {
            assert_eq!(tokens(n), want);
        }
        for (v, want) in [(0.0, "$0"), (0.0001, "<$0.001"), (0.0042, "$0.004"), (0.12, "$0.12"), (31.5, "$31.50"), (310.2, "$310")] {
            assert_eq!(dollars(v), want);
        }
    }

    #[test]
    fn times_and_bytes() {
        for (s, want) in [(0.0, "0.0s"), (4.25, "4.2s"), (59.0, "59s"), (185.0, "3m05s"), (8040.0, "2h14m"), (273_600.0, "3d04h")] {
            assert_eq!(span_of_time(s), want);
        }
        for (b, want) in [(0, "0B"), (2048, "2.0K"), (15 << 30, "15G"), (1 << 40, "1.0T")] {
            assert_eq!(bytes(b), want);
        }
    }
}
