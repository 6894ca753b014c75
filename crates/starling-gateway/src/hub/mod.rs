//! The rooms of one node. A room belongs to one shard; a shard is one task, so a room's state needs no lock, and its
//! events go out in one order.
//!
//! What a shard decides is a pure state machine: it is told something at a moment, writes to the sockets of members, and
//! says what it wants done ([`Ask`](context::Ask)). The task around it only carries that out.
//!
//! | module | what it holds |
//! |---|---|
//! | [`task`] | the task: its inbox, its clock, carrying out what the shard asks for |
//! | [`shard`] | members and events of the shard's rooms |
//! | [`opening`] | opening and closing rooms, and their subscriptions |
//! | [`context`] | what the rooms share: settings, time, what they ask for |
//! | [`timers`] | what to look at later |
//! | [`room`] | one room: sequencer, ring, members, typing |
//! | [`fanout`] | handing what is pending to the members |
//! | [`catchup`] | members that are behind: resume, slow sockets |
//! | [`sequencer`] | dense order out of whatever arrives, as a pure state machine |
//! | [`ring`] | recent events |
//! | [`shared`] | frames encoded once for all sockets |

mod catchup;
mod context;
mod fanout;
#[cfg(test)]
mod inspect;
mod opening;
mod ring;
mod room;
mod sequencer;
mod shard;
mod shared;
mod task;
mod timers;

use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::Arc,
};

use starling_core::{Cursor, Refusal, RoomEvent, RoomId, UserId, ports::Head, ports::Unavailable};
use starling_protocol::event::Gap;
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
};

#[cfg(test)]
pub(crate) use self::{
    context::{Ask, RoomBounds, Settings},
    fanout::Moment,
    shard::Shard,
};
pub(crate) use self::{
    shared::{SharedEvent, SharedFrame},
    task::run_shard,
};
use crate::session::Session;

/// Messages that wait for a shard. A shard never waits for a session or a lane, so a full inbox only slows those who
/// fill it: a lane (and with it the senders), or the pump (and the bus then reports a gap, which the log fills).
const INBOX: usize = 4096;

/// The doors to the shards.
pub(crate) struct Hub {
    shards: Vec<mpsc::Sender<ToShard>>,
}

/// What a shard is told.
pub(crate) enum ToShard<K = TcpStream> {
    /// A session wants to follow a room.
    Attach(Attach<K>),
    /// Its reply is written: deliver. Comes after every answer to an [`Attach`] but for those that are detached instead.
    Activate { room: RoomId, key: u64 },
    /// A session follows no more, unless this event is on its way to the members: it ends that by itself, behind itself.
    Detach { room: RoomId, key: u64, by: Option<u64> },
    /// Committed events, from this node's lanes or from the bus.
    Events(Vec<Arc<SharedEvent>>),
    /// Rooms that have reached these seqs.
    Known(Vec<(RoomId, u64)>),
    /// Ephemeral events.
    Ephemeral(Vec<(RoomId, SharedFrame)>),
    /// Somebody types, or stops.
    Typing {
        room: RoomId,
        user: UserId,
        is_typing: bool,
        skip: Option<u64>,
    },
    /// A slow socket has drained.
    Resume { room: RoomId, key: u64 },
    /// Rooms may have lost what they said of themselves elsewhere: say the counts again.
    Recount,
    /// From the shard's own background reads.
    Looked {
        attach: Attach<K>,
        heads: Result<Vec<Head>, Unavailable>,
    },
    /// The same.
    Opened {
        rooms: Vec<RoomId>,
        heads: Result<Vec<Head>, Unavailable>,
        subscribed: bool,
    },
    /// The same.
    Resubscribed {
        rooms: Vec<RoomId>,
        heads: Result<Vec<Head>, Unavailable>,
        subscribed: bool,
    },
    /// The bus has ended the subscription of a closed room, or was not there to do it.
    Unsubscribed(RoomId),
    /// From the shard's own background reads.
    Filled {
        room: RoomId,
        events: Result<Vec<RoomEvent>, Unavailable>,
    },
    /// The same.
    Page {
        room: RoomId,
        after: u64,
        events: Result<Vec<RoomEvent>, Unavailable>,
    },
}

