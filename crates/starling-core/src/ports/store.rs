//! What a client reads: rooms, members, messages, read markers, users.

use async_trait::async_trait;

use super::Unavailable;
use crate::{Member, Message, Room, RoomId, Timestamp, UserId};

/// Rooms and members, as the log has left them. "Not found" is `None`; closed rooms are found, with `deleted` set.
#[async_trait]
pub trait Rooms: Send + Sync + 'static {
    /// A room.
    async fn room(&self, room: &RoomId) -> Result<Option<Room>, Unavailable>;
    /// How a user stands to a room.
    async fn member(&self, room: &RoomId, user: &UserId) -> Result<Option<Member>, Unavailable>;
    /// Joined members in the order of their user ids, after one.
    async fn members(
        &self,
        room: &RoomId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Page<Member>, Unavailable>;
    /// Open rooms that a user has joined, with their member row, in the order of the room ids, after one.
    async fn rooms_of(
        &self,
        user: &UserId,
        after: Option<&RoomId>,
        limit: usize,
    ) -> Result<Page<(Room, Member)>, Unavailable>;
    /// Open public rooms in the order of their ids, after one.
    async fn public_rooms(&self, after: Option<&RoomId>, limit: usize) -> Result<Page<Room>, Unavailable>;
    /// Open, ordinary rooms without members whose last event is older than `before`, at most `limit`.
    async fn empty_rooms(&self, before: Timestamp, limit: usize) -> Result<Vec<RoomId>, Unavailable>;
}

/// A page of a longer list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// Whether there are more after the last one.
    pub has_more: bool,
}

/// Present state of messages.
#[async_trait]
pub trait History: Send + Sync + 'static {
    /// A page of messages in ascending seq, from `min_seq` on, of the room or of one of its threads (the thread's first
    /// message included).
    async fn messages(
        &self,
        room: &RoomId,
        span: Span,
        thread: Option<u64>,
        limit: usize,
    ) -> Result<HistoryPage, Unavailable>;
}

/// Which part of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// The latest.
    Latest,
    /// The nearest with a smaller seq.
    Before(u64),
    /// The nearest with a greater seq.
    After(u64),
    /// Half before, the rest from this seq on.
    Around(u64),
}

/// A page of a history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryPage {
    /// Messages in ascending seq.
    pub messages: Vec<Message>,
    /// Whether there are more in the direction asked: newer for `After`, older for the others.
    pub has_more: bool,
}

/// Read markers and exact unread counts.
#[async_trait]
pub trait Markers: Send + Sync + 'static {
    /// Moves a user's read marker forward; a smaller seq, or one past the head, leaves it at the larger, or at the
    /// head. `None` when the user has no row in the room.
    async fn mark_read(&self, room: &RoomId, user: &UserId, seq: u64) -> Result<Option<Marker>, Unavailable>;
    /// Counts for these rooms, in order; zeros where the user is not a member.
    async fn unread(&self, user: &UserId, rooms: &[RoomId]) -> Result<Vec<Unread>, Unavailable>;
}

/// A read marker after a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// Messages up to this seq are read.
    pub seq: u64,
    /// Whether the call moved it.
    pub moved: bool,
    /// What is left.
    pub unread: Unread,
}

/// Messages by others after the read marker, deleted ones left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unread {
    /// All of them.
    pub unread: u64,
    /// Those that mention the user.
    pub mentions: u64,
    /// The marker.
    pub read_seq: u64,
}

/// What is known about users, whether or not they are connected.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// Stores when users were last seen; an earlier time than the stored one is ignored.
    async fn seen(&self, users: &[(UserId, Timestamp)]) -> Result<(), Unavailable>;
    /// When these users were last seen, in order.
    async fn last_seen(&self, users: &[UserId]) -> Result<Vec<Option<Timestamp>>, Unavailable>;
}
