//! The progress of a test, on standard error: one line that is written again every second on a terminal, a line each
//! where there is none.

use std::io::{self, IsTerminal, Write};

/// See the module.
pub struct Live<W> {
    out: W,
    is_terminal: bool,
}

impl Live<io::Stderr> {
    /// Nothing is shown yet.
    #[must_use]
    pub fn on_stderr() -> Self {
        Self {
            is_terminal: io::stderr().is_terminal(),
            out: io::stderr(),
        }
    }
}

impl<W: Write> Live<W> {
    /// Shows this in the place of what was shown. A terminal that is gone needs no progress.
    pub fn show(&mut self, text: &str) {
        let _ = if self.is_terminal {
            // Cut at the right margin instead of wrapped: a second row would not be written over.
            write!(self.out, "\r\x1b[?7l{text}\x1b[K\x1b[?7h").and_then(|()| self.out.flush())
        } else {
            writeln!(self.out, "{text}")
        };
    }

    /// Takes it away again, so that the result stands alone.
    pub fn end(mut self) {
        if self.is_terminal {
            let _ = write!(self.out, "\r\x1b[K").and_then(|()| self.out.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(is_terminal: bool) -> String {
        let mut out = Vec::new();
        let mut live = Live {
            out: &mut out,
            is_terminal,
        };
        live.show("one");
        live.show("two");
        live.end();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_terminal_keeps_one_line_and_a_file_all() {
        assert_eq!(shown(false), "one\ntwo\n");
        let terminal = shown(true);
        assert!(
            !terminal.contains('\n') && terminal.ends_with("\r\x1b[K"),
            "{terminal:?}"
        );
    }
}
