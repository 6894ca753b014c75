//! Ids. All are short strings on the wire; inside they are shared, so a clone costs one atomic increment.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// The longest room id that a client may choose, and the longest user id, in bytes.
pub const MAX_ID_BYTES: usize = 128;
/// The longest client message id, in bytes.
pub const MAX_CLIENT_ID_BYTES: usize = 128;

/// Why a text is not an id. The message is for the person who sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IdError(pub(crate) &'static str);

macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident, $visitor:ident, $expecting:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_any($visitor)
            }
        }

        struct $visitor;

        impl de::Visitor<'_> for $visitor {
            type Value = $name;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($expecting)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                $name::parse(text).map_err(E::custom)
            }
            // An integer is read as its decimal text: many applications number their rooms and users.
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<$name, E> {
                self.visit_str(&n.to_string())
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<$name, E> {
                self.visit_str(&n.to_string())
            }
        }
    };
}

string_id!(
    /// A room: 1–128 characters of `A-Z a-z 0-9 _ : . -`, or one of the reserved forms `@all` (announcements),
    /// `@dm:a,b` (the direct room of users a and b, sorted) and `@user` (the inbox of a user).
    RoomId, RoomIdVisitor, "a room id (string or integer)"
);

string_id!(
    /// A user, as named by the `sub` claim of a token: 1–128 bytes, no white space, control character or comma.
    UserId, UserIdVisitor, "a user id (string or integer)"
);

string_id!(
    /// A client's own id for a message: 1–128 bytes. One client id of one sender is appended once in a room, for ever.
    ClientId, ClientIdVisitor, "a client id (string or integer)"
);

string_id!(
    /// One connection of a user; made by the gateway, or given by the `sid` claim.
    SessionId, SessionIdVisitor, "a session id"
);

string_id!(
    /// One gateway process.
    NodeId, NodeIdVisitor, "a node id"
);

const ALL: &str = "@all";
const DIRECT: &str = "@dm:";

impl RoomId {
    /// Reads any valid room id, reserved forms included.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError("a room id must not be empty"));
        }
        if let Some(rest) = text.strip_prefix('@') {
            return Self::parse_reserved(text, rest);
        }
        if text.len() > MAX_ID_BYTES {
            return Err(IdError("a room id has at most 128 characters"));
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':' | b'.' | b'-');
        if !text.bytes().all(allowed) {
            return Err(IdError("a room id is made of A-Z a-z 0-9 _ : . - only"));
        }
        Ok(Self(text.into()))
    }

    fn parse_reserved(text: &str, rest: &str) -> Result<Self, IdError> {
        if text == ALL {
            return Ok(Self(text.into()));
        }
        if let Some(pair) = text.strip_prefix(DIRECT).and_then(|pair| pair.split_once(',')) {
            let (a, b) = (UserId::parse(pair.0)?, UserId::parse(pair.1)?);
            if a > b {
                return Err(IdError(
                    "a direct room is named @dm: and its two users in sorted order",
                ));
            }
            return Ok(Self(text.into()));
        }
        UserId::parse(rest)?;
        Ok(Self(text.into()))
    }

    /// The room of the two users' direct messages; the same whoever asks. A user may write to themself.
    #[must_use]
    pub fn direct(a: &UserId, b: &UserId) -> Self {
        let (first, second) = if a <= b { (a, b) } else { (b, a) };
        Self(format!("{DIRECT}{first},{second}").into())
    }

    /// The room of a user's notifications.
    #[must_use]
    pub fn inbox(user: &UserId) -> Self {
        Self(format!("@{user}").into())
    }

    /// The room of announcements to everybody.
    #[must_use]
    pub fn all() -> Self {
        Self(ALL.into())
    }

    /// Whether the id begins with `@`: such rooms are made by the server and have no member list of their own.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with('@')
    }

    /// What a reserved id stands for; `None` for an ordinary room.
    #[must_use]
    pub fn reserved(&self) -> Option<Reserved> {
        if !self.is_reserved() {
            return None;
        }
        if &*self.0 == ALL {
            return Some(Reserved::Announcements);
        }
        match self.0.strip_prefix(DIRECT).and_then(|pair| pair.split_once(',')) {
            Some((a, b)) => Some(Reserved::Direct(UserId(a.into()), UserId(b.into()))),
            None => Some(Reserved::Inbox(UserId(self.0[1..].into()))),
        }
    }
}

/// What a reserved room id stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// `@all`: everybody reads, administrators write.
    Announcements,
    /// `@dm:a,b`: its two users read and write.
    Direct(UserId, UserId),
    /// `@user`: its user reads, the server writes.
    Inbox(UserId),
}

