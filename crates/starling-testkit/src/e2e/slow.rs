//! Clients that read, but not as fast as their rooms are.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    Node, Settings, Stage,
    stage::{send_many, seqs, unlimited},
    suite::cases,
    token,
};
use crate::client::{Dial, TestClient, Wire, number};

fn small_outbox() -> Settings {
    Settings {
        outbox_bytes: Some(32 << 10),
        slow_consumer_timeout: Some(Duration::from_secs(60)),
        ring_events: Some(32),
        ..unlimited()
    }
}

async fn small_client(node: &Node, user: &str, wire: Wire) -> TestClient {
    let dial = Dial {
        receive_buffer: Some(4096),
        read_size: Some(512),
        wire: Some(wire),
        ..node.dial(&token::claims(user))
    };
    node.welcomed(&dial).await
}

/// Sends in a task of its own, so that the slow reader reads while messages come.
fn sending(mut client: TestClient, rooms: Vec<String>, each: usize) -> tokio::task::JoinHandle<TestClient> {
    tokio::spawn(async move {
        let filler = "x".repeat(1500);
        for part in 0..each / 20 {
            for room in &rooms {
                send_many(&mut client, room, (0..20).map(|n| format!("{part}-{n} {filler}"))).await;
            }
        }
        client
    })
}

async fn small_reads_lose_nothing(stage: &Stage<'_>) {
    const COUNT: usize = 400;
    let (here, there) = (
        stage.node_with(small_outbox()).await,
        stage.node_with(small_outbox()).await,
    );
    here.member("sender", "r").await;
    let mut others = here.client("other").await;
    for (node, wire) in [(&here, Wire::Json), (&there, Wire::MsgPack)] {
        let mut slow = small_client(node, "slow", wire).await;
        let start = number(
            &slow
                .call("join_room", json!({ "roomId": "r", "history": 0 }))
                .await,
            "head",
        );
        let sender = here.client("sender").await;
        let flooding = sending(sender, vec!["r".to_owned()], COUNT);
        let mut came = Vec::new();
        while came.len() < COUNT {
            // One event, then somebody else's turn.
            came.extend(slow.durable("r", 1).await);
            others.call("ping", json!({})).await;
        }
        assert_eq!(
            seqs(&came),
            (start + 1..=start + COUNT as u64).collect::<Vec<_>>()
        );
        flooding.await.expect("the sender ends");
    }
}

async fn a_burst_larger_than_the_outbox_closes_nobody(stage: &Stage<'_>) {
    const COUNT: usize = 40;
    const BURSTS: usize = 4;
    let settings = Settings {
        outbox_bytes: Some(16 << 10),
        ..small_outbox()
    };
    let node = stage.node_with(settings).await;
    let mut sender = node.member("sender", "r").await;
    let mut slow = small_client(&node, "slow", Wire::Json).await;
    let joined = slow
        .call("join_room", json!({ "roomId": "r", "history": 0 }))
        .await;
    let head = number(&joined, "head");
    let content = "x".repeat(1500);
    for burst in 0..BURSTS {
        let send = |n: usize| {
            let data = json!({ "roomId": "r", "content": content });
            json!({ "type": "send_message", "id": format!("{burst}-{n}"), "data": data })
        };
        // In one piece, so that they are handed out in one piece: more than the kernel and the outbox take together.
        let commands: Vec<Value> = (0..COUNT).map(send).collect();
        sender.post_all(&commands).await;
        for command in &commands {
            sender.reply(command["id"].clone()).await.expect("accepted");
        }
    }
    let came = slow.durable("r", BURSTS * COUNT).await;
    let all = head + 1..=head + (BURSTS * COUNT) as u64;
    assert_eq!(seqs(&came), all.collect::<Vec<_>>());
}

async fn a_slow_session_keeps_up_in_every_room(stage: &Stage<'_>) {
    const ROOMS: usize = 5;
    const EACH: usize = 60;
    let node = stage.node_with(small_outbox()).await;
    let rooms: Vec<String> = (0..ROOMS).map(|n| format!("r{n}")).collect();
    let mut sender = node.client("sender").await;
    let mut slow = small_client(&node, "slow", Wire::Json).await;
    for room in &rooms {
        sender.call("join_room", json!({ "roomId": room })).await;
        slow.call("join_room", json!({ "roomId": room })).await;
    }
    // It does not read before everything was sent: its rooms wait in the log.
    let mut sender = sending(sender, rooms.clone(), EACH)
        .await
        .expect("the sender ends");
    for room in &rooms {
        let came = slow.durable(room, EACH).await;
        assert_eq!(seqs(&came), (3..3 + EACH as u64).collect::<Vec<_>>(), "{room}");
    }
    let others: Vec<Value> = slow.settled().await;
    assert!(
        others.iter().any(|envelope| envelope["type"] == "lagging"),
        "{others:?}"
    );
    // And is as live as before.
    for room in &rooms {
        sender
            .call("send_message", json!({ "roomId": room, "content": "live" }))
            .await;
        assert_eq!(slow.durable(room, 1).await[0]["data"]["content"], "live");
    }
}

async fn replies_come_while_events_wait(stage: &Stage<'_>) {
    let node = stage.node_with(small_outbox()).await;
    let sender = node.member("sender", "r").await;
    let mut slow = small_client(&node, "slow", Wire::Json).await;
    slow.call("join_room", json!({ "roomId": "r" })).await;
    sending(sender, vec!["r".to_owned()], 100)
        .await
        .expect("the sender ends");
    // Its own commands are answered, before what waits in the log.
    slow.call("list_members", json!({ "roomId": "r" })).await;
    let reply = slow
        .call("send_message", json!({ "roomId": "r", "content": "mine" }))
        .await;
    let came = slow.durable("r", 101).await;
    assert_eq!(came[100]["data"]["seq"], reply["seq"]);
    assert_eq!(seqs(&came), (3..104).collect::<Vec<_>>());
}

cases!($ e2e_slow, slow, [
    small_reads_lose_nothing,
    a_burst_larger_than_the_outbox_closes_nobody,
    a_slow_session_keeps_up_in_every_room,
    replies_come_while_events_wait,
]);
