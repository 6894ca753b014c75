//! Handing what is pending to the members of a room.
//!
//! All pending frames of a room are concatenated once for each codec and go to each member by one write; only a member
//! whose socket does not drain is looked at frame by frame.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use starling_core::{Cursor, EventBody, Timestamp, UserId};
use starling_protocol::{Codec, event::Gap};
use tokio::time::Instant;

use super::{
    context::Context,
    room::{Item, Mode, Room},
    shared::SharedEvent,
};
use crate::{
    conn::{Class, Socket},
    metrics::Metrics,
};

/// Bytes concatenated for one write at most: about what the kernel takes at once.
const MAX_WRITE: usize = 64 << 10;
/// Sends before other tasks of this thread get a turn: about a millisecond.
const SENDS_A_TURN: usize = 200;

/// A moment, by both clocks: the one of this process, and the one that all nodes go by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    pub(crate) at: Timestamp,
}

impl Item {
    fn frame(&self, codec: Codec) -> &Bytes {
        match self {
            Self::Durable(event) => event.frame(codec),
            Self::Ephemeral(frame) => frame.frame(codec),
        }
    }

    fn skip(&self) -> Option<u64> {
        match self {
            Self::Durable(event) => event.skip,
            Self::Ephemeral(frame) => frame.skip,
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Durable(_) => Class::Durable,
            Self::Ephemeral(_) => Class::Ephemeral,
        }
    }

    fn seq(&self) -> Option<u64> {
        match self {
            Self::Durable(event) => Some(event.seq()),
            Self::Ephemeral(_) => None,
        }
    }
}

/// Items that go out by one write: see [`Batch::take`].
struct Batch<'a> {
    items: &'a [Item],
    first: Option<u64>,
    last: Option<u64>,
    has_skip: bool,
    whole: [Option<Bytes>; 2],
}

impl<'a> Batch<'a> {
    /// Takes the longest run that fits one write and ends with an event after which somebody is no member any more:
    /// they get that event and nothing behind it.
    fn take(items: &mut &'a [Item], most: usize) -> Self {
        let mut bytes = 0;
        let mut count = 0;
        for item in *items {
            bytes += item.frame(Codec::Json).len();
            if count > 0 && bytes > most {
                break;
            }
            count += 1;
            if matches!(item, Item::Durable(event) if ends_membership(event)) {
                break;
            }
        }
        let (run, rest) = items.split_at(count);
        *items = rest;
        Self {
            items: run,
            first: run.iter().find_map(Item::seq),
            last: run.iter().rev().find_map(Item::seq),
            has_skip: run.iter().any(|item| item.skip().is_some()),
            whole: [None, None],
        }
    }

    fn last_cursor(&self) -> Option<Cursor> {
        self.items.iter().rev().find_map(|item| match item {
            Item::Durable(event) => Some(event.event.cursor()),
            Item::Ephemeral(_) => None,
        })
    }

    fn whole(&mut self, codec: Codec) -> &Bytes {
        let items = self.items;
        self.whole[codec.index()].get_or_insert_with(|| match items {
            [only] => only.frame(codec).clone(),
            _ => concat(items.iter().map(|item| item.frame(codec))),
        })
    }

    fn wants_all(&self, key: u64, pos: u64) -> bool {
        let aligned = self.first.is_none_or(|first| pos + 1 == first);
        aligned && !(self.has_skip && self.items.iter().any(|item| item.skip() == Some(key)))
    }
}

/// One buffer out of many.
pub(super) fn concat<'a>(frames: impl Iterator<Item = &'a Bytes> + Clone) -> Bytes {
    let mut out = BytesMut::with_capacity(frames.clone().map(Bytes::len).sum());
    for frame in frames {
        out.extend_from_slice(frame);
    }
    out.freeze()
}

impl<K: Socket> Room<K> {
    /// Hands out what is pending. It waits for nothing, but gives way to other tasks.
    pub(super) async fn hand_out(&mut self, cx: &mut Context<K>, clock: impl Fn() -> Moment) {
        let pending = std::mem::take(&mut self.pending);
        let mut rest = &pending[..];
        let most = MAX_WRITE.min(cx.settings.outbox.write());
        let mut turn = 0;
        while !rest.is_empty() {
            let mut batch = Batch::take(&mut rest, most);
            note_latency(&batch, clock(), &cx.metrics);
            let (mut delivered, mut refused) = (0, Vec::new());
            for at in 0..self.members.len() {
                delivered += self.hand_to(at, &mut batch, &mut refused);
                turn += 1;
                if turn % SENDS_A_TURN == 0 {
                    tokio::task::yield_now().await;
                }
            }
            cx.metrics.deliveries.add(delivered);
            self.note_traces(&batch, cx);
            self.handed = batch.last_cursor().unwrap_or(self.handed);
            for key in refused {
                self.refused(key, cx);
            }
            if let Some(Item::Durable(event)) = batch.items.last() {
                self.end_memberships(event, &cx.metrics);
            }
        }
        if self.pending.capacity() == 0 {
            // Keep the allocation of a busy room, give back that of a burst.
            self.pending = pending;
            self.pending.clear();
            self.pending.shrink_to(64);
        }
    }

