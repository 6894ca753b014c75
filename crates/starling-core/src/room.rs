//! Rooms, members, roles, and the present state of a message.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ClientId, Cursor, EventId, RoomId, Timestamp, UserId, event::Attachment};

/// Who may find and join a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoomKind {
    /// Listed; anybody joins.
    #[default]
    Public,
    /// Not listed; by invitation or by a grant in the token.
    Private,
    /// The messages of two users.
    Direct,
}

impl RoomKind {
    /// As stored and sent.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Direct => "direct",
        }
    }

    /// The inverse of [`RoomKind::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Public, Self::Private, Self::Direct]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// What a member may do; a later one may do all that an earlier one may.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads and reacts; does not write messages.
    Guest,
    /// Reads and writes.
    #[default]
    Member,
    /// Also deletes others' messages, invites, mutes, kicks and bans.
    Moderator,
    /// Also changes the room and gives roles below their own.
    Admin,
    /// Also deletes the room.
    Owner,
}

impl Role {
    const ALL: [Self; 5] = [
        Self::Guest,
        Self::Member,
        Self::Moderator,
        Self::Admin,
        Self::Owner,
    ];

    /// As stored and sent.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Member => "member",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The inverse of [`Role::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// Settings of a room. Keys that Starling does not know are the application's and are kept.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoomSettings {
    /// A member below moderator writes at most once in so many seconds; 0 is off.
    #[serde(default)]
    pub slow_mode_seconds: u32,
    /// The application's own settings.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub extra: BTreeMap<String, Value>,
}

impl RoomSettings {
    /// The slow mode's span, where it is on.
    #[must_use]
    pub fn slow_mode(&self) -> Option<Duration> {
        (self.slow_mode_seconds > 0).then(|| Duration::from_secs(u64::from(self.slow_mode_seconds)))
    }
}

/// A room as stored, with where its log stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Room {
    /// Its id.
    pub id: RoomId,
    /// Who may find and join it.
    pub kind: RoomKind,
    /// Name shown to people.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// At most so many members.
    pub max_members: u32,
    /// Its settings.
    pub settings: RoomSettings,
    /// Who created it.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
    /// Closed for good.
    pub deleted: bool,
    /// Members joined now.
    pub member_count: u32,
    /// Seq of its last event; 0 before the first.
    pub last_seq: u64,
    /// Seq of the first event that retention has kept; 1 at first.
    pub min_seq: u64,
    /// Id of its last event.
    pub last_event: Option<EventId>,
}

impl Room {
    /// The cursor of its last event.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.last_event
            .map_or(Cursor::START, |id| Cursor::after(self.last_seq, id))
    }
}

/// How a user stands to a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// A member.
    Joined,
    /// May join a private room.
    Invited,
    /// Left, or was kicked. The row keeps their mute and their read marker, a guest's role and, where they left by
    /// their own will, an owner's.
    Gone,
    /// May not come back, until the time where one is given.
    Banned {
        /// End of the ban.
        until: Option<Timestamp>,
    },
}

/// A user's row in a room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The room.
    pub room: RoomId,
    /// The user.
    pub user: UserId,
    /// Display name at the time of joining.
    pub name: Option<Arc<str>>,
    /// How they stand to the room.
    pub standing: Standing,
    /// Their role while joined; the role that they will have while invited.
    pub role: Role,
    /// When they joined last.
    pub joined_at: Timestamp,
    /// Seq of the event by which they joined last: unread counts start there.
    pub joined_seq: u64,
    /// Mute: `None` not muted, `Some(None)` for good, `Some(Some(t))` until t.
    pub muted: Option<Option<Timestamp>>,
    /// When they wrote last, for slow mode.
    pub wrote_at: Option<Timestamp>,
}

impl Member {
    /// Whether they are a member now.
    #[must_use]
    pub fn is_joined(&self) -> bool {
        self.standing == Standing::Joined
    }

    /// Takes back what the row says, as its room is closed: a room opened by the same name begins with strangers.
    pub fn reset(&mut self) {
        self.standing = Standing::Gone;
        self.role = Role::Member;
        self.muted = None;
        self.wrote_at = None;
    }
}

/// The present state of a message: edits applied, reactions counted, content gone when deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The room.
    #[schema(value_type = String)]
    pub room_id: RoomId,
    /// Seq of its `message_created`.
    pub seq: u64,
    /// Event id of its `message_created`.
    #[schema(value_type = String)]
    pub message_id: EventId,
    /// Who wrote it.
    #[schema(value_type = String)]
    pub sender_id: UserId,
    /// Their display name when they wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub sender_name: Option<Arc<str>>,
    /// The writer's own id for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub client_id: Option<ClientId>,
    /// The text; empty when deleted.
    pub content: String,
    /// MIME type of the content.
    pub content_type: String,
    /// Seq of the message that this one answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<u64>,
    /// Seq of the first message of its thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<u64>,
    /// Messages in the thread that it begins.
    pub reply_count: u32,
    /// Files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Users mentioned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub mentions: Vec<UserId>,
    /// The application's data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// Users by emoji, in the order of their reactions, at most 50 named for each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = Object)]
    pub reactions: BTreeMap<String, ReactionCount>,
    /// When it was written.
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    /// When it was edited last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub edited_at: Option<Timestamp>,
    /// When it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub deleted_at: Option<Timestamp>,
}

/// One emoji under a message.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReactionCount {
    /// How many users.
    pub count: u32,
    /// The first of them, at most 50.
    #[schema(value_type = Vec<String>)]
    pub users: Vec<UserId>,
}
