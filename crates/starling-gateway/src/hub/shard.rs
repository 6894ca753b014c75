//! A shard: the rooms that belong to it, as a pure state machine. It is told something at a moment; what it wants done
//! outside of it, it asks for.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use starling_core::{
    Refusal, RoomEvent, RoomId, UserId,
    ports::{Head, Unavailable},
};
use starling_protocol::event::TypingEvent;
use tokio::{net::TcpStream, time::Instant};

use super::{
    Attach, ToShard,
    context::{Ask, Context, Settings},
    fanout::Moment,
    room::{Item, Room},
    shared::{SharedEvent, SharedFrame},
    timers::{Timer, Timers},
};
use crate::{conn::Socket, metrics::Metrics};

/// Counts of rooms are said to the other nodes at most this often.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// After a failed read of the log, or a failed subscription.
pub(super) const RETRY: Duration = Duration::from_millis(500);

pub(crate) struct Shard<K = TcpStream> {
    pub(super) cx: Context<K>,
    pub(super) rooms: HashMap<RoomId, Room<K>>,
    pub(super) timers: Timers,
    /// Rooms with something to hand out.
    dirty: Vec<RoomId>,
    /// Rooms that are wanted, and until when each waits for the end of its last subscription.
    pub(super) to_open: Vec<(RoomId, Instant)>,
    /// Rooms whose subscription is being ended, or is to be once it has begun.
    pub(super) closing: HashSet<RoomId>,
    /// Rooms that are being subscribed to again.
    pub(super) subscribing: HashSet<RoomId>,
    counts: HashSet<RoomId>,
}

impl<K: Socket> Shard<K> {
    pub(crate) fn new(settings: Settings, metrics: Arc<Metrics>, now: Instant) -> Self {
        Self {
            cx: Context {
                settings,
                metrics,
                now,
                asks: Vec::new(),
            },
            rooms: HashMap::new(),
            timers: Timers::default(),
            dirty: Vec::new(),
            to_open: Vec::new(),
            closing: HashSet::new(),
            subscribing: HashSet::new(),
            counts: HashSet::new(),
        }
    }

    /// What is to be carried out, in this order.
    pub(crate) fn asks(&mut self) -> Vec<Ask<K>> {
        self.start_opening();
        std::mem::take(&mut self.cx.asks)
    }

