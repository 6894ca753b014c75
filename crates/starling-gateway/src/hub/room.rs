//! One room on one node.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    sync::Arc,
};

use starling_core::{Cursor, EventBody, RoomId, UserId, ports::Head};
use starling_protocol::event::TypingEvent;
use tokio::{net::TcpStream, time::Instant};

use super::{
    Attach,
    context::Context,
    ring::Ring,
    sequencer::Sequencer,
    shared::{SharedEvent, SharedFrame},
};
use crate::{conn::Conn, metrics::Metrics, session::Session};

/// A room with local members, or one that lingers after its last.
pub(crate) struct Room<K = TcpStream> {
    pub(super) id: RoomId,
    /// `Some` until the head of the log is known.
    pub(super) opening: Option<Opening<K>>,
    pub(super) sequencer: Sequencer<Arc<SharedEvent>>,
    /// Since when events are known to be missing.
    pub(super) torn_since: Option<Instant>,
    /// The cursor of the last event that went out of the sequencer.
    pub(super) head: Cursor,
    /// The cursor of the last event that was handed to the members. Who is behind catches up to there and no further:
    /// what is still pending may send them away.
    pub(super) handed: Cursor,
    pub(super) min_seq: u64,
    pub(super) ring: Ring,
    pub(super) members: Members<K>,
    /// Sessions whose cursor the log knows and this node has not reached yet. Bounded by the sessions: each waits for its
    /// answer before it asks for more.
    pub(super) ahead: Vec<Attach<K>>,
    /// What the next pass hands to the members, in order. Bounded: a shard hands out after every burst of its inbox.
    pub(super) pending: Vec<Item>,
    /// Who types, until when.
    pub(super) typing: BTreeMap<UserId, Instant>,
    /// Log reads on their way, by the seq that they begin behind, and who waits for each.
    pub(super) reads: HashMap<u64, Vec<u64>>,
    /// The users counted here when it was last told.
    pub(super) reported: u32,
    /// The bus knows that this node wants the room.
    pub(super) subscribed: bool,
}

/// What arrives before a room's head is known.
pub(super) struct Opening<K> {
    pub(super) waiting: Vec<Attach<K>>,
    pub(super) early: Vec<Arc<SharedEvent>>,
    /// A seq that the room is known to have reached.
    pub(super) known: u64,
}

impl<K> Default for Opening<K> {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
            early: Vec::new(),
            known: 0,
        }
    }
}

/// What the members get.
pub(super) enum Item {
    Durable(Arc<SharedEvent>),
    Ephemeral(SharedFrame),
}

impl<K> Room<K> {
    pub(super) fn opening(id: RoomId, cx: &Context<K>) -> Self {
        Self {
            id,
            opening: Some(Opening::default()),
            sequencer: Sequencer::new(0, cx.settings.bounds.waiting),
            torn_since: None,
            head: Cursor::START,
            handed: Cursor::START,
            min_seq: 1,
            ring: Ring::default(),
            members: Members::default(),
            ahead: Vec::new(),
            pending: Vec::new(),
            typing: BTreeMap::new(),
            reads: HashMap::new(),
            reported: 0,
            subscribed: false,
        }
    }

    /// The head is known: live from here on.
    pub(super) fn open(&mut self, head: Head, subscribed: bool, cx: &Context<K>) -> Option<Opening<K>> {
        self.sequencer = Sequencer::new(head.cursor.seq, cx.settings.bounds.waiting);
        self.head = head.cursor;
        self.handed = head.cursor;
        self.min_seq = head.min_seq;
        self.subscribed = subscribed;
        self.opening.take()
    }

    /// Notes events that go out now.
    pub(super) fn take(&mut self, events: Vec<Arc<SharedEvent>>, cx: &Context<K>) {
        for event in events {
            self.head = event.event.cursor();
            if let EventBody::RoomDeleted(_) = event.event.body {
                // Who opens a room of this name again is not shown what was said before.
                self.min_seq = event.seq() + 1;
                self.ring.clear(&cx.metrics);
            } else {
                self.ring.push(event.clone(), &cx.settings.rings, &cx.metrics);
            }
            let user = &event.event.sender;
            let wrote = matches!(event.event.body, EventBody::MessageCreated(_));
            // Who has written types no more.
            let stopped = (wrote && self.typing.remove(user).is_some()).then(|| {
                let typing = TypingEvent {
                    room_id: self.id.clone(),
                    user_id: user.clone(),
                    is_typing: false,
                };
                SharedFrame::new("typing", typing, event.skip)
            });
            self.pending.push(Item::Durable(event));
            self.pending.extend(stopped.map(Item::Ephemeral));
        }
    }

