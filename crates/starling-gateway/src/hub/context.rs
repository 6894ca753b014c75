//! What the rooms of a shard share, and what they may ask for.

use std::{sync::Arc, time::Duration};

use starling_core::RoomId;
use tokio::{net::TcpStream, time::Instant};

use super::Attach;
use crate::{
    config::{NodeConfig, RingLimits},
    conn::outbox::Bounds,
    metrics::Metrics,
    traces::Traces,
};

/// Settings, counters, the time, and what was asked for.
pub(crate) struct Context<K = TcpStream> {
    pub(super) settings: Settings,
    pub(super) metrics: Arc<Metrics>,
    /// The moment of what the shard is told.
    pub(super) now: Instant,
    /// What is to be carried out, in order. Bounded: it is taken after every burst of the inbox.
    pub(super) asks: Vec<Ask<K>>,
}

/// Of a node's configuration, what its rooms go by.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) hold: Duration,
    pub(crate) linger: Duration,
    pub(crate) typing_ttl: Duration,
    pub(crate) replay_events_per_room: u64,
    pub(crate) rings: RingLimits,
    pub(crate) outbox: Bounds,
    pub(crate) bounds: RoomBounds,
    pub(crate) traces: Option<Traces>,
}

/// How much is kept or read at once. What does not fit is in the log, and is read from there in time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoomBounds {
    /// Events of a room that wait behind a hole.
    pub(crate) waiting: usize,
    /// Events that wait while a room opens.
    pub(crate) early: usize,
    /// Events read at once for a hole.
    pub(crate) fill: usize,
    /// Events read at once for members that are behind.
    pub(crate) page: usize,
}

impl Default for RoomBounds {
    fn default() -> Self {
        Self {
            waiting: 1024,
            early: 256,
            fill: 500,
            page: 200,
        }
    }
}

impl Settings {
    pub(super) fn of(config: &NodeConfig) -> Self {
        Self {
            hold: config.hold,
            linger: config.rooms.linger,
            typing_ttl: config.typing_ttl,
            replay_events_per_room: config.limits.replay_events_per_room,
            rings: config.rings,
            outbox: Bounds::of(&config.limits),
            bounds: RoomBounds::default(),
            traces: config.traces.clone(),
        }
    }
}

/// Something to be done outside of the shard; the answer comes to its inbox.
pub(crate) enum Ask<K = TcpStream> {
    /// Subscribe to new rooms, where that is to be, then read where their logs stand:
    /// [`Opened`](super::ToShard::Opened). In this order, so that nothing falls between.
    Open { rooms: Vec<RoomId>, subscribe: bool },
    /// The same for open rooms without a subscription: [`Resubscribed`](super::ToShard::Resubscribed).
    Resubscribe(Vec<RoomId>),
    /// End a subscription: [`Unsubscribed`](super::ToShard::Unsubscribed).
    Unsubscribe(RoomId),
    /// Read how far a room has come, for a session that is ahead of this node: [`Looked`](super::ToShard::Looked).
    Head(Attach<K>),
    /// Read what closes a hole: [`Filled`](super::ToShard::Filled).
    Fill { room: RoomId, after: u64, limit: usize },
    /// Read for members that are behind: [`Page`](super::ToShard::Page).
    Page { room: RoomId, after: u64, limit: usize },
    /// Say how many users follow these rooms here; nobody waits for an answer.
    SayCounts(Vec<(RoomId, u32)>),
}
