//! What waits for the receiver of the bus.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use starling_core::ports::{BusEvent, BusReceiver, Topic};
use tokio::sync::Notify;

use crate::redis::metrics::RedisMetrics;

/// One queue for all links of the node, bounded in events and in bytes. When it is full messages are dropped and the
/// receiver is told of a gap before anything else; it is never told a lie about what it heard.
pub(super) struct Queue {
    inner: Mutex<Inner>,
    arrived: Notify,
    most_events: usize,
    metrics: Arc<RedisMetrics>,
}

#[derive(Default)]
struct Inner {
    events: VecDeque<BusEvent>,
    /// Of all payloads in `events`.
    bytes: usize,
    gap: Option<Gap>,
    /// Of the link as a whole, in `events`.
    changes: usize,
    closed: bool,
}

/// Where messages were lost.
enum Gap {
    Topics(HashSet<Topic>),
    Everywhere,
}

impl Queue {
    /// A quarter of a second of the most that one core can receive, at a few hundred bytes each. A receiver that is
    /// further behind does better to read the log.
    const MOST_BYTES: usize = 64 << 20;
    /// Beyond so many topics a gap is told for all.
    const MOST_TOPICS: usize = 1024;
    /// Changes of the link that wait. A receiver that has missed so many is told the last state, and a gap.
    const MOST_CHANGES: usize = 64;

    pub(super) fn new(most_events: usize, metrics: Arc<RedisMetrics>) -> Self {
        Self {
            inner: Mutex::default(),
            arrived: Notify::new(),
            most_events,
            metrics,
        }
    }

    /// A message came in.
    pub(super) fn deliver(&self, topic: Topic, payload: Bytes) {
        let mut inner = self.inner.lock();
        if inner.closed {
            return;
        }
        if inner.events.len() >= self.most_events || inner.bytes + payload.len() > Self::MOST_BYTES {
            inner.gap_on(std::iter::once(topic));
            self.metrics.dropped.add(1);
        } else {
            inner.bytes += payload.len();
            inner.events.push_back(BusEvent::Delivered { topic, payload });
        }
        self.changed(inner);
    }

    /// Messages on these topics may have been lost; on any, where there are none or too many to name.
    pub(super) fn gap(&self, topics: impl ExactSizeIterator<Item = Topic>) {
        let mut inner = self.inner.lock();
        if topics.len() == 0 || topics.len() > Self::MOST_TOPICS {
            inner.gap = Some(Gap::Everywhere);
        } else {
            inner.gap_on(topics);
        }
        self.changed(inner);
    }

    /// The link as a whole went away or came back.
    pub(super) fn link(&self, change: BusEvent) {
        let mut inner = self.inner.lock();
        if inner.closed {
            return;
        }
        inner.changes += 1;
        if inner.changes > Self::MOST_CHANGES {
            inner.events.clear();
            (inner.bytes, inner.changes) = (0, 1);
            inner.gap = Some(Gap::Everywhere);
            if change == BusEvent::Reconnected {
                inner.changes += 1;
                inner.events.push_back(BusEvent::Disconnected);
            }
        }
        inner.events.push_back(change);
        self.changed(inner);
    }

    /// Nothing more will come: the receiver gets what is here, and then the end.
    pub(super) fn close(&self) {
        let mut inner = self.inner.lock();
        inner.closed = true;
        self.changed(inner);
    }

    fn changed(&self, inner: parking_lot::MutexGuard<'_, Inner>) {
        self.metrics.queued.set(inner.events.len() as u64);
        drop(inner);
        self.arrived.notify_one();
    }

    /// The next event; `None` when there is none yet, `Some(None)` when there will be none.
    fn take(&self) -> Option<Option<BusEvent>> {
        let mut inner = self.inner.lock();
        if let Some(gap) = inner.gap.take() {
            self.metrics.gaps.add(1);
            return Some(Some(BusEvent::Gap(match gap {
                Gap::Topics(topics) => topics.into_iter().collect(),
                Gap::Everywhere => Vec::new(),
            })));
        }
        let event = inner.events.pop_front();
        match &event {
            Some(BusEvent::Delivered { payload, .. }) => inner.bytes -= payload.len(),
            Some(BusEvent::Disconnected | BusEvent::Reconnected) => inner.changes -= 1,
            Some(BusEvent::Gap(_)) => {}
            None => return inner.closed.then_some(None),
        }
        self.metrics.queued.set(inner.events.len() as u64);
        Some(event)
    }
}