    /// When it wants to look at something.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.timers.next_at()
    }

    /// Is told something.
    pub(crate) fn take(&mut self, message: ToShard<K>, now: Instant) {
        self.cx.now = now;
        match message {
            ToShard::Attach(attach) => self.attach(attach),
            ToShard::Activate { room, key } => self.activate(room, key),
            ToShard::Resume { room, key } => {
                if let Some(room) = self.rooms.get_mut(&room) {
                    room.resume(key, &mut self.cx);
                }
            }
            ToShard::Detach { room, key, by } => self.detach(&room, key, by),
            ToShard::Events(events) => {
                for event in events {
                    self.event(event);
                }
            }
            ToShard::Known(rooms) => {
                for (room, seq) in rooms {
                    self.known(&room, seq);
                }
            }
            ToShard::Ephemeral(frames) => {
                for (room, frame) in frames {
                    self.ephemeral(room, frame);
                }
            }
            ToShard::Typing {
                room,
                user,
                is_typing,
                skip,
            } => self.typing(room, user, is_typing, skip),
            ToShard::Recount => {
                let followed = self.rooms.values_mut().filter(|room| !room.members.is_empty());
                self.counts.extend(followed.map(|room| room.id.clone()));
                self.set_timer(COUNT_EVERY, Timer::Counts);
            }
            ToShard::Looked { attach, heads } => self.looked(attach, heads),
            ToShard::Opened {
                rooms,
                heads,
                subscribed,
            } => self.opened(&rooms, heads, subscribed),
            ToShard::Unsubscribed(room) => self.unsubscribed(&room),
            ToShard::Resubscribed {
                rooms,
                heads,
                subscribed,
            } => self.resubscribed(&rooms, heads, subscribed),
            ToShard::Filled { room, events } => self.filled(&room, events),
            ToShard::Page { room, after, events } => self.page(&room, after, events),
        }
    }

    pub(super) fn set_timer(&mut self, after: Duration, timer: Timer) {
        self.timers.set(self.cx.now + after, timer);
    }

    // ---- members ----------------------------------------------------------------------------------------------

    fn attach(&mut self, attach: Attach<K>) {
        let id = attach.room.clone();
        if !self.rooms.contains_key(&id) {
            self.cx.metrics.rooms.up();
            self.want(id.clone());
        }
        let new = || Room::opening(id.clone(), &self.cx);
        let room = self.rooms.entry(id.clone()).or_insert_with(new);
        match &mut room.opening {
            Some(opening) => opening.waiting.push(attach),
            None => {
                room.attach(attach, &mut self.cx);
                self.count(id);
            }
        }
    }

    /// The log says how far a room has come, for a session that is ahead of this node.
    fn looked(&mut self, attach: Attach<K>, heads: Result<Vec<Head>, Unavailable>) {
        let logged = match heads {
            Ok(heads) => heads.first().map_or(0, |head| head.cursor.seq),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot look at the log");
                if let Some(reply) = attach.reply {
                    drop(reply.send(Err(Refusal::unavailable())));
                }
                return;
            }
        };
        let id = attach.room.clone();
        match self.rooms.get_mut(&id).filter(|room| room.opening.is_none()) {
            Some(room) => {
                room.looked(attach, logged, &mut self.cx);
                self.known(&id, logged);
                self.count(id);
            }
            // It was closed in the meantime: from the beginning.
            None => self.attach(attach),
        }
    }

    fn activate(&mut self, id: RoomId, key: u64) {
        if let Some(room) = self.rooms.get_mut(&id)
            && !room.activate(key, &mut self.cx)
        {
            self.linger(&id);
            self.count(id);
        }
    }

    fn detach(&mut self, id: &RoomId, key: u64, by: Option<u64>) {
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        if let Some(opening) = &mut room.opening {
            opening.waiting.retain(|attach| attach.session.conn.key != key);
        }
        room.ahead.retain(|attach| attach.session.conn.key != key);
        if by.is_some_and(|by| room.handed.seq < by && by <= room.head.seq) {
            return;
        }
        if let Some(member) = room.remove(key) {
            if id.is_reserved() {
                member.session.note_told(id, member.pos);
            }
            self.count(id.clone());
            self.linger(id);
        }
    }

    pub(super) fn linger(&mut self, id: &RoomId) {
        if self.rooms.get(id).is_some_and(|room| room.members.is_empty()) {
            // A reserved room is heard of by the topics of its readers: without them its view would be late.
            let linger = if id.is_reserved() {
                Duration::ZERO
            } else {
                self.cx.settings.linger
            };
            self.set_timer(linger, Timer::Linger(id.clone()));
        }
    }

    pub(super) fn count(&mut self, id: RoomId) {
        if id.is_reserved() {
            return;
        }
        if self.counts.is_empty() {
            self.set_timer(COUNT_EVERY, Timer::Counts);
        }
        self.counts.insert(id);
    }

    // ---- events -----------------------------------------------------------------------------------------------

    fn event(&mut self, event: Arc<SharedEvent>) {
        let Some(room) = self.rooms.get_mut(&event.event.room) else {
            return;
        };
        if let Some(opening) = &mut room.opening {
            opening.known = opening.known.max(event.seq());
            if opening.early.len() < self.cx.settings.bounds.early {
                opening.early.push(event);
            }
            return;
        }
        let mut out = Vec::new();
        room.sequencer.accept(event.clone(), &mut out);
        self.after_sequencer(&event.event.room, out, self.cx.settings.hold);
    }

    pub(super) fn known(&mut self, id: &RoomId, seq: u64) {
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        if let Some(opening) = &mut room.opening {
            opening.known = opening.known.max(seq);
        } else if seq >= room.sequencer.next() {
            self.cx.metrics.lost_tails.inc();
            room.sequencer.heard_of(seq);
            self.after_sequencer(id, Vec::new(), self.cx.settings.hold);
        }
    }

    fn filled(&mut self, id: &RoomId, events: Result<Vec<RoomEvent>, Unavailable>) {
        // What was read for a room that has closed since is nothing to its next opening.
        let Some(room) = self.rooms.get_mut(id).filter(|room| room.opening.is_none()) else {
            return;
        };
        let mut out = Vec::new();
        let hold = if events.is_ok() {
            self.cx.settings.hold
        } else {
            RETRY
        };
        let events = events.unwrap_or_default().into_iter().map(SharedEvent::foreign);
        room.sequencer.filled(events, &mut out);
        self.after_sequencer(id, out, hold);
    }

    /// Takes what the sequencer let go, and holds a hole where one is.
    pub(super) fn after_sequencer(&mut self, id: &RoomId, out: Vec<Arc<SharedEvent>>, hold: Duration) {
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        if !out.is_empty() {
            if room.pending.is_empty() {
                self.dirty.push(id.clone());
            }
            room.take(out, &self.cx);
            room.admit_reached(&mut self.cx);
        }
        match (room.sequencer.has_hole(), room.torn_since) {
            (true, None) => room.torn_since = Some(self.cx.now),
            (false, Some(since)) => {
                self.cx.metrics.repair.record(self.cx.now - since);
                room.torn_since = None;
            }
            _ => {}
        }
        if let Some(until) = room.sequencer.hold(self.cx.now + hold) {
            self.cx.metrics.holes.inc();
            self.timers.set(until, Timer::Hold(id.clone()));
        }
    }

    fn ephemeral(&mut self, id: RoomId, frame: SharedFrame) {
        let Some(room) = self.rooms.get_mut(&id).filter(|room| !room.members.is_empty()) else {
            return;
        };
        if room.pending.is_empty() {
            self.dirty.push(id);
        }
        room.pending.push(Item::Ephemeral(frame));
    }

    fn typing(&mut self, id: RoomId, user: UserId, is_typing: bool, skip: Option<u64>) {
        let Some(room) = self.rooms.get_mut(&id) else {
            return;
        };
        let was_typing = if is_typing {
            room.typing
                .insert(user.clone(), self.cx.now + self.cx.settings.typing_ttl)
                .is_some()
        } else {
            room.typing.remove(&user).is_some()
        };
        if was_typing == is_typing {
            return;
        }
        let event = TypingEvent {
            room_id: id.clone(),
            user_id: user,
            is_typing,
        };
        self.ephemeral(id.clone(), SharedFrame::new("typing", event, skip));
        if is_typing {
            self.set_timer(self.cx.settings.typing_ttl, Timer::Typing(id));
        }
    }

    fn page(&mut self, id: &RoomId, after: u64, events: Result<Vec<RoomEvent>, Unavailable>) {
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        match events {
            Ok(events) => room.page(after, events, &mut self.cx),
            Err(_) => {
                for key in room.page_failed(after) {
                    self.set_timer(RETRY, Timer::CatchUp(id.clone(), key));
                }
            }
        }
    }

    // ---- time -------------------------------------------------------------------------------------------------

    /// Looks at what is due.
    pub(crate) fn run_timers(&mut self, now: Instant) {
        self.cx.now = now;
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::Hold(id) => self.end_hold(id),
                Timer::Typing(id) => self.end_typing(id, now),
                Timer::Linger(id) => self.close_room(&id),
                Timer::CatchUp(id, key) => {
                    if let Some(room) = self.rooms.get_mut(&id) {
                        room.catch_up(key, &mut self.cx);
                    }
                }
                Timer::Open => self.open_unheard(),
                Timer::Subscribe => self.subscribe_again(),
                Timer::Counts => self.say_counts(),
            }
        }
    }

    fn end_hold(&mut self, id: RoomId) {
        let now = self.cx.now;
        let expired = self
            .rooms
            .get_mut(&id)
            .and_then(|room| room.sequencer.expire(now));
        if let Some(after) = expired {
            self.cx.metrics.fills.inc();
            self.cx.asks.push(Ask::Fill {
                room: id,
                after,
                limit: self.cx.settings.bounds.fill,
            });
        }
    }

    fn end_typing(&mut self, id: RoomId, now: Instant) {
        let Some(room) = self.rooms.get_mut(&id) else {
            return;
        };
        let over: Vec<UserId> = room
            .typing
            .iter()
            .filter(|(_, until)| **until <= now)
            .map(|(user, _)| user.clone())
            .collect();
        let next = room.typing.values().filter(|until| **until > now).min().copied();
        for user in over {
            self.typing(id.clone(), user, false, None);
        }
        if let Some(next) = next {
            self.timers.set(next, Timer::Typing(id));
        }
    }

    fn say_counts(&mut self) {
        let counts: Vec<(RoomId, u32)> = std::mem::take(&mut self.counts)
            .into_iter()
            .map(|id| {
                let now = self.rooms.get_mut(&id).map_or(0, |room| {
                    room.reported = room.members.users();
                    room.reported
                });
                (id, now)
            })
            .collect();
        self.cx.asks.push(Ask::SayCounts(counts));
    }

    /// Hands out what the rooms have for their members.
    pub(crate) async fn hand_out(&mut self, clock: impl Fn() -> Moment) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for id in dirty.drain(..) {
            let Some(room) = self.rooms.get_mut(&id) else {
                continue;
            };
            let before = room.members.len();
            room.hand_out(&mut self.cx, &clock).await;
            if room.members.len() != before {
                self.count(id.clone());
                self.linger(&id);
            }
        }
        self.dirty = dirty;
    }
}
