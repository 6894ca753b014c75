//! Histograms of latency.

use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;
use serde::Serialize;

/// Longest latency that is told apart: a minute.
const LONGEST_US: u64 = 60_000_000;

/// Microseconds, and how many were so long.
pub type Buckets = Vec<(u64, u64)>;

/// Latencies with two significant digits.
pub struct Latency(Histogram<u64>);

impl Latency {
    /// None yet.
    pub fn new() -> Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, LONGEST_US, 2)?))
    }

    /// Adds one.
    pub fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(LONGEST_US);
        self.0.saturating_record(micros.max(1));
    }

    /// Adds all of another.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    /// What is in it, for another process.
    #[must_use]
    pub fn buckets(&self) -> Buckets {
        let recorded = self.0.iter_recorded();
        recorded
            .map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value()))
            .collect()
    }

    /// Adds what another process has recorded.
    pub fn add_buckets(&mut self, buckets: &Buckets) {
        for (micros, count) in buckets {
            self.0.saturating_record_n(*micros, *count);
        }
    }

    /// How much of it is at most this many milliseconds, for growing milliseconds.
    pub fn shares(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let total = self.0.len() as f64;
        let mut seen = 0;
        self.0.iter_recorded().map(move |bucket| {
            seen += bucket.count_at_value();
            (bucket.value_iterated_to() as f64 / 1000.0, seen as f64 / total)
        })
    }

    /// The figures of a report.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let ms = |quantile| self.0.value_at_quantile(quantile) as f64 / 1000.0;
        Summary {
            count: self.0.len(),
            p50_ms: ms(0.5),
            p90_ms: ms(0.9),
            p99_ms: ms(0.99),
            max_ms: ms(1.0),
        }
    }
}

/// Quantiles in milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Summary {
    /// How many there were.
    pub count: u64,
    /// Half were at most this.
    pub p50_ms: f64,
    /// Nine of ten were at most this.
    pub p90_ms: f64,
    /// 99 of 100 were at most this.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Summary {
    /// For a table.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, max {:.1} ms",
            self.p50_ms, self.p90_ms, self.p99_ms, self.max_ms
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_two_digits() {
        let mut latency = Latency::new().unwrap();
        let mut other = Latency::new().unwrap();
        for ms in 1..=50 {
            latency.record(Duration::from_millis(ms));
            other.record(Duration::from_millis(ms + 50));
        }
        latency.add_buckets(&other.buckets());
        let shares: Vec<_> = latency.shares().collect();
        assert_eq!(shares.last().map(|(_, share)| *share), Some(1.0));
        assert!(shares.is_sorted());
        let summary = latency.summary();
        assert_eq!(summary.count, 100);
        for (found, wanted) in [
            (summary.p50_ms, 50.0),
            (summary.p99_ms, 99.0),
            (summary.max_ms, 100.0),
        ] {
            assert!((found / wanted - 1.0_f64).abs() < 0.02, "{found} is not {wanted}");
        }
    }

    #[test]
    fn what_is_too_long_or_too_short_still_counts() {
        let mut latency = Latency::new().unwrap();
        latency.record(Duration::ZERO);
        latency.record(Duration::from_secs(3600));
        assert_eq!(latency.summary().count, 2);
    }
}
