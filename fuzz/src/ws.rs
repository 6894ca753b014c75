//! Owned messages, and the decoding of a stream that is cut into reads.

use starling_protocol::ws::{Decoder, Limits, Message, Role, WsError};

/// A [`Message`] that owns its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

impl From<Message<'_>> for Event {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => Self::Text(text.to_owned()),
            Message::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Message::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Message::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Message::Close { code, reason } => Self::Close(code, reason.to_owned()),
        }
    }
}

/// Decodes a stream read by read, and checks after every read that the decoder holds no more than it may.
pub fn decode<'a>(
    role: Role,
    limits: Limits,
    reads: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Event>, Option<WsError>) {
    let mut decoder = Decoder::new(role, limits);
    let mut events = Vec::new();
    let mut sent = 0;
    for read in reads {
        sent += read.len();
        let mut scratch = read.to_vec();
        let mut input = scratch.as_mut_slice();
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(message)) => events.push(message.into()),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.decode(&mut input), Err(error), "an error is final");
                    assert_eq!(decoder.buffered(), 0, "a failed decoder holds nothing");
                    return (events, Some(error));
                }
            }
        }
        assert!(input.is_empty(), "bytes were left without a reason");
        assert!(
            decoder.buffered() <= bound(sent, limits),
            "{} after {sent} bytes",
            decoder.buffered()
        );
    }
    (events, None)
}

/// The box, a control frame, and twice what was sent of a message, up to the limit of a message.
fn bound(sent: usize, limits: Limits) -> usize {
    192 + 256 + (2 * sent).max(64).min(limits.max_message as usize)
}
