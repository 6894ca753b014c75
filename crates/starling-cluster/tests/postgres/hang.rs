//! A link, or a server, that does not answer at all.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use starling_core::{
    Outcome,
    ports::{EventLog, LogError, Rooms},
};
use starling_testkit::fixtures::{
    postgres::PostgresFixture,
    proxy::{ChaosProxy, Direction, Mode},
};

use super::support::{backends, config, desk, open, outside, room, through, until, until_known, whole};

/// Two round trips, the wait for a connection and its opening, each at its bound, and a slow machine.
const BOUND: Duration = Duration::from_secs(12);

#[tokio::test]
async fn a_link_that_swallows_everything_ends_in_an_error() {
    let server = PostgresFixture::shared();
    let url = server.database();
    let proxy = ChaosProxy::before(server.port()).await.unwrap();
    let store = open(&through(&proxy, &url)).await;
    let desk = desk(&store);
    desk.create("r", "alice").await;
    assert!(store.room(&room("r")).await.unwrap().is_some());
    proxy.set(Mode::BlackHole(Direction::Both));
    let batch = [desk.message("r", "alice", "c1", "hello")];
    let begin = Instant::now();
    // Nothing went out, so nothing was stored.
    for _ in 0..2 {
        let outcome = store.append(&batch).await;
        assert!(matches!(outcome, Err(LogError::NotStored(_))), "{outcome:?}");
    }
    assert!(begin.elapsed() < BOUND, "{:?}", begin.elapsed());
    let begin = Instant::now();
    let health = store.health().await.unwrap_err();
    assert_eq!(health.service, "postgres");
    assert!(
        begin.elapsed() < Duration::from_millis(2_500),
        "{:?}",
        begin.elapsed()
    );
    let begin = Instant::now();
    assert!(store.room(&room("r")).await.is_err());
    assert!(begin.elapsed() < BOUND, "{:?}", begin.elapsed());
    proxy.set(Mode::Pass);
    assert!(matches!(
        until_known(&store, &batch).await[..],
        [Outcome::Committed(_)]
    ));
    assert!(store.room(&room("r")).await.unwrap().is_some());
    store.health().await.unwrap();
    assert_eq!(whole(&store, "r").await.len(), 2);
}

#[tokio::test]
async fn a_commit_whose_reply_is_lost_is_unknown_and_then_repeated() {
    let server = PostgresFixture::shared();
    let url = server.database();
    let proxy = ChaosProxy::before(server.port()).await.unwrap();
    let store = open(&through(&proxy, &url)).await;
    let desk = desk(&store);
    desk.create("r", "alice").await;
    // Holds up the last statement before the commit.
    let other = outside(&url).await;
    other
        .batch_execute("BEGIN; LOCK TABLE batch_log IN SHARE MODE")
        .await
        .unwrap();
    let batch = [desk.message("r", "alice", "c1", "hello")];
    let appending = tokio::spawn({
        let (store, batch) = (store.clone(), batch.clone());
        async move { store.append(&batch).await }
    });
    until("the batch is about to commit", async || {
        !backends(&other, "wait_event_type = 'Lock'").await.is_empty()
    })
    .await;
    proxy.set(Mode::BlackHole(Direction::ToClient));
    other.batch_execute("COMMIT").await.unwrap();
    let outcome = appending.await.unwrap();
    assert!(matches!(outcome, Err(LogError::Unknown(_))), "{outcome:?}");
    proxy.set(Mode::Pass);
    let outcomes = until_known(&store, &batch).await;
    assert!(
        matches!(&outcomes[..], [Outcome::Repeated(event)] if event.seq == 2),
        "{outcomes:?}"
    );
    assert_eq!(whole(&store, "r").await.len(), 2);
    assert_eq!(store.metrics().batches_unknown, 1);
}

