//! The one place that writes to the terminal.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

/// Writes one line to standard output.
#[expect(
    clippy::print_stdout,
    reason = "standard output is where a developer command speaks"
)]
pub fn line(text: impl Display) {
    println!("{text}");
}

/// Writes to standard error why a command could not do its work. No backtrace: the reader wants the sentence.
#[expect(
    clippy::print_stderr,
    reason = "standard error is where a developer command complains"
)]
pub fn error(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}

/// Writes the heading of a step.
pub fn heading(text: impl Display) {
    line(format_args!("\n== {text}"));
}

/// A duration as people read it: `0.4 s`, `93.0 s`.
pub fn seconds(wall: Duration) -> String {
    format!("{:.1} s", wall.as_secs_f64())
}

/// A line at the bottom of the terminal that is written over and over. Where there is no terminal, it is written when
/// it has changed.
pub struct Live {
    terminal: bool,
    shown: String,
}

impl Live {
    /// Nothing is shown yet.
    #[expect(clippy::new_without_default, reason = "it looks at the terminal")]
    pub fn new() -> Self {
        Self {
            terminal: std::io::stdout().is_terminal(),
            shown: String::new(),
        }
    }

    /// Shows this in the place of what was shown.
    pub fn show(&mut self, text: String) {
        if self.terminal {
            // Cut at the right margin instead of wrapped: a second row would not be overwritten.
            write(format_args!("\r\x1b[?7l{text}\x1b[K\x1b[?7h"));
        } else if text != self.shown {
            line(&text);
        }
        self.shown = text;
    }

    /// Writes a line above it.
    pub fn line(&mut self, text: impl Display) {
        if self.terminal {
            write("\r\x1b[K");
        }
        line(text);
        if self.terminal {
            write(&self.shown);
        }
    }

    /// Leaves what was shown last, and goes on below it.
    pub fn end(self) {
        if self.terminal {
            line("");
        }
    }
}

#[expect(clippy::print_stdout, reason = "as `line`, and the line goes on")]
fn write(text: impl Display) {
    print!("{text}");
    // A terminal that is gone needs no line.
    let _ = std::io::stdout().flush();
}
