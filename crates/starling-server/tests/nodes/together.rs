//! Clients of different nodes see each other as on one.

use serde_json::{Value, json};
use starling_testkit::client::{TestClient, number, text};

use crate::cluster::{Cluster, NODES, ROOM, durable, join, message, resume, send, told};

/// The next messages of the room.
async fn messages(client: &mut TestClient, count: usize) -> Vec<Value> {
    let mut messages = Vec::new();
    while messages.len() < count {
        messages.push(client.event("message_created").await);
    }
    messages
}

#[tokio::test]
async fn a_room_is_one_over_all_nodes() {
    const EACH: usize = 20;
    let cluster = Cluster::start();
    let mut members: Vec<TestClient> = cluster.members(["a", "b", "c"]).await.into();
    members.extend(cluster.members(["d", "e", "f"]).await);
    for node in 0..NODES {
        cluster
            .answer_where(node, "/stats", |stats| {
                stats.json()["connections"]["current"] == 2
            })
            .await;
    }
    // All at once, so that the nodes write in turns.
    let mut sent = Vec::new();
    for n in 0..EACH {
        for (who, member) in members.iter_mut().enumerate() {
            sent.push((
                who,
                member.start("send_message", message(&format!("{who}-{n}"))).await,
            ));
        }
    }
    for (who, id) in sent {
        members[who].reply(id).await.expect("sent");
    }
    let count = EACH * members.len();
    let first = messages(&mut members[0], count).await;
    let seqs: Vec<u64> = first.iter().map(|message| number(message, "seq")).collect();
    // Six have joined before.
    assert_eq!(seqs, (7..7 + count as u64).collect::<Vec<_>>());
    for who in 0..members.len() {
        let of_this = first.iter().map(|message| text(message, "content"));
        let of_this: Vec<_> = of_this
            .filter(|content| content.starts_with(&format!("{who}-")))
            .collect();
        let in_order: Vec<String> = (0..EACH).map(|n| format!("{who}-{n}")).collect();
        assert_eq!(of_this, in_order, "one device's messages keep their order");
    }
    for member in &mut members[1..] {
        assert_eq!(messages(member, count).await, first, "the same for all");
        member.has_no("message_created").await;
    }
}

#[tokio::test]
async fn direct_messages_cross_nodes() {
    let cluster = Cluster::start();
    let [mut alice, mut bob, mut phone] = cluster.spread(["alice", "bob", "bob"]).await;
    for (n, content) in ["one", "two", "three"].into_iter().enumerate() {
        let reply = alice
            .call(
                "send_message",
                json!({ "recipientId": "bob", "content": content }),
            )
            .await;
        assert_eq!(reply["seq"], n as u64 + 1);
    }
    bob.call(
        "send_message",
        json!({ "recipientId": "alice", "content": "four" }),
    )
    .await;
    for session in [&mut alice, &mut bob, &mut phone] {
        for content in ["one", "two", "three", "four"] {
            assert_eq!(session.event("message_created").await["content"], content);
        }
    }
}

#[tokio::test]
async fn presence_and_typing_cross_nodes() {
    let cluster = Cluster::start();
    let [mut alice, mut bob, mut carol] = cluster.members(["alice", "bob", "carol"]).await;
    for watcher in [&mut bob, &mut carol] {
        watcher
            .call("watch_presence", json!({ "userIds": ["alice"] }))
            .await;
    }
    let custom = json!({ "status": "busy", "customStatus": "in a meeting" });
    alice.call("set_presence", custom).await;
    alice.call("typing_start", json!({ "roomId": ROOM })).await;
    for watcher in [&mut bob, &mut carol] {
        let alice_is = told(watcher, "alice", "busy").await;
        assert_eq!(alice_is["customStatus"], "in a meeting");
        let typing = watcher.event("typing").await;
        assert_eq!(
            typing,
            json!({ "roomId": ROOM, "userId": "alice", "isTyping": true })
        );
        // It ends by itself.
        assert_eq!(watcher.event("typing").await["isTyping"], false);
    }
    alice.close().await;
    for watcher in [&mut bob, &mut carol] {
        assert!(told(watcher, "alice", "offline").await["lastSeenAt"].is_string());
    }
}

#[tokio::test]
async fn a_client_resumes_at_any_node() {
    let cluster = Cluster::start();
    let [mut alice, mut bob, _carol] = cluster.members(["alice", "bob", "carol"]).await;
    send(&mut alice, "seen").await;
    let mut cursor = bob.event("message_created").await["cursor"].clone();
    bob.close().await;
    // The first round may be answered from memory, and each by another node.
    for round in 0..2 {
        for node in 0..NODES {
            let missed = format!("missed {round} {node}");
            let seq = send(&mut alice, &missed).await;
            alice
                .call(
                    "add_reaction",
                    json!({ "roomId": ROOM, "seq": seq, "emoji": "+1" }),
                )
                .await;
            let mut bob = cluster.client_at(node, "bob").await;
            assert_eq!(resume(&mut bob, &cursor).await["head"], seq + 1);
            let live = format!("live {round} {node}");
            send(&mut alice, &live).await;
            let came = bob.durable(ROOM, 3).await;
            let seqs: Vec<u64> = came.iter().map(|event| number(&event["data"], "seq")).collect();
            assert_eq!(seqs, [seq, seq + 1, seq + 2]);
            assert_eq!(
                (
                    &came[0]["data"]["content"],
                    &came[1]["type"],
                    &came[2]["data"]["content"]
                ),
                (&json!(missed), &json!("reaction_added"), &json!(live))
            );
            cursor = came[2]["data"]["cursor"].clone();
            bob.close().await;
        }
    }
}

#[tokio::test]
async fn a_kick_is_seen_everywhere() {
    let cluster = Cluster::start();
    let [mut owner, mut near, mut far] = cluster.members(["owner", "near", "far"]).await;
    let mut bobs = cluster.members(["bob", "bob", "bob"]).await;
    owner
        .call(
            "kick",
            json!({ "roomId": ROOM, "userId": "bob", "reason": "spam" }),
        )
        .await;
    send(&mut owner, "after").await;
    let mut kicked_at = 0;
    for member in [&mut owner, &mut near, &mut far] {
        let kicked = member.event("member_kicked").await;
        assert_eq!(
            (&kicked["userId"], &kicked["reason"]),
            (&json!("bob"), &json!("spam"))
        );
        kicked_at = number(&kicked, "seq");
        member.event("message_created").await;
    }
    for bob in &mut bobs {
        bob.event("member_kicked").await;
        let refused = bob.refused("send_message", message("back")).await;
        assert_eq!(refused.code, "not_member");
        let later: Vec<Value> = durable(bob.settled().await)
            .filter(|event| number(&event["data"], "seq") > kicked_at)
            .collect();
        assert!(later.is_empty(), "{later:?}");
    }
    join(&mut bobs[0]).await;
}
