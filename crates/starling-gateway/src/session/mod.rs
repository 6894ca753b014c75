//! A session: one authenticated connection. It turns frames into commands and commands into operations.
//!
//! | module | what it holds |
//! |---|---|
//! | [`commands`] | one line for each command: decode is done, now act and answer |
//! | [`follow`] | `join_room`, `subscribe`, `unsubscribe`: what is followed live |
//! | [`open`] | from a token to a session, and its end |

mod commands;
mod follow;
mod open;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;
use starling_core::{Refusal, RoomId, SessionId, Timestamp, UserId, presence::Status};
use starling_protocol::{
    Codec,
    command::{Bad, Incoming},
    ws::Opcode,
};
use tokio::net::TcpStream;

pub(crate) use self::{
    commands::carry_out,
    open::{close, open},
};
use crate::{auth::Identity, conn::Conn, hub::ToShard, node::Node};

/// See the module.
pub(crate) struct Session<K = TcpStream> {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    pub(crate) conn: Arc<Conn<K>>,
    expires_at: AtomicI64,
    /// Messages that wait for their reply.
    unacked: AtomicU32,
    ended: AtomicBool,
    state: Mutex<State>,
    /// Events that may still be replayed to this connection.
    pub(crate) replay_budget: AtomicI64,
}

/// What changes while the session lives. Small: most sessions follow few rooms and watch nobody.
struct State {
    identity: Arc<Identity>,
    /// Rooms followed live. Bounded by `rooms.max_per_session`.
    rooms: HashSet<RoomId>,
    /// Rooms whose events wait in the log until the socket has drained.
    lagging: Vec<RoomId>,
    /// Users whose presence is followed. Bounded by `presence.max_watched`.
    watched: HashSet<UserId>,
    status: Status,
    custom: Option<Box<str>>,
    set_at: Timestamp,
    /// Rate-limited commands in the present minute, and when it began.
    limited: (u32, Timestamp),
    /// See [`Session::told_since`].
    told_since: Timestamp,
    /// See [`Session::told_to`]. Bounded by the rooms that it was given something of; most sessions have none.
    #[expect(
        clippy::box_collection,
        reason = "a map of their own would be 48 bytes of every session"
    )]
    told_to: Option<Box<HashMap<RoomId, u64>>>,
}

/// What a session says of its user's presence.
pub(crate) struct Shown {
    pub(crate) status: Status,
    pub(crate) custom: Option<String>,
    pub(crate) set_at: Timestamp,
}

impl<K> Session<K> {
    pub(crate) fn identity(&self) -> Arc<Identity> {
        self.state.lock().identity.clone()
    }

    pub(crate) fn expires_at(&self) -> Timestamp {
        Timestamp::from_millis(self.expires_at.load(Relaxed))
    }

