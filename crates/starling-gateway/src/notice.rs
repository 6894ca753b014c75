//! What nodes tell each other over the bus. Events, not questions: whoever hears one acts on it alone.

use std::io;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use starling_core::{RoomEvent, RoomId, UserId, presence::UserPresence};

use crate::traces::Link;

/// A message between nodes. MessagePack, behind eight bytes that name the node it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Notice {
    /// Committed events of one room, in order.
    Events {
        events: Vec<RoomEvent>,
        /// The contexts of those that are traced.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        traces: Vec<Link>,
    },
    /// Somebody types, or stops.
    Typing {
        room: RoomId,
        user: UserId,
        is_typing: bool,
    },
    /// Live state.
    Signal {
        room: RoomId,
        sender: UserId,
        name: String,
        payload: Value,
    },
    /// Presence of users that somebody here watches.
    Presence(Vec<UserPresence>),
    /// A read marker moved; counts for the user's own devices only.
    Read {
        room: RoomId,
        user: UserId,
        seq: u64,
        left: Option<(u64, u64)>,
    },
    /// Close every session of a user.
    Disconnect { user: UserId, code: u16 },
    /// A node that stops has handed its users over: somebody is to tell when that ends.
    HandedOver,
}

const ORIGIN: usize = 8;

impl Notice {
    /// As it travels.
    pub(crate) fn encode(&self, origin: u64) -> Result<Bytes, rmp_serde::encode::Error> {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(&origin.to_be_bytes());
        self.serialize(
            &mut rmp_serde::Serializer::new(&mut bytes)
                .with_struct_map()
                .with_human_readable(),
        )?;
        Ok(bytes.into())
    }

    /// `Ok(None)` for what this node said itself.
    pub(crate) fn decode(payload: &[u8], own: u64) -> Result<Option<Self>, rmp_serde::decode::Error> {
        let Some((origin, body)) = payload.split_first_chunk::<ORIGIN>() else {
            let short = io::Error::new(io::ErrorKind::UnexpectedEof, "no origin");
            return Err(rmp_serde::decode::Error::InvalidDataRead(short));
        };
        if u64::from_be_bytes(*origin) == own {
            return Ok(None);
        }
        let mut reader = rmp_serde::Deserializer::from_read_ref(body).with_human_readable();
        Self::deserialize(&mut reader).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Span, Tracer, TracerProvider};
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use starling_core::{
        ClientId, EventBody, EventId, Timestamp,
        event::{MessageCreated, Reaction},
    };

    use super::*;
    use crate::traces::Hop;

    #[test]
    fn events_travel_whole_and_own_ones_are_skipped() {
        let at = Timestamp::from_millis(1_795_176_000_123);
        let id = EventId::new(at, [3; 10]);
        let event = |seq, body| RoomEvent {
            room: RoomId::parse("r").unwrap(),
            seq,
            id,
            sender: UserId::parse("alice").unwrap(),
            sender_name: Some("Alice".into()),
            client_id: ClientId::parse("c1").unwrap(),
            at,
            body,
        };
        let message = MessageCreated {
            content: "hi".into(),
            content_type: "text/plain".into(),
            reply_to: Some(1),
            thread: None,
            attachments: Vec::new(),
            mentions: vec![UserId::parse("bob").unwrap()],
            metadata: Some(serde_json::json!({"a": [1, null, {"b": "c"}]})),
        };
        let events = vec![
            event(1, EventBody::MessageCreated(message)),
            event(
                2,
                EventBody::ReactionAdded(Reaction {
                    ref_seq: 1,
                    emoji: "+1".into(),
                }),
            ),
        ];
        let provider = SdkTracerProvider::default();
        let span = provider.tracer("test").start("publish");
        let traces = vec![Link::new(2, &span)];
        let hop = Hop::foreign(&traces[0]).unwrap();
        assert_eq!(hop.parent().trace_id(), span.span_context().trace_id());
        assert_eq!(hop.parent().span_id(), span.span_context().span_id());
        assert!(hop.parent().is_sampled() && hop.parent().is_remote());
        let notice = Notice::Events { events, traces };
        let bytes = notice.encode(7).unwrap();
        assert_eq!(Notice::decode(&bytes, 8).unwrap(), Some(notice));
        assert_eq!(Notice::decode(&bytes, 7).unwrap(), None);
        assert!(Notice::decode(&bytes[..5], 8).is_err());
        assert!(Notice::decode(&bytes[..20], 8).is_err());
    }
}
