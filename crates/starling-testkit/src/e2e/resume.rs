//! Continuing where one stopped: at the same node or another, from memory or from the log, after a node's death.

use serde_json::{Value, json};

use super::{
    Node, Settings, Stage,
    stage::{send, send_many, seqs, unlimited},
    suite::cases,
};
use crate::client::{TestClient, number, text};

/// Follows a room from a cursor on, and gives its part of the reply.
async fn resume(client: &mut TestClient, cursor: &Value) -> Value {
    let reply = client
        .call(
            "subscribe",
            json!({ "rooms": [{ "roomId": "r", "cursor": cursor }] }),
        )
        .await;
    reply["rooms"][0].clone()
}

/// What happens while somebody is away: messages, and changes of what they have seen. Five events.
async fn much_happens(alice: &mut TestClient, seen: u64) {
    send(alice, "r", "one").await;
    let change = json!({ "roomId": "r", "seq": seen, "content": "edited", "emoji": "+1" });
    for name in ["edit_message", "add_reaction", "delete_message"] {
        alice.call(name, change.clone()).await;
    }
    send(alice, "r", "two").await;
}

const MUCH: [&str; 5] = [
    "message_created",
    "message_updated",
    "reaction_added",
    "message_deleted",
    "message_created",
];

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| text(event, "type")).collect()
}

async fn nothing_is_missed(here: &Node, there: &Node) {
    let mut alice = here.member("alice", "r").await;
    let mut bob = here.member("bob", "r").await;
    let seen = send(&mut alice, "r", "seen").await;
    let cursor = bob.event("message_created").await["cursor"].clone();
    bob.close().await;
    much_happens(&mut alice, seen).await;
    for (n, node) in [here, there].into_iter().enumerate() {
        let mut bob = node.client("bob").await;
        let reply = resume(&mut bob, &cursor).await;
        assert_eq!(
            (&reply["head"], &reply["limited"]),
            (&json!(seen + 5 + n as u64), &Value::Null)
        );
        let live = send(&mut alice, "r", "live").await;
        let missed = usize::try_from(live - seen).expect("few");
        let came = bob.durable("r", missed).await;
        assert_eq!(seqs(&came), (seen + 1..=live).collect::<Vec<_>>());
        assert_eq!(kinds(&came)[..5], MUCH);
        bob.close().await;
        // `join_room` does the same, and a cursor of the present misses nothing.
        let mut bob = node.client("bob").await;
        let joined = bob
            .call(
                "join_room",
                json!({ "roomId": "r", "cursor": cursor, "history": 0 }),
            )
            .await;
        let came = bob.durable("r", missed).await;
        assert_eq!(
            (seqs(&came)[0], &came[missed - 1]["data"]["cursor"]),
            (seen + 1, &joined["cursor"])
        );
        bob.call("unsubscribe", json!({ "roomIds": ["r"] })).await;
        let reply = resume(&mut bob, &joined["cursor"]).await;
        assert_eq!(reply["head"], live);
        assert!(bob.settled().await.is_empty());
        bob.close().await;
    }
}

async fn from_memory(stage: &Stage<'_>) {
    nothing_is_missed(&stage.node().await, &stage.node().await).await;
}

async fn from_the_log(stage: &Stage<'_>) {
    let forgetful = || Settings {
        ring_events: Some(2),
        ..unlimited()
    };
    let (here, there) = (
        stage.node_with(forgetful()).await,
        stage.node_with(forgetful()).await,
    );
    nothing_is_missed(&here, &there).await;
}

async fn at_every_turn_another_node(stage: &Stage<'_>) {
    const COUNT: usize = 400;
    let settings = Settings {
        ring_events: Some(16),
        ..unlimited()
    };
    let nodes = [
        stage.node_with(settings.clone()).await,
        stage.node_with(settings).await,
    ];
    let mut sender = nodes[0].member("sender", "r").await;
    let (first, joined) = nodes[1].joined("bob", "r").await;
    first.close().await;
    let sending = tokio::spawn(async move {
        send_many(&mut sender, "r", (0..COUNT).map(|n| format!("m{n}"))).await;
        sender
    });
    let mut cursor = joined["cursor"].clone();
    let mut seen = Vec::new();
    let mut turn = 0;
    while seen.len() < COUNT {
        let mut bob = nodes[turn % 2].client("bob").await;
        resume(&mut bob, &cursor).await;
        for _ in 0..(7 + turn % 30).min(COUNT - seen.len()) {
            let event = bob.durable("r", 1).await.remove(0);
            cursor = event["data"]["cursor"].clone();
            seen.push(number(&event["data"], "seq"));
        }
        let stray: Vec<_> = bob
            .take_inbox()
            .into_iter()
            .filter(|envelope| envelope["type"] == "gap")
            .collect();
        assert!(stray.is_empty(), "{stray:?}");
        turn += 1;
        // Dropped without a word, as phones do.
    }
    assert_eq!(seen, (3..3 + COUNT as u64).collect::<Vec<_>>());
    sending.await.expect("the sender ends");
}

