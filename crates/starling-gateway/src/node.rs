//! One gateway: what its parts share, and how they start and stop. Many nodes run in one process: nothing is static.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use opentelemetry::trace::SpanContext;
use opentelemetry_sdk::trace::Span;
use parking_lot::Mutex;
use starling_core::{
    Action, Authority, Backend, ClientId, Clock, Draft, EventId, Outcome, RoomId, Timestamp, UserId,
    ports::{NodeCard, Topic},
};
use starling_protocol::CloseCode;
use tokio::{
    sync::{Notify, Semaphore, mpsc, watch},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    auth::{AuthConfig, KeyError, Verifier},
    config::NodeConfig,
    conn::Conn,
    guests::Guests,
    hub::{self, Hub},
    lanes::{self, Lanes},
    metrics::Metrics,
    notice::Notice,
    presence::{self, Desk},
    pump,
    reserved::readers_of,
    telemetry::{self, TelemetryError, process, watch::Watch},
    traces::{self, MessageTrace},
    users::Users,
};

/// Bus messages that wait to be published. When it is full the bus is slower than the log, and what is dropped here is
/// found by the sweep of the other nodes.
const PUBLISH_QUEUE: usize = 8192;
/// Bus messages published in one call.
const PUBLISH_BURST: usize = 256;
/// Reads of the log that fill holes, at once on this node.
const FILLS_AT_ONCE: usize = 4;
/// Reads of the log for members that are behind, at once on this node.
const PAGES_AT_ONCE: usize = 16;

/// See the module.
pub struct Node {
    pub(crate) config: NodeConfig,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) backend: Backend,
    pub(crate) verifier: Verifier,
    /// Where guests are let in.
    pub(crate) guests: Option<Guests>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) hub: Hub,
    pub(crate) lanes: Lanes,
    pub(crate) users: Users,
    /// Connections without a token yet, so that a stop finds them. Bounded by the connections of the node.
    pub(crate) strangers: Mutex<HashMap<u64, Arc<Conn>>>,
    pub(crate) presence: Desk,
    pub(crate) watch: Watch,
    /// Names this node in bus messages.
    pub(crate) tag: u64,
    pub(crate) started: Instant,
    started_at: Timestamp,
    /// Ends every task of the node.
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    pub(crate) sweep_now: Notify,
    /// Whether the first look of the sweep has succeeded; `None` before its first answer.
    pub(crate) watching: watch::Sender<Option<bool>>,
    /// An administrator wants the node to drain: for whoever runs it.
    pub(crate) drain_wanted: CancellationToken,
    bus_up: AtomicBool,
    /// It let somebody wait for a subscription, and has confirmed none since: a link that hangs, most likely.
    bus_late: AtomicBool,
    draining: AtomicBool,
    /// Later than that: the balancer has had its time to notice.
    refusing: AtomicBool,
    publisher: mpsc::Sender<Outgoing>,
    next_key: AtomicU64,
    pub(crate) fills: Semaphore,
    pub(crate) pages: Semaphore,
    /// Users whose topic is to be followed or not any more.
    user_topics: Mutex<HashSet<UserId>>,
    user_topics_changed: Notify,
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The key for tokens.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The port.
    #[error("cannot listen on {addr}")]
    Listen {
        /// Where.
        addr: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The backend's bus has a pump already: one node for each.
    #[error("this backend serves another node already")]
    BusTaken,
    /// Metrics.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
}

