//! Clients that do not read at all.

use std::time::Duration;

use serde_json::{Value, json};
use starling_protocol::CloseCode;

use super::{
    Node, Settings, Stage,
    stage::{durable_of, send, seqs, unlimited},
    suite::cases,
    token,
};
use crate::client::{Dial, TestClient, number, text};

const OUTBOX: usize = 64 << 10;

fn small_outbox(timeout: Duration) -> Settings {
    Settings {
        outbox_bytes: Some(OUTBOX),
        slow_consumer_timeout: Some(timeout),
        ..unlimited()
    }
}

/// A member whose kernel takes little, so that the server soon notices when nobody reads.
async fn small_member(node: &Node, user: &str) -> TestClient {
    let dial = Dial {
        receive_buffer: Some(4096),
        read_size: Some(1024),
        ..node.dial(&token::claims(user))
    };
    let mut client = node.welcomed(&dial).await;
    client.call("join_room", json!({ "roomId": "r" })).await;
    client.settled().await;
    client
}

/// Sends messages of 2 KB one after the other while a reader takes each, and gives the most that waited in outboxes.
async fn busy_room(node: &Node, sender: &mut TestClient, reader: &mut TestClient, count: usize) -> u64 {
    let content = "x".repeat(2000);
    let mut most = 0;
    for n in 0..count {
        let seq = send(sender, "r", &content).await;
        let event = reader.event("message_created").await;
        assert_eq!(event["seq"], seq, "the reader gets each at once");
        sender.take_inbox();
        if n % 25 == 0 {
            let stats = node.stats().await;
            most = most.max(number(&stats["memory"], "outboxBytes"));
        }
    }
    most
}

async fn a_stalled_reader_delays_nobody_and_is_closed(stage: &Stage<'_>) {
    let node = stage.node_with(small_outbox(Duration::from_secs(1))).await;
    let mut sender = node.member("sender", "r").await;
    let mut stalled = small_member(&node, "stalled").await;
    let mut reader = node.member("reader", "r").await;
    let start = number(
        &sender
            .call("join_room", json!({ "roomId": "r", "history": 0 }))
            .await,
        "head",
    );
    let most = busy_room(&node, &mut sender, &mut reader, 400).await;
    // What waits, and one write that the kernel took only in part.
    let bound = (OUTBOX + (64 << 10) + (4 << 10)) as u64;
    assert!(most > 0 && most <= bound, "{most} bytes waited, {bound} at most");
    node.stats_where(|stats| stats["connections"]["current"] == 2)
        .await;
    node.stats_where(|stats| stats["memory"]["outboxBytes"] == 0)
        .await;
    // What it had got is whole and in order. With a cursor it misses nothing.
    let code = stalled.closed().await;
    assert!(code == 0 || code == CloseCode::SlowConsumer.code(), "{code}");
    let got = stalled.take_inbox();
    let got = durable_of(&got, "r");
    let cursor = got
        .last()
        .map(|event| event["data"]["cursor"].clone())
        .expect("some came");
    let mut all: Vec<u64> = got.iter().map(|event| number(&event["data"], "seq")).collect();
    let mut back = node.client("stalled").await;
    back.call(
        "subscribe",
        json!({ "rooms": [{ "roomId": "r", "cursor": cursor }] }),
    )
    .await;
    let last = send(&mut sender, "r", "the last").await;
    let missing =
        usize::try_from(last).expect("few") - usize::try_from(*all.last().expect("some")).expect("few");
    all.extend(seqs(&back.durable("r", missing).await));
    let first = all[0];
    assert!(first <= start + 1, "{first}");
    assert_eq!(all, (first..=last).collect::<Vec<_>>());
}

async fn who_reads_again_catches_up(stage: &Stage<'_>) {
    let node = stage.node_with(small_outbox(Duration::from_secs(60))).await;
    let mut sender = node.member("sender", "r").await;
    let mut stalled = small_member(&node, "stalled").await;
    let mut reader = node.member("reader", "r").await;
    busy_room(&node, &mut sender, &mut reader, 400).await;
    let lagging = stalled.event("lagging").await;
    assert_eq!(lagging["roomIds"], json!(["r"]));
    let last = send(&mut sender, "r", "the last").await;
    let joined = stalled.durable("r", 1).await.remove(0);
    let first = number(&joined["data"], "seq");
    let rest = stalled
        .durable("r", usize::try_from(last - first).expect("few"))
        .await;
    assert_eq!(seqs(&rest), (first + 1..=last).collect::<Vec<_>>());
    let live = send(&mut sender, "r", "live").await;
    assert_eq!(seqs(&stalled.durable("r", 1).await), [live]);
    node.stats_where(|stats| stats["memory"]["outboxBytes"] == 0)
        .await;
}

