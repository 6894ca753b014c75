//! How much is replayed, and how a client gets the rest.

use serde_json::{Value, json};

use super::{
    Settings, Stage,
    stage::{send, send_many, seqs, unlimited},
    suite::cases,
};
use crate::client::{TestClient, number, text};

/// Pages events from after one seq to another, as a client does that was told of a gap.
async fn page(client: &mut TestClient, room: &str, after: u64, to: u64) -> Vec<Value> {
    let mut events = Vec::new();
    let mut after = after;
    while after < to {
        let page = client
            .call("fetch_events", json!({ "roomId": room, "after": after }))
            .await;
        let some = page["events"].as_array().expect("events");
        after = number(&some.last().expect("more events")["data"], "seq");
        events.extend(some.iter().cloned());
    }
    events
}

async fn more_than_the_window_is_paged(stage: &Stage<'_>) {
    const WINDOW: usize = 500;
    let (here, there) = (stage.node().await, stage.node().await);
    let mut alice = here.member("alice", "r").await;
    let (bob, joined) = there.joined("bob", "r").await;
    bob.close().await;
    let start = number(&joined, "head");
    send_many(&mut alice, "r", (0..WINDOW).map(|n| n.to_string())).await;
    // As much as the window: all of it comes by itself.
    let mut bob = there.client("bob").await;
    let rooms = json!([{ "roomId": "r", "cursor": joined["cursor"] }]);
    let reply = bob.call("subscribe", json!({ "rooms": rooms })).await;
    assert!(reply["rooms"][0]["limited"].is_null(), "{reply}");
    let all = bob.durable("r", WINDOW).await;
    assert_eq!(
        seqs(&all),
        (start + 1..=start + WINDOW as u64).collect::<Vec<_>>()
    );
    bob.close().await;

    // One more, and the client pages up to the head; what is live comes behind it.
    let mut head = send(&mut alice, "r", "one more").await;
    for command in ["subscribe", "join_room"] {
        let mut bob = there.client("bob").await;
        let asked = json!({ "rooms": rooms, "roomId": "r", "cursor": joined["cursor"], "history": 0 });
        let reply = bob.call(command, asked).await;
        let room = if command == "subscribe" {
            &reply["rooms"][0]
        } else {
            &reply
        };
        assert_eq!((&room["limited"], &room["head"]), (&json!(true), &json!(head)));
        let gap = bob.event("gap").await;
        assert_eq!(
            (&gap["from"], &gap["to"], &gap["rewindTo"]),
            (&json!(start + 1), &json!(head), &Value::Null)
        );
        assert_eq!(gap["cursor"], room["cursor"]);
        let live = send(&mut alice, "r", "live").await;
        let paged = page(&mut bob, "r", start, head).await;
        assert_eq!(seqs(&bob.durable("r", 1).await), [live]);
        let paged: Vec<u64> = seqs(&paged).into_iter().filter(|seq| *seq < live).collect();
        assert_eq!(paged, (start + 1..live).collect::<Vec<_>>());
        head = live;
        bob.close().await;
    }
}

async fn a_connection_has_a_budget(stage: &Stage<'_>) {
    let settings = Settings {
        replay_events_per_connection: Some(30),
        ..unlimited()
    };
    let node = stage.node_with(settings).await;
    let mut alice = node.client("alice").await;
    let mut bob = node.client("bob").await;
    let mut cursors = serde_json::Map::new();
    for room in ["a", "b", "c", "d"] {
        alice.call("join_room", json!({ "roomId": room })).await;
        let joined = bob.call("join_room", json!({ "roomId": room })).await;
        cursors.insert(room.to_owned(), joined["cursor"].clone());
        let missed = match room {
            "c" => 0,
            "d" => 5,
            _ => 20,
        };
        send_many(&mut alice, room, (0..missed).map(|n| n.to_string())).await;
    }
    bob.close().await;
    let mut bob = node.client("bob").await;
    let mut limited = Vec::new();
    for room in ["a", "b", "c", "d"] {
        let rooms = json!([{ "roomId": room, "cursor": cursors[room] }]);
        let reply = bob.call("subscribe", json!({ "rooms": rooms })).await;
        if reply["rooms"][0]["limited"] == true {
            limited.push(room);
        }
    }
    // What does not fit is paged; what fits still fits, and who missed nothing needs no budget.
    assert_eq!(limited, ["b"]);
    assert_eq!(seqs(&bob.durable("a", 20).await), (3..23).collect::<Vec<_>>());
    assert_eq!(seqs(&bob.durable("d", 5).await), (3..8).collect::<Vec<_>>());
    let gap = bob.event("gap").await;
    assert_eq!(
        (text(&gap, "roomId"), &gap["from"], &gap["to"]),
        ("b", &json!(3), &json!(22))
    );
    assert_eq!(page(&mut bob, "b", 2, 22).await.len(), 20);
    for room in ["a", "b", "c", "d"] {
        send(&mut alice, room, "live").await;
        assert_eq!(bob.durable(room, 1).await[0]["data"]["content"], "live");
    }
    bob.has_no("gap").await;
    // Another connection has another budget.
    let mut bob = node.client("bob").await;
    let rooms = json!([{ "roomId": "b", "cursor": cursors["b"] }]);
    let reply = bob.call("subscribe", json!({ "rooms": rooms })).await;
    assert!(reply["rooms"][0]["limited"].is_null(), "{reply}");
}

async fn the_window_is_told_and_can_be_small(stage: &Stage<'_>) {
    let settings = Settings {
        replay_events_per_room: Some(3),
        ring_events: Some(1),
        ..unlimited()
    };
    let node = stage.node_with(settings).await;
    let (mut alice, joined) = node.joined("alice", "r").await;
    let mut cursors = vec![joined["cursor"].clone()];
    for n in 0..6 {
        send(&mut alice, "r", &n.to_string()).await;
        cursors.push(alice.event("message_created").await["cursor"].clone());
    }
    for (missed, cursor) in cursors.iter().rev().enumerate() {
        let mut device = node.client("alice").await;
        let rooms = json!([{ "roomId": "r", "cursor": cursor }]);
        let reply = device.call("subscribe", json!({ "rooms": rooms })).await;
        assert_eq!(reply["rooms"][0]["limited"] == true, missed > 3, "{missed}");
        if missed > 3 {
            assert_eq!(device.event("gap").await["from"], 8 - missed);
        } else {
            assert_eq!(device.durable("r", missed).await.len(), missed);
        }
        assert!(device.settled().await.is_empty());
        device.close().await;
    }
}

cases!($ e2e_replay, replay, [
    more_than_the_window_is_paged,
    a_connection_has_a_budget,
    the_window_is_told_and_can_be_small,
]);
