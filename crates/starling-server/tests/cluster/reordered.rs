//! Two nodes commit one behind the other, and the bus hears them the other way round.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use starling_cluster::ClusterConfig;
use starling_core::{NodeId, SystemClock};
use starling_testkit::{
    client::{Dial, TestClient, number, text},
    e2e::{self, Settings, token},
    fixtures::proxy::{ChaosProxy, Direction, Mode},
};

use crate::{LEASE, harness, running};

/// No sweep comes in time: only the hole itself can send a node to the log.
const NEVER: Duration = Duration::from_secs(3600);

async fn start(config: ClusterConfig, name: &str) -> Arc<dyn e2e::Gateway> {
    let settings = Settings::default();
    let id = NodeId::parse(name).expect("a node id");
    let runtime = running::runtime();
    let connecting = starling_cluster::connect(config, id.clone(), Arc::new(SystemClock));
    let connected = runtime.spawn(connecting).await.expect("no panic");
    let backend = connected.expect("the cluster is there").backend;
    let mut config = running::configured(id, &settings, LEASE);
    (config.sweep, config.sweep_degraded) = (NEVER, NEVER);
    running::start(runtime, config, backend, &settings).await
}

async fn member(node: &dyn e2e::Gateway, user: &str) -> TestClient {
    let dial = Dial {
        bearer: Some(token::sign(&token::claims(user))),
        ..Dial::default()
    };
    let mut client = TestClient::dial(node.addr(), &dial).await.expect("an upgrade");
    client.call("join_room", json!({ "roomId": "r" })).await;
    client
}

async fn send(client: &mut TestClient, content: &str) -> u64 {
    let message = json!({ "roomId": "r", "clientId": content, "content": content });
    number(&client.call("send_message", message).await, "seq")
}

#[tokio::test]
async fn what_is_published_in_the_other_order_is_delivered_in_the_order_of_the_log() {
    let harness = harness().await;
    let proxy = ChaosProxy::before(harness.redis_port()).await.expect("a proxy");
    let mut behind_proxy = harness.config.clone();
    behind_proxy.redis = harness.redis_at(proxy.port());
    // A node whose Redis hangs takes messages by limits of its own, and soon.
    behind_proxy.redis.limits_timeout = Duration::from_millis(50);

    let slow = start(behind_proxy, "slow").await;
    let fast = start(harness.config.clone(), "fast").await;
    let third = start(harness.config.clone(), "third").await;
    let mut alice = member(&*slow, "alice").await;
    let mut bob = member(&*fast, "bob").await;
    let mut carol = member(&*third, "carol").await;
    // Everybody has heard of the last one who joined: the buses are in step.
    for client in [&mut alice, &mut bob] {
        client
            .event_where("member_joined", |joined| text(joined, "userId") == "carol")
            .await;
    }

    proxy.set(Mode::BlackHole(Direction::ToServer));
    let first = send(&mut alice, "first").await;
    let second = send(&mut bob, "second").await;
    assert_eq!(second, first + 1);
    for client in [&mut bob, &mut carol] {
        for content in ["first", "second"] {
            assert_eq!(client.event("message_created").await["content"], content);
        }
    }
    // The first one's own message comes late now, and is nothing new.
    proxy.set(Mode::Pass);
    send(&mut bob, "third").await;
    for client in [&mut bob, &mut carol] {
        assert_eq!(client.event("message_created").await["content"], "third");
        client.has_no("message_created").await;
    }
}
