//! Commands about messages.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use starling_core::{ClientId, RoomId, UserId, event::Attachment};

/// Data of `send_message`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SendMessage {
    /// The room; or a recipient.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub room_id: Option<RoomId>,
    /// The user to write to directly; or a room.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub recipient_id: Option<UserId>,
    /// The client's own id for the message: sent again, it gets the first outcome. Without one a retry is a new message.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub client_id: Option<ClientId>,
    /// What it says.
    #[serde(flatten)]
    pub message: NewMessage,
    /// `false`: this session does not get the `message_created`, only the reply.
    #[serde(default = "yes")]
    pub echo: bool,
}

fn yes() -> bool {
    true
}

/// What a new message says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewMessage {
    /// The text: 1–10,000 characters, or empty with attachments.
    pub content: String,
    /// MIME type of the content; `text/plain` where not given.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Seq of the message that it answers.
    #[serde(default)]
    pub reply_to: Option<u64>,
    /// Seq of the first message of the thread that it goes to.
    #[serde(default)]
    pub thread: Option<u64>,
    /// Files, by reference: at most 10.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// Users mentioned: at most 50.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub mentions: Vec<UserId>,
    /// The application's data: at most 4 KB.
    #[serde(default)]
    pub metadata: Option<Value>,
}

/// Data of `edit_message`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EditMessage {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Seq of the message.
    pub seq: u64,
    /// Its new content.
    pub content: String,
}

/// Data of `delete_message`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeleteMessage {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Seq of the message.
    pub seq: u64,
}

/// Data of `add_reaction` and `remove_reaction`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct React {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Seq of the message.
    pub seq: u64,
    /// The emoji or short name: 1–64 bytes.
    pub emoji: String,
}

/// Data of `mark_read`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MarkRead {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Messages up to this seq are read.
    pub seq: u64,
}

/// Data of `fetch_history`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FetchHistory {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// The nearest with a smaller seq.
    #[serde(default)]
    pub before: Option<u64>,
    /// The nearest with a greater seq.
    #[serde(default)]
    pub after: Option<u64>,
    /// Half before, the rest from this seq on.
    #[serde(default)]
    pub around: Option<u64>,
    /// Only this thread.
    #[serde(default)]
    pub thread: Option<u64>,
    /// 1–200, 50 where not given.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// Data of `fetch_events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FetchEvents {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Events with a greater seq.
    #[serde(default)]
    pub after: u64,
    /// 1–500, 200 where not given.
    #[serde(default)]
    pub limit: Option<usize>,
}