async fn another_node_is_never_behind_the_client(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let mut alice = here.member("alice", "r").await;
    let mut bob = here.member("bob", "r").await;
    // Somebody else keeps the room open there, so that the node's own view of it is asked.
    let _open = there.member("carol", "r").await;
    let mut elsewhere = there.client("bob").await;
    for n in 0..30 {
        send(&mut alice, "r", &n.to_string()).await;
        let event = bob
            .event_where("message_created", |data| text(data, "content") == n.to_string())
            .await;
        // What a client has seen at one node, the other must not call a rewritten history.
        let reply = resume(&mut elsewhere, &event["cursor"]).await;
        assert!(reply["error"].is_null(), "{reply}");
        let came = elsewhere.settled().await;
        let seen = number(&event, "seq");
        for envelope in &came {
            let repeated = envelope["data"]["seq"]
                .as_u64()
                .is_some_and(|seq| seq <= seen && envelope["data"]["cursor"] == event["cursor"]);
            assert!(envelope["type"] != "gap" && !repeated, "{envelope} after {event}");
        }
        elsewhere.call("unsubscribe", json!({ "roomIds": ["r"] })).await;
        elsewhere.settled().await;
    }
}

async fn after_the_death_of_a_node(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let mut alice = here.member("alice", "r").await;
    let mut bob = there.member("bob", "r").await;
    send(&mut alice, "r", "before").await;
    let cursor = bob.event("message_created").await["cursor"].clone();
    there.kill().await;
    assert_eq!(bob.closed().await, 0, "nobody was told");
    let sent = send_many(&mut alice, "r", (0..10).map(|n| n.to_string())).await;
    let mut bob = here.client("bob").await;
    resume(&mut bob, &cursor).await;
    assert_eq!(seqs(&bob.durable("r", 10).await), sent);
    let third = stage.node().await;
    let mut bob = third.client("bob").await;
    resume(&mut bob, &cursor).await;
    assert_eq!(seqs(&bob.durable("r", 10).await), sent);
}

/// A cursor at this seq that the server never gave.
fn forged(seq: u64) -> Value {
    json!(format!("{seq}.00c0ffee"))
}

async fn cursors_of_another_history_rewind(stage: &Stage<'_>) {
    let settings = Settings {
        ring_events: Some(4),
        ..unlimited()
    };
    let node = stage.node_with(settings).await;
    let mut alice = node.member("alice", "r").await;
    let sent = send_many(&mut alice, "r", (0..20).map(|n| n.to_string())).await;
    let head = *sent.last().expect("sent");
    let mut bob = node.client("bob").await;
    bob.call("join_room", json!({ "roomId": "r" })).await;
    let head_now = head + 1;
    // At the head, in memory, in the log only: nothing is common but the beginning. Ahead: all of it is.
    for (seq, rewind_to) in [
        (head_now, 0),
        (head, 0),
        (5, 0),
        (head_now + 1, head_now),
        (1 << 40, head_now),
    ] {
        bob.call("unsubscribe", json!({ "roomIds": ["r"] })).await;
        let reply = resume(&mut bob, &forged(seq)).await;
        assert_eq!(reply["head"], head_now, "{reply}");
        let gap = bob.event("gap").await;
        assert_eq!(
            (
                &gap["roomId"],
                &gap["rewindTo"],
                &gap["from"],
                &gap["to"],
                &gap["cursor"]
            ),
            (
                &json!("r"),
                &json!(rewind_to),
                &json!(rewind_to + 1),
                &json!(head_now),
                &reply["cursor"]
            ),
            "seq {seq}"
        );
        assert!(
            bob.settled().await.is_empty(),
            "nothing is replayed on a false base"
        );
    }
    let live = send(&mut alice, "r", "live").await;
    assert_eq!(bob.event("message_created").await["seq"], live);
}

async fn what_is_no_cursor_is_refused(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut alice = node.member("alice", "r").await;
    for bad in [
        "",
        "x",
        "7",
        "7.",
        ".00000000",
        "-1.00000000",
        "7.0000000g",
        "7.000000000",
        "9007199254740992.00000000",
    ] {
        let refused = alice
            .refused("join_room", json!({ "roomId": "r", "cursor": bad }))
            .await;
        assert_eq!(refused.code, "invalid_message", "{bad:?}");
        let reply = resume(&mut alice, &json!(bad)).await;
        assert_eq!(reply["error"]["code"], "invalid_message", "{bad:?}");
        let all = alice
            .call("subscribe", json!({ "all": true, "cursors": { "r": bad } }))
            .await;
        assert_eq!(all["rooms"][0]["error"]["code"], "invalid_message", "{bad:?}");
    }
    send(&mut alice, "r", "followed still").await;
    alice.event("message_created").await;
}

async fn resuming_twice_is_asking_twice(stage: &Stage<'_>) {
    let node = stage.node().await;
    let (mut alice, joined) = node.joined("alice", "r").await;
    let sent = send_many(&mut alice, "r", (0..3).map(|n| n.to_string())).await;
    assert_eq!(seqs(&alice.durable("r", 3).await), sent);
    // The client asks again from an older place, and gets what it asked for: once, and in order.
    resume(&mut alice, &joined["cursor"]).await;
    let next = send(&mut alice, "r", "next").await;
    assert_eq!(
        seqs(&alice.durable("r", 4).await),
        (sent[0]..=next).collect::<Vec<_>>()
    );
    resume(&mut alice, &Value::Null).await;
    assert!(alice.settled().await.is_empty());
}

cases!($ e2e_resume, resume, [
    from_memory,
    from_the_log,
    at_every_turn_another_node,
    another_node_is_never_behind_the_client,
    after_the_death_of_a_node,
    cursors_of_another_history_rewind,
    what_is_no_cursor_is_refused,
    resuming_twice_is_asking_twice,
]);
