//! What a node must be told. Plain values, already checked by whoever read the configuration.

use std::{net::SocketAddr, time::Duration};

use ipnet::IpNet;
use starling_core::{NodeId, ports::Rate};

use crate::traces::Traces;

/// Settings of one node. [`NodeConfig::new`] gives the defaults of the protocol's section 9.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// The node's id, unique among the live nodes.
    pub node_id: NodeId,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Further addresses to listen on.
    pub listen_also: Vec<SocketAddr>,
    /// Where others reach it, where that is not `listen`: shown to operators.
    pub advertise: Option<String>,
    /// How long a client may take to send its request head.
    pub header_timeout: Duration,
    /// Sockets at once; more are answered 503.
    pub max_connections: usize,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// `SO_SNDBUF` of a socket, in bytes: what a stalled reader can hide in the kernel.
    pub sndbuf_bytes: usize,
    /// Origins allowed besides the node's own; `*` allows all.
    pub cors_origins: Vec<String>,
    /// How long a socket may be without a token.
    pub authenticate_timeout: Duration,
    /// How often the server pings.
    pub heartbeat: Duration,
    /// How long a user may be seen as typing without renewal.
    pub typing_ttl: Duration,
    /// Tokens for people without an account; `None` lets nobody in without a token.
    pub guests: Option<GuestSettings>,
    /// Rooms.
    pub rooms: RoomLimits,
    /// Messages.
    pub messages: MessageLimits,
    /// Presence.
    pub presence: PresenceSettings,
    /// What a connection may do.
    pub limits: ConnectionLimits,
    /// How many events a node keeps to replay without reading the log.
    pub rings: RingLimits,
    /// Drain.
    pub drain: DrainSettings,
    /// How often the log is swept for lost tails while the bus is healthy.
    pub sweep: Duration,
    /// The same while the bus is away.
    pub sweep_degraded: Duration,
    /// How long a hole in a room's order is held before the log is read.
    pub hold: Duration,
    /// Fan-out tasks; a room belongs to one.
    pub fanout_tasks: usize,
    /// Group-commit lanes; a room belongs to one.
    pub lanes: usize,
    /// Traces of messages; `None` traces nothing.
    pub traces: Option<Traces>,
}

/// Tokens for guests.
#[derive(Debug, Clone, Copy)]
pub struct GuestSettings {
    /// How long a token is good.
    pub token_ttl: Duration,
    /// For how long after that it can be renewed.
    pub refresh_ttl: Duration,
}

impl Default for GuestSettings {
    fn default() -> Self {
        Self {
            token_ttl: Duration::from_mins(15),
            refresh_ttl: Duration::from_hours(30 * 24),
        }
    }
}

/// Settings of rooms.
#[derive(Debug, Clone)]
pub struct RoomLimits {
    /// Whether the first `join_room` creates a public room.
    pub auto_create: bool,
    /// Rooms that a user may have joined.
    pub max_per_user: u32,
    /// Members of a room at most.
    pub max_members: u32,
    /// Rooms that a session follows live.
    pub max_per_session: usize,
    /// Messages in the reply to `join_room` when the client does not say.
    pub history_on_join: usize,
    /// Rooms without members are closed after this time.
    pub expire_empty_after: Option<Duration>,
    /// How long a node keeps a room after its last local member.
    pub linger: Duration,
}

/// Settings of messages.
#[derive(Debug, Clone)]
pub struct MessageLimits {
    /// Characters of a message.
    pub max_length: usize,
    /// Messages of a user.
    pub rate: Rate,
    /// Bytes of `metadata` as JSON.
    pub max_metadata_bytes: usize,
    /// Messages of a session that wait for their reply.
    pub max_unacked: usize,
}

/// Settings of presence.
#[derive(Debug, Clone)]
pub struct PresenceSettings {
    /// How often the node's lease is renewed.
    pub heartbeat: Duration,
    /// How long a user stays online after their last session.
    pub grace: Duration,
    /// Users whose presence a session may follow.
    pub max_watched: usize,
    /// Rooms with more members get counts only.
    pub room_detail_limit: usize,
    /// Changes are gathered for this long before they are told.
    pub merge: Duration,
}

