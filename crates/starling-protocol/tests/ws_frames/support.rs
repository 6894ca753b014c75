//! Decoding whole streams, and frames written by hand, right or wrong.

use starling_protocol::ws::{Decoder, Limits, Message, Role, WsError};

/// A [`Message`] that owns its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
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

pub(crate) fn text(text: &str) -> Event {
    Event::Text(text.to_owned())
}

/// Everything that a stream gave: its messages, then perhaps an error.
pub(crate) type Outcome = (Vec<Event>, Option<WsError>);

/// Feeds the pieces one after another, as reads of a socket would.
pub(crate) fn decode_pieces<'a>(
    role: Role,
    limits: Limits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    let mut decoder = Decoder::new(role, limits);
    let mut events = Vec::new();
    for piece in pieces {
        let mut scratch = piece.to_vec();
        let mut input = scratch.as_mut_slice();
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(message)) => events.push(message.into()),
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
        assert!(
            input.is_empty(),
            "the decoder left {} bytes without saying why",
            input.len()
        );
    }
    (events, None)
}

pub(crate) fn decode(role: Role, bytes: &[u8]) -> Outcome {
    decode_pieces(role, Limits::default(), [bytes])
}

/// A client's frame with the given first byte and a length in the fewest bytes.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..126 => frame.push(0x80 | len as u8),
        len @ 126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(key);
    frame.extend(
        payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    frame
}

/// First bytes: the opcode of section 5.2 with FIN, and without it for fragments.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;
pub(crate) const TEXT_BEGIN: u8 = 0x01;
pub(crate) const BINARY_BEGIN: u8 = 0x02;
pub(crate) const MIDDLE: u8 = 0x00;
pub(crate) const END: u8 = 0x80;
