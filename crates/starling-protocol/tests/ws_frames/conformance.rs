//! Cases numbered after the Autobahn test suite, and the examples of RFC 6455.

use starling_protocol::ws::{
    Exceeded, Limits, Opcode, Role, Violation, WsError, accept_key, close_frame, close_payload, encode,
    encode_masked, header, is_valid_close_code, is_valid_key,
};

use crate::support::{
    BINARY, BINARY_BEGIN, CLOSE, END, Event, MIDDLE, Outcome, PING, PONG, TEXT, TEXT_BEGIN, decode,
    decode_pieces, masked, text,
};

/// Decodes a client's frames in one piece, byte by byte, and frame by frame, which must all agree.
fn receive(frames: &[(u8, &[u8])]) -> Outcome {
    let frames: Vec<Vec<u8>> = frames
        .iter()
        .map(|(first, payload)| masked(*first, payload))
        .collect();
    let stream = frames.concat();
    let whole = decode(Role::Server, &stream);
    assert_eq!(
        whole,
        decode_pieces(Role::Server, Limits::default(), stream.chunks(1)),
        "byte by byte"
    );
    assert_eq!(
        whole,
        decode_pieces(Role::Server, Limits::default(), frames.iter().map(Vec::as_slice))
    );
    whole
}

fn events(frames: &[(u8, &[u8])]) -> Vec<Event> {
    let (events, error) = receive(frames);
    assert_eq!(error, None, "{frames:02x?}");
    events
}

/// The error after exactly `before` good messages.
fn refusal(before: usize, frames: &[(u8, &[u8])]) -> WsError {
    let (events, error) = receive(frames);
    assert_eq!(events.len(), before, "{frames:02x?}");
    error.unwrap_or_else(|| panic!("{frames:02x?} must be refused"))
}

#[test]
fn examples_of_section_5_7() {
    let hello = [text("Hello")];
    assert_eq!(decode(Role::Client, b"\x81\x05Hello").0, hello);
    assert_eq!(
        decode(Role::Server, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58").0,
        hello
    );
    assert_eq!(decode(Role::Client, b"\x01\x03Hel\x80\x02lo").0, hello);
    assert_eq!(
        decode(Role::Client, b"\x89\x05Hello").0,
        [Event::Ping(b"Hello".to_vec())]
    );
    let pong = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(decode(Role::Server, pong).0, [Event::Pong(b"Hello".to_vec())]);

    let mut out = Vec::new();
    encode(Opcode::Text, b"Hello", &mut out);
    assert_eq!(out, b"\x81\x05Hello");
    out.clear();
    encode_masked(Opcode::Pong, b"Hello", [0x37, 0xfa, 0x21, 0x3d], &mut out);
    assert_eq!(out, pong);
    assert_eq!(*header(Opcode::Binary, 256), [0x82, 0x7e, 0x01, 0x00]);
    assert_eq!(
        *header(Opcode::Binary, 65536),
        [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]
    );
}

#[test]
fn lengths_change_their_form_at_126_and_65536() {
    let size = |len| header(Opcode::Text, len).len();
    assert_eq!([0, 125, 126, 65535, 65536].map(size), [2, 2, 4, 4, 10]);
}

/// Category 1.
#[test]
fn data_of_every_length_class() {
    for len in [0, 1, 125, 126, 127, 128, 65535, 65536] {
        let payload = vec![b'*'; len];
        let string = String::from_utf8(payload.clone()).unwrap();
        assert_eq!(events(&[(TEXT, &payload)]), [Event::Text(string)], "{len}");
        assert_eq!(
            events(&[(BINARY, &payload)]),
            [Event::Binary(payload.clone())],
            "{len}"
        );
    }
}

/// Category 2.
#[test]
fn pings_and_pongs() {
    for payload in [
        &b""[..],
        b"Hello, world!",
        &[0x00, 0xff, 0xfe, 0xfd],
        &[0xfe; 125],
    ] {
        assert_eq!(events(&[(PING, payload)]), [Event::Ping(payload.to_vec())]);
        assert_eq!(events(&[(PONG, payload)]), [Event::Pong(payload.to_vec())]);
    }
    assert_eq!(events(&[(PING, &b"payload"[..]); 10]).len(), 10);
    assert_eq!(refusal(0, &[(PING, &[0xfe; 126])]), Violation::LongControl.into());
    assert_eq!(refusal(0, &[(PONG, &[0xfe; 126])]), Violation::LongControl.into());
}

/// Category 3: after a good message, so that a bad frame behind it must not hide it.
#[test]
fn reserved_bits() {
    for bits in [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70] {
        for first in [TEXT, BINARY, PING, PONG, CLOSE, TEXT_BEGIN] {
            let frames: [(u8, &[u8]); 2] = [(TEXT, b"good"), (first | bits, b"")];
            assert_eq!(refusal(1, &frames), Violation::ReservedBits.into());
        }
    }
}

/// Category 4.
#[test]
fn reserved_opcodes() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let frames: [(u8, &[u8]); 2] = [(TEXT, b"good"), (0x80 | opcode, b"payload")];
        assert_eq!(refusal(1, &frames), Violation::UnknownOpcode.into());
    }
}

