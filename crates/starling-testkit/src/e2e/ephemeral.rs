//! Typing and signals: seen by those who are there, and by nobody later.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    Settings, Stage,
    stage::{send, unlimited},
    suite::cases,
};
use crate::client::{TestClient, Wire, text};

async fn typing(client: &mut TestClient) -> bool {
    let event = client.event("typing").await;
    assert_eq!(
        (&event["roomId"], &event["userId"]),
        (&json!("r"), &json!("alice"))
    );
    event["isTyping"].as_bool().expect("isTyping")
}

async fn typing_ends_by_itself(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let (mut alice, mut bob) = (here.member("alice", "r").await, here.member("bob", "r").await);
    let mut far = there.member("carol", "r").await;
    alice.call("typing_start", json!({ "roomId": "r" })).await;
    let since = Instant::now();
    assert!(typing(&mut bob).await);
    assert!(typing(&mut far).await);
    alice.has_no("typing").await;
    assert!(!typing(&mut bob).await);
    let lasted = since.elapsed();
    assert!(
        (Duration::from_millis(2700)..Duration::from_secs(8)).contains(&lasted),
        "{lasted:?}"
    );
    assert!(!typing(&mut far).await);
}

async fn typing_is_stopped_by_hand_and_by_the_message(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let (mut alice, mut bob) = (here.member("alice", "r").await, here.member("bob", "r").await);
    let mut far = there.member("carol", "r").await;
    for _ in 0..3 {
        // Renewed, and told once.
        alice.call("typing_start", json!({ "roomId": "r" })).await;
    }
    for other in [&mut bob, &mut far] {
        assert!(typing(other).await);
    }
    alice.call("typing_stop", json!({ "roomId": "r" })).await;
    for other in [&mut bob, &mut far] {
        assert!(!typing(other).await);
    }
    alice.call("typing_stop", json!({ "roomId": "r" })).await;
    alice.call("typing_start", json!({ "roomId": "r" })).await;
    for other in [&mut bob, &mut far] {
        assert!(typing(other).await);
    }
    send(&mut alice, "r", "done").await;
    for other in [&mut bob, &mut far] {
        other.event("message_created").await;
        assert!(!typing(other).await);
    }
}

async fn signals_reach_who_is_there(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let (mut alice, mut bob) = (here.member("alice", "r").await, here.member("bob", "r").await);
    let mut far = there.client_in("carol", Wire::MsgPack).await;
    far.call("join_room", json!({ "roomId": "r" })).await;
    far.settled().await;
    let mut away = here.client("bob").await;
    let payload = json!({ "x": 1.5, "y": -2, "list": [null, "a"] });
    alice
        .call(
            "signal",
            json!({ "roomId": "r", "name": "cursor", "payload": payload }),
        )
        .await;
    for other in [&mut bob, &mut far] {
        let event = other.event("signal").await;
        let expected = json!({ "roomId": "r", "senderId": "alice", "name": "cursor", "payload": payload });
        assert_eq!(event, expected);
    }
    alice.has_no("signal").await;
    away.has_no("signal").await;
    alice
        .call("signal", json!({ "roomId": "r", "name": "bare" }))
        .await;
    assert_eq!(bob.event("signal").await["name"], "bare");
    for (bad, code) in [
        (json!({ "roomId": "r", "name": "" }), "invalid_message"),
        (
            json!({ "roomId": "r", "name": "n".repeat(65) }),
            "invalid_message",
        ),
        (
            json!({ "roomId": "r", "name": "x", "payload": "p".repeat(4095) }),
            "message_too_long",
        ),
        (json!({ "roomId": "elsewhere", "name": "x" }), "not_member"),
    ] {
        assert_eq!(alice.refused("signal", bad).await.code, code);
    }
    // Only who follows the room live speaks there.
    assert_eq!(
        away.refused("typing_start", json!({ "roomId": "r" })).await.code,
        "not_member"
    );
    let page = alice
        .call("fetch_events", json!({ "roomId": "r", "after": 3 }))
        .await;
    assert_eq!(page["events"], json!([]), "nothing of it is kept");
}

async fn a_room_that_was_closed_is_heard_again(stage: &Stage<'_>) {
    let settings = Settings {
        linger: Some(Duration::ZERO),
        ..unlimited()
    };
    let (here, there) = (stage.node().await, stage.node_with(settings).await);
    let mut alice = here.member("alice", "r").await;
    let mut bob = there.member("bob", "r").await;
    // The only one there goes and comes back at once: its node closes the room and opens it anew.
    for n in 0..50 {
        let (leave, back) = (
            json!({ "roomIds": ["r"] }),
            json!({ "rooms": [{ "roomId": "r" }] }),
        );
        bob.start("unsubscribe", leave).await;
        bob.call("subscribe", back).await;
        bob.settled().await;
        alice
            .call("signal", json!({ "roomId": "r", "name": n.to_string() }))
            .await;
        bob.event_where("signal", |data| text(data, "name") == n.to_string())
            .await;
    }
}

async fn a_direct_room_has_them_too(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let (mut alice, mut bob) = (here.client("alice").await, there.client("bob").await);
    alice
        .call(
            "send_message",
            json!({ "recipientId": "bob", "content": "hello" }),
        )
        .await;
    // Both follow the room once they have heard its first message; what is ephemeral does not wait for them.
    alice.event("message_created").await;
    let room = bob.event("message_created").await["roomId"].clone();
    bob.call("typing_start", json!({ "roomId": room })).await;
    assert_eq!(alice.event("typing").await["userId"], "bob");
    alice
        .call("signal", json!({ "roomId": room, "name": "wave" }))
        .await;
    assert_eq!(bob.event("signal").await["senderId"], "alice");
}

cases!($ e2e_ephemeral, ephemeral, [
    typing_ends_by_itself,
    typing_is_stopped_by_hand_and_by_the_message,
    signals_reach_who_is_there,
    a_room_that_was_closed_is_heard_again,
    a_direct_room_has_them_too,
]);
