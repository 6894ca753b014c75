//! Frames that all sockets of a node share: encoded at most once for each codec, and only when somebody needs them.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::Serialize;
use starling_core::RoomEvent;
use starling_protocol::{Codec, codec::Envelope, event::Durable};
use tokio::time::Instant;

use crate::traces::Hop;

/// One place for each codec.
#[derive(Debug, Default)]
pub(crate) struct Frames([OnceLock<Bytes>; 2]);

impl Frames {
    fn get(&self, codec: Codec, encode: impl FnOnce() -> Bytes) -> &Bytes {
        self.0[codec.index()].get_or_init(encode)
    }
}

/// A durable event on its way to the sockets of this node.
#[derive(Debug)]
pub(crate) struct SharedEvent {
    pub(crate) event: Arc<RoomEvent>,
    /// The session that asked not to hear of it.
    pub(crate) skip: Option<u64>,
    /// When this node took it in, where this node did.
    pub(crate) accepted: Option<Instant>,
    /// Where its message is traced.
    pub(crate) hop: Option<Box<Hop>>,
    frames: Frames,
}

impl SharedEvent {
    /// An event of this node's own lanes.
    pub(crate) fn own(
        event: Arc<RoomEvent>,
        skip: Option<u64>,
        accepted: Instant,
        hop: Option<Box<Hop>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            event,
            skip,
            accepted: Some(accepted),
            hop,
            frames: Frames::default(),
        })
    }

    /// An event from the log.
    pub(crate) fn foreign(event: RoomEvent) -> Arc<Self> {
        Self::heard(event, None)
    }

    /// An event from the bus.
    pub(crate) fn heard(event: RoomEvent, hop: Option<Box<Hop>>) -> Arc<Self> {
        Arc::new(Self {
            event: event.into(),
            skip: None,
            accepted: None,
            hop,
            frames: Frames::default(),
        })
    }

    pub(crate) fn seq(&self) -> u64 {
        self.event.seq
    }

    pub(crate) fn frame(&self, codec: Codec) -> &Bytes {
        self.frames.get(codec, || {
            Durable(&self.event).frame(codec).unwrap_or_else(|error| {
                // Bodies are strings, integers and JSON values: both codecs have a form for each of them.
                tracing::error!(%error, room.id = %self.event.room, seq = self.event.seq, "cannot encode an event");
                Bytes::new()
            })
        })
    }

    /// About how much memory it takes, its encodings included.
    pub(crate) fn weight(&self) -> usize {
        const ROW: usize = 512;
        let content = match &self.event.body {
            starling_core::EventBody::MessageCreated(m) => m.content.len(),
            starling_core::EventBody::MessageUpdated(m) => m.content.len(),
            _ => 0,
        };
        ROW + 2 * content
    }
}

/// An ephemeral event on its way to the sockets of this node.
pub(crate) struct SharedFrame {
    encode: Box<dyn Fn(Codec) -> Bytes + Send + Sync>,
    frames: Frames,
    /// The session that caused it.
    pub(crate) skip: Option<u64>,
}

impl SharedFrame {
    pub(crate) fn new<T: Serialize + Send + Sync + 'static>(
        kind: &'static str,
        data: T,
        skip: Option<u64>,
    ) -> Self {
        let encode = move |codec: Codec| {
            codec
                .frame(&Envelope::event(kind, &data))
                .unwrap_or_else(|error| {
                    tracing::error!(%error, kind, "cannot encode an ephemeral event");
                    Bytes::new()
                })
        };
        Self {
            encode: Box::new(encode),
            frames: Frames::default(),
            skip,
        }
    }

    pub(crate) fn frame(&self, codec: Codec) -> &Bytes {
        self.frames.get(codec, || (self.encode)(codec))
    }
}
