//! Frames that are not as they should be.

use std::time::Duration;

use serde_json::{Value, json};
use starling_protocol::CloseCode;
use tokio_tungstenite::tungstenite::Message;

use super::{Node, Settings, Stage, stage::unlimited, suite::cases, token};
use crate::client::{
    Dial, Refused, TestClient, Wire,
    raw::{self, RawSocket},
};

async fn raw_session(node: &Node) -> RawSocket {
    let mut socket = RawSocket::upgrade(node.addr(), Some(&token::sign(&token::claims("alice")))).await;
    socket.text_with("welcome").await;
    socket
}

async fn what_breaks_the_protocol_ends_the_connection(stage: &Stage<'_>) {
    const PING: &[u8] = br#"{"type":"ping","id":1}"#;
    let node = stage.node().await;
    let large = vec![b' '; 70_000];
    let mut reserved_bits = raw::frame(raw::TEXT, PING);
    reserved_bits[0] |= 0x40;
    let fragments = [
        raw::part(raw::TEXT, false, &large[..40_000]),
        raw::part(raw::CONTINUATION, true, &large[..40_000]),
    ]
    .concat();
    let rows: [(&str, Vec<u8>, u16); 10] = [
        ("a frame over the limit", raw::frame(raw::TEXT, &large), 1009),
        ("a message over the limit", fragments, 1009),
        (
            "text that is not UTF-8",
            raw::frame(raw::TEXT, b"{\"type\":\"\xff\xfe\"}"),
            1007,
        ),
        ("a frame without mask", raw::unmasked(raw::TEXT, PING), 1002),
        ("reserved bits", reserved_bits, 1002),
        ("an unknown opcode", raw::frame(0x3, PING), 1002),
        ("a ping in fragments", raw::part(raw::PING, false, b""), 1002),
        ("a long ping", raw::frame(raw::PING, &[0; 126]), 1002),
        (
            "a continuation of nothing",
            raw::frame(raw::CONTINUATION, PING),
            1002,
        ),
        ("a close frame of one byte", raw::frame(raw::CLOSE, &[3]), 1002),
    ];
    for (what, bytes, code) in rows {
        let mut socket = raw_session(&node).await;
        socket.try_write(&bytes).await;
        assert_eq!(socket.closed().await, Some(code), "{what}");
    }
    node.stats_where(|stats| stats["connections"]["current"] == 0)
        .await;
}

async fn a_huge_length_takes_no_memory(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut socket = raw_session(&node).await;
    // A header that promises 2^62 bytes, and none of them.
    let mut header = vec![0x81, 0xff];
    header.extend_from_slice(&(1_u64 << 62).to_be_bytes());
    header.extend_from_slice(&[1, 2, 3, 4]);
    socket.write(&header).await;
    assert_eq!(socket.closed().await, Some(CloseCode::TooBig.code()));
}

