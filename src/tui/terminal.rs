//! The one place that changes the terminal, and that gives it back: at the end, on an error, after a panic, around the editor
//! and a suspension.

use crate::model::{Safe, drawable};
use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange, EnableMouseCapture,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, SetTitle,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use std::io::{self, Stdout, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whether the terminal is ours now; the panic hook looks here.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Whether keys were read before in this process.
static READ: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// The terminal, taken over. Dropping it gives it back.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    mouse: bool,
    title: String,
}

impl Screen {
    /// Takes the terminal over.
    pub fn open(mouse: bool) -> io::Result<Self> {
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                restore();
                before(info);
            }));
        });
        // Under NO_COLOR crossterm would turn each colour command into a full reset, and ratatui sends colours after
        // modifiers: a reversed row would lose its highlight. Whether there are colours is for the theme to say.
        crossterm::style::force_color_output(true);
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
            execute!(io::stdout(), SetTitle(Safe::line(title)))?;
        }
        // Terminals that know it show the frame whole; others ignore it.
        execute!(io::stdout(), BeginSynchronizedUpdate)?;
        let drawn = self.terminal.draw(|frame| {
            paint(frame);
            wall(frame.buffer_mut());
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

    /// Rings the terminal's bell.
    pub fn ring(&mut self) -> io::Result<()> {
        let mut out = io::stdout();
        out.write_all(b"\x07").and_then(|()| out.flush())
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

/// The last wall: a cell holds what is drawn and nothing else, whatever way its text took.
fn wall(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !drawable(cell.symbol()) {
            cell.set_char(char::REPLACEMENT_CHARACTER);
        }
    }
}

fn take(mouse: bool) -> io::Result<()> {
    settle_reader();
    TAKEN.store(true, Ordering::SeqCst);
    let taken = enable_raw_mode()
        .and_then(|()| execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange, cursor::Hide))
        .and_then(|()| if mouse { execute!(io::stdout(), EnableMouseCapture) } else { Ok(()) });
    taken.inspect_err(|_| restore())
}

/// Lets crossterm's reader take note that its last stream of events was dropped, before keys can come.
///
/// Dropping an `EventStream` leaves a wake-up behind. Where a key arrives together with it, crossterm 0.29 sees the wake-up
/// and forgets, until the next key, that there was one.
fn settle_reader() {
    if READ.swap(true, Ordering::SeqCst) {
        let _ = crossterm::event::poll(Duration::from_millis(20));
    }
}

/// Makes keys that came together with a change of size readable: crossterm 0.29 sees only one of the two until the next key.
/// Setting the modes that are set wakes whoever waits for the terminal.
pub fn rouse() {
    let stdin = io::stdin();
    if let Ok(modes) = rustix::termios::tcgetattr(&stdin) {
        let _ = rustix::termios::tcsetattr(&stdin, rustix::termios::OptionalActions::Now, &modes);
    }
}

/// Gives the terminal back; harmless when it is not ours.
fn restore() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    // A terminal that is gone refuses all of this, and nothing is left to restore then.
    let _ = execute!(out, DisableMouseCapture, DisableFocusChange, DisableBracketedPaste, LeaveAlternateScreen, cursor::Show, SetTitle(""));
    let _ = disable_raw_mode();
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use super::*;
    use portable_pty::{CommandBuilder, PtySize, native_pty_system};
    use std::io::Read;

    #[test]
    fn no_cell_carries_more_than_it_shows() {
        let mut buffer = Buffer::empty(ratatui::layout::Rect::new(0, 0, 7, 1));
        let symbols = ["a", "日", "", "\u{1b}[2J", "\u{202e}", "e\u{301}", "\u{9b}"];
        for (cell, symbol) in buffer.content.iter_mut().zip(symbols) {
            cell.set_symbol(symbol);
        }
        wall(&mut buffer);
        let shown: Vec<&str> = buffer.content.iter().map(|c| c.symbol()).collect();
        assert_eq!(shown, ["a", "日", "", "\u{fffd}", "\u{fffd}", "e\u{301}", "\u{fffd}"]);
    }

    /// Not a test: what `a_panic_gives_the_terminal_back` runs in a terminal of its own.
    #[test]
    #[ignore = "needs a terminal to itself"]
    fn panics_in_a_terminal() {
        let mut screen = Screen::open(true).unwrap();
        screen.draw(None, "about to fail", |frame| frame.render_widget("the cockpit", frame.area())).unwrap();
        std::thread::spawn(|| panic!("a thread of the cockpit fails")).join().unwrap_err();
        assert!(!TAKEN.load(Ordering::SeqCst), "the hook gave it back before anything was dropped");
        panic!("the cockpit itself fails");
    }

    #[test]
    fn a_panic_gives_the_terminal_back() {
        let pty = native_pty_system().openpty(PtySize { rows: 24, cols: 80, ..PtySize::default() }).unwrap();
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        command.args(["--exact", "tui::terminal::tests::panics_in_a_terminal", "--ignored", "--nocapture"]);
        command.env("TERM", "xterm-256color");
        command.env("RUST_BACKTRACE", "0");
        let mut child = pty.slave.spawn_command(command).unwrap();
        let mut out = pty.master.try_clone_reader().unwrap();
        let reader = std::thread::spawn(move || {
            let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
            while let Ok(n @ 1..) = out.read(&mut buffer) {
                all.extend_from_slice(&buffer[..n]);
            }
            all
        });
        assert!(!child.wait().unwrap().success());
        // Both ends are still open here, so the modes are those that the program left.
        let tty = std::fs::File::open(pty.master.tty_name().unwrap()).unwrap();
        let modes = rustix::termios::tcgetattr(&tty).unwrap().local_modes;
        drop((tty, pty.slave));
        let all = reader.join().unwrap();
        let text = String::from_utf8_lossy(&all);
        let (before, after) = text.split_once("\u{1b}[?1049h").expect("the alternate screen was taken");
        assert!(!before.contains("fails") && after.contains("the cockpit"));
        let mut term = vt100::Parser::new(24, 80, 0);
        term.process(&all);
        let screen = term.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste(), "{text}");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        assert!(screen.contents().contains("a thread of the cockpit fails") && screen.contents().contains("the cockpit itself fails"));
        use rustix::termios::LocalModes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG), "{modes:?}");
    }
}