impl Inner {
    fn gap_on(&mut self, topics: impl Iterator<Item = Topic>) {
        let gap = self.gap.get_or_insert_with(|| Gap::Topics(HashSet::new()));
        if let Gap::Topics(known) = gap {
            known.extend(topics);
            if known.len() > Queue::MOST_TOPICS {
                *gap = Gap::Everywhere;
            }
        }
    }
}

/// The receiving end.
pub(super) struct Receiver(pub(super) Arc<Queue>);

#[async_trait]
impl BusReceiver for Receiver {
    async fn recv(&mut self) -> Option<BusEvent> {
        loop {
            if let Some(event) = self.0.take() {
                return event;
            }
            // A notice that comes between the look and the wait is kept.
            self.0.arrived.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use starling_core::RoomId;

    fn queue(most_events: usize) -> (Arc<Queue>, Receiver) {
        let queue = Arc::new(Queue::new(most_events, Arc::default()));
        (queue.clone(), Receiver(queue))
    }

    fn room(name: &str) -> Topic {
        Topic::Room(RoomId::parse(name).unwrap())
    }

    fn message(name: &str) -> BusEvent {
        BusEvent::Delivered {
            topic: room(name),
            payload: Bytes::from_static(b"x"),
        }
    }

    #[tokio::test]
    async fn what_does_not_fit_becomes_a_gap_that_is_told_first() {
        let (queue, mut receiver) = queue(1);
        for name in ["a", "b", "c", "c"] {
            queue.deliver(room(name), Bytes::from_static(b"x"));
        }
        let Some(BusEvent::Gap(mut topics)) = receiver.recv().await else {
            panic!("a gap")
        };
        topics.sort();
        assert_eq!(topics, [room("b"), room("c")]);
        assert_eq!(receiver.recv().await, Some(message("a")));
        queue.deliver(room("b"), Bytes::from_static(b"x"));
        assert_eq!(receiver.recv().await, Some(message("b")));
        queue.close();
        assert_eq!(receiver.recv().await, None);
    }

    #[tokio::test]
    async fn large_payloads_are_bounded_by_their_bytes() {
        let (queue, mut receiver) = queue(1000);
        let payload = Bytes::from(vec![0; Queue::MOST_BYTES / 2]);
        for _ in 0..3 {
            queue.deliver(room("a"), payload.clone());
        }
        assert_eq!(receiver.recv().await, Some(BusEvent::Gap(vec![room("a")])));
        assert!(matches!(receiver.recv().await, Some(BusEvent::Delivered { .. })));
        queue.deliver(room("b"), payload);
        assert!(matches!(receiver.recv().await, Some(BusEvent::Delivered { .. })));
        let last = receiver.recv().await;
        assert!(matches!(last, Some(BusEvent::Delivered { topic, .. }) if topic == room("b")));
    }

    #[tokio::test]
    async fn too_many_topics_are_all_topics() {
        let (queue, mut receiver) = queue(1);
        queue.deliver(room("a"), Bytes::new());
        for n in 0..=Queue::MOST_TOPICS {
            queue.deliver(room(&n.to_string()), Bytes::new());
        }
        assert_eq!(receiver.recv().await, Some(BusEvent::Gap(Vec::new())));
        queue.gap([room("b")].into_iter());
        assert_eq!(receiver.recv().await, Some(BusEvent::Gap(vec![room("b")])));
        queue.gap(std::iter::empty());
        assert_eq!(receiver.recv().await, Some(BusEvent::Gap(Vec::new())));
    }

    #[tokio::test]
    async fn changes_of_the_link_are_never_dropped_and_stay_bounded() {
        let (queue, mut receiver) = queue(1);
        queue.deliver(room("a"), Bytes::from_static(b"x"));
        queue.link(BusEvent::Disconnected);
        queue.link(BusEvent::Reconnected);
        let mut heard = Vec::new();
        for _ in 0..3 {
            heard.extend(receiver.recv().await);
        }
        assert_eq!(
            heard,
            [message("a"), BusEvent::Disconnected, BusEvent::Reconnected]
        );
        for _ in 0..10 * Queue::MOST_CHANGES {
            queue.link(BusEvent::Disconnected);
            queue.link(BusEvent::Reconnected);
        }
        assert!(queue.inner.lock().events.len() <= Queue::MOST_CHANGES + 1);
        queue.close();
        assert_eq!(receiver.recv().await, Some(BusEvent::Gap(Vec::new())));
        let mut last = None;
        while let Some(event) = receiver.recv().await {
            assert_ne!(last, Some(event.clone()), "they take turns");
            last = Some(event);
        }
        assert_eq!(last, Some(BusEvent::Reconnected));
    }
}
