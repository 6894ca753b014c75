//! The wire's shapes, as other people's clients see them: one shape in two codecs.

use bytes::Bytes;
use serde_json::{Value, json};
use starling_core::{
    ClientId, EventBody, EventId, Refusal, RoomEvent, RoomId, Timestamp, UserId,
    event::{MemberJoined, MessageCreated},
    room::Role,
};
use starling_protocol::{
    Codec, Command, CommandId, ErrorBody,
    codec::Envelope,
    command::{Bad, Incoming},
    event::Durable,
    ws::{Decoder, Limits, Message, Role as End},
};

/// One sample of every command, with every field.
fn samples() -> Vec<Value> {
    let on_member = json!({"roomId": "r", "userId": "bob", "reason": "spam"});
    let moderate = json!({"roomId": "r", "userId": "bob", "until": "2026-11-20T12:00:00Z", "reason": "spam"});
    let in_room = json!({"roomId": "r"});
    let react = json!({"roomId": "r", "seq": 3, "emoji": "👍"});
    let watch = json!({"userIds": ["bob", 7]});
    vec![
        json!({"type": "authenticate", "data": {"token": "t"}}),
        json!({"type": "refresh_token", "data": {"token": "t"}}),
        json!({"type": "ping"}),
        json!({"type": "create_room", "data": {"roomId": "r", "name": "R", "kind": "private", "description": "d",
            "maxMembers": 5, "settings": {"slowModeSeconds": 3, "theme": "dark"}}}),
        json!({"type": "join_room", "data": {"roomId": 42, "cursor": "1.00000000", "history": 10}}),
        json!({"type": "leave_room", "data": in_room}),
        json!({"type": "subscribe", "data": {"rooms": [{"roomId": "r", "cursor": "1.00000000"}, {"roomId": 1}]}}),
        json!({"type": "unsubscribe", "data": {"roomIds": ["r", 1]}}),
        json!({"type": "update_room", "data": {"roomId": "r", "name": "S", "settings": {}}}),
        json!({"type": "delete_room", "data": in_room}),
        json!({"type": "invite", "data": {"roomId": "r", "userId": "bob", "role": "moderator"}}),
        json!({"type": "kick", "data": on_member}),
        json!({"type": "ban", "data": moderate}),
        json!({"type": "unban", "data": on_member}),
        json!({"type": "mute", "data": moderate}),
        json!({"type": "unmute", "data": on_member}),
        json!({"type": "set_role", "data": {"roomId": "r", "userId": "bob", "role": "admin"}}),
        json!({"type": "list_rooms", "data": {"scope": "public", "after": "a", "limit": 10}}),
        json!({"type": "list_members", "data": {"roomId": "r", "after": "alice", "limit": 10}}),
        json!({"type": "send_message", "data": {"roomId": "r", "clientId": "c1", "content": "hi",
            "contentType": "text/markdown", "replyTo": 1, "thread": 1, "mentions": ["bob"], "echo": false,
            "attachments": [{"url": "https://x/y", "name": "y", "contentType": "image/png", "size": 9}],
            "metadata": {"deep": [1, 2.5, null, {"a": true}]}}}),
        json!({"type": "edit_message", "data": {"roomId": "r", "seq": 3, "content": "ho"}}),
        json!({"type": "delete_message", "data": {"roomId": "r", "seq": 3}}),
        json!({"type": "add_reaction", "data": react}),
        json!({"type": "remove_reaction", "data": react}),
        json!({"type": "mark_read", "data": {"roomId": "r", "seq": 3}}),
        json!({"type": "fetch_history", "data": {"roomId": "r", "before": 9, "thread": 1, "limit": 20}}),
        json!({"type": "fetch_events", "data": {"roomId": "r", "after": 9, "limit": 20}}),
        json!({"type": "typing_start", "data": in_room}),
        json!({"type": "typing_stop", "data": in_room}),
        json!({"type": "signal", "data": {"roomId": "r", "name": "cursor", "payload": [1, 2]}}),
        json!({"type": "set_presence", "data": {"status": "busy", "customStatus": "in a meeting"}}),
        json!({"type": "watch_presence", "data": watch}),
        json!({"type": "unwatch_presence", "data": watch}),
    ]
}

