//! What follows from the log: messages as built up, unread counts, presence.

use std::collections::HashMap;

use super::{Evidence, Violation};
use crate::client::history::{Room, What};

pub(super) fn rebuilt(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    for (history, stand) in evidence.histories.iter().zip(&evidence.stands) {
        for (room, first, _, model) in stand {
            let (Some(model), Some(fresh)) = (model, evidence.fresh.get(usize::from(*room))) else {
                continue;
            };
            let differs = fresh
                .messages
                .range(first..)
                .find(|(seq, message)| model.messages.get(*seq) != Some(*message))
                .map(|(seq, message)| (*seq, format!("it is {message:?}")));
            let extra = model
                .messages
                .keys()
                .find(|seq| !fresh.messages.contains_key(*seq))
                .map(|seq| (*seq, "it does not exist".to_owned()));
            if let Some((seq, wrong)) = differs.or(extra) {
                let built = model.messages.get(&seq);
                let what = format!("message {seq} was built up as {built:?}, and {wrong}");
                found.push(Violation::new("state", what).at(*room, seq).of(&history.device));
            }
        }
    }
    found
}

pub(super) fn unread(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    for (user, room, unread, mentions) in &evidence.unread {
        let Some(member) = evidence.truth.members.get(&(*room, user.clone())) else {
            continue;
        };
        let since = member.read_seq.max(member.joined_seq);
        let events = evidence.truth.rooms.get(usize::from(*room)).into_iter().flatten();
        let left: Vec<_> = events
            .filter(|event| event.kind == "message_created" && event.seq > since)
            .filter(|event| event.sender != *user && !event.erased)
            .collect();
        let mentioning = left.iter().filter(|event| event.mentions.contains(user)).count() as u64;
        if (left.len() as u64, mentioning) != (*unread, *mentions) {
            let what = format!(
                "{user} is told of {unread} unread and {mentions} mentions behind {since}; there are {} and {mentioning}",
                left.len()
            );
            found.push(Violation::new("unread", what).at(*room, since));
        }
    }
    let mut marked: HashMap<(Room, &str), u64> = HashMap::new();
    for history in &evidence.histories {
        for entry in &history.entries {
            if let What::Marked { room, seq } = &entry.what {
                let most = marked.entry((*room, &history.user)).or_default();
                *most = (*most).max(*seq);
            }
        }
    }
    for ((room, user), seq) in marked {
        let stands = evidence.truth.members.get(&(room, user.to_owned()));
        if stands.is_none_or(|member| member.read_seq < seq) {
            let what = format!("{user} was told that {seq} is read, and the marker is {stands:?}");
            found.push(Violation::new("unread", what).at(room, seq));
        }
    }
    found
}

pub(super) fn presence(evidence: &Evidence) -> Vec<Violation> {
    evidence
        .presence
        .iter()
        .filter(|(_, _, status)| status == "offline")
        .map(|(node, user, _)| {
            Violation::new("presence", format!("{user} is connected, and offline for {node}"))
        })
        .collect()
}
