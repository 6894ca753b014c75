//! One device's messages to a room keep the order in which it sent them.
//!
//! A refused message takes its place when it is sent again. Where a connection ended before its answer came, nobody can
//! say whether that attempt was stored or refused; the answer to the next attempt tells: a repeat was stored before,
//! anything else is stored now. So these are out of order, and nothing else is:
//!
//! - a message that its first attempt stored, behind one that was first sent later;
//! - a message that its last attempt stored, behind one whose last attempt, which stored it too, came later.

use std::collections::{HashMap, HashSet};

use super::{Evidence, Violation};
use crate::client::history::{History, Room, What};

/// A message that was acknowledged.
struct Sent<'h> {
    client_id: &'h str,
    seq: u64,
    /// Among what the device wrote: its first attempt that may have been stored, and its last.
    first: usize,
    last: usize,
    by_first: bool,
    by_last: bool,
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
    let histories = evidence.histories.iter();
    histories.flat_map(|history| of_device(history, &twins)).collect()
}

fn of_device(history: &History, twins: &HashSet<&str>) -> Vec<Violation> {
    let mut attempts: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut sent: HashMap<Room, Vec<Sent<'_>>> = HashMap::new();
    for (n, entry) in history.entries.iter().enumerate() {
        match &entry.what {
            What::Sent { client_id, .. } if !twins.contains(client_id.as_str()) => {
                attempts.entry(client_id).or_default().push(n);
            }
            What::Refused { client_id, .. } => {
                if let Some(attempts) = attempts.get_mut(client_id.as_str()) {
                    attempts.pop();
                }
            }
            What::Acked {
                room,
                client_id,
                seq,
                duplicate,
                ..
            } => {
                let attempts = attempts.remove(client_id.as_str()).unwrap_or_default();
                let (Some(first), Some(last)) = (attempts.first(), attempts.last()) else {
                    continue;
                };
                sent.entry(*room).or_default().push(Sent {
                    client_id,
                    seq: *seq,
                    first: *first,
                    last: *last,
                    by_first: attempts.len() == if *duplicate { 2 } else { 1 },
                    by_last: !duplicate,
                });
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    for (room, mut messages) in sent {
        let mut tell = |message: &Sent<'_>, before: &Sent<'_>| {
            let what = format!(
                "{} is {}, and {}, sent before it, is {}",
                message.client_id, message.seq, before.client_id, before.seq
            );
            let violation = Violation::new("device-order", what).at(room, message.seq);
            found.push(violation.of(&history.device).about(before.client_id));
        };
        messages.sort_unstable_by_key(|message| message.first);
        out_of_order(
            messages.iter().map(|message| (message, message.by_first)),
            &mut tell,
        );
        messages.retain(|message| message.by_last);
        messages.sort_unstable_by_key(|message| message.last);
        out_of_order(messages.iter().map(|message| (message, true)), &mut tell);
    }
    found
}

/// Tells of every message that stands before one that was sent earlier, if that one's place is certain.
fn out_of_order<'s, 'h: 's>(
    messages: impl Iterator<Item = (&'s Sent<'h>, bool)>,
    tell: &mut impl FnMut(&Sent<'_>, &Sent<'_>),
) {
    let mut before: Option<&Sent<'_>> = None;
    for (message, is_certain) in messages {
        match before {
            Some(before) if before.seq > message.seq => tell(message, before),
            _ if is_certain => before = Some(message),
            _ => {}
        }
    }
}
