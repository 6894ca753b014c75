//! Members that are behind: clients that resume, and sockets that did not drain. Both get what they missed from the
//! ring, or else from the log, page by page as their socket takes it, and go live when nothing is missing.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use starling_core::{Cursor, RoomEvent};
use starling_protocol::event::{Gap, Lagging};

use super::{
    Attach, Attached, From,
    context::{Ask, Context},
    fanout::concat,
    room::{Member, Mode, Room},
    shared::SharedEvent,
};
use crate::{
    conn::{Class, Socket},
    metrics::Metrics,
};

/// Bytes written at once while catching up: what a socket's kernel buffer holds.
const CHUNK: usize = 32 << 10;

impl<K: Socket> Room<K> {
    /// Adds a session that begins where it asked, held until its reply is written. Where it is ahead of this node, the
    /// log is asked first: the node may be behind, or what the client saw was lost.
    pub(super) fn attach(&mut self, attach: Attach<K>, cx: &mut Context<K>) {
        if attach.from.seq() > self.head.seq {
            cx.asks.push(Ask::Head(attach));
        } else {
            self.admit(attach, cx);
        }
    }

    /// The log was asked for a session that is ahead of this node.
    pub(super) fn looked(&mut self, attach: Attach<K>, logged: u64, cx: &mut Context<K>) {
        if (self.head.seq + 1..=logged).contains(&attach.from.seq()) {
            self.ahead.push(attach);
        } else {
            self.admit(attach, cx);
        }
    }

    /// Adds the sessions that this node has reached.
    pub(super) fn admit_reached(&mut self, cx: &mut Context<K>) {
        if !self.ahead.is_empty() {
            let head = self.head.seq;
            let (reached, ahead) = std::mem::take(&mut self.ahead)
                .into_iter()
                .partition(|attach| attach.from.seq() <= head);
            self.ahead = ahead;
            let reached: Vec<Attach<K>> = reached;
            for attach in reached {
                self.admit(attach, cx);
            }
        }
    }

    fn admit(&mut self, attach: Attach<K>, cx: &mut Context<K>) {
        let Attach {
            session,
            from,
            since,
            reply,
            ..
        } = attach;
        if session.is_ended() {
            return;
        }
        session.share_room(&self.id);
        let key = session.conn.key;
        let is_present = self.members.get_mut(key).is_some();
        let mode = match reply {
            Some(_) => Mode::Attached,
            None => Mode::Held,
        };
        let head = self.head;
        let mut attached = Attached {
            head,
            limited: false,
            gap: None,
            local_users: 0,
            reported_users: self.reported,
        };
        match (from, is_present) {
            // It follows already: nothing else changes.
            (From::Head | From::After(_), true) => {
                if let Some(member) = self.members.get_mut(key) {
                    member.since = member.since.max(since);
                }
            }
            (From::Head, false) => {
                self.members
                    .put(Member::new(session, head.seq, mode(None), since));
            }
            (From::After(seq), false) => {
                let pos = seq.max(session.told_to(&self.id)).min(head.seq);
                self.members.put(Member::new(session, pos, mode(None), since));
            }
            (From::Cursor(cursor), _) => {
                let start = self.start_at(cursor, &session.replay_budget, cx);
                attached.limited = start.limited;
                attached.gap = start.gap;
                self.members
                    .put(Member::new(session, start.pos, mode(start.prove), since));
            }
        }
        attached.local_users = self.members.users();
        match reply {
            Some(reply) => {
                // The asker is gone: its session has ended, or will detach.
                drop(reply.send(Ok(attached)));
            }
            None => self.catch_up(key, cx),
        }
    }

