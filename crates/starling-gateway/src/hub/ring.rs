//! The recent events of a room, for those who come back soon.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::shared::SharedEvent;
use crate::{config::RingLimits, metrics::Metrics};

/// Bounded by the room's share and by what all rooms of the node take together; the oldest go first.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    events: VecDeque<Arc<SharedEvent>>,
    bytes: usize,
}

impl Ring {
    pub(crate) fn push(&mut self, event: Arc<SharedEvent>, limits: &RingLimits, metrics: &Metrics) {
        self.bytes += event.weight();
        let total = metrics.ring_bytes.fetch_add(event.weight() as u64, Relaxed) as usize + event.weight();
        self.events.push_back(event);
        let mut over = total.saturating_sub(limits.total_bytes);
        while self.events.len() > limits.events || self.bytes > limits.bytes || over > 0 {
            let Some(freed) = self.pop(&metrics.ring_bytes) else {
                break;
            };
            over = over.saturating_sub(freed);
        }
    }

    fn pop(&mut self, total: &AtomicU64) -> Option<usize> {
        let weight = self.events.pop_front()?.weight();
        self.bytes -= weight;
        total.fetch_sub(weight as u64, Relaxed);
        Some(weight)
    }

    pub(crate) fn clear(&mut self, metrics: &Metrics) {
        while self.pop(&metrics.ring_bytes).is_some() {}
        self.events = VecDeque::new();
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// The event at a seq.
    pub(crate) fn get(&self, seq: u64) -> Option<&Arc<SharedEvent>> {
        let first = self.events.front()?.seq();
        self.events.get(usize::try_from(seq.checked_sub(first)?).ok()?)
    }

    /// Events from a seq on, when the ring reaches back to it.
    pub(crate) fn from(&self, seq: u64) -> Option<impl Iterator<Item = &Arc<SharedEvent>>> {
        let first = self.events.front()?.seq();
        let skip = usize::try_from(seq.checked_sub(first)?).ok()?;
        (skip < self.events.len()).then(|| self.events.range(skip..))
    }
}

#[cfg(test)]
mod tests {
    use starling_core::{
        ClientId, EventBody, EventId, RoomEvent, RoomId, Timestamp, UserId,
        event::{MessageDeleted, MessageUpdated},
    };

    use super::*;

    fn event(seq: u64, content: usize) -> Arc<SharedEvent> {
        let at = Timestamp::from_millis(1);
        let body = if content == 0 {
            EventBody::MessageDeleted(MessageDeleted { ref_seq: 1 })
        } else {
            EventBody::MessageUpdated(MessageUpdated {
                ref_seq: 1,
                content: "x".repeat(content),
            })
        };
        let id = EventId::new(at, [0; 10]);
        let event = RoomEvent {
            room: RoomId::parse("r").unwrap(),
            seq,
            id,
            sender: UserId::parse("u").unwrap(),
            sender_name: None,
            client_id: ClientId::of_event(id),
            at,
            body,
        };
        SharedEvent::foreign(event)
    }

    #[test]
    fn the_oldest_go_first_by_count_bytes_and_total() {
        let metrics = Metrics::default();
        let limits = RingLimits {
            events: 3,
            bytes: 10_000,
            total_bytes: 20_000,
        };
        let (mut a, mut b) = (Ring::default(), Ring::default());
        for seq in 1..=5 {
            a.push(event(seq, 0), &limits, &metrics);
        }
        assert!(a.get(2).is_none());
        assert_eq!(a.get(3).unwrap().seq(), 3);
        assert_eq!(a.from(4).unwrap().map(|e| e.seq()).collect::<Vec<_>>(), [4, 5]);
        assert!(a.from(2).is_none(), "not far enough back");
        assert!(a.from(6).is_none(), "nothing there yet");
        a.push(event(6, 4_700), &limits, &metrics);
        assert_eq!(a.get(6).unwrap().seq(), 6);
        assert!(a.get(5).is_none(), "one large event takes the room's bytes");
        for seq in 1..=3 {
            b.push(event(seq, 2_000), &limits, &metrics);
        }
        assert!(metrics.ring_bytes.load(Relaxed) <= 20_000);
        a.clear(&metrics);
        b.clear(&metrics);
        assert_eq!(metrics.ring_bytes.load(Relaxed), 0);
    }
}
