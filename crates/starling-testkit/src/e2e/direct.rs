//! Direct messages, and users with several connections.

use serde_json::{Value, json};
use starling_protocol::CloseCode;

use super::{
    Node, Stage,
    stage::{contents, send, seqs},
    suite::cases,
    token,
};
use crate::client::{TestClient, Wire, text};

const ROOM: &str = "@dm:alice,bob";

async fn write(client: &mut TestClient, recipient: &str, content: &str) -> Value {
    client
        .call(
            "send_message",
            json!({ "recipientId": recipient, "content": content }),
        )
        .await
}

async fn a_direct_message_reaches_every_session_of_both(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let (mut alice, mut alices_phone) = (here.client("alice").await, there.client("alice").await);
    let mut bobs = [
        here.client("bob").await,
        here.client_in("bob", Wire::MsgPack).await,
        there.client("bob").await,
    ];
    let mut carol = there.client("carol").await;
    let reply = write(&mut alice, "bob", "hello").await;
    assert_eq!((&reply["roomId"], &reply["seq"]), (&json!(ROOM), &json!(1)));
    let [bob, ..] = &mut bobs;
    // Nobody has subscribed to anything.
    assert_eq!(bob.event("message_created").await["content"], "hello");
    let answer = write(bob, "alice", "hello yourself").await;
    assert_eq!((&answer["roomId"], &answer["seq"]), (&json!(ROOM), &json!(2)));
    let by_name = json!({ "roomId": ROOM, "content": "by the room's name" });
    alice.call("send_message", by_name).await;
    for session in [&mut alice, &mut alices_phone] {
        assert_eq!(
            contents(&session.durable(ROOM, 3).await),
            ["hello", "hello yourself", "by the room's name"]
        );
    }
    assert_eq!(
        contents(&bobs[0].durable(ROOM, 2).await),
        ["hello yourself", "by the room's name"]
    );
    for session in &mut bobs[1..] {
        assert_eq!(
            contents(&session.durable(ROOM, 3).await),
            ["hello", "hello yourself", "by the room's name"]
        );
    }
    carol.has_no("message_created").await;
}

async fn the_first_words_arrive_in_order(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let mut alice = here.client("alice").await;
    // Written to at the moment of the welcome.
    let (mut bob, mut tablet) = (there.client("bob").await, here.client("bob").await);
    for n in 0..10 {
        alice
            .start(
                "send_message",
                json!({ "recipientId": "bob", "content": n.to_string() }),
            )
            .await;
    }
    for session in [&mut bob, &mut tablet, &mut alice] {
        let came = session.durable(ROOM, 10).await;
        assert_eq!(seqs(&came), (1..=10).collect::<Vec<u64>>());
    }
}

async fn who_was_away_finds_it_later(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let mut alice = here.client("alice").await;
    write(&mut alice, "bob", "one").await;
    write(&mut alice, "bob", "two").await;
    let mut bob = there.client("bob").await;
    let list = bob.call("list_rooms", json!({})).await;
    let room = &list["rooms"][0];
    assert_eq!(
        (&room["roomId"], &room["kind"], &room["unread"]),
        (&json!(ROOM), &json!("direct"), &json!(2))
    );
    let cursors = json!({ ROOM: "0.00000000" });
    bob.call("subscribe", json!({ "all": true, "cursors": cursors }))
        .await;
    assert_eq!(contents(&bob.durable(ROOM, 2).await), ["one", "two"]);
    let read = bob.call("mark_read", json!({ "roomId": ROOM, "seq": 2 })).await;
    assert_eq!(read["unread"], 0);
}

async fn the_echo_and_the_following_may_be_declined(stage: &Stage<'_>) {
    let node = stage.node().await;
    let (mut alice, mut bob) = (node.client("alice").await, node.client("bob").await);
    let quiet = json!({ "recipientId": "bob", "content": "quiet", "echo": false });
    alice.call("send_message", quiet).await;
    assert_eq!(contents(&bob.durable(ROOM, 1).await), ["quiet"]);
    write(&mut bob, "alice", "loud").await;
    assert_eq!(contents(&alice.durable(ROOM, 1).await), ["loud"]);
    bob.durable(ROOM, 1).await;
    // Who unsubscribes is told again from the next message on, and nothing twice.
    bob.call("unsubscribe", json!({ "roomIds": [ROOM] })).await;
    write(&mut alice, "bob", "again").await;
    assert_eq!(contents(&bob.durable(ROOM, 1).await), ["again"]);
    bob.has_no("message_created").await;
}

async fn one_may_write_to_oneself(stage: &Stage<'_>) {
    let node = stage.node().await;
    let (mut alice, mut phone) = (node.client("alice").await, node.client("alice").await);
    let reply = write(&mut alice, "alice", "a note").await;
    assert_eq!(reply["roomId"], "@dm:alice,alice");
    for session in [&mut alice, &mut phone] {
        assert_eq!(session.event("message_created").await["content"], "a note");
        session.has_no("message_created").await;
    }
}

async fn all_connections_of_a_user_see_the_same(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let mut writer = here.member("writer", "r").await;
    let mut devices = Vec::new();
    for n in 0..5 {
        let node: &Node = if n % 2 == 0 { &here } else { &there };
        let wire = if n < 3 { Wire::Json } else { Wire::MsgPack };
        let mut device = node.client_in("bob", wire).await;
        device.call("join_room", json!({ "roomId": "r" })).await;
        devices.push(device);
    }
    for n in 0..10 {
        send(&mut writer, "r", &format!("w{n}")).await;
        send(&mut devices[n % 5], "r", &format!("b{n}")).await;
    }
    // Whoever joined first also saw nobody join: bob joined once.
    let first = devices[0].durable("r", 20).await;
    for device in &mut devices[1..] {
        let same = device.durable("r", 20).await;
        let ids = |events: &[Value]| -> Vec<String> {
            events
                .iter()
                .map(|event| text(&event["data"], "eventId").to_owned())
                .collect()
        };
        assert_eq!((ids(&same), seqs(&same)), (ids(&first), (3..23).collect()));
    }
}

async fn the_sixth_connection_is_one_too_many(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let mut devices = Vec::new();
    for n in 0..5 {
        let node = if n % 2 == 0 { &here } else { &there };
        devices.push(node.client("alice").await);
    }
    for node in [&here, &there] {
        let mut sixth = TestClient::dial(node.addr(), &node.dial(&token::claims("alice")))
            .await
            .unwrap();
        assert_eq!(sixth.closed().await, CloseCode::TooManyConnections.code());
        assert!(sixth.take_inbox().is_empty());
    }
    for device in &mut devices {
        device.call("ping", json!({})).await;
    }
    here.client("bob").await;
    // The place of one that left is free.
    let left = devices.swap_remove(0);
    left.close().await;
    here.stats_where(|stats| stats["connections"]["current"] == 2)
        .await;
    there.client("alice").await;
}

cases!($ e2e_direct, direct, [
    a_direct_message_reaches_every_session_of_both,
    the_first_words_arrive_in_order,
    who_was_away_finds_it_later,
    the_echo_and_the_following_may_be_declined,
    one_may_write_to_oneself,
    all_connections_of_a_user_see_the_same,
    the_sixth_connection_is_one_too_many,
]);