impl Node {
    /// Starts the parts of a node, all but its listener.
    pub(crate) fn start(
        config: NodeConfig,
        backend: Backend,
        auth: &AuthConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, StartError> {
        let verifier = Verifier::new(auth)?;
        let guests = config.guests.and_then(|settings| Guests::new(auth, settings));
        let receiver = backend.bus.take_receiver().ok_or(StartError::BusTaken)?;
        let (hub, shards) = Hub::new(config.fanout_tasks);
        let (lanes, lane_inboxes) = Lanes::new(config.lanes);
        let (publisher, to_publish) = mpsc::channel(PUBLISH_QUEUE);
        let node = Arc::new(Self {
            config,
            started_at: clock.now(),
            clock,
            backend,
            verifier,
            guests,
            metrics: Arc::default(),
            hub,
            lanes,
            users: Users::new(),
            strangers: Mutex::default(),
            presence: Desk::new(),
            watch: Watch::default(),
            tag: rand::random(),
            started: Instant::now(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            sweep_now: Notify::new(),
            watching: watch::Sender::new(None),
            drain_wanted: CancellationToken::new(),
            bus_up: AtomicBool::new(true),
            bus_late: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            refusing: AtomicBool::new(false),
            publisher,
            next_key: AtomicU64::new(1),
            fills: Semaphore::new(FILLS_AT_ONCE),
            pages: Semaphore::new(PAGES_AT_ONCE),
            user_topics: Mutex::default(),
            user_topics_changed: Notify::new(),
        });
        for inbox in shards {
            node.watched("shard", hub::run_shard(node.clone(), inbox));
        }
        for inbox in lane_inboxes {
            node.watched("lane", lanes::run_lane(node.clone(), inbox));
        }
        node.watched("pump", pump::run_pump(node.clone(), receiver));
        node.watched("sweep", pump::run_sweep(node.clone()));
        node.watched("publisher", run_publisher(node.clone(), to_publish));
        node.watched("user topics", run_user_topics(node.clone()));
        node.watched("presence", presence::run_desk(node.clone()));
        node.watched("presence news", presence::run_news(node.clone()));
        node.watched("lease", presence::run_lease(node.clone()));
        node.watched("reaper", presence::run_reaper(node.clone()));
        node.watched("report", presence::run_report(node.clone()));
        node.watched("runtime watch", telemetry::watch::run_runtime_watch(node.clone()));
        node.watched("service watch", telemetry::watch::run_service_watch(node.clone()));
        if let Some(after) = node.config.rooms.expire_empty_after {
            node.watched("janitor", run_janitor(node.clone(), after));
        }
        Ok(node)
    }

    /// Runs a part of the node. When one ends by accident the node cannot go on: it stops, and whoever runs the process
    /// starts it anew.
    fn watched(self: &Arc<Self>, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        let running = tokio::spawn(part);
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let ended = running.await;
            if !stop.is_cancelled() {
                tracing::error!(part = name, error = ?ended.err(), "a part of the node has ended; stopping the node");
                stop.cancel();
            }
        });
    }

    /// A number for a new connection.
    pub(crate) fn next_key(&self) -> u64 {
        self.next_key.fetch_add(1, Relaxed)
    }

    /// What the node counts.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The settings that it runs with.
    #[must_use]
    pub fn config(&self) -> &NodeConfig {
        &self.config
    }

    /// What the node says of itself to operators.
    pub(crate) fn card(&self) -> NodeCard {
        let address = match &self.config.advertise {
            Some(address) => address.clone(),
            None => self.config.listen.to_string(),
        };
        NodeCard {
            node_id: self.config.node_id.clone(),
            address,
            version: env!("CARGO_PKG_VERSION").into(),
            started_at: self.started_at,
            reported_at: self.clock.now(),
            connections: self.metrics.connections.get(),
            users: self.metrics.users.get(),
            rooms: self.metrics.rooms.get(),
            messages_in: self.metrics.messages_in.get(),
            messages_out: self.metrics.deliveries.get(),
            latency_ms: self.metrics.send_to_ack.summary(),
            memory_bytes: process::resident_bytes(),
            draining: self.is_draining(),
        }
    }

    /// Begins the trace of a message that was accepted at this time, where it is one to be traced.
    pub(crate) fn trace(
        &self,
        room: &RoomId,
        accepted: Instant,
        caller: Option<&SpanContext>,
    ) -> Option<Box<MessageTrace>> {
        self.config.traces.as_ref()?.begin(room, accepted, caller)
    }

    // ---- the bus ----------------------------------------------------------------------------------------------

    pub(crate) fn is_bus_up(&self) -> bool {
        self.bus_up.load(Relaxed)
    }

