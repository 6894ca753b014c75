//! Limits when nodes die, and when Redis is away, slow, or has lost everything.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use starling_cluster::redis::{RedisConfig, RedisParts};
use starling_core::{
    SessionId,
    ports::{Charge, Rate, Verdict},
};
use starling_testkit::fixtures::redis::RedisFixture;

use super::stage::{Mortal, Stage, until, user};

fn alone() -> (Stage, Arc<RedisFixture>) {
    let server = Arc::new(RedisFixture::start());
    let mut stage = Stage::new(RedisConfig::single(&server.url()), server.clone());
    stage.config.limits_timeout = Duration::from_millis(250);
    (stage, server)
}

fn charge(name: &str, burst: u32) -> [Charge; 1] {
    let rate = Rate { per_minute: 1, burst };
    [Charge::Message(user(name), rate)]
}

async fn take(node: &RedisParts, name: &str, burst: u32) -> bool {
    node.limits.take(&charge(name, burst)).await == Verdict::Granted
}

async fn connect(node: &RedisParts, session: &str, max: u32) -> bool {
    let session = SessionId::parse(session).unwrap();
    node.limits.connect(&user("alice"), &session, max).await.unwrap()
}

async fn disconnect(node: &RedisParts, session: &str) {
    let session = SessionId::parse(session).unwrap();
    node.limits.disconnect(&user("alice"), &session).await;
}

/// The sessions of alice that Redis has.
fn sessions(server: &RedisFixture) -> Vec<String> {
    let keys = server.command(&["KEYS", "*sessions:alice"]).texts();
    let mut sessions: Vec<String> = keys
        .iter()
        .flat_map(|key| server.command(&["HKEYS", key]).texts())
        .collect();
    sessions.sort();
    sessions
}

#[tokio::test]
async fn budgets_are_the_nodes_own_while_redis_is_paused() {
    let (stage, server) = alone();
    let (a, b) = (stage.node().await, stage.node().await);
    assert!(take(&a, "alice", 2).await && take(&b, "alice", 2).await);
    assert!(!take(&a, "alice", 2).await, "over all nodes");
    server.pause();
    let began = Instant::now();
    assert!(take(&a, "alice", 2).await, "of this node alone");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let began = Instant::now();
    assert!(take(&a, "alice", 2).await);
    for _ in 0..100 {
        assert!(!take(&a, "alice", 2).await);
    }
    // Redis is not asked every time.
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(take(&b, "alice", 2).await, "each node has its own");
    assert!(a.metrics.limits_local.get() >= 102);
    server.resume();
    until("Redis decides again", async || {
        let before = a.metrics.limits_local.get();
        !take(&a, "alice", 2).await && a.metrics.limits_local.get() == before
    })
    .await;
}

#[tokio::test]
async fn budgets_go_on_when_redis_is_killed_and_comes_back_empty() {
    let (stage, server) = alone();
    let node = stage.node().await;
    assert!(take(&node, "alice", 1).await);
    server.kill9();
    let began = Instant::now();
    assert!(take(&node, "alice", 1).await);
    assert!(!take(&node, "alice", 1).await);
    assert!(began.elapsed() < Duration::from_secs(1));
    server.start_again();
    until("Redis decides again", async || {
        let before = node.metrics.limits_local.get();
        take(&node, "bob", 1_000_000).await && node.metrics.limits_local.get() == before
    })
    .await;
    assert!(take(&node, "alice", 1).await, "it has forgotten");
    assert!(!take(&node, "alice", 1).await);
}

/// A script that the server has never seen, or was made to forget, is handed over.
#[tokio::test]
async fn scripts_are_handed_over_again() {
    let (stage, server) = alone();
    let node = stage.node().await;
    for _ in 0..3 {
        server.command(&["SCRIPT", "FLUSH"]);
        assert!(take(&node, "alice", 10).await);
        assert!(connect(&node, "one", 1).await);
        node.presence.renew().await.unwrap();
    }
    assert_eq!(node.metrics.limits_local.get(), 0);
}

#[tokio::test]
async fn sessions_of_a_dead_node_give_their_places_back() {
    let (stage, _server) = alone();
    let dying = Mortal::start(&stage, "dying").await;
    let living = stage.node().await;
    assert!(connect(&dying.parts, "one", 2).await);
    assert!(connect(&living, "two", 2).await);
    assert!(!connect(&living, "three", 2).await);
    // While it lives it keeps its places, and needs nobody to remind it.
    tokio::time::sleep(stage.config.lease_ttl * 2).await;
    assert!(!connect(&living, "three", 2).await);
    dying.kill();
    assert!(!connect(&living, "three", 2).await, "its lease holds");
    until("the place is free", async || connect(&living, "three", 2).await).await;
    assert!(!connect(&living, "four", 2).await);
}

#[tokio::test]
async fn sessions_of_a_node_that_closes_give_their_places_back_at_once() {
    let (stage, _server) = alone();
    let (closing, living) = (stage.node().await, stage.node().await);
    assert!(connect(&closing, "one", 1).await);
    assert!(!connect(&living, "two", 1).await);
    closing.health.close().await;
    assert!(connect(&living, "two", 1).await);
}

#[tokio::test]
async fn sessions_are_written_again_after_a_loss() {
    let (stage, server) = alone();
    let (a, b) = (stage.node().await, stage.node().await);
    for session in ["one", "two"] {
        assert!(connect(&a, session, 3).await);
    }
    assert!(connect(&b, "three", 3).await);
    server.kill9();
    // What happens meanwhile is known afterwards.
    disconnect(&a, "one").await;
    assert!(connect(&a, "four", 3).await);
    server.start_again();
    until("Redis has all of them", async || {
        sessions(&server) == ["four", "three", "two"]
    })
    .await;
    assert!(!connect(&b, "five", 3).await);
    disconnect(&b, "three").await;
    assert!(connect(&b, "five", 3).await);
}

#[tokio::test]
async fn sessions_that_end_unheard_are_told_later() {
    let (stage, server) = alone();
    let node = stage.node().await;
    for session in ["one", "two"] {
        assert!(connect(&node, session, 5).await);
    }
    server.pause();
    disconnect(&node, "one").await;
    assert!(connect(&node, "three", 2).await, "by this node's own count");
    assert!(!connect(&node, "four", 2).await);
    assert!(connect(&node, "two", 2).await, "it is counted already");
    server.resume();
    until("Redis knows", async || sessions(&server) == ["three", "two"]).await;
}
