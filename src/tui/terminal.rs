//! The one place that changes the terminal, and that gives it back: at the end, on an error, after a panic, around the editor
//! and a suspension.

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, SetTitle,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use std::io::{self, Stdout, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the terminal is ours now; the panic hook looks here.
static TAKEN: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// The terminal, taken over. Dropping it gives it back.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    mouse: bool,
    title: String,
}

impl Screen {
    /// Takes the terminal over.
    pub fn open(mouse: bool, no_color: bool) -> io::Result<Self> {
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                restore();
                before(info);
            }));
        });
        // Under NO_COLOR crossterm would turn each colour command into a full reset, and ratatui sends colours after
        // modifiers: a reversed row would lose its highlight. The theme has no colours then, so nothing is forced upon anyone.
        if no_color {
            crossterm::style::force_color_output(true);
        }
        take(mouse)?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout())).inspect_err(|_| restore())?;
        Ok(Self { terminal, mouse, title: String::new() })
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        self.terminal.size().map_or((80, 24), |s| (s.width, s.height))
    }

    /// Draws one frame; only changed cells are written.
    pub fn draw(&mut self, cursor: Option<(u16, u16)>, title: &str, paint: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        if self.title != title {
            self.title = title.to_owned();
            execute!(io::stdout(), SetTitle(title))?;
        }
        // Terminals that know it show the frame whole; others ignore it.
        execute!(io::stdout(), BeginSynchronizedUpdate)?;
        let drawn = self.terminal.draw(|frame| {
            paint(frame);
            let area = frame.area();
            if let Some((x, y)) = cursor.filter(|(x, y)| *x < area.width && *y < area.height) {
                frame.set_cursor_position((x, y));
            }
        });
        drawn.map(|_| ())?;
        execute!(io::stdout(), EndSynchronizedUpdate)
    }

    /// Gives the terminal to someone else while `work` runs, then takes it again and draws everything anew.
    pub fn lend<T>(&mut self, work: impl FnOnce() -> T) -> io::Result<T> {
        restore();
        let result = work();
        take(self.mouse)?;
        self.redraw()?;
        Ok(result)
    }

    /// Draws everything anew at the next frame. Not by ratatui's `clear`: that asks the terminal where its cursor is, and the
    /// answer may reach a shell that has taken over meanwhile.
    pub fn redraw(&mut self) -> io::Result<()> {
        self.title.clear();
        execute!(io::stdout(), Clear(ClearType::All))?;
        self.terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        Ok(())
    }

    /// Puts text into the clipboard of the person's own terminal (OSC 52), also over SSH.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn take(mouse: bool) -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    let taken = enable_raw_mode()
        .and_then(|()| execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide))
        .and_then(|()| if mouse { execute!(io::stdout(), EnableMouseCapture) } else { Ok(()) });
    taken.inspect_err(|_| restore())
}

/// Gives the terminal back; harmless when it is not ours.
fn restore() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    // A terminal that is gone refuses all of this, and nothing is left to restore then.
    let _ = execute!(out, DisableMouseCapture, DisableBracketedPaste, LeaveAlternateScreen, cursor::Show, SetTitle(""));
    let _ = disable_raw_mode();
    let _ = out.flush();
}
