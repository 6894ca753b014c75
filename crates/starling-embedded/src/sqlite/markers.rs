//! The port of read markers and unread counts.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Transaction, params};
use starling_core::{
    RoomId, UserId,
    ports::{Marker, Markers, Unavailable, Unread},
};

use super::{
    Sqlite,
    place::{RoomNumber, signed},
    rows, unavailable,
    writer::{Job, Mark, Marked},
};

#[async_trait]
impl Markers for Sqlite {
    async fn mark_read(&self, room: &RoomId, user: &UserId, seq: u64) -> Result<Option<Marker>, Unavailable> {
        let mark = Mark {
            room: room.clone(),
            user: user.clone(),
            seq,
        };
        let Some(marked) = self
            .write(|reply| Job::MarkRead { mark, reply })
            .await
            .map_err(unavailable)?
        else {
            return Ok(None);
        };
        // Counted by a reader: a walk over many unread messages holds no append up.
        let (room, user) = (room.clone(), user.clone());
        let unread = self.query(move |tx| unread(tx, &room, &user)).await?;
        Ok(Some(Marker {
            seq: marked.seq,
            moved: marked.moved,
            unread,
        }))
    }

    async fn unread(&self, user: &UserId, rooms: &[RoomId]) -> Result<Vec<Unread>, Unavailable> {
        let (user, rooms) = (user.clone(), rooms.to_vec());
        self.query(move |tx| rooms.iter().map(|room| unread(tx, room, &user)).collect())
            .await
    }
}

/// How a user's row stands to the room's messages.
struct Stand {
    room: RoomNumber,
    is_joined: bool,
    read_seq: u64,
    joined_seq: u64,
    min_seq: u64,
    last_seq: u64,
}

impl Stand {
    fn find(tx: &Transaction<'_>, room: &RoomId, user: &UserId) -> rusqlite::Result<Option<Self>> {
        tx.prepare_cached(
            "SELECT room.number, member.standing = 'joined', member.read_seq, member.joined_seq, room.min_seq, \
             room.last_seq FROM room JOIN member ON member.room = room.number AND member.user = ?2 WHERE room.id = ?1",
        )?
        .query_row([room.as_str(), user.as_str()], |row| {
            Ok(Self {
                room: RoomNumber(row.get(0)?),
                is_joined: row.get(1)?,
                read_seq: rows::unsigned(row, 2)?,
                joined_seq: rows::unsigned(row, 3)?,
                min_seq: rows::unsigned(row, 4)?,
                last_seq: rows::unsigned(row, 5)?,
            })
        })
        .optional()
    }
}

/// Moves a marker forward, in the writer's transaction.
pub(super) fn mark(tx: &Transaction<'_>, mark: &Mark) -> rusqlite::Result<Option<Marked>> {
    let Some(stand) = Stand::find(tx, &mark.room, &mark.user)? else {
        return Ok(None);
    };
    let seq = mark.seq.min(stand.last_seq);
    if seq <= stand.read_seq {
        return Ok(Some(Marked {
            seq: stand.read_seq,
            moved: false,
        }));
    }
    tx.prepare_cached("UPDATE member SET read_seq = ?3 WHERE room = ?1 AND user = ?2")?
        .execute(params![stand.room.0, mark.user.as_str(), signed(seq)])?;
    Ok(Some(Marked { seq, moved: true }))
}

fn unread(tx: &Transaction<'_>, room: &RoomId, user: &UserId) -> rusqlite::Result<Unread> {
    let Some(stand) = Stand::find(tx, room, user)?.filter(|stand| stand.is_joined) else {
        return Ok(Unread::default());
    };
    let seen = stand.read_seq.max(stand.joined_seq);
    let places = stand.room.from(stand.min_seq.max(seen.saturating_add(1)));
    let count = |sql| {
        tx.prepare_cached(sql)?
            .query_row(params![places.start(), places.end(), user.as_str()], |row| {
                rows::unsigned(row, 0)
            })
    };
    Ok(Unread {
        // Only messages have a sender here.
        unread: count(
            "SELECT count(*) FROM entry WHERE place BETWEEN ?1 AND ?2 AND sender <> ?3 AND deleted_at IS NULL",
        )?,
        // Mentions by oneself and of deleted messages have no row.
        mentions: count("SELECT count(*) FROM mention WHERE user = ?3 AND place BETWEEN ?1 AND ?2")?,
        read_seq: stand.read_seq,
    })
}
