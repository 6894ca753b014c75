//! Round trips, and reads that are cut anywhere.

use proptest::collection::vec;
use proptest::prelude::*;
use starling_protocol::ws::{Limits, Opcode, Role, close_payload, encode, encode_masked, header};

use crate::support::{Event, decode, decode_pieces};

/// Small limits, so that random streams reach them.
pub(crate) const TIGHT: Limits = Limits {
    max_frame: 600,
    max_message: 900,
    max_fragments: 6,
};

fn any_event() -> impl Strategy<Value = Event> {
    let code = prop_oneof![1000..=1003_u16, 1007..=1014_u16, 3000..=4999_u16];
    prop_oneof![
        8 => any::<String>().prop_map(Event::Text),
        4 => vec(any::<u8>(), 0..700).prop_map(Event::Binary),
        1 => vec(any::<u8>(), 65_530..65_537).prop_map(Event::Binary),
        2 => vec(any::<u8>(), 0..=125).prop_map(Event::Ping),
        2 => vec(any::<u8>(), 0..=125).prop_map(Event::Pong),
        1 => (code, "[a-zé€😀]{0,30}").prop_map(|(code, reason)| Event::Close(Some(code), reason)),
        1 => Just(Event::Close(None, String::new())),
    ]
}

fn opcode_and_payload(event: &Event) -> (Opcode, Vec<u8>) {
    match event {
        Event::Text(text) => (Opcode::Text, text.clone().into_bytes()),
        Event::Binary(bytes) => (Opcode::Binary, bytes.clone()),
        Event::Ping(bytes) => (Opcode::Ping, bytes.clone()),
        Event::Pong(bytes) => (Opcode::Pong, bytes.clone()),
        Event::Close(Some(code), reason) => (Opcode::Close, close_payload(*code, reason)),
        Event::Close(None, _) => (Opcode::Close, Vec::new()),
    }
}

/// One frame as a peer may write it: mostly right, now and then wrong in one way.
fn any_frame(role: Role) -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        10 => prop::sample::select(vec![0x81_u8, 0x82, 0x89, 0x8a, 0x01, 0x02, 0x00, 0x00, 0x80]),
        1 => Just(0x88),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        4 => "[a-zé€😀]{0,40}".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..20),
        2 => Just(Vec::new()),
        1 => vec(0x61..0x7b_u8, 120..700),
        1 => (990..1020_u16).prop_map(|code| code.to_be_bytes().to_vec()),
    ];
    let right_mask = role == Role::Server;
    let masked = prop::bool::weighted(if right_mask { 0.99 } else { 0.01 });
    (first, payload, masked, any::<[u8; 4]>(), prop::num::u8::ANY).prop_map(
        |(first, payload, masked, key, odd)| write_frame(first, &payload, masked.then_some(key), odd < 4),
    )
}

fn write_frame(first: u8, payload: &[u8], key: Option<[u8; 4]>, overlong: bool) -> Vec<u8> {
    let mask = if key.is_some() { 0x80 } else { 0 };
    let mut frame = vec![first];
    match payload.len() {
        len if overlong => {
            frame.push(mask | 127);
            frame.extend((len as u64).to_be_bytes());
        }
        len @ 0..126 => frame.push(mask | len as u8),
        len => {
            frame.push(mask | 126);
            frame.extend((len as u16).to_be_bytes());
        }
    }
    frame.extend(key.iter().flatten());
    let key = key.unwrap_or_default();
    frame.extend(
        payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    frame
}

/// A stream of frames, perhaps cut off, perhaps with one byte changed.
pub(crate) fn any_stream(role: Role) -> impl Strategy<Value = Vec<u8>> {
    let change = prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()));
    let cut = prop::option::weighted(0.3, any::<prop::sample::Index>());
    (vec(any_frame(role), 1..12), change, cut).prop_map(|(frames, change, cut)| {
        let mut stream = frames.concat();
        if let Some((at, byte)) = change {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        if let Some(at) = cut {
            stream.truncate(at.index(stream.len()));
        }
        stream
    })
}

/// Cuts a stream into reads of the given lengths, over and over.
fn pieces<'a>(mut stream: &'a [u8], lengths: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut lengths = lengths.iter().cycle();
    std::iter::from_fn(move || {
        let length = *lengths.next()?;
        let (piece, rest) = stream.split_at_checked(length).unwrap_or((stream, &[]));
        stream = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn what_is_encoded_decodes_to_itself(event in any_event(), key: [u8; 4]) {
        let (opcode, payload) = opcode_and_payload(&event);
        let mut from_client = Vec::new();
        encode_masked(opcode, &payload, key, &mut from_client);
        prop_assert_eq!(decode(Role::Server, &from_client), (vec![event.clone()], None));

        let mut from_server = Vec::new();
        encode(opcode, &payload, &mut from_server);
        prop_assert_eq!(&from_server, &[&*header(opcode, payload.len()), &payload].concat());
        prop_assert_eq!(decode(Role::Client, &from_server), (vec![event], None));
    }

    #[test]
    fn reads_may_be_cut_anywhere(
        (role, stream) in prop_oneof![Just(Role::Server), Just(Role::Client)]
            .prop_flat_map(|role| (Just(role), any_stream(role))),
        lengths in vec(1..40_usize, 1..8),
    ) {
        let whole = decode_pieces(role, TIGHT, [stream.as_slice()]);
        prop_assert_eq!(&whole, &decode_pieces(role, TIGHT, stream.chunks(1)));
        prop_assert_eq!(&whole, &decode_pieces(role, TIGHT, pieces(&stream, &lengths)));
    }

    #[test]
    fn noise_is_decoded_alike_however_it_is_cut(
        stream in vec(any::<u8>(), 0..200),
        lengths in vec(1..9_usize, 1..8),
    ) {
        for role in [Role::Server, Role::Client] {
            let whole = decode_pieces(role, TIGHT, [stream.as_slice()]);
            prop_assert_eq!(&whole, &decode_pieces(role, TIGHT, pieces(&stream, &lengths)));
        }
    }
}
