//! The account of durable delivery: each acknowledged message is an element that must come to every device that
//! follows the room, as in the set-full check of Jepsen's tests.

use std::collections::HashMap;

use hdrhistogram::Histogram;
use tokio::time::Duration;

use super::Evidence;
use crate::client::history::{Room, What};

/// What a time is counted as at most, in milliseconds: no run is so long.
const LONGEST: u64 = 24 * 3600 * 1000;

/// See the module.
pub(crate) struct Account {
    /// Acknowledged, each once.
    pub(crate) acked: usize,
    /// Of these: delivered to every device that has followed the room since before.
    pub(crate) stable: usize,
    /// Delivered to some.
    pub(crate) lost: usize,
    /// Delivered to none.
    pub(crate) never: usize,
    /// From the first acknowledgement to each delivery, in milliseconds; what came before it counts 0.
    pub(crate) each: Histogram<u64>,
    /// To the last delivery.
    pub(crate) all: Histogram<u64>,
}

impl Account {
    pub(crate) fn of(evidence: &Evidence) -> Self {
        let mut acked: HashMap<(Room, u64), Duration> = HashMap::new();
        let mut came: HashMap<(Room, u64), Vec<Duration>> = HashMap::new();
        for history in &evidence.histories {
            let mut first: HashMap<(Room, u64), Duration> = HashMap::new();
            for entry in &history.entries {
                match &entry.what {
                    What::Acked { room, seq, .. } => {
                        let at = acked.entry((*room, *seq)).or_insert(entry.at);
                        *at = (*at).min(entry.at);
                    }
                    What::Event { seen, .. } => {
                        first.entry((seen.room, seen.seq)).or_insert(entry.at);
                    }
                    _ => {}
                }
            }
            for (key, at) in first {
                came.entry(key).or_default().push(at);
            }
        }
        let empty = || Histogram::new_with_max(LONGEST, 3).expect("three digits of so many are allowed");
        let mut account = Self {
            acked: acked.len(),
            stable: 0,
            lost: 0,
            never: 0,
            each: empty(),
            all: empty(),
        };
        for (key, at) in acked {
            let came = came.remove(&key).unwrap_or_default();
            let follow = evidence.stands.iter().flatten();
            let due = follow
                .filter(|(room, first, _, _)| *room == key.0 && *first <= key.1)
                .count();
            if came.is_empty() && due > 0 {
                account.never += 1;
            } else if came.len() < due {
                account.lost += 1;
            } else {
                account.stable += 1;
            }
            let millis =
                |came: &Duration| u64::try_from(came.saturating_sub(at).as_millis()).unwrap_or(u64::MAX);
            for one in &came {
                account.each.saturating_record(millis(one));
            }
            if let Some(last) = came.iter().max() {
                account.all.saturating_record(millis(last));
            }
        }
        account
    }
}