#[tokio::test]
async fn a_link_cut_before_the_reply_to_commit_is_unknown_at_once() {
    let server = PostgresFixture::shared();
    let url = server.database();
    let proxy = ChaosProxy::before(server.port()).await.unwrap();
    let store = open(&through(&proxy, &url)).await;
    let desk = desk(&store);
    desk.create("r", "alice").await;
    let other = outside(&url).await;
    other
        .batch_execute("BEGIN; LOCK TABLE batch_log IN SHARE MODE")
        .await
        .unwrap();
    let batch = [desk.message("r", "alice", "c1", "hello")];
    let appending = tokio::spawn({
        let (store, batch) = (store.clone(), batch.clone());
        async move { store.append(&batch).await }
    });
    until("the batch is about to commit", async || {
        !backends(&other, "wait_event_type = 'Lock'").await.is_empty()
    })
    .await;
    proxy.set(Mode::BlackHole(Direction::ToClient));
    other.batch_execute("COMMIT").await.unwrap();
    until("it is committed", async || {
        let row = other
            .query_one("SELECT count(*) FROM batch_log", &[])
            .await
            .unwrap();
        row.get::<_, i64>(0) == 2
    })
    .await;
    proxy.cut();
    let outcome = appending.await.unwrap();
    assert!(matches!(outcome, Err(LogError::Unknown(_))), "{outcome:?}");
    proxy.set(Mode::Pass);
    let outcomes = until_known(&store, &batch).await;
    assert!(
        matches!(&outcomes[..], [Outcome::Repeated(event)] if event.seq == 2),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn a_gateway_that_vanished_in_the_middle_of_a_batch_lets_go_of_its_rooms() {
    let server = PostgresFixture::shared();
    let url = server.database();
    let proxy = ChaosProxy::before(server.port()).await.unwrap();
    let (vanishing, other_node) = (open(&through(&proxy, &url)).await, open(&url).await);
    let desk = desk(&other_node);
    desk.create("r", "alice").await;
    let outside = outside(&url).await;
    outside
        .batch_execute("BEGIN; SELECT 1 FROM room FOR UPDATE")
        .await
        .unwrap();
    let lost = [desk.message("r", "alice", "lost", "hello")];
    let appending = tokio::spawn(async move { vanishing.append(&lost).await });
    until("it waits for the room", async || {
        !backends(&outside, "wait_event_type = 'Lock'").await.is_empty()
    })
    .await;
    // From here on the server hears nothing of the gateway, not even that it is gone.
    proxy.set(Mode::BlackHole(Direction::Both));
    outside.batch_execute("COMMIT").await.unwrap();
    until("it has the room, and nothing to do", async || {
        !backends(&outside, "state = 'idle in transaction'")
            .await
            .is_empty()
    })
    .await;
    let begin = Instant::now();
    let outcomes = until_known(&other_node, &[desk.message("r", "alice", "c1", "hello")]).await;
    assert!(matches!(outcomes[..], [Outcome::Committed(_)]));
    assert!(begin.elapsed() < BOUND, "{:?}", begin.elapsed());
    assert!(matches!(appending.await.unwrap(), Err(LogError::NotStored(_))));
    assert_eq!(whole(&other_node, "r").await.len(), 2);
}

#[tokio::test]
async fn a_stopped_backend_costs_its_lane_only() {
    let server = PostgresFixture::shared();
    let url = server.database();
    let store = starling_cluster::postgres::connect(config(&url)).await.unwrap();
    let desk = desk(&store);
    desk.create("r", "alice").await;
    let outside = outside(&url).await;
    let writers = backends(&outside, "query = 'COMMIT'").await;
    assert_eq!(writers.len(), 1);
    signal("STOP", writers[0]);
    let begin = Instant::now();
    let outcome = store.append(&[desk.message("r", "alice", "c1", "hello")]).await;
    assert!(matches!(outcome, Err(LogError::NotStored(_))), "{outcome:?}");
    assert!(begin.elapsed() < BOUND, "{:?}", begin.elapsed());
    // On another connection.
    desk.say("r", "alice", "hello").await;
    signal("CONT", writers[0]);
    assert_eq!(whole(&store, "r").await.len(), 2);
}

fn signal(name: &str, pid: i32) {
    let status = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}
