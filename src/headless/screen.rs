//! Where lines go: straight into a pipe, or above a live area that is drawn anew under them.
//!
//! The cursor rests at the end of the area's last line. A terminal gets `\r\n`, so that it may be in raw mode.

use crate::model::printable;
use std::io::{self, Write};

/// A place to print to.
pub struct Screen {
    out: Box<dyn Write + Send>,
    /// There is a live area.
    live: bool,
    /// Lines of it that stand.
    standing: usize,
    area: Vec<String>,
}

impl Screen {
    /// Prints to `out`; with a live area when it is a terminal.
    pub fn new(out: Box<dyn Write + Send>, live: bool) -> Self {
        Self { out, live, standing: 0, area: Vec::new() }
    }

    /// Prints one line, above the live area.
    pub fn line(&mut self, line: &str) -> io::Result<()> {
        let mut text = self.erase();
        text.push_str(&printable(line));
        text.push_str(if self.live { "\r\n" } else { "\n" });
        text.push_str(&self.drawn());
        self.write(&text)
    }

    /// Replaces the live area; writes nothing when it has not changed.
    pub fn area(&mut self, area: Vec<String>) -> io::Result<()> {
        let area: Vec<String> = area.iter().map(|line| printable(line).into_owned()).collect();
        if !self.live || area == self.area {
            return Ok(());
        }
        let mut text = self.erase();
        self.area = area;
        text.push_str(&self.drawn());
        self.write(&text)
    }

    fn drawn(&mut self) -> String {
        self.standing = self.area.len();
        self.area.join("\r\n")
    }

    fn erase(&mut self) -> String {
        match std::mem::take(&mut self.standing) {
            0 => String::new(),
            1 => "\r\x1b[J".into(),
            n => format!("\r\x1b[{}A\x1b[J", n - 1),
        }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}
