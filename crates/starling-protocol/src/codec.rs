//! JSON in text frames, MessagePack in binary frames: maps with string keys, ids and times as strings, one shape.

use bytes::Bytes;
use serde::Serialize;

use crate::ws;

/// How a connection encodes its envelopes; chosen by the WebSocket subprotocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Codec {
    /// `starling.v1.json`, and the default.
    #[default]
    Json,
    /// `starling.v1.msgpack`.
    MsgPack,
}

/// What could not be encoded: a value that the codec has no form for.
#[derive(Debug, thiserror::Error)]
#[error("cannot encode as {codec:?}: {reason}")]
pub struct EncodeError {
    codec: Codec,
    reason: String,
}

impl Codec {
    /// Both, in the order of [`Codec::index`].
    pub const ALL: [Self; 2] = [Self::Json, Self::MsgPack];

    /// The WebSocket subprotocol that chooses it.
    #[must_use]
    pub fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "starling.v1.json",
            Self::MsgPack => "starling.v1.msgpack",
        }
    }

    /// The first offered subprotocol that we speak.
    #[must_use]
    pub fn choose<'a>(offered: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        offered.into_iter().find_map(|name| {
            Self::ALL
                .into_iter()
                .find(|codec| codec.subprotocol() == name.trim())
        })
    }

    /// A small number, for tables with one place a codec.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Json => 0,
            Self::MsgPack => 1,
        }
    }

    /// The opcode of its frames.
    #[must_use]
    pub fn opcode(self) -> ws::Opcode {
        match self {
            Self::Json => ws::Opcode::Text,
            Self::MsgPack => ws::Opcode::Binary,
        }
    }

    /// Appends the payload of one envelope.
    pub fn encode_into<T: Serialize>(self, envelope: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let failed = |reason: String| EncodeError { codec: self, reason };
        match self {
            Self::Json => serde_json::to_writer(out, envelope).map_err(|e| failed(e.to_string())),
            Self::MsgPack => {
                let mut serializer = rmp_serde::Serializer::new(out)
                    .with_struct_map()
                    .with_human_readable();
                envelope
                    .serialize(&mut serializer)
                    .map_err(|e| failed(e.to_string()))
            }
        }
    }

    /// One envelope as a whole server frame, to be shared by every socket of this codec.
    pub fn frame<T: Serialize>(self, envelope: &T) -> Result<Bytes, EncodeError> {
        let mut payload = Vec::with_capacity(256);
        self.encode_into(envelope, &mut payload)?;
        // A server frame has at most 10 bytes of header (RFC 6455 section 5.2).
        let mut frame = Vec::with_capacity(payload.len() + 10);
        ws::encode(self.opcode(), &payload, &mut frame);
        Ok(frame.into())
    }
}

/// The envelope that the server sends: `type`, the command's `id` in replies, `data`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Envelope<'a, T> {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// The id of the command that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a crate::CommandId>,
    /// Its content.
    pub data: T,
}

impl<'a, T> Envelope<'a, T> {
    /// Something that the server says by itself.
    pub fn event(kind: &'a str, data: T) -> Self {
        Self { kind, id: None, data }
    }

    /// The answer to a command that succeeded.
    pub fn ok(id: &'a crate::CommandId, data: T) -> Self {
        Self {
            kind: "ok",
            id: Some(id),
            data,
        }
    }
}
