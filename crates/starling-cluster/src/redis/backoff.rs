//! How long to wait before the next attempt.

use std::time::Duration;

use super::hash;

/// Doubles from 50 ms to 2 s. Each wait is drawn from its upper half, so that nodes that lost the same server do not
/// come back at the same instant. The draw needs a seed only: the same node waits the same way.
#[derive(Debug)]
pub(super) struct Backoff {
    seed: u64,
    draws: u64,
    attempt: u32,
}

impl Backoff {
    const LEAST: Duration = Duration::from_millis(50);
    const MOST: Duration = Duration::from_secs(2);

    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            draws: 0,
            attempt: 0,
        }
    }

    /// The next wait.
    pub(super) fn next(&mut self) -> Duration {
        let full = (Self::LEAST * (1 << self.attempt.min(10))).min(Self::MOST);
        self.attempt = self.attempt.saturating_add(1);
        self.draws = self.draws.wrapping_add(1);
        let draw = hash::mix(self.seed ^ hash::mix(self.draws)) >> 11;
        full.mul_f64(0.5 + 0.5 * draw as f64 / (1_u64 << 53) as f64)
    }

    /// After a success that lasted.
    pub(super) fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_differ_between_nodes() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed);
            (0..12).map(|_| backoff.next()).collect::<Vec<_>>()
        };
        let (one, other) = (waits(1), waits(2));
        assert_ne!(one, other);
        for (n, wait) in one.iter().enumerate() {
            let full = (Backoff::LEAST * (1 << n)).min(Backoff::MOST);
            assert!((full / 2..=full).contains(wait), "{wait:?} of {full:?}");
        }
    }
}
