//! A durable room event on the wire.

use bytes::Bytes;
use serde::{Serialize, Serializer};
use starling_core::{
    ClientId, Cursor, EventId, RoomEvent, RoomId, Timestamp, UserId,
    event::{EventBody, Fields},
};

use crate::{
    Codec,
    codec::{EncodeError, Envelope},
};

/// A durable event as an envelope: `{"type": kind, "data": {roomId, seq, cursor, eventId, senderId, createdAt, …}}`.
#[derive(Debug, Clone, Copy)]
pub struct Durable<'a>(pub &'a RoomEvent);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    room_id: &'a RoomId,
    seq: u64,
    cursor: Cursor,
    event_id: EventId,
    /// Messages only: the same as the event id, under the name that replies and history use.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<EventId>,
    sender_id: &'a UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a ClientId>,
    created_at: Timestamp,
    #[serde(flatten)]
    fields: Fields<'a>,
}

impl Serialize for Durable<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let event = self.0;
        let is_message = matches!(event.body, EventBody::MessageCreated(_));
        let data = Data {
            room_id: &event.room,
            seq: event.seq,
            cursor: event.cursor(),
            event_id: event.id,
            message_id: is_message.then_some(event.id),
            sender_id: &event.sender,
            sender_name: event.sender_name.as_deref(),
            client_id: Some(&event.client_id).filter(|id| id.is_from_client()),
            created_at: event.at,
            fields: Fields(&event.body),
        };
        Envelope::event(event.body.kind(), data).serialize(s)
    }
}

impl Durable<'_> {
    /// The event as a whole server frame.
    pub fn frame(self, codec: Codec) -> Result<Bytes, EncodeError> {
        codec.frame(&self)
    }
}

/// Reply to `fetch_events`: envelopes as they are sent live.
#[derive(Debug, Clone)]
pub struct EventPage<'a> {
    /// Events in ascending seq.
    pub events: &'a [RoomEvent],
    /// Whether there are more.
    pub has_more: bool,
}

impl Serialize for EventPage<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Page<'a> {
            events: Vec<Durable<'a>>,
            has_more: bool,
        }
        Page {
            events: self.events.iter().map(Durable).collect(),
            has_more: self.has_more,
        }
        .serialize(s)
    }
}
