//! The log of room events: the truth.

use async_trait::async_trait;

use super::{Source, Unavailable};
use crate::{Cursor, Draft, Outcome, RoomEvent, RoomId};

/// Appends and reads room events.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Decides and appends a batch, atomically: all outcomes hold, or none does. On return every committed event is
    /// durable, and so is every event that a `Repeated` outcome names.
    ///
    /// Seqs are dense in each room: event n+1 becomes visible only after event n. The outcomes come in the order of the
    /// drafts, one for each. Appending the same drafts again is safe: their client ids find the first outcomes.
    async fn append(&self, batch: &[Draft]) -> Result<Vec<Outcome>, LogError>;

    /// Events of a room with `seq > after`, in order, without a hole, at most `limit`. Reads what is committed; an
    /// event that was removed by retention is not there (see [`Head::min_seq`]).
    async fn read(&self, room: &RoomId, after: u64, limit: usize) -> Result<Vec<RoomEvent>, Unavailable>;

    /// Where the logs of these rooms stand, in the order asked; [`Head::EMPTY`] for a room that does not exist.
    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<Head>, Unavailable>;

    /// Rooms that were appended to since a watermark, with a seq that each has reached at least. May name a room
    /// again; never leaves one out. `None` begins at the present.
    async fn changes(&self, since: Option<Watermark>) -> Result<Changes, Unavailable>;
}

/// Why a batch has no outcomes.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Nothing was stored. Refuse the drafts, or try again.
    #[error("nothing was stored")]
    NotStored(#[source] Unavailable),
    /// The connection was lost around the commit: it may be stored. Append the same batch again until it is known.
    #[error("it is not known whether the batch was stored")]
    Unknown(#[source] Source),
}

/// Where a room's log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The cursor of its last event.
    pub cursor: Cursor,
    /// Seq of the first event that is kept; 1 at first.
    pub min_seq: u64,
}

impl Head {
    /// Of a room without events.
    pub const EMPTY: Self = Self {
        cursor: Cursor::START,
        min_seq: 1,
    };
}

/// A point in the order of commits. Only its backend knows what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watermark(pub u64);

/// What was appended since a watermark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Where to go on from.
    pub next: Watermark,
    /// Rooms and seqs.
    pub rooms: Vec<(RoomId, u64)>,
}
