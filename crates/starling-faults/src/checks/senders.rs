//! One device's messages to a room keep the order in which it sent them.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Evidence, Violation};
use crate::client::history::{History, Room, What};

/// A message on its way.
#[derive(Default)]
struct Way {
    /// Its place among what the device sent: when it was written first, or, after a refusal, again.
    place: Option<usize>,
    /// Attempts since the last refusal whose answer never came.
    unanswered: u32,
    /// Refused after an attempt without an answer: whether that attempt is still under way, nobody can say.
    ambiguous: bool,
}

pub(super) fn in_order(evidence: &Evidence) -> Vec<Violation> {
    // What two devices send at once has no order.
    let twins: HashSet<&str> = evidence
        .histories
        .iter()
        .flat_map(|history| &history.entries)
        .filter_map(|entry| match &entry.what {
            What::Sent {
                client_id,
                twin: true,
                ..
            } => Some(client_id.as_str()),
            _ => None,
        })
        .collect();
    evidence
        .histories
        .iter()
        .flat_map(|history| of_device(history, &twins))
        .collect()
}

fn of_device(history: &History, twins: &HashSet<&str>) -> Vec<Violation> {
    let mut ways: HashMap<&str, Way> = HashMap::new();
    let mut sent: HashMap<Room, BTreeMap<usize, (&str, u64)>> = HashMap::new();
    for (n, entry) in history.entries.iter().enumerate() {
        match &entry.what {
            What::Sent { client_id, .. } if !twins.contains(client_id.as_str()) => {
                let way = ways.entry(client_id).or_default();
                way.place.get_or_insert(n);
                way.unanswered += 1;
            }
            What::Refused { client_id, .. } => {
                if let Some(way) = ways.get_mut(client_id.as_str()) {
                    way.ambiguous |= way.unanswered > 1;
                    (way.place, way.unanswered) = (None, 0);
                }
            }
            What::Acked {
                room, client_id, seq, ..
            } => {
                if let Some(Way {
                    place: Some(place),
                    ambiguous: false,
                    ..
                }) = ways.remove(client_id.as_str())
                {
                    sent.entry(*room).or_default().insert(place, (client_id, *seq));
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    for (room, messages) in sent {
        let mut before: Option<(&str, u64)> = None;
        for (client_id, seq) in messages.into_values() {
            match before {
                Some((earlier, its)) if seq < its => {
                    let what = format!("{client_id} is {seq}, and {earlier}, sent before it, is {its}");
                    found.push(
                        Violation::new("device-order", what)
                            .at(room, seq)
                            .of(&history.device)
                            .about(client_id),
                    );
                }
                _ => before = Some((client_id, seq)),
            }
        }
    }
    found
}
