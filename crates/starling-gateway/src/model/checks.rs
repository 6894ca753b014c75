//! What holds after every step, and what holds once nothing happens any more.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed, time::Duration};

use super::{
    client::State,
    node::{BOUNDS, RING},
    plan::{Heard, ROOMS, Works},
    session::OUTBOX,
    world::World,
};
use crate::metrics::Metrics;

/// Rounds in which everything that can go on goes on, before a run counts as one that never comes to rest.
const ROUNDS: usize = 400;

/// What happened, so that runs in which nothing happens do not count as proof.
#[derive(Debug, Default)]
pub(super) struct Seen {
    counts: BTreeMap<&'static str, u64>,
}

impl Seen {
    pub(super) fn note(&mut self, what: &'static str, count: u64) {
        *self.counts.entry(what).or_default() += count;
    }

    fn of(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or_default()
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (what, count) in &other.counts {
            self.note(what, *count);
        }
    }

    pub(super) fn assert_all_happened(&self) {
        for (what, count) in &self.counts {
            assert!(*count > 0, "{what} never happened: {self:?}");
        }
    }

    /// Takes over what a node has counted.
    pub(super) fn count(&mut self, metrics: &Metrics) {
        self.note("holes", metrics.holes.get());
        self.note("fills", metrics.fills.get());
        self.note("lost tails", metrics.lost_tails.get());
        self.note("gaps told", metrics.gaps_told.get());
        self.note("replayed from a ring", metrics.replayed_from_ring.get());
        self.note("replayed from the log", metrics.replayed_from_log.get());
        self.note("sockets that did not drain", metrics.lagged.get());
        self.note("deliveries", metrics.deliveries.get());
    }
}

impl World {
    /// Holds at every moment.
    pub(super) fn assert_sound(&self) {
        for node in &self.nodes {
            if node.is_quiet() {
                let mut subscribed = node.subscribed.iter();
                assert_eq!(
                    subscribed.find(|room| !node.shard.has(room)),
                    None,
                    "a subscription is left"
                );
            }
            node.shard.assert_sound(&BOUNDS, &RING);
            let outboxes = node.metrics.outbox_bytes.load(Relaxed);
            assert!(outboxes <= (OUTBOX.bytes * node.sessions.len().max(1) + 4096) as u64);
        }
    }

    /// The faults have stopped: lets everything go on until nothing is left to do. Where it is `lossy`, all that was on
    /// the bus is lost.
    pub(super) fn come_to_rest(&mut self, lossy: bool) {
        self.end_orphans();
        if lossy {
            self.nodes.iter_mut().for_each(|node| node.heard.clear());
        }
        let mut calm = 0;
        for _ in 0..ROUNDS {
            self.let_clients_go_on();
            self.let_nodes_go_on();
            self.now += Duration::from_millis(50);
            calm = if self.is_calm() { calm + 1 } else { 0 };
            // Long enough for a hold, a retry and two sweeps.
            if calm > 15 {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    pub(super) fn let_clients_go_on(&mut self) {
        for client in 0..self.clients.len() {
            self.connect(client, client % self.nodes.len());
            self.read(client);
            for room in 0..usize::from(ROOMS) {
                let known = &self.clients[client];
                if self.log.is_member(&known.rooms[room].id, &known.user) {
                    self.subscribe(client, room);
                }
            }
            for sent in 0..self.clients[client].sent.len() {
                let entry = &mut self.clients[client].sent[sent];
                // Once: the answer may still be on its way.
                if entry.is_late && entry.acked.is_none() && !entry.is_refused {
                    entry.is_late = false;
                    self.submit(client, sent);
                }
            }
        }
    }

    pub(super) fn let_nodes_go_on(&mut self) {
        for node in 0..self.nodes.len() {
            let entry = &mut self.nodes[node];
            while entry.hear(0, Heard::Once) {}
            entry.sweep(Works::Well, &self.log);
            entry.sweep(Works::Well, &self.log);
            self.flow(node);
        }
    }

    fn is_calm(&self) -> bool {
        let answered = |client: &super::client::Client| {
            client
                .sent
                .iter()
                .all(|sent| sent.acked.is_some() || sent.is_refused)
        };
        self.nodes.iter().all(super::node::Node::is_quiet) && self.clients.iter().all(answered)
    }

    /// Nothing acked is lost, nothing is missing, and nothing is left behind.
    pub(super) fn assert_at_rest(&mut self) {
        for client in &self.clients {
            let link = client.link.as_ref().expect("everybody is connected");
            for (known, state) in client.rooms.iter().zip(link.states) {
                if self.log.is_member(&known.id, &client.user) {
                    assert_eq!(state, State::Live, "{} follows {}", client.user, known.id);
                    known.assert_complete(&self.log);
                } else {
                    assert_ne!(state, State::Live, "{} is no member of {}", client.user, known.id);
                }
            }
        }
        for node in &self.nodes {
            node.shard.assert_whole();
            self.seen.count(&node.metrics);
        }
        let gaps = self.clients.iter().map(|client| client.gaps).sum::<u64>();
        assert!(
            gaps <= self.seen.of("gaps told"),
            "a gap was told and not counted"
        );
        self.seen.note(
            "events",
            self.clients
                .iter()
                .map(|client| client.rooms.iter().map(|room| room.len() as u64).sum::<u64>())
                .sum(),
        );
        self.assert_nothing_is_left();
    }

    /// Everybody goes: rooms close, subscriptions end, memory is given back.
    fn assert_nothing_is_left(&mut self) {
        for client in 0..self.clients.len() {
            self.cut(client);
        }
        for _ in 0..25 {
            self.let_nodes_go_on();
            self.now += Duration::from_millis(50);
        }
        for node in &self.nodes {
            assert_eq!(node.metrics.rooms.get(), 0, "rooms are open without members");
            assert_eq!(node.subscribed.iter().next(), None, "a subscription is left");
            assert_eq!(node.metrics.ring_bytes.load(Relaxed), 0, "rings are left");
            assert_eq!(node.metrics.outbox_bytes.load(Relaxed), 0, "outboxes are left");
        }
    }
}
