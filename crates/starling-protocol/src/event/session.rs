//! Events that take no seq.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use starling_core::{Cursor, NodeId, RoomId, SessionId, Timestamp, UserId, presence::UserPresence};

/// `welcome`: the first frame from the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Welcome {
    /// This connection.
    #[schema(value_type = String)]
    pub session_id: SessionId,
    /// Whom the token names.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// The gateway.
    #[schema(value_type = String)]
    pub node_id: NodeId,
    /// The gateway's clock.
    #[schema(value_type = String)]
    pub server_time: Timestamp,
    /// How often the server pings, in milliseconds. A client that has heard nothing for twice as long reconnects.
    pub heartbeat_ms: u64,
    /// How many missed events of a room are replayed on resume; beyond, the client pages.
    pub resume_window: u64,
    /// What the server accepts.
    pub limits: Limits,
}

/// What the server accepts, in `welcome.limits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Bytes of a frame, and of a fragmented message.
    pub max_frame_bytes: usize,
    /// Characters of a message.
    pub max_content_length: usize,
    /// Commands a minute, for a user, over all nodes; 0 is no limit.
    pub commands_per_minute: u32,
    /// Messages a minute, for a user, over all nodes; 0 is no limit.
    pub messages_per_minute: u32,
    /// Connections of a user, over all nodes.
    pub connections_per_user: u32,
    /// Messages of a session that wait for their reply.
    pub max_unacked: usize,
    /// Rooms that a session follows live.
    pub rooms_per_session: usize,
    /// Users whose presence a session follows.
    pub max_watched: usize,
    /// Missed events replayed on resume, over all rooms of a connection.
    pub replay_events_per_connection: usize,
}

/// `token_expiring`: send `refresh_token` before this time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenExpiring {
    /// When the session closes with 4005.
    #[schema(value_type = String)]
    pub expires_at: Timestamp,
}

/// `typing`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypingEvent {
    /// Where.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Who.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// Whether they are. Ends by itself after 3 s without renewal.
    pub is_typing: bool,
}

/// `signal`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignalEvent {
    /// Where.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Who.
    #[schema(value_type = String)]
    pub sender_id: UserId,
    /// What sort.
    pub name: String,
    /// Its content.
    pub payload: Value,
}

/// `presence_changed`, merged over 1 s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PresenceChanged {
    /// Their presence now.
    pub users: Vec<UserPresence>,
}

/// `read_updated`: to the user's own devices, and, in small rooms, to the members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReadUpdated {
    /// Where.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Who.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// They have read up to here.
    pub seq: u64,
    /// To own devices: what is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<u64>,
    /// To own devices: of it, what mentions the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mentions: Option<u64>,
}

/// `gap`: events of this range were not delivered and will not be; page them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Seq of the first event that is missing.
    pub from: u64,
    /// Seq of the last event that is missing; smaller than `from` when none is.
    pub to: u64,
    /// Only when the history that the client saw was rewritten: forget everything behind this seq first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewind_to: Option<u64>,
    /// Where live delivery goes on.
    #[schema(value_type = String)]
    pub cursor: Cursor,
}

/// `lagging`: this socket drains too slowly; events of these rooms wait in the log and follow when it has drained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lagging {
    /// The rooms.
    #[schema(value_type = Vec<String>)]
    pub room_ids: Vec<RoomId>,
}

/// `migrate`: open a new connection after this time, resume there, then close this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Migrate {
    /// How long to wait, in milliseconds.
    pub after_ms: u64,
}
