//! What others wrote, made safe to be shown: a message must not move the cursor, ring the bell or reorder the line.

use std::fmt::Write;

use jiff::tz::TimeZone;
use starling_core::Timestamp;

/// The text with control characters, and those that change the direction of writing, spelled out. Line breaks become
/// a break and an indent, so that no line of a message passes for a line of the program.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\n    "),
            '\t' => safe.push(' '),
            _ if c.is_control() || is_invisible(c) => push_escape(&mut safe, c),
            _ => safe.push(c),
        }
    }
    safe
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn push_escape(safe: &mut String, c: char) {
    // Writing to a string does not fail.
    let _ = write!(safe, "{}", c.escape_unicode());
}

/// The time of day, as the user's clock has it.
pub(super) fn time_of_day(at: Timestamp, zone: &TimeZone) -> String {
    match jiff::Timestamp::from_millisecond(at.as_millis()) {
        Ok(at) => at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string(),
        Err(_) => "??:??:??".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_others_write_commands_the_terminal() {
        assert_eq!(escaped("hé 🙂"), "hé 🙂");
        assert_eq!(escaped("\x1b[2Jx\r\x07"), "\\u{1b}[2Jx\\u{d}\\u{7}");
        assert_eq!(escaped("\u{9b}31m\u{202e}x"), "\\u{9b}31m\\u{202e}x");
        assert_eq!(escaped("a\n12:00:00 bob: b"), "a\n    12:00:00 bob: b");
    }

    #[test]
    fn time_is_of_the_users_zone() {
        let at = Timestamp::from_millis(1_795_176_000_007);
        assert_eq!(time_of_day(at, &TimeZone::UTC), "12:00:00");
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(time_of_day(at, &zone), "14:00:00");
    }
}
