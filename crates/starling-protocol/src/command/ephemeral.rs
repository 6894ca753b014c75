//! Commands that leave nothing behind.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use starling_core::{RoomId, UserId, presence::Status};

/// Data of `typing_start` and `typing_stop`.
pub type Typing = super::InRoom;

/// Data of `signal`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Signal {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// What sort of signal: 1–64 bytes, the application's own word.
    pub name: String,
    /// At most 4 KB.
    #[serde(default)]
    pub payload: Value,
}

/// Data of `set_presence`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetPresence {
    /// `online`, `away`, `busy` or `invisible`.
    pub status: Status,
    /// A text beside it: at most 128 characters. `null` or absent clears it.
    #[serde(default)]
    pub custom_status: Option<String>,
}

/// Data of `watch_presence` and `unwatch_presence`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WatchPresence {
    /// At most 500 in all.
    #[schema(value_type = Vec<String>)]
    pub user_ids: Vec<UserId>,
}
