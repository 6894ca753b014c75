//! The bus: publish and subscribe, at most once, and never silent about a loss.
//!
//! | module | what it does |
//! |---|---|
//! | [`subscriber`] | the set of subscriptions, and the connection that has them |
//! | [`wire`] | the commands, and the barrier behind them |
//! | [`liveness`] | finds a connection that is open and dead |
//! | [`pump`] | hands on what comes in |
//! | [`queue`] | what waits for the receiver, bounded |
//!
//! A topic belongs to one server, and there to one connection for publishing: that keeps its order.

mod liveness;
mod pump;
mod queue;
mod subscriber;
mod wire;

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use fred::{
    clients::Client,
    error::Error,
    interfaces::{ClientLike, PubsubInterface},
    types::Value,
};
use futures_util::future::join_all;
use parking_lot::Mutex;
use starling_core::{
    NodeId,
    ports::{Bus, BusEvent, BusReceiver, Topic, Unavailable},
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    liveness::Probe,
    queue::{Queue, Receiver},
    subscriber::{Established, Slots, Subscriber},
    wire::Wire,
};
use super::{
    SERVICE,
    dial::Dialer,
    hash,
    keys::Names,
    link::{Link, LinkError},
    metrics::RedisMetrics,
    shards::{spread, tag_between},
};

/// Messages in one pipeline.
const PIPELINE: usize = 1000;

/// The topics that one connection is subscribed to, or will be. Locked for a look or a change only.
type TopicSet = Arc<Mutex<HashSet<Topic>>>;

/// The bus over Redis.
pub(super) struct RedisBus {
    shared: Arc<Shared>,
    /// One for each server.
    subscribers: Vec<Subscriber>,
    /// Links for publishing, for each server.
    pools: Vec<Arc<[Arc<Link>]>>,
    received: AtomicBool,
}

/// What the managers of all servers share.
struct Shared {
    names: Names,
    node: NodeId,
    /// Tells this process's probes from those of an earlier one.
    incarnation: u64,
    queue: Arc<Queue>,
    metrics: Arc<RedisMetrics>,
    /// How many connections for receiving are away.
    away: watch::Sender<usize>,
    /// Whether the receiver believes that the bus is there.
    told_up: Mutex<bool>,
}

impl Shared {
    #[cfg(test)]
    fn for_tests(most_queued: usize) -> Self {
        let metrics = Arc::new(RedisMetrics::default());
        Self {
            names: Names::new("test:"),
            node: NodeId::parse("node").expect("a node id"),
            incarnation: 1,
            queue: Arc::new(Queue::new(most_queued, metrics.clone())),
            metrics,
            away: watch::Sender::new(0),
            told_up: Mutex::new(true),
        }
    }

    /// A connection is there, with all its subscriptions.
    fn link_up(&self, topics: &TopicSet) {
        let mut told_up = self.told_up.lock();
        self.away.send_modify(|away| *away -= 1);
        self.metrics.subscriber_links_up.add(1);
        if *self.away.borrow() == 0 {
            if !std::mem::replace(&mut *told_up, true) {
                self.queue.link(BusEvent::Reconnected);
            }
        } else {
            // The bus as a whole is still away, and this part of it may have missed something.
            let topics: Vec<Topic> = topics.lock().iter().cloned().collect();
            if !topics.is_empty() {
                self.queue.gap(topics.into_iter());
            }
        }
    }

    /// A connection is there no more: it was lost, or the bus was closed.
    fn link_down(&self, lost: bool) {
        self.metrics.connections_lost.add(u64::from(lost));
        self.away.send_modify(|away| *away += 1);
        self.metrics.subscriber_links_up.sub(1);
        self.tell_if_away();
    }

    fn tell_if_away(&self) {
        let mut told_up = self.told_up.lock();
        if *self.away.borrow() > 0 && std::mem::replace(&mut *told_up, false) {
            self.queue.link(BusEvent::Disconnected);
        }
    }

    /// Subscribes to a channel of our own on each server behind a connection.
    async fn probe(&self, wire: &Wire) -> Result<Established, Error> {
        let slots = Slots::of(wire.client());
        let probe = |server, tag: &str| Probe {
            server,
            channel: self.names.probe(tag, &self.node, self.incarnation),
        };
        let probes: Vec<Probe> = if slots.is_cluster() {
            let ranges = slots.ranges().into_iter();
            ranges
                .map(|(server, (first, last))| probe(Some(server), &tag_between(first, last)))
                .collect()
        } else {
            vec![probe(None, "0")]
        };
        wire.subscribe_channels(probes.iter().map(|probe| probe.channel.clone()).collect())
            .await?;
        Ok(Established { slots, probes })
    }
}

/// What a bus is made of.
pub(super) struct Parts {
    pub(super) names: Names,
    pub(super) node: NodeId,
    pub(super) incarnation: u64,
    /// For the waits between attempts to connect.
    pub(super) seed: u64,
    pub(super) most_queued: usize,
    pub(super) metrics: Arc<RedisMetrics>,
    pub(super) pools: Vec<Arc<[Arc<Link>]>>,
}

