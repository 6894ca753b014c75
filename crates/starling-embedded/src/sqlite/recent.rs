//! Which rooms the latest commits appended to.

use std::collections::VecDeque;

use parking_lot::Mutex;
use rusqlite::Connection;
use starling_core::{
    RoomId,
    ports::{Changes, Watermark},
};

use super::append::Appended;

/// Rooms that are remembered, counted once for each commit: some twenty seconds at full speed, where a node asks every
/// two. Who asks for more is told every room.
const ROOMS: usize = 262_144;
/// Below the bits that count how often the file was opened are those that count commits since.
const COMMIT_BITS: u32 = 40;

/// The latest commits. In memory, for whoever asks lives in this process: an index of the rooms by their last change
/// would be written by every commit and read by nobody else.
pub(super) struct Recent(Mutex<Commits>);

struct Commits {
    /// The rooms of each commit, and the last seq of each room, oldest first.
    rooms: VecDeque<Vec<(RoomId, u64)>>,
    /// How many rooms these are.
    count: usize,
    /// The last commit.
    last: u64,
}

impl Recent {
    /// Begins with no commit. It is counted in the file how often that happened, so that a watermark of an earlier
    /// process is known to be older than anything remembered; and a file that cannot be written is noticed at once.
    pub(super) fn begin(connection: &Connection) -> rusqlite::Result<Self> {
        let opened: i64 = connection.query_row(
            "UPDATE store SET opened = opened + 1 RETURNING opened",
            [],
            |row| row.get(0),
        )?;
        Ok(Self(Mutex::new(Commits {
            rooms: VecDeque::new(),
            count: 0,
            last: opened.cast_unsigned() << COMMIT_BITS,
        })))
    }

    /// Remembers a commit. To be called before anybody is told of it.
    pub(super) fn note(&self, appended: &Appended) {
        if appended.rooms.is_empty() {
            return;
        }
        let mut commits = self.0.lock();
        commits.last += 1;
        commits.count += appended.rooms.len();
        commits.rooms.push_back(appended.rooms.clone());
        while commits.count > ROOMS {
            let oldest = commits.rooms.pop_front().unwrap_or_default();
            commits.count -= oldest.len();
        }
    }

    pub(super) fn present(&self) -> Watermark {
        Watermark(self.0.lock().last)
    }

    /// Rooms since a watermark; `None` when it lies before what is remembered.
    pub(super) fn since(&self, since: Option<Watermark>) -> Option<Changes> {
        let commits = self.0.lock();
        let next = Watermark(commits.last);
        let new = commits.last.checked_sub(since.unwrap_or(next).0)?;
        let known = commits.rooms.len().checked_sub(usize::try_from(new).ok()?)?;
        let rooms = commits.rooms.range(known..).flatten().cloned().collect();
        Some(Changes { next, rooms })
    }
}
