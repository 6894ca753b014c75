//! What is particular to each topology, to TLS and to credentials.

use std::{sync::Arc, time::Duration};

use starling_cluster::redis::{ConnectError, RedisConfig, RedisParts, Topology, connect};
use starling_core::{
    NodeId, SystemClock,
    ports::{BusEvent, Charge, Rate, Renewal, Topic, Verdict},
    presence::{NodePresence, Status},
};
use starling_testkit::{
    conformance::PresenceStage,
    fixtures::redis::{RedisClusterFixture, RedisFixture, RedisSentinelFixture},
};

use super::stage::{
    Stage, cluster_config, hear_until, is, next, publish, room, sentinel_config, until, user,
};

async fn delivers(node: &RedisParts, topic: &Topic) -> bool {
    publish(&*node.bus, topic, "x").await.is_ok()
}

/// Everything works on this node.
async fn works(node: &RedisParts) {
    until("presence works", async || node.presence.renew().await.is_ok()).await;
    let said = NodePresence {
        status: Status::Online,
        ..NodePresence::default()
    };
    node.presence
        .assert(&[(user("alice"), Some(said))])
        .await
        .unwrap();
    assert_eq!(
        node.presence.lookup(&[user("alice")]).await.unwrap()[0].status,
        Status::Online
    );
    until("limits work", async || {
        let before = node.metrics.limits_local.get();
        let rate = Rate {
            per_minute: 1,
            burst: 1000,
        };
        let verdict = node.limits.take(&[Charge::Command(user("alice"), rate)]).await;
        verdict == Verdict::Granted && node.metrics.limits_local.get() == before
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentinel_failover_is_followed() {
    let servers = Arc::new(RedisSentinelFixture::start());
    let stage = Stage::new(sentinel_config(&servers), servers.clone());
    let (a, b) = (stage.node().await, stage.node().await);
    let mut receiver = b.bus.take_receiver().unwrap();
    b.bus.subscribe(&[room("r")]).await.unwrap();
    works(&a).await;
    let before = servers.primary().port();
    tokio::task::spawn_blocking({
        let servers = servers.clone();
        move || servers.fail_over()
    })
    .await
    .unwrap();
    assert_ne!(servers.primary().port(), before);
    let told = hear_until(&mut receiver, |event| *event == BusEvent::Reconnected).await;
    assert_eq!(told, [BusEvent::Disconnected]);
    until("Redis takes a message", async || delivers(&a, &room("r")).await).await;
    hear_until(&mut receiver, is(&room("r"), "x")).await;
    works(&a).await;
    works(&b).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_of_a_cluster_that_move_are_followed() {
    let servers = Arc::new(RedisClusterFixture::start());
    let stage = Stage::new(cluster_config(&servers), servers.clone());
    let (a, b) = (stage.node().await, stage.node().await);
    let mut receiver = b.bus.take_receiver().unwrap();
    let topics: Vec<_> = (0..50).map(|n| room(&format!("room-{n}"))).collect();
    b.bus.subscribe(&topics).await.unwrap();
    let channel = format!("{}bus:r:room-7", stage.config.key_prefix);
    let slot = servers.slot(&channel);
    let to = (servers.owner(slot) + 1) % 3;
    servers.give_slot(slot, to);
    // Only what was in that slot has a gap, and it is heard on the new server.
    let mut gap = None;
    let before = hear_until(&mut receiver, |event| matches!(event, BusEvent::Gap(_))).await;
    assert_eq!(before, []);
    until("it is heard", async || {
        delivers(&a, &topics[7]).await;
        let heard = tokio::time::timeout(Duration::from_millis(100), receiver.recv()).await;
        match heard {
            Ok(Some(BusEvent::Delivered { topic, .. })) => topic == topics[7],
            Ok(other) => {
                gap = other;
                false
            }
            Err(_) => false,
        }
    })
    .await;
    assert_eq!(gap, None);
    assert!(b.metrics.moved.get() >= 1);
    let there = servers.nodes()[to].command(&["PUBSUB", "SHARDCHANNELS", &channel]);
    assert_eq!(there.texts(), [channel]);
    works(&a).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_shares_the_work() {
    let stage = super::stage::cluster();
    let servers = RedisClusterFixture::start();
    let stage = Stage::new(cluster_config(&servers), (stage, ()));
    let node = stage.node().await;
    let topics: Vec<_> = (0..300).map(|n| room(&format!("room-{n}"))).collect();
    node.bus.subscribe(&topics).await.unwrap();
    let said: Vec<_> = (0..300)
        .map(|n| (user(&format!("user-{n}")), Some(NodePresence::default())))
        .collect();
    node.presence.assert(&said).await.unwrap();
    for server in servers.nodes() {
        let channels = server
            .command(&["PUBSUB", "SHARDCHANNELS", "*bus:r:*"])
            .texts()
            .len();
        assert!((50..150).contains(&channels), "{channels}");
        let users = server.command(&["KEYS", "*presence:*"]).texts().len();
        assert!((50..150).contains(&users), "{users}");
        let leases = server.command(&["KEYS", "*:lease:*"]).texts().len();
        assert!((9..13).contains(&leases), "{leases}");
    }
    node.bus.unsubscribe(&topics).await.unwrap();
    for server in servers.nodes() {
        assert_eq!(
            server.command(&["PUBSUB", "SHARDCHANNELS", "*bus:r:*"]).texts(),
            [""; 0]
        );
    }
}

#[tokio::test]
async fn one_of_several_servers_is_away() {
    let servers = Arc::new([RedisFixture::start(), RedisFixture::start()]);
    let urls = servers.each_ref().map(RedisFixture::url);
    let config = RedisConfig::new(Topology::Sharded, urls.iter().map(String::as_str));
    let stage = Stage::new(config, servers.clone());
    let node = stage.node().await;
    let mut receiver = node.bus.take_receiver().unwrap();
    let topics: Vec<_> = (0..40).map(|n| room(&format!("room-{n}"))).collect();
    node.bus.subscribe(&topics).await.unwrap();
    servers[1].kill9();
    assert_eq!(next(&mut receiver).await, BusEvent::Disconnected);
    // The other half goes on.
    let mut reached = Vec::new();
    for topic in &topics {
        if delivers(&node, topic).await {
            reached.push(topic.clone());
            hear_until(&mut receiver, is(topic, "x")).await;
        }
    }
    assert!((5..35).contains(&reached.len()), "{}", reached.len());
    assert!(node.health.check().await[0].problem.is_some());
    assert!(node.presence.renew().await.is_err());
    servers[1].start_again();
    assert_eq!(next(&mut receiver).await, BusEvent::Reconnected);
    for topic in &topics {
        until("Redis takes a message", async || delivers(&node, topic).await).await;
        hear_until(&mut receiver, is(topic, "x")).await;
    }
    assert_eq!(node.presence.renew().await.unwrap(), Renewal::Lost);
    works(&node).await;
}

#[tokio::test]
async fn over_tls() {
    let server = RedisFixture::start_tls();
    let (url, authority) = server.tls();
    let mut config = RedisConfig::single(&url);
    config.tls_ca_file = Some(authority);
    let stage = Stage::new(config, ());
    let node = stage.node().await;
    let mut receiver = node.bus.take_receiver().unwrap();
    node.bus.subscribe(&[room("r")]).await.unwrap();
    assert!(delivers(&node, &room("r")).await);
    hear_until(&mut receiver, is(&room("r"), "x")).await;
    works(&node).await;
    // An authority that did not sign the certificate.
    let other = RedisFixture::start_tls();
    let mut config = stage.config.clone();
    config.tls_ca_file = Some(other.tls().1);
    let distrustful = Stage::new(config, ()).node_named("distrustful").await;
    assert!(!delivers(&distrustful, &room("r")).await);
}

#[tokio::test]
async fn credentials() {
    let server = RedisFixture::start();
    server.command(&["CONFIG", "SET", "requirepass", "sesame"]);
    let connect_with = async |url: String| {
        let stage = Stage::new(RedisConfig::single(&url), ());
        let directory = PresenceStage::directory(&stage).await;
        let node = NodeId::parse("node").unwrap();
        connect(stage.config.clone(), node, directory, Arc::new(SystemClock)).await
    };
    let port = server.port();
    let refused = connect_with(format!("redis://:guess@127.0.0.1:{port}")).await;
    assert!(matches!(refused, Err(ConnectError::Credentials(_))));
    let node = connect_with(format!("redis://:sesame@127.0.0.1:{port}/3")).await;
    works(&node.unwrap()).await;
    let nobody = connect_with(format!("redis://127.0.0.1:{port}")).await;
    assert!(matches!(nobody, Err(ConnectError::Credentials(_))));
}