    /// Hands a batch to one member; how many frames it took.
    fn hand_to(&mut self, at: usize, batch: &mut Batch<'_>, slow: &mut Vec<u64>) -> u64 {
        let Some(member) = self.members.at_mut(at) else {
            return 0;
        };
        if !matches!(member.mode, Mode::Live) {
            return 0;
        }
        let conn = &member.conn;
        let codec = conn.codec;
        let (key, pos) = (conn.key, member.pos);
        let sent = if batch.wants_all(key, pos) {
            batch.whole(codec);
            let parts = batch.items.iter().map(|item| (item.frame(codec), item.class()));
            match &batch.whole[codec.index()] {
                Some(whole) => conn.send_batch(whole, parts),
                None => Ok(()),
            }
        } else {
            let wanted = |item: &&Item| item.skip() != Some(key) && item.seq().is_none_or(|seq| seq > pos);
            let chosen: Vec<&Item> = batch.items.iter().filter(wanted).collect();
            let whole = concat(chosen.iter().map(|item| item.frame(codec)));
            let parts = chosen.iter().map(|item| (item.frame(codec), item.class()));
            let sent = if chosen.is_empty() {
                Ok(())
            } else {
                conn.send_batch(&whole, parts)
            };
            // Counted in the whole batch, so that the seq below is found.
            sent.map_err(|n| {
                batch
                    .items
                    .iter()
                    .position(|item| std::ptr::eq(item, chosen[n]))
                    .unwrap_or(0)
            })
        };
        match sent {
            Ok(()) => {
                member.pos = batch.last.map_or(pos, |last| last.max(pos));
                batch.items.len() as u64
            }
            Err(refused) => {
                let given = batch.items[..refused].iter().rev().find_map(Item::seq);
                member.pos = given.map_or(pos, |seq| seq.max(pos));
                member.mode = Mode::Lagging;
                slow.push(key);
                refused as u64
            }
        }
    }

    fn note_traces(&self, batch: &Batch<'_>, cx: &Context<K>) {
        let Some(traces) = &cx.settings.traces else {
            return;
        };
        for item in batch.items {
            if let Item::Durable(event) = item
                && let Some(hop) = &event.hop
            {
                traces.fanned_out(hop, self.members.len());
            }
        }
    }

    /// Ends what the event ends, after everybody got it.
    fn end_memberships(&mut self, event: &Arc<SharedEvent>, metrics: &Metrics) {
        let keys = match gone(&event.event.body) {
            Gone::Nobody => return,
            Gone::User(user) => self.members.keys_of(user),
            Gone::Everybody => self.members.keys(),
        };
        for key in keys {
            match self.members.get_mut(key) {
                // They have come back since, by way of a node that was ahead of this one.
                Some(member) if member.since >= event.seq() => {}
                // What they are told comes behind the reply that they wait for.
                Some(member) if matches!(member.mode, Mode::Attached(_)) => {
                    member.mode = Mode::Ended(event.clone());
                }
                Some(member) if matches!(member.mode, Mode::Ended(_)) => {}
                _ => self.end_membership(key, event, metrics),
            }
        }
    }

    /// Ends what a member has here by an event.
    pub(super) fn end_membership(&mut self, key: u64, event: &SharedEvent, metrics: &Metrics) {
        if let Some(member) = self.remove(key) {
            member.session.forget_room(&self.id);
            if !matches!(member.mode, Mode::Live) {
                // What they were behind with is theirs no more; that it was left out, and that it ended, is.
                let conn = &member.conn;
                let (from, to) = (member.pos + 1, event.seq() - 1);
                if from <= to {
                    let gap = Gap {
                        room_id: self.id.clone(),
                        from,
                        to,
                        rewind_to: None,
                        cursor: event.event.cursor(),
                    };
                    member.tell_gap(&gap, metrics);
                }
                conn.send(event.frame(conn.codec), Class::Reply);
            }
        }
    }
}

fn note_latency(batch: &Batch<'_>, now: Moment, metrics: &Metrics) {
    for item in batch.items {
        if let Item::Durable(event) = item
            && matches!(event.event.body, EventBody::MessageCreated(_))
        {
            metrics.send_to_deliver.record(match event.accepted {
                Some(at) => now.instant - at,
                None => now.at.since(event.event.at),
            });
        }
    }
}

enum Gone<'a> {
    Nobody,
    User(&'a UserId),
    Everybody,
}

fn gone(body: &EventBody) -> Gone<'_> {
    match body {
        EventBody::MemberLeft(who) | EventBody::MemberKicked(who) => Gone::User(&who.user_id),
        EventBody::MemberBanned(who) => Gone::User(&who.user_id),
        EventBody::RoomDeleted(_) => Gone::Everybody,
        _ => Gone::Nobody,
    }
}

fn ends_membership(event: &SharedEvent) -> bool {
    !matches!(gone(&event.event.body), Gone::Nobody)
}
