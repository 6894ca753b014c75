//! The subscription manager: one task for each server (or cluster) that keeps one connection for receiving, and on it
//! every subscription of this node.
//!
//! It has its own set of topics and never asks fred for one. A change goes into the set first, then to the server in
//! chunks, then a `PING` on the same connection tells that the server has it. When the connection ends the whole set
//! is subscribed again on the next one before anybody is told that it is back. While there is no connection changes go
//! into the set alone: what they ask for holds from `Reconnected` on.

use std::{collections::HashMap, sync::Arc, time::Duration};

use fred::{
    clients::Client,
    error::Error,
    interfaces::{ClusterInterface, EventInterface},
    types::{cluster::ClusterRouting, config::Server},
};
use starling_core::ports::Topic;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    Shared, TopicSet,
    liveness::{Heard, Liveness, Probe},
    pump::Pump,
    wire::Wire,
};
use crate::redis::{
    backoff::Backoff,
    dial::{Connection, Dialer},
};

/// Changes that wait for the manager. Beyond it callers wait: each is done within a round trip, or at once while there
/// is no connection.
const WAITING: usize = 1024;
/// A connection that lived so long was a success.
const SUCCESS: Duration = Duration::from_secs(5);
/// How often the slots of a cluster are compared.
const COMPARE_SLOTS: Duration = Duration::from_secs(5);
/// How often some subscriptions in a cluster are made again without a reason, in case a slot went and came back
/// between two comparisons.
const REFRESH: Duration = Duration::from_secs(30);
/// How many at a time.
const REFRESH_TOPICS: usize = 1000;

/// A change of the set.
pub(super) struct Change {
    topics: Vec<Topic>,
    wanted: bool,
    done: oneshot::Sender<()>,
}

/// The handle of a manager.
pub(super) struct Subscriber {
    changes: mpsc::Sender<Change>,
}

impl Subscriber {
    /// A manager to be run, and its handle.
    pub(super) fn new(dialer: Dialer, shared: Arc<Shared>, seed: u64) -> (Self, Manager) {
        let (sender, changes) = mpsc::channel(WAITING);
        let manager = Manager {
            name: dialer.name(),
            dialer,
            shared,
            seed,
            topics: TopicSet::default(),
            changes,
            waiting: Vec::new(),
            to_refresh: Vec::new(),
        };
        (Self { changes: sender }, manager)
    }

    /// Wants these topics, or wants them no longer. `false` when the bus is closed.
    pub(super) async fn change(&self, topics: Vec<Topic>, wanted: bool) -> bool {
        let (done, is_done) = oneshot::channel();
        let change = Change { topics, wanted, done };
        self.changes.send(change).await.is_ok() && is_done.await.is_ok()
    }
}

/// Keeps one connection for receiving, and the subscriptions on it.
pub(super) struct Manager {
    name: String,
    dialer: Dialer,
    shared: Arc<Shared>,
    seed: u64,
    topics: TopicSet,
    changes: mpsc::Receiver<Change>,
    /// Whose changes are on their way to the server.
    waiting: Vec<oneshot::Sender<()>>,
    to_refresh: Vec<Topic>,
}

impl Manager {
    /// Until the token is cancelled, or the handle is gone.
    pub(super) async fn run(mut self, closed: CancellationToken) {
        let mut backoff = Backoff::new(self.seed);
        let mut away = None;
        loop {
            let dialer = self.dialer.clone();
            let Some(dialled) = self.meanwhile(dialer.dial(), &closed).await else {
                return;
            };
            let since = Instant::now();
            let reason = match dialled {
                Ok(connection) => match self.serve(connection, &mut away, &closed).await {
                    Some(reason) => reason,
                    None => return,
                },
                Err(error) => error,
            };
            if since.elapsed() >= SUCCESS {
                backoff.reset();
            }
            if away.is_none() {
                away = Some(Instant::now());
                tracing::warn!(redis = %self.name, error = %reason, "the bus is away; dialling again");
            }
            if self.meanwhile(sleep(backoff.next()), &closed).await.is_none() {
                return;
            }
        }
    }

