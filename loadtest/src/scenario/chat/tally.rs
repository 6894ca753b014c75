//! What a worker counts, second by second and at the end, and how it is added up.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::{
    latency::{Buckets, Latency},
    ledger::Faults,
};

/// What happened in a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Messages said for the first time.
    pub sent: u64,
    /// Messages acknowledged.
    pub acked: u64,
    /// Deliveries, each message once for each member.
    pub delivered: u64,
    /// Connections that the test has cut.
    pub cut: u64,
    /// Connections that the server or the network ended while they were in use.
    pub ended: u64,
    /// Of those, connections of clients that speak `migrate`.
    pub ended_migrating: u64,
    /// Clients that moved to another connection because the server asked for it, before the old one ended.
    pub moved: u64,
    /// Clients that were back and had what they had missed.
    pub resumed: u64,
    /// Attempts to connect or to follow that failed.
    pub refused: u64,
    /// Messages refused with `unavailable`, and said again.
    pub retried: u64,
    /// Times that the server told of a gap or of lagging.
    pub gaps: u64,
}

impl Counts {
    /// Adds those of another worker, or of another second.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.acked += other.acked;
        self.delivered += other.delivered;
        self.cut += other.cut;
        self.ended += other.ended;
        self.ended_migrating += other.ended_migrating;
        self.moved += other.moved;
        self.resumed += other.resumed;
        self.refused += other.refused;
        self.retried += other.retried;
        self.gaps += other.gaps;
    }
}

/// Latencies of each kind.
pub(super) struct Latencies {
    /// Send to acknowledgement, retries included.
    pub(super) ack: Latency,
    /// Send to delivery, at members who missed nothing just then.
    pub(super) deliver: Latency,
    /// After a cut or an end: from beginning to connect to having everything that was missed.
    pub(super) replay: Latency,
    /// From an end that the test did not make to having everything that was missed.
    pub(super) reconnect: Latency,
}

/// The same, on the way to the parent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Recorded {
    ack: Buckets,
    deliver: Buckets,
    replay: Buckets,
    reconnect: Buckets,
}

impl Latencies {
    /// None yet.
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            ack: Latency::new()?,
            deliver: Latency::new()?,
            replay: Latency::new()?,
            reconnect: Latency::new()?,
        })
    }

    /// For the parent.
    #[must_use]
    pub(super) fn recorded(&self) -> Recorded {
        Recorded {
            ack: self.ack.buckets(),
            deliver: self.deliver.buckets(),
            replay: self.replay.buckets(),
            reconnect: self.reconnect.buckets(),
        }
    }

    /// Adds what a worker has recorded.
    pub(super) fn add(&mut self, recorded: &Recorded) {
        self.ack.add_buckets(&recorded.ack);
        self.deliver.add_buckets(&recorded.deliver);
        self.replay.add_buckets(&recorded.replay);
        self.reconnect.add_buckets(&recorded.reconnect);
    }
}

/// A second of a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Tick {
    /// Clients that have a connection and miss nothing.
    pub(super) live: u64,
    /// What happened.
    pub(super) counts: Counts,
    /// How long it took.
    pub(super) recorded: Recorded,
}

/// The end of a worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Deliveries that there should have been: every message to every member of its room.
    pub expected: u64,
    /// What is wrong with those that there were.
    #[serde(flatten)]
    pub faults: Faults,
    /// Messages without an acknowledgement.
    pub unanswered: u64,
    /// Messages with two places in their room, or acknowledged with another one than they have.
    pub mismatched: u64,
    /// Messages that nobody could say when their time had come, since nobody of the room was connected.
    pub unsaid: u64,
    /// Clients that were not back at the end.
    pub missing: u64,
}

impl Account {
    /// Adds that of another worker.
    pub fn add(&mut self, other: &Self) {
        self.expected += other.expected;
        self.faults.add(&other.faults);
        self.unanswered += other.unanswered;
        self.mismatched += other.mismatched;
        self.unsaid += other.unsaid;
        self.missing += other.missing;
    }

    /// Whether every message was acknowledged, and delivered once to everybody.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.faults.is_none() && self.unanswered + self.mismatched + self.missing == 0
    }
}

/// What a worker says to its parent, a line each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "said", rename_all = "snake_case")]
pub(super) enum Said {
    /// So many are connected.
    Connecting {
        /// Connections.
        connections: usize,
    },
    /// All follow their rooms.
    Ready,
    /// A second has passed.
    Second(Tick),
    /// It is over.
    Done(Account),
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_goes_to_the_parent_arrives() {
        let mut latencies = Latencies::new().unwrap();
        latencies.ack.record(Duration::from_millis(5));
        latencies.replay.record(Duration::from_millis(7));
        let tick = Tick {
            live: 3,
            counts: Counts {
                sent: 4,
                ..Counts::default()
            },
            recorded: latencies.recorded(),
        };
        let line = serde_json::to_string(&Said::Second(tick)).unwrap();
        let Ok(Said::Second(tick)) = serde_json::from_str(&line) else {
            panic!("{line}");
        };
        let mut sum = Latencies::new().unwrap();
        sum.add(&tick.recorded);
        sum.add(&tick.recorded);
        assert_eq!((tick.live, tick.counts.sent), (3, 4));
        assert_eq!((sum.ack.summary().count, sum.replay.summary().count), (2, 2));
        assert!((sum.ack.summary().p50_ms / 5.0 - 1.0).abs() < 0.02);
    }

    #[test]
    fn one_fault_of_one_worker_is_a_fault_of_all() {
        let mut all = Account::default();
        assert!(all.is_exact());
        all.add(&Account {
            missing: 1,
            ..Account::default()
        });
        all.add(&Account::default());
        assert!(!all.is_exact());
    }
}
