//! A shard: one task, its inbox, its timers, and the rooms that belong to it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use starling_core::{
    Refusal, RoomEvent, RoomId, UserId,
    ports::{Head, Unavailable},
};
use starling_protocol::event::TypingEvent;
use tokio::{sync::mpsc, time::Instant};

use super::{
    Attach, ToShard,
    room::{Item, MAX_EARLY, Room},
    shared::{SharedEvent, SharedFrame},
};
use crate::node::Node;

/// Messages taken at once before what they came to is handed out.
const BURST: usize = 512;
/// Counts of rooms are said to the other nodes at most this often.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// After a failed read of the log, or a failed subscription.
const RETRY: Duration = Duration::from_millis(500);

/// Something to look at later.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Timer {
    /// A hole was held long enough.
    Hold(RoomId),
    /// Somebody may have stopped typing.
    Typing(RoomId),
    /// A room without members has lingered long enough.
    Linger(RoomId),
    /// A member's page could not be read.
    CatchUp(RoomId, u64),
    /// The bus did not take a subscription.
    Subscribe,
    /// Counts have changed.
    Counts,
}

struct Shard {
    node: Arc<Node>,
    rooms: HashMap<RoomId, Room>,
    /// By time, and a number that tells timers of one time apart.
    timers: BTreeMap<(Instant, u64), Timer>,
    timers_set: u64,
    /// Rooms with something to hand out.
    dirty: Vec<RoomId>,
    to_open: Vec<RoomId>,
    /// Rooms whose subscription is being ended. One that is wanted again waits until it is: the end must not come after
    /// the new beginning.
    closing: HashSet<RoomId>,
    counts: HashSet<RoomId>,
}

/// Runs until the hub's doors are closed or the node stops.
pub(crate) async fn run_shard(node: Arc<Node>, mut inbox: mpsc::Receiver<ToShard>) {
    let stop = node.stop.clone();
    let mut shard = Shard {
        node,
        rooms: HashMap::new(),
        timers: BTreeMap::new(),
        timers_set: 0,
        dirty: Vec::new(),
        to_open: Vec::new(),
        closing: HashSet::new(),
        counts: HashSet::new(),
    };
    let mut burst = Vec::with_capacity(BURST);
    loop {
        let far = Instant::now() + Duration::from_secs(3600);
        let wake_at = shard.timers.first_key_value().map_or(far, |((at, _), _)| *at);
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            taken = inbox.recv_many(&mut burst, BURST) => {
                if taken == 0 {
                    return;
                }
                for message in burst.drain(..) {
                    shard.take(message);
                }
            }
            () = tokio::time::sleep_until(wake_at) => {}
        }
        shard.run_timers();
        shard.hand_out().await;
        shard.start_opening();
    }
}

impl Shard {
    fn take(&mut self, message: ToShard) {
        match message {
            ToShard::Attach(attach) => self.attach(attach),
            ToShard::Activate { room, key } | ToShard::Resume { room, key } => {
                if let Some(room) = self.rooms.get_mut(&room) {
                    room.release(key);
                    room.catch_up(key, &self.node);
                }
            }
            ToShard::Detach { room, key } => self.detach(&room, key),
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
            ToShard::Ephemeral(room, frame) => self.ephemeral(room, frame),
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
            ToShard::Unsubscribed(room) => {
                self.closing.remove(&room);
            }
            ToShard::Resubscribed {
                rooms,
                heads,
                subscribed,
            } => self.resubscribed(&rooms, heads, subscribed),
            ToShard::Filled { room, events } => self.filled(&room, events),
            ToShard::Page { room, after, events } => self.page(&room, after, events),
        }
    }

    fn set_timer(&mut self, after: Duration, timer: Timer) {
        self.set_timer_at(Instant::now() + after, timer);
    }

    fn set_timer_at(&mut self, at: Instant, timer: Timer) {
        self.timers_set += 1;
        self.timers.insert((at, self.timers_set), timer);
    }

    // ---- members ----------------------------------------------------------------------------------------------

    fn attach(&mut self, attach: Attach) {
        let id = attach.room.clone();
        let room = self.rooms.entry(id.clone()).or_insert_with(|| {
            self.node.metrics.rooms.up();
            self.to_open.push(id.clone());
            Room::opening(id.clone())
        });
        match &mut room.opening {
            Some(opening) => opening.waiting.push(attach),
            None => {
                room.attach(attach, &self.node);
                self.count(id);
            }
        }
    }