fn payload(codec: Codec, value: &Value) -> Vec<u8> {
    match codec {
        Codec::Json => serde_json::to_vec(value).expect("valid"),
        Codec::MsgPack => rmp_serde::to_vec_named(value).expect("valid"),
    }
}

fn decode(codec: Codec, value: &Value) -> Result<Incoming, Bad> {
    Incoming::decode(codec, &payload(codec, value))
}

/// The payload of a server frame, as a value.
fn unframe(codec: Codec, frame: &Bytes) -> Value {
    let mut bytes = frame.to_vec();
    let mut input = &mut bytes[..];
    let mut decoder = Decoder::new(End::Client, Limits::default());
    match (
        codec,
        decoder.decode(&mut input).expect("a frame").expect("whole"),
    ) {
        (Codec::Json, Message::Text(text)) => serde_json::from_str(text).expect("valid"),
        (Codec::MsgPack, Message::Binary(bytes)) => rmp_serde::from_slice(bytes).expect("valid"),
        (codec, other) => panic!("{codec:?} in {other:?}"),
    }
}

#[test]
fn every_command_reads_alike_in_both_codecs() {
    let samples = samples();
    let names: Vec<&str> = samples
        .iter()
        .map(|sample| sample["type"].as_str().unwrap())
        .collect();
    assert_eq!(names, Command::NAMES, "a sample for every command");
    for sample in samples {
        let json = decode(Codec::Json, &sample).unwrap_or_else(|bad| panic!("{sample}: {bad:?}"));
        assert_eq!(decode(Codec::MsgPack, &sample), Ok(json.clone()), "{sample}");
        assert_eq!(json.command.name(), sample["type"]);
    }
}

#[test]
fn ids_are_strings_or_integers_and_unknown_fields_are_ignored() {
    for codec in Codec::ALL {
        let with = |id: Value| {
            decode(
                codec,
                &json!({"type": "ping", "id": id, "data": {"x": 1}, "more": []}),
            )
        };
        assert_eq!(with(json!("7")).unwrap().id, Some(CommandId::Text("7".into())));
        assert_eq!(with(json!(7)).unwrap().id, Some(CommandId::Number(7)));
        assert_eq!(with(json!(null)).unwrap().id, None);
        assert!(with(json!([1])).is_err());
    }
}

#[test]
fn a_command_without_data_or_with_other_data_says_so() {
    for codec in Codec::ALL {
        let bad = decode(codec, &json!({"type": "join_room", "id": 3})).unwrap_err();
        assert_eq!(bad.id, Some(CommandId::Number(3)));
        assert_eq!(bad.refusal.code(), "invalid_message");
        assert!(bad.refusal.to_string().contains("roomId"), "{}", bad.refusal);
        let bad = decode(codec, &json!({"type": "fly", "id": "a"})).unwrap_err();
        assert_eq!(
            (bad.id, bad.refusal.code()),
            (Some(CommandId::Text("a".into())), "unknown_type")
        );
        for data in [
            json!({"roomId": "a b"}),
            json!({"roomId": {}}),
            json!([]),
            json!("r"),
            json!({"roomId": "r", "history": -1}),
        ] {
            let bad = decode(codec, &json!({"type": "join_room", "data": data})).unwrap_err();
            assert_eq!(bad.refusal.code(), "invalid_message");
        }
    }
}