impl Reserved {
    /// Whether this user reads the room.
    #[must_use]
    pub fn is_read_by(&self, user: &UserId) -> bool {
        match self {
            Self::Announcements => true,
            Self::Direct(a, b) => user == a || user == b,
            Self::Inbox(owner) => user == owner,
        }
    }
}

impl UserId {
    /// Reads a user id. `all` is refused: its inbox would be the room of announcements.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.is_empty() || text.len() > MAX_ID_BYTES {
            return Err(IdError("a user id has 1 to 128 bytes"));
        }
        if text
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || c == ',')
        {
            return Err(IdError(
                "a user id has no white space, control character or comma",
            ));
        }
        if text == "all" {
            return Err(IdError("the user id \"all\" is reserved for announcements"));
        }
        Ok(Self(text.into()))
    }
}

impl ClientId {
    /// Reads a client id.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.is_empty() || text.len() > MAX_CLIENT_ID_BYTES || text.chars().any(char::is_control) {
            return Err(IdError(
                "a client id has 1 to 128 bytes and no control characters",
            ));
        }
        Ok(Self(text.into()))
    }

    /// The client id of an event that nobody named: its event id, so that a retried batch still finds it.
    #[must_use]
    pub fn of_event(id: EventId) -> Self {
        Self(format!("~{id}").into())
    }

    /// Whether a client chose it, so that it is worth telling.
    #[must_use]
    pub fn is_from_client(&self) -> bool {
        !self.0.starts_with('~')
    }
}

impl SessionId {
    /// Reads a session id: 1–128 visible characters.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        printable(text).map(Self)
    }
}

impl NodeId {
    /// Reads a node id: 1–128 visible characters.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        printable(text).map(Self)
    }
}

fn printable(text: &str) -> Result<Arc<str>, IdError> {
    if text.is_empty() || text.len() > MAX_ID_BYTES || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(IdError("an id has 1 to 128 visible ASCII characters"));
    }
    Ok(text.into())
}

/// A durable event: a UUID of version 7 (RFC 9562), so that ids sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub Uuid);

impl EventId {
    /// A new id: the 48-bit millisecond and 74 random bits.
    #[must_use]
    pub fn new(at: crate::Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(at.as_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// A short digest of the id, for cursors.
    #[must_use]
    pub fn tag(self) -> u32 {
        // The last four bytes of a version 7 UUID are random.
        let bytes = self.0.as_bytes();
        u32::from_be_bytes([bytes[12], bytes[13], bytes[14], bytes[15]])
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_ids() {
        for good in [
            "a",
            "general",
            "A-z_0:9.x",
            "@all",
            "@alice",
            "@dm:alice,bob",
            "@dm:a,a",
        ] {
            assert_eq!(RoomId::parse(good).unwrap().as_str(), good);
        }
        let long = "x".repeat(129);
        for bad in [
            "",
            "a b",
            "é",
            "a/b",
            "@",
            "@a b",
            "@dm:bob,alice",
            "@dm:all,bob",
            &long,
        ] {
            assert!(RoomId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_room_id_may_be_an_integer_in_json() {
        assert_eq!(serde_json::from_str::<RoomId>("42").unwrap().as_str(), "42");
        assert!(serde_json::from_str::<RoomId>("4.2").is_err());
        assert!(serde_json::from_str::<RoomId>("null").is_err());
    }

    #[test]
    fn direct_rooms_are_the_same_from_both_sides() {
        let (a, b) = (UserId::parse("alice").unwrap(), UserId::parse("bob").unwrap());
        let room = RoomId::direct(&b, &a);
        assert_eq!(room, RoomId::direct(&a, &b));
        assert_eq!(room, RoomId::parse(room.as_str()).unwrap());
        assert_eq!(room.reserved(), Some(Reserved::Direct(a.clone(), b.clone())));
        assert!(room.reserved().unwrap().is_read_by(&b));
        assert_eq!(RoomId::inbox(&a).reserved(), Some(Reserved::Inbox(a)));
        assert_eq!(RoomId::all().reserved(), Some(Reserved::Announcements));
    }

    #[test]
    fn user_ids_refuse_what_would_collide() {
        for bad in ["", "all", "a b", "a,b", "a\u{7}", &"x".repeat(129)] {
            assert!(UserId::parse(bad).is_err(), "{bad:?}");
        }
        assert!(UserId::parse("auth0|5f7c8ec7c33c6c004bbafe82").is_ok());
    }
}
