//! The one place that writes to the terminal.

use std::fmt::Display;
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
