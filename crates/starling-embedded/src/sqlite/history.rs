//! The port of the present state of messages.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use starling_core::{
    Message, RoomId,
    event::{EventBody, MessageCreated},
    ports::{History, HistoryPage, Span, Unavailable},
    room::ReactionCount,
};

use super::{
    Sqlite,
    place::{RoomNumber, seq_of},
    rooms::one_more,
    rows::{self, event_columns},
};

/// At most so many users of one reaction are named.
const USERS_NAMED: u32 = 50;

#[async_trait]
impl History for Sqlite {
    async fn messages(
        &self,
        room: &RoomId,
        span: Span,
        thread: Option<u64>,
        limit: usize,
    ) -> Result<HistoryPage, Unavailable> {
        let room = room.clone();
        self.query(move |tx| {
            let mut find = tx.prepare_cached("SELECT number, min_seq FROM room WHERE id = ?1")?;
            let found = find.query_row([room.as_str()], |row| Ok((row.get(0)?, rows::unsigned(row, 1)?)));
            let Some((number, min_seq)) = found.optional()? else {
                return Ok(HistoryPage {
                    messages: Vec::new(),
                    has_more: false,
                });
            };
            let number = RoomNumber(number);
            let reader = Reader {
                tx,
                room: &room,
                thread: thread.map(|seq| number.place(seq)),
                first: number.place(min_seq),
                last: *number.from(min_seq).end(),
            };
            let place = |seq: u64| number.place(seq);
            match span {
                Span::Latest => reader.older_than(reader.last, limit),
                Span::Before(seq) => reader.older_than(place(seq), limit),
                Span::After(seq) => reader.from(place(seq.saturating_add(1)), limit),
                Span::Around(seq) => {
                    let mut page = reader.older_than(place(seq), limit / 2)?;
                    page.messages
                        .extend(reader.from(place(seq), limit - limit / 2)?.messages);
                    Ok(page)
                }
            }
        })
        .await
    }
}

struct Reader<'a> {
    tx: &'a Transaction<'a>,
    room: &'a RoomId,
    /// The place of the first message of the thread that is asked for.
    thread: Option<i64>,
    first: i64,
    last: i64,
}

/// Messages in one direction, from those places that the second part names.
macro_rules! messages {
    ($order:literal, $($places:literal),*) => {
        concat!(
            "SELECT ",
            event_columns!(),
            ", entry.replies, entry.content, entry.edited_at, entry.deleted_at ",
            "FROM entry JOIN event ON event.number = entry.event ",
            "WHERE entry.sender IS NOT NULL AND entry.place ",
            $($places,)*
            " ORDER BY entry.place ",
            $order,
            " LIMIT ?3"
        )
    };
}

macro_rules! of_room {
    ($order:literal) => {
        messages!($order, "BETWEEN ?1 AND ?2")
    };
}

/// The first message of a thread, and its replies.
macro_rules! of_thread {
    ($order:literal) => {
        messages!(
            $order,
            "IN (SELECT ?4 WHERE ?4 BETWEEN ?1 AND ?2 UNION ALL SELECT place FROM (SELECT place FROM entry ",
            "WHERE thread = ?4 AND place BETWEEN ?1 AND ?2 ORDER BY place ",
            $order,
            " LIMIT ?3))"
        )
    };
}

impl Reader<'_> {
    fn older_than(&self, place: i64, limit: usize) -> rusqlite::Result<HistoryPage> {
        let sql = [of_room!("DESC"), of_thread!("DESC")];
        let mut page = self.page(self.first, place - 1, limit, sql)?;
        page.messages.reverse();
        Ok(page)
    }

    fn from(&self, place: i64, limit: usize) -> rusqlite::Result<HistoryPage> {
        let sql = [of_room!("ASC"), of_thread!("ASC")];
        self.page(place.max(self.first), self.last, limit, sql)
    }

    fn page(&self, from: i64, to: i64, limit: usize, sql: [&str; 2]) -> rusqlite::Result<HistoryPage> {
        let read = |row: &Row<'_>| self.message(row);
        let mut messages: Vec<Message> = match self.thread {
            None => self
                .tx
                .prepare_cached(sql[0])?
                .query_map([from, to, one_more(limit)], read)?
                .collect::<Result<_, _>>()?,
            Some(thread) => self
                .tx
                .prepare_cached(sql[1])?
                .query_map([from, to, one_more(limit), thread], read)?
                .collect::<Result<_, _>>()?,
        };
        let has_more = messages.len() > limit;
        messages.truncate(limit);
        Ok(HistoryPage { messages, has_more })
    }

    fn message(&self, row: &Row<'_>) -> rusqlite::Result<Message> {
        let place: i64 = row.get(0)?;
        let event = rows::event(row, self.room)?;
        let EventBody::MessageCreated(body) = event.body else {
            return Err(rows::broken(3, "a message whose event is another kind"));
        };
        let MessageCreated {
            content,
            content_type,
            reply_to,
            thread,
            attachments,
            mentions,
            metadata,
        } = body;
        Ok(Message {
            room_id: event.room,
            seq: seq_of(place),
            message_id: event.id,
            sender_id: event.sender,
            sender_name: event.sender_name,
            client_id: Some(event.client_id).filter(starling_core::ClientId::is_from_client),
            content: row.get::<_, Option<String>>(9)?.unwrap_or(content),
            content_type,
            reply_to,
            thread,
            reply_count: row.get(8)?,
            attachments,
            mentions,
            metadata,
            reactions: self.reactions(place)?,
            created_at: event.at,
            edited_at: rows::time_if_any(row, 10)?,
            deleted_at: rows::time_if_any(row, 11)?,
        })
    }

    fn reactions(&self, place: i64) -> rusqlite::Result<BTreeMap<String, ReactionCount>> {
        let mut counts = self
            .tx
            .prepare_cached("SELECT emoji, count FROM reaction_count WHERE place = ?1")?;
        let mut counts = counts.query([place])?;
        let mut reactions = BTreeMap::new();
        while let Some(row) = counts.next()? {
            let emoji: String = row.get(0)?;
            let users = self
                .tx
                .prepare_cached(
                    "SELECT user FROM reaction WHERE place = ?1 AND emoji = ?2 ORDER BY seq LIMIT ?3",
                )?
                .query_map(params![place, emoji, USERS_NAMED], |row| rows::id(row, 0))?
                .collect::<rusqlite::Result<_>>()?;
            let count = row.get(1)?;
            reactions.insert(emoji, ReactionCount { count, users });
        }
        Ok(reactions)
    }
}
