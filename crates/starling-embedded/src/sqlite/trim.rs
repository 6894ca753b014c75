//! The port of the end of what is old.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Transaction, params};
use starling_core::{
    EventBody, RoomId, UserId,
    ports::{Retention, Unavailable},
};

use super::{
    Sqlite,
    once::Digest,
    place::{RoomNumber, seq_of, signed},
    rows::{self, event_columns},
    unavailable,
    writer::Job,
};

/// What is to be removed.
pub(super) struct Trim {
    pub(super) room: RoomId,
    pub(super) below: u64,
    pub(super) limit: usize,
}

#[async_trait]
impl Retention for Sqlite {
    async fn trim(&self, room: &RoomId, below: u64, limit: usize) -> Result<u64, Unavailable> {
        let trim = Trim {
            room: room.clone(),
            below,
            limit,
        };
        self.write(|reply| Job::Trim { trim, reply })
            .await
            .map_err(unavailable)
    }
}

/// One event that goes.
struct Old {
    place: i64,
    number: i64,
    digest: i64,
    mentions: Vec<UserId>,
}

/// Removes what is old, in the writer's transaction; gives the digests by which the events were found.
pub(super) fn trim(tx: &Transaction<'_>, trim: &Trim) -> rusqlite::Result<Vec<Digest>> {
    let mut find = tx.prepare_cached("SELECT number, last_seq FROM room WHERE id = ?1")?;
    let found = find
        .query_row([trim.room.as_str()], |row| {
            Ok((RoomNumber(row.get(0)?), rows::unsigned(row, 1)?))
        })
        .optional()?;
    let Some((room, last_seq)) = found else {
        return Ok(Vec::new());
    };
    let old = oldest(tx, trim, room, trim.below.min(last_seq))?;
    let Some(last) = old.last() else {
        return Ok(Vec::new());
    };
    let places = [room.place(0), last.place];
    for sql in [
        "DELETE FROM reaction WHERE place BETWEEN ?1 AND ?2",
        "DELETE FROM reaction_count WHERE place BETWEEN ?1 AND ?2",
        "DELETE FROM entry WHERE place BETWEEN ?1 AND ?2",
    ] {
        tx.prepare_cached(sql)?.execute(places)?;
    }
    // What has no index by place is found by its own key.
    let mut event = tx.prepare_cached("DELETE FROM event WHERE number = ?1")?;
    let mut once = tx.prepare_cached("DELETE FROM once WHERE digest = ?1 AND place = ?2")?;
    let mut mention = tx.prepare_cached("DELETE FROM mention WHERE user = ?1 AND place = ?2")?;
    for old in &old {
        event.execute([old.number])?;
        once.execute([old.digest, old.place])?;
        for user in &old.mentions {
            mention.execute(params![user.as_str(), old.place])?;
        }
    }
    tx.prepare_cached("UPDATE room SET min_seq = max(min_seq, ?2) WHERE number = ?1")?
        .execute(params![room.0, signed(seq_of(last.place) + 1)])?;
    Ok(old.iter().map(|old| (old.digest, old.place)).collect())
}

fn oldest(tx: &Transaction<'_>, trim: &Trim, room: RoomNumber, below: u64) -> rusqlite::Result<Vec<Old>> {
    let mut read = tx.prepare_cached(concat!(
        "SELECT ",
        event_columns!(),
        ", entry.place, event.number FROM entry JOIN event ON event.number = entry.event \
         WHERE entry.place BETWEEN ?1 AND ?2 ORDER BY entry.place LIMIT ?3"
    ))?;
    let bounds = params![
        room.place(0),
        room.place(below.saturating_sub(1)),
        i64::try_from(trim.limit).unwrap_or(i64::MAX)
    ];
    let found = read.query_map(bounds, |row| {
        let event = rows::event(row, &trim.room)?;
        Ok(Old {
            place: row.get("place")?,
            number: row.get("number")?,
            digest: room.digest(&event.sender, &event.client_id),
            mentions: match event.body {
                EventBody::MessageCreated(message) => message.mentions,
                _ => Vec::new(),
            },
        })
    })?;
    found.collect()
}
