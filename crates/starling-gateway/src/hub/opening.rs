//! Rooms come and go: a room opens with its first member, lingers after its last, and is subscribed to meanwhile.

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

impl<K: Socket> Shard<K> {
    /// Asks for rooms that are wanted, but for those whose last subscription is still being ended.
    pub(super) fn start_opening(&mut self) {
        let closing = &self.closing;
        let rooms: Vec<RoomId> = self.to_open.extract_if(.., |id| !closing.contains(id)).collect();
        if !rooms.is_empty() {
            self.cx.asks.push(Ask::Open(rooms));
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
        if !id.is_reserved() {
            self.closing.insert(id.clone());
            self.cx.asks.push(Ask::Unsubscribe(id));
        }
    }

    pub(super) fn subscribe_again(&mut self) {
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
        if !missing.is_empty() {
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
}
