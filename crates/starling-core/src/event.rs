//! Durable room events: what takes a room's next `seq`.
//!
//! A body has one serde shape for the store, the bus and the wire (camelCase), so nothing is translated on the way.

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::{
    ClientId, Cursor, EventId, RoomId, Timestamp, UserId,
    room::{Role, RoomKind, RoomSettings},
};

/// One durable event of a room. `seq` is dense: 1, 2, 3 …, the same for every reader.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoomEvent {
    /// The room.
    pub room: RoomId,
    /// Its place in the room's order.
    pub seq: u64,
    /// Unique over all rooms; the `messageId` of a message.
    pub id: EventId,
    /// Who caused it.
    pub sender: UserId,
    /// The sender's display name at that time, from their token.
    pub sender_name: Option<Arc<str>>,
    /// The sender's own id for it; [`ClientId::of_event`] where they gave none.
    pub client_id: ClientId,
    /// When the gateway accepted it. Not an order: `seq` is.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

impl RoomEvent {
    /// Where a client stands that has seen this event.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor::after(self.seq, self.id)
    }

    /// The message that this event is about, where it is about an earlier one.
    #[must_use]
    pub fn ref_seq(&self) -> Option<u64> {
        match &self.body {
            EventBody::MessageUpdated(b) => Some(b.ref_seq),
            EventBody::MessageDeleted(b) => Some(b.ref_seq),
            EventBody::ReactionAdded(b) | EventBody::ReactionRemoved(b) => Some(b.ref_seq),
            _ => None,
        }
    }

    /// The first message of the thread that this message belongs to.
    #[must_use]
    pub fn thread(&self) -> Option<u64> {
        match &self.body {
            EventBody::MessageCreated(b) => b.thread,
            _ => None,
        }
    }
}

/// A body's own fields, without its tag: what the wire puts beside the fields that every event has.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a>(pub &'a EventBody);

macro_rules! event_bodies {
    ($($(#[$doc:meta])* $variant:ident($body:ty) = $kind:literal,)*) => {
        /// What happened. The tag is the event's `type` on the wire and its `kind` in the store.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", content = "body")]
        pub enum EventBody {
            $($(#[$doc])* #[serde(rename = $kind)] $variant($body),)*
        }

        impl Serialize for Fields<'_> {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                match self.0 { $(EventBody::$variant(body) => body.serialize(s),)* }
            }
        }

        impl EventBody {
            /// Every kind of event.
            pub const KINDS: &'static [&'static str] = &[$($kind),*];

            /// The event's `type` on the wire.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind,)* }
            }

            /// The body alone, as JSON.
            pub fn to_json(&self) -> serde_json::Result<String> {
                match self { $(Self::$variant(body) => serde_json::to_string(body),)* }
            }

            /// The body of an event of this kind; `None` for a kind that this version does not know.
            pub fn from_json(kind: &str, json: &str) -> Option<serde_json::Result<Self>> {
                Some(match kind { $($kind => serde_json::from_str(json).map(Self::$variant),)* _ => return None })
            }
        }
    };
}

event_bodies! {
    /// A message was sent.
    MessageCreated(MessageCreated) = "message_created",
    /// The content of a message was replaced.
    MessageUpdated(MessageUpdated) = "message_updated",
    /// A message was deleted: its content is gone, its place remains.
    MessageDeleted(MessageDeleted) = "message_deleted",
    /// A user reacted to a message.
    ReactionAdded(Reaction) = "reaction_added",
    /// A user took a reaction back.
    ReactionRemoved(Reaction) = "reaction_removed",
    /// A user became a member.
    MemberJoined(MemberJoined) = "member_joined",
    /// A user left by their own will.
    MemberLeft(MemberGone) = "member_left",
    /// A user was invited to a private room.
    MemberInvited(MemberInvited) = "member_invited",
    /// A user was removed; they may come back.
    MemberKicked(MemberGone) = "member_kicked",
    /// A user was removed and may not come back.
    MemberBanned(MemberRestricted) = "member_banned",
    /// A ban was lifted.
    MemberUnbanned(MemberRef) = "member_unbanned",
    /// A member may read, not write.
    MemberMuted(MemberRestricted) = "member_muted",
    /// A mute was lifted.
    MemberUnmuted(MemberRef) = "member_unmuted",
    /// A member's role changed.
    MemberRoleChanged(MemberRole) = "member_role_changed",
    /// The room was created; its creator is its owner.
    RoomCreated(RoomCreated) = "room_created",
    /// Name, description, limits or settings changed.
    RoomUpdated(RoomUpdated) = "room_updated",
    /// The room is closed for good; its history is kept until retention removes it.
    RoomDeleted(RoomDeleted) = "room_deleted",
    /// A notification (in an inbox room) or an announcement (in `@all`).
    Notification(Notification) = "notification",
}