    pub(crate) fn set_bus_up(&self, up: bool) {
        self.bus_up.store(up, Relaxed);
    }

    /// Whether what is published elsewhere is heard here, as far as is known.
    pub(crate) fn is_heard(&self) -> bool {
        self.is_bus_up() && !self.bus_late.load(Relaxed)
    }

    /// Gives a message to the publisher. It may be lost: then the other nodes find it in the log.
    pub(crate) fn publish(&self, topics: Vec<Topic>, notice: &Notice) {
        self.publish_traced(topics, notice, Vec::new());
    }

    /// The same; the spans end when the bus took it, or when it is lost.
    pub(crate) fn publish_traced(&self, topics: Vec<Topic>, notice: &Notice, mut spans: Vec<Span>) {
        if self.backend.bus.is_alone() {
            return;
        }
        match notice.encode(self.tag) {
            Ok(payload) => {
                for topic in topics {
                    let outgoing = Outgoing {
                        message: (topic, payload.clone()),
                        spans: std::mem::take(&mut spans),
                    };
                    if let Err(lost) = self.publisher.try_send(outgoing) {
                        self.metrics.publish_failed.inc();
                        traces::not_published(lost.into_inner().spans);
                    }
                }
            }
            Err(error) => tracing::error!(%error, "cannot encode a bus message"),
        }
    }

    /// Publishes to who follows a room.
    pub(crate) fn publish_to_room(&self, room: &RoomId, notice: &Notice) {
        self.publish(
            readers_of(room).unwrap_or_else(|| vec![Topic::Room(room.clone())]),
            notice,
        );
    }

    /// Subscribes to the topics of ordinary rooms; whether the bus confirmed it.
    pub(crate) async fn subscribe_rooms(&self, rooms: &[RoomId]) -> bool {
        let ordinary = rooms.iter().filter(|room| !room.is_reserved());
        let topics: Vec<_> = ordinary.map(|room| Topic::Room(room.clone())).collect();
        if topics.is_empty() {
            return true;
        }
        match self.backend.bus.subscribe(&topics).await {
            Ok(()) => {
                self.bus_late.store(false, Relaxed);
                true
            }
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "cannot subscribe; the sweep goes on alone"
                );
                false
            }
        }
    }

    /// The same for somebody who waits no longer than that: then the log is followed as if the bus were away.
    pub(crate) async fn subscribe_rooms_within(&self, patience: Duration, rooms: &[RoomId]) -> bool {
        let subscribed = tokio::time::timeout(patience, self.subscribe_rooms(rooms)).await;
        subscribed.unwrap_or_else(|_| {
            if !self.bus_late.swap(true, Relaxed) {
                tracing::warn!("the bus does not confirm a subscription; following the log until it does");
                self.sweep_now.notify_one();
            }
            false
        })
    }

    /// Ends the subscription of an ordinary room.
    pub(crate) async fn unsubscribe_room(&self, room: &RoomId) {
        if let Err(error) = self.backend.bus.unsubscribe(&[Topic::Room(room.clone())]).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "cannot unsubscribe");
        }
    }

    /// The first session of a user is here: hear what concerns them.
    pub(crate) fn follow_user(&self, user: UserId) {
        self.user_topics.lock().insert(user);
        self.user_topics_changed.notify_one();
    }

    /// The last session of a user is gone.
    pub(crate) fn unfollow_user(&self, user: UserId) {
        self.follow_user(user);
    }

    // ---- state ------------------------------------------------------------------------------------------------

    /// Whether the sweep watches the log. Who reads how far a room has come waits for it: what is appended behind that, and
    /// lost by the bus before the sweep began, would be found by nobody.
    pub(crate) async fn is_watching(&self) -> bool {
        let mut watching = self.watching.subscribe();
        tokio::select! {
            is = watching.wait_for(Option::is_some) => is.is_ok_and(|is| *is == Some(true)),
            () = self.stop.cancelled() => false,
        }
    }

    /// Whether the node sends its clients away.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Asks every connection to close.
    pub(crate) fn close_all(&self, code: CloseCode) {
        for session in self.users.all() {
            session.conn.close(code);
        }
        for stranger in self.strangers.lock().values() {
            stranger.close(code);
        }
    }

    /// Whether new handshakes are refused.
    pub(crate) fn is_refusing(&self) -> bool {
        self.refusing.load(Relaxed)
    }

    pub(crate) fn set_refusing(&self) {
        self.refusing.store(true, Relaxed);
    }

    pub(crate) fn set_draining(&self) -> bool {
        !self.draining.swap(true, Relaxed)
    }
}

