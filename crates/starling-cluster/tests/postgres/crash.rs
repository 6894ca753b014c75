//! The server is killed.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use starling_cluster::postgres::Store;
use starling_core::{
    Draft, Outcome, RoomEvent,
    ports::{EventLog, LogError, Rooms},
};
use starling_testkit::{conformance::Desk, fixtures::postgres::PostgresFixture};

use super::support::{PATIENCE, desk, open, room, until, until_known, whole};

const WRITERS: usize = 4;
const ROOMS: [&str; 3] = ["a", "b", "c"];

/// What a writer has been told of its batches when the server is gone.
#[derive(Default)]
struct Told {
    acked: Vec<Arc<RoomEvent>>,
    /// Neither acked nor refused: its one batch under way.
    open: Vec<Draft>,
    unknown: bool,
}

/// Appends batch after batch until one fails.
async fn write(store: Store, desk: Desk, acks: Arc<AtomicUsize>, round: usize, writer: usize) -> Told {
    let (sender, mut told) = (format!("user-{writer}"), Told::default());
    for n in 0.. {
        let batch: Vec<Draft> = (0..6)
            .map(|i| {
                let id = format!("{round}.{n}.{i}");
                desk.message(ROOMS[i % 3], &sender, &id, &format!("{sender} says {id}"))
            })
            .collect();
        match store.append(&batch).await {
            Ok(outcomes) => {
                told.acked
                    .extend(outcomes.iter().filter_map(|o| o.event().cloned()));
                acks.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                told.unknown = matches!(error, LogError::Unknown(_));
                told.open = batch;
                break;
            }
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acked_survives_kill_9_and_what_is_unknown_becomes_known() {
    let server = PostgresFixture::start();
    let store = open(&server.database()).await;
    let desk = desk(&store);
    for id in ROOMS {
        desk.create(id, "owner").await;
        for writer in 0..WRITERS {
            desk.join(id, &format!("user-{writer}")).await;
        }
    }
    let mut acked: HashMap<(String, u64), Arc<RoomEvent>> = HashMap::new();
    let mut unknown = 0_u64;
    for round in 0..4 {
        let acks = Arc::new(AtomicUsize::new(0));
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let (store, desk, acks) = (store.clone(), desk.clone(), acks.clone());
            writers.spawn(write(store, desk, acks, round, writer));
        }
        until("some batches are acked", async || {
            acks.load(Ordering::Relaxed) >= 40
        })
        .await;
        server.kill9();
        let told = tokio::time::timeout(PATIENCE, writers.join_all())
            .await
            .expect("every writer hears of it");
        assert!(store.health().await.is_err());
        server.start_again();
        for told in told {
            unknown += u64::from(told.unknown);
            let outcomes = until_known(&store, &told.open).await;
            let repeated = outcomes
                .iter()
                .filter(|o| matches!(o, Outcome::Repeated(_)))
                .count();
            let now = outcomes
                .iter()
                .filter(|o| matches!(o, Outcome::Committed(_)))
                .count();
            // A batch is stored whole or not at all, and what was said not to be stored was not.
            assert!(
                (repeated, now) == (0, 6) || (told.unknown && (repeated, now) == (6, 0)),
                "{outcomes:?}"
            );
            let events = told
                .acked
                .into_iter()
                .chain(outcomes.iter().filter_map(|o| o.event().cloned()));
            for event in events {
                acked.insert((event.room.to_string(), event.seq), event);
            }
        }
        store.health().await.expect("it is back");
    }
    let mut stored = 0;
    for id in ROOMS {
        let log = whole(&store, id).await;
        for event in &log[1 + WRITERS..] {
            let acked = acked
                .get(&(id.to_owned(), event.seq))
                .expect("every event was acked in the end");
            assert_eq!(**acked, *event);
            stored += 1;
        }
        let head = store.room(&room(id)).await.unwrap().unwrap();
        assert_eq!(
            (head.last_seq, head.last_event),
            (log.len() as u64, log.last().map(|event| event.id))
        );
    }
    assert_eq!(stored, acked.len());
    assert_eq!(store.metrics().batches_unknown, unknown);
}

#[tokio::test]
async fn reads_survive_a_restart_without_an_error() {
    let server = PostgresFixture::start();
    let store = open(&server.database()).await;
    let desk = desk(&store);
    desk.create("r", "alice").await;
    // Several connections lie in the pool.
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let store = store.clone();
        tasks.spawn(async move { store.read(&room("r"), 0, 10).await.unwrap().len() });
    }
    assert_eq!(tasks.join_all().await, [1; 6]);
    server.stop();
    assert!(store.read(&room("r"), 0, 10).await.is_err());
    server.start_again();
    assert_eq!(store.read(&room("r"), 0, 10).await.unwrap().len(), 1);
    until_known(&store, &[desk.message("r", "alice", "c1", "hello")]).await;
}
