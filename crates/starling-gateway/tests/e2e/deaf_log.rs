//! A log that is away for a while, on a node that hears of others by the log alone.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use async_trait::async_trait;
use serde_json::json;
use starling_core::{
    Draft, NodeId, Outcome, RoomEvent, RoomId,
    ports::{Changes, EventLog, Head, LogError, Unavailable, Watermark},
};
use starling_testkit::{client::text, e2e::Settings};
use tokio::time::Duration;

use crate::{LEASE, client, harness, running};

/// It says nothing of what is new while it is held, names each room once then, and fails so many reads.
struct Deaf {
    log: Arc<dyn EventLog>,
    is_held: AtomicBool,
    failures: AtomicUsize,
}

fn away() -> Unavailable {
    Unavailable::new("log", "it is away")
}

#[async_trait]
impl EventLog for Deaf {
    async fn append(&self, batch: &[Draft]) -> Result<Vec<Outcome>, LogError> {
        self.log.append(batch).await
    }

    async fn read(&self, room: &RoomId, after: u64, limit: usize) -> Result<Vec<RoomEvent>, Unavailable> {
        let fails = self
            .failures
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        match fails {
            Ok(_) => Err(away()),
            Err(_) => self.log.read(room, after, limit).await,
        }
    }

    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<Head>, Unavailable> {
        self.log.heads(rooms).await
    }

    async fn changes(&self, since: Option<Watermark>) -> Result<Changes, Unavailable> {
        if self.is_held.load(Relaxed) {
            return Err(away());
        }
        let Changes { next, rooms } = self.log.changes(since).await?;
        // In the order of the commits: the last one of a room stays.
        let rooms = BTreeMap::from_iter(rooms).into_iter().collect();
        Ok(Changes { next, rooms })
    }
}

#[tokio::test]
async fn what_the_readers_of_a_direct_room_missed_is_asked_for_until_it_is_known() {
    let (harness, elsewhere) = (harness().await, harness().await);
    let settings = Settings::default();
    let node = |name: &str| {
        let id = NodeId::parse(name).expect("a node id");
        let backend = harness.embedded.node(id.clone());
        (backend, running::configured(id, &settings, LEASE))
    };
    let (mut backend, mut config) = node("here");
    let deaf = Arc::new(Deaf {
        log: backend.log,
        is_held: AtomicBool::new(false),
        failures: AtomicUsize::new(0),
    });
    backend.log = deaf.clone();
    // A bus on which nobody else is.
    let alone = NodeId::parse("here").expect("a node id");
    backend.bus = elsewhere.embedded.node(alone).bus;
    config.sweep = Duration::from_millis(50);
    let here = running::start(running::runtime(), config, backend, &settings).await;
    let (backend, config) = node("there");
    let there = running::start(running::runtime(), config, backend, &settings).await;

    let mut alice = client(there.addr(), "alice").await;
    let mut bob = client(here.addr(), "bob").await;
    deaf.is_held.store(true, Relaxed);
    for content in ["one", "two"] {
        let message = json!({ "recipientId": "bob", "content": content });
        alice.call("send_message", message).await;
    }
    // The sweep tells of the second only; the first is in what cannot be read twice.
    deaf.failures.store(2, Relaxed);
    deaf.is_held.store(false, Relaxed);
    let came = bob.durable("@dm:alice,bob", 2).await;
    let contents: Vec<&str> = came.iter().map(|event| text(&event["data"], "content")).collect();
    assert_eq!(contents, ["one", "two"]);
    assert_eq!(deaf.failures.load(Relaxed), 0);
}