/// What a connection may do.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// Bytes of a frame.
    pub frame_bytes: usize,
    /// Frames that are not commands, a minute, before the socket is closed.
    pub bad_frames_per_minute: u32,
    /// Commands of a user.
    pub commands: Rate,
    /// Connections of a user.
    pub connections_per_user: u32,
    /// Handshakes of an address; loopback is exempt.
    pub handshakes: Rate,
    /// Bytes that wait for a socket that does not drain.
    pub outbox_bytes: usize,
    /// Frames that wait for it.
    pub outbox_frames: usize,
    /// How long a socket may take to drain.
    pub slow_consumer_timeout: Duration,
    /// Missed events of a room replayed on resume.
    pub replay_events_per_room: u64,
    /// Missed events replayed over all rooms of a connection.
    pub replay_events_per_connection: u64,
}

/// How much a node remembers of its rooms.
#[derive(Debug, Clone, Copy)]
pub struct RingLimits {
    /// Events of a room.
    pub events: usize,
    /// Bytes of a room.
    pub bytes: usize,
    /// Bytes over all rooms.
    pub total_bytes: usize,
}

/// How a node stops.
#[derive(Debug, Clone)]
pub struct DrainSettings {
    /// Between "not ready" and refusing handshakes: the balancer must notice.
    pub readiness_delay: Duration,
    /// Clients are moved away over this time.
    pub window: Duration,
    /// The whole drain takes at most this long.
    pub timeout: Duration,
}

impl NodeConfig {
    /// The defaults, on a free loopback port.
    #[must_use]
    pub fn new(node_id: NodeId) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            node_id,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            listen_also: Vec::new(),
            advertise: None,
            header_timeout: Duration::from_secs(10),
            max_connections: 100_000,
            trusted_proxies: Vec::new(),
            sndbuf_bytes: 32 << 10,
            cors_origins: Vec::new(),
            authenticate_timeout: Duration::from_secs(10),
            heartbeat: Duration::from_secs(25),
            typing_ttl: Duration::from_secs(3),
            guests: Some(GuestSettings::default()),
            rooms: RoomLimits {
                auto_create: true,
                max_per_user: 2000,
                max_members: 100_000,
                max_per_session: 1000,
                history_on_join: 50,
                expire_empty_after: None,
                linger: Duration::from_secs(30),
            },
            messages: MessageLimits {
                max_length: 10_000,
                rate: Rate {
                    per_minute: 60,
                    burst: 60,
                },
                max_metadata_bytes: 4 << 10,
                max_unacked: 50,
            },
            presence: PresenceSettings {
                heartbeat: Duration::from_secs(3),
                grace: Duration::from_secs(10),
                max_watched: 500,
                room_detail_limit: 500,
                merge: Duration::from_millis(500),
            },
            limits: ConnectionLimits {
                frame_bytes: 64 << 10,
                bad_frames_per_minute: 20,
                commands: Rate {
                    per_minute: 120,
                    burst: 120,
                },
                connections_per_user: 5,
                handshakes: Rate {
                    per_minute: 20,
                    burst: 20,
                },
                outbox_bytes: 256 << 10,
                outbox_frames: 1024,
                slow_consumer_timeout: Duration::from_secs(30),
                replay_events_per_room: 500,
                replay_events_per_connection: 5000,
            },
            rings: RingLimits {
                events: 256,
                bytes: 256 << 10,
                total_bytes: 64 << 20,
            },
            drain: DrainSettings {
                readiness_delay: Duration::from_secs(2),
                window: Duration::from_secs(20),
                timeout: Duration::from_secs(30),
            },
            sweep: Duration::from_secs(2),
            sweep_degraded: Duration::from_millis(150),
            hold: Duration::from_millis(40),
            // More tasks than cores: a pass over a very large room then delays fewer of the others.
            fanout_tasks: (4 * cores).clamp(4, 64),
            lanes: 1,
            traces: None,
        }
    }
}
