//! Locks that others hold.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use starling_core::{
    Action, Outcome, Refusal, RoomKind, RoomSettings,
    draft::RoomSpec,
    ports::{EventLog, LogError},
};
use starling_testkit::fixtures::postgres::PostgresFixture;

use super::support::{backends, config, desk, open, outside, until, whole};

#[tokio::test]
async fn a_locked_room_is_not_waited_for_for_ever_and_others_go_on() {
    let server = PostgresFixture::shared();
    let url = server.database();
    let store = open(&url).await;
    let desk = desk(&store);
    desk.create("locked", "alice").await;
    desk.create("free", "alice").await;
    let other = outside(&url).await;
    other
        .batch_execute("BEGIN; SELECT 1 FROM room WHERE room_id = 'locked' FOR UPDATE")
        .await
        .unwrap();
    let begin = Instant::now();
    let waiting = tokio::spawn({
        let (store, batch) = (store.clone(), [desk.message("locked", "alice", "c1", "hello")]);
        async move { (store.append(&batch).await, batch) }
    });
    // The other lane is free all the while.
    let mut stored = 0;
    while !waiting.is_finished() {
        desk.say("free", "alice", "hello").await;
        stored += 1;
    }
    let (outcome, batch) = waiting.await.unwrap();
    assert!(matches!(outcome, Err(LogError::NotStored(_))), "{outcome:?}");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(stored > 1);
    other.batch_execute("ROLLBACK").await.unwrap();
    assert!(matches!(
        store.append(&batch).await.unwrap()[..],
        [Outcome::Committed(_)]
    ));
    // Neither of the connections was given up for it.
    assert_eq!(store.metrics().writer_connects, 2);
    assert_eq!(store.metrics().batches_not_stored, 1);
}

#[tokio::test]
async fn a_batch_that_was_abandoned_in_a_lock_lets_go() {
    let server = PostgresFixture::shared();
    let url = server.database();
    let store = open(&url).await;
    let desk = desk(&store);
    desk.create("r", "alice").await;
    let other = outside(&url).await;
    other
        .batch_execute("BEGIN; SELECT 1 FROM room FOR UPDATE")
        .await
        .unwrap();
    let batch = [desk.message("r", "alice", "c1", "hello")];
    let waiting = tokio::spawn({
        let (store, batch) = (store.clone(), batch.clone());
        async move { store.append(&batch).await }
    });
    until("the batch waits for the lock", async || {
        !backends(&other, "wait_event_type = 'Lock'").await.is_empty()
    })
    .await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    other.batch_execute("ROLLBACK").await.unwrap();
    // Its backend sees that nobody is there any more; until then the room may be taken.
    let outcomes = super::support::until_known(&store, &batch).await;
    assert!(outcomes[0].event().is_some(), "{outcomes:?}");
    assert_eq!(whole(&store, "r").await.len(), 2);
}

#[tokio::test]
async fn of_many_who_create_a_room_one_does() {
    let server = PostgresFixture::shared();
    let url = server.database();
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(starling_cluster::postgres::connect(config(&url)).await.unwrap());
    }
    let desk = desk(&stores[0]);
    for round in 0..20 {
        let mut tasks = tokio::task::JoinSet::new();
        let barrier = Arc::new(tokio::sync::Barrier::new(stores.len()));
        for (n, store) in stores.iter().enumerate() {
            // In either order, and with a room that exists between them.
            let mut rooms = [format!("a-{round}"), "exists".into(), format!("z-{round}")];
            if n % 2 == 0 {
                rooms.reverse();
            }
            let sender = format!("user-{n}");
            let batch: Vec<_> = rooms
                .iter()
                .map(|room| desk.draft(room, &sender, create(room)))
                .collect();
            let (store, barrier) = (store.clone(), barrier.clone());
            tasks.spawn(async move {
                barrier.wait().await;
                store.append(&batch).await
            });
        }
        let outcomes: Vec<Outcome> = tasks
            .join_all()
            .await
            .into_iter()
            .flat_map(Result::unwrap)
            .collect();
        let created = outcomes
            .iter()
            .filter(|o| matches!(o, Outcome::Committed(_)))
            .count();
        assert_eq!(created, if round == 0 { 3 } else { 2 }, "{outcomes:?}");
        let others = outcomes
            .iter()
            .filter(|o| **o == Outcome::Refused(Refusal::RoomExists))
            .count();
        assert_eq!(created + others, 12);
    }
    let retries: u64 = stores.iter().map(|store| store.metrics().batch_retries).sum();
    assert!(retries > 0, "the race was never run");
}

fn create(room: &str) -> Action {
    Action::CreateRoom {
        spec: RoomSpec {
            name: room.into(),
            kind: RoomKind::Public,
            description: String::new(),
            max_members: 100,
            settings: RoomSettings::default(),
        },
        max_rooms: 1000,
    }
}
