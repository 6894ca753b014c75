//! What fred does that is easily forgotten. Where a test shows the trap itself, its failure means that a later fred is
//! without it; the others show that it does not catch us.

use std::time::Duration;

use fred::{
    clients::Client,
    interfaces::{ClientLike, LuaInterface},
    types::{Builder, RespVersion, Value, config::Config},
};
use starling_cluster::redis::RedisConfig;
use starling_core::{
    SessionId,
    ports::BusEvent,
    presence::{NodePresence, Status},
};
use starling_testkit::fixtures::redis::RedisFixture;

use super::stage::{Stage, hear_until, is, next, publish, room, until, user};

async fn client(server: &RedisFixture) -> Client {
    let mut config = Config::from_url_centralized(&server.url()).unwrap();
    config.version = RespVersion::RESP3;
    let client = Builder::from_config(config)
        .with_performance_config(|config| config.default_command_timeout = Duration::from_millis(300))
        .build()
        .unwrap();
    client.init().await.unwrap();
    client
}

/// A flat array that begins with such a word is taken for a message that was published, and its caller gets the reply
/// to the next command.
#[tokio::test]
async fn the_trap_of_flat_arrays_is_there() {
    let server = RedisFixture::shared();
    for (script, is_caught) in [
        ("return {'message', 'a', 'b'}", true),
        ("return {'subscribe', 'a', 'b'}", true),
        ("return {'message', 'a'}", false),
        ("return {1, 'message', 'b'}", false),
        ("return {{'message', 'a', 'b'}}", false),
        (
            "return {1, {'message', 'a', 'b'}, {'subscribe', 'a', 'b'}}",
            false,
        ),
    ] {
        let client = client(&server).await;
        let reply = client.eval::<Value, _, _, _>(script, (), ()).await;
        assert_eq!(reply.is_err(), is_caught, "{script}: {reply:?}");
    }
}

/// Names and texts of users that look like what Redis sends to subscribers.
#[tokio::test]
async fn words_of_users_are_not_taken_for_messages() {
    let stage = Stage::single();
    let node = stage.node().await;
    let words = [
        "message",
        "smessage",
        "pmessage",
        "subscribe",
        "ssubscribe",
        "unsubscribe",
        "pubsub",
    ];
    let said: Vec<_> = words
        .iter()
        .map(|word| {
            let said = NodePresence {
                status: Status::Online,
                custom: Some((*word).into()),
                ..NodePresence::default()
            };
            (user(word), Some(said))
        })
        .collect();
    // One, two and three at a time: the length of the reply matters.
    for count in 1..=words.len() {
        for said in said.windows(count) {
            let changes = node.presence.assert(said).await.unwrap();
            let names: Vec<_> = said.iter().map(|(user, _)| user.clone()).collect();
            let seen = node.presence.lookup(&names).await.unwrap();
            for (n, name) in names.iter().enumerate() {
                assert_eq!(changes[n].now.custom_status.as_deref(), Some(name.as_str()));
                assert_eq!(seen[n].custom_status.as_deref(), Some(name.as_str()));
            }
        }
    }
    for word in words {
        let session = SessionId::parse(word).unwrap();
        assert!(node.limits.connect(&user(word), &session, 1).await.unwrap());
    }
    // A dead node's words come back from the clean-up.
    let living = stage.node().await;
    node.health.close().await;
    let mut reaped = living.presence.reap().await.unwrap().changes;
    reaped.sort_by(|a, b| a.now.user_id.cmp(&b.now.user_id));
    let mut names = words.map(user);
    names.sort();
    assert!(reaped.iter().map(|change| &change.now.user_id).eq(&names));
    assert!(
        reaped
            .iter()
            .all(|change| change.before.custom_status.as_deref() == Some(change.now.user_id.as_str()))
    );
}

/// fred takes an error that SUBSCRIBE gets for the reply to the next command. Here the barrier finds it, and the
/// connection is not used.
#[tokio::test]
async fn a_refused_subscription_is_no_success() {
    let server = RedisFixture::start();
    server.command(&[
        "ACL",
        "SETUSER",
        "gateway",
        "on",
        ">sesame",
        "~*",
        "+@all",
        "resetchannels",
    ]);
    let url = format!("redis://gateway:sesame@127.0.0.1:{}", server.port());
    let stage = Stage::new(RedisConfig::single(&url), ());
    let node = stage.node().await;
    let mut receiver = node.bus.take_receiver().unwrap();
    assert_eq!(next(&mut receiver).await, BusEvent::Disconnected);
    node.bus.subscribe(&[room("r")]).await.unwrap();
    assert!(node.health.check().await[0].problem.is_some());
    server.command(&["ACL", "SETUSER", "gateway", "allchannels"]);
    assert_eq!(next(&mut receiver).await, BusEvent::Reconnected);
    until("Redis takes a message", async || {
        publish(&*node.bus, &room("r"), "x").await.is_ok()
    })
    .await;
    hear_until(&mut receiver, is(&room("r"), "x")).await;
}

/// A primary that becomes a replica keeps its connections. Its refusal of writes ends them here, so that the sentinels
/// are asked again.
#[tokio::test]
async fn a_server_that_refuses_writes_is_left() {
    let server = RedisFixture::start();
    let stage = Stage::new(RedisConfig::single(&server.url()), ());
    let node = stage.node().await;
    node.presence.renew().await.unwrap();
    server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    let before = node.metrics.connections_lost.get();
    node.presence.renew().await.unwrap_err();
    until("the connection is given up", async || {
        node.metrics.connections_lost.get() > before
    })
    .await;
    server.command(&["REPLICAOF", "NO", "ONE"]);
    until("it works again", async || node.presence.renew().await.is_ok()).await;
}

/// fred revives a queue of commands after a reconnect, and sends again what had no reply.
#[tokio::test]
async fn no_command_is_sent_twice_or_late() {
    let server = RedisFixture::start();
    let stage = Stage::new(RedisConfig::single(&server.url()), ());
    let (publisher, listener) = (stage.node().await, stage.node().await);
    let mut receiver = listener.bus.take_receiver().unwrap();
    listener.bus.subscribe(&[room("r")]).await.unwrap();
    server.pause();
    // Written, without a reply until the server goes on: by then nobody waits for it any more.
    publish(&*publisher.bus, &room("r"), "late").await.unwrap_err();
    until("the links are given up", async || {
        publisher.metrics.command_links_up.get() == 0 && listener.metrics.subscriber_links_up.get() == 0
    })
    .await;
    for _ in 0..20 {
        publish(&*publisher.bus, &room("r"), "never sent")
            .await
            .unwrap_err();
    }
    server.resume();
    until("Redis takes a message", async || {
        publish(&*publisher.bus, &room("r"), "end").await.is_ok()
    })
    .await;
    until("the listener is back", async || {
        listener.metrics.subscriber_links_up.get() == 1
    })
    .await;
    publish(&*publisher.bus, &room("r"), "end").await.unwrap();
    let before = hear_until(&mut receiver, is(&room("r"), "end")).await;
    let late = before
        .iter()
        .filter(|event| is(&room("r"), "late")(event))
        .count();
    assert!(late <= 1, "{before:?}");
    assert!(!before.iter().any(is(&room("r"), "never sent")), "{before:?}");
}
