//! Whatever is encoded decodes to the same, from either side, in one read or byte by byte.
//!
//! Input: frames, each of one byte for the opcode, four for the masking key, two for the length, then the payload.
#![no_main]

use libfuzzer_sys::fuzz_target;
use starling_fuzz::ws::{Event, decode};
use starling_protocol::ws::{
    Limits, Opcode, Role, close_payload, encode, encode_masked, header, is_valid_close_code,
};

const LIMITS: Limits = Limits {
    max_frame: u32::MAX,
    max_message: u32::MAX,
    max_fragments: 1,
};

fuzz_target!(|data: &[u8]| {
    let (mut from_client, mut from_server, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = data;
    while let Some(([opcode, a, b, c, d, high, low], after)) = rest.split_first_chunk::<7>() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (bytes, after) = after.split_at(length);
        rest = after;
        let Some((opcode, payload, event)) = frame(*opcode, bytes) else {
            continue;
        };
        if opcode == Opcode::Close && !rest.is_empty() {
            continue;
        }
        encode_masked(opcode, &payload, [*a, *b, *c, *d], &mut from_client);
        let start = from_server.len();
        encode(opcode, &payload, &mut from_server);
        let header = header(opcode, payload.len());
        assert_eq!(from_server[start..], [&header[..], &payload].concat());
        expected.push(event);
    }
    for (role, stream) in [(Role::Server, from_client), (Role::Client, from_server)] {
        let (events, error) = decode(role, LIMITS, [stream.as_slice()]);
        assert_eq!((&events, error), (&expected, None));
        let (events, error) = decode(role, LIMITS, stream.chunks(1));
        assert_eq!((&events, error), (&expected, None));
    }
});

/// A frame that may be sent, and what it is to its receiver.
fn frame(opcode: u8, bytes: &[u8]) -> Option<(Opcode, Vec<u8>, Event)> {
    let short = bytes[..bytes.len().min(125)].to_vec();
    Some(match opcode % 5 {
        0 => (
            Opcode::Text,
            bytes.to_vec(),
            Event::Text(String::from_utf8(bytes.to_vec()).ok()?),
        ),
        1 => (Opcode::Binary, bytes.to_vec(), Event::Binary(bytes.to_vec())),
        2 => (Opcode::Ping, short.clone(), Event::Ping(short)),
        3 => (Opcode::Pong, short.clone(), Event::Pong(short)),
        _ => {
            let (code, reason) = bytes.split_first_chunk::<2>()?;
            let code = u16::from_be_bytes(*code);
            let reason = std::str::from_utf8(reason)
                .ok()
                .filter(|_| is_valid_close_code(code))?;
            let payload = close_payload(code, reason);
            let fits = String::from_utf8(payload[2..].to_vec()).expect("a reason is cut between characters");
            assert!(reason.starts_with(&fits));
            (Opcode::Close, payload, Event::Close(Some(code), fits))
        }
    })
}
