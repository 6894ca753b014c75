//! Finds repeated client ids.
//!
//! Every event is found by a digest of its sender and client id, for the life of the file. Digests are random, so an
//! index that took each at once would write a page for each: more than everything else that an append writes. So the
//! latest digests are kept in memory, sorted, and each commit moves some of them to the table: those that come next in
//! the order of the digests, round after round. Neighbours fall on the same page, and no commit has to move them all.
//!
//! What is only in memory is read from the events again when the file is opened. The file says from which event on: a
//! round moves everything that was in memory when it began.

use std::collections::BTreeSet;

use rusqlite::{CachedStatement, Connection, Transaction};
use starling_core::{ClientId, UserId};

use super::{place::room_of, rows};

/// So many digests stay in memory: some megabytes. The more there are, the closer are neighbours, and the longer it takes
/// to open the file.
const TAIL: usize = 32_768;

/// The digest of an event, and its place.
pub(super) type Digest = (i64, i64);

const FIRST: Digest = (i64::MIN, i64::MIN);

/// The digests that are in memory.
pub(super) struct Tail {
    digests: BTreeSet<Digest>,
    round: Round,
}

/// One passage through the tail.
#[derive(Clone, Copy)]
struct Round {
    /// Where it goes on.
    next: Digest,
    /// Number of the last event when it began.
    began_at: i64,
}

/// What becomes of the tail once a batch is committed.
pub(super) struct Moved {
    new: Vec<Digest>,
    stored: Vec<Digest>,
    round: Round,
}

impl Tail {
    /// The tail of the file, whose last event has this number.
    pub(super) fn load(connection: &Connection, last_event: i64) -> rusqlite::Result<Self> {
        let mut find = connection.prepare(
            "SELECT place, sender, client_id, id FROM event WHERE number > (SELECT once FROM store)",
        )?;
        let digests = find.query_map([], |row| {
            let place = row.get(0)?;
            let sender: UserId = rows::id(row, 1)?;
            let client_id = match rows::client_id(row, 2)? {
                Some(client_id) => client_id,
                None => ClientId::of_event(rows::event_id(row, 3)?),
            };
            Ok((room_of(place).digest(&sender, &client_id), place))
        })?;
        Ok(Self {
            digests: digests.collect::<rusqlite::Result<_>>()?,
            round: Round {
                next: FIRST,
                began_at: last_event,
            },
        })
    }

    pub(super) fn look_up<'a>(&'a self, tx: &'a Transaction<'_>) -> rusqlite::Result<LookUp<'a>> {
        Ok(LookUp {
            tail: self,
            stored: tx.prepare_cached("SELECT place FROM once WHERE digest = ?1")?,
        })
    }

    /// Makes room in the tail for the digests of a batch, by moving others to the table. `last_event` is the number of
    /// the last event before the batch.
    pub(super) fn make_room(
        &self,
        tx: &Transaction<'_>,
        new: Vec<Digest>,
        last_event: i64,
    ) -> rusqlite::Result<Moved> {
        let too_many = (self.digests.len() + new.len()).saturating_sub(TAIL);
        // After a start there may be twice as many as should be: they go little by little.
        let count = too_many.min(2 * new.len());
        let mut stored: Vec<Digest> = self
            .digests
            .range(self.round.next..)
            .take(count)
            .copied()
            .collect();
        let mut round = self.round;
        if stored.len() < count {
            tx.prepare_cached("UPDATE store SET once = ?1")?
                .execute([round.began_at])?;
            round.began_at = last_event;
            stored.extend(self.digests.iter().take(count - stored.len()).copied());
        }
        // After a start some are in the table already.
        let mut insert = tx.prepare_cached("INSERT OR IGNORE INTO once (digest, place) VALUES (?1, ?2)")?;
        for (digest, place) in &stored {
            insert.execute([digest, place])?;
        }
        if let Some((digest, place)) = stored.last() {
            round.next = (*digest, place + 1);
        }
        Ok(Moved { new, stored, round })
    }

    /// The events of these are no more.
    pub(super) fn forget(&mut self, digests: &[Digest]) {
        for digest in digests {
            self.digests.remove(digest);
        }
    }

    pub(super) fn keep(&mut self, moved: Moved) {
        for digest in &moved.stored {
            self.digests.remove(digest);
        }
        self.digests.extend(moved.new);
        self.round = moved.round;
    }
}

