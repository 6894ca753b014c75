//! Rows of the tables as words of starling-core. Each list of columns stands beside the function that reads it.

use std::sync::Arc;

use rusqlite::{
    Row,
    types::{Type, ValueRef},
};
use starling_core::{
    ClientId, EventBody, EventId, Member, Role, Room, RoomEvent, RoomId, RoomKind, Timestamp, UserId,
    room::Standing,
};
use uuid::Uuid;

use super::place::{RoomNumber, seq_of};

/// Columns of `room`, with its number first.
macro_rules! room_columns {
    () => {
        "room.number, room.id, room.kind, room.name, room.description, room.max_members, room.settings, \
         room.created_by, room.created_at, room.deleted, room.member_count, room.min_seq, room.last_seq, \
         room.last_event"
    };
}
/// How many these are.
pub(super) const ROOM_COLUMNS: usize = 14;

/// Columns of `member`.
macro_rules! member_columns {
    () => {
        "member.user, member.name, member.standing, member.banned_until, member.role, member.joined_at, \
         member.joined_seq, member.muted, member.muted_until, member.wrote_at"
    };
}

/// Columns of `event`.
macro_rules! event_columns {
    () => {
        "event.place, event.id, event.at, event.kind, event.sender, event.sender_name, event.client_id, event.body"
    };
}

pub(super) use {event_columns, member_columns, room_columns};

/// A value that no version of Starling has written.
pub(super) fn broken(
    column: usize,
    what: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, what.into())
}

/// A value that cannot be written as JSON.
pub(super) fn unwritable(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}

/// An id.
pub(super) fn id<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    row.get_ref(column)?
        .as_str()?
        .parse()
        .map_err(|error| broken(column, error))
}

pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_millis)
}

pub(super) fn time_if_any(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_millis))
}

pub(super) fn text_if_any(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Arc<str>>> {
    Ok(row.get_ref(column)?.as_str_or_null()?.map(Arc::from))
}

/// A seq or a count, of which none is negative.
pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

pub(super) fn event_id(row: &Row<'_>, column: usize) -> rusqlite::Result<EventId> {
    Uuid::from_slice(row.get_ref(column)?.as_blob()?)
        .map(EventId)
        .map_err(|error| broken(column, error))
}

/// The id of the last event of a room, which has none where its first draft was refused.
pub(super) fn event_id_if_any(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<EventId>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => event_id(row, column).map(Some),
    }
}

/// A word such as a role, read by the inverse of its `as_str`.
fn word<T>(row: &Row<'_>, column: usize, parse: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    parse(text).ok_or_else(|| broken(column, format!("an unknown word: {text:?}")))
}

/// A room, from the column of its number on.
pub(super) fn room(row: &Row<'_>) -> rusqlite::Result<(RoomNumber, Room)> {
    let room = Room {
        id: id(row, 1)?,
        kind: word(row, 2, RoomKind::parse)?,
        name: row.get(3)?,
        description: row.get(4)?,
        max_members: row.get(5)?,
        settings: serde_json::from_str(row.get_ref(6)?.as_str()?).map_err(|error| broken(6, error))?,
        created_by: id(row, 7)?,
        created_at: time(row, 8)?,
        deleted: row.get(9)?,
        member_count: row.get(10)?,
        min_seq: unsigned(row, 11)?,
        last_seq: unsigned(row, 12)?,
        last_event: event_id_if_any(row, 13)?,
    };
    Ok((RoomNumber(row.get(0)?), room))
}

/// A member of this room, from this column on.
pub(super) fn member(row: &Row<'_>, room: &RoomId, from: usize) -> rusqlite::Result<Member> {
    let standing = match row.get_ref(from + 2)?.as_str()? {
        JOINED => Standing::Joined,
        INVITED => Standing::Invited,
        GONE => Standing::Gone,
        BANNED => Standing::Banned {
            until: time_if_any(row, from + 3)?,
        },
        other => return Err(broken(from + 2, format!("an unknown standing: {other:?}"))),
    };
    let is_muted: bool = row.get(from + 7)?;
    let muted_until = time_if_any(row, from + 8)?;
    Ok(Member {
        room: room.clone(),
        user: id(row, from)?,
        name: text_if_any(row, from + 1)?,
        standing,
        role: word(row, from + 4, Role::parse)?,
        joined_at: time(row, from + 5)?,
        joined_seq: unsigned(row, from + 6)?,
        muted: is_muted.then_some(muted_until),
        wrote_at: time_if_any(row, from + 9)?,
    })
}

// The queries and indexes name `joined` and `gone` too.
const JOINED: &str = "joined";
const INVITED: &str = "invited";
const GONE: &str = "gone";
const BANNED: &str = "banned";

/// A standing as stored, and the end of a ban.
pub(super) fn standing(standing: Standing) -> (&'static str, Option<i64>) {
    match standing {
        Standing::Joined => (JOINED, None),
        Standing::Invited => (INVITED, None),
        Standing::Gone => (GONE, None),
        Standing::Banned { until } => (BANNED, until.map(Timestamp::as_millis)),
    }
}

/// An event of this room.
pub(super) fn event(row: &Row<'_>, room: &RoomId) -> rusqlite::Result<RoomEvent> {
    let id = event_id(row, 1)?;
    let kind = row.get_ref(3)?.as_str()?;
    let body = EventBody::from_json(kind, row.get_ref(7)?.as_str()?)
        .ok_or_else(|| broken(3, format!("an unknown kind of event: {kind:?}")))?
        .map_err(|error| broken(7, error))?;
    Ok(RoomEvent {
        room: room.clone(),
        seq: seq_of(row.get(0)?),
        id,
        sender: self::id::<UserId>(row, 4)?,
        sender_name: text_if_any(row, 5)?,
        client_id: client_id(row, 6)?.unwrap_or_else(|| ClientId::of_event(id)),
        at: time(row, 2)?,
        body,
    })
}

/// A client id; `None` where it was made from the event id.
pub(super) fn client_id(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<ClientId>> {
    let text = row.get_ref(column)?.as_str_or_null()?;
    text.map(|text| text.parse().map_err(|error| broken(column, error)))
        .transpose()
}
