//! Redis hangs: it takes bytes and answers nothing, and no connection ends.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use starling_core::{NodeId, SystemClock};
use starling_testkit::{
    client::{Dial, TestClient, http},
    e2e::{self, Settings, token},
    fixtures::proxy::{ChaosProxy, Direction, Mode},
};

use crate::{Harness, LEASE, harness, running};

async fn start(harness: &Harness, name: &str, redis_port: u16) -> Arc<dyn e2e::Gateway> {
    let settings = Settings::default();
    let id = NodeId::parse(name).expect("a node id");
    let mut config = harness.config.clone();
    config.redis = harness.redis_at(redis_port);
    // A node whose Redis hangs goes by limits of its own, and soon.
    config.redis.limits_timeout = Duration::from_millis(50);
    let runtime = running::runtime();
    let connecting = starling_cluster::connect(config, id.clone(), Arc::new(SystemClock));
    let connected = runtime.spawn(connecting).await.expect("no panic");
    let backend = connected.expect("the cluster is there").backend;
    let config = running::configured(id, &settings, LEASE);
    running::start(runtime, config, backend, &settings).await
}

async fn client(node: &dyn e2e::Gateway, user: &str) -> TestClient {
    let dial = Dial {
        bearer: Some(token::sign(&token::claims(user))),
        ..Dial::default()
    };
    let mut client = TestClient::dial(node.addr(), &dial).await.expect("an upgrade");
    client.event("welcome").await;
    client
}

async fn join(client: &mut TestClient) {
    client.call("join_room", json!({ "roomId": "r" })).await;
}

async fn send(client: &mut TestClient, content: &str) {
    let message = json!({ "roomId": "r", "content": content });
    client.call("send_message", message).await;
}

async fn believes_in_its_bus(node: &dyn e2e::Gateway) -> bool {
    let metrics = http::get(node.addr(), "/metrics", &[]).await;
    metrics
        .body
        .lines()
        .any(|line| line.starts_with("starling_bus_up") && line.ends_with(" 1"))
}

#[tokio::test]
async fn a_room_opens_while_redis_hangs() {
    let harness = harness().await;
    let proxy = ChaosProxy::before(harness.redis_port()).await.expect("a proxy");
    let hung = start(&harness, "hung", proxy.port()).await;
    let well = start(&harness, "well", harness.redis_port()).await;
    let mut alice = client(&*well, "alice").await;
    let mut bob = client(&*hung, "bob").await;
    join(&mut alice).await;
    proxy.set(Mode::BlackHole(Direction::Both));
    join(&mut bob).await;
    assert!(
        believes_in_its_bus(&*hung).await,
        "he does not wait until the link is found dead"
    );
    send(&mut alice, "while it hangs").await;
    assert_eq!(bob.event("message_created").await["content"], "while it hangs");
    // What only the bus carries comes when it is back.
    proxy.set(Mode::Pass);
    let typing = async {
        loop {
            for kind in ["typing_start", "typing_stop"] {
                alice.call(kind, json!({ "roomId": "r" })).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    tokio::select! {
        _ = bob.event("typing") => {}
        () = typing => {}
    }
    send(&mut alice, "after it").await;
    assert_eq!(bob.event("message_created").await["content"], "after it");
}
