//! The section `[presence]`.

use std::time::Duration;

use super::{
    kind::{Count, Time},
    section::{Rules, Validate, section},
    units::show_duration,
};

section! {
    /// Who is online.
    struct PresenceConfig("presence") {
        /// How often a node renews its lease.
        heartbeat: Duration = Duration::from_secs(3), Time::millis(100..=60_000);
        /// After how long without renewal a node counts as dead, and its users as gone. At least two heartbeats.
        lease_ttl: Duration = Duration::from_secs(9), Time::millis(200..=600_000);
        /// How long after their last connection a user still counts as online, so that a page reload shows nothing.
        grace: Duration = Duration::from_secs(10), Time::secs(0..=600);
        /// Users that one connection may watch.
        max_watched: usize = 500, Count(0..=10_000);
        /// Members up to which a room tells who is online; a larger one tells how many.
        room_detail_limit: usize = 500, Count(0..=10_000);
        /// For how long changes are gathered into one event.
        merge: Duration = Duration::from_millis(500), Time::millis(0..=60_000);
    }
}

impl Validate for PresenceConfig {
    fn validate(&self, rules: &mut Rules) {
        rules.require(
            self.lease_ttl >= 2 * self.heartbeat,
            &["presence.lease_ttl", "presence.heartbeat"],
            format!(
                "at least twice presence.heartbeat ({})",
                show_duration(self.heartbeat)
            ),
        );
    }
}
