//! The bus when Redis, or the way to it, fails: what is lost is told, and it comes back by itself.

use std::time::{Duration, Instant};

use starling_cluster::redis::{RedisConfig, RedisParts};
use starling_core::ports::{BusEvent, BusReceiver};
use starling_testkit::fixtures::{
    proxy::{ChaosProxy, Direction, Mode},
    redis::RedisFixture,
};

use super::stage::{Stage, hear_until, is, next, publish, room, until};

/// How soon a dead link is noticed, with a margin for a busy machine.
const NOTICED: Duration = Duration::from_secs(5 + 3);

fn alone() -> (Stage, std::sync::Arc<RedisFixture>) {
    let server = std::sync::Arc::new(RedisFixture::start());
    (
        Stage::new(RedisConfig::single(&server.url()), server.clone()),
        server,
    )
}

/// A node behind a proxy.
async fn proxied(server: &RedisFixture) -> (Stage, ChaosProxy) {
    let proxy = ChaosProxy::before(server.port()).await.unwrap();
    let url = format!("redis://127.0.0.1:{}", proxy.port());
    (Stage::new(RedisConfig::single(&url), ()), proxy)
}

/// A node that is subscribed to a room, and its receiver.
async fn listener(stage: &Stage) -> (RedisParts, Box<dyn BusReceiver>) {
    let node = stage.node().await;
    let receiver = node.bus.take_receiver().unwrap();
    node.bus.subscribe(&[room("r")]).await.unwrap();
    (node, receiver)
}

/// Publishes until Redis takes it: the links come back each at its own time.
async fn publish_when_possible(node: &RedisParts, payload: &str) {
    until("Redis takes a message", async || {
        publish(&*node.bus, &room("r"), payload).await.is_ok()
    })
    .await;
}