async fn control_frames_come_between_fragments(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut socket = raw_session(&node).await;
    socket
        .write(&raw::part(raw::TEXT, false, br#"{"type":"pi"#))
        .await;
    socket.write(&raw::frame(raw::PING, b"between")).await;
    let pong = loop {
        match socket.frame().await.expect("a pong") {
            (raw::PONG, payload) => break payload,
            _ => continue,
        }
    };
    assert_eq!(pong, b"between");
    socket.write(&raw::frame(raw::PONG, b"unasked")).await;
    socket.write(&raw::part(raw::CONTINUATION, false, b"")).await;
    socket
        .write(&raw::part(raw::CONTINUATION, true, br#"ng","id":"joined"}"#))
        .await;
    socket.text_with(r#""id":"joined""#).await;
}

async fn a_frame_of_the_other_codec_is_an_error(stage: &Stage<'_>) {
    let node = stage.node().await;
    let ping = json!({ "type": "ping", "id": 1 });
    let (as_text, as_binary) = (
        Message::text(ping.to_string()),
        Message::binary(rmp_serde::to_vec_named(&ping).unwrap()),
    );
    for (wire, frame) in [(Wire::Json, as_binary), (Wire::MsgPack, as_text)] {
        let mut client = node.client_in("alice", wire).await;
        client.post_frame(frame).await;
        assert_eq!(client.stray_error().await.code, "invalid_message");
        client.call("ping", json!({})).await;
    }
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inner, _| json!([inner]))
}

async fn deep_values_are_an_error(stage: &Stage<'_>) {
    let node = stage.node().await;
    for wire in [Wire::Json, Wire::MsgPack] {
        let mut client = node.client_in("alice", wire).await;
        client.call("join_room", json!({ "roomId": "r" })).await;
        let message = |depth| json!({ "roomId": "r", "content": "deep", "metadata": nested(depth) });
        client
            .post(&json!({ "type": "send_message", "data": message(200) }))
            .await;
        assert_eq!(client.stray_error().await.code, "invalid_message");
        client.call("send_message", message(50)).await;
        let event = client.event("message_created").await;
        assert_eq!(event["metadata"], nested(50));
    }
    // Far deeper than any stack, as plain bytes.
    let mut socket = raw_session(&node).await;
    for text in [
        "[".repeat(60_000),
        format!("{{\"type\":\"ping\",\"data\":{}", "{\"a\":".repeat(10_000)),
    ] {
        socket.write(&raw::frame(raw::TEXT, text.as_bytes())).await;
        socket.text_with("invalid_message").await;
    }
    socket
        .write(&raw::frame(raw::TEXT, br#"{"type":"ping","id":"alive"}"#))
        .await;
    socket.text_with("alive").await;
}

async fn nonsense_is_an_error_and_too_much_of_it_the_end(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut client = node.client("alice").await;
    let nonsense = [
        "",
        "x",
        "null",
        "[]",
        "{}",
        "7",
        "\"ping\"",
        "{\"type\":7}",
        "{\"type\":\"ping\"",
        "{\"type\":\"fly\"}",
    ];
    let nonsense = nonsense.into_iter().cycle();
    for text in nonsense.clone().take(19) {
        client.post_frame(Message::text(text)).await;
        let Refused { code, .. } = client.stray_error().await;
        let expected = if text.contains("fly") {
            "unknown_type"
        } else {
            "invalid_message"
        };
        assert_eq!(code, expected, "{text}");
    }
    client.call("ping", json!({})).await;
    client.post_frame(Message::text("the twentieth")).await;
    client.stray_error().await;
    assert_eq!(client.closed().await, CloseCode::BadFrames.code());

    // All at once, and before any token.
    let mut client = TestClient::dial(node.addr(), &Dial::default()).await.unwrap();
    for text in nonsense.take(30) {
        client.post_frame(Message::text(text)).await;
    }
    assert_eq!(client.closed().await, CloseCode::BadFrames.code());
}

async fn who_answers_no_ping_is_closed(stage: &Stage<'_>) {
    let settings = Settings {
        heartbeat: Some(Duration::from_millis(300)),
        ..unlimited()
    };
    let node = stage.node_with(settings).await;
    let mut mute = raw_session(&node).await;
    let mut listener = node.client("bob").await;
    let code = tokio::select! {
        code = mute.closed() => code,
        code = listener.closed() => panic!("a client that answers pings was closed: {code}"),
    };
    assert_eq!(code, Some(CloseCode::Idle.code()));
    listener.call("ping", json!({})).await;
}

async fn what_came_before_a_close_is_carried_out(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut witness = node.member("bob", "r").await;
    let leaving = node.member("alice", "r").await;
    witness.event("member_joined").await;
    let send = json!({ "type": "send_message", "data": { "roomId": "r", "content": "goodbye" } });
    let leave = json!({ "type": "leave_room", "data": { "roomId": "r" } });
    leaving.post_and_close(&[send, leave]).await;
    assert_eq!(witness.event("message_created").await["content"], "goodbye");
    assert_eq!(witness.event("member_left").await["userId"], "alice");
}

async fn a_close_is_answered(stage: &Stage<'_>) {
    let node = stage.node().await;
    for (payload, code) in [
        (&[][..], 1000),
        (&[0x03, 0xe8], 1000),
        (&[0x0f, 0xa0, b'x'], 4000),
    ] {
        let mut socket = raw_session(&node).await;
        socket.write(&raw::frame(raw::CLOSE, payload)).await;
        assert_eq!(socket.closed().await, Some(code));
        socket.ended().await;
    }
}

cases!($ e2e_frames, frames, [
    what_breaks_the_protocol_ends_the_connection,
    a_huge_length_takes_no_memory,
    control_frames_come_between_fragments,
    a_frame_of_the_other_codec_is_an_error,
    deep_values_are_an_error,
    nonsense_is_an_error_and_too_much_of_it_the_end,
    who_answers_no_ping_is_closed,
    what_came_before_a_close_is_carried_out,
    a_close_is_answered,
]);
