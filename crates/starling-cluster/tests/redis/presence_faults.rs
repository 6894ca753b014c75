//! Presence when nodes die, and when Redis loses everything.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use starling_cluster::redis::{RedisConfig, RedisParts, connect};
use starling_core::{
    NodeId, RoomId, SystemClock, Timestamp, UserId,
    ports::{Directory, PresenceChange, Reaped, Renewal, Unavailable},
    presence::{NodePresence, Status},
};
use starling_testkit::fixtures::redis::RedisFixture;

use super::stage::{Stage, until, user};

fn alone() -> (Stage, Arc<RedisFixture>) {
    let server = Arc::new(RedisFixture::start());
    (
        Stage::new(RedisConfig::single(&server.url()), server.clone()),
        server,
    )
}

fn says(status: Status) -> Option<NodePresence> {
    Some(NodePresence {
        status,
        ..NodePresence::default()
    })
}

async fn tell(node: &RedisParts, name: &str, status: Status) -> PresenceChange {
    node.presence
        .assert(&[(user(name), says(status))])
        .await
        .unwrap()
        .remove(0)
}

async fn look(node: &RedisParts, name: &str) -> Status {
    node.presence
        .lookup(&[user(name)])
        .await
        .unwrap()
        .remove(0)
        .status
}

async fn reap(node: &RedisParts) -> Vec<PresenceChange> {
    node.presence.reap().await.unwrap().changes
}

#[tokio::test]
async fn redis_started_again_empty() {
    let (stage, server) = alone();
    let (a, b) = (stage.node().await, stage.node().await);
    let room = RoomId::parse("r").unwrap();
    tell(&a, "alice", Status::Online).await;
    a.presence.set_room_counts(&[(room.clone(), 3)]).await.unwrap();
    assert_eq!(a.presence.renew().await.unwrap(), Renewal::Kept);
    server.kill9();
    let began = Instant::now();
    until("the loss is noticed", async || a.presence.renew().await.is_err()).await;
    assert!(a.presence.lookup(&[user("alice")]).await.is_err());
    assert!(began.elapsed() < Duration::from_secs(3));
    server.start_again();
    let mut renewal = None;
    until("the lease is there again", async || {
        renewal = a.presence.renew().await.ok();
        renewal.is_some()
    })
    .await;
    assert_eq!(renewal, Some(Renewal::Lost));
    assert_eq!(a.presence.renew().await.unwrap(), Renewal::Kept);
    until("the other node is back", async || {
        b.presence.renew().await.is_ok()
    })
    .await;
    assert_eq!(look(&b, "alice").await, Status::Offline);
    let change = tell(&a, "alice", Status::Online).await;
    assert!(change.is_visible(), "others saw nobody, and are told again");
    a.presence.set_room_counts(&[(room.clone(), 3)]).await.unwrap();
    assert_eq!(look(&b, "alice").await, Status::Online);
    assert_eq!(b.presence.room_counts(&[room]).await.unwrap(), [3]);
}

/// Redis lost everything and the node speaks before its next renewal.
#[tokio::test]
async fn a_word_without_a_lease_begins_one_and_the_loss_is_told() {
    let (stage, server) = alone();
    let node = stage.node().await;
    tell(&node, "alice", Status::Online).await;
    server.command(&["FLUSHALL"]);
    let change = tell(&node, "bob", Status::Online).await;
    assert!(change.is_visible());
    assert_eq!(look(&node, "bob").await, Status::Online);
    assert_eq!(look(&node, "alice").await, Status::Offline);
    assert_eq!(node.presence.renew().await.unwrap(), Renewal::Lost);
    assert_eq!(node.presence.renew().await.unwrap(), Renewal::Kept);
    assert_eq!(
        look(&node, "bob").await,
        Status::Online,
        "it was said under the new lease"
    );
}

#[tokio::test]
async fn a_node_that_closes_is_gone_at_once() {
    let stage = Stage::single();
    let (gone, living) = (stage.node().await, stage.node().await);
    tell(&gone, "alice", Status::Busy).await;
    gone.health.close().await;
    assert_eq!(look(&living, "alice").await, Status::Offline);
    let reaped = reap(&living).await;
    assert_eq!(reaped.len(), 1);
    assert_eq!(reaped[0].before.status, Status::Busy);
    assert!(gone.presence.renew().await.is_err(), "its links are closed");
}

/// A node that stops, and another of its name that starts at once.
#[tokio::test]
async fn a_node_started_again_leaves_alone_what_was_handed_over() {
    let (stage, server) = alone();
    let (old, living) = (stage.node_named("same").await, stage.node().await);
    tell(&old, "stays", Status::Busy).await;
    tell(&old, "leaves", Status::Online).await;
    let end = Duration::from_secs(1);
    let handed_over = [(user("stays"), Duration::from_secs(3600)), (user("leaves"), end)];
    let since = Instant::now();
    old.presence.hand_over(&handed_over).await.unwrap();
    old.health.close().await;
    let new = stage.node_named("same").await;
    // It has nothing to say of them, and so takes nothing back.
    for name in ["stays", "leaves"] {
        let change = new
            .presence
            .assert(&[(user(name), None)])
            .await
            .unwrap()
            .remove(0);
        assert!(!change.is_visible(), "{change:?}");
    }
    let mut told = Vec::new();
    until("it has ended", async || {
        told.extend(reap(&new).await);
        told.extend(reap(&living).await);
        !told.is_empty()
    })
    .await;
    assert!(since.elapsed() >= end, "{:?}", since.elapsed());
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].now.user_id, user("leaves"));
    assert_eq!(look(&living, "leaves").await, Status::Offline);
    assert_eq!(look(&living, "stays").await, Status::Busy);
    // Who comes back to the new one is said to be there by it, and by nobody else.
    let back = tell(&new, "stays", Status::Away).await;
    assert_eq!(
        (back.before.status, back.now.status),
        (Status::Busy, Status::Away)
    );
    new.presence.assert(&[(user("stays"), None)]).await.unwrap();
    assert_eq!(look(&living, "stays").await, Status::Offline);
    assert_eq!(server.command(&["KEYS", "*presence:*"]).texts(), [""; 0]);
}

