//! The section `[limits]`.

use std::time::Duration;

use super::{
    kind::{Count, Size, Time},
    section::{Rules, Validate, section},
    units::show_size,
};

section! {
    /// What a client may use of the server.
    struct LimitsConfig("limits") {
        /// A frame from a client, and a message that comes in several frames.
        frame_bytes: usize = 64 << 10, Size(1 << 10..=16 << 20);
        /// Malformed frames of a connection in a minute; the next one closes it.
        bad_frames_per_minute: u32 = 20, Count(1..=1_000_000);
        /// Commands of a user in a minute, over all connections and nodes.
        commands_per_minute: u32 = 120, Count(1..=1_000_000);
        /// Commands of a user at once after a quiet minute.
        command_burst: u32 = 120, Count(1..=1_000_000);
        /// Connections of a user, over all nodes.
        connections_per_user: u32 = 5, Count(1..=100_000);
        /// WebSocket handshakes of an address in a minute. Loopback addresses are exempt, so that tools and proxies
        /// on the same machine are not limited as one client; behind a proxy set server.trusted_proxies.
        handshakes_per_minute: u32 = 20, Count(1..=1_000_000);
        /// What may wait for a slow connection, in bytes. Beyond it the connection catches up from the log.
        outbox_bytes: usize = 256 << 10, Size(16 << 10..=64 << 20);
        /// What may wait for a slow connection, in frames.
        outbox_frames: usize = 1024, Count(16..=1_000_000);
        /// How long a connection may stay behind before it is closed (4010: reconnect and resume).
        slow_consumer_timeout: Duration = Duration::from_secs(30), Time::secs(1..=3600);
        /// Missed events of a room that are replayed; the client pages through the others.
        replay_events_per_room: usize = 500, Count(1..=100_000);
        /// Missed events that are replayed to a connection, over all rooms.
        replay_events_per_connection: usize = 5000, Count(1..=1_000_000);
        /// Recent events of a room in memory, for quick resume.
        ring_events: usize = 256, Count(0..=65_536);
        /// Recent events of a room in memory, in bytes.
        ring_bytes: usize = 256 << 10, Size(0..=64 << 20);
        /// Recent events of all rooms in memory, in bytes.
        ring_total_bytes: usize = 64 << 20, Size(0..=64 << 30);
    }
}

impl Validate for LimitsConfig {
    fn validate(&self, rules: &mut Rules) {
        rules.require(
            self.outbox_bytes >= 2 * self.frame_bytes,
            &["limits.outbox_bytes", "limits.frame_bytes"],
            format!(
                "at least twice limits.frame_bytes ({}), so that a reply fits behind an event",
                show_size(2 * self.frame_bytes as u64)
            ),
        );
    }
}