    /// Waits for something while there is no connection. `None` when the bus was closed.
    async fn meanwhile<T>(&mut self, what: impl Future<Output = T>, closed: &CancellationToken) -> Option<T> {
        let mut what = std::pin::pin!(what);
        loop {
            tokio::select! {
                done = &mut what => return Some(done),
                change = self.changes.recv() => {
                    let change = change?;
                    self.plan(vec![change]);
                    self.tell_waiting();
                }
                () = closed.cancelled() => return None,
            }
        }
    }

    /// From a new connection to its end, and why it ended. `None` when the bus was closed.
    async fn serve(
        &mut self,
        connection: Connection,
        away: &mut Option<Instant>,
        closed: &CancellationToken,
    ) -> Option<Error> {
        let client = connection.client().clone();
        let messages = client.message_rx();
        let mut line = Line {
            wire: Wire::new(client, self.shared.names.clone()),
            heard: Arc::new(Heard::default()),
            connection,
        };
        let established = match self.establish(&line.wire).await {
            Ok(established) => established,
            Err(error) => return Some(error),
        };
        if let Some(since) = away.take() {
            let away_ms = since.elapsed().as_millis();
            tracing::info!(redis = %self.name, away_ms, topics = self.topics.lock().len(), "the bus is back");
        }
        self.shared.link_up(&self.topics);
        let pump = Pump::start(
            messages,
            self.shared.clone(),
            self.topics.clone(),
            line.heard.clone(),
        );
        let reason = self.attend(&mut line, established, closed).await;
        drop(line);
        // What came in is still handed on.
        pump.finish().await;
        self.shared.link_down(reason.is_some());
        self.tell_waiting();
        reason
    }

    /// Subscribes the whole set, and to probes of our own.
    async fn establish(&self, wire: &Wire) -> Result<Established, Error> {
        let established = self.shared.probe(wire).await?;
        let topics: Vec<Topic> = self.topics.lock().iter().cloned().collect();
        wire.subscribe(&topics).await?;
        Ok(established)
    }

    /// Carries out changes until the connection ends, or until it is found dead.
    async fn attend(
        &mut self,
        line: &mut Line,
        mut established: Established,
        closed: &CancellationToken,
    ) -> Option<Error> {
        let Line {
            connection,
            wire,
            heard,
        } = line;
        let wire = &*wire;
        let metrics = self.shared.metrics.clone();
        let mut compare = ticks(COMPARE_SLOTS);
        let mut refresh = ticks(REFRESH);
        loop {
            let Established { slots, probes } = established;
            let mut dead = std::pin::pin!(Liveness::new(wire, heard.clone(), probes).lost(&metrics));
            let before = loop {
                let step = tokio::select! {
                    reason = connection.ended() => Err(reason),
                    reason = &mut dead => Err(reason),
                    change = self.changes.recv() => match change {
                        Some(change) => self.carry_out(change, wire).await.map(|()| false),
                        None => return None,
                    },
                    _ = compare.tick(), if slots.is_cluster() => slots.have_moved(wire.client()).await,
                    _ = refresh.tick(), if slots.is_cluster() => self.refresh(wire).await.map(|()| false),
                    () = closed.cancelled() => return None,
                };
                match step {
                    Ok(false) => {}
                    Ok(true) => break slots,
                    Err(reason) => return Some(reason),
                }
            };
            established = match self.follow(&before, wire).await {
                Ok(established) => established,
                Err(reason) => return Some(reason),
            };
        }
    }

    /// Carries out a change together with all that wait behind it.
    async fn carry_out(&mut self, first: Change, wire: &Wire) -> Result<(), Error> {
        let mut changes = vec![first];
        while changes.len() < WAITING {
            match self.changes.try_recv() {
                Ok(change) => changes.push(change),
                Err(_) => break,
            }
        }
        let (added, removed) = self.plan(changes);
        // On an error the connection is given up: the set is made good on the next one.
        wire.subscribe(&added).await?;
        wire.unsubscribe(&removed).await?;
        self.tell_waiting();
        Ok(())
    }

