//! What somebody asks the log to append, and what became of it.

use std::sync::Arc;

use crate::{
    ClientId, EventId, Refusal, RoomEvent, RoomId, Timestamp, UserId,
    event::{MessageCreated, Notification, RoomUpdated},
    room::{Role, RoomKind, RoomSettings},
};

/// One action on one room, not yet decided. It becomes at most one event.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The room.
    pub room: RoomId,
    /// Who acts.
    pub sender: UserId,
    /// Their display name.
    pub sender_name: Option<Arc<str>>,
    /// In which capacity.
    pub authority: Authority,
    /// Appended once per room and sender; a repeat gets the first outcome.
    pub client_id: ClientId,
    /// The id that the event will have.
    pub event_id: EventId,
    /// The time that the event will have.
    pub at: Timestamp,
    /// What is asked.
    pub action: Action,
}

impl Draft {
    /// A rough size in bytes, for the bounds of a batch.
    #[must_use]
    pub fn weight(&self) -> usize {
        const ROW: usize = 256;
        ROW + match &self.action {
            Action::Send(m) => {
                m.content.len()
                    + m.metadata.as_ref().map_or(0, |v| v.to_string().len())
                    + m.attachments.iter().map(|a| a.url.len() + 64).sum::<usize>()
            }
            Action::Edit { content, .. } => content.len(),
            Action::Notify(n) => n.payload.to_string().len(),
            _ => 0,
        }
    }
}

/// In which capacity somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Authority {
    /// As the room's rules have it.
    #[default]
    Member,
    /// Their token names this room: they may join it though it is private.
    Grant,
    /// An administrator of the service, or the service itself: acts as an owner of every room.
    Admin,
}

/// What a new room is like.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomSpec {
    /// Name shown to people.
    pub name: String,
    /// Who may find and join it.
    pub kind: RoomKind,
    /// What it is about.
    pub description: String,
    /// At most so many members.
    pub max_members: u32,
    /// Its settings.
    pub settings: RoomSettings,
}

/// What is asked of a room.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Create it; the sender becomes its owner.
    CreateRoom {
        /// What it is like.
        spec: RoomSpec,
        /// The sender is in at most so many rooms.
        max_rooms: u32,
    },
    /// Change it.
    UpdateRoom(RoomUpdated),
    /// Close it.
    DeleteRoom,
    /// Become a member.
    Join {
        /// What the room is like if it has to be created; `None` where rooms are not created by joining.
        auto_create: Option<RoomSpec>,
        /// The sender is in at most so many rooms.
        max_rooms: u32,
    },
    /// Stop being a member.
    Leave,
    /// Let a user join a private room.
    Invite {
        /// Who.
        user: UserId,
        /// With this role.
        role: Role,
    },
    /// Remove a member, or take an invitation back.
    Kick {
        /// Who.
        user: UserId,
        /// Why.
        reason: Option<String>,
    },
    /// Remove a user and keep them out.
    Ban {
        /// Who.
        user: UserId,
        /// Until when; for good where `None`.
        until: Option<Timestamp>,
        /// Why.
        reason: Option<String>,
    },
    /// Lift a ban.
    Unban {
        /// Whose.
        user: UserId,
    },
    /// Take a member's right to write.
    Mute {
        /// Whose.
        user: UserId,
        /// Until when; for good where `None`.
        until: Option<Timestamp>,
        /// Why.
        reason: Option<String>,
    },
    /// Give it back.
    Unmute {
        /// To whom.
        user: UserId,
    },
    /// Change a member's role, or step down from one's own.
    SetRole {
        /// Whose.
        user: UserId,
        /// The new role.
        role: Role,
    },
    /// Write a message.
    Send(MessageCreated),
    /// Replace the content of one's own message.
    Edit {
        /// Seq of the message.
        ref_seq: u64,
        /// Its new content.
        content: String,
    },
    /// Delete a message.
    Delete {
        /// Seq of the message.
        ref_seq: u64,
    },
    /// React to a message.
    React {
        /// Seq of the message.
        ref_seq: u64,
        /// The emoji.
        emoji: String,
    },
    /// Take a reaction back.
    Unreact {
        /// Seq of the message.
        ref_seq: u64,
        /// The emoji.
        emoji: String,
    },
    /// Notify the owner of an inbox, or everybody through `@all`.
    Notify(Notification),
}

impl Action {
    /// The user whom it is done to, where it is done to one.
    #[must_use]
    pub fn target(&self) -> Option<&UserId> {
        match self {
            Self::Invite { user, .. }
            | Self::Kick { user, .. }
            | Self::Ban { user, .. }
            | Self::Unban { user }
            | Self::Mute { user, .. }
            | Self::Unmute { user }
            | Self::SetRole { user, .. } => Some(user),
            _ => None,
        }
    }

    /// Seqs of the messages that it refers to.
    pub fn refs(&self) -> impl Iterator<Item = u64> {
        let (a, b) = match self {
            Self::Send(m) => (m.reply_to, m.thread),
            Self::Edit { ref_seq, .. }
            | Self::Delete { ref_seq }
            | Self::React { ref_seq, .. }
            | Self::Unreact { ref_seq, .. } => (Some(*ref_seq), None),
            _ => (None, None),
        };
        a.into_iter().chain(b)
    }
}

/// What became of a draft.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Appended as this event.
    Committed(Arc<RoomEvent>),
    /// Appended earlier, under the same client id, as this event.
    Repeated(Arc<RoomEvent>),
    /// Nothing to do: it is so already.
    Unchanged,
    /// Not appended.
    Refused(Refusal),
}

impl Outcome {
    /// The event, new or earlier.
    #[must_use]
    pub fn event(&self) -> Option<&Arc<RoomEvent>> {
        match self {
            Self::Committed(event) | Self::Repeated(event) => Some(event),
            Self::Unchanged | Self::Refused(_) => None,
        }
    }
}
