//! The section `[messaging]`.

use super::{
    kind::{Count, Size, Switch},
    section::{Validate, section},
};

section! {
    /// Messages.
    struct MessagingConfig("messaging") {
        /// Length of a message, in characters.
        max_length: usize = 10_000, Count(1..=1_000_000);
        /// Messages of a user in a minute, over all connections and nodes.
        rate_per_minute: u32 = 60, Count(1..=1_000_000);
        /// Messages of a user at once after a quiet minute.
        burst: u32 = 60, Count(1..=1_000_000);
        /// Whether messages outlive the process (embedded backend). Without it history and resume last until it stops.
        persistence: bool = true, Switch;
        /// The `metadata` of a message, as JSON.
        max_metadata_bytes: usize = 4 << 10, Size(0..=1 << 20);
        /// Messages that a connection may have sent without an answer yet.
        max_unacked: usize = 50, Count(1..=10_000);
    }
}

impl Validate for MessagingConfig {}
