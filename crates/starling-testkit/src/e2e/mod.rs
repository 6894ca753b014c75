//! The end-to-end suite: gateways over one backend, real sockets, and a client that is not ours. Every backend runs it.
//!
//! | themes | what they hold |
//! |---|---|
//! | [`connect`], [`handshake`], [`frames`], [`bounds`] | how a connection begins; bad input; limits |
//! | [`envelope`], [`tables`] | ids and errors; every command refused as it should be |
//! | [`rooms`], [`upkeep`], [`private`], [`moderation`] | rooms and members |
//! | [`messages`], [`changes`], [`history`] | messages |
//! | [`ephemeral`], [`presence`] | live state; who is online |
//! | [`direct`], [`notices`] | direct messages and many devices; what administrators tell |
//! | [`order`], [`resume`], [`replay`] | one order for all; continuing where one stopped |
//! | [`slow`], [`stalled`], [`drain`] | readers that do not keep up; nodes that go away |
//!
//! A test file implements [`Harness`] and writes `starling_testkit::e2e!(path::to::harness)`, where `harness` is an
//! async function that gives one; every case becomes a test with a harness, and so a backend, of its own. The themes
//! about commands run once for each codec. To add a case: a private function in its file, and its name in the list at
//! the end of it (the compiler warns about a case that is not listed).
//!
//! Time is real here, for sockets are: settings make it short, and no case sleeps in the hope that something is over
//! by then. "Nothing came" is shown by what came after it.

#![expect(clippy::unwrap_used, reason = "a case that fails says so by a panic")]

mod stage;
mod suite;
pub mod token;

pub mod bounds;
pub mod changes;
pub mod connect;
pub mod direct;
pub mod drain;
pub mod envelope;
pub mod ephemeral;
pub mod frames;
pub mod handshake;
pub mod history;
pub mod messages;
pub mod moderation;
pub mod notices;
pub mod order;
pub mod presence;
pub mod private;
pub mod replay;
pub mod resume;
pub mod rooms;
pub mod slow;
pub mod stalled;
pub mod tables;
pub mod upkeep;

use std::{net::SocketAddr, sync::Arc, time::Duration};

pub use stage::{Node, Stage};

/// Gateways over one backend that no other case uses.
#[async_trait::async_trait]
pub trait Harness: Send + Sync {
    /// Starts a further gateway. It verifies tokens by [`token::SECRET`]; on return it takes connections.
    async fn start(&self, settings: &Settings) -> Arc<dyn Gateway>;
}

/// One gateway. It ends when the last reference is dropped.
#[async_trait::async_trait]
pub trait Gateway: Send + Sync {
    /// Where it listens.
    fn addr(&self) -> SocketAddr;
    /// Ends it as a power failure would: nothing is finished, nobody is told.
    async fn kill(&self);
    /// Sends its clients away and stops it. Returns when it has stopped.
    async fn drain(&self);
}

/// So many a minute, and so many at once.
pub type Rate = (u32, u32);

/// What a case needs to be different from the gateway's own defaults.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How long a client may take to send its request head.
    pub header_timeout: Option<Duration>,
    /// How long a socket may be without a token.
    pub authenticate_timeout: Option<Duration>,
    /// How often the server pings.
    pub heartbeat: Option<Duration>,
    /// Sockets at once.
    pub max_connections: Option<usize>,
    /// Origins allowed besides the node's own.
    pub origins: Vec<String>,
    /// `aud` that tokens must have.
    pub audience: Option<String>,
    /// Commands of a user; a rate of 0 is no limit.
    pub commands: Option<Rate>,
    /// Messages of a user; a rate of 0 is no limit.
    pub messages: Option<Rate>,
    /// Messages of a session that wait for their reply.
    pub max_unacked: Option<usize>,
    /// Connections of a user.
    pub connections_per_user: Option<u32>,
    /// Rooms that a session follows.
    pub rooms_per_session: Option<usize>,
    /// Rooms that a user may have joined.
    pub rooms_per_user: Option<u32>,
    /// Whether the first `join_room` creates a room.
    pub auto_create: Option<bool>,
    /// How long a node follows a room after its last member there.
    pub linger: Option<Duration>,
    /// How long a user stays online after their last session.
    pub grace: Option<Duration>,
    /// How many events of a room a node keeps in memory.
    pub ring_events: Option<usize>,
    /// Missed events of a room that are replayed.
    pub replay_events_per_room: Option<u64>,
    /// Missed events of a connection that are replayed.
    pub replay_events_per_connection: Option<u64>,
    /// Bytes that wait for a socket that does not drain.
    pub outbox_bytes: Option<usize>,
    /// How long a socket may take to drain.
    pub slow_consumer_timeout: Option<Duration>,
    /// Between "not ready" and refusing handshakes.
    pub readiness_delay: Option<Duration>,
    /// Clients are moved away over this time.
    pub drain_window: Option<Duration>,
}

/// Makes tests of all cases.
#[macro_export]
macro_rules! e2e {
    ($harness:path) => {
        mod json {
            $crate::e2e!(@commands $harness, Json);
        }
        mod msgpack {
            $crate::e2e!(@commands $harness, MsgPack);
        }
        $crate::e2e!(@themes $harness, Json, [
            connect e2e_connect, handshake e2e_handshake, frames e2e_frames, bounds e2e_bounds,
            presence e2e_presence, direct e2e_direct, notices e2e_notices, order e2e_order, resume e2e_resume, replay e2e_replay,
            slow e2e_slow, stalled e2e_stalled, drain e2e_drain,
        ]);
    };
    (@commands $harness:path, $wire:ident) => {
        $crate::e2e!(@themes $harness, $wire, [
            envelope e2e_envelope, tables e2e_tables, rooms e2e_rooms, upkeep e2e_upkeep, private e2e_private, moderation e2e_moderation,
            messages e2e_messages, changes e2e_changes, history e2e_history, ephemeral e2e_ephemeral,
        ]);
    };
    (@themes $harness:path, $wire:ident, [$($theme:ident $cases:ident),* $(,)?]) => {
        $(
            mod $theme {
                $crate::$cases!($harness, $wire);
            }
        )*
    };
}
