//! Where a client stands in a room.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{EventId, ids::IdError};

/// The last event that a client has seen: its seq and a short tag of its event id. Opaque to clients.
///
/// The tag tells a rewritten history (a lossy failover of the database) from the one that the client saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Cursor {
    /// Seq of the last event seen; 0 is before the first event.
    pub seq: u64,
    /// [`EventId::tag`] of that event; 0 with seq 0.
    pub tag: u32,
}

impl Cursor {
    /// Before the first event of any room.
    pub const START: Self = Self { seq: 0, tag: 0 };

    /// The cursor just after an event.
    #[must_use]
    pub fn after(seq: u64, id: EventId) -> Self {
        Self { seq, tag: id.tag() }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:08x}", self.seq, self.tag)
    }
}

impl std::str::FromStr for Cursor {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        const BAD: IdError =
            IdError("the cursor is not one that this server gave; leave it out to start at the present");
        let (seq, tag) = text.split_once('.').ok_or(BAD)?;
        let digits = |s: &str, hex: bool| {
            s.bytes().all(|b| {
                if hex {
                    b.is_ascii_hexdigit()
                } else {
                    b.is_ascii_digit()
                }
            })
        };
        if seq.is_empty() || tag.len() != 8 || !digits(seq, false) || !digits(tag, true) {
            return Err(BAD);
        }
        let seq = seq.parse().map_err(|_| BAD)?;
        // Seqs stay below 2^53, so that JavaScript counts them exactly.
        if seq >= 1 << 53 {
            return Err(BAD);
        }
        Ok(Self {
            seq,
            tag: u32::from_str_radix(tag, 16).map_err(|_| BAD)?,
        })
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_forgeries() {
        let cursor = Cursor {
            seq: 42,
            tag: 0xdead_beef,
        };
        assert_eq!(cursor.to_string(), "42.deadbeef");
        assert_eq!("42.deadbeef".parse::<Cursor>().unwrap(), cursor);
        assert_eq!("0.00000000".parse::<Cursor>().unwrap(), Cursor::START);
        for bad in [
            "",
            "42",
            "42.",
            ".deadbeef",
            "-1.deadbeef",
            "+1.deadbeef",
            "1.+eadbeef",
            "42.deadbeef0",
            "9007199254740992.00000000",
            "x.deadbeef",
        ] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}
