//! What a connection costs: nothing when idle, and what was sent when not.

use starling_protocol::ws::{Decoder, Limits, Message, Opcode, Role, encode_masked};

use crate::support::{BINARY, CLOSE, END, MIDDLE, PING, TEXT, TEXT_BEGIN, masked};

/// The box itself, whatever it keeps.
const FIXED: usize = 192;

fn feed(decoder: &mut Decoder, bytes: &[u8]) -> usize {
    let mut scratch = bytes.to_vec();
    let mut input = scratch.as_mut_slice();
    let mut messages = 0;
    while decoder
        .decode(&mut input)
        .expect("the frames are right")
        .is_some()
    {
        messages += 1;
    }
    messages
}

#[test]
fn an_idle_decoder_is_24_bytes_and_no_heap() {
    assert!(size_of::<Decoder>() <= 24, "{}", size_of::<Decoder>());
    let mut decoder = Decoder::new(Role::Server, Limits::default());
    assert_eq!(decoder.buffered(), 0);
    assert_eq!(
        feed(
            &mut decoder,
            &[masked(TEXT, b"one"), masked(BINARY, b"two")].concat()
        ),
        2
    );
    assert_eq!(decoder.buffered(), 0, "whole messages are lent from the input");
}

#[test]
fn whole_messages_are_lent_from_the_input() {
    let mut scratch = Vec::new();
    encode_masked(Opcode::Binary, b"payload", [9, 8, 7, 6], &mut scratch);
    let range = scratch.as_ptr_range();
    let mut decoder = Decoder::new(Role::Server, Limits::default());
    let mut input = scratch.as_mut_slice();
    let Some(Message::Binary(payload)) = decoder.decode(&mut input).unwrap() else {
        panic!("a binary message")
    };
    assert!(range.contains(&payload.as_ptr()));
}

#[test]
fn memory_goes_once_the_message_was_lent() {
    let mut decoder = Decoder::new(Role::Server, Limits::default());
    for frame in [
        masked(TEXT, &[b'x'; 300]),
        masked(BINARY, b""),
        masked(PING, b"ping"),
    ] {
        for cut in 1..frame.len() {
            let (head, tail) = frame.split_at(cut);
            assert_eq!(feed(&mut decoder, head), 0);
            assert!(decoder.buffered() > 0);
            assert_eq!(feed(&mut decoder, tail), 1);
            assert_eq!(decoder.buffered(), 0, "cut at {cut}");
        }
    }
    assert_eq!(feed(&mut decoder, &masked(TEXT_BEGIN, b"a")), 0);
    assert_eq!(
        feed(&mut decoder, &[masked(PING, b"b"), masked(END, b"c")].concat()),
        2
    );
    assert_eq!(decoder.buffered(), 0);
}

#[test]
fn memory_follows_what_arrived_not_what_was_announced() {
    let frame = masked(BINARY, &[0; 0x1_0000]);
    let mut decoder = Decoder::new(Role::Server, Limits::default());
    for (sent, byte) in frame.chunks(1).enumerate().take(frame.len() - 1) {
        feed(&mut decoder, byte);
        let held = decoder.buffered();
        assert!(
            held <= FIXED + (2 * sent).clamp(64, 0x1_0000),
            "{held} bytes after {sent}"
        );
    }
}

#[test]
fn memory_stays_within_the_limit_of_a_message() {
    let frame = masked(BINARY, &[0; 100]);
    let held_with = |max_message| {
        let mut decoder = Decoder::new(
            Role::Server,
            Limits {
                max_message,
                ..Limits::default()
            },
        );
        frame
            .chunks(1)
            .take(frame.len() - 1)
            .for_each(|byte| assert_eq!(feed(&mut decoder, byte), 0));
        decoder.buffered()
    };
    assert_eq!(held_with(128) - held_with(100), 28);
}

#[test]
fn a_failed_decoder_stays_failed_and_holds_nothing() {
    let cut_character = masked(END, b"\xc3");
    for mut bad in [
        masked(MIDDLE, b"\xff"),
        cut_character,
        masked(CLOSE, b"\x03"),
        masked(0xff, b""),
    ] {
        let mut decoder = Decoder::new(Role::Server, Limits::default());
        feed(&mut decoder, &masked(TEXT_BEGIN, b"begun"));
        let error = decoder
            .decode(&mut bad.as_mut_slice())
            .expect_err("it breaks a rule");
        let mut good = masked(PING, b"");
        assert_eq!(decoder.decode(&mut good.as_mut_slice()), Err(error));
        assert_eq!(decoder.buffered(), 0);
    }
}

#[test]
fn logs_show_no_content() {
    let mut decoder = Decoder::new(Role::Server, Limits::default());
    feed(&mut decoder, &masked(TEXT_BEGIN, b"secret"));
    let expected = format!(
        "Decoder {{ role: Server, phase: Open, buffered: {}, .. }}",
        decoder.buffered()
    );
    assert_eq!(format!("{decoder:?}"), expected);
}