    /// Where a client with this cursor begins, and what it must be told.
    fn start_at(&self, cursor: Cursor, budget: &AtomicI64, cx: &Context<K>) -> Start {
        let head = self.head;
        let gap = |from: u64, to: u64, rewind_to: Option<u64>| {
            cx.metrics.gaps_told.inc();
            Some(Gap {
                room_id: self.id.clone(),
                from,
                to,
                rewind_to,
                cursor: head,
            })
        };
        if cursor.seq > head.seq || (cursor.seq == head.seq && cursor.tag != head.tag) {
            // The client saw events that are not in the log: a failover lost them, or the cursor is forged.
            let common = if cursor.seq > head.seq {
                head.seq
            } else {
                self.min_seq - 1
            };
            return Start {
                pos: head.seq,
                prove: None,
                limited: false,
                gap: gap(common + 1, head.seq, Some(common)),
            };
        }
        let missed = head.seq - cursor.seq;
        let allowed = cx.settings.replay_events_per_room;
        if missed > allowed || !take_from(budget, missed) {
            return Start {
                pos: head.seq,
                prove: None,
                limited: true,
                gap: gap(cursor.seq + 1, head.seq, None),
            };
        }
        if cursor.seq + 1 < self.min_seq {
            // Retention has removed the beginning of what was missed.
            let first = self.min_seq - 1;
            return Start {
                pos: first,
                prove: None,
                limited: false,
                gap: gap(cursor.seq + 1, first, None),
            };
        }
        let proven = cursor.seq == head.seq || cursor.seq == 0;
        match self.ring.get(cursor.seq) {
            Some(event) if event.event.cursor() != cursor => {
                let common = self.min_seq - 1;
                Start {
                    pos: head.seq,
                    prove: None,
                    limited: false,
                    gap: gap(common + 1, head.seq, Some(common)),
                }
            }
            Some(_) => Start {
                pos: cursor.seq,
                prove: None,
                limited: false,
                gap: None,
            },
            None => Start {
                pos: cursor.seq,
                prove: (!proven).then_some(cursor),
                limited: false,
                gap: None,
            },
        }
    }

    /// The reply to a member is written. `false` when it is a member no more: that is told now.
    pub(super) fn activate(&mut self, key: u64, cx: &mut Context<K>) -> bool {
        let Some(member) = self.members.get_mut(key) else {
            return true;
        };
        match &member.mode {
            Mode::Attached(prove) => member.mode = Mode::Held(*prove),
            Mode::Ended(event) => {
                let event = event.clone();
                self.end_membership(key, &event, &cx.metrics);
                return false;
            }
            _ => {}
        }
        self.catch_up(key, cx);
        true
    }

    /// A member's socket has drained.
    pub(super) fn resume(&mut self, key: u64, cx: &mut Context<K>) {
        if let Some(member) = self.members.get_mut(key)
            && let Mode::Lagging = member.mode
        {
            member.mode = Mode::Held(None);
        }
        self.catch_up(key, cx);
    }

    /// Gives a member what it has missed, as far as its socket takes it now.
    pub(super) fn catch_up(&mut self, key: u64, cx: &mut Context<K>) {
        loop {
            let handed = self.handed.seq;
            let Some(member) = self.members.get_mut(key) else {
                return;
            };
            let prove = match member.mode {
                Mode::Attached(_) | Mode::Ended(_) | Mode::Reading(_) => return,
                Mode::Held(prove) => prove,
                Mode::Live | Mode::Lagging => None,
            };
            if prove.is_none() && member.pos >= handed {
                member.mode = Mode::Live;
                return;
            }
            let events: Option<Vec<_>> = match prove {
                None => self.ring.from(member.pos + 1).map(|events| {
                    events
                        .take_while(|event| event.seq() <= handed)
                        .cloned()
                        .collect()
                }),
                Some(_) => None,
            };
            let Some(events) = events else {
                // One more event is read where the cursor has to be proven: the one that it names.
                let after = prove.map_or(member.pos, |cursor| cursor.seq - 1);
                member.mode = Mode::Reading(prove);
                self.read_for(key, after, cx);
                return;
            };
            cx.metrics.replayed_from_ring.add(events.len() as u64);
            if !give(member, &events) && !lag(member, &self.id) {
                return;
            }
        }
    }

    /// Asks for a page of the log; members that want the same page share one read.
    fn read_for(&mut self, key: u64, after: u64, cx: &mut Context<K>) {
        let waiting = self.reads.entry(after).or_default();
        waiting.push(key);
        if waiting.len() == 1 {
            cx.asks.push(Ask::Page {
                room: self.id.clone(),
                after,
                limit: cx.settings.bounds.page,
            });
        }
    }

    /// A page of the log is here.
    pub(super) fn page(&mut self, after: u64, events: Vec<RoomEvent>, cx: &mut Context<K>) {
        let events: Vec<_> = events.into_iter().map(SharedEvent::foreign).collect();
        for key in self.reads.remove(&after).unwrap_or_default() {
            cx.metrics.replayed_from_log.add(events.len() as u64);
            self.page_for(key, after, &events, cx);
        }
    }

    /// The log could not be read: those who waited try again with the next tick.
    pub(super) fn page_failed(&mut self, after: u64) -> Vec<u64> {
        let keys = self.reads.remove(&after).unwrap_or_default();
        for key in &keys {
            if let Some(member) = self.members.get_mut(*key)
                && let Mode::Reading(prove) = member.mode
            {
                member.mode = Mode::Held(prove);
            }
        }
        keys
    }