/// A bus message on its way to the publisher.
struct Outgoing {
    message: (Topic, Bytes),
    spans: Vec<Span>,
}

async fn run_publisher(node: Arc<Node>, mut queue: mpsc::Receiver<Outgoing>) {
    let mut burst = Vec::with_capacity(PUBLISH_BURST);
    loop {
        tokio::select! {
            taken = queue.recv_many(&mut burst, PUBLISH_BURST) => if taken == 0 { return },
            () = node.stop.cancelled() => return,
        }
        let count = burst.len() as u64;
        let split = burst.drain(..).map(|outgoing| (outgoing.message, outgoing.spans));
        let (messages, spans): (Vec<_>, Vec<_>) = split.unzip();
        match node.backend.bus.publish(messages).await {
            Ok(()) => node.metrics.published.add(count),
            Err(error) => {
                node.metrics.publish_failed.add(count);
                traces::not_published(spans.into_iter().flatten());
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "cannot publish; the log has it"
                );
            }
        }
    }
}

/// Keeps the subscriptions of user topics in step with the users who are here.
async fn run_user_topics(node: Arc<Node>) {
    if let Err(error) = node.backend.bus.subscribe(&[Topic::Nodes]).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "cannot subscribe to what concerns every node"
        );
    }
    loop {
        tokio::select! {
            () = node.user_topics_changed.notified() => {}
            () = node.stop.cancelled() => return,
        }
        let changed = std::mem::take(&mut *node.user_topics.lock());
        let (here, gone): (Vec<_>, Vec<_>) = changed
            .into_iter()
            .partition(|user| node.users.any_session(user, |_| true));
        let topics = |users: &[UserId]| {
            users
                .iter()
                .map(|user| Topic::User(user.clone()))
                .collect::<Vec<_>>()
        };
        let bus = &node.backend.bus;
        let done = bus
            .subscribe(&topics(&here))
            .await
            .and(bus.unsubscribe(&topics(&gone)).await);
        if let Err(error) = done {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "cannot follow users; trying again"
            );
            node.user_topics.lock().extend(here.into_iter().chain(gone));
            tokio::time::sleep(Duration::from_millis(500)).await;
            node.user_topics_changed.notify_one();
        }
    }
}

/// Closes rooms that nobody has been a member of for a while.
async fn run_janitor(node: Arc<Node>, after: Duration) {
    let Ok(service) = UserId::parse("starling") else {
        return;
    };
    let every = (after / 4).clamp(Duration::from_secs(1), Duration::from_secs(60));
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = node.stop.cancelled() => return,
        }
        let now = node.clock.now();
        let before = starling_core::Timestamp::from_millis(
            now.as_millis()
                .saturating_sub(i64::try_from(after.as_millis()).unwrap_or(i64::MAX)),
        );
        let empty = match node.backend.rooms.empty_rooms(before, 100).await {
            Ok(rooms) => rooms,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot look for empty rooms"
                );
                continue;
            }
        };
        for room in empty {
            let event_id = EventId::new(now, rand::random());
            let draft = Draft {
                room: room.clone(),
                sender: service.clone(),
                sender_name: None,
                authority: Authority::Admin,
                client_id: ClientId::of_event(event_id),
                event_id,
                at: now,
                action: Action::DeleteRoom,
            };
            match node.lanes.append(draft).await {
                Ok(Outcome::Committed(_)) => tracing::info!(room.id = %room, "an empty room was closed"),
                Ok(_) => {}
                Err(refusal) => tracing::warn!(room.id = %room, %refusal, "cannot close an empty room"),
            }
        }
    }
}