/// Body of `message_created`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageCreated {
    /// The text.
    pub content: String,
    /// MIME type of the content; `text/plain` unless the client says otherwise.
    pub content_type: String,
    /// Seq of the message that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<u64>,
    /// Seq of the first message of its thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<u64>,
    /// Files, by reference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Users mentioned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub mentions: Vec<UserId>,
    /// Whatever the application adds; Starling does not look into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
}

/// A file that belongs to a message, by reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// Where it is.
    pub url: String,
    /// File name shown to people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// MIME type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// Body of `message_updated`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageUpdated {
    /// Seq of the message.
    pub ref_seq: u64,
    /// Its new content.
    pub content: String,
}

/// Body of `message_deleted`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageDeleted {
    /// Seq of the message.
    pub ref_seq: u64,
}

/// Body of `reaction_added` and `reaction_removed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reaction {
    /// Seq of the message.
    pub ref_seq: u64,
    /// The emoji or short name, at most 64 bytes.
    pub emoji: String,
}

/// Body of `member_joined`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberJoined {
    /// Who joined.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// Their role.
    pub role: Role,
    /// Their display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub name: Option<Arc<str>>,
}

/// Body of `member_left` and `member_kicked`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberGone {
    /// Who is gone.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// Why, in the words of who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Body of `member_invited`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberInvited {
    /// Who may join now.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// The role they will have.
    pub role: Role,
}

/// Body of `member_banned` and `member_muted`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberRestricted {
    /// Who.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// Until when; for good where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub until: Option<Timestamp>,
    /// Why, in the words of who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Body of `member_unbanned` and `member_unmuted`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberRef {
    /// Who.
    #[schema(value_type = String)]
    pub user_id: UserId,
}

/// Body of `member_role_changed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberRole {
    /// Who.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// Their new role.
    pub role: Role,
}

/// Body of `room_created`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoomCreated {
    /// Name shown to people.
    pub name: String,
    /// Who may find and join it.
    pub kind: RoomKind,
}

/// Body of `room_updated`: what changed, with its new value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoomUpdated {
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// New description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// New limit of members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_members: Option<u32>,
    /// New settings, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<RoomSettings>,
}

/// Body of `room_deleted`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoomDeleted {}

/// Body of `notification`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// What sort of notification; the application's own word, or `announcement`.
    pub topic: String,
    /// Its content; Starling does not look into it.
    pub payload: Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> RoomEvent {
        RoomEvent {
            room: RoomId::parse("general").unwrap(),
            seq: 7,
            id: EventId::new(Timestamp::from_millis(1_795_176_000_000), [9; 10]),
            sender: UserId::parse("alice").unwrap(),
            sender_name: None,
            client_id: ClientId::parse("c1").unwrap(),
            at: Timestamp::from_millis(1_795_176_000_000),
            body: EventBody::MessageDeleted(MessageDeleted { ref_seq: 3 }),
        }
    }

    #[test]
    fn the_store_keeps_kind_and_body_apart() {
        let body = event().body;
        let json = body.to_json().unwrap();
        assert_eq!(
            (body.kind(), json.as_str()),
            ("message_deleted", r#"{"refSeq":3}"#)
        );
        assert_eq!(EventBody::from_json(body.kind(), &json).unwrap().unwrap(), body);
        assert!(EventBody::from_json("from_the_future", "{}").is_none());
    }

    #[test]
    fn the_bus_carries_events_as_messagepack() {
        let mut bytes = Vec::new();
        event()
            .serialize(
                &mut rmp_serde::Serializer::new(&mut bytes)
                    .with_struct_map()
                    .with_human_readable(),
            )
            .unwrap();
        let mut reader = rmp_serde::Deserializer::new(&bytes[..]).with_human_readable();
        assert_eq!(RoomEvent::deserialize(&mut reader).unwrap(), event());
    }
}
