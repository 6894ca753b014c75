//! The ports over Postgres that are a statement each.

use async_trait::async_trait;
use starling_core::{
    Cursor, Draft, EventId, Member, Outcome, Room, RoomEvent, RoomId, Timestamp, UserId,
    ports::{
        Changes, Directory, EventLog, Head, LogError, Marker, Markers, Page, Retention, Rooms, Unavailable,
        Unread, Watermark,
    },
};
use uuid::Uuid;

use super::{
    Store,
    error::{Unreadable, unavailable},
    rows::{Cells, each, in_places, int, limit},
    sql,
};

#[async_trait]
impl EventLog for Store {
    async fn append(&self, batch: &[Draft]) -> Result<Vec<Outcome>, LogError> {
        self.inner.appender.append(batch, &self.inner.counters).await
    }

    async fn read(&self, room: &RoomId, after: u64, most: usize) -> Result<Vec<RoomEvent>, Unavailable> {
        let rows = self
            .query(sql::READ, &[&room.as_str(), &int(after), &limit(most)])
            .await?;
        readable(each(&rows, Cells::event))
    }

    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<Head>, Unavailable> {
        let rows = self.query(sql::HEADS, &[&ids(rooms)]).await?;
        readable(in_places(vec![Head::EMPTY; rooms.len()], &rows, |cells| {
            let seq = cells.uint()?;
            let last: Option<Uuid> = cells.next()?;
            Ok(Head {
                cursor: last.map_or(Cursor::START, |id| Cursor::after(seq, EventId(id))),
                min_seq: cells.uint()?,
            })
        }))
    }

    async fn changes(&self, since: Option<Watermark>) -> Result<Changes, Unavailable> {
        self.sweep(since).await
    }
}

#[async_trait]
impl Rooms for Store {
    async fn room(&self, room: &RoomId) -> Result<Option<Room>, Unavailable> {
        self.inner.gathered.rooms.one(room.clone()).await?
    }

    async fn member(&self, room: &RoomId, user: &UserId) -> Result<Option<Member>, Unavailable> {
        let key = (room.clone(), user.clone());
        self.inner.gathered.members.one(key).await?
    }

    async fn members(
        &self,
        room: &RoomId,
        after: Option<&UserId>,
        most: usize,
    ) -> Result<Page<Member>, Unavailable> {
        let after = after.map_or("", UserId::as_str);
        let rows = self
            .query(sql::MEMBERS, &[&room.as_str(), &after, &one_more(most)])
            .await?;
        Ok(page(readable(each(&rows, Cells::member))?, most))
    }

    async fn rooms_of(
        &self,
        user: &UserId,
        after: Option<&RoomId>,
        most: usize,
    ) -> Result<Page<(Room, Member)>, Unavailable> {
        let after = after.map_or("", RoomId::as_str);
        let rows = self
            .query(sql::ROOMS_OF, &[&user.as_str(), &after, &one_more(most)])
            .await?;
        let items = each(&rows, |cells| Ok((cells.room()?, cells.member()?)));
        Ok(page(readable(items)?, most))
    }

    async fn public_rooms(&self, after: Option<&RoomId>, most: usize) -> Result<Page<Room>, Unavailable> {
        let after = after.map_or("", RoomId::as_str);
        let rows = self.query(sql::PUBLIC_ROOMS, &[&after, &one_more(most)]).await?;
        Ok(page(readable(each(&rows, Cells::room))?, most))
    }

    async fn empty_rooms(&self, before: Timestamp, most: usize) -> Result<Vec<RoomId>, Unavailable> {
        let rows = self
            .query(sql::EMPTY_ROOMS, &[&before.as_millis(), &limit(most)])
            .await?;
        readable(each(&rows, Cells::room_id))
    }
}

#[async_trait]
impl Retention for Store {
    async fn trim(&self, room: &RoomId, below: u64, most: usize) -> Result<u64, Unavailable> {
        let rows = self
            .query(sql::TRIM, &[&room.as_str(), &int(below), &limit(most)])
            .await?;
        let counts = readable(each(&rows, Cells::uint))?;
        Ok(counts.into_iter().sum())
    }
}

#[async_trait]
impl Markers for Store {
    async fn mark_read(&self, room: &RoomId, user: &UserId, seq: u64) -> Result<Option<Marker>, Unavailable> {
        let moved = self
            .query(sql::MARK_READ, &[&room.as_str(), &user.as_str(), &int(seq)])
            .await?;
        let key = (room.clone(), user.clone());
        let left = self.inner.gathered.unread.one(key).await??;
        Ok(left.map(|unread| Marker {
            seq: unread.read_seq,
            moved: !moved.is_empty(),
            unread,
        }))
    }

    async fn unread(&self, user: &UserId, rooms: &[RoomId]) -> Result<Vec<Unread>, Unavailable> {
        let keys = rooms.iter().map(|room| (room.clone(), user.clone())).collect();
        let all = self.inner.gathered.unread.all(keys).await?;
        all.into_iter()
            .map(|found| Ok(found?.unwrap_or_default()))
            .collect()
    }
}

#[async_trait]
impl Directory for Store {
    async fn seen(&self, users: &[(UserId, Timestamp)]) -> Result<(), Unavailable> {
        let (ids, times): (Vec<&str>, Vec<i64>) = users
            .iter()
            .map(|(user, at)| (user.as_str(), at.as_millis()))
            .unzip();
        self.query(sql::SEEN, &[&ids, &times]).await?;
        Ok(())
    }

    async fn last_seen(&self, users: &[UserId]) -> Result<Vec<Option<Timestamp>>, Unavailable> {
        let ids: Vec<&str> = users.iter().map(UserId::as_str).collect();
        let rows = self.query(sql::LAST_SEEN, &[&ids]).await?;
        readable(in_places(vec![None; users.len()], &rows, |cells| {
            cells.time().map(Some)
        }))
    }
}

fn ids(rooms: &[RoomId]) -> Vec<&str> {
    rooms.iter().map(RoomId::as_str).collect()
}

fn one_more(most: usize) -> i64 {
    limit(most.saturating_add(1))
}

/// A page of `most` items out of one item more.
fn page<T>(mut items: Vec<T>, most: usize) -> Page<T> {
    let has_more = items.len() > most;
    items.truncate(most);
    Page { items, has_more }
}

pub(super) fn readable<T>(read: Result<T, Unreadable>) -> Result<T, Unavailable> {
    read.map_err(unavailable)
}
