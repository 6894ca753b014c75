//! Durations and sizes as people write them: `500ms`, `30s`, `1h30m`; `65536`, `64KiB`.

use std::time::Duration;

use jiff::{SpanRelativeTo, fmt::friendly::SpanParser};

/// Reads a duration of whole milliseconds; a day has 24 hours. A number without a unit is none.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let span = SpanParser::new().parse_span(text).ok()?;
    let signed = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    let duration = Duration::try_from(signed).ok()?;
    duration
        .subsec_nanos()
        .is_multiple_of(1_000_000)
        .then_some(duration)
}

/// The shortest text that reads back as this duration.
pub(crate) fn show_duration(duration: Duration) -> String {
    const UNITS: [(&str, u128); 3] = [("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    let millis = duration.as_millis();
    match UNITS
        .iter()
        .find(|(_, size)| millis.is_multiple_of(*size) && millis >= *size)
    {
        Some((unit, size)) => format!("{}{unit}", millis / size),
        None if millis == 0 => "0s".into(),
        None => format!("{millis}ms"),
    }
}

/// Reads a number of bytes, with or without a unit.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A number of bytes in the largest unit that divides it.
pub(crate) fn show_size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS
        .iter()
        .find(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size))
    {
        Some((unit, size)) => format!("{}{unit}", bytes / size),
        None => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0s", Some(0))]
    #[case("500ms", Some(500))]
    #[case("1.5s", Some(1500))]
    #[case("90 seconds", Some(90_000))]
    #[case("1h30m", Some(5_400_000))]
    #[case("7d", Some(604_800_000))]
    #[case("30", None)]
    #[case("-1s", None)]
    #[case("1s ago", None)]
    #[case("10us", None)]
    #[case("1 month", None)]
    #[case("", None)]
    fn durations(#[case] text: &str, #[case] millis: Option<u64>) {
        let duration = parse_duration(text);
        assert_eq!(duration, millis.map(Duration::from_millis));
        if let Some(duration) = duration {
            assert_eq!(parse_duration(&show_duration(duration)), Some(duration));
        }
    }

    #[rstest]
    #[case("0", Some(0))]
    #[case("65536", Some(65536))]
    #[case("64KiB", Some(65536))]
    #[case("64 kib", Some(65536))]
    #[case("1GiB", Some(1 << 30))]
    #[case("64KB", None)]
    #[case("KiB", None)]
    #[case("-1", None)]
    #[case("99999999999GiB", None)]
    fn sizes(#[case] text: &str, #[case] bytes: Option<u64>) {
        assert_eq!(parse_size(text), bytes);
        if let Some(bytes) = bytes {
            assert_eq!(parse_size(&show_size(bytes)), Some(bytes));
        }
    }

    #[test]
    fn the_largest_unit_is_shown() {
        assert_eq!(show_duration(Duration::from_secs(90)), "90s");
        assert_eq!(show_duration(Duration::from_secs(7200)), "2h");
        assert_eq!(show_size(64 << 20), "64MiB");
    }
}
