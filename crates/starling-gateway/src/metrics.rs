//! What a node counts. Plain atomics on the hot path; whoever exports them reads them.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use starling_core::{Refusal, ports::LatencySummary};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// `n` more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// The present value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that goes up and down, and its peak.
#[derive(Debug, Default)]
pub struct Gauge {
    now: AtomicU64,
    peak: AtomicU64,
}

impl Gauge {
    /// One more; the new value.
    pub fn up(&self) -> u64 {
        let now = self.now.fetch_add(1, Relaxed) + 1;
        self.peak.fetch_max(now, Relaxed);
        now
    }

    /// One less.
    pub fn down(&self) {
        self.now.fetch_sub(1, Relaxed);
    }

    /// The present value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.now.load(Relaxed)
    }

    /// The largest value so far.
    #[must_use]
    pub fn peak(&self) -> u64 {
        self.peak.load(Relaxed)
    }
}

/// Upper bounds of the latency buckets, in microseconds: powers of two and the steps half-way between.
pub const LATENCY_BOUNDS_US: [u64; 28] = [
    64, 96, 128, 192, 256, 384, 512, 768, 1_024, 1_536, 2_048, 3_072, 4_096, 6_144, 8_192, 12_288, 16_384,
    24_576, 32_768, 49_152, 65_536, 98_304, 131_072, 262_144, 524_288, 1_048_576, 4_194_304, 16_777_216,
];

