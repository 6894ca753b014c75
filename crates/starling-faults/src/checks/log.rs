//! The log itself.

use std::collections::HashMap;

use super::{Evidence, Violation};
use crate::client::history::{Room, What};

pub(super) fn acked(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    for history in &evidence.histories {
        for entry in &history.entries {
            let (room, seq, wrong) = match &entry.what {
                What::Acked {
                    room,
                    client_id,
                    seq,
                    id,
                    ..
                } => {
                    let wrong = match evidence.truth.get(*room, *seq) {
                        None => Some("there is no such event".to_owned()),
                        Some(logged) if logged.id != *id || logged.client_id != *client_id => {
                            Some(format!("there stands {} by {}", logged.client_id, logged.sender))
                        }
                        Some(logged) if logged.sender != history.user => {
                            Some(format!("it is {}'s", logged.sender))
                        }
                        Some(_) => None,
                    };
                    (*room, *seq, wrong.map(|wrong| (client_id.as_str(), wrong)))
                }
                What::Done { room, kind, seq } => {
                    let stands = evidence.truth.get(*room, *seq).map(|logged| logged.kind.as_str());
                    let wrong = (stands != Some(kind_of(kind))).then(|| format!("there stands {stands:?}"));
                    (*room, *seq, wrong.map(|wrong| (*kind, wrong)))
                }
                _ => continue,
            };
            if let Some((what, wrong)) = wrong {
                let what = format!("{what} was acknowledged as {seq}, and {wrong}");
                found.push(Violation::new("acked", what).at(room, seq).of(&history.device));
            }
        }
    }
    found
}

/// The event that a command becomes.
fn kind_of(command: &str) -> &str {
    match command {
        "edit_message" => "message_updated",
        "delete_message" => "message_deleted",
        "add_reaction" => "reaction_added",
        "remove_reaction" => "reaction_removed",
        "kick" => "member_kicked",
        other => other,
    }
}

pub(super) fn once(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    for (room, events) in evidence.truth.rooms.iter().enumerate() {
        let room = Room::try_from(room).unwrap_or(Room::MAX);
        let mut first: HashMap<(&str, &str), u64> = HashMap::new();
        for event in events.iter().filter(|event| !event.client_id.is_empty()) {
            let key = (event.sender.as_str(), event.client_id.as_str());
            if let Some(earlier) = first.insert(key, event.seq) {
                let what = format!(
                    "{} was appended as {earlier} and as {}",
                    event.client_id, event.seq
                );
                found.push(
                    Violation::new("once", what)
                        .at(room, event.seq)
                        .about(&event.client_id),
                );
            }
        }
    }
    let mut told: HashMap<(Room, &str, &str), u64> = HashMap::new();
    for history in &evidence.histories {
        for entry in &history.entries {
            if let What::Acked {
                room, client_id, seq, ..
            } = &entry.what
            {
                let earlier = *told.entry((*room, &history.user, client_id)).or_insert(*seq);
                if earlier != *seq {
                    let what = format!("{client_id} was acknowledged as {earlier} and as {seq}");
                    found.push(Violation::new("once", what).at(*room, *seq).about(client_id));
                }
            }
        }
    }
    found
}

pub(super) fn dense(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    for (room, events) in evidence.truth.rooms.iter().enumerate() {
        let room = Room::try_from(room).unwrap_or(Room::MAX);
        for (expected, event) in (1..).zip(events) {
            if event.seq != expected {
                let what = format!("{expected} is missing: {} stands in its place", event.seq);
                found.push(Violation::new("dense", what).at(room, expected));
                break;
            }
        }
    }
    found
}
