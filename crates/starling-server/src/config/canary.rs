//! The section `[canary]`.

use std::time::Duration;

use starling_core::RoomId;

use super::{
    kind::{Room, Switch, Time},
    section::{Validate, section},
};

section! {
    /// A client inside the node that sends messages through the whole stack, as any other client would, and tells how long
    /// they take and what is missing. All nodes of a cluster share its room, and so watch each other.
    struct CanaryConfig("canary") {
        /// Whether there is one. It signs its own tokens, so it needs a shared secret (auth.hs256_secret).
        enabled: bool = false, Switch;
        /// How often it sends a message.
        interval: Duration = Duration::from_secs(1), Time::millis(100..=3_600_000);
        /// Its room, whose history is trimmed: nothing else should use it.
        room: RoomId = room(), Room;
    }
}

fn room() -> RoomId {
    RoomId::parse("starling-canary").expect("letters and a hyphen")
}

impl Validate for CanaryConfig {}
