//! What was sent and what came of it: no I/O, no clock.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// A message whose event has not come after this time is lost: far more than any repair takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Messages that may be under way. More than come together in `PATIENCE` at the shortest interval.
const MOST: usize = 256;

/// Messages under way, and the place in the room.
#[derive(Default)]
pub(super) struct Ledger {
    pending: BTreeMap<i64, Pending>,
    /// The last seq that was seen; `None` before the first event.
    seq: Option<u64>,
}

struct Pending {
    sent: Instant,
    /// Known from its acknowledgement on.
    seq: Option<u64>,
}

/// What an event means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The next one.
    Next,
    /// So many before it have not come.
    Behind(u64),
    /// It came before.
    Again,
}

impl Ledger {
    /// Notes a message; whether there is room for it.
    pub(super) fn send(&mut self, id: i64, now: Instant) -> bool {
        let has_room = self.pending.len() < MOST;
        if has_room {
            self.pending.insert(id, Pending { sent: now, seq: None });
        }
        has_room
    }

    /// The message has its place; how long that took.
    pub(super) fn acked(&mut self, id: i64, seq: u64, now: Instant) -> Option<Duration> {
        let pending = self.pending.get_mut(&id)?;
        let took = now - pending.sent;
        // The event may be here first.
        if self.seq.is_some_and(|seen| seen >= seq) {
            self.pending.remove(&id);
        } else {
            pending.seq = Some(seq);
        }
        Some(took)
    }

    /// It will have none.
    pub(super) fn refused(&mut self, id: i64) -> bool {
        self.pending.remove(&id).is_some()
    }

    /// A message of our own has come, by the id that it was sent under; how long that took.
    pub(super) fn came(&mut self, id: i64, now: Instant) -> Option<Duration> {
        let pending = self.pending.get(&id)?;
        let took = now - pending.sent;
        if pending.seq.is_some() {
            self.pending.remove(&id);
        }
        Some(took)
    }

    /// Any durable event of the room.
    pub(super) fn event(&mut self, seq: u64) -> Place {
        let place = match self.seq {
            None => Place::Next,
            Some(seen) if seq <= seen => return Place::Again,
            Some(seen) if seq == seen + 1 => Place::Next,
            Some(seen) => Place::Behind(seq - seen - 1),
        };
        self.seq = Some(seq);
        place
    }

    /// What was sent too long ago, and has not come: how many.
    pub(super) fn lost(&mut self, now: Instant) -> u64 {
        let before = self.pending.len();
        self.pending.retain(|_, pending| now - pending.sent < PATIENCE);
        (before - self.pending.len()) as u64
    }

    /// A new connection begins where it joins.
    pub(super) fn joined(&mut self, head: u64) {
        self.pending.clear();
        self.seq = Some(head);
    }

    /// The last seq that was seen.
    pub(super) fn seq(&self) -> u64 {
        self.seq.unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_message_is_timed_to_its_ack_and_to_its_event() {
        let start = Instant::now();
        let mut ledger = Ledger::default();
        ledger.joined(4);
        assert!(ledger.send(1, start));
        assert_eq!(ledger.acked(1, 5, start + 2 * MS), Some(2 * MS));
        assert_eq!(ledger.event(5), Place::Next);
        assert_eq!(ledger.came(1, start + 3 * MS), Some(3 * MS));
        assert_eq!(ledger.lost(start + PATIENCE), 0, "it has come");
        // The event before the ack.
        assert!(ledger.send(2, start));
        assert_eq!(ledger.event(6), Place::Next);
        assert_eq!(ledger.came(2, start + MS), Some(MS));
        assert_eq!(ledger.acked(2, 6, start + 2 * MS), Some(2 * MS));
        assert_eq!(ledger.lost(start + PATIENCE), 0, "it has come");
    }

    #[test]
    fn what_does_not_come_is_missed() {
        let start = Instant::now();
        let mut ledger = Ledger::default();
        ledger.joined(0);
        assert!(ledger.send(1, start));
        assert!(ledger.send(2, start));
        assert!(ledger.refused(2));
        assert_eq!(ledger.lost(start + PATIENCE - MS), 0);
        assert_eq!(ledger.lost(start + PATIENCE), 1);
        assert_eq!(ledger.event(1), Place::Next);
        assert_eq!(ledger.event(4), Place::Behind(2));
        assert_eq!(ledger.event(4), Place::Again);
        assert_eq!(ledger.event(5), Place::Next);
    }

    #[test]
    fn what_is_under_way_is_bounded() {
        let now = Instant::now();
        let mut ledger = Ledger::default();
        let sent = (0..1000).filter(|id| ledger.send(*id, now)).count();
        assert_eq!(sent, MOST);
    }
}
