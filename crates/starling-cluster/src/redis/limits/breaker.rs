//! When to stop asking a server that does not answer.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// After a failure nobody asks for a second; then one call tries while the others still do without.
pub(super) struct Breaker {
    began: Instant,
    /// Milliseconds since `began`; 0 when all is well.
    closed_until: AtomicU64,
}

impl Breaker {
    const REST: Duration = Duration::from_secs(1);

    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            closed_until: AtomicU64::new(0),
        }
    }

    /// Whether this call may ask. Where it may after a rest, it alone tries.
    pub(super) fn allows(&self) -> bool {
        let until = self.closed_until.load(Ordering::Relaxed);
        if until == 0 {
            return true;
        }
        let now = self.now();
        let (order, next) = (Ordering::Relaxed, now + Self::rest());
        now >= until
            && self
                .closed_until
                .compare_exchange(until, next, order, order)
                .is_ok()
    }

    pub(super) fn succeeded(&self) {
        // Read first: the line is shared by all tasks and almost never changes.
        if self.closed_until.load(Ordering::Relaxed) != 0 {
            self.closed_until.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn failed(&self) {
        self.closed_until
            .store(self.now() + Self::rest(), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn rest() -> u64 {
        u64::try_from(Self::REST.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_call_tries_after_a_rest() {
        let breaker = Breaker::new();
        assert!(breaker.allows());
        breaker.failed();
        assert!(!breaker.allows());
        tokio::time::advance(Breaker::REST).await;
        assert!(breaker.allows());
        assert!(!breaker.allows(), "somebody is trying");
        breaker.succeeded();
        assert!(breaker.allows());
        assert!(breaker.allows());
    }
}