    /// The log says how far a room has come, for a session that is ahead of this node.
    fn looked(&mut self, attach: Attach, heads: Result<Vec<Head>, Unavailable>) {
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
                room.looked(attach, logged, &self.node);
                self.known(&id, logged);
                self.count(id);
            }
            // It was closed in the meantime: from the beginning.
            None => self.attach(attach),
        }
    }

    fn detach(&mut self, id: &RoomId, key: u64) {
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        if let Some(opening) = &mut room.opening {
            opening.waiting.retain(|attach| attach.session.conn.key != key);
        }
        room.ahead.retain(|attach| attach.session.conn.key != key);
        if room.members.remove(key).is_some() {
            self.count(id.clone());
            self.linger(id);
        }
    }

    fn linger(&mut self, id: &RoomId) {
        if self.rooms.get(id).is_some_and(|room| room.members.is_empty()) {
            // A reserved room is heard of by the topics of its readers: without them its view would be late.
            let linger = if id.is_reserved() {
                Duration::ZERO
            } else {
                self.node.config.rooms.linger
            };
            self.set_timer(linger, Timer::Linger(id.clone()));
        }
    }

    fn count(&mut self, id: RoomId) {
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
            if opening.early.len() < MAX_EARLY {
                opening.early.push(event);
            }
            return;
        }
        let mut out = Vec::new();
        room.sequencer.accept(event, &mut out);
        self.after_sequencer(out, None, self.node.config.hold);
    }

    fn known(&mut self, id: &RoomId, seq: u64) {
        let Some(room) = self.rooms.get_mut(id).filter(|room| room.opening.is_none()) else {
            return;
        };
        if seq >= room.sequencer.next() {
            self.node.metrics.lost_tails.inc();
            room.sequencer.heard_of(seq);
            self.after_sequencer(Vec::new(), Some(id.clone()), self.node.config.hold);
        }
    }

    fn filled(&mut self, id: &RoomId, events: Result<Vec<RoomEvent>, Unavailable>) {
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        let mut out = Vec::new();
        let hold = if events.is_ok() {
            self.node.config.hold
        } else {
            RETRY
        };
        let events = events.unwrap_or_default().into_iter().map(SharedEvent::foreign);
        room.sequencer.filled(events, &mut out);
        self.after_sequencer(out, Some(id.clone()), hold);
    }

    /// Takes what the sequencer let go, and holds a hole where one is.
    fn after_sequencer(&mut self, out: Vec<Arc<SharedEvent>>, id: Option<RoomId>, hold: Duration) {
        let Some(id) = id.or_else(|| out.first().map(|event| event.event.room.clone())) else {
            return;
        };
        let Some(room) = self.rooms.get_mut(&id) else {
            return;
        };
        if !out.is_empty() {
            if room.pending.is_empty() {
                self.dirty.push(id.clone());
            }
            room.take(out, &self.node);
            room.admit_reached(&self.node);
        }
        if let Some(until) = room.sequencer.hold(Instant::now() + hold) {
            self.node.metrics.holes.inc();
            self.set_timer_at(until, Timer::Hold(id));
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
                .insert(user.clone(), Instant::now() + self.node.config.typing_ttl)
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
        self.ephemeral(id.clone(), SharedFrame::new("typing", &event, skip));
        if is_typing {
            self.set_timer(self.node.config.typing_ttl, Timer::Typing(id));
        }
    }

    fn page(&mut self, id: &RoomId, after: u64, events: Result<Vec<RoomEvent>, Unavailable>) {
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        match events {
            Ok(events) => room.page(after, events, &self.node),
            Err(_) => {
                for key in room.page_failed(after) {
                    self.set_timer(RETRY, Timer::CatchUp(id.clone(), key));
                }
            }
        }
    }

    // ---- opening and closing ----------------------------------------------------------------------------------

    /// Subscribes to new rooms and reads where their logs stand: first the one, then the other, so that nothing falls
    /// between.
    fn start_opening(&mut self) {
        let closing = &self.closing;
        let rooms: Vec<RoomId> = self.to_open.extract_if(.., |id| !closing.contains(id)).collect();
        if rooms.is_empty() {
            return;
        }
        let node = self.node.clone();
        self.node.tasks.spawn(async move {
            let subscribed = node.subscribe_rooms(&rooms).await;
            let heads = node.backend.log.heads(&rooms).await;
            if let Some(first) = rooms.first().cloned() {
                node.hub
                    .tell(
                        &first,
                        ToShard::Opened {
                            rooms,
                            heads,
                            subscribed,
                        },
                    )
                    .await;
            }
        });
    }

    fn opened(&mut self, ids: &[RoomId], heads: Result<Vec<Head>, Unavailable>, subscribed: bool) {
        match heads {
            Ok(heads) => {
                if !subscribed {
                    self.set_timer(RETRY, Timer::Subscribe);
                }
                for (id, head) in ids.iter().zip(heads) {
                    self.open(id, head, subscribed);
                }
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot open rooms");
                for id in ids {
                    self.node.metrics.rooms.down();
                    let opening = self
                        .rooms
                        .remove(id)
                        .and_then(|room| room.opening)
                        .unwrap_or_default();
                    for attach in opening.waiting {
                        if let Some(reply) = attach.reply {
                            drop(reply.send(Err(Refusal::unavailable())));
                        }
                    }
                }
            }
        }
    }

    fn open(&mut self, id: &RoomId, head: Head, subscribed: bool) {
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        let Some(opening) = room.open(head, subscribed) else {
            return;
        };
        let mut out = Vec::new();
        for event in opening.early {
            room.sequencer.accept(event, &mut out);
        }
        for attach in opening.waiting {
            room.attach(attach, &self.node);
        }
        self.after_sequencer(out, Some(id.clone()), self.node.config.hold);
        self.count(id.clone());
        self.linger(id);
    }

    fn close_room(&mut self, id: &RoomId) {
        let unused = |room: &Room| room.opening.is_none() && room.members.is_empty() && room.ahead.is_empty();
        if self.rooms.get(id).is_some_and(unused)
            && let Some(mut room) = self.rooms.remove(id)
        {
            room.close(&self.node.metrics);
            self.node.metrics.rooms.down();
            self.end_subscription(id.clone());
            if self.rooms.capacity() > 1024 && self.rooms.len() < self.rooms.capacity() / 4 {
                self.rooms.shrink_to_fit();
            }
        }
    }

    fn end_subscription(&mut self, id: RoomId) {
        if id.is_reserved() {
            return;
        }
        self.closing.insert(id.clone());
        let node = self.node.clone();
        self.node.tasks.spawn(async move {
            node.unsubscribe_room(&id).await;
            node.hub.tell(&id.clone(), ToShard::Unsubscribed(id)).await;
        });
    }

    // ---- time -------------------------------------------------------------------------------------------------

    fn run_timers(&mut self) {
        let now = Instant::now();
        while let Some(entry) = self.timers.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Timer::Hold(id) => self.end_hold(&id, now),
                Timer::Typing(id) => self.end_typing(id, now),
                Timer::Linger(id) => self.close_room(&id),
                Timer::CatchUp(id, key) => {
                    if let Some(room) = self.rooms.get_mut(&id) {
                        room.catch_up(key, &self.node);
                    }
                }
                Timer::Subscribe => self.subscribe_again(),
                Timer::Counts => self.say_counts(),
            }
        }
    }

    fn end_hold(&mut self, id: &RoomId, now: Instant) {
        if let Some(after) = self.rooms.get_mut(id).and_then(|room| room.sequencer.expire(now)) {
            self.node.metrics.fills.inc();
            self.node.fill_hole(id.clone(), after);
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
            self.set_timer_at(next, Timer::Typing(id));
        }
    }

    fn subscribe_again(&mut self) {
        let missing: Vec<RoomId> = self
            .rooms
            .values()
            .filter(|room| room.opening.is_none() && !room.subscribed)
            .map(|r| r.id.clone())
            .collect();
        for id in &missing {
            if let Some(room) = self.rooms.get_mut(id) {
                // The answer says whether it worked; until then nobody asks again.
                room.subscribed = true;
            }
        }
        if missing.is_empty() {
            return;
        }
        let node = self.node.clone();
        self.node.tasks.spawn(async move {
            let subscribed = node.subscribe_rooms(&missing).await;
            let heads = node.backend.log.heads(&missing).await;
            if let Some(first) = missing.first().cloned() {
                node.hub
                    .tell(
                        &first,
                        ToShard::Resubscribed {
                            rooms: missing,
                            heads,
                            subscribed,
                        },
                    )
                    .await;
            }
        });
    }

    /// What was published before the subscription is in the log.
    fn resubscribed(&mut self, ids: &[RoomId], heads: Result<Vec<Head>, Unavailable>, subscribed: bool) {
        if !subscribed || heads.is_err() {
            for id in ids {
                if let Some(room) = self.rooms.get_mut(id) {
                    room.subscribed = false;
                }
            }
            self.set_timer(RETRY, Timer::Subscribe);
        }
        for (id, head) in ids.iter().zip(heads.unwrap_or_default()) {
            self.known(id, head.cursor.seq);
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
        let node = self.node.clone();
        self.node.tasks.spawn(async move {
            if let Err(error) = node.backend.presence.set_room_counts(&counts).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "cannot say room counts");
            }
        });
    }

    async fn hand_out(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for id in dirty.drain(..) {
            let Some(room) = self.rooms.get_mut(&id) else {
                continue;
            };
            let before = room.members.len();
            room.hand_out(&self.node).await;
            if room.members.len() != before {
                self.count(id.clone());
                self.linger(&id);
            }
        }
        self.dirty = dirty;
    }
}
