//! Queues, memory, descriptors and connections.

use super::{Evidence, Violation};
use crate::world::vitals::{NodeVitals, Vitals};

/// Samples from which growth can be judged: ten minutes of them. Caches fill before.
const ENOUGH: usize = 120;
/// How much the last third of the samples may exceed the middle third: a tenth, and what an allocator keeps.
const SLACK: u64 = 8 << 20;

fn last(evidence: &Evidence) -> Option<&Vitals> {
    evidence.vitals.last()
}

fn nodes(vitals: &Vitals) -> impl Iterator<Item = (usize, Option<NodeVitals>)> {
    vitals.nodes.iter().copied().enumerate()
}

pub(super) fn queues(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    for (n, vitals) in last(evidence).into_iter().flat_map(nodes) {
        match vitals {
            None => found.push(Violation::new("queues", format!("node-{n} does not answer"))),
            Some(node) if node.outbox_bytes > 0 || node.lane_depth > 0 => {
                let what = format!(
                    "node-{n} holds {} bytes in outboxes and {} drafts in lanes",
                    node.outbox_bytes, node.lane_depth
                );
                found.push(Violation::new("queues", what));
            }
            Some(_) => {}
        }
    }
    found
}

pub(super) fn connections(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    let Some(vitals) = last(evidence) else {
        return found;
    };
    let limits = evidence.limits;
    let mut exceeds = |what: String, is: u64, most: u64| {
        if is > most {
            found.push(Violation::new(
                "connections",
                format!("{what}: {is}, at most {most} were expected"),
            ));
        }
    };
    let open = vitals.nodes.iter().flatten().map(|node| node.connections).sum();
    exceeds("sockets of clients".into(), open, limits.connections);
    exceeds(
        "clients of Redis".into(),
        vitals.redis_clients as u64,
        limits.redis_clients as u64,
    );
    let (backends, most) = (vitals.postgres_backends as u64, limits.postgres_backends as u64);
    exceeds("backends of Postgres".into(), backends, most);
    for (n, node) in nodes(vitals) {
        let Some(node) = node else { continue };
        let own = (node.descriptors as u64).saturating_sub(node.connections);
        exceeds(
            format!("descriptors of node-{n} beside its clients"),
            own,
            limits.descriptors as u64,
        );
    }
    found
}

pub(super) fn memory(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    let count = last(evidence).map_or(0, |vitals| vitals.nodes.len());
    for n in 0..count {
        let Some((before, after)) = thirds(&evidence.vitals, n) else {
            continue;
        };
        if after > before + before / 10 + SLACK {
            let mib = |bytes: u64| bytes >> 20;
            let what = format!("node-{n} held {} MiB, and later {} MiB", mib(before), mib(after));
            found.push(Violation::new("memory", what));
        }
    }
    found
}

/// The lowest tenth of the middle and of the last third of the samples of a node's present life, where there are enough.
/// What the allocator keeps after a burst comes and goes in steps; a leak raises the floor under all of them.
pub(crate) fn thirds(vitals: &[Vitals], n: usize) -> Option<(u64, u64)> {
    let of_node = |vitals: &Vitals| vitals.nodes.get(n).copied().flatten();
    let pid = vitals.iter().rev().find_map(of_node)?.pid;
    let samples: Vec<u64> = vitals
        .iter()
        .filter_map(of_node)
        .filter(|node| node.pid == pid)
        .map(|node| node.resident)
        .collect();
    if samples.len() < ENOUGH {
        return None;
    }
    let third = samples.len() / 3;
    let floor = |some: &[u64]| {
        let mut some = some.to_vec();
        some.sort_unstable();
        some[some.len() / 10]
    };
    Some((floor(&samples[third..2 * third]), floor(&samples[2 * third..])))
}