/// Cases 5.1 and 5.2.
#[test]
fn control_frames_are_not_fragmented() {
    for first in [0x08, 0x09, 0x0a] {
        assert_eq!(
            refusal(0, &[(first, b"frag1"), (END, b"frag2")]),
            Violation::FragmentedControl.into()
        );
    }
}

/// Cases 5.3 to 5.8, 5.19 and 5.20.
#[test]
fn fragments_with_control_frames_between() {
    let ping = |payload: &str| Event::Ping(payload.as_bytes().to_vec());
    assert_eq!(
        events(&[(TEXT_BEGIN, b"fragment1"), (END, b"fragment2")]),
        [text("fragment1fragment2")]
    );
    assert_eq!(
        events(&[(BINARY_BEGIN, b"a"), (END, b"b")]),
        [Event::Binary(b"ab".to_vec())]
    );
    assert_eq!(
        events(&[(TEXT_BEGIN, b"fragment1"), (PING, b"pongme"), (END, b"fragment2")]),
        [ping("pongme"), text("fragment1fragment2")]
    );
    assert_eq!(
        events(&[
            (TEXT_BEGIN, b"fragment1"),
            (MIDDLE, b"fragment2"),
            (PING, b"pongme 1!"),
            (MIDDLE, b"fragment3"),
            (MIDDLE, b""),
            (PING, b""),
            (END, b"fragment5"),
            (TEXT, b"next"),
        ]),
        [
            ping("pongme 1!"),
            ping(""),
            text("fragment1fragment2fragment3fragment5"),
            text("next")
        ]
    );
}

/// Cases 5.9 to 5.18.
#[test]
fn continuations_need_a_message_and_a_message_needs_its_end() {
    for first in [MIDDLE, END] {
        let frames: [(u8, &[u8]); 2] = [(first, b"lost"), (TEXT, b"Hello, world!")];
        assert_eq!(refusal(0, &frames), Violation::UnexpectedContinuation.into());
        let frames: [(u8, &[u8]); 3] = [(TEXT_BEGIN, b"a"), (END, b"b"), (first, b"lost")];
        assert_eq!(refusal(1, &frames), Violation::UnexpectedContinuation.into());
    }
    for second in [TEXT, TEXT_BEGIN, BINARY, BINARY_BEGIN] {
        for first in [TEXT_BEGIN, BINARY_BEGIN] {
            let frames: [(u8, &[u8]); 2] = [(first, b"fragment1"), (second, b"fragment2")];
            assert_eq!(refusal(0, &frames), Violation::MissingContinuation.into());
        }
    }
}

/// Case 6.1.
#[test]
fn empty_text_in_one_frame_or_three() {
    assert_eq!(events(&[(TEXT, b"")]), [text("")]);
    assert_eq!(
        events(&[(TEXT_BEGIN, b""), (MIDDLE, b""), (END, b"")]),
        [text("")]
    );
    assert_eq!(
        events(&[(TEXT_BEGIN, b""), (MIDDLE, b"middle"), (END, b"")]),
        [text("middle")]
    );
}

/// Case 6.2, 6.5 to 6.7, 6.9, 6.22 and 6.23: valid text, also when a fragment ends within a character.
#[test]
fn valid_utf8_however_it_is_fragmented() {
    for sample in [
        "Hello-µ@ßöäüàá-UTF-8!!",
        "κόσμε",
        "\u{0}\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}",
        "\u{d7ff}\u{e000}\u{fffd}",
        "\u{fffe}\u{ffff}\u{1fffe}\u{1ffff}\u{10fffe}",
    ] {
        assert_eq!(events(&[(TEXT, sample.as_bytes())]), [text(sample)]);
        for cut in 0..=sample.len() {
            let (head, tail) = sample.as_bytes().split_at(cut);
            assert_eq!(
                events(&[(TEXT_BEGIN, head), (MIDDLE, b""), (END, tail)]),
                [text(sample)],
                "at {cut}"
            );
        }
        let mut frames: Vec<(u8, &[u8])> = sample.as_bytes().chunks(1).map(|byte| (MIDDLE, byte)).collect();
        frames.insert(0, (TEXT_BEGIN, b""));
        frames.push((END, b""));
        assert_eq!(events(&frames), [text(sample)], "a fragment for each byte");
    }
}

