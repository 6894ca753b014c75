//! Results for people and for programs.

use std::io::{self, Write};

use anyhow::Result;
use serde::Serialize;

/// The result of a scenario.
pub trait Report: Serialize {
    /// Lines of a table: what, and its value.
    fn rows(&self) -> Vec<(&'static str, String)>;

    /// Whether every delivery was accounted for, so that the figures mean something.
    fn is_exact(&self) -> bool;
}

/// Writes a report to standard output: one line of JSON, or a table.
pub fn write(report: &impl Report, json: bool) -> Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, report)?;
        writeln!(out)?;
    } else {
        out.write_all(table(&report.rows()).as_bytes())?;
    }
    Ok(out.flush()?)
}

/// Writes one line to standard output.
pub fn line(text: &str) -> Result<()> {
    Ok(writeln!(io::stdout(), "{text}")?)
}

fn table(rows: &[(&'static str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    rows.iter()
        .map(|(name, value)| format!("{name:width$}  {value}\n"))
        .collect()
}

/// A number with separators between thousands.
#[must_use]
pub fn number(value: f64) -> String {
    let digits = format!("{value:.0}");
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits.as_str()),
    };
    let mut text = String::from(sign);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators() {
        for (value, text) in [
            (0.0, "0"),
            (999.6, "1,000"),
            (123.0, "123"),
            (-1234.0, "-1,234"),
            (1_234_567.0, "1,234,567"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn tables_are_aligned() {
        let rows = [("a", "1".to_owned()), ("long", "2".to_owned())];
        assert_eq!(table(&rows), "a     1\nlong  2\n");
    }
}
