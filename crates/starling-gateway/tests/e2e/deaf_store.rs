//! A presence store that is away for a while.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use async_trait::async_trait;
use serde_json::json;
use starling_core::{
    NodeId, RoomId, UserId,
    ports::{Presence, PresenceChange, Renewal, Unavailable},
    presence::{NodePresence, UserPresence},
};
use starling_testkit::{
    client::{DEADLINE, Dial, TestClient},
    e2e::{Gateway, Settings, token},
};
use tokio::time::{Duration, sleep, timeout};

use crate::{LEASE, harness, running};

/// It does not take what a node says, and lets it keep its lease, as when a link hangs for less than that.
struct Deaf {
    presence: Arc<dyn Presence>,
    is_deaf: AtomicBool,
    refused: AtomicUsize,
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

    async fn reap(&self) -> Result<Vec<PresenceChange>, Unavailable> {
        self.presence.reap().await
    }

    async fn set_room_counts(&self, counts: &[(RoomId, u32)]) -> Result<(), Unavailable> {
        self.presence.set_room_counts(counts).await
    }

    async fn room_counts(&self, rooms: &[RoomId]) -> Result<Vec<u32>, Unavailable> {
        self.presence.room_counts(rooms).await
    }
}

async fn client(gateway: &dyn Gateway, user: &str) -> TestClient {
    let dial = Dial {
        bearer: Some(token::sign(&token::claims(user))),
        ..Dial::default()
    };
    let mut client = TestClient::dial(gateway.addr(), &dial).await.expect("an upgrade");
    client.event("welcome").await;
    client
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
    let deaf = Arc::new(Deaf {
        presence: backend.presence,
        is_deaf: AtomicBool::new(false),
        refused: AtomicUsize::new(0),
    });
    backend.presence = deaf.clone();
    let config = running::configured(id, &settings, LEASE);
    let gateway = running::start(running::runtime(), config, backend, &settings).await;
    let mut watcher = client(&*gateway, "watcher").await;
    let alice = client(&*gateway, "alice").await;
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
