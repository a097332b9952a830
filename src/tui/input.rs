//! One line of typed text with a cursor.

use super::ink;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What is typed into a field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Input {
    chars: Vec<char>,
    cursor: usize,
}

impl Input {
    /// A field with text in it, the cursor at the end.
    pub fn with(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        Self { cursor: chars.len(), chars }
    }

    /// The text.
    pub fn text(&self) -> String {
        self.chars.iter().collect()
    }

    /// Columns before the cursor.
    pub fn column(&self) -> usize {
        ink::width(&self.chars.iter().take(self.cursor).collect::<String>())
    }

    /// Adds text at the cursor; line ends become spaces, control characters go.
    pub fn insert(&mut self, text: &str) {
        for c in text.replace(['\r', '\n', '\t'], " ").chars().filter(|c| !c.is_control()) {
            if self.chars.len() < 4000 {
                self.chars.insert(self.cursor, c);
                self.cursor += 1;
            }
        }
    }

    /// Takes a key; false when it means nothing to a field.
    pub fn key(&mut self, key: &KeyEvent) -> bool {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('a') if ctrl => self.cursor = 0,
            KeyCode::Char('e') if ctrl => self.cursor = self.chars.len(),
            KeyCode::Char('u') if ctrl => {
                self.chars.drain(..self.cursor);
                self.cursor = 0;
            }
            KeyCode::Char('k') if ctrl => self.chars.truncate(self.cursor),
            KeyCode::Char('w') if ctrl => {
                while self.cursor > 0 && self.before() == Some(' ') {
                    self.backspace();
                }
                while self.cursor > 0 && self.before() != Some(' ') {
                    self.backspace();
                }
            }
            KeyCode::Char(c) if !ctrl && !key.modifiers.contains(KeyModifiers::ALT) => self.insert(&c.to_string()),
            KeyCode::Backspace => self.backspace(),
            KeyCode::Delete if self.cursor < self.chars.len() => {
                self.chars.remove(self.cursor);
            }
            KeyCode::Left => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Right => self.cursor = (self.cursor + 1).min(self.chars.len()),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.chars.len(),
            _ => return false,
        }
        true
    }

    fn before(&self) -> Option<char> {
        self.cursor.checked_sub(1).and_then(|i| self.chars.get(i)).copied()
    }

    fn backspace(&mut self) {
        if self.cursor > 0 {
            self.cursor -= 1;
            self.chars.remove(self.cursor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_takes_text_and_keys() {
        let mut input = Input::with("two words");
        let ctrl = |c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
        input.key(&ctrl('w'));
        assert_eq!(input.text(), "two ");
        input.insert("日本\nx\u{7}");
        assert_eq!((input.text().as_str(), input.column()), ("two 日本 x", 10));
        input.key(&KeyEvent::new(KeyCode::Left, KeyModifiers::NONE));
        input.key(&KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE));
        assert_eq!(input.text(), "two 日本x");
        input.key(&ctrl('u'));
        assert_eq!(input.text(), "x");
        assert!(!input.key(&KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE)));
    }
}