/// Cases 6.3, 6.8 and 6.10 to 6.21.
#[test]
fn invalid_utf8_is_refused() {
    let invalid: [&[u8]; 16] = [
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64\x69\x74\x65\x64", // a surrogate in the middle
        b"\xce",                                                                             // cut short
        b"\xe1\xbd",
        b"\xf0\x90\x80",
        b"\xf8\x88\x80\x80\x80",     // five bytes
        b"\xfc\x84\x80\x80\x80\x80", // six bytes
        b"\xf7\xbf\xbf\xbf",         // over U+10FFFF
        b"\xf4\x90\x80\x80",
        b"\x80", // a continuation alone
        b"\xbf\x80\xbf",
        b"\xfe",
        b"\xff",
        b"\xc0\xaf", // overlong
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\xaf",
        b"\xed\xa0\x80\xed\xb0\x80", // a pair of surrogates
    ];
    for bytes in invalid {
        assert_eq!(refusal(0, &[(TEXT, bytes)]), WsError::InvalidUtf8, "{bytes:02x?}");
        for cut in 0..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(
                refusal(0, &[(TEXT_BEGIN, head), (END, tail)]),
                WsError::InvalidUtf8
            );
        }
        assert_eq!(
            events(&[(BINARY, bytes)]),
            [Event::Binary(bytes.to_vec())],
            "only text is checked"
        );
    }
}

