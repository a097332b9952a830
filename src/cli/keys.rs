//! Single keys from the terminal while lines are printed: `d` detaches.

use crate::headless::Key;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::Read;
use tokio::sync::mpsc;

/// The terminal reads key by key until this is dropped.
pub(super) struct Cbreak(Option<Termios>);

/// Begins to listen. Ctrl-C stays a signal.
pub(super) fn listen(to: mpsc::Sender<Key>) -> Cbreak {
    let before = tcgetattr(std::io::stdin()).ok();
    if let Some(mut modes) = before.clone() {
        modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        // Without it `d` needs an enter after it, which is no harm.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &modes);
    }
    std::thread::spawn(move || {
        for byte in std::io::stdin().lock().bytes() {
            match byte {
                Ok(b'd') => {
                    let _ = to.blocking_send(Key::Detach);
                    return;
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
    });
    Cbreak(before)
}

impl Drop for Cbreak {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}
