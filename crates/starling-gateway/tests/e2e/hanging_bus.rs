//! A bus that does not confirm subscriptions for a while.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::json;
use starling_core::{
    NodeId,
    ports::{Bus, BusReceiver, Topic, Unavailable},
};
use starling_testkit::{
    client::{Dial, TestClient},
    e2e::{Gateway, Settings, token},
};
use tokio::sync::watch;

use crate::{Harness, LEASE, harness, running};

/// No sweep comes in time.
const NEVER: Duration = Duration::from_secs(3600);

/// Who subscribes to a room waits until it hangs no more.
struct Hanging {
    bus: Arc<dyn Bus>,
    hangs: watch::Sender<bool>,
}

#[async_trait::async_trait]
impl Bus for Hanging {
    async fn publish(&self, messages: Vec<(Topic, Bytes)>) -> Result<(), Unavailable> {
        self.bus.publish(messages).await
    }

    async fn subscribe(&self, topics: &[Topic]) -> Result<(), Unavailable> {
        if topics.iter().any(|topic| matches!(topic, Topic::Room(_))) {
            let released = self.hangs.subscribe().wait_for(|hangs| !hangs).await.map(drop);
            released.map_err(|closed| Unavailable::new("bus", closed))?;
        }
        self.bus.subscribe(topics).await
    }

    async fn unsubscribe(&self, topics: &[Topic]) -> Result<(), Unavailable> {
        self.bus.unsubscribe(topics).await
    }

    fn take_receiver(&self) -> Option<Box<dyn BusReceiver>> {
        self.bus.take_receiver()
    }
}

/// A node whose bus hangs, and one whose bus does not.
async fn nodes(harness: &Harness, sweep_unheard: Duration) -> ([Arc<dyn Gateway>; 2], Arc<Hanging>) {
    let settings = Settings::default();
    let node = |name: &str| {
        let id = NodeId::parse(name).expect("a node id");
        let backend = harness.embedded.node(id.clone());
        (backend, running::configured(id, &settings, LEASE))
    };
    let (mut backend, mut config) = node("here");
    let hanging = Arc::new(Hanging {
        bus: backend.bus,
        hangs: watch::Sender::new(true),
    });
    backend.bus = hanging.clone();
    (config.sweep, config.sweep_degraded) = (NEVER, sweep_unheard);
    let here = running::start(running::runtime(), config, backend, &settings).await;
    let (backend, config) = node("there");
    let there = running::start(running::runtime(), config, backend, &settings).await;
    ([here, there], hanging)
}

async fn member(gateway: &dyn Gateway, user: &str) -> TestClient {
    let dial = Dial {
        bearer: Some(token::sign(&token::claims(user))),
        ..Dial::default()
    };
    let mut client = TestClient::dial(gateway.addr(), &dial).await.expect("an upgrade");
    client.call("join_room", json!({ "roomId": "r" })).await;
    client
}

async fn send(client: &mut TestClient, content: &str) {
    let message = json!({ "roomId": "r", "content": content });
    client.call("send_message", message).await;
}

/// Says something live again and again.
async fn signal(client: &mut TestClient) {
    loop {
        let signal = json!({ "roomId": "r", "name": "wave", "payload": {} });
        client.call("signal", signal).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_room_opens_and_is_followed_by_the_log_while_the_bus_hangs() {
    let harness = harness().await;
    let ([here, there], hanging) = nodes(&harness, Duration::from_millis(50)).await;
    let mut bob = member(&*here, "bob").await;
    let mut alice = member(&*there, "alice").await;
    send(&mut alice, "while it hangs").await;
    assert_eq!(bob.event("message_created").await["content"], "while it hangs");
    hanging.hangs.send_replace(false);
    // What only the bus carries.
    tokio::select! {
        _ = bob.event("signal") => {}
        () = signal(&mut alice) => {}
    }
}

#[tokio::test]
async fn what_was_written_before_a_late_subscription_is_looked_for() {
    let harness = harness().await;
    let ([here, there], hanging) = nodes(&harness, NEVER).await;
    let mut bob = member(&*here, "bob").await;
    let mut alice = member(&*there, "alice").await;
    send(&mut alice, "before").await;
    hanging.hangs.send_replace(false);
    assert_eq!(bob.event("message_created").await["content"], "before");
}
