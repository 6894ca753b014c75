//! The port of the log.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, params};
use starling_core::{
    Cursor, Draft, Outcome, RoomEvent, RoomId,
    ports::{Changes, EventLog, Head, LogError, Unavailable, Watermark},
};

use super::{
    Sqlite,
    place::{RoomNumber, signed},
    rows::{self, event_columns},
    writer::Job,
};

#[async_trait]
impl EventLog for Sqlite {
    async fn append(&self, batch: &[Draft]) -> Result<Vec<Outcome>, LogError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let drafts = batch.to_vec();
        self.write(|reply| Job::Append { drafts, reply }).await
    }

    async fn read(&self, room: &RoomId, after: u64, limit: usize) -> Result<Vec<RoomEvent>, Unavailable> {
        let room = room.clone();
        self.query(move |tx| {
            let mut find = tx.prepare_cached("SELECT number FROM room WHERE id = ?1")?;
            let Some(number) = find.query_row([room.as_str()], |row| row.get(0)).optional()? else {
                return Ok(Vec::new());
            };
            let places = RoomNumber(number).from(after.saturating_add(1));
            let mut read = tx.prepare_cached(concat!(
                "SELECT ",
                event_columns!(),
                " FROM entry JOIN event ON event.number = entry.event ",
                "WHERE entry.place BETWEEN ?1 AND ?2 ORDER BY entry.place LIMIT ?3"
            ))?;
            read.query_map(
                params![places.start(), places.end(), signed(limit as u64)],
                |row| rows::event(row, &room),
            )?
            .collect()
        })
        .await
    }

    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<Head>, Unavailable> {
        let rooms = rooms.to_vec();
        self.query(move |tx| {
            let mut find =
                tx.prepare_cached("SELECT last_seq, min_seq, last_event FROM room WHERE id = ?1")?;
            let mut head = |room: &RoomId| {
                let head = find.query_row([room.as_str()], |row| {
                    let last_seq = rows::unsigned(row, 0)?;
                    let last_event = rows::event_id_if_any(row, 2)?;
                    Ok(Head {
                        cursor: last_event.map_or(Cursor::START, |id| Cursor::after(last_seq, id)),
                        min_seq: rows::unsigned(row, 1)?,
                    })
                });
                Ok(head.optional()?.unwrap_or(Head::EMPTY))
            };
            rooms.iter().map(&mut head).collect()
        })
        .await
    }

    async fn changes(&self, since: Option<Watermark>) -> Result<Changes, Unavailable> {
        if let Some(changes) = self.recent.since(since) {
            return Ok(changes);
        }
        // From before the commits that are remembered: every room is named. The watermark is taken first, so that what
        // is appended meanwhile is named again rather than not at all.
        let next = self.recent.present();
        let rooms = self
            .query(|tx| {
                tx.prepare_cached("SELECT id, last_seq FROM room")?
                    .query_map([], |row| Ok((rows::id(row, 0)?, rows::unsigned(row, 1)?)))?
                    .collect()
            })
            .await?;
        Ok(Changes { next, rooms })
    }
}
