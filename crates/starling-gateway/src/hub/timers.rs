//! What a shard looks at later.

use std::collections::BTreeMap;

use starling_core::RoomId;
use tokio::time::Instant;

/// Something to look at later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Timer {
    /// A hole was held long enough.
    Hold(RoomId),
    /// Somebody may have stopped typing.
    Typing(RoomId),
    /// A room without members has lingered long enough.
    Linger(RoomId),
    /// A member's page could not be read.
    CatchUp(RoomId, u64),
    /// A room may have waited long enough for the end of its last subscription.
    Open,
    /// The bus did not take a subscription.
    Subscribe,
    /// Counts have changed.
    Counts,
}

/// By time, and a number that tells timers of one time apart.
#[derive(Debug, Default)]
pub(super) struct Timers {
    waiting: BTreeMap<(Instant, u64), Timer>,
    set: u64,
}

impl Timers {
    pub(super) fn set(&mut self, at: Instant, timer: Timer) {
        self.set += 1;
        self.waiting.insert((at, self.set), timer);
    }

    /// When the first one is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }

    /// The first one that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let entry = self.waiting.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }
}
