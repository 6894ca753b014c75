//! From a frame of the server to what it says, in the words of the protocol crate; and from a command to a frame.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use starling_core::{Cursor, EventBody, RoomId, Timestamp, UserId};
use starling_protocol::{
    Codec, CommandId, ErrorBody,
    codec::{EncodeError, Envelope},
    event::{Gap, Migrate, PresenceChanged, TypingEvent, Welcome},
};

/// What the server says.
#[derive(Debug)]
pub(crate) enum Frame {
    Welcome(Welcome),
    /// The answer to a command that succeeded.
    Ok(i64, Box<RawValue>),
    /// The answer to one that did not; without an id, to something that was no command.
    Error(Option<i64>, ErrorBody),
    Event(Box<Event>),
    Typing(TypingEvent),
    Presence(PresenceChanged),
    Gap(Gap),
    Migrate(Migrate),
    TokenExpiring,
    Batch(Vec<Self>),
    /// What this client has no use for.
    Other,
}

/// A durable event of a room.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) meta: Meta,
    pub(crate) body: EventBody,
}

/// What every durable event has.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Meta {
    pub(crate) room_id: RoomId,
    pub(crate) seq: u64,
    pub(crate) cursor: Cursor,
    pub(crate) sender_id: UserId,
    pub(crate) created_at: Timestamp,
}

/// The reply to `fetch_events`.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) events: Vec<Event>,
    pub(crate) has_more: bool,
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: Option<CommandId>,
    data: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Events {
    events: Vec<Box<RawValue>>,
    #[serde(default)]
    has_more: bool,
}

impl Frame {
    /// Reads the payload of a text frame.
    pub(crate) fn read(text: &str) -> serde_json::Result<Self> {
        let Head { kind, id, data } = serde_json::from_str(text)?;
        let id = match id {
            Some(CommandId::Number(id)) => Some(id),
            _ => None,
        };
        let json = data.get();
        Ok(match (kind.as_str(), id) {
            ("ok", Some(id)) => Self::Ok(id, data),
            ("error", id) => Self::Error(id, serde_json::from_str(json)?),
            ("welcome", _) => Self::Welcome(serde_json::from_str(json)?),
            ("typing", _) => Self::Typing(serde_json::from_str(json)?),
            ("presence_changed", _) => Self::Presence(serde_json::from_str(json)?),
            ("gap", _) => Self::Gap(serde_json::from_str(json)?),
            ("migrate", _) => Self::Migrate(serde_json::from_str(json)?),
            ("token_expiring", _) => Self::TokenExpiring,
            ("batch", _) => {
                let batch: Events = serde_json::from_str(json)?;
                Self::Batch(
                    batch
                        .events
                        .iter()
                        .map(|event| Self::read(event.get()))
                        .collect::<Result<_, _>>()?,
                )
            }
            (kind, _) => match EventBody::from_json(kind, json) {
                Some(body) => Self::Event(Box::new(Event {
                    meta: serde_json::from_str(json)?,
                    body: body?,
                })),
                None => Self::Other,
            },
        })
    }
}

impl Page {
    /// Reads the data of the reply to `fetch_events`.
    pub(crate) fn read(json: &str) -> serde_json::Result<Self> {
        let page: Events = serde_json::from_str(json)?;
        let mut events = Vec::with_capacity(page.events.len());
        for event in page.events {
            // A kind of event from a later version is passed over.
            if let Frame::Event(event) = Frame::read(event.get())? {
                events.push(*event);
            }
        }
        Ok(Self {
            events,
            has_more: page.has_more,
        })
    }
}

/// A command as the payload of a text frame.
pub(crate) fn write<T: Serialize>(kind: &str, id: i64, data: T) -> Result<String, EncodeError> {
    let mut payload = Vec::with_capacity(128);
    let envelope = Envelope {
        kind,
        id: Some(&CommandId::Number(id)),
        data,
    };
    Codec::Json.encode_into(&envelope, &mut payload)?;
    // JSON is UTF-8.
    Ok(String::from_utf8_lossy(&payload).into_owned())
}
