//! The section `[rooms]`.

use std::time::Duration;

use super::{
    kind::{Count, Optional, Switch, Time},
    section::{Validate, section},
};

section! {
    /// Rooms and memberships.
    struct RoomsConfig("rooms") {
        /// Whether joining a public room that does not exist creates it.
        auto_create: bool = true, Switch;
        /// Rooms that a user may be a member of.
        max_per_user: usize = 2000, Count(1..=100_000);
        /// Members of a room; a room may set itself a lower limit.
        max_members: usize = 100_000, Count(1..=10_000_000);
        /// Rooms that one connection may receive live.
        max_per_session: usize = 1000, Count(1..=100_000);
        /// Recent messages in the reply to `join_room` when the client names no number.
        history_on_join: usize = 50, Count(0..=100);
        /// After how long without members a room is deleted. Never when it is not set.
        expire_empty_after: Option<Duration> = None, Optional(Time::secs(1..=31_536_000), "\"720h\"");
        /// How long a node goes on following a room after its last member there has left, since many come back.
        linger: Duration = Duration::from_secs(30), Time::secs(0..=3600);
    }
}

impl Validate for RoomsConfig {}
