//! From rows to the words of starling-core. The order of columns is that of the lists in [`sql`](super::sql).

use std::sync::Arc;

use starling_core::{
    ClientId, EventBody, EventId, Member, Role, Room, RoomEvent, RoomId, RoomKind, RoomSettings, Timestamp,
    UserId, event::MessageCreated, room::Standing,
};
use tokio_postgres::{Row, types::FromSql};
use uuid::Uuid;

use super::error::Unreadable;

/// A seq or a count as Postgres has it. All stay below 2^53; a client may ask for any.
pub(super) fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The same for a limit.
pub(super) fn limit(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The inverse of [`int`]; what is stored is never negative.
pub(super) fn uint(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

fn uint32(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(if n < 0 { 0 } else { u32::MAX })
}

/// A text as Postgres can store it in a column of its own: it knows no NUL. Bodies are JSON, which escapes it.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// Reads the columns of a row one after the other.
pub(super) struct Cells<'a> {
    row: &'a Row,
    column: usize,
}

impl<'a> Cells<'a> {
    pub(super) fn of(row: &'a Row) -> Self {
        Self { row, column: 0 }
    }

    pub(super) fn next<T: FromSql<'a>>(&mut self) -> Result<T, Unreadable> {
        let column = self.column;
        self.column += 1;
        self.row
            .try_get(column)
            .map_err(|source| Unreadable::Column { column, source })
    }

    pub(super) fn uint(&mut self) -> Result<u64, Unreadable> {
        Ok(uint(self.next()?))
    }

    pub(super) fn uint32(&mut self) -> Result<u32, Unreadable> {
        Ok(uint32(self.next()?))
    }

    /// The place of what the row is about among what was asked for (`WITH ORDINALITY` counts from one).
    pub(super) fn place(&mut self) -> Result<usize, Unreadable> {
        let n: i64 = self.next()?;
        usize::try_from(n - 1).map_err(|_| bad("place", n.to_string()))
    }

    pub(super) fn time(&mut self) -> Result<Timestamp, Unreadable> {
        Ok(Timestamp::from_millis(self.next()?))
    }

    pub(super) fn time_or_none(&mut self) -> Result<Option<Timestamp>, Unreadable> {
        Ok(self.next::<Option<i64>>()?.map(Timestamp::from_millis))
    }

    fn parse<T>(
        &mut self,
        what: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Unreadable> {
        let text: &str = self.next()?;
        parse(text).ok_or_else(|| bad(what, text.to_owned()))
    }

    pub(super) fn room_id(&mut self) -> Result<RoomId, Unreadable> {
        self.parse("room id", |text| RoomId::parse(text).ok())
    }

    pub(super) fn user_id(&mut self) -> Result<UserId, Unreadable> {
        self.parse("user id", |text| UserId::parse(text).ok())
    }

    pub(super) fn room_id_or_none(&mut self) -> Result<Option<RoomId>, Unreadable> {
        match self.next::<Option<&str>>()? {
            None => Ok(None),
            Some(text) => RoomId::parse(text)
                .map(Some)
                .map_err(|_| bad("room id", text.to_owned())),
        }
    }

    fn name(&mut self) -> Result<Option<Arc<str>>, Unreadable> {
        Ok(self.next::<Option<&str>>()?.map(Arc::from))
    }

    pub(super) fn room(&mut self) -> Result<Room, Unreadable> {
        Ok(Room {
            id: self.room_id()?,
            kind: self.parse("kind of room", RoomKind::parse)?,
            name: self.next()?,
            description: self.next()?,
            max_members: self.uint32()?,
            settings: self.parse("room's settings", |json| {
                serde_json::from_str::<RoomSettings>(json).ok()
            })?,
            created_by: self.user_id()?,
            created_at: self.time()?,
            deleted: self.next()?,
            member_count: self.uint32()?,
            last_seq: self.uint()?,
            min_seq: self.uint()?,
            last_event: self.next::<Option<Uuid>>()?.map(EventId),
        })
    }

    pub(super) fn member(&mut self) -> Result<Member, Unreadable> {
        Ok(Member {
            room: self.room_id()?,
            user: self.user_id()?,
            name: self.name()?,
            standing: {
                let standing: &str = self.next()?;
                let until = self.time_or_none()?;
                standing_of(standing, until).ok_or_else(|| bad("standing", standing.to_owned()))?
            },
            role: self.parse("role", Role::parse)?,
            joined_at: self.time()?,
            joined_seq: self.uint()?,
            muted: {
                let muted: bool = self.next()?;
                let until = self.time_or_none()?;
                muted.then_some(until)
            },
            wrote_at: self.time_or_none()?,
        })
    }

    pub(super) fn event(&mut self) -> Result<RoomEvent, Unreadable> {
        let (room, seq) = (self.room_id()?, self.uint()?);
        Ok(RoomEvent {
            id: EventId(self.next()?),
            sender: self.user_id()?,
            sender_name: self.name()?,
            client_id: self.parse("client id", |text| ClientId::parse(text).ok())?,
            at: self.time()?,
            body: self.body(&room, seq)?,
            room,
            seq,
        })
    }

    /// The body of a message, where it was asked for.
    pub(super) fn message_or_none(&mut self) -> Result<Option<MessageCreated>, Unreadable> {
        let json: Option<&str> = self.next()?;
        let message =
            json.map(|json| serde_json::from_str(json).map_err(|_| bad("message", json.to_owned())));
        message.transpose()
    }

    fn body(&mut self, room: &RoomId, seq: u64) -> Result<EventBody, Unreadable> {
        let (kind, json): (&str, &str) = (self.next()?, self.next()?);
        let room = room.to_string();
        match EventBody::from_json(kind, json) {
            Some(Ok(body)) => Ok(body),
            Some(Err(source)) => Err(Unreadable::Body { room, seq, source }),
            None => Err(Unreadable::Kind {
                room,
                seq,
                kind: kind.to_owned(),
            }),
        }
    }
}

/// A standing as it is stored: a word, and until when.
pub(super) fn standing_columns(standing: Standing) -> (&'static str, Option<i64>) {
    match standing {
        Standing::Joined => ("joined", None),
        Standing::Invited => ("invited", None),
        Standing::Gone => ("gone", None),
        Standing::Banned { until } => ("banned", until.map(Timestamp::as_millis)),
    }
}

fn standing_of(word: &str, until: Option<Timestamp>) -> Option<Standing> {
    Some(match word {
        "joined" => Standing::Joined,
        "invited" => Standing::Invited,
        "gone" => Standing::Gone,
        "banned" => Standing::Banned { until },
        _ => return None,
    })
}

/// All rows, each read in the same way.
pub(super) fn each<'a, T>(
    rows: &'a [Row],
    read: impl Fn(&mut Cells<'a>) -> Result<T, Unreadable>,
) -> Result<Vec<T>, Unreadable> {
    rows.iter().map(|row| read(&mut Cells::of(row))).collect()
}

/// What was asked for, in the order asked: the row's value where there is a row.
pub(super) fn in_places<'a, T>(
    mut all: Vec<T>,
    rows: &'a [Row],
    read: impl Fn(&mut Cells<'a>) -> Result<T, Unreadable>,
) -> Result<Vec<T>, Unreadable> {
    for row in rows {
        let mut cells = Cells::of(row);
        let place = cells.place()?;
        let value = read(&mut cells)?;
        match all.get_mut(place) {
            Some(slot) => *slot = value,
            None => return Err(bad("place", place.to_string())),
        }
    }
    Ok(all)
}

fn bad(what: &'static str, value: String) -> Unreadable {
    Unreadable::Value { what, value }
}
