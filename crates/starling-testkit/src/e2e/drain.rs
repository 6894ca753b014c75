//! Nodes that go away: in an orderly manner, or by a power failure.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use starling_protocol::CloseCode;

use super::{
    Node, Settings, Stage,
    stage::{send, seqs, unlimited},
    suite::cases,
    token,
};
use crate::client::{Dial, TestClient, http, number, text};

fn brief_drain(readiness_delay: u64, window: u64) -> Settings {
    Settings {
        readiness_delay: Some(Duration::from_millis(readiness_delay)),
        drain_window: Some(Duration::from_millis(window)),
        ..unlimited()
    }
}

fn draining(node: &Node) -> tokio::task::JoinHandle<()> {
    let node = node.clone();
    tokio::spawn(async move { node.drain().await })
}

async fn is_ready(node: &Node) -> bool {
    http::get(node.addr(), "/readyz", &[]).await.status == 200
}

async fn clients_are_moved(stage: &Stage<'_>) {
    let (old, new) = (stage.node_with(brief_drain(100, 2500)).await, stage.node().await);
    let mut alice = new.member("alice", "r").await;
    let (mut moves, mut stays) = (old.member("moves", "r").await, old.member("stays", "r").await);
    let mut stranger = TestClient::dial(old.addr(), &Dial::default()).await.unwrap();
    send(&mut alice, "r", "before").await;
    assert!(is_ready(&old).await);
    let since = Instant::now();
    let drained = draining(&old);
    let migrate = moves.event("migrate").await;
    assert!(number(&migrate, "afterMs") <= 2500, "{migrate}");
    assert!(!is_ready(&old).await);
    let refused = TestClient::dial(old.addr(), &old.dial(&token::claims("late")))
        .await
        .err()
        .expect("a refusal");
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (503, &json!("unavailable"))
    );
    // Both sockets are served until the client closes the old one; it resumes where that one stands.
    let cursor = moves.durable("r", 1).await.remove(0)["data"]["cursor"].clone();
    let mut moved = new.client("moves").await;
    moved
        .call(
            "subscribe",
            json!({ "rooms": [{ "roomId": "r", "cursor": cursor }] }),
        )
        .await;
    let seq = send(&mut moves, "r", "from the old socket").await;
    for socket in [&mut moves, &mut moved] {
        let event = socket
            .event_where("message_created", |data| data["seq"] == seq)
            .await;
        assert_eq!(event["content"], "from the old socket");
    }
    moves.close().await;
    stays.event("migrate").await;
    assert_eq!(stays.closed().await, CloseCode::Restart.code());
    assert_eq!(stranger.closed().await, CloseCode::Restart.code());
    drained.await.expect("drained");
    let took = since.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    let seq = send(&mut alice, "r", "after").await;
    assert_eq!(
        moved
            .event_where("message_created", |data| data["seq"] == seq)
            .await["content"],
        "after"
    );
}

async fn an_empty_node_stops_at_once(stage: &Stage<'_>) {
    let (old, other) = (
        stage.node_with(brief_drain(10_000, 10_000)).await,
        stage.node().await,
    );
    old.client("alice").await.close().await;
    old.stats_where(|stats| stats["connections"]["current"] == 0)
        .await;
    let since = Instant::now();
    old.drain().await;
    assert!(since.elapsed() < Duration::from_secs(8), "{:?}", since.elapsed());
    other.client("alice").await;
}

async fn who_has_all_the_connections_they_may_have_is_moved_too(stage: &Stage<'_>) {
    let one_each = |settings| Settings {
        connections_per_user: Some(1),
        ..settings
    };
    let old = stage.node_with(one_each(brief_drain(0, 5000))).await;
    let new = stage.node_with(one_each(unlimited())).await;
    let mut here = old.client("alice").await;
    let dial = new.dial(&token::claims("alice"));
    let mut refused = TestClient::dial(new.addr(), &dial).await.expect("an upgrade");
    assert_eq!(refused.closed().await, CloseCode::TooManyConnections.code());
    let drained = draining(&old);
    here.event("migrate").await;
    let mut there = new.client("alice").await;
    here.call("ping", json!({})).await;
    here.close().await;
    there.call("ping", json!({})).await;
    drained.await.expect("drained");
}

