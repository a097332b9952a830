//! Questions on a terminal: yes or no, one of several, a line. Plain text; an empty answer takes the default.

use super::{Failure, put};
use crate::model::Safe;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::io::BufRead;

/// An answer to `choose_or_type`.
pub(super) enum Choice {
    /// One of those offered, from 0.
    Number(usize),
    /// Something else.
    Typed(String),
}

fn line(prompt: &str) -> Result<Option<String>, Failure> {
    super::put_piece(prompt);
    let mut text = String::new();
    let read = std::io::stdin().lock().read_line(&mut text)?;
    if read == 0 {
        put("");
        return Ok(None);
    }
    Ok(Some(text.trim().to_owned()))
}

/// Asks until the answer is yes or no; the end of the input is the default.
pub(super) fn yes(question: &str, default: bool) -> Result<bool, Failure> {
    let hint = if default { "Y/n" } else { "y/N" };
    loop {
        let Some(answer) = line(&format!("{question} [{hint}] "))? else { return Ok(default) };
        match answer.to_ascii_lowercase().as_str() {
            "" => return Ok(default),
            "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => put("please answer y or n"),
        }
    }
}

/// One of several by its number; the first with an empty answer, none at the end of the input.
pub(super) fn choose(question: &str, choices: &[String]) -> Result<Option<usize>, Failure> {
    offer(question, choices);
    loop {
        let Some(answer) = line(&format!("number [1] (of {}): ", choices.len()))? else { return Ok(None) };
        match answer.parse::<usize>() {
            _ if answer.is_empty() => return Ok(Some(0)),
            Ok(n) if (1..=choices.len()).contains(&n) => return Ok(Some(n - 1)),
            _ => put("please type one of the numbers"),
        }
    }
}

/// One of several by its number, or a line of the person's own; none at the end of the input, or for nothing at all.
pub(super) fn choose_or_type(question: &str, choices: &[String]) -> Result<Option<Choice>, Failure> {
    offer(question, choices);
    let hint = if choices.is_empty() { "the command: " } else { "number [1], or the command: " };
    loop {
        let Some(answer) = line(hint)? else { return Ok(None) };
        match answer.parse::<usize>() {
            _ if answer.is_empty() => return Ok((!choices.is_empty()).then_some(Choice::Number(0))),
            Ok(n) if (1..=choices.len()).contains(&n) => return Ok(Some(Choice::Number(n - 1))),
            Ok(_) => put("there is no such number"),
            Err(_) => return Ok(Some(Choice::Typed(answer))),
        }
    }
}

fn offer(question: &str, choices: &[String]) {
    put(question);
    for (n, choice) in choices.iter().enumerate() {
        put(&format!("  {}  {}", n + 1, Safe::line(choice)));
    }
}

/// One of these keys; none for escape, `q`, Ctrl-C, Ctrl-D and the end of the input.
pub(super) fn key(keys: &[char]) -> Result<Option<char>, Failure> {
    let before = tcgetattr(std::io::stdin()).ok();
    if let Some(mut modes) = before.clone() {
        // Without signals: the modes are put back before the program ends.
        modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &modes);
    }
    let found = loop {
        let mut byte = [0u8];
        // Byte by byte and without a buffer: what is typed ahead belongs to what comes next.
        match rustix::io::read(std::io::stdin(), &mut byte) {
            Ok(1) => {}
            Err(rustix::io::Errno::INTR) => continue,
            _ => break None,
        }
        let [byte] = byte;
        let c = char::from(byte).to_ascii_lowercase();
        if keys.contains(&c) {
            break Some(c);
        }
        if matches!(byte, 0x1b | b'q' | 0x03 | 0x04) {
            break None;
        }
    };
    if let Some(before) = &before {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
    }
    Ok(found)
}