    /// Takes a member out, and what waits for it.
    pub(super) fn remove(&mut self, key: u64) -> Option<Member<K>> {
        for waiting in self.reads.values_mut() {
            waiting.retain(|waits| *waits != key);
        }
        self.members.remove(key)
    }

    pub(super) fn close(&mut self, metrics: &Metrics) {
        self.ring.clear(metrics);
    }
}

/// Who follows a room live, for a pass over all and for finding one.
pub(super) struct Members<K> {
    list: Vec<Member<K>>,
    index: HashMap<u64, u32>,
    /// Sessions by user. Counted here and not asked of the node: a session leaves the node's list of users before it
    /// leaves its rooms.
    users: HashMap<UserId, u32>,
}

/// One session in a room.
pub(super) struct Member<K> {
    pub(super) session: Arc<Session<K>>,
    /// The session's, at hand: a pass over all members waits for memory above all.
    pub(super) conn: Arc<Conn<K>>,
    /// Seq of the last event that it was given, or does not want.
    pub(super) pos: u64,
    pub(super) mode: Mode,
    /// See [`Attach::since`].
    pub(super) since: u64,
}

/// How a member gets events. Cursors are to be proven against the log.
#[derive(Debug)]
pub(super) enum Mode {
    /// As they come.
    Live,
    /// Not yet: its reply is being written.
    Attached(Option<Cursor>),
    /// No more, by this event, which follows the reply.
    Ended(Arc<SharedEvent>),
    /// From the ring or the log, with the next look at it.
    Held(Option<Cursor>),
    /// From the log, whose answer is awaited.
    Reading(Option<Cursor>),
    /// From the log, when its socket has drained.
    Lagging,
}

impl<K> Member<K> {
    pub(super) fn new(session: Arc<Session<K>>, pos: u64, mode: Mode, since: u64) -> Self {
        Self {
            conn: session.conn.clone(),
            session,
            pos,
            mode,
            since,
        }
    }
}

impl<K> Default for Members<K> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            index: HashMap::new(),
            users: HashMap::new(),
        }
    }
}

impl<K> Members<K> {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Distinct users.
    pub(super) fn users(&self) -> u32 {
        u32::try_from(self.users.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn get_mut(&mut self, key: u64) -> Option<&mut Member<K>> {
        let at = *self.index.get(&key)?;
        self.list.get_mut(at as usize)
    }

    pub(super) fn at_mut(&mut self, at: usize) -> Option<&mut Member<K>> {
        self.list.get_mut(at)
    }

    /// Adds or replaces a member.
    pub(super) fn put(&mut self, member: Member<K>) {
        let key = member.conn.key;
        if let Some(present) = self.get_mut(key) {
            *present = member;
            return;
        }
        *self.users.entry(member.session.user.clone()).or_default() += 1;
        self.index
            .insert(key, u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        self.list.push(member);
    }

    pub(super) fn remove(&mut self, key: u64) -> Option<Member<K>> {
        let at = self.index.remove(&key)? as usize;
        let member = self.list.swap_remove(at);
        if let Some(moved) = self.list.get(at) {
            self.index
                .insert(moved.conn.key, u32::try_from(at).unwrap_or(u32::MAX));
        }
        if let Entry::Occupied(mut sessions) = self.users.entry(member.session.user.clone()) {
            *sessions.get_mut() -= 1;
            if *sessions.get() == 0 {
                sessions.remove();
            }
        }
        if self.list.len() < self.list.capacity() / 4 {
            self.list.shrink_to_fit();
            self.index.shrink_to_fit();
            self.users.shrink_to_fit();
        }
        Some(member)
    }

    pub(super) fn keys(&self) -> Vec<u64> {
        self.list.iter().map(|member| member.conn.key).collect()
    }

    /// The sessions of a user. Linear where there is one: for those who go, of whom all members have just been told.
    pub(super) fn keys_of(&self, user: &UserId) -> Vec<u64> {
        if !self.users.contains_key(user) {
            return Vec::new();
        }
        let sessions = self.list.iter().map(|member| &member.session);
        sessions
            .filter(|session| session.user == *user)
            .map(|session| session.conn.key)
            .collect()
    }
}