    fn page_for(&mut self, key: u64, after: u64, events: &[Arc<SharedEvent>], cx: &mut Context<K>) {
        let (handed, min_seq) = (self.handed, self.min_seq);
        let Some(member) = self.members.get_mut(key) else {
            return;
        };
        let Mode::Reading(prove) = member.mode else { return };
        let mut events = events;
        if let Some(cursor) = prove {
            if after + 1 != cursor.seq {
                // It was given another place in the meantime.
                member.mode = Mode::Held(prove);
                return self.catch_up(key, cx);
            }
            let named = events.first().map(|event| event.event.cursor());
            if named != Some(cursor) {
                let common = min_seq - 1;
                let gap = Gap {
                    room_id: self.id.clone(),
                    from: common + 1,
                    to: handed.seq,
                    rewind_to: Some(common),
                    cursor: handed,
                };
                member.tell_gap(&gap, &cx.metrics);
                (member.pos, member.mode) = (handed.seq, Mode::Held(None));
                return self.catch_up(key, cx);
            }
            events = &events[1..];
        } else if member.pos != after {
            // It was given another place in the meantime.
            member.mode = Mode::Held(None);
            return self.catch_up(key, cx);
        }
        member.mode = Mode::Held(None);
        let first = events.first().map(|event| event.seq());
        let found_to = first.map_or(handed.seq, |first| handed.seq.min(first - 1));
        if found_to > member.pos && (first.is_some() || prove.is_none()) {
            // Retention removed what was between.
            let from = member.pos + 1;
            let gap = Gap {
                room_id: self.id.clone(),
                from,
                to: found_to,
                rewind_to: None,
                cursor: handed,
            };
            member.tell_gap(&gap, &cx.metrics);
            member.pos = found_to;
        }
        // The log may be ahead of what was handed out.
        let events = &events[..events.partition_point(|event| event.seq() <= handed.seq)];
        if give(member, events) || lag(member, &self.id) {
            self.catch_up(key, cx);
        }
    }

    /// A member's socket refused something in this pass.
    pub(super) fn refused(&mut self, key: u64, cx: &mut Context<K>) {
        cx.metrics.lagged.inc();
        if self
            .members
            .get_mut(key)
            .is_some_and(|member| lag(member, &self.id))
        {
            self.catch_up(key, cx);
        }
    }
}

impl<K: Socket> Member<K> {
    /// Says what it is not given.
    pub(super) fn tell_gap(&self, gap: &Gap, metrics: &Metrics) {
        metrics.gaps_told.inc();
        self.conn.send_event("gap", gap, Class::Reply);
    }
}

/// Takes so many events from a connection's budget, or, where it holds fewer, none: what fits still fits then.
fn take_from(budget: &AtomicI64, missed: u64) -> bool {
    let missed = i64::try_from(missed).unwrap_or(i64::MAX);
    budget
        .fetch_update(Relaxed, Relaxed, |left| (left >= missed).then(|| left - missed))
        .is_ok()
}

struct Start {
    pos: u64,
    /// A cursor that the log has to prove.
    prove: Option<Cursor>,
    limited: bool,
    gap: Option<Gap>,
}

/// Writes events in chunks; `false` when the socket refused one.
fn give<K: Socket>(member: &mut Member<K>, events: &[Arc<SharedEvent>]) -> bool {
    let conn = &member.conn;
    let most = CHUNK.min(conn.write_bytes());
    let mut rest = events;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |event: &&Arc<SharedEvent>| {
            bytes += event.frame(conn.codec).len();
            bytes <= most
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let (chunk, behind) = rest.split_at(count);
        let wanted: Vec<_> = chunk
            .iter()
            .filter(|event| event.skip != Some(conn.key))
            .collect();
        let frames = || wanted.iter().map(|event| event.frame(conn.codec));
        let parts = frames().map(|frame| (frame, Class::Durable));
        if let Err(refused) = conn.send_batch(&concat(frames()), parts) {
            if let Some(given) = refused.checked_sub(1).and_then(|n| wanted.get(n)) {
                member.pos = given.seq();
            }
            return false;
        }
        if let Some(last) = chunk.last() {
            member.pos = last.seq();
        }
        rest = behind;
    }
    true
}

/// Leaves the rest to the log until the socket has drained; `true` when it has drained already.
fn lag<K: Socket>(member: &mut Member<K>, room: &starling_core::RoomId) -> bool {
    member.mode = Mode::Lagging;
    let session = &member.session;
    if session.lag(room) {
        session.conn.send_event(
            "lagging",
            &Lagging {
                room_ids: vec![room.clone()],
            },
            Class::Reply,
        );
    }
    // It may have drained before the room was on its list: then nobody else will come back to it.
    let drained = session.conn.is_drained() && session.unlag(room);
    if drained {
        member.mode = Mode::Held(None);
    }
    drained
}
