//! The doorbell between the nodes of this process.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use starling_core::ports::{Bus, BusEvent, BusReceiver, Topic, Unavailable};
use tokio::sync::Notify;

/// Messages that wait in a node's mailbox. A pump hands on a million a second, so this is some tens of milliseconds of
/// a busy node. When it is full, further messages are lost and a [`BusEvent::Gap`] stands in their place.
const MESSAGES_WAITING: usize = 65_536;
/// Bytes that wait in a node's mailbox, for the case that the messages are large.
const BYTES_WAITING: usize = 64 << 20;
/// Publishers and subscribers of different topics seldom meet at one of so many locks.
const SHARDS: usize = 32;

/// Who listens to what: the part that all nodes share.
pub(crate) struct Exchange {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
    /// Nodes that are open.
    nodes: AtomicUsize,
}

/// Topics, and the mailboxes of the nodes that listen to each.
type Shard = HashMap<Topic, Vec<Arc<Mailbox>>>;

impl Exchange {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
            nodes: AtomicUsize::new(0),
        })
    }

    /// A further node.
    pub(crate) fn node(self: &Arc<Self>) -> EmbeddedBus {
        let mailbox = Arc::<Mailbox>::default();
        self.nodes.fetch_add(1, SeqCst);
        EmbeddedBus {
            exchange: self.clone(),
            receiver: Mutex::new(Some(Receiver(mailbox.clone()))),
            mailbox,
        }
    }

    fn shard(&self, topic: &Topic) -> &Mutex<Shard> {
        // Below 32, so that the cast keeps its value.
        &self.shards[(self.hasher.hash_one(topic) % SHARDS as u64) as usize]
    }

    fn subscribe(&self, topic: &Topic, mailbox: &Arc<Mailbox>) {
        let mut shard = self.shard(topic).lock();
        let listeners = shard.entry(topic.clone()).or_default();
        if !listeners.iter().any(|other| Arc::ptr_eq(other, mailbox)) {
            listeners.push(mailbox.clone());
        }
    }

    fn unsubscribe(&self, topic: &Topic, mailbox: &Arc<Mailbox>) {
        let mut shard = self.shard(topic).lock();
        if let Some(listeners) = shard.get_mut(topic) {
            listeners.retain(|other| !Arc::ptr_eq(other, mailbox));
            if listeners.is_empty() {
                shard.remove(topic);
            }
        }
    }

    fn publish(&self, topic: &Topic, payload: &Bytes) {
        if let Some(listeners) = self.shard(topic).lock().get(topic) {
            for mailbox in listeners {
                mailbox.put(topic, payload);
            }
        }
    }

    /// Ends all subscriptions of a node.
    fn forget(&self, mailbox: &Arc<Mailbox>) {
        for shard in &self.shards {
            shard.lock().retain(|_, listeners| {
                listeners.retain(|other| !Arc::ptr_eq(other, mailbox));
                !listeners.is_empty()
            });
        }
    }
}

/// What waits for a node.
#[derive(Default)]
struct Mailbox {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<BusEvent>,
    bytes: usize,
    is_closed: bool,
}

impl Mailbox {
    fn put(&self, topic: &Topic, payload: &Bytes) {
        let mut waiting = self.waiting.lock();
        if waiting.is_closed {
            return;
        }
        if waiting.events.len() < MESSAGES_WAITING && waiting.bytes < BYTES_WAITING {
            waiting.bytes += payload.len();
            waiting.events.push_back(BusEvent::Delivered {
                topic: topic.clone(),
                payload: payload.clone(),
            });
        } else if !matches!(waiting.events.back(), Some(BusEvent::Gap(_))) {
            // One stands for all that are lost until there is room again, so the queue grows by one at most.
            waiting.events.push_back(BusEvent::Gap(Vec::new()));
        }
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Whether it was open.
    fn close(&self) -> bool {
        let was_closed = std::mem::replace(&mut self.waiting.lock().is_closed, true);
        self.arrived.notify_one();
        !was_closed
    }

    /// What comes next; the outer `None` when nothing waits, the inner when nothing will.
    fn take(&self) -> Option<Option<BusEvent>> {
        let mut waiting = self.waiting.lock();
        match waiting.events.pop_front() {
            Some(event) => {
                if let BusEvent::Delivered { payload, .. } = &event {
                    waiting.bytes -= payload.len();
                }
                Some(Some(event))
            }
            None => waiting.is_closed.then_some(None),
        }
    }
}

/// A node's end of the bus. A message is in the mailboxes when `publish` returns; nothing is ever repeated.
pub struct EmbeddedBus {
    exchange: Arc<Exchange>,
    mailbox: Arc<Mailbox>,
    receiver: Mutex<Option<Receiver>>,
}

impl EmbeddedBus {
    /// Ends the node's subscriptions and, once it has taken what waits, its receiver.
    pub(crate) fn close(&self) {
        self.exchange.forget(&self.mailbox);
        if self.mailbox.close() {
            self.exchange.nodes.fetch_sub(1, SeqCst);
        }
    }
}

impl Drop for EmbeddedBus {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait]
impl Bus for EmbeddedBus {
    async fn publish(&self, messages: Vec<(Topic, Bytes)>) -> Result<(), Unavailable> {
        for (topic, payload) in &messages {
            self.exchange.publish(topic, payload);
        }
        Ok(())
    }