/// What could not be published is not sent later by itself.
async fn hears_again(node: &RedisParts, receiver: &mut Box<dyn BusReceiver>) {
    publish_when_possible(node, "again").await;
    let before = hear_until(receiver, is(&room("r"), "again")).await;
    assert!(!before.iter().any(is(&room("r"), "lost")), "{before:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_started_empty() {
    let (stage, server) = alone();
    let (node, mut receiver) = listener(&stage).await;
    // More than one chunk, and one more.
    let many: Vec<_> = (0..1025).map(|n| room(&format!("room-{n}"))).collect();
    node.bus.subscribe(&many).await.unwrap();
    server.kill9();
    assert_eq!(next(&mut receiver).await, BusEvent::Disconnected);
    let began = Instant::now();
    publish(&*node.bus, &room("r"), "lost").await.unwrap_err();
    assert!(began.elapsed() < Duration::from_millis(500), "it fails at once");
    // What is asked for meanwhile holds afterwards.
    node.bus.subscribe(&[room("late")]).await.unwrap();
    node.bus.unsubscribe(&many[..1]).await.unwrap();
    server.start_again();
    assert_eq!(next(&mut receiver).await, BusEvent::Reconnected);
    let channels = server.command(&["PUBSUB", "CHANNELS", "*bus:r:*"]).texts();
    assert_eq!(channels.len(), 1 + 1024 + 1);
    for topic in [&many[1024], &room("late")] {
        until("Redis takes a message", async || {
            publish(&*node.bus, topic, "x").await.is_ok()
        })
        .await;
        hear_until(&mut receiver, is(topic, "x")).await;
    }
    hears_again(&node, &mut receiver).await;
    node.health.close().await;
    assert_eq!(receiver.recv().await, None);
}

#[tokio::test]
async fn without_any_subscription() {
    let (stage, server) = alone();
    let node = stage.node().await;
    let mut receiver = node.bus.take_receiver().unwrap();
    server.kill9();
    assert_eq!(next(&mut receiver).await, BusEvent::Disconnected);
    server.start_again();
    assert_eq!(next(&mut receiver).await, BusEvent::Reconnected);
    node.bus.subscribe(&[]).await.unwrap();
    node.bus.subscribe(&[room("r")]).await.unwrap();
    hears_again(&node, &mut receiver).await;
}

#[tokio::test]
async fn started_while_redis_is_away() {
    let (stage, server) = alone();
    server.stop();
    let (node, mut receiver) = listener(&stage).await;
    assert_eq!(next(&mut receiver).await, BusEvent::Disconnected);
    let health = node.health.check().await;
    assert!(health[0].problem.is_some() && !health[0].essential, "{health:?}");
    server.start_again();
    assert_eq!(next(&mut receiver).await, BusEvent::Reconnected);
    hears_again(&node, &mut receiver).await;
    until("all is well", async || {
        node.health.check().await[0].problem.is_none()
    })
    .await;
}

#[tokio::test]
async fn paused_and_resumed() {
    let (stage, server) = alone();
    let (node, mut receiver) = listener(&stage).await;
    let began = Instant::now();
    server.pause();
    assert_eq!(next(&mut receiver).await, BusEvent::Disconnected);
    assert!(began.elapsed() < NOTICED, "{:?}", began.elapsed());
    let began = Instant::now();
    let health = node.health.check().await;
    assert!(health[0].problem.is_some(), "{health:?}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    server.resume();
    hear_until(&mut receiver, |event| *event == BusEvent::Reconnected).await;
    hears_again(&node, &mut receiver).await;
}

#[tokio::test]
async fn a_broken_link_is_noticed_whichever_way_it_is_broken() {
    let server = RedisFixture::start();
    for broken in [Direction::ToServer, Direction::ToClient, Direction::Both] {
        let (stage, proxy) = proxied(&server).await;
        let (node, mut receiver) = listener(&stage).await;
        let began = Instant::now();
        proxy.set(Mode::BlackHole(broken));
        assert_eq!(next(&mut receiver).await, BusEvent::Disconnected);
        assert!(began.elapsed() < NOTICED, "{broken:?}: {:?}", began.elapsed());
        let took = Instant::now();
        publish(&*node.bus, &room("r"), "lost").await.unwrap_err();
        assert!(took.elapsed() < Duration::from_secs(3), "{:?}", took.elapsed());
        proxy.set(Mode::Pass);
        hear_until(&mut receiver, |event| *event == BusEvent::Reconnected).await;
        hears_again(&node, &mut receiver).await;
        node.health.close().await;
    }
}

/// fred's own check begins anew with every write, so that traffic hides a dead peer from it.
#[tokio::test]
async fn a_broken_link_is_noticed_under_traffic() {
    let server = RedisFixture::start();
    let (stage, proxy) = proxied(&server).await;
    let (node, mut receiver) = listener(&stage).await;
    let publisher = node.clone();
    let traffic = tokio::spawn(async move {
        let mut failures = 0;
        loop {
            failures += u32::from(publish(&*publisher.bus, &room("other"), "x").await.is_err());
            if failures > 3 {
                return;
            }
        }
    });
    proxy.set(Mode::BlackHole(Direction::Both));
    assert_eq!(next(&mut receiver).await, BusEvent::Disconnected);
    // Publishing fails within the time of a command, and from then on at once.
    traffic.await.unwrap();
    proxy.set(Mode::Pass);
    hear_until(&mut receiver, |event| *event == BusEvent::Reconnected).await;
    hears_again(&node, &mut receiver).await;
}

#[tokio::test]
async fn cut_and_refused() {
    let server = RedisFixture::start();
    let (stage, proxy) = proxied(&server).await;
    let (node, mut receiver) = listener(&stage).await;
    proxy.set(Mode::Refuse);
    proxy.cut();
    assert_eq!(next(&mut receiver).await, BusEvent::Disconnected);
    proxy.set(Mode::Pass);
    assert_eq!(next(&mut receiver).await, BusEvent::Reconnected);
    hears_again(&node, &mut receiver).await;
}

#[tokio::test]
async fn a_slow_link_is_not_a_dead_one() {
    let server = RedisFixture::start();
    let (stage, proxy) = proxied(&server).await;
    let (node, mut receiver) = listener(&stage).await;
    proxy.set(Mode::Delay(Duration::from_millis(300)));
    for n in 0..10 {
        publish(&*node.bus, &room("r"), &n.to_string()).await.unwrap();
    }
    for n in 0..10 {
        assert!(is(&room("r"), &n.to_string())(&next(&mut receiver).await));
    }
    // Longer than a dead link would live.
    let quiet = tokio::time::timeout(Duration::from_secs(6), receiver.recv()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}

#[tokio::test]
async fn subscribers_killed_by_an_operator() {
    let (stage, server) = alone();
    let (node, mut receiver) = listener(&stage).await;
    for _ in 0..3 {
        assert_eq!(server.kill_pubsub_clients(), 1);
        assert_eq!(next(&mut receiver).await, BusEvent::Disconnected);
        assert_eq!(next(&mut receiver).await, BusEvent::Reconnected);
        hears_again(&node, &mut receiver).await;
    }
    assert_eq!(node.metrics.subscriber_links_up.get(), 1);
}

/// Redis cuts a subscriber that does not keep up. What that subscriber has missed is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_by_the_output_buffer_limit() {
    const MESSAGES: usize = 400;
    let server = RedisFixture::start();
    server.limit_pubsub_output(256 << 10);
    let (stage, proxy) = proxied(&server).await;
    let (_slow, mut receiver) = listener(&stage).await;
    let publisher = stage.by_way_of(&server.url()).node_named("publisher").await;
    // So slow that the kernel's buffers fill, and then the server's.
    proxy.set(Mode::Rate(64 << 10));
    let payload = "x".repeat(64 << 10);
    for _ in 0..MESSAGES {
        publish(&*publisher.bus, &room("r"), &payload).await.unwrap();
    }
    until("Redis has cut the subscriber", async || {
        let info = server.command(&["INFO", "stats"]);
        !info
            .text()
            .contains("client_output_buffer_limit_disconnections:0\r\n")
    })
    .await;
    proxy.set(Mode::Pass);
    let before = hear_until(&mut receiver, |event| *event == BusEvent::Reconnected).await;
    let delivered = before
        .iter()
        .filter(|event| matches!(event, BusEvent::Delivered { .. }))
        .count();
    assert!(delivered < MESSAGES, "the rest was lost");
    assert!(before.contains(&BusEvent::Disconnected));
    publish(&*publisher.bus, &room("r"), "again").await.unwrap();
    hear_until(&mut receiver, is(&room("r"), "again")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_subscriptions() {
    let (stage, server) = alone();
    let node = stage.node().await;
    let mut receiver = node.bus.take_receiver().unwrap();
    let topics: Vec<_> = (0..10_000).map(|n| room(&format!("room-{n}"))).collect();
    node.bus.subscribe(&topics).await.unwrap();
    let count = || server.command(&["PUBSUB", "CHANNELS", "*bus:r:*"]).texts().len();
    assert_eq!(count(), 10_000);
    assert_eq!(node.metrics.topics.get(), 10_000);
    // One by one, from many tasks at once: they are gathered.
    let mut tasks = tokio::task::JoinSet::new();
    for topic in &topics {
        let (bus, topic) = (node.bus.clone(), topic.clone());
        tasks.spawn(async move {
            bus.unsubscribe(std::slice::from_ref(&topic)).await.unwrap();
            bus.subscribe(std::slice::from_ref(&topic)).await.unwrap();
        });
    }
    tasks.join_all().await;
    assert_eq!(count(), 10_000);
    publish(&*node.bus, &topics[9_999], "x").await.unwrap();
    hear_until(&mut receiver, is(&topics[9_999], "x")).await;
    node.bus.unsubscribe(&topics).await.unwrap();
    assert_eq!(count(), 0);
    assert_eq!(node.metrics.topics.get(), 0);
}

/// On return of `subscribe` a message that anybody publishes arrives.
#[tokio::test]
async fn a_subscription_holds_when_it_returns() {
    let stage = Stage::single();
    let (publisher, listener) = (stage.node().await, stage.node().await);
    let mut receiver = listener.bus.take_receiver().unwrap();
    for n in 0..300 {
        let topic = room(&format!("room-{n}"));
        listener
            .bus
            .subscribe(std::slice::from_ref(&topic))
            .await
            .unwrap();
        publish(&*publisher.bus, &topic, "x").await.unwrap();
        assert!(is(&topic, "x")(&next(&mut receiver).await));
    }
}

#[tokio::test]
async fn a_node_has_few_connections_and_closes_them() {
    let (stage, server) = alone();
    let connections = || {
        let list = server.command(&["CLIENT", "LIST"]);
        list.text()
            .lines()
            .filter(|line| !line.contains("cmd=client|list"))
            .count()
    };
    let node = stage.node_named("node").await;
    assert_eq!(connections(), stage.config.pool_size + 1);
    node.health.close().await;
    until("they are closed", async || connections() == 0).await;
    publish(&*node.bus, &room("r"), "x").await.unwrap_err();
    node.bus.subscribe(&[room("r")]).await.unwrap_err();
}

/// A listener behind a link that fails in one way after another. Whatever it misses, it is told before the next message
/// of that topic.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_many_faults_no_loss_is_silent() {
    let server = RedisFixture::start();
    let (stage, proxy) = proxied(&server).await;
    let (_listener, mut receiver) = listener(&stage).await;
    let publisher = stage.by_way_of(&server.url()).node_named("publisher").await;
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let node = publisher.clone();
    let sending = tokio::spawn(async move {
        let mut sent = 0_u64;
        while stopped.try_recv().is_err() {
            publish(&*node.bus, &room("r"), &sent.to_string()).await.unwrap();
            sent += 1;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        sent
    });
    let faults = tokio::spawn(async move {
        fail_in_many_ways(&server, &proxy).await;
        stop.send(()).unwrap();
        (server, proxy)
    });
    let (mut expected, mut told, mut losses) = (0_u64, true, 0);
    loop {
        let event = match tokio::time::timeout(Duration::from_millis(200), receiver.recv()).await {
            Ok(event) => event.expect("the bus is open"),
            Err(_) => {
                if sending.is_finished() {
                    publish(&*publisher.bus, &room("r"), "end").await.unwrap();
                }
                continue;
            }
        };
        match event {
            BusEvent::Delivered { payload, .. } if payload == "end" => break,
            BusEvent::Delivered { payload, .. } => {
                let n: u64 = std::str::from_utf8(&payload).unwrap().parse().unwrap();
                assert!(n >= expected, "{n} again, or late, after {expected}");
                assert!(
                    n == expected || told,
                    "{expected} to {n} are missing and nobody said so"
                );
                losses += u64::from(n > expected);
                (expected, told) = (n + 1, false);
            }
            BusEvent::Gap(_) | BusEvent::Disconnected | BusEvent::Reconnected => told = true,
        }
    }
    assert!(sending.await.unwrap() == expected || told);
    assert!(losses >= 2, "{losses}: the faults were none");
    faults.await.unwrap();
}

async fn fail_in_many_ways(server: &RedisFixture, proxy: &ChaosProxy) {
    let pause = async |ms| tokio::time::sleep(Duration::from_millis(ms)).await;
    for round in 0..3 {
        server.kill_pubsub_clients();
        pause(30).await;
        proxy.cut();
        pause(200 + 70 * round).await;
        proxy.set(Mode::Delay(Duration::from_millis(40)));
        pause(300).await;
        proxy.set(Mode::BlackHole(Direction::ToClient));
        // Once too short to be noticed, then long enough.
        pause(if round == 0 { 800 } else { 4500 }).await;
        proxy.set(Mode::Refuse);
        proxy.cut();
        pause(150).await;
        proxy.set(Mode::Pass);
        // Longer than the longest wait before an attempt.
        pause(3000).await;
    }
}
