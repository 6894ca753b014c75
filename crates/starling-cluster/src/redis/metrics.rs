//! What happened, in plain atomics that a telemetry layer reads when it likes.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that one side changes and another reads; no order with anything else is implied.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Its present value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn sub(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    pub(super) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }
}

/// Counters that only grow, unless they are called gauges.
#[derive(Debug, Default)]
pub struct RedisMetrics {
    /// Gauge: connections for commands that are open.
    pub command_links_up: Count,
    /// Gauge: connections for receiving that are open, with all their subscriptions in place.
    pub subscriber_links_up: Count,
    /// Connections that ended by themselves, or were ended because no answer came.
    pub connections_lost: Count,

    /// Messages that Redis took.
    pub published: Count,
    /// Messages that it did not take, or of which it is not known.
    pub publish_failures: Count,
    /// Messages that came in.
    pub received: Count,
    /// Gauge: events that wait for the receiver.
    pub queued: Count,
    /// Messages that were dropped because the receiver was too slow.
    pub dropped: Count,
    /// Gaps told.
    pub gaps: Count,
    /// Gauge: topics that this node is subscribed to.
    pub topics: Count,
    /// Topics subscribed again because their slot of the cluster moved.
    pub moved: Count,
    /// Probes of a silent link without an answer.
    pub probes_unanswered: Count,

    /// Leases that had ended, or were lost with the store's data.
    pub leases_lost: Count,
    /// Users cleaned up after nodes that died or stopped.
    pub reaped: Count,
    /// Lookups answered without the time of "last seen", because the directory was away.
    pub last_seen_unknown: Count,

    /// Charges and connections decided by this node alone, because Redis was away or slow.
    pub limits_local: Count,
}