    async fn subscribe(&self, topics: &[Topic]) -> Result<(), Unavailable> {
        for topic in topics {
            self.exchange.subscribe(topic, &self.mailbox);
        }
        Ok(())
    }

    async fn unsubscribe(&self, topics: &[Topic]) -> Result<(), Unavailable> {
        for topic in topics {
            self.exchange.unsubscribe(topic, &self.mailbox);
        }
        Ok(())
    }

    fn take_receiver(&self) -> Option<Box<dyn BusReceiver>> {
        let receiver = self.receiver.lock().take()?;
        Some(Box::new(receiver))
    }

    fn is_alone(&self) -> bool {
        self.exchange.nodes.load(SeqCst) <= 1
    }
}

struct Receiver(Arc<Mailbox>);

#[async_trait]
impl BusReceiver for Receiver {
    async fn recv(&mut self) -> Option<BusEvent> {
        loop {
            if let Some(next) = self.0.take() {
                return next;
            }
            self.0.arrived.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic() -> Topic {
        Topic::Room("r".parse().unwrap())
    }

    async fn publish(bus: &EmbeddedBus, payload: Bytes) {
        bus.publish(vec![(topic(), payload)]).await.unwrap();
    }

    /// What waits: how many messages before the first gap, how many gaps, how many messages in all.
    async fn drain(receiver: &mut dyn BusReceiver, mailbox: &Mailbox) -> (usize, usize, usize) {
        let (mut before, mut gaps, mut messages) = (0, 0, 0);
        while !mailbox.waiting.lock().events.is_empty() {
            match receiver.recv().await.unwrap() {
                BusEvent::Gap(_) => gaps += 1,
                _ => messages += 1,
            }
            if gaps == 0 {
                before = messages;
            }
        }
        (before, gaps, messages)
    }

    #[test]
    fn a_node_is_alone_while_no_other_is_open() {
        let exchange = Exchange::new();
        let (one, two) = (exchange.node(), exchange.node());
        assert!(!one.is_alone() && !two.is_alone());
        // Closed, and closed again by being dropped.
        two.close();
        drop(two);
        assert!(one.is_alone());
        let three = exchange.node();
        assert!(!one.is_alone() && !three.is_alone());
    }

    #[tokio::test]
    async fn a_full_mailbox_holds_one_gap_for_what_it_lost() {
        let bus = Exchange::new().node();
        let mut receiver = bus.take_receiver().unwrap();
        bus.subscribe(&[topic()]).await.unwrap();
        for _ in 0..MESSAGES_WAITING + 10 {
            publish(&bus, Bytes::from_static(b"x")).await;
        }
        assert_eq!(
            drain(&mut *receiver, &bus.mailbox).await,
            (MESSAGES_WAITING, 1, MESSAGES_WAITING)
        );
        let large = Bytes::from(vec![0; BYTES_WAITING / 4]);
        for _ in 0..10 {
            publish(&bus, large.clone()).await;
        }
        // Room again, and full again: the gap stands where the loss was.
        receiver.recv().await.unwrap();
        publish(&bus, large.clone()).await;
        publish(&bus, large).await;
        assert_eq!(drain(&mut *receiver, &bus.mailbox).await, (3, 2, 4));
        assert_eq!(bus.mailbox.waiting.lock().bytes, 0);
    }

    #[tokio::test]
    async fn a_closed_node_takes_what_waits_and_leaves_nothing_behind() {
        let exchange = Exchange::new();
        let bus = exchange.node();
        let mut receiver = bus.take_receiver().unwrap();
        bus.subscribe(&[topic()]).await.unwrap();
        publish(&bus, Bytes::from_static(b"last")).await;
        drop(bus);
        assert!(exchange.shards.iter().all(|shard| shard.lock().is_empty()));
        assert!(matches!(receiver.recv().await, Some(BusEvent::Delivered { .. })));
        assert_eq!(receiver.recv().await, None);
    }
}