impl RedisBus {
    /// Starts a manager for each of these servers. They end when the token is cancelled.
    pub(super) fn start(
        parts: Parts,
        dialers: Vec<Dialer>,
        tasks: &TaskTracker,
        closed: &CancellationToken,
    ) -> Self {
        let shared = Arc::new(Shared {
            queue: Arc::new(Queue::new(parts.most_queued, parts.metrics.clone())),
            names: parts.names,
            incarnation: parts.incarnation,
            metrics: parts.metrics,
            away: watch::Sender::new(dialers.len()),
            told_up: Mutex::new(true),
            node: parts.node,
        });
        let start = |(n, dialer)| {
            let (subscriber, manager) = Subscriber::new(dialer, shared.clone(), parts.seed ^ n);
            tasks.spawn(manager.run(closed.clone()));
            subscriber
        };
        Self {
            subscribers: (0..).zip(dialers).map(start).collect(),
            shared,
            pools: parts.pools,
            received: AtomicBool::new(false),
        }
    }

    /// Waits until every connection for receiving is there.
    pub(super) async fn ready(&self) {
        // The sender lives as long as this.
        let _ = self.shared.away.subscribe().wait_for(|away| *away == 0).await;
    }

    /// Tells the receiver that the bus is away, if it is.
    pub(super) fn tell_if_away(&self) {
        self.shared.tell_if_away();
    }

    /// How many connections for receiving are away.
    pub(super) fn away(&self) -> usize {
        *self.shared.away.borrow()
    }

    /// The receiver gets what is queued, and then the end.
    pub(super) fn close(&self) {
        self.shared.queue.close();
    }

    /// Which server a topic belongs to.
    fn server_of(&self, topic: &Topic) -> usize {
        hash::jump(hash::stable(id_of(topic).as_bytes()), self.pools.len())
    }

    async fn change(&self, topics: &[Topic], wanted: bool) -> Result<(), Unavailable> {
        let mut of_servers = vec![Vec::new(); self.subscribers.len()];
        for topic in topics {
            of_servers[self.server_of(topic)].push(topic.clone());
        }
        let changes = self
            .subscribers
            .iter()
            .zip(of_servers)
            .map(|(subscriber, topics)| async move {
                topics.is_empty() || subscriber.change(topics, wanted).await
            });
        if join_all(changes).await.into_iter().all(|done| done) {
            Ok(())
        } else {
            Err(Unavailable::new(SERVICE, "the bus is closed"))
        }
    }

    async fn publish_on(&self, link: &Link, messages: Vec<(String, Bytes)>) -> Result<(), LinkError> {
        for batch in messages.chunks(PIPELINE) {
            let bytes = batch
                .iter()
                .map(|(channel, payload)| channel.len() + payload.len() + 256)
                .sum();
            let result = link.call(bytes, |client| publish(client, batch)).await;
            let count = match &result {
                Ok(()) => &self.shared.metrics.published,
                Err(_) => &self.shared.metrics.publish_failures,
            };
            count.add(batch.len() as u64);
            result?;
        }
        Ok(())
    }
}

#[async_trait]
impl Bus for RedisBus {
    async fn publish(&self, messages: Vec<(Topic, Bytes)>) -> Result<(), Unavailable> {
        let mut of_links: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (topic, payload) in messages {
            let server = self.server_of(&topic);
            let link = spread(id_of(&topic), self.pools[server].len());
            let message = (self.shared.names.channel(&topic), payload);
            of_links.entry((server, link)).or_default().push(message);
        }
        let sent = of_links
            .into_iter()
            .map(|((server, link), messages)| self.publish_on(&self.pools[server][link], messages));
        join_all(sent).await.into_iter().collect::<Result<(), _>>()?;
        Ok(())
    }

    /// While Redis is away the topics are kept: they are subscribed before `Reconnected` is told. So this fails only
    /// after the bus was closed.
    async fn subscribe(&self, topics: &[Topic]) -> Result<(), Unavailable> {
        self.change(topics, true).await
    }

    async fn unsubscribe(&self, topics: &[Topic]) -> Result<(), Unavailable> {
        self.change(topics, false).await
    }

    fn take_receiver(&self) -> Option<Box<dyn BusReceiver>> {
        let first = !self.received.swap(true, Ordering::AcqRel);
        first.then(|| Box::new(Receiver(self.shared.queue.clone())) as Box<dyn BusReceiver>)
    }
}

/// In order: fred writes a pipeline as it stands.
async fn publish(client: Client, messages: &[(String, Bytes)]) -> Result<(), Error> {
    let sharded = client.is_clustered();
    if let [(channel, payload)] = messages {
        let (channel, payload) = (channel.as_str(), Value::Bytes(payload.clone()));
        return if sharded {
            client.spublish(channel, payload).await
        } else {
            client.publish(channel, payload).await
        };
    }
    let pipeline = client.pipeline();
    for (channel, payload) in messages {
        let (channel, payload) = (channel.as_str(), Value::Bytes(payload.clone()));
        if sharded {
            pipeline.spublish::<(), _, _>(channel, payload).await?;
        } else {
            pipeline.publish::<(), _, _>(channel, payload).await?;
        }
    }
    pipeline.all::<Value>().await.map(drop)
}

fn id_of(topic: &Topic) -> &str {
    match topic {
        Topic::Room(room) => room.as_str(),
        Topic::User(user) | Topic::Presence(user) => user.as_str(),
        Topic::Nodes => "",
    }
}