/// A histogram of latencies.
#[derive(Debug, Default)]
pub struct Latency {
    buckets: [AtomicU64; LATENCY_BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Latency {
    /// Notes one.
    pub fn record(&self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let bucket = LATENCY_BOUNDS_US.partition_point(|bound| *bound < us);
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.sum_us.fetch_add(us, Relaxed);
    }

    /// Counts by bucket, the last one above every bound, and the sum in microseconds.
    #[must_use]
    pub fn snapshot(&self) -> ([u64; LATENCY_BOUNDS_US.len() + 1], u64) {
        (
            std::array::from_fn(|i| self.buckets[i].load(Relaxed)),
            self.sum_us.load(Relaxed),
        )
    }

    /// How many were noted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum()
    }

    /// The mean and the high quantiles.
    #[must_use]
    pub fn summary(&self) -> LatencySummary {
        LatencySummary {
            average: self.mean_ms(),
            p95: self.quantile_ms(0.95),
            p99: self.quantile_ms(0.99),
        }
    }

    /// The mean, in milliseconds.
    #[must_use]
    pub fn mean_ms(&self) -> f64 {
        let count = self.count();
        if count == 0 {
            0.0
        } else {
            self.sum_us.load(Relaxed) as f64 / count as f64 / 1000.0
        }
    }

    /// The upper bound of the bucket that holds this quantile, in milliseconds.
    #[must_use]
    pub fn quantile_ms(&self, q: f64) -> f64 {
        let (buckets, _) = self.snapshot();
        let total: u64 = buckets.iter().sum();
        let rank = (total as f64 * q).ceil() as u64;
        let mut seen = 0;
        for (i, count) in buckets.iter().enumerate() {
            seen += count;
            if seen >= rank && total > 0 {
                let last = LATENCY_BOUNDS_US[LATENCY_BOUNDS_US.len() - 1];
                return LATENCY_BOUNDS_US.get(i).copied().unwrap_or(last) as f64 / 1000.0;
            }
        }
        0.0
    }
}

macro_rules! labelled {
    ($(#[$doc:meta])* $name:ident, $labels:expr) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub struct $name([Counter; $labels.len()]);

        impl $name {
            /// One more under this label; labels that are not in the list count under the last.
            pub fn inc(&self, label: &str) {
                let at = $labels.iter().position(|known| *known == label).unwrap_or($labels.len() - 1);
                self.0[at].inc();
            }

            /// Label and value of each.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
                $labels.iter().copied().zip(self.0.iter().map(Counter::get))
            }
        }
    };
}

/// Codes of refusals.
pub(crate) const REFUSALS: [&str; 18] = [
    "invalid_message",
    "unknown_type",
    "unauthenticated",
    "token_expired",
    "forbidden",
    "not_found",
    "not_member",
    "room_full",
    "room_exists",
    "banned",
    "muted",
    "slow_mode",
    "rate_limited",
    "message_too_long",
    "too_many_rooms",
    "conflict",
    "unavailable",
    "internal",
];

const CLOSES: [&str; 18] = [
    "1000", "1002", "1007", "1009", "1012", "1013", "4000", "4005", "4008", "4009", "4010", "4500", "4501",
    "4502", "4503", "4504", "4505", "peer",
];

const HANDSHAKES: [&str; 7] = [
    "accepted",
    "unauthenticated",
    "rate_limited",
    "origin",
    "full",
    "draining",
    "bad_request",
];

/// Classes of status codes.
const STATUSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

labelled!(
    /// REST requests by class of status.
    HttpRequests,
    STATUSES
);
labelled!(
    /// Refusals by code.
    Refusals,
    REFUSALS
);
labelled!(
    /// Closed sockets by close code; `peer` where the client closed or vanished.
    Closes,
    CLOSES
);
labelled!(
    /// Handshakes by result.
    Handshakes,
    HANDSHAKES
);

/// Everything that a node counts.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Open sockets.
    pub connections: Gauge,
    /// Sockets opened since the start.
    pub connections_total: Counter,
    /// Users with a session here.
    pub users: Gauge,
    /// Rooms open here.
    pub rooms: Gauge,
    /// Handshakes.
    pub handshakes: Handshakes,
    /// Closed sockets.
    pub closes: Closes,
    /// Commands read.
    pub commands: Counter,
    /// Messages taken for the log.
    pub messages_in: Counter,
    /// Events handed to sockets: one event to ten sockets counts ten.
    pub deliveries: Counter,
    /// Errors answered.
    pub refusals: Refusals,
    /// From reading a `send_message` to writing its reply.
    pub send_to_ack: Latency,
    /// From accepting a message to its fan-out here, by the clocks of the two nodes.
    pub send_to_deliver: Latency,
    /// Batches appended.
    pub batches: Counter,
    /// Drafts in them.
    pub batch_drafts: Counter,
    /// Batches appended again because their outcome was unknown.
    pub batch_retries: Counter,
    /// From giving a batch to the log to its outcome.
    pub commit: Latency,
    /// Drafts that wait in the lanes.
    pub lane_depth: AtomicU64,
    /// Holes seen in a room's order.
    pub holes: Counter,
    /// Holes filled by reading the log.
    pub fills: Counter,
    /// Lost tails found by the sweep.
    pub lost_tails: Counter,
    /// `gap` events sent.
    pub gaps_told: Counter,
    /// Events replayed from rings.
    pub replayed_from_ring: Counter,
    /// Events replayed from the log.
    pub replayed_from_log: Counter,
    /// Bytes waiting in outboxes.
    pub outbox_bytes: AtomicU64,
    /// Ephemeral frames not queued because the outbox was filling.
    pub shed: Counter,
    /// Times that a room's events were left to the log for a slow socket.
    pub lagged: Counter,
    /// Bus messages published.
    pub published: Counter,
    /// Bus messages not published: the bus was away or its queue full.
    pub publish_failed: Counter,
    /// Bus messages received from other nodes.
    pub received: Counter,
    /// From accepting an event on another node to hearing of it from the bus, by the clocks of the two nodes.
    pub event_lag: Latency,
    /// From seeing that events of a room are missing to having them.
    pub repair: Latency,
    /// How late the runtime wakes a task that sleeps.
    pub runtime_lag: Latency,
    /// Changes of presence told to sessions.
    pub presence_told: Counter,
    /// Bytes in the rings.
    pub ring_bytes: AtomicU64,
    /// REST requests.
    pub http_requests: HttpRequests,
    /// From the head of a REST request to the head of its answer.
    pub http_latency: Latency,
}

impl Metrics {
    /// Counts a refusal.
    pub fn refused(&self, refusal: &Refusal) {
        self.refusals.inc(refusal.code());
    }

    /// Counts a REST request and its answer.
    pub fn answered(&self, status: u16, latency: Duration) {
        let class = usize::from(status / 100).clamp(1, STATUSES.len());
        self.http_requests.inc(STATUSES[class - 1]);
        self.http_latency.record(latency);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_bucket_bounds() {
        let latency = Latency::default();
        assert_eq!(latency.quantile_ms(0.99), 0.0);
        for _ in 0..99 {
            latency.record(Duration::from_micros(100));
        }
        latency.record(Duration::from_millis(50));
        assert_eq!(latency.count(), 100);
        assert_eq!(latency.quantile_ms(0.5), 0.128);
        assert_eq!(latency.quantile_ms(0.999), 65.536);
        assert!((latency.mean_ms() - 0.599).abs() < 0.001);
        latency.record(Duration::from_secs(100));
        assert_eq!(latency.quantile_ms(1.0), 16_777.216);
    }
}
