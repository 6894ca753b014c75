//! What a client may send, and how it is read: first the envelope, then the data of its type.

mod ephemeral;
mod messages;
mod read;
mod rooms;
mod session;

pub use ephemeral::{SetPresence, Signal, Typing, WatchPresence};
pub use messages::{
    DeleteMessage, EditMessage, FetchEvents, FetchHistory, MarkRead, NewMessage, React, SendMessage,
};
pub use read::{Bad, Incoming};
pub use rooms::{
    CreateRoom, InRoom, Invite, JoinRoom, ListMembers, ListRooms, ListScope, LooseId, Moderate, OnMember,
    SetRole, Subscribe, SubscribeRoom, Unsubscribe, UpdateRoom,
};
pub use session::{Empty, TokenData};

use serde::{Deserialize, Serialize};

/// The id that a client gave a command: a string or an integer, echoed as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum CommandId {
    /// An integer.
    Number(i64),
    /// A string.
    Text(Box<str>),
}

macro_rules! commands {
    ($($(#[$doc:meta])* $variant:ident($data:ty) = $name:literal,)*) => {
        /// A command, with its data.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Command {
            $($(#[$doc])* $variant($data),)*
        }

        impl Command {
            /// Every command's `type`.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// Its `type`.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }

            fn parse(name: &str, data: &read::Data<'_>) -> Option<Result<Self, String>> {
                Some(match name { $($name => data.parse::<$data>().map(Self::$variant),)* _ => return None })
            }
        }
    };
}

commands! {
    /// The token, as the first frame.
    Authenticate(TokenData) = "authenticate",
    /// A new token for a live session.
    RefreshToken(TokenData) = "refresh_token",
    /// Is anybody there?
    Ping(Empty) = "ping",
    /// Make a room.
    CreateRoom(CreateRoom) = "create_room",
    /// Become a member and follow the room live.
    JoinRoom(JoinRoom) = "join_room",
    /// Stop being a member.
    LeaveRoom(InRoom) = "leave_room",
    /// Follow rooms live, from cursors on.
    Subscribe(Subscribe) = "subscribe",
    /// Stop following, stay a member.
    Unsubscribe(Unsubscribe) = "unsubscribe",
    /// Change a room.
    UpdateRoom(UpdateRoom) = "update_room",
    /// Close a room.
    DeleteRoom(InRoom) = "delete_room",
    /// Let a user into a private room.
    Invite(Invite) = "invite",
    /// Remove a member.
    Kick(OnMember) = "kick",
    /// Remove a user and keep them out.
    Ban(Moderate) = "ban",
    /// Lift a ban.
    Unban(OnMember) = "unban",
    /// Take a member's right to write.
    Mute(Moderate) = "mute",
    /// Give it back.
    Unmute(OnMember) = "unmute",
    /// Change a member's role.
    SetRole(SetRole) = "set_role",
    /// Rooms joined, or public ones.
    ListRooms(ListRooms) = "list_rooms",
    /// Members of a room.
    ListMembers(ListMembers) = "list_members",
    /// Write a message.
    SendMessage(SendMessage) = "send_message",
    /// Replace the content of one's own message.
    EditMessage(EditMessage) = "edit_message",
    /// Delete a message.
    DeleteMessage(DeleteMessage) = "delete_message",
    /// React to a message.
    AddReaction(React) = "add_reaction",
    /// Take a reaction back.
    RemoveReaction(React) = "remove_reaction",
    /// Move one's read marker.
    MarkRead(MarkRead) = "mark_read",
    /// A page of messages, in their present state.
    FetchHistory(FetchHistory) = "fetch_history",
    /// A page of events, as they happened.
    FetchEvents(FetchEvents) = "fetch_events",
    /// The user is typing.
    TypingStart(Typing) = "typing_start",
    /// The user stopped typing.
    TypingStop(Typing) = "typing_stop",
    /// Any live state, to those who follow the room now.
    Signal(Signal) = "signal",
    /// Set one's own status.
    SetPresence(SetPresence) = "set_presence",
    /// Follow the presence of users.
    WatchPresence(WatchPresence) = "watch_presence",
    /// Stop following it.
    UnwatchPresence(WatchPresence) = "unwatch_presence",
}
