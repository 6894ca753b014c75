//! Why something was refused, in one enum that is mapped to a code and a text in one place.

use std::time::Duration;

use crate::ids::IdError;

/// A refusal that a client may see. `Display` says what to do and never holds a driver's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The command or one of its fields is not understood.
    #[error("{0}")]
    InvalidMessage(String),
    /// There is no such command.
    #[error("there is no command {0:?}; see the protocol's list of commands")]
    UnknownType(String),
    /// No token yet, or one that does not verify.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The token's time is over.
    #[error("the token has expired; get a new one and send refresh_token")]
    TokenExpired,
    /// The rules do not let this user do it.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The named thing does not exist, or this user may not know that it does.
    #[error("{0} does not exist")]
    NotFound(&'static str),
    /// Only members may.
    #[error("you are not a member of this room; send join_room first")]
    NotMember,
    /// The room has all the members it may have.
    #[error("the room is full: it has its limit of {max} members")]
    RoomFull {
        /// The limit.
        max: u32,
    },
    /// The id is taken.
    #[error("a room with this id exists; choose another id or join it")]
    RoomExists,
    /// The user is banned from the room.
    #[error("you are banned from this room{}", until(.retry_after))]
    Banned {
        /// Time until the ban ends, where it ends.
        retry_after: Option<Duration>,
    },
    /// The user may read, not write.
    #[error("you are muted in this room{}", until(.retry_after))]
    Muted {
        /// Time until the mute ends, where it ends.
        retry_after: Option<Duration>,
    },
    /// The room's slow mode.
    #[error("the room is in slow mode; wait {} s before the next message", .retry_after.as_secs_f64().ceil())]
    SlowMode {
        /// Time until the next message is taken.
        retry_after: Duration,
    },
    /// Too many commands, messages or handshakes.
    #[error("too many {what}; wait {} ms and send again", .retry_after.as_millis())]
    RateLimited {
        /// Of what.
        what: &'static str,
        /// Time until the next one is taken.
        retry_after: Duration,
    },
    /// The content is too long.
    #[error("the message is too long: at most {max} {unit}")]
    MessageTooLong {
        /// The limit.
        max: usize,
        /// Of what.
        unit: &'static str,
    },
    /// The user, or the session, has all the rooms it may have.
    #[error("too many rooms: at most {max}; leave or unsubscribe from one first")]
    TooManyRooms {
        /// The limit.
        max: usize,
    },
    /// The same client id came with another content.
    #[error("this clientId was used for another message in this room; use a new one for a new message")]
    Conflict,
    /// The service cannot do it now; nothing was done.
    #[error("the service cannot do this right now; try again")]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
    },
    /// A fault of ours; it is in the log.
    #[error("an internal error; it has been logged")]
    Internal,
}

fn until(retry_after: &Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |d| {
        format!(" for another {} s", d.as_secs_f64().ceil())
    })
}

impl Refusal {
    /// The code on the wire and the label in metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidMessage(_) => "invalid_message",
            Self::UnknownType(_) => "unknown_type",
            Self::Unauthenticated(_) => "unauthenticated",
            Self::TokenExpired => "token_expired",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound(_) => "not_found",
            Self::NotMember => "not_member",
            Self::RoomFull { .. } => "room_full",
            Self::RoomExists => "room_exists",
            Self::Banned { .. } => "banned",
            Self::Muted { .. } => "muted",
            Self::SlowMode { .. } => "slow_mode",
            Self::RateLimited { .. } => "rate_limited",
            Self::MessageTooLong { .. } => "message_too_long",
            Self::TooManyRooms { .. } => "too_many_rooms",
            Self::Conflict => "conflict",
            Self::Unavailable { .. } => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// When the client may try again, where waiting helps.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Banned { retry_after } | Self::Muted { retry_after } => *retry_after,
            Self::SlowMode { retry_after }
            | Self::RateLimited { retry_after, .. }
            | Self::Unavailable { retry_after } => Some(*retry_after),
            _ => None,
        }
    }

    /// For a store or a bus that is away.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::Unavailable {
            retry_after: Duration::from_secs(1),
        }
    }
}

impl From<IdError> for Refusal {
    fn from(error: IdError) -> Self {
        Self::InvalidMessage(error.to_string())
    }
}
