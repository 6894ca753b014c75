//! The same bytes, decoded by this crate and by tungstenite: the same messages, or both refuse.
//!
//! Deliberate differences, all on the side of the RFC's text:
//! 1. Lengths that are not in the fewest bytes (section 5.2) are refused here, accepted there; so the length of a
//!    control frame is at most 125 in its short form.
//! 2. A close code that must not be sent (section 7.4) is an error here; there it is replaced by 1002 and reported as
//!    the peer's close. 1014 (bad gateway, registered after the RFC) is valid here, not there.
//! 3. A frame is refused here as soon as its bad byte has arrived; there once its payload is complete. So where a stream
//!    ends within a bad frame, tungstenite is still waiting.
//! 4. What follows a close frame is discarded here; there it is an error. Neither reports it as a message.
//! 5. The number of fragments is bounded here only.

use std::io::{Cursor, Read, Result as IoResult, Write};

use proptest::prelude::*;
use starling_protocol::ws::{Limits, Role, Violation, WsError};
use tungstenite::protocol::{Role as TheirRole, WebSocket, WebSocketConfig};
use tungstenite::{Error, Message};

use crate::properties::{TIGHT, any_stream};
use crate::support::{Event, decode_pieces};

/// A socket that gives the stream, then ends, and takes every answer.
struct Peer(Cursor<Vec<u8>>);

impl Read for Peer {
    fn read(&mut self, buf: &mut [u8]) -> IoResult<usize> {
        self.0.read(buf)
    }
}

impl Write for Peer {
    fn write(&mut self, buf: &[u8]) -> IoResult<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Waiting for more.
    Open,
    Closed,
    Refused,
}

fn theirs(role: Role, limits: Limits, stream: &[u8]) -> (Vec<Event>, End) {
    let role = if role == Role::Server {
        TheirRole::Server
    } else {
        TheirRole::Client
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(1024)
        .max_frame_size(Some(limits.max_frame as usize))
        .max_message_size(Some(limits.max_message as usize));
    let mut socket = WebSocket::from_raw_socket(Peer(Cursor::new(stream.to_vec())), role, Some(config));
    let mut events = Vec::new();
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => events.push(Event::Text(text.to_string())),
            Ok(Message::Binary(bytes)) => events.push(Event::Binary(bytes.to_vec())),
            Ok(Message::Ping(bytes)) => events.push(Event::Ping(bytes.to_vec())),
            Ok(Message::Pong(bytes)) => events.push(Event::Pong(bytes.to_vec())),
            Ok(Message::Frame(frame)) => panic!("reading gives no raw frame: {frame}"),
            Ok(Message::Close(close)) => {
                events.push(match close {
                    Some(close) => Event::Close(Some(close.code.into()), close.reason.to_string()),
                    None => Event::Close(None, String::new()),
                });
                return (events, End::Closed);
            }
            Err(Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => {
                return (events, End::Open);
            }
            Err(_) => return (events, End::Refused),
        }
    }
}

fn ours(role: Role, limits: Limits, stream: &[u8]) -> (Vec<Event>, End, Option<WsError>) {
    let (events, error) = decode_pieces(role, limits, [stream]);
    let end = match (&error, events.last()) {
        (Some(_), _) => End::Refused,
        (None, Some(Event::Close(..))) => End::Closed,
        (None, _) => End::Open,
    };
    (events, end, error)
}

fn is_1014(events: &[Event]) -> bool {
    matches!(events.last(), Some(Event::Close(Some(1014), _)))
}

fn compare(role: Role, stream: &[u8]) -> Result<(), TestCaseError> {
    let limits = Limits {
        max_fragments: u32::MAX,
        ..TIGHT
    };
    let (our_events, our_end, error) = ours(role, limits, stream);
    let (their_events, their_end) = theirs(role, limits, stream);
    let replaced = Event::Close(Some(1002), "Protocol violation".to_owned());
    match error {
        Some(WsError::Protocol(Violation::LengthEncoding | Violation::LongControl)) => {
            prop_assert!(their_events.starts_with(&our_events), "{their_events:?}");
        }
        Some(WsError::Protocol(Violation::CloseCode)) if their_end == End::Closed => {
            prop_assert_eq!(their_events, [our_events, vec![replaced]].concat());
        }
        Some(_) => {
            prop_assert_eq!(our_events, their_events);
            prop_assert!(their_end != End::Closed, "{their_end:?}");
            prop_assert!(
                their_end == End::Refused || is_cut(role, limits, stream),
                "only tungstenite accepts"
            );
        }
        None if is_1014(&our_events) => {
            let before = &our_events[..our_events.len() - 1];
            prop_assert_eq!(their_events, [before, &[replaced]].concat());
        }
        None => {
            prop_assert_eq!(our_events, their_events);
            prop_assert_eq!(our_end, their_end);
        }
    }
    Ok(())
}

/// Whether tungstenite only waits for the rest of the last frame: with enough bytes behind it, it refuses too.
fn is_cut(role: Role, limits: Limits, stream: &[u8]) -> bool {
    let longer = [stream, &vec![0; limits.max_frame as usize + 14]].concat();
    theirs(role, limits, &longer).1 == End::Refused
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn streams_mean_the_same_to_tungstenite(
        (role, stream) in prop_oneof![Just(Role::Server), Just(Role::Client)]
            .prop_flat_map(|role| (Just(role), any_stream(role))),
    ) {
        compare(role, &stream)?;
    }
}

/// One stream for each difference in the list at the top.
#[test]
fn deliberate_differences() {
    let overlong = b"\x82\x7e\x00\x01x";
    assert_eq!(ours(Role::Client, TIGHT, overlong).1, End::Refused);
    assert_eq!(
        theirs(Role::Client, TIGHT, overlong).0,
        [Event::Binary(b"x".to_vec())]
    );

    let long_form = b"\x89\x7e\x00\x01x";
    assert_eq!(
        ours(Role::Client, TIGHT, long_form).2,
        Some(Violation::LongControl.into())
    );
    assert_eq!(
        theirs(Role::Client, TIGHT, long_form).0,
        [Event::Ping(b"x".to_vec())]
    );

    let unsendable = b"\x88\x02\x03\xed"; // 1005
    assert_eq!(ours(Role::Client, TIGHT, unsendable).1, End::Refused);
    assert_eq!(theirs(Role::Client, TIGHT, unsendable).1, End::Closed);

    let bad_gateway = b"\x88\x02\x03\xf6"; // 1014
    assert_eq!(
        ours(Role::Client, TIGHT, bad_gateway).0,
        [Event::Close(Some(1014), String::new())]
    );
    assert_eq!(
        theirs(Role::Client, TIGHT, bad_gateway).0,
        [Event::Close(Some(1002), "Protocol violation".into())]
    );

    let bad_and_cut = b"\xc1\x05Hel";
    assert_eq!(ours(Role::Client, TIGHT, bad_and_cut).1, End::Refused);
    assert_eq!(theirs(Role::Client, TIGHT, bad_and_cut).1, End::Open);

    let after_close = b"\x88\x00\x81\x00";
    assert_eq!(ours(Role::Client, TIGHT, after_close).1, End::Closed);

    let fragments = b"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x00";
    assert_eq!(ours(Role::Client, TIGHT, fragments).1, End::Refused);
    assert_eq!(
        theirs(Role::Client, TIGHT, fragments).0,
        [Event::Text(String::new())]
    );
}
