//! What must hold, whatever happened: each check is pure over the evidence, and says what contradicts it.
//!
//! | module | checks |
//! |---|---|
//! | [`log`] | the log itself: dense, each client id once, every acknowledgement in it |
//! | [`streams`] | what each device was given: all of it, once, in order, and nothing that is not in the log |
//! | [`senders`] | one device's messages keep their order |
//! | [`state`] | what was built up equals what is loaded afresh; unread counts; presence |
//! | [`bounds`] | queues, memory, descriptors and connections |
//! | [`delivery`] | when acknowledged messages reached everybody (for the report) |

mod bounds;
pub(crate) mod delivery;

mod log;
mod senders;
mod state;
mod streams;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::{
    client::{
        history::{History, Room},
        model::Model,
    },
    world::{truth::Truth, vitals::Vitals},
};

/// Everything that the checks look at.
#[derive(Default)]
pub(crate) struct Evidence {
    pub(crate) rooms: Vec<String>,
    pub(crate) histories: Vec<History>,
    /// Where each device stands, in the order of the histories.
    pub(crate) stands: Vec<Stand>,
    pub(crate) truth: Truth,
    /// The messages of each room as a new client loads them.
    pub(crate) fresh: Vec<Model>,
    /// Unread messages and mentions, as a new session of the user is told.
    pub(crate) unread: Vec<(String, Room, u64, u64)>,
    /// What a new watcher at each node is told of each user: node, user, status. All have a session.
    pub(crate) presence: Vec<(String, String, String)>,
    pub(crate) limits: Limits,
    /// Samples of the whole run.
    pub(crate) vitals: Vec<Vitals>,
}

/// Where one device stands: for each of its rooms from where and to where it has seen all, and what it built up.
pub(crate) type Stand = Vec<(Room, u64, u64, Option<Model>)>;

/// What a cluster at rest may hold.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    pub(crate) connections: u64,
    pub(crate) redis_clients: usize,
    pub(crate) postgres_backends: usize,
    /// Of one gateway, beside its clients' sockets.
    pub(crate) descriptors: usize,
}

/// A contradiction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) check: &'static str,
    pub(crate) what: String,
    pub(crate) room: Option<Room>,
    pub(crate) seq: Option<u64>,
    pub(crate) device: Option<String>,
    pub(crate) client_id: Option<String>,
}

impl Violation {
    pub(crate) fn new(check: &'static str, what: String) -> Self {
        Self {
            check,
            what,
            room: None,
            seq: None,
            device: None,
            client_id: None,
        }
    }

    /// What a fault found out by itself.
    pub(crate) fn of_fault(fault: &'static str, what: String) -> Self {
        Self::new(fault, what)
    }

    fn at(mut self, room: Room, seq: u64) -> Self {
        (self.room, self.seq) = (Some(room), Some(seq));
        self
    }

    fn of(mut self, device: &str) -> Self {
        self.device = Some(device.to_owned());
        self
    }

    fn about(mut self, client_id: &str) -> Self {
        self.client_id = Some(client_id.to_owned());
        self
    }
}

/// A check: its name, what it says, and how it finds what contradicts it.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) says: &'static str,
    pub(crate) run: fn(&Evidence) -> Vec<Violation>,
}

/// Every check.
pub(crate) const ALL: &[Check] = &[
    Check {
        name: "acked",
        says: "every acknowledgement is in the log, with that seq, id and sender",
        run: log::acked,
    },
    Check {
        name: "once",
        says: "each client id of a sender is in the log once, and all its acknowledgements agree",
        run: log::once,
    },
    Check {
        name: "dense",
        says: "the seqs of a room are 1, 2, 3 …",
        run: log::dense,
    },
    Check {
        name: "logged",
        says: "nothing is delivered that is not in the log, as it is there",
        run: streams::logged,
    },
    Check {
        name: "same-order",
        says: "a seq is the same event for everybody",
        run: streams::same_order,
    },
    Check {
        name: "no-repeat",
        says: "behind a cursor no event comes twice",
        run: streams::no_repeat,
    },
    Check {
        name: "no-gap",
        says: "behind a cursor no event is left out without a word",
        run: streams::no_gap,
    },
    Check {
        name: "complete",
        says: "at rest every device has seen everything up to the head",
        run: streams::complete,
    },
    Check {
        name: "after-kick",
        says: "nothing is delivered behind the end of a membership until the device follows again",
        run: streams::after_kick,
    },
    Check {
        name: "device-order",
        says: "one device's messages to a room are in the order in which it sent them",
        run: senders::in_order,
    },
    Check {
        name: "state",
        says: "what a device built up from events is what a new client loads",
        run: state::rebuilt,
    },
    Check {
        name: "unread",
        says: "unread messages and mentions are exact, and no read marker goes back",
        run: state::unread,
    },
    Check {
        name: "presence",
        says: "at rest every node knows who is there",
        run: state::presence,
    },
    Check {
        name: "queues",
        says: "at rest no queue holds anything",
        run: bounds::queues,
    },
    Check {
        name: "connections",
        says: "at rest there are no more connections and descriptors than there were before the faults",
        run: bounds::connections,
    },
    Check {
        name: "memory",
        says: "a gateway that lived through the run has stopped growing",
        run: bounds::memory,
    },
];

/// Runs all of them. The names of those that hold are those that are not in the answer.
pub(crate) fn run(evidence: &Evidence) -> Vec<Violation> {
    ALL.iter().flat_map(|check| (check.run)(evidence)).collect()
}

/// How many violations each check has found.
pub(crate) fn tally(violations: &[Violation]) -> HashMap<&'static str, usize> {
    let mut tally = HashMap::new();
    for violation in violations {
        *tally.entry(violation.check).or_default() += 1;
    }
    tally
}

pub(crate) use self::bounds::thirds as bounds_of_memory;

/// Whether a sample shows nothing that a cluster at rest would not hold.
pub(crate) fn at_bounds(evidence: &Evidence) -> bool {
    bounds::queues(evidence).is_empty() && bounds::connections(evidence).is_empty()
}