/// A look-up in memory and in the table.
pub(super) struct LookUp<'a> {
    tail: &'a Tail,
    stored: CachedStatement<'a>,
}

impl LookUp<'_> {
    /// Places of events with this digest.
    pub(super) fn places(&mut self, digest: i64) -> rusqlite::Result<Vec<i64>> {
        let stored = self.stored.query_map([digest], |row| row.get(0))?;
        let of_digest = (digest, i64::MIN)..=(digest, i64::MAX);
        let in_memory = self.tail.digests.range(of_digest).map(|(_, place)| Ok(*place));
        stored.chain(in_memory).collect()
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::params;

    use super::*;
    use crate::sqlite::{open, place::RoomNumber};

    const BATCH: i64 = 500;

    /// Appends events and moves digests as the writer does, with messages of one sender in one room.
    struct File {
        connection: Connection,
        tail: Tail,
        last_event: i64,
    }

    impl File {
        fn digest(n: i64) -> Digest {
            let (room, sender) = (RoomNumber(1), "alice".parse().unwrap());
            (
                room.digest(&sender, &n.to_string().parse().unwrap()),
                room.place(n.cast_unsigned()),
            )
        }

        fn append(&mut self) {
            let tx = self.connection.transaction().unwrap();
            let new: Vec<Digest> = (1..=BATCH).map(|n| Self::digest(self.last_event + n)).collect();
            for ((_, place), number) in new.iter().zip(self.last_event + 1..) {
                tx.prepare_cached(
                    "INSERT INTO event (number, place, id, at, kind, sender, client_id, body) \
                     VALUES (?1, ?2, x'', 0, '', 'alice', ?1, '')",
                )
                .unwrap()
                .execute(params![number, place])
                .unwrap();
            }
            let moved = self.tail.make_room(&tx, new, self.last_event).unwrap();
            tx.commit().unwrap();
            self.tail.keep(moved);
            self.last_event += BATCH;
        }

        fn reopen(&mut self) {
            self.tail = Tail::load(&self.connection, self.last_event).unwrap();
            assert!(self.tail.digests.len() <= 2 * TAIL);
        }

        fn check(&mut self) {
            let tx = self.connection.transaction().unwrap();
            let mut look_up = self.tail.look_up(&tx).unwrap();
            for n in (1..=self.last_event).step_by(13) {
                let (digest, place) = Self::digest(n);
                assert!(
                    look_up.places(digest).unwrap().contains(&place),
                    "{n} of {}",
                    self.last_event
                );
            }
            assert_eq!(
                look_up.places(Self::digest(self.last_event + 1).0).unwrap(),
                [0; 0]
            );
        }
    }

    #[test]
    fn every_digest_is_found_in_memory_or_in_the_table() {
        let folder = tempfile::TempDir::new().unwrap();
        let mut connection = Connection::open(folder.path().join("test.db")).unwrap();
        connection.pragma_update(None, "synchronous", "OFF").unwrap();
        open::migrate(&mut connection, folder.path()).unwrap();
        let tail = Tail::load(&connection, 0).unwrap();
        let mut file = File {
            connection,
            tail,
            last_event: 0,
        };
        // Several rounds, with a restart in the middle of some.
        for batch in 0..4 * TAIL as i64 / BATCH {
            file.append();
            if batch % 111 == 110 {
                file.check();
                file.reopen();
                file.check();
            }
        }
        while file.tail.digests.len() > TAIL {
            file.append();
        }
        let begins = file
            .connection
            .query_row("SELECT once FROM store", [], |row| row.get::<_, i64>(0));
        assert!(begins.unwrap() > TAIL as i64);
    }
}
