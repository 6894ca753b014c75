//! Commands about rooms and members.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use starling_core::{Role, RoomId, RoomKind, RoomSettings, Timestamp, UserId};

/// Data of `create_room`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateRoom {
    /// The id that it shall have; a UUID where none is given.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub room_id: Option<RoomId>,
    /// Name shown to people: 1–128 characters.
    pub name: String,
    /// `public` or `private`.
    #[serde(default)]
    pub kind: RoomKind,
    /// What it is about: at most 1,024 characters.
    #[serde(default)]
    pub description: String,
    /// At most so many members; the server's limit where none is given.
    #[serde(default)]
    pub max_members: Option<u32>,
    /// Settings: at most 4 KB.
    #[serde(default)]
    pub settings: RoomSettings,
}

/// Data of `join_room`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JoinRoom {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Where the client stands; missed events follow the reply. The present where none is given.
    #[serde(default)]
    pub cursor: Option<String>,
    /// How many of the last messages the reply holds: 0–100, 50 where not given.
    #[serde(default)]
    pub history: Option<usize>,
}

/// Data of commands that name a room and nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InRoom {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
}

/// Data of `subscribe`: named rooms, or all that the user has joined.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subscribe {
    /// Named rooms.
    #[serde(default)]
    pub rooms: Vec<SubscribeRoom>,
    /// All joined rooms, direct rooms and the user's inbox.
    #[serde(default)]
    pub all: bool,
    /// With `all`: where the client stands in rooms, by room id.
    #[serde(default)]
    pub cursors: BTreeMap<String, String>,
}

/// One room of a `subscribe`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscribeRoom {
    /// The room. Checked one by one: a bad id is an error of this room, not of the command.
    pub room_id: LooseId,
    /// Where the client stands.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// An id as it came: text, or an integer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum LooseId {
    /// Text.
    Text(String),
    /// An integer, to be read as its decimal text.
    Number(i64),
}

impl std::fmt::Display for LooseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(n) => write!(f, "{n}"),
        }
    }
}

/// Data of `unsubscribe`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unsubscribe {
    /// The rooms.
    #[schema(value_type = Vec<String>)]
    pub room_ids: Vec<RoomId>,
}

/// Data of `update_room`: what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateRoom {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// New name.
    #[serde(default)]
    pub name: Option<String>,
    /// New description.
    #[serde(default)]
    pub description: Option<String>,
    /// New limit of members.
    #[serde(default)]
    pub max_members: Option<u32>,
    /// New settings, whole.
    #[serde(default)]
    pub settings: Option<RoomSettings>,
}

/// Data of `invite`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invite {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Who may join.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// With this role.
    #[serde(default)]
    pub role: Role,
}

/// Data of `kick`, `unban` and `unmute`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OnMember {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Whom it is done to.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// Why: at most 512 characters.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Data of `ban` and `mute`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Moderate {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Whom it is done to.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// Until when (RFC 3339, or milliseconds since 1970); for good where absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub until: Option<Timestamp>,
    /// Why: at most 512 characters.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Data of `set_role`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetRole {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Whose role.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// The new role.
    pub role: Role,
}

/// Which rooms a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListScope {
    /// Those that the user has joined.
    #[default]
    Joined,
    /// Public ones, joined or not.
    Public,
}

/// Data of `list_rooms`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct ListRooms {
    /// Which rooms.
    #[serde(default)]
    pub scope: ListScope,
    /// Go on after this room id: the `next` of the page before.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    #[param(value_type = Option<String>)]
    pub after: Option<RoomId>,
    /// 1–200, 50 where not given.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// Data of `list_members`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListMembers {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Go on after this user id: the `next` of the page before.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub after: Option<UserId>,
    /// 1–200, 50 where not given.
    #[serde(default)]
    pub limit: Option<usize>,
}
