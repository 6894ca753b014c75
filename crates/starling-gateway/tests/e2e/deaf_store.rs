//! A presence store that is away for a while, and what is handed over to it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use async_trait::async_trait;
use serde_json::{Value, json};
use starling_core::{
    Backend, NodeId, RoomId, UserId,
    ports::{Presence, PresenceChange, Reaped, Renewal, Unavailable},
    presence::{NodePresence, UserPresence},
};
use starling_testkit::{
    client::{DEADLINE, TestClient, http},
    e2e::Settings,
};
use tokio::time::{Duration, sleep, timeout};

use crate::{LEASE, client, harness, harness_with_lease, running};

/// It does not take what a node says, and lets it keep its lease, as when a link hangs for less than that.
struct Deaf {
    presence: Arc<dyn Presence>,
    is_deaf: AtomicBool,
    refused: AtomicUsize,
    handed_over: Mutex<Vec<(UserId, Duration)>>,
}

impl Deaf {
    /// Puts itself in the place of a backend's presence.
    fn before(backend: &mut Backend) -> Arc<Self> {
        let deaf = Arc::new(Self {
            presence: backend.presence.clone(),
            is_deaf: AtomicBool::new(false),
            refused: AtomicUsize::new(0),
            handed_over: Mutex::default(),
        });
        backend.presence = deaf.clone();
        deaf
    }
}

#[async_trait]
impl Presence for Deaf {
    async fn assert(
        &self,
        users: &[(UserId, Option<NodePresence>)],
    ) -> Result<Vec<PresenceChange>, Unavailable> {
        if self.is_deaf.load(Relaxed) {
            self.refused.fetch_add(1, Relaxed);
            return Err(Unavailable::new("presence", "it is away"));
        }
        self.presence.assert(users).await
    }

    async fn lookup(&self, users: &[UserId]) -> Result<Vec<UserPresence>, Unavailable> {
        self.presence.lookup(users).await
    }

    async fn renew(&self) -> Result<Renewal, Unavailable> {
        self.presence.renew().await
    }

    async fn hand_over(&self, users: &[(UserId, Duration)]) -> Result<(), Unavailable> {
        self.handed_over
            .lock()
            .expect("nobody panics with the lock")
            .extend_from_slice(users);
        self.presence.hand_over(users).await
    }

    async fn reap(&self) -> Result<Reaped, Unavailable> {
        self.presence.reap().await
    }

    async fn set_room_counts(&self, counts: &[(RoomId, u32)]) -> Result<(), Unavailable> {
        self.presence.set_room_counts(counts).await
    }

    async fn room_counts(&self, rooms: &[RoomId]) -> Result<Vec<u32>, Unavailable> {
        self.presence.room_counts(rooms).await
    }
}

/// Waits until the store says this of alice.
async fn alice_is(watcher: &mut TestClient, status: &str) {
    let asking = async {
        loop {
            let known = watcher
                .call("watch_presence", json!({ "userIds": ["alice"] }))
                .await;
            if known["users"][0]["status"] == status {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, asking)
        .await
        .unwrap_or_else(|_| panic!("alice does not become {status}"));
}

#[tokio::test]
async fn who_goes_while_the_store_is_away_is_gone_when_it_is_back() {
    let harness = harness().await;
    let id = NodeId::parse("here").expect("a node id");
    let settings = Settings {
        grace: Some(Duration::from_millis(50)),
        commands: Some((0, 0)),
        ..Settings::default()
    };
    let mut backend = harness.embedded.node(id.clone());
    let deaf = Deaf::before(&mut backend);
    let config = running::configured(id, &settings, LEASE);
    let gateway = running::start(running::runtime(), config, backend, &settings).await;
    let mut watcher = client(gateway.addr(), "watcher").await;
    let alice = client(gateway.addr(), "alice").await;
    alice_is(&mut watcher, "online").await;
    deaf.is_deaf.store(true, Relaxed);
    alice.close().await;
    let refused = async {
        while deaf.refused.load(Relaxed) == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, refused)
        .await
        .expect("it is told, and does not hear");
    deaf.is_deaf.store(false, Relaxed);
    alice_is(&mut watcher, "offline").await;
}

fn draining_soon(grace: Duration) -> Settings {
    Settings {
        grace: Some(grace),
        readiness_delay: Some(Duration::ZERO),
        drain_window: Some(Duration::from_millis(200)),
        ..Settings::default()
    }
}

#[tokio::test]
async fn who_has_gone_before_a_node_stops_keeps_what_is_left_of_the_grace() {
    const GRACE: Duration = Duration::from_secs(600);
    let harness = harness().await;
    let id = NodeId::parse("here").expect("a node id");
    let settings = draining_soon(GRACE);
    let mut backend = harness.embedded.node(id.clone());
    let deaf = Deaf::before(&mut backend);
    let config = running::configured(id, &settings, LEASE);
    let window = config.drain.window;
    let gateway = running::start(running::runtime(), config, backend, &settings).await;
    let mut stays = client(gateway.addr(), "stays").await;
    let alice = client(gateway.addr(), "alice").await;
    alice_is(&mut stays, "online").await;
    alice.close().await;
    // Nobody is asked after alice meanwhile: her session has ended when the node has one connection.
    let gone = async {
        while http::get(gateway.addr(), "/stats", &[]).await.json()["connections"]["current"] != 1 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, gone).await.expect("she is gone");
    gateway.drain().await;
    let handed_over = deaf.handed_over.lock().expect("nobody panics with the lock");
    let left = |name: &str| {
        let found = handed_over.iter().find(|(user, _)| user.as_str() == name);
        found
            .unwrap_or_else(|| panic!("{name} is among {handed_over:?}"))
            .1
    };
    // The other's session ended with the window, or later.
    assert!(left("alice") + window / 2 < left("stays"), "{handed_over:?}");
    assert!(left("stays") <= GRACE, "{handed_over:?}");
}

#[tokio::test]
async fn the_end_of_a_grace_that_was_handed_over_is_told_without_a_heartbeat() {
    // The heart beats once in 15 minutes.
    const LONG: Duration = Duration::from_secs(3600);
    let harness = harness_with_lease(LONG).await;
    let settings = draining_soon(Duration::from_millis(300));
    let start = async |name: &str| {
        let id = NodeId::parse(name).expect("a node id");
        let backend = harness.embedded.node(id.clone());
        let config = running::configured(id, &settings, LONG);
        running::start(running::runtime(), config, backend, &settings).await
    };
    let (old, here) = (start("old").await, start("here").await);
    let mut watcher = client(here.addr(), "watcher").await;
    let _alice = client(old.addr(), "alice").await;
    alice_is(&mut watcher, "online").await;
    old.drain().await;
    let such = |user: &Value| user["userId"] == "alice" && user["status"] == "offline";
    watcher
        .event_where("presence_changed", |data| {
            data["users"]
                .as_array()
                .is_some_and(|users| users.iter().any(such))
        })
        .await;
}
