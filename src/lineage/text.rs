//! A text file as lines that keep their own endings, so that an edit changes no byte outside of it.

/// The lines of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// Each with its ending; the last may have none.
    lines: Vec<String>,
    /// The ending of most lines.
    ending: &'static str,
}

impl Text {
    pub(super) fn new(content: &str) -> Self {
        let lines: Vec<String> = content.split_inclusive('\n').map(str::to_owned).collect();
        let crlf = lines.iter().filter(|l| l.ends_with("\r\n")).count();
        Self { ending: if crlf * 2 > lines.len() { "\r\n" } else { "\n" }, lines }
    }

    /// The lines without their endings.
    pub(super) fn bodies(&self) -> Vec<&str> {
        self.lines.iter().map(|l| body(l)).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn ends_with_newline(&self) -> bool {
        self.lines.last().is_none_or(|l| l.ends_with('\n'))
    }

    /// Replaces lines `start..start + len`: `Keep(i)` takes line `i` of the file with its bytes, `New` a text with the file's ending.
    pub(super) fn splice(&mut self, start: usize, len: usize, with: &[Piece]) {
        let mut made: Vec<String> = with
            .iter()
            .filter_map(|piece| match piece {
                Piece::Keep(i) => self.lines.get(*i).cloned(),
                Piece::New(text) => Some(format!("{text}{}", self.ending)),
            })
            .collect();
        let had_newline = self.ends_with_newline();
        let at_end = start + len >= self.lines.len();
        let end = (start + len).min(self.lines.len());
        self.lines.splice(start.min(end)..end, made.drain(..));
        self.mend_endings();
        if at_end && !had_newline {
            self.set_final_newline(false);
        }
    }

    /// Makes the last line end with or without a newline.
    pub(super) fn set_final_newline(&mut self, wanted: bool) {
        let ending = self.ending;
        if let Some(last) = self.lines.last_mut() {
            let bare = body(last).len();
            last.truncate(bare);
            if wanted {
                last.push_str(ending);
            }
        }
    }

    /// Only the last line may lack its ending.
    fn mend_endings(&mut self) {
        let ending = self.ending;
        if let Some((_, rest)) = self.lines.split_last_mut() {
            for line in rest.iter_mut().filter(|l| !l.ends_with('\n')) {
                line.push_str(ending);
            }
        }
    }

    pub(super) fn into_string(self) -> String {
        self.lines.concat()
    }
}

/// A line of a replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// A line of the file, by index.
    Keep(usize),
    /// A new line, without its ending.
    New(String),
}

fn body(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

/// The whitespace that a line begins with.
pub(super) fn indent(line: &str) -> &str {
    line.split_at(line.len() - line.trim_start().len()).0
}

/// A line with runs of whitespace as one space, none at its ends.
pub(super) fn squeezed(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for word in line.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// How the indentation of a block translates to that of the place where it was found.
///
/// Learned from pairs of lines (as searched, as found); an indentation that was not seen shifts as the first pair did.
pub(super) struct Reindent {
    pairs: Vec<(String, String)>,
}

impl Reindent {
    pub(super) fn learn<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut seen: Vec<(String, String)> = Vec::new();
        for (searched, found) in pairs.filter(|(s, f)| !s.trim().is_empty() && !f.trim().is_empty()) {
            if !seen.iter().any(|(s, _)| s == indent(searched)) {
                seen.push((indent(searched).to_owned(), indent(found).to_owned()));
            }
        }
        Self { pairs: seen }
    }

    pub(super) fn line(&self, line: &str) -> String {
        let own = indent(line);
        if line.trim().is_empty() {
            return line.to_owned();
        }
        let rest = line.trim_start();
        if let Some((_, found)) = self.pairs.iter().find(|(s, _)| s == own) {
            return format!("{found}{rest}");
        }
        // The deepest known indentation that this one continues.
        let base = self.pairs.iter().filter(|(s, _)| own.starts_with(s.as_str())).max_by_key(|(s, _)| s.len());
        if let Some((searched, found)) = base {
            return format!("{found}{}{rest}", own.strip_prefix(searched.as_str()).unwrap_or_default());
        }
        // Shallower than anything known: take away as much as the first pair lost.
        let Some((searched, found)) = self.pairs.first() else { return line.to_owned() };
        let missing = searched.len().saturating_sub(own.len());
        let keep = found.len().saturating_sub(missing);
        format!("{}{rest}", found.get(..keep).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untouched_lines_keep_their_endings() {
        let mut text = Text::new("a\r\nb\r\nc\nd");
        text.splice(1, 1, &[Piece::New("B".into()), Piece::New("B2".into())]);
        assert_eq!(text.into_string(), "a\r\nB\nB2\nc\nd");
        let mut text = Text::new("a\r\nb\r\n");
        text.splice(1, 1, &[Piece::New("B".into())]);
        assert_eq!(text.into_string(), "a\r\nB\r\n");
        let mut text = Text::new("a\nb");
        text.splice(1, 1, &[Piece::Keep(1), Piece::New("c".into())]);
        assert_eq!(text.into_string(), "a\nb\nc");
        let mut text = Text::new("");
        text.splice(0, 0, &[Piece::New("a".into())]);
        assert_eq!(text.into_string(), "a\n");
    }

    #[test]
    fn a_block_takes_the_indentation_of_its_place() {
        let shift = Reindent::learn([("if x:", "    if x:"), ("  y = 1", "        y = 1")].into_iter());
        for (line, want) in [("if x:", "    if x:"), ("  y = 2", "        y = 2"), ("    z", "          z"), ("", "")] {
            assert_eq!(shift.line(line), want);
        }
        let tabs = Reindent::learn([("    y = 1", "\ty = 1")].into_iter());
        assert_eq!(tabs.line("    y = 2"), "\ty = 2");
        let deep = Reindent::learn([("        y", "    y")].into_iter());
        assert_eq!(deep.line("    z"), "z");
    }
}
