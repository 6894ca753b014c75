//! What is to happen at which time.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use crate::random::Random;

/// First wait after a lost connection, at most; doubled with each attempt that fails. As Starling's own client does.
const BACKOFF: Duration = Duration::from_millis(500);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// A client that is away connects.
    Dial,
    /// A client opens its next connection beside the present one.
    Move,
    /// A connection that is being opened has not come so far.
    Overdue,
    /// A connection is cut.
    Cut,
    /// What was refused for a moment is said again.
    Retry,
}

/// Of whom, and of which of its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timer {
    pub(super) at: Instant,
    pub(super) client: usize,
    /// Connections that it had begun to open by then: a timer of an earlier one is void.
    pub(super) dials: u32,
    pub(super) what: What,
}

/// A few for each client: bounded by their number.
#[derive(Default)]
pub(super) struct Timers(BinaryHeap<Reverse<Timer>>);

impl Timers {
    pub(super) fn add(&mut self, timer: Timer) {
        self.0.push(Reverse(timer));
    }

    /// The next that is due by now.
    pub(super) fn due(&mut self, now: Instant) -> Option<Timer> {
        let is_due = self.0.peek().is_some_and(|Reverse(timer)| timer.at <= now);
        is_due.then(|| self.0.pop()).flatten().map(|Reverse(timer)| timer)
    }

    /// When the next is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse(timer)| timer.at)
    }
}

/// How long to wait before an attempt, when so many have failed: full jitter, so that the clients of a gateway that went
/// away do not come back as one.
pub(super) fn backoff(failed: u32, random: &mut Random) -> Duration {
    let most = LONGEST.min(BACKOFF * 2_u32.pow(failed.min(10)));
    most.mul_f64(random.fraction())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_in_the_order_of_time() {
        let now = Instant::now();
        let mut timers = Timers::default();
        for (after, client) in [(30, 1), (10, 2), (20, 3)] {
            timers.add(Timer {
                at: now + Duration::from_millis(after),
                client,
                dials: 0,
                what: What::Dial,
            });
        }
        assert_eq!(timers.due(now), None);
        assert_eq!(timers.next(), Some(now + Duration::from_millis(10)));
        let later = now + Duration::from_millis(20);
        let clients: Vec<_> = std::iter::from_fn(|| timers.due(later))
            .map(|timer| timer.client)
            .collect();
        assert_eq!(clients, [2, 3]);
    }

    #[test]
    fn waits_grow_to_a_bound() {
        let mut random = Random::new(1);
        let mut longest = |failed| (0..200).map(|_| backoff(failed, &mut random)).max().unwrap();
        assert!(longest(0) <= BACKOFF);
        assert!(longest(3) > BACKOFF && longest(3) <= BACKOFF * 8);
        assert!(longest(u32::MAX) <= LONGEST);
    }
}
