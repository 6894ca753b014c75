//! The line that is being typed: keys in, a line out.

use std::collections::VecDeque;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_width::UnicodeWidthChar as _;

/// Lines that the arrow keys bring back. When full, the oldest goes.
const MAX_HISTORY: usize = 100;

/// What a key has done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// The line is finished.
    Line(String),
    /// The text has changed.
    Edited,
    /// At most the cursor has moved.
    Moved,
    /// The user wants to leave.
    Quit,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Editor {
    text: Vec<char>,
    cursor: usize,
    history: VecDeque<Vec<char>>,
    /// How far back in the history the line is; 0 is a new line.
    back: usize,
}

impl Editor {
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether the line is for the program and not for the room.
    pub(super) fn is_command(&self) -> bool {
        self.text.first() == Some(&'/') && self.text.get(1) != Some(&'/')
    }

    /// Takes a key.
    pub(super) fn key(&mut self, key: KeyEvent) -> Done {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return self.control(key.code);
        }
        match key.code {
            KeyCode::Enter => return self.finish(),
            KeyCode::Char(c) => {
                self.insert(c);
                return Done::Edited;
            }
            KeyCode::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.text.remove(self.cursor);
                return Done::Edited;
            }
            KeyCode::Delete if self.cursor < self.text.len() => {
                self.text.remove(self.cursor);
                return Done::Edited;
            }
            KeyCode::Left => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Right => self.cursor = (self.cursor + 1).min(self.text.len()),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            KeyCode::Up => self.recall(self.back + 1),
            KeyCode::Down => self.recall(self.back.saturating_sub(1)),
            _ => {}
        }
        Done::Moved
    }

    fn control(&mut self, code: KeyCode) -> Done {
        match code {
            KeyCode::Char('c') => return Done::Quit,
            KeyCode::Char('d') if self.text.is_empty() => return Done::Quit,
            KeyCode::Char('a') => self.cursor = 0,
            KeyCode::Char('e') => self.cursor = self.text.len(),
            KeyCode::Char('u') => {
                self.text.drain(..self.cursor);
                self.cursor = 0;
            }
            KeyCode::Char('k') => self.text.truncate(self.cursor),
            KeyCode::Char('w') => {
                let end = self.cursor;
                while self.cursor > 0 && self.text[self.cursor - 1] == ' ' {
                    self.cursor -= 1;
                }
                while self.cursor > 0 && self.text[self.cursor - 1] != ' ' {
                    self.cursor -= 1;
                }
                self.text.drain(self.cursor..end);
            }
            _ => {}
        }
        Done::Moved
    }

    /// Takes pasted text; its line breaks become spaces, so that a paste does not send by itself.
    pub(super) fn paste(&mut self, text: &str) {
        for c in text.chars() {
            self.insert(if c.is_control() { ' ' } else { c });
        }
    }

    fn insert(&mut self, c: char) {
        self.text.insert(self.cursor, c);
        self.cursor += 1;
    }

    fn finish(&mut self) -> Done {
        let text = std::mem::take(&mut self.text);
        (self.cursor, self.back) = (0, 0);
        let line = text.iter().collect();
        if !text.is_empty() {
            self.history.push_front(text);
            self.history.truncate(MAX_HISTORY);
        }
        Done::Line(line)
    }

    fn recall(&mut self, back: usize) {
        let back = back.min(self.history.len());
        self.text = back
            .checked_sub(1)
            .and_then(|at| self.history.get(at).cloned())
            .unwrap_or_default();
        (self.cursor, self.back) = (self.text.len(), back);
    }

    /// What fits into so many columns around the cursor, and the cursor's column.
    pub(super) fn view(&self, columns: usize) -> (String, usize) {
        let mut start = 0;
        let mut column: usize = self.text[..self.cursor].iter().map(|c| width(*c)).sum();
        while column >= columns.max(1) && start < self.cursor {
            column -= width(self.text[start]);
            start += 1;
        }
        let mut left = columns;
        let shown = self.text[start..].iter().take_while(|c| {
            let fits = width(**c) <= left;
            left = left.saturating_sub(width(**c));
            fits
        });
        (shown.collect(), column)
    }
}

fn width(c: char) -> usize {
    c.width().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(editor: &mut Editor, codes: &[KeyCode]) -> Done {
        let mut done = Done::Moved;
        for code in codes {
            done = editor.key(KeyEvent::new(*code, KeyModifiers::NONE));
        }
        done
    }

    fn with(text: &str) -> Editor {
        let mut editor = Editor::default();
        editor.paste(text);
        editor
    }

    #[test]
    fn keys_edit_the_line() {
        use KeyCode::{Backspace, Char, Delete, End, Enter, Home, Left};
        let mut editor = Editor::default();
        let codes = [
            Char('a'),
            Char('c'),
            Left,
            Char('b'),
            Home,
            Delete,
            End,
            Char('d'),
            Backspace,
            Enter,
        ];
        assert_eq!(press(&mut editor, &codes), Done::Line("bc".into()));
        assert!(editor.is_empty());
        assert_eq!(press(&mut editor, &[KeyCode::Up, Enter]), Done::Line("bc".into()));
    }

    #[test]
    fn control_keys() {
        let control =
            |editor: &mut Editor, c| editor.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL));
        let mut editor = with("one two");
        control(&mut editor, 'w');
        assert_eq!(editor.view(80), ("one ".into(), 4));
        assert_eq!(control(&mut editor, 'd'), Done::Moved);
        control(&mut editor, 'u');
        assert_eq!(control(&mut editor, 'd'), Done::Quit);
    }

    #[test]
    fn a_long_line_scrolls_and_wide_characters_count_twice() {
        assert_eq!(with("abcdef").view(4), ("def".into(), 3));
        assert_eq!(with("日本語").view(5), ("本語".into(), 4));
        assert_eq!(with("a\nb").view(9), ("a b".into(), 3));
    }
}