    /// A new token of the same user.
    pub(crate) fn refresh(&self, identity: Identity) {
        self.expires_at.store(identity.expires_at.as_millis(), Relaxed);
        self.state.lock().identity = Arc::new(identity);
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    // ---- rooms ------------------------------------------------------------------------------------------------

    pub(crate) fn follows(&self, room: &RoomId) -> bool {
        self.state.lock().rooms.contains(room)
    }

    /// Notes that a room is followed: before its shard is told, so that the end of the session finds it. `false` when
    /// the session has ended, an error when it follows too many.
    pub(crate) fn note_room(&self, room: &RoomId, max: usize) -> Result<bool, Refusal> {
        let mut state = self.state.lock();
        if self.ended.load(Relaxed) {
            return Ok(false);
        }
        if state.rooms.len() >= max && !state.rooms.contains(room) {
            return Err(Refusal::TooManyRooms { max });
        }
        state.rooms.insert(room.clone());
        Ok(true)
    }

    /// Keeps the room's own id in place of the one that came with the command: all members share its text.
    pub(crate) fn share_room(&self, room: &RoomId) {
        let mut state = self.state.lock();
        if state.rooms.contains(room) {
            state.rooms.replace(room.clone());
        }
    }

    /// From when on the session is told what happens in reserved rooms that it has not followed yet.
    pub(crate) fn told_since(&self) -> Timestamp {
        self.state.lock().told_since
    }

    /// The seq up to which it was told of a reserved room that it then unfollowed by hand; 0 of others. It follows that room
    /// again with the next event there, and a late word of an older one is nothing new.
    pub(crate) fn told_to(&self, room: &RoomId) -> u64 {
        let state = self.state.lock();
        let told_to = state.told_to.as_ref().and_then(|told_to| told_to.get(room));
        told_to.copied().unwrap_or(0)
    }

    pub(crate) fn note_told(&self, room: &RoomId, seq: u64) {
        let mut state = self.state.lock();
        state.told_to.get_or_insert_default().insert(room.clone(), seq);
    }

    /// The room is not followed any more; whether it was.
    pub(crate) fn forget_room(&self, room: &RoomId) -> bool {
        let mut state = self.state.lock();
        state.lagging.retain(|lagging| lagging != room);
        state.rooms.remove(room)
    }

    // ---- slow sockets -----------------------------------------------------------------------------------------

    /// Notes that a room waits for the socket to drain; whether it is new.
    pub(crate) fn lag(&self, room: &RoomId) -> bool {
        let mut state = self.state.lock();
        let new = !state.lagging.contains(room);
        if new {
            state.lagging.push(room.clone());
        }
        new
    }

    /// Takes a room back from that list; whether it was still there.
    pub(crate) fn unlag(&self, room: &RoomId) -> bool {
        let mut state = self.state.lock();
        let before = state.lagging.len();
        state.lagging.retain(|lagging| lagging != room);
        state.lagging.len() != before
    }

    /// Takes all of them: the socket has drained.
    pub(crate) fn take_lagging(&self) -> Vec<RoomId> {
        std::mem::take(&mut self.state.lock().lagging)
    }

    // ---- messages ---------------------------------------------------------------------------------------------

    /// Counts a message that will be answered; refuses when too many wait.
    fn count_unacked(&self, max: usize) -> Result<(), Refusal> {
        let waiting = self.unacked.fetch_add(1, Relaxed) as usize;
        if waiting >= max {
            self.unacked.fetch_sub(1, Relaxed);
            let retry_after = std::time::Duration::from_millis(50);
            return Err(Refusal::RateLimited {
                what: "messages wait for their reply",
                retry_after,
            });
        }
        Ok(())
    }

    /// One of them was answered.
    pub(crate) fn acked(&self) {
        self.unacked.fetch_sub(1, Relaxed);
    }

    // ---- presence ---------------------------------------------------------------------------------------------

    pub(crate) fn shown(&self) -> Shown {
        let state = self.state.lock();
        Shown {
            status: state.status,
            custom: state.custom.as_deref().map(str::to_owned),
            set_at: state.set_at,
        }
    }

    pub(crate) fn show(&self, status: Status, custom: Option<String>, set_at: Timestamp) {
        let mut state = self.state.lock();
        state.status = status;
        state.custom = custom.map(Into::into);
        state.set_at = set_at;
    }

    /// Adds users to those watched, all or none; those that are new.
    pub(crate) fn watch(&self, users: Vec<UserId>, max: usize) -> Result<Vec<UserId>, Refusal> {
        let mut state = self.state.lock();
        let new: HashSet<UserId> = users
            .into_iter()
            .filter(|user| !state.watched.contains(user))
            .collect();
        if state.watched.len() + new.len() > max {
            return Err(Refusal::InvalidMessage(format!(
                "at most {max} users can be watched; unwatch some first"
            )));
        }
        state.watched.extend(new.iter().cloned());
        Ok(new.into_iter().collect())
    }

    /// Takes users from those watched; those that were.
    pub(crate) fn unwatch(&self, users: &[UserId]) -> Vec<UserId> {
        let mut state = self.state.lock();
        users
            .iter()
            .filter(|user| state.watched.remove(*user))
            .cloned()
            .collect()
    }

    /// Counts a rate-limited command; the number in the present minute.
    fn count_limited(&self, now: Timestamp) -> u32 {
        let mut state = self.state.lock();
        if now.since(state.limited.1).as_secs() >= 60 {
            state.limited = (0, now);
        }
        state.limited.0 += 1;
        state.limited.0
    }
}

impl Session {
    /// The socket has drained: rooms that wait for it go on.
    pub(crate) fn on_drained(&self, node: &Arc<Node>) {
        let lagging = self.take_lagging();
        if lagging.is_empty() {
            return;
        }
        let (node, key) = (node.clone(), self.conn.key);
        // A full inbox must not stop the connection's future, nor may the message be lost.
        node.clone().tasks.spawn(async move {
            for room in lagging {
                node.hub.tell(&room.clone(), ToShard::Resume { room, key }).await;
            }
        });
    }
}

/// Reads one frame as the connection's codec has it.
pub(crate) fn read(codec: Codec, opcode: Opcode, payload: &[u8]) -> Result<Incoming, Bad> {
    if opcode != codec.opcode() {
        let why = match codec {
            Codec::Json => {
                "this connection speaks JSON in text frames; offer starling.v1.msgpack for binary frames"
            }
            Codec::MsgPack => {
                "this connection speaks MessagePack in binary frames; offer starling.v1.json for text frames"
            }
        };
        return Err(Bad {
            id: None,
            refusal: Refusal::InvalidMessage(why.into()),
        });
    }
    Incoming::decode(codec, payload)
}

/// Who acts: the session's user, or the caller of a REST route.
#[derive(Clone)]
pub(crate) struct Actor {
    pub(crate) identity: Arc<Identity>,
}

impl Actor {
    pub(crate) fn user(&self) -> &UserId {
        &self.identity.user
    }
}
