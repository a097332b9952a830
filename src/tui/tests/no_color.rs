//! What the terminal really gets: crossterm's escape output, read back by a terminal emulator.

use super::fixture::*;
use crate::tui::theme::{ColorDepth, Theme};
use crate::tui::view::{Brush, view};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use std::io::Write;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn emulate(theme: &str) -> vt100::Parser {
    let desk = Desk::new(busy(), (100, 30));
    let sink = Sink::default();
    let area = Rect::new(0, 0, 100, 30);
    let options = TerminalOptions { viewport: Viewport::Fixed(area) };
    let mut terminal = Terminal::with_options(CrosstermBackend::new(sink.clone()), options).unwrap();
    let theme = Theme::named(theme, ColorDepth::TrueColor).unwrap();
    let vm = desk.vm();
    terminal.draw(|f| view(&vm, Brush { theme: &theme, unicode: true }, area, f.buffer_mut())).unwrap();
    let mut parser = vt100::Parser::new(30, 100, 0);
    parser.process(&sink.0.lock().unwrap());
    parser
}

/// Under NO_COLOR crossterm would turn colours into resets and the selection would vanish; `mono` and forced output keep it.
#[test]
fn the_selection_is_reversed_and_nothing_has_a_colour_under_mono() {
    crossterm::style::force_color_output(true);
    let parser = emulate("mono");
    let screen = parser.screen();
    let mut reversed = 0;
    for row in 0..30 {
        for col in 0..100 {
            let cell = screen.cell(row, col).unwrap();
            assert_eq!(cell.fgcolor(), vt100::Color::Default, "{row},{col}");
            assert_eq!(cell.bgcolor(), vt100::Color::Default, "{row},{col}");
            reversed += usize::from(cell.inverse());
        }
    }
    assert!(reversed > 40, "the selected row is not highlighted: {reversed} cells");
}

#[test]
fn nothing_foreign_reaches_the_terminal_as_a_command() {
    crossterm::style::force_color_output(true);
    let parser = emulate("midnight");
    assert!(parser.screen().contents().contains("trials"));
}