/// A session wants to follow a room.
pub(crate) struct Attach<K = TcpStream> {
    pub(crate) room: RoomId,
    pub(crate) session: Arc<Session<K>>,
    pub(crate) from: From,
    /// Its user reads the room as of this seq: what an earlier event says of them is over.
    pub(crate) since: u64,
    /// Who waits for the answer; `None` for the service's own attaches, which are active at once.
    pub(crate) reply: Option<oneshot::Sender<Result<Attached, Refusal>>>,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// At the present.
    Head,
    /// Where the client stands.
    Cursor(Cursor),
    /// Behind this seq, which is not the client's to prove.
    After(u64),
}

impl From {
    /// The last event that the session has seen, by its own account.
    fn seq(self) -> u64 {
        match self {
            Self::Cursor(cursor) => cursor.seq,
            Self::Head | Self::After(_) => 0,
        }
    }
}

/// The answer to an [`Attach`].
#[derive(Debug, Clone)]
pub(crate) struct Attached {
    pub(crate) head: Cursor,
    pub(crate) limited: bool,
    /// What the client must be told after the reply.
    pub(crate) gap: Option<Gap>,
    /// Distinct users who follow the room on this node.
    pub(crate) local_users: u32,
    /// What this node has last said of it to the others.
    pub(crate) reported_users: u32,
}

impl Attached {
    /// Whether nothing was handed out behind this seq before the session was there to hear it.
    pub(crate) fn is_covered_by(&self, since: u64) -> bool {
        self.head.seq <= since
    }
}

impl Hub {
    /// The doors, and what belongs behind them.
    pub(crate) fn new(shards: usize) -> (Self, Vec<mpsc::Receiver<ToShard>>) {
        let (doors, inboxes) = (0..shards.max(1)).map(|_| mpsc::channel(INBOX)).unzip();
        (Self { shards: doors }, inboxes)
    }

    /// The number of the shard that a room belongs to.
    pub(crate) fn shard_of(&self, room: &RoomId) -> usize {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(room.as_str());
        usize::try_from(hash % self.shards.len() as u64).unwrap_or(0)
    }

    pub(crate) fn door(&self, room: &RoomId) -> &mpsc::Sender<ToShard> {
        &self.shards[self.shard_of(room)]
    }

    /// Tells the shard of a room; waits while its inbox is full. Fails only while the node stops.
    pub(crate) async fn tell(&self, room: &RoomId, message: ToShard) {
        drop(self.door(room).send(message).await);
    }

    /// Hands committed events to their shards, in order.
    pub(crate) async fn events(&self, events: impl IntoIterator<Item = Arc<SharedEvent>>) {
        self.sort(events, |event| &event.event.room, ToShard::Events)
            .await;
    }

    /// Hands ephemeral events to their shards, in order.
    pub(crate) async fn ephemeral(&self, frames: Vec<(RoomId, SharedFrame)>) {
        self.sort(frames, |(room, _)| room, ToShard::Ephemeral).await;
    }

    /// Tells the shards how far rooms have come.
    pub(crate) async fn known(&self, rooms: Vec<(RoomId, u64)>) {
        self.sort(rooms, |(room, _)| room, ToShard::Known).await;
    }

    /// Tells each shard at once what is of its rooms.
    async fn sort<T>(
        &self,
        what: impl IntoIterator<Item = T>,
        room: impl Fn(&T) -> &RoomId,
        message: impl Fn(Vec<T>) -> ToShard,
    ) {
        let mut by_shard: Vec<Vec<T>> = self.shards.iter().map(|_| Vec::new()).collect();
        for one in what {
            by_shard[self.shard_of(room(&one))].push(one);
        }
        for (door, some) in self.shards.iter().zip(by_shard) {
            if !some.is_empty() {
                drop(door.send(message(some)).await);
            }
        }
    }

    /// Tells every shard to say its counts again.
    pub(crate) async fn recount(&self) {
        for shard in &self.shards {
            drop(shard.send(ToShard::Recount).await);
        }
    }
}