#[test]
fn what_is_no_envelope_is_refused_without_panic() {
    let deep_json = format!(
        "{{\"type\":\"signal\",\"data\":{}{}}}",
        "[".repeat(5000),
        "]".repeat(5000)
    );
    for payload in [
        "",
        "{",
        "null",
        "[]",
        "42",
        "\"ping\"",
        "{}",
        "{\"type\":1}",
        "{\"type\":\"ping\"} x",
        &deep_json,
    ] {
        let bad = Incoming::decode(Codec::Json, payload.as_bytes()).unwrap_err();
        assert_eq!(bad.refusal.code(), "invalid_message", "{payload:.40}");
    }
    let ping = rmp_serde::to_vec_named(&json!({"type": "ping"})).unwrap();
    let behind = [&ping[..], &[0xc0]].concat();
    let deep = [
        &[0x82, 0xa4][..],
        b"type",
        &[0xa4],
        b"ping",
        &[0xa4],
        b"data",
        &[0x91; 5000],
    ]
    .concat();
    for payload in [
        &[][..],
        &[0xc1],
        &[0x81],
        &[0xc0],
        &ping[..ping.len() - 1],
        &behind,
        &deep,
    ] {
        let bad = Incoming::decode(Codec::MsgPack, payload).unwrap_err();
        assert_eq!(bad.refusal.code(), "invalid_message", "{payload:?}");
    }
}

fn event(body: EventBody) -> RoomEvent {
    let at = Timestamp::from_millis(1_795_176_000_123);
    RoomEvent {
        room: RoomId::parse("general").expect("valid"),
        seq: 9,
        id: EventId::new(at, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        sender: UserId::parse("alice").expect("valid"),
        sender_name: Some("Alice".into()),
        client_id: ClientId::parse("c1").expect("valid"),
        at,
        body,
    }
}

#[test]
fn a_message_looks_the_same_in_both_codecs() {
    let event = event(EventBody::MessageCreated(MessageCreated {
        content: "hi".into(),
        content_type: "text/plain".into(),
        reply_to: Some(4),
        thread: None,
        attachments: Vec::new(),
        mentions: vec![UserId::parse("bob").unwrap()],
        metadata: Some(json!({"a": [1, null]})),
    }));
    let expected = json!({"type": "message_created", "data": {
        "roomId": "general", "seq": 9, "cursor": "9.0708090a",
        "eventId": event.id.to_string(), "messageId": event.id.to_string(),
        "senderId": "alice", "senderName": "Alice", "clientId": "c1", "createdAt": "2026-11-20T12:00:00.123Z",
        "content": "hi", "contentType": "text/plain", "replyTo": 4, "mentions": ["bob"], "metadata": {"a": [1, null]},
    }});
    for codec in Codec::ALL {
        assert_eq!(unframe(codec, &Durable(&event).frame(codec).unwrap()), expected);
    }
}

#[test]
fn an_id_of_our_own_making_is_not_shown() {
    let mut event = event(EventBody::MemberJoined(MemberJoined {
        user_id: UserId::parse("alice").unwrap(),
        role: Role::Owner,
        name: None,
    }));
    event.client_id = ClientId::of_event(event.id);
    let shown = unframe(Codec::Json, &Durable(&event).frame(Codec::Json).unwrap());
    assert_eq!(shown["data"]["role"], "owner");
    assert!(shown["data"].get("clientId").is_none());
    assert!(shown["data"].get("messageId").is_none());
}

#[test]
fn errors_carry_code_text_and_hint() {
    let id = CommandId::Number(5);
    let refusal = Refusal::RateLimited {
        what: "messages",
        retry_after: std::time::Duration::from_millis(1500),
    };
    let envelope = Envelope {
        kind: "error",
        id: Some(&id),
        data: ErrorBody::from(&refusal),
    };
    for codec in Codec::ALL {
        let expected = json!({"type": "error", "id": 5, "data": {"code": "rate_limited",
            "message": "too many messages; wait 1500 ms and send again", "retryAfterMs": 1500}});
        assert_eq!(unframe(codec, &codec.frame(&envelope).unwrap()), expected);
    }
}

#[test]
fn the_subprotocol_chooses_the_codec() {
    assert_eq!(
        Codec::choose(["chat", " starling.v1.msgpack"]),
        Some(Codec::MsgPack)
    );
    assert_eq!(
        Codec::choose(["starling.v1.json", "starling.v1.msgpack"]),
        Some(Codec::Json)
    );
    assert_eq!(Codec::choose(["starling.v2.json"]), None);
}
