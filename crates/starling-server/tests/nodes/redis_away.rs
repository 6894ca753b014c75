//! Redis is a doorbell: without it everything that is durable goes on.

use std::time::{Duration, Instant};

use serde_json::json;
use starling_testkit::client::TestClient;

use crate::cluster::{Cluster, NODES, ROOM, send, told};

/// Everybody writes once, and everybody reads it; how long each took to reach all.
async fn round(members: &mut [TestClient], name: &str) -> Vec<Duration> {
    let mut took = Vec::new();
    for who in 0..members.len() {
        let content = format!("{name} {who}");
        let since = Instant::now();
        send(&mut members[who], &content).await;
        for member in &mut *members {
            assert_eq!(member.event("message_created").await["content"], content);
        }
        took.push(since.elapsed());
    }
    took
}

/// Whether something took as long as promised, of several tries: on a busy machine one may be late, not all.
fn assert_fast(took: &[Duration], promised: Duration) {
    let fastest = took.iter().min().expect("tries");
    assert!(*fastest <= promised, "{took:?}, promised were {promised:?}");
}

#[tokio::test]
async fn messages_go_on_without_redis_and_all_heals_after_it() {
    let cluster = Cluster::start();
    let mut members = cluster.members(["alice", "bob", "carol"]).await;
    round(&mut members, "before").await;

    cluster.redis.stop();
    for node in 0..NODES {
        let redis = cluster.redis_where(node, "degraded").await;
        assert_ne!(redis, "ok", "it says what is away");
    }
    let mut took = Vec::new();
    for n in 0..3 {
        took.extend(round(&mut members, &format!("without {n}")).await);
    }
    assert_fast(&took, Duration::from_secs(1));
    // Who comes now is served as well.
    let (mut late, _) = cluster.client("late").await;
    let joined = late.call("join_room", json!({ "roomId": ROOM })).await;
    assert_eq!(joined["messages"].as_array().map(Vec::len), Some(12));
    late.close().await;

    cluster.redis.start_again();
    for node in 0..NODES {
        assert_eq!(cluster.redis_where(node, "ready").await, "ok");
    }
    round(&mut members, "after").await;
    // What needs Redis is back: presence is known again, although Redis was empty, and typing crosses nodes.
    let [alice, bob, carol] = &mut members;
    for watcher in [bob, carol] {
        let known = watcher
            .call("watch_presence", json!({ "userIds": ["alice"] }))
            .await;
        if known["users"][0]["status"] != "online" {
            told(watcher, "alice", "online").await;
        }
        alice.call("typing_start", json!({ "roomId": ROOM })).await;
        assert_eq!(watcher.event("typing").await["userId"], "alice");
    }
    // These are the sockets from the beginning: none was closed.
    for member in &mut members {
        member.call("ping", json!({})).await;
    }
}