async fn ephemeral_events_are_shed_first(stage: &Stage<'_>) {
    let node = stage.node_with(small_outbox(Duration::from_secs(60))).await;
    let mut sender = node.member("sender", "r").await;
    let mut stalled = small_member(&node, "stalled").await;
    let payload = "p".repeat(3000);
    let mut most = 0;
    for n in 0..300 {
        sender
            .call(
                "signal",
                json!({ "roomId": "r", "name": n.to_string(), "payload": payload }),
            )
            .await;
        if n % 50 == 0 {
            most = most.max(number(&node.stats().await["memory"], "outboxBytes"));
        }
    }
    assert!(most <= OUTBOX as u64, "{most}");
    let seq = send(&mut sender, "r", "durable").await;
    let came = loop {
        let next = stalled.next().await;
        if next["type"] == "message_created" {
            break next;
        }
        assert!(
            ["signal", "member_joined"].contains(&text(&next, "type")),
            "{next}"
        );
    };
    assert_eq!(came["data"]["seq"], seq);
    let late = stalled.settled().await;
    assert!(late.is_empty(), "{late:?}");
}

async fn the_kicked_hear_nothing_of_what_they_were_behind_with(stage: &Stage<'_>) {
    let settings = Settings {
        ring_events: Some(8),
        ..small_outbox(Duration::from_secs(60))
    };
    let node = stage.node_with(settings).await;
    let mut owner = node.member("owner", "r").await;
    let content = "x".repeat(1000);
    for round in 0..6 {
        let mut stalled = small_member(&node, "stalled").await;
        let send = |n: usize| {
            let data = json!({ "roomId": "r", "content": content, "metadata": { "round": round, "n": n } });
            json!({ "type": "send_message", "id": format!("{round}-{n}"), "data": data })
        };
        let mut commands: Vec<Value> = (0..40).map(send).collect();
        for n in 0..3 {
            owner.post_all(&commands).await;
            for command in &commands {
                owner.reply(command["id"].clone()).await.expect("accepted");
            }
            commands = (40 * (n + 1)..40 * (n + 2)).map(send).collect();
        }
        // The kick comes while the client begins to read again, in the middle of traffic.
        let kick = json!({ "type": "kick", "id": "kick", "data": { "roomId": "r", "userId": "stalled" } });
        commands.insert(20, kick);
        owner.post_all(&commands).await;
        let reading = tokio::spawn(async move {
            let mut came = Vec::new();
            while stalled
                .ask("list_members", json!({ "roomId": "r" }))
                .await
                .is_ok()
            {
                came.extend(stalled.take_inbox());
            }
            came.extend(stalled.settled().await);
            // The refusal is decided by the log, and may be here before what led to it is handed out.
            while !came.iter().any(|event| event["type"] == "member_kicked") {
                came.push(stalled.next().await);
            }
            came.extend(stalled.settled().await);
            came
        });
        for command in &commands {
            owner.reply(command["id"].clone()).await.expect("accepted");
        }
        owner.settled().await;
        let came = reading.await.expect("the client reads");
        assert_nothing_is_left_out_without_a_word(&came);
        let came = durable_of(&came, "r");
        let (last, before) = came.split_last().expect("some came");
        assert_eq!(last["type"], "member_kicked", "they are told");
        assert!(
            before.iter().all(|event| event["type"] != "member_kicked"),
            "once"
        );
    }
}

/// Every event is the next one, or a `gap` has said what is not there.
fn assert_nothing_is_left_out_without_a_word(came: &[Value]) {
    let mut next = None;
    for envelope in came.iter().filter(|envelope| envelope["data"]["roomId"] == "r") {
        let data = &envelope["data"];
        if envelope["type"] == "gap" {
            assert_eq!(Some(number(data, "from")), next, "{envelope}");
            next = Some(number(data, "to") + 1);
        } else if data["eventId"].is_string() {
            let seq = number(data, "seq");
            assert_eq!(seq, next.unwrap_or(seq), "{envelope}");
            next = Some(seq + 1);
        }
    }
}

cases!($ e2e_stalled, stalled, [
    a_stalled_reader_delays_nobody_and_is_closed,
    who_reads_again_catches_up,
    ephemeral_events_are_shed_first,
    the_kicked_hear_nothing_of_what_they_were_behind_with,
]);
