//! A batch of drafts: loads its facts, has it planned, stores the plan.

use std::collections::HashMap;

use rusqlite::{Connection, Transaction};
use starling_core::{
    Draft, Outcome, Room, RoomId,
    rules::{self, Needs},
};

use super::{
    load::load,
    once::{Digest, Moved, Tail},
    place::RoomNumber,
    store::store,
};

/// Rooms as they are in the file.
pub(super) type Known = HashMap<RoomId, (RoomNumber, Room)>;

/// What the writer keeps between commits.
pub(super) struct Memory {
    once: Tail,
    /// Number of the last event.
    last_event: i64,
}

impl Memory {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let last_event =
            connection.query_row("SELECT coalesce(max(number), 0) FROM event", [], |row| row.get(0))?;
        Ok(Self {
            once: Tail::load(connection, last_event)?,
            last_event,
        })
    }

    /// Forgets what a commit has removed.
    pub(super) fn forget(&mut self, digests: &[Digest]) {
        self.once.forget(digests);
    }

    /// Takes over what a commit has stored.
    pub(super) fn keep(&mut self, appended: Appended) {
        self.once.keep(appended.once);
        self.last_event = appended.last_event;
    }
}

/// What a batch has appended, once it is committed.
pub(super) struct Appended {
    /// Rooms, and the last seq of each.
    pub(super) rooms: Vec<(RoomId, u64)>,
    once: Moved,
    last_event: i64,
}

/// Decides and stores a batch.
pub(super) fn append(
    tx: &Transaction<'_>,
    batch: &[Draft],
    memory: &Memory,
) -> rusqlite::Result<(Vec<Outcome>, Appended)> {
    let needs = Needs::of(batch);
    let (facts, known) = load(tx, &needs, &memory.once)?;
    let plan = rules::plan(batch, facts);
    let (digests, last_event) = store(tx, known, memory.last_event, &plan)?;
    let appended = Appended {
        rooms: plan
            .rooms
            .iter()
            .map(|room| (room.id.clone(), room.last_seq))
            .collect(),
        once: memory.once.make_room(tx, digests, memory.last_event)?,
        last_event,
    };
    Ok((plan.outcomes, appended))
}
