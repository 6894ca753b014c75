//! Medians, and numbers for people.

/// The middle value; of an even number of values the mean of the middle two.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        len if len.is_multiple_of(2) => f64::midpoint(sorted[len / 2 - 1], sorted[len / 2]),
        len => sorted[len / 2],
    }
}

/// The median of ratios, round by round: what both sides of a round had in common falls out.
pub(super) fn ratio(of: &[f64], to: &[f64]) -> f64 {
    let ratios: Vec<f64> = of.iter().zip(to).map(|(of, to)| of / to).collect();
    median(&ratios)
}

/// Thousands: `163`, `8.2`.
pub(super) fn thousands(value: f64) -> String {
    let value = value / 1000.0;
    if value < 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// With separators: `41,203`.
pub(super) fn number(value: f64) -> String {
    let digits = format!("{value:.0}");
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    groups.join(",")
}

/// Milliseconds: `0.51`, `12.3`.
pub(super) fn ms(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        // The machine was twice as fast in the second round, for both.
        assert_eq!(ratio(&[90.0, 180.0, 80.0], &[100.0, 200.0, 100.0]), 0.9);
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(thousands(163_400.0), "163");
        assert_eq!(thousands(8_240.0), "8.2");
        assert_eq!(number(1_234_567.4), "1,234,567");
        assert_eq!(number(12.0), "12");
        assert_eq!((ms(0.512), ms(12.34)), ("0.51".into(), "12.3".into()));
    }
}