/// Who cleans up and stops leaves it to others at once, so that they tell in time.
#[tokio::test]
async fn a_node_that_hands_over_is_elected_no_more() {
    let (stage, server) = alone();
    let (gone, living) = (stage.node().await, stage.node().await);
    tell(&gone, "alice", Status::Online).await;
    assert_eq!(gone.presence.reap().await.unwrap(), Reaped::default());
    let left = Duration::from_secs(60);
    gone.presence.hand_over(&[(user("alice"), left)]).await.unwrap();
    let next = living.presence.reap().await.unwrap().next;
    assert!(next.is_some_and(|next| next <= left), "{next:?}");
    assert_eq!(gone.presence.reap().await.unwrap(), Reaped::default());
    // Where no node is left to tell, none tells hours later.
    let handed_over = server.command(&["KEYS", "*handed-over"]).texts().remove(0);
    assert!(server.command(&["TTL", &handed_over]).integer() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_users_of_a_dead_node_are_cleaned_up_in_one_call() {
    const USERS: usize = 10_000;
    let (stage, server) = alone();
    let (dead, living) = (stage.node().await, stage.node().await);
    let users: Vec<_> = (0..USERS)
        .map(|n| (user(&format!("user-{n}")), says(Status::Online)))
        .collect();
    dead.presence.assert(&users).await.unwrap();
    dead.health.close().await;
    let reaped = reap(&living).await;
    assert_eq!(reaped.len(), USERS);
    assert!(reaped.iter().all(PresenceChange::is_visible));
    assert_eq!(reap(&living).await, []);
    let left = server.command(&["KEYS", "*presence:*"]).texts();
    assert_eq!(left, [""; 0], "hashes without a field are no more");
    assert_eq!(server.command(&["KEYS", "*users:*"]).texts(), [""; 0]);
}

/// The TTL that guards against garbage must not end for a user who stays and never changes.
#[tokio::test]
async fn the_slow_ttl_is_renewed_with_the_lease() {
    let (stage, server) = alone();
    let node = stage.node().await;
    tell(&node, "alice", Status::Online).await;
    let presence = server.command(&["KEYS", "*presence:alice"]).texts().remove(0);
    let users = server.command(&["KEYS", "*users:*"]).texts().remove(0);
    let ttl = || server.command(&["TTL", &presence]).integer();
    assert!(ttl() > 3600);
    server.command(&["EXPIRE", &presence, "100"]);
    node.presence.renew().await.unwrap();
    assert_eq!(ttl(), 100, "it is not due yet");
    server.command(&["ZADD", &users, "1", "alice"]);
    node.presence.renew().await.unwrap();
    assert!(ttl() > 3600);
    assert!(server.command(&["TTL", &users]).integer() > 3600);
}

#[tokio::test]
async fn two_processes_of_one_node_id_are_told_apart() {
    let stage = Stage::single();
    let one = stage.node_named("same").await;
    tell(&one, "alice", Status::Online).await;
    let other = stage.node_named("same").await;
    // The later one has the lease now. The earlier takes it back, and knows that it had lost it.
    assert_eq!(look(&other, "alice").await, Status::Offline);
    assert_eq!(one.presence.renew().await.unwrap(), Renewal::Lost);
    assert_eq!(other.presence.renew().await.unwrap(), Renewal::Lost);
}

/// Postgres is away: who is online is known all the same.
#[tokio::test]
async fn without_the_directory() {
    struct Away;
    #[async_trait::async_trait]
    impl Directory for Away {
        async fn seen(&self, _: &[(UserId, Timestamp)]) -> Result<(), Unavailable> {
            Err(Unavailable::new("postgres", "away"))
        }
        async fn last_seen(&self, _: &[UserId]) -> Result<Vec<Option<Timestamp>>, Unavailable> {
            Err(Unavailable::new("postgres", "away"))
        }
    }
    let stage = Stage::single();
    let name = NodeId::parse("node").unwrap();
    let node = connect(stage.config.clone(), name, Arc::new(Away), Arc::new(SystemClock))
        .await
        .unwrap();
    tell(&node, "alice", Status::Online).await;
    let seen = node.presence.lookup(&[user("alice"), user("bob")]).await.unwrap();
    assert_eq!(seen[0].status, Status::Online);
    assert_eq!((seen[1].status, seen[1].last_seen_at), (Status::Offline, None));
    assert!(node.metrics.last_seen_unknown.get() > 0);
}
