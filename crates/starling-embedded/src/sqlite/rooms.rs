//! The port of rooms and members.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, params};
use starling_core::{
    Member, Room, RoomId, Timestamp, UserId,
    ports::{Page, Rooms, Unavailable},
};

use super::{
    Sqlite,
    place::signed,
    rows::{self, ROOM_COLUMNS, member_columns, room_columns},
};

#[async_trait]
impl Rooms for Sqlite {
    async fn room(&self, room: &RoomId) -> Result<Option<Room>, Unavailable> {
        let room = room.clone();
        self.query(move |tx| {
            tx.prepare_cached(concat!("SELECT ", room_columns!(), " FROM room WHERE id = ?1"))?
                .query_row([room.as_str()], |row| Ok(rows::room(row)?.1))
                .optional()
        })
        .await
    }

    async fn member(&self, room: &RoomId, user: &UserId) -> Result<Option<Member>, Unavailable> {
        let (room, user) = (room.clone(), user.clone());
        self.query(move |tx| {
            tx.prepare_cached(concat!(
                "SELECT ",
                member_columns!(),
                " FROM room JOIN member ON member.room = room.number AND member.user = ?2 WHERE room.id = ?1"
            ))?
            .query_row([room.as_str(), user.as_str()], |row| rows::member(row, &room, 0))
            .optional()
        })
        .await
    }

    async fn members(
        &self,
        room: &RoomId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Page<Member>, Unavailable> {
        let (room, after) = (room.clone(), after.cloned());
        self.query(move |tx| {
            let mut find = tx.prepare_cached(concat!(
                "SELECT ",
                member_columns!(),
                " FROM room JOIN member ON member.room = room.number ",
                "WHERE room.id = ?1 AND member.user > ?2 AND member.standing = 'joined' ",
                "ORDER BY member.user LIMIT ?3"
            ))?;
            let after = after.as_ref().map_or("", UserId::as_str);
            let found = find.query_map(params![room.as_str(), after, one_more(limit)], |row| {
                rows::member(row, &room, 0)
            })?;
            page(found, limit)
        })
        .await
    }

    async fn rooms_of(
        &self,
        user: &UserId,
        after: Option<&RoomId>,
        limit: usize,
    ) -> Result<Page<(Room, Member)>, Unavailable> {
        let (user, after) = (user.clone(), after.cloned());
        self.query(move |tx| {
            // Sorts the user's rooms, of which there are at most some thousands.
            let mut find = tx.prepare_cached(concat!(
                "SELECT ",
                room_columns!(),
                ", ",
                member_columns!(),
                " FROM member JOIN room ON room.number = member.room AND room.deleted = 0 ",
                "WHERE member.user = ?1 AND member.standing = 'joined' AND room.id > ?2 ORDER BY room.id LIMIT ?3"
            ))?;
            let after = after.as_ref().map_or("", RoomId::as_str);
            let found = find.query_map(params![user.as_str(), after, one_more(limit)], |row| {
                let (_, room) = rows::room(row)?;
                let member = rows::member(row, &room.id, ROOM_COLUMNS)?;
                Ok((room, member))
            })?;
            page(found, limit)
        })
        .await
    }

    async fn public_rooms(&self, after: Option<&RoomId>, limit: usize) -> Result<Page<Room>, Unavailable> {
        let after = after.cloned();
        self.query(move |tx| {
            let mut find = tx.prepare_cached(concat!(
                "SELECT ",
                room_columns!(),
                " FROM room WHERE kind = 'public' AND deleted = 0 AND id > ?1 ORDER BY id LIMIT ?2"
            ))?;
            let after = after.as_ref().map_or("", RoomId::as_str);
            let found = find.query_map(params![after, one_more(limit)], |row| Ok(rows::room(row)?.1))?;
            page(found, limit)
        })
        .await
    }

    async fn empty_rooms(&self, before: Timestamp, limit: usize) -> Result<Vec<RoomId>, Unavailable> {
        self.query(move |tx| {
            tx.prepare_cached(
                "SELECT id FROM room \
                 WHERE member_count = 0 AND deleted = 0 AND id NOT GLOB '@*' AND last_at < ?1 LIMIT ?2",
            )?
            .query_map([before.as_millis(), signed(limit as u64)], |row| rows::id(row, 0))?
            .collect()
        })
        .await
    }
}

/// One more than asked tells whether there are more.
pub(super) fn one_more(limit: usize) -> i64 {
    signed((limit as u64).saturating_add(1))
}

fn page<T>(found: impl Iterator<Item = rusqlite::Result<T>>, limit: usize) -> rusqlite::Result<Page<T>> {
    let mut items = found.collect::<rusqlite::Result<Vec<_>>>()?;
    let has_more = items.len() > limit;
    items.truncate(limit);
    Ok(Page { items, has_more })
}