/// Case 6.4: no byte after the bad one is waited for, neither in the message nor in the frame.
#[test]
fn invalid_utf8_is_refused_early() {
    let (start, bad) = (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4", b"\x90");
    let fragments = [masked(TEXT_BEGIN, start), masked(MIDDLE, bad)];
    assert_eq!(
        decode(Role::Server, &fragments.concat()).1,
        Some(WsError::InvalidUtf8)
    );
    assert_eq!(decode(Role::Server, &fragments[0]).1, None);

    let frame = masked(TEXT, &[&start[..], bad, b"\x80\x80edited"].concat());
    let up_to_bad = 6 + start.len() + 1;
    assert_eq!(
        decode(Role::Server, &frame[..up_to_bad]).1,
        Some(WsError::InvalidUtf8)
    );
    assert_eq!(decode(Role::Server, &frame[..up_to_bad - 1]).1, None);
}

/// Cases 7.1 and 7.3: what follows a close is discarded, whatever it is.
#[test]
fn close_ends_the_stream() {
    let close = |code, reason: &str| [Event::Close(code, reason.to_owned())];
    assert_eq!(events(&[(CLOSE, b"")]), close(None, ""));
    assert_eq!(events(&[(CLOSE, b"\x03\xe8")]), close(Some(1000), ""));
    assert_eq!(
        events(&[(CLOSE, b"\x03\xe8Hello World!")]),
        close(Some(1000), "Hello World!")
    );
    let longest = [&b"\x03\xe8"[..], &[b'*'; 123]].concat();
    assert_eq!(events(&[(CLOSE, &longest)]), close(Some(1000), &"*".repeat(123)));
    for (first, after) in [
        (TEXT, &b"late"[..]),
        (PING, b""),
        (CLOSE, b""),
        (0xff, b"garbage"),
        (MIDDLE, b""),
    ] {
        assert_eq!(
            events(&[(CLOSE, b"\x03\xe8"), (first, after)]),
            close(Some(1000), "")
        );
    }
    assert_eq!(
        events(&[(TEXT_BEGIN, b"fragment1"), (CLOSE, b""), (END, b"fragment2")]),
        close(None, "")
    );
}

/// Cases 7.3.2, 7.3.6 and 7.5.
#[test]
fn close_bodies_are_checked() {
    assert_eq!(refusal(0, &[(CLOSE, b"\x03")]), Violation::CloseBody.into());
    assert_eq!(
        refusal(0, &[(CLOSE, &[b'*'; 126])]),
        Violation::LongControl.into()
    );
    assert_eq!(
        refusal(0, &[(CLOSE, b"\x03\xe8\xce\xba\xed\xa0\x80")]),
        WsError::InvalidUtf8
    );
    assert_eq!(refusal(0, &[(CLOSE, b"\x03\xe8\xce")]), WsError::InvalidUtf8);
}

/// Cases 7.7, 7.9 and 7.13. 1012 to 1014 were registered after the RFC.
#[test]
fn close_codes() {
    let valid = [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
    ];
    for code in valid {
        assert!(is_valid_close_code(code));
        assert_eq!(
            events(&[(CLOSE, &code.to_be_bytes())]),
            [Event::Close(Some(code), String::new())]
        );
    }
    for code in [
        0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535_u16,
    ] {
        assert!(!is_valid_close_code(code));
        assert_eq!(
            refusal(0, &[(CLOSE, &code.to_be_bytes())]),
            Violation::CloseCode.into()
        );
    }
}

#[test]
fn every_side_insists_on_the_masking_of_the_other() {
    assert_eq!(
        decode(Role::Server, b"\x81\x05Hello"),
        (vec![], Some(Violation::Unmasked.into()))
    );
    assert_eq!(
        decode(Role::Client, &masked(TEXT, b"Hello")),
        (vec![], Some(Violation::Masked.into()))
    );
}

#[test]
fn lengths_are_encoded_in_the_fewest_bytes() {
    let overlong: [&[u8]; 4] = [
        b"\x82\x7e\x00\x7d",
        b"\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x01",
        b"\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff",
        b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00",
    ];
    for bytes in overlong {
        assert_eq!(
            decode(Role::Client, bytes).1,
            Some(Violation::LengthEncoding.into()),
            "{bytes:02x?}"
        );
    }
}

/// Category 9, from the other end: what is over a limit is refused by its header alone.
#[test]
fn limits_are_exact() {
    let limits = Limits {
        max_frame: 200,
        max_message: 300,
        max_fragments: 3,
    };
    let run = |pieces: &[&[u8]]| decode_pieces(Role::Client, limits, pieces.iter().copied());
    let (full, half) = (&[b'x'; 200][..], &[b'x'; 100][..]);

    assert_eq!(run(&[b"\x82\x7e\x00\xc8", full]).0.len(), 1);
    assert_eq!(run(&[b"\x82\x7e\x00\xc9"]).1, Some(Exceeded::Frame.into()));
    assert_eq!(
        run(&[b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"]).1,
        Some(Exceeded::Frame.into())
    );

    assert_eq!(run(&[b"\x02\x7e\x00\xc8", full, b"\x80\x64", half]).0.len(), 1);
    assert_eq!(
        run(&[b"\x02\x7e\x00\xc8", full, b"\x80\x65"]).1,
        Some(Exceeded::Message.into())
    );

    assert_eq!(
        run(&[b"\x02\x00", b"\x00\x00", b"\x89\x00", b"\x80\x00"]).0.len(),
        2
    );
    assert_eq!(
        run(&[b"\x02\x00", b"\x00\x00", b"\x00\x00", b"\x00"]).1,
        Some(Exceeded::Fragments.into())
    );

    let tiny = Limits {
        max_frame: 1,
        max_message: 1,
        max_fragments: 1,
    };
    assert_eq!(
        decode_pieces(Role::Client, tiny, [&b"\x89\x02hi"[..]]).0,
        [Event::Ping(b"hi".to_vec())]
    );
}

#[test]
fn errors_say_which_code_to_close_with() {
    assert_eq!(WsError::from(Violation::Unmasked).close_code(), 1002);
    assert_eq!(WsError::InvalidUtf8.close_code(), 1007);
    assert_eq!(WsError::from(Exceeded::Frame).close_code(), 1009);
}

#[test]
fn close_reasons_are_cut_between_characters() {
    let frame = close_frame(1001, &"é".repeat(80));
    assert_eq!(
        decode(Role::Client, &frame).0,
        [Event::Close(Some(1001), "é".repeat(61))]
    );
    assert_eq!(close_payload(4010, "slow"), b"\x0f\xaaslow");
    assert_eq!(close_payload(1000, &"x".repeat(123)).len(), 125);
}

#[test]
fn control_payloads_are_cut_to_what_fits() {
    let mut out = Vec::new();
    encode(Opcode::Ping, &[7; 126], &mut out);
    assert_eq!(decode(Role::Client, &out).0, [Event::Ping(vec![7; 125])]);
    out.clear();
    encode_masked(Opcode::Pong, &[7; 126], [1, 2, 3, 4], &mut out);
    assert_eq!(decode(Role::Server, &out).0, [Event::Pong(vec![7; 125])]);
}

#[test]
fn handshake_keys() {
    assert_eq!(
        accept_key("dGhlIHNhbXBsZSBub25jZQ=="),
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
    for valid in [
        "dGhlIHNhbXBsZSBub25jZQ==",
        "AAAAAAAAAAAAAAAAAAAAAA==",
        "+/+/+/+/+/+/+/+/+/+/+w==",
    ] {
        assert!(is_valid_key(valid), "{valid}");
    }
    for invalid in [
        "",
        "==",
        "SGVsbG8sIHdvcmxkIQ==",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZTE2",
        "dGhlIHNhbXBsZSBub25jZQ= ",
        "dGhlIHNhbXBsZSBub25jZ===",
        "dGhlIHNhbXBsZSBub2-jZQ==",
        "dGhlIHNhbXBsZSBubéjZQ==",
    ] {
        assert!(!is_valid_key(invalid), "{invalid}");
    }
}