    /// Takes changes into the set: what is new in it, and what is gone from it.
    fn plan(&mut self, changes: Vec<Change>) -> (Vec<Topic>, Vec<Topic>) {
        let mut wanted = HashMap::new();
        for change in changes {
            wanted.extend(change.topics.into_iter().map(|topic| (topic, change.wanted)));
            self.waiting.push(change.done);
        }
        let mut topics = self.topics.lock();
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for (topic, wanted) in wanted {
            if wanted && topics.insert(topic.clone()) {
                added.push(topic);
            } else if !wanted && topics.remove(&topic) {
                removed.push(topic);
            }
        }
        self.shared.metrics.topics.add(added.len() as u64);
        self.shared.metrics.topics.sub(removed.len() as u64);
        (added, removed)
    }

    fn tell_waiting(&mut self) {
        for done in self.waiting.drain(..) {
            // The caller may have given up.
            let _ = done.send(());
        }
    }

    /// The slots of the cluster have moved: the servers that gave some away have ended the subscriptions there, and
    /// fred says nothing of it. Subscribes again where another server is in charge now.
    async fn follow(&mut self, before: &Slots, wire: &Wire) -> Result<Established, Error> {
        let now = self.shared.probe(wire).await?;
        let topics: Vec<Topic> = self.topics.lock().iter().cloned().collect();
        let has_moved = |topic: &&Topic| {
            let slot = wire.slot(topic);
            before.owner(slot) != now.slots.owner(slot)
        };
        let moved: Vec<Topic> = topics.iter().filter(has_moved).cloned().collect();
        if !moved.is_empty() {
            wire.subscribe(&moved).await?;
            self.shared.metrics.moved.add(moved.len() as u64);
            tracing::info!(redis = %self.name, topics = moved.len(), "subscribed again where slots have moved");
            self.shared.queue.gap(moved.into_iter());
        }
        Ok(now)
    }

    /// Makes some subscriptions again, in turn.
    async fn refresh(&mut self, wire: &Wire) -> Result<(), Error> {
        if self.to_refresh.is_empty() {
            self.to_refresh = self.topics.lock().iter().cloned().collect();
        }
        let rest = self.to_refresh.len().saturating_sub(REFRESH_TOPICS);
        let mut some = self.to_refresh.split_off(rest);
        some.retain(|topic| self.topics.lock().contains(topic));
        wire.subscribe(&some).await
    }
}

/// A connection that is in use.
struct Line {
    connection: Connection,
    wire: Wire,
    heard: Arc<Heard>,
}

/// What a connection was set up with.
pub(super) struct Established {
    pub(super) slots: Slots,
    pub(super) probes: Vec<Probe>,
}

/// Which server has which slots; of no meaning outside a cluster.
pub(super) struct Slots(Option<ClusterRouting>);

impl Slots {
    pub(super) fn of(client: &Client) -> Self {
        Self(client.cached_cluster_state())
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.0.is_some()
    }

    fn owner(&self, slot: u16) -> Option<&Server> {
        self.0.as_ref()?.get_server(slot)
    }

    /// For each server one range that it has.
    pub(super) fn ranges(&self) -> HashMap<Server, (u16, u16)> {
        let ranges = self.0.iter().flat_map(|slots| slots.slots());
        ranges
            .map(|range| (range.primary.clone(), (range.start, range.end)))
            .collect()
    }

    /// Asks the cluster whether this is still so, and brings the client up to date where it is not.
    async fn have_moved(&self, client: &Client) -> Result<bool, Error> {
        client.sync_cluster().await?;
        Ok(self.differs_from(&Self::of(client)))
    }

    fn differs_from(&self, other: &Self) -> bool {
        let ranges = |slots: &Self| -> Vec<_> {
            let ranges = slots.0.iter().flat_map(|slots| slots.slots());
            ranges
                .map(|range| (range.start, range.end, range.primary.clone()))
                .collect()
        };
        ranges(self) != ranges(other)
    }
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is due at once.
    ticks.reset();
    ticks
}
