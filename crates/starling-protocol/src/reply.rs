//! What a command is answered with: the `data` of its `ok`.

use serde::{Deserialize, Serialize};
use starling_core::{
    Cursor, EventId, Member, Message, Role, Room, RoomId, RoomKind, RoomSettings, Timestamp, UserId,
    presence::Status,
};

use crate::ErrorBody;

/// A room as clients see it: the reply to `create_room` and `update_room`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoomView {
    /// Its id.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Name shown to people.
    pub name: String,
    /// Who may find and join it.
    pub kind: RoomKind,
    /// What it is about.
    pub description: String,
    /// At most so many members.
    pub max_members: u32,
    /// Members joined now.
    pub member_count: u32,
    /// Its settings.
    pub settings: RoomSettings,
    /// Who created it.
    #[schema(value_type = String)]
    pub created_by: UserId,
    /// When.
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    /// Seq of its last event.
    pub head: u64,
}

impl From<&Room> for RoomView {
    fn from(room: &Room) -> Self {
        Self {
            room_id: room.id.clone(),
            name: room.name.clone(),
            kind: room.kind,
            description: room.description.clone(),
            max_members: room.max_members,
            member_count: room.member_count,
            settings: room.settings.clone(),
            created_by: room.created_by.clone(),
            created_at: room.created_at,
            head: room.last_seq,
        }
    }
}

/// Reply to `join_room`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Joined {
    /// The room.
    pub room: RoomView,
    /// The user's role in it.
    pub role: Role,
    /// Seq of the room's last event: live delivery goes on behind it.
    pub head: u64,
    /// The cursor of that event.
    #[schema(value_type = String)]
    pub cursor: Cursor,
    /// The last messages up to `head`, oldest first.
    pub messages: Vec<Message>,
    /// Users who follow the room live now.
    pub online_count: u32,
    /// Messages by others after the user's read marker.
    pub unread: u64,
    /// Those that mention the user.
    pub mentions: u64,
    /// With a cursor: too much was missed to be replayed; page from the cursor to `head`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub limited: bool,
}

/// Reply to `subscribe`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SubscribedRooms {
    /// One for each room.
    pub rooms: Vec<SubscribedRoom>,
}

/// One room of the reply to `subscribe`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum SubscribedRoom {
    /// It is followed live from now on.
    Live(LiveRoom),
    /// It is not.
    Failed {
        /// The room, as it was named.
        #[serde(rename = "roomId")]
        room_id: String,
        /// Why not.
        error: ErrorBody,
    },
}

/// A room that is followed live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveRoom {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Seq of its last event now.
    pub head: u64,
    /// The cursor of that event.
    #[schema(value_type = String)]
    pub cursor: Cursor,
    /// Too much was missed to be replayed: page from your cursor to `head`; live events follow behind `head`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub limited: bool,
    /// Messages by others after the user's read marker.
    pub unread: u64,
    /// Those that mention the user.
    pub mentions: u64,
}

/// Reply to `list_rooms`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoomList {
    /// Rooms in the order of their ids.
    pub rooms: Vec<ListedRoom>,
    /// Whether there are more.
    pub has_more: bool,
    /// To be given as `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub next: Option<RoomId>,
}

/// A room in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedRoom {
    /// The room.
    #[serde(flatten)]
    pub room: RoomView,
    /// The user's role, in a list of joined rooms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Messages by others after the read marker, in a list of joined rooms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<u64>,
    /// Those that mention the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mentions: Option<u64>,
}

/// Reply to `list_members`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberList {
    /// Members in the order of their user ids.
    pub members: Vec<MemberView>,
    /// Whether there are more.
    pub has_more: bool,
    /// To be given as `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub next: Option<UserId>,
}

/// A member as clients see them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberView {
    /// Who.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// Display name when they joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their role.
    pub role: Role,
    /// When they joined.
    #[schema(value_type = String)]
    pub joined_at: Timestamp,
    /// Whether they may not write now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub muted: bool,
    /// Their presence; left out while presence is unavailable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

impl MemberView {
    /// From the row, at a time.
    #[must_use]
    pub fn new(member: &Member, status: Option<Status>, now: Timestamp) -> Self {
        Self {
            user_id: member.user.clone(),
            name: member.name.as_deref().map(str::to_owned),
            role: member.role,
            joined_at: member.joined_at,
            muted: member
                .muted
                .is_some_and(|until| until.is_none_or(|until| until > now)),
            status,
        }
    }
}

/// Reply to `send_message`, after the message is durable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    /// The room; of a direct message, the room of the two.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// The message's place.
    pub seq: u64,
    /// Its id.
    #[schema(value_type = String)]
    pub message_id: EventId,
    /// When it was accepted.
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    /// It was there already, under the same client id.
    pub duplicate: bool,
}

/// Reply to commands that append an event and have nothing else to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Appended {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Seq of the event; absent when it was so already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

/// Reply to `mark_read`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Read {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Where the marker stands now.
    pub seq: u64,
    /// What is left.
    pub unread: u64,
    /// Of it, what mentions the user.
    pub mentions: u64,
}

/// Reply to `fetch_history`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Messages {
    /// Present state, oldest first.
    pub messages: Vec<Message>,
    /// Whether there are more in the direction asked.
    pub has_more: bool,
}

/// Reply to `ping`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pong {
    /// The node's clock.
    #[schema(value_type = String)]
    pub server_time: Timestamp,
}

/// Reply to `refresh_token`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refreshed {
    /// When the new token ends.
    #[schema(value_type = String)]
    pub expires_at: Timestamp,
}