async fn a_balancer_has_time_to_notice(stage: &Stage<'_>) {
    let node = stage.node_with(brief_drain(1500, 500)).await;
    let mut alice = node.client("alice").await;
    let drained = draining(&node);
    while is_ready(&node).await {
        tokio::task::yield_now().await;
    }
    // Not ready, and it still takes those whom the balancer sends.
    let mut late = node.client("late").await;
    late.call("ping", json!({})).await;
    late.event("migrate").await;
    for client in [&mut late, &mut alice] {
        assert_eq!(client.closed().await, CloseCode::Restart.code());
    }
    drained.await.expect("drained");
}

/// Sends until the connection ends: what was answered, by number; and the number of the first that was not.
async fn pump(mut client: TestClient) -> (Vec<(u64, u64)>, u64) {
    let mut acked = Vec::new();
    for n in 0.. {
        let data = json!({ "roomId": "r", "clientId": format!("c{n}"), "content": n.to_string() });
        match client.try_ask("send_message", data).await {
            Some(Ok(reply)) => acked.push((n, number(&reply, "seq"))),
            Some(Err(refused)) if refused.code != "unavailable" => panic!("{refused:?}"),
            _ => return (acked, n),
        }
    }
    unreachable!("a client sends for ever")
}

/// Everything that was answered is in the log, at its place, once; and a retry of the rest is one message, whose seq
/// this is.
async fn assert_kept(node: &Node, acked: &[(u64, u64)], unanswered: u64) -> u64 {
    let mut sender = node.client("sender").await;
    let retry =
        json!({ "roomId": "r", "clientId": format!("c{unanswered}"), "content": unanswered.to_string() });
    let outcome = sender.call("send_message", retry).await;
    let mut events: Vec<Value> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| number(&event["data"], "seq"));
        let page = sender
            .call("fetch_events", json!({ "roomId": "r", "after": after }))
            .await;
        events.extend(page["events"].as_array().expect("events").iter().cloned());
        if page["hasMore"] == false {
            break;
        }
    }
    assert_eq!(
        seqs(&events),
        (1..=events.len() as u64).collect::<Vec<_>>(),
        "dense"
    );
    let messages: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "message_created")
        .collect();
    let retried = number(&outcome, "seq");
    for (n, seq) in acked.iter().copied().chain([(unanswered, retried)]) {
        let found: Vec<_> = messages
            .iter()
            .filter(|event| text(&event["data"], "content") == n.to_string())
            .collect();
        assert_eq!(found.len(), 1, "message {n}");
        assert_eq!(found[0]["data"]["seq"], seq, "message {n}");
    }
    retried
}

async fn a_drain_loses_nothing_that_was_answered(stage: &Stage<'_>) {
    let (old, other) = (stage.node_with(brief_drain(50, 400)).await, stage.node().await);
    let sender = old.member("sender", "r").await;
    let mut witness = old.member("witness", "r").await;
    let pumping = tokio::spawn(pump(sender));
    witness.event("message_created").await;
    let (code, ()) = tokio::join!(witness.closed(), old.drain());
    assert_eq!(code, CloseCode::Restart.code());
    let (acked, unanswered) = pumping.await.expect("the pump ends");
    assert!(acked.len() > 3, "{acked:?}");
    assert_kept(&other, &acked, unanswered).await;
}

async fn a_power_failure_loses_nothing_that_was_answered(stage: &Stage<'_>) {
    let (old, other) = (stage.node().await, stage.node().await);
    let sender = old.member("sender", "r").await;
    let mut witness = other.member("witness", "r").await;
    let pumping = tokio::spawn(pump(sender));
    witness
        .event_where("message_created", |data| data["content"] == "20")
        .await;
    old.kill().await;
    let (acked, unanswered) = pumping.await.expect("the pump ends");
    assert!(acked.len() > 20);
    let last = assert_kept(&other, &acked, unanswered).await;
    // And whoever follows the room elsewhere is told the whole of it.
    let rest = witness
        .durable("r", usize::try_from(last - 2 - 1).expect("few"))
        .await;
    assert_eq!(seqs(&rest).last(), Some(&last));
}

cases!($ e2e_drain, drain, [
    clients_are_moved,
    who_has_all_the_connections_they_may_have_is_moved_too,
    an_empty_node_stops_at_once,
    a_balancer_has_time_to_notice,
    a_drain_loses_nothing_that_was_answered,
    a_power_failure_loses_nothing_that_was_answered,
]);
