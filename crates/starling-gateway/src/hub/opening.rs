//! Rooms come and go: a room opens with its first member, lingers after its last, and is subscribed to meanwhile.

use std::time::Duration;

use starling_core::{
    Refusal, RoomId,
    ports::{Head, Unavailable},
};

use super::{
    context::Ask,
    room::Room,
    shard::{RETRY, Shard},
    timers::Timer,
};
use crate::conn::Socket;

/// How long a room that is wanted waits for the bus: for its last subscription to end, or for the new one to be confirmed.
/// Somebody waits for the reply to their `join_room`, and a bus that is well answers within milliseconds; a link that hangs
/// is found dead only after seconds. Until the room has a subscription the sweep finds what is durable; what is ephemeral
/// is not heard.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

impl<K: Socket> Shard<K> {
    /// Somebody wants a room that is not open.
    pub(super) fn want(&mut self, id: RoomId) {
        let until = self.cx.now + PATIENCE;
        if self.closing.contains(&id) {
            self.timers.set(until, Timer::Open);
        }
        self.to_open.push((id, until));
    }

    /// Asks for rooms that are wanted. One whose last subscription is still being ended waits: the end must not come
    /// after the new beginning.
    pub(super) fn start_opening(&mut self) {
        let closing = &self.closing;
        let free = self.to_open.extract_if(.., |(id, _)| !closing.contains(id));
        let rooms = free.map(|(id, _)| id).collect();
        self.ask_to_open(rooms, true);
    }

    /// The end of their last subscription hangs: they open without a new one.
    pub(super) fn open_unheard(&mut self) {
        let now = self.cx.now;
        let late = self.to_open.extract_if(.., |(_, until)| *until <= now);
        let rooms = late.map(|(id, _)| id).collect();
        self.ask_to_open(rooms, false);
    }

    fn ask_to_open(&mut self, rooms: Vec<RoomId>, subscribe: bool) {
        if !rooms.is_empty() {
            self.cx.asks.push(Ask::Open { rooms, subscribe });
        }
    }

    pub(super) fn opened(&mut self, ids: &[RoomId], heads: Result<Vec<Head>, Unavailable>, subscribed: bool) {
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
                    self.cx.metrics.rooms.down();
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
                    self.end_subscription(id.clone());
                }
            }
        }
    }

    fn open(&mut self, id: &RoomId, head: Head, subscribed: bool) {
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        let Some(opening) = room.open(head, subscribed, &self.cx) else {
            return;
        };
        // The sweep does not say it again.
        room.sequencer.heard_of(opening.known);
        let mut out = Vec::new();
        for event in opening.early {
            room.sequencer.accept(event, &mut out);
        }
        for attach in opening.waiting {
            room.attach(attach, &mut self.cx);
        }
        self.after_sequencer(id, out, self.cx.settings.hold);
        self.count(id.clone());
        self.linger(id);
    }

    pub(super) fn close_room(&mut self, id: &RoomId) {
        let unused =
            |room: &Room<K>| room.opening.is_none() && room.members.is_empty() && room.ahead.is_empty();
        if self.rooms.get(id).is_some_and(unused)
            && let Some(mut room) = self.rooms.remove(id)
        {
            room.close(&self.cx.metrics);
            self.cx.metrics.rooms.down();
            self.end_subscription(id.clone());
            if self.rooms.capacity() > 1024 && self.rooms.len() < self.rooms.capacity() / 4 {
                self.rooms.shrink_to_fit();
            }
        }
    }

    fn end_subscription(&mut self, id: RoomId) {
        if !id.is_reserved() && self.closing.insert(id.clone()) && !self.subscribing.contains(&id) {
            self.cx.asks.push(Ask::Unsubscribe(id));
        }
    }

    /// A subscription is ended: where the room is open again, it can have a new one.
    pub(super) fn unsubscribed(&mut self, id: &RoomId) {
        self.closing.remove(id);
        if self
            .rooms
            .get(id)
            .is_some_and(|room| room.opening.is_none() && !room.subscribed)
        {
            self.subscribe_again();
        }
    }

    pub(super) fn subscribe_again(&mut self) {
        let is_missing = |room: &&Room<K>| {
            let is_changing = self.closing.contains(&room.id) || self.subscribing.contains(&room.id);
            room.opening.is_none() && !room.subscribed && !is_changing
        };
        let missing: Vec<RoomId> = self
            .rooms
            .values()
            .filter(is_missing)
            .map(|room| room.id.clone())
            .collect();
        if !missing.is_empty() {
            self.subscribing.extend(missing.iter().cloned());
            self.cx.asks.push(Ask::Resubscribe(missing));
        }
    }

    /// What was published before the subscription is in the log.
    pub(super) fn resubscribed(
        &mut self,
        ids: &[RoomId],
        heads: Result<Vec<Head>, Unavailable>,
        subscribed: bool,
    ) {
        let is_done = subscribed && heads.is_ok();
        if !is_done {
            self.set_timer(RETRY, Timer::Subscribe);
        }
        for id in ids {
            self.subscribing.remove(id);
            if self.closing.contains(id) {
                // It closed meanwhile: its end had to wait for this.
                self.cx.asks.push(Ask::Unsubscribe(id.clone()));
            } else if let Some(room) = self.rooms.get_mut(id) {
                room.subscribed = is_done;
            }
        }
        for (id, head) in ids.iter().zip(heads.unwrap_or_default()) {
            self.known(id, head.cursor.seq);
        }
    }
}
