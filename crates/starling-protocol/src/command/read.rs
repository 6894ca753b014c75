//! From the payload of a frame to a command.

use std::borrow::Cow;

use serde::{Deserialize, de::DeserializeOwned, de::IgnoredAny};
use serde_json::value::RawValue;
use starling_core::Refusal;

use super::{Command, CommandId};
use crate::Codec;

/// How deep a MessagePack payload may nest; serde_json's own limit for JSON is the same.
const MAX_DEPTH: usize = 128;

/// A command as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// The client's id for it; without one only an error is answered.
    pub id: Option<CommandId>,
    /// What it asks.
    pub command: Command,
}

/// A frame that is not a command, and the answer that it gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Bad {
    /// The client's id, where it could be read.
    pub id: Option<CommandId>,
    /// `invalid_message` or `unknown_type`.
    pub refusal: Refusal,
}

#[derive(Deserialize)]
struct JsonHead<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    id: Option<CommandId>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct MsgPackHead {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: Option<CommandId>,
    #[serde(default)]
    /// Read past, so that the whole payload is checked.
    data: Option<IgnoredAny>,
}

/// The data of an envelope, not yet read.
pub(super) enum Data<'a> {
    Json(&'a str),
    /// The whole envelope: MessagePack has no raw value to lend, and reading it twice costs about 100 ns.
    MsgPack(&'a [u8]),
}

#[derive(Deserialize)]
struct MsgPackBody<T> {
    data: T,
}

impl Data<'_> {
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, String> {
        match self {
            Self::Json(text) => serde_json::from_str(text).map_err(|e| e.to_string()),
            Self::MsgPack(bytes) => msgpack::<MsgPackBody<T>>(bytes)
                .map(|body| body.data)
                .map_err(|e| e.to_string()),
        }
    }
}

fn msgpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut rest = bytes;
    let mut reader = rmp_serde::Deserializer::new(&mut rest).with_human_readable();
    reader.set_max_depth(MAX_DEPTH);
    let value = T::deserialize(&mut reader).map_err(|e| e.to_string())?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(format!("{} bytes follow the envelope", rest.len()))
    }
}

impl Incoming {
    /// Reads one payload. A payload that is no command never panics, and says what is wrong with it.
    pub fn decode(codec: Codec, payload: &[u8]) -> Result<Self, Bad> {
        match codec {
            Codec::Json => Self::from_json(payload),
            Codec::MsgPack => Self::from_msgpack(payload),
        }
    }

    fn from_json(payload: &[u8]) -> Result<Self, Bad> {
        let head: JsonHead<'_> = serde_json::from_slice(payload).map_err(|e| not_an_envelope("JSON", &e))?;
        let data = Data::Json(head.data.map_or("{}", RawValue::get));
        Self::finish(&head.kind, head.id, &data)
    }

    fn from_msgpack(payload: &[u8]) -> Result<Self, Bad> {
        const EMPTY: &[u8] = &[0x81, 0xa4, b'd', b'a', b't', b'a', 0x80];
        let head: MsgPackHead = msgpack(payload).map_err(|e| not_an_envelope("MessagePack", &e))?;
        let data = Data::MsgPack(if head.data.is_some() { payload } else { EMPTY });
        Self::finish(&head.kind, head.id, &data)
    }

    fn finish(kind: &str, id: Option<CommandId>, data: &Data<'_>) -> Result<Self, Bad> {
        match Command::parse(kind, data) {
            Some(Ok(command)) => Ok(Self { id, command }),
            Some(Err(why)) => Err(Bad {
                id,
                refusal: Refusal::InvalidMessage(format!("the data of {kind} is not valid: {why}")),
            }),
            None => {
                let shown: String = kind.chars().take(64).collect();
                Err(Bad {
                    id,
                    refusal: Refusal::UnknownType(shown),
                })
            }
        }
    }
}

fn not_an_envelope(codec: &str, error: &dyn std::fmt::Display) -> Bad {
    let why = format!("a frame is one {codec} object {{\"type\", \"id\"?, \"data\"}}: {error}");
    Bad {
        id: None,
        refusal: Refusal::InvalidMessage(why),
    }
}
