//! The end of what is old.

use async_trait::async_trait;

use super::Unavailable;
use crate::RoomId;

/// Removes the beginning of a room's history, and only that: what is left has no hole.
#[async_trait]
pub trait Retention: Send + Sync + 'static {
    /// Removes events with a smaller seq than `below`, the oldest first, at most `limit`, and with them the present state
    /// of their messages. The last event of the room stays. Answers how many were removed: fewer than `limit` when no
    /// more are to be.
    ///
    /// [`Head::min_seq`](super::Head::min_seq) rises with it. The client id of an event ends with the event.
    async fn trim(&self, room: &RoomId, below: u64, limit: usize) -> Result<u64, Unavailable>;
}
