//! What each device was given.

use std::collections::{BTreeSet, HashMap};

use tokio::time::Duration;

use super::{Evidence, Violation};
use crate::client::history::{History, Mine, Room, Seen, Source, What};

pub(super) fn logged(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    for history in &evidence.histories {
        for seen in history.entries.iter().filter_map(|entry| event(&entry.what)) {
            let wrong = match evidence.truth.get(seen.room, seen.seq) {
                None => "there is no such event",
                Some(logged) if logged.id != seen.id => "another event stands there",
                // What was taken away since may have been delivered before.
                Some(logged) if logged.digest != seen.digest && !logged.erased => "it stands there otherwise",
                Some(_) => continue,
            };
            let what = format!("{} was delivered, and in the log {wrong}", seen.seq);
            found.push(
                Violation::new("logged", what)
                    .at(seen.room, seen.seq)
                    .of(&history.device),
            );
        }
    }
    found
}

fn event(what: &What) -> Option<Seen> {
    match what {
        What::Event { seen, .. } => Some(*seen),
        _ => None,
    }
}

pub(super) fn same_order(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut first: HashMap<(Room, u64), (u128, &str)> = HashMap::new();
    for history in &evidence.histories {
        for seen in history.entries.iter().filter_map(|entry| event(&entry.what)) {
            let (id, other) = *first
                .entry((seen.room, seen.seq))
                .or_insert((seen.id, &history.device));
            if id != seen.id {
                let what = format!(
                    "{} is one event for {other} and another for {}",
                    seen.seq, history.device
                );
                found.push(
                    Violation::new("same-order", what)
                        .at(seen.room, seen.seq)
                        .of(&history.device),
                );
            }
        }
    }
    found
}

/// What is wrong with an event in the stream of a subscription.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Repeat,
    Gap(u64),
    Unasked,
}

/// Walks the streams of a device: behind each cursor the next event is the next seq, unless the server has told a gap.
/// A stream ends with its connection, or with the event that ends the membership.
fn walk(history: &History, known: &Known, mut wrong: impl FnMut(Seen, Wrong)) {
    let mut next: HashMap<Room, u64> = HashMap::new();
    // When a room was asked for: an end of the membership that was known by then is replayed history.
    let mut asked: HashMap<Room, Duration> = HashMap::new();
    // So is one up to where the room stood when it was followed: only members may.
    let mut member_at: HashMap<Room, u64> = HashMap::new();
    for entry in &history.entries {
        match &entry.what {
            What::Lost { .. } => next.clear(),
            What::Asked { room } => {
                asked.insert(*room, entry.at);
            }
            What::Follows { room, after, head } => {
                next.insert(*room, after + 1);
                member_at.insert(*room, *head);
            }
            What::Gap { room, to, rewind, .. } => {
                if let Some(next) = next.get_mut(room) {
                    *next = if *rewind { to + 1 } else { (*next).max(to + 1) };
                }
            }
            What::Event {
                seen,
                source: Source::Pushed,
                mine,
            } => {
                match next.get_mut(&seen.room) {
                    None => wrong(*seen, Wrong::Unasked),
                    Some(next) => {
                        if seen.seq < *next {
                            wrong(*seen, Wrong::Repeat);
                        } else if seen.seq > *next {
                            wrong(*seen, Wrong::Gap(*next));
                        }
                        // One contradiction is told once.
                        *next = (*next).max(seen.seq + 1);
                    }
                }
                let key = (seen.room, seen.seq);
                let was_known = known.get(&key).is_some_and(|at| Some(at) < asked.get(&seen.room));
                let is_history = was_known || member_at.get(&seen.room).is_some_and(|head| seen.seq <= *head);
                if *mine == Mine::Ends && !is_history {
                    next.remove(&seen.room);
                }
            }
            _ => {}
        }
    }
}

/// When an event that ends a membership was seen first, by anybody, or acknowledged to whoever caused it.
type Known = HashMap<(Room, u64), Duration>;

fn ends_known(evidence: &Evidence) -> Known {
    let mut known = Known::new();
    for entry in evidence.histories.iter().flat_map(|history| &history.entries) {
        let (room, seq) = match &entry.what {
            What::Event { seen, .. } => (seen.room, seen.seq),
            What::Done { room, seq, .. } | What::Left { room, seq } => (*room, *seq),
            _ => continue,
        };
        let ends = |kind: &str| matches!(kind, "member_kicked" | "member_left");
        if evidence
            .truth
            .get(room, seq)
            .is_some_and(|logged| ends(&logged.kind))
        {
            let at = known.entry((room, seq)).or_insert(entry.at);
            *at = (*at).min(entry.at);
        }
    }
    known
}

fn of_streams(
    evidence: &Evidence,
    check: &'static str,
    tell: impl Fn(Seen, Wrong) -> Option<String>,
) -> Vec<Violation> {
    let mut found = Vec::new();
    let known = ends_known(evidence);
    for history in &evidence.histories {
        walk(history, &known, |seen, wrong| {
            if let Some(what) = tell(seen, wrong) {
                found.push(
                    Violation::new(check, what)
                        .at(seen.room, seen.seq)
                        .of(&history.device),
                );
            }
        });
    }
    found
}

pub(super) fn no_repeat(evidence: &Evidence) -> Vec<Violation> {
    of_streams(evidence, "no-repeat", |seen, wrong| {
        (wrong == Wrong::Repeat).then(|| format!("{} came again behind its cursor", seen.seq))
    })
}

pub(super) fn no_gap(evidence: &Evidence) -> Vec<Violation> {
    of_streams(evidence, "no-gap", |seen, wrong| match wrong {
        Wrong::Gap(expected) => Some(format!("{} came where {expected} was next", seen.seq)),
        _ => None,
    })
}

pub(super) fn after_kick(evidence: &Evidence) -> Vec<Violation> {
    of_streams(evidence, "after-kick", |seen, wrong| {
        (wrong == Wrong::Unasked).then(|| format!("{} came to a session that did not follow", seen.seq))
    })
}

pub(super) fn complete(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    for (history, stand) in evidence.histories.iter().zip(&evidence.stands) {
        let mut seen: HashMap<Room, BTreeSet<u64>> = HashMap::new();
        for event in history.entries.iter().filter_map(|entry| event(&entry.what)) {
            seen.entry(event.room).or_default().insert(event.seq);
        }
        for (room, first, at, _) in stand {
            let head = evidence.truth.head(*room);
            let of_room = seen.remove(room).unwrap_or_default();
            let missing = (*first..=head).find(|seq| !of_room.contains(seq));
            let what = match missing {
                Some(missing) => format!("{missing} was never delivered; the head is {head}"),
                None if *at != head => format!("it stands at {at}; the head is {head}"),
                None => continue,
            };
            let seq = missing.unwrap_or(head);
            found.push(
                Violation::new("complete", what)
                    .at(*room, seq)
                    .of(&history.device),
            );
        }
    }
    found
}
