//! Who is online, as those see it who watch.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use starling_protocol::CloseCode;

use super::{Settings, Stage, stage::unlimited, suite::cases};
use crate::client::{TestClient, Wire, text};

/// Nodes that stop soon, and whose users have so long to come back.
fn brief_drain(grace: Duration) -> Settings {
    Settings {
        grace: Some(grace),
        readiness_delay: Some(Duration::from_millis(50)),
        drain_window: Some(Duration::from_millis(200)),
        ..unlimited()
    }
}

/// Nodes whose users are gone so long after their last session.
fn with_grace(millis: u64) -> Settings {
    Settings {
        grace: Some(Duration::from_millis(millis)),
        ..unlimited()
    }
}

async fn watch(client: &mut TestClient, user: &str) -> Value {
    let reply = client.call("watch_presence", json!({ "userIds": [user] })).await;
    reply["users"][0].clone()
}

/// Watches a user, and waits until they have this status.
async fn watch_until(client: &mut TestClient, user: &str, status: &str) {
    if watch(client, user).await["status"] != status {
        told(client, user, status).await;
    }
}

/// Waits until the watcher is told that a user has this status, and gives what it was told.
async fn told(client: &mut TestClient, user: &str, status: &str) -> Value {
    loop {
        let event = client.event("presence_changed").await;
        let users = event["users"].as_array().expect("users").clone();
        let found = users
            .into_iter()
            .find(|known| known["userId"] == user && known["status"] == status);
        if let Some(found) = found {
            return found;
        }
    }
}

async fn set(client: &mut TestClient, status: &str, custom: Option<&str>) {
    let data = json!({ "status": status, "customStatus": custom });
    client.call("set_presence", data).await;
}

async fn watchers_see_every_change(stage: &Stage<'_>) {
    let (here, there) = (
        stage.node_with(with_grace(100)).await,
        stage.node_with(with_grace(100)).await,
    );
    let mut watcher = here.client_in("watcher", Wire::MsgPack).await;
    let before = watch(&mut watcher, "alice").await;
    assert_eq!(
        (&before["status"], &before["lastSeenAt"]),
        (&json!("offline"), &Value::Null)
    );
    let mut alice = there.client("alice").await;
    let online = told(&mut watcher, "alice", "online").await;
    assert!(online["lastSeenAt"].is_null(), "{online}");
    let mut fastest = Duration::MAX;
    for (status, custom) in [("away", Some("lunch")), ("busy", None), ("online", Some("back"))] {
        let since = Instant::now();
        set(&mut alice, status, custom).await;
        let seen = told(&mut watcher, "alice", status).await;
        fastest = fastest.min(since.elapsed());
        assert_eq!(seen["customStatus"].as_str(), custom);
    }
    // On a busy machine one of them may be late, not all.
    assert!(fastest < Duration::from_secs(1), "{fastest:?}");
    alice.close().await;
    let gone = told(&mut watcher, "alice", "offline").await;
    assert!(
        gone["lastSeenAt"].is_string() && gone["customStatus"].is_null(),
        "{gone}"
    );
    let late = watch(&mut here.client("late").await, "alice").await;
    assert_eq!(late["lastSeenAt"], gone["lastSeenAt"]);
}

async fn who_no_longer_watches_is_told_nothing(stage: &Stage<'_>) {
    let node = stage.node().await;
    let (mut one, mut two) = (node.client("one").await, node.client("two").await);
    let mut alice = node.client("alice").await;
    for watcher in [&mut one, &mut two] {
        watch(watcher, "alice").await;
        watcher.settled().await;
    }
    one.call("unwatch_presence", json!({ "userIds": ["alice", "nobody"] }))
        .await;
    set(&mut alice, "busy", None).await;
    told(&mut two, "alice", "busy").await;
    one.has_no("presence_changed").await;
    let again = watch(&mut one, "alice").await;
    assert_eq!(again["status"], "busy");
    set(&mut alice, "away", None).await;
    told(&mut one, "alice", "away").await;
}

async fn the_invisible_look_offline(stage: &Stage<'_>) {
    let node = stage.node().await;
    let (mut watcher, _late) = (node.client("watcher").await, node.client("late").await);
    let (mut alice, mut second_device) = (node.client("alice").await, node.client("alice").await);
    set(&mut second_device, "busy", Some("here")).await;
    watch_until(&mut watcher, "alice", "busy").await;
    set(&mut alice, "invisible", None).await;
    let masked = told(&mut watcher, "alice", "offline").await;
    assert!(masked["customStatus"].is_null(), "{masked}");
    // And stays so, whatever the other device says: what is set later is told before.
    set(&mut second_device, "online", Some("still here")).await;
    watch_until(&mut watcher, "late", "online").await;
    let seen = watch(&mut node.client("another").await, "alice").await;
    assert_eq!(
        (&seen["status"], &seen["customStatus"]),
        (&json!("offline"), &Value::Null)
    );
    set(&mut alice, "away", None).await;
    told(&mut watcher, "alice", "online").await;
}

async fn the_strongest_session_counts(stage: &Stage<'_>) {
    let (here, there) = (
        stage.node_with(with_grace(100)).await,
        stage.node_with(with_grace(100)).await,
    );
    let mut watcher = here.client("watcher").await;
    let (mut one, mut two) = (here.client("alice").await, there.client("alice").await);
    watch(&mut watcher, "alice").await;
    set(&mut one, "away", None).await;
    set(&mut two, "away", None).await;
    told(&mut watcher, "alice", "away").await;
    set(&mut two, "busy", None).await;
    told(&mut watcher, "alice", "busy").await;
    set(&mut one, "online", None).await;
    two.close().await;
    told(&mut watcher, "alice", "online").await;
    one.close().await;
    told(&mut watcher, "alice", "offline").await;
}

async fn a_page_reload_is_no_flicker(stage: &Stage<'_>) {
    let (here, there) = (
        stage.node_with(with_grace(60_000)).await,
        stage.node_with(with_grace(60_000)).await,
    );
    let mut watcher = here.client("watcher").await;
    let alice = here.client("alice").await;
    watch_until(&mut watcher, "alice", "online").await;
    watcher.settled().await;
    alice.close().await;
    let alice = there.client("alice").await;
    alice.close().await;
    let mut alice = here.client("alice").await;
    set(&mut alice, "online", Some("back")).await;
    let event = watcher.event("presence_changed").await;
    assert_eq!(
        (&event["users"][0]["status"], &event["users"][0]["customStatus"]),
        (&json!("online"), &json!("back"))
    );
}

async fn the_end_of_a_node_is_no_flicker(stage: &Stage<'_>) {
    let long = brief_drain(Duration::from_secs(600));
    let (old, here) = (stage.node_with(long).await, stage.node().await);
    let mut watcher = here.client("watcher").await;
    let (mut alice, mut bob) = (old.client("alice").await, old.client("bob").await);
    for user in ["alice", "bob"] {
        watch_until(&mut watcher, user, "online").await;
    }
    watcher.settled().await;
    old.drain().await;
    for client in [&mut alice, &mut bob] {
        assert_eq!(client.closed().await, CloseCode::Restart.code());
    }
    for user in ["alice", "bob"] {
        assert_eq!(watch(&mut watcher, user).await["status"], "online", "{user}");
    }
    let mut alice = here.client("alice").await;
    set(&mut alice, "away", Some("back")).await;
    // The first that is told of anybody: nobody was ever away, and what she said elsewhere stands no more.
    let event = watcher.event("presence_changed").await;
    assert_eq!(event["users"][0]["userId"], "alice", "{event}");
    assert_eq!(event["users"][0]["status"], "away", "{event}");
    assert_eq!(event["users"][0]["customStatus"], "back", "{event}");
    assert_eq!(watch(&mut watcher, "bob").await["status"], "online");
}

async fn who_does_not_come_back_is_gone_after_the_grace(stage: &Stage<'_>) {
    let brief = brief_drain(Duration::from_millis(300));
    let (old, here) = (stage.node_with(brief).await, stage.node().await);
    let mut watcher = here.client("watcher").await;
    let _alice = old.client("alice").await;
    watch_until(&mut watcher, "alice", "online").await;
    old.drain().await;
    let gone = told(&mut watcher, "alice", "offline").await;
    assert!(gone["lastSeenAt"].is_string(), "{gone}");
    let late = watch(&mut here.client("late").await, "alice").await;
    assert_eq!(
        (&late["status"], &late["lastSeenAt"]),
        (&json!("offline"), &gone["lastSeenAt"])
    );
}

async fn the_users_of_a_dead_node_are_gone(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let mut watcher = here.client("watcher").await;
    let _alice = there.client("alice").await;
    watch_until(&mut watcher, "alice", "online").await;
    there.kill().await;
    let gone = told(&mut watcher, "alice", "offline").await;
    assert!(gone["lastSeenAt"].is_string(), "{gone}");
}

async fn watching_says_nothing_about_the_watched(stage: &Stage<'_>) {
    let node = stage.node_with(with_grace(100)).await;
    let mut watcher = node.client("watcher").await;
    let alice = node.client("alice").await;
    watch_until(&mut watcher, "alice", "online").await;
    alice.close().await;
    let gone = told(&mut watcher, "alice", "offline").await;
    // Watchers come and go; long after any grace, alice was last seen when she was.
    watcher
        .call("unwatch_presence", json!({ "userIds": ["alice", "never-here"] }))
        .await;
    let mut other = node.client("other").await;
    watch(&mut other, "alice").await;
    watch(&mut other, "never-here").await;
    other.close().await;
    for _ in 0..2 {
        let marker = node.client("marker").await;
        watch_until(&mut watcher, "marker", "online").await;
        marker.close().await;
        told(&mut watcher, "marker", "offline").await;
    }
    assert_eq!(
        watch(&mut watcher, "alice").await["lastSeenAt"],
        gone["lastSeenAt"]
    );
    assert_eq!(watch(&mut watcher, "never-here").await["lastSeenAt"], Value::Null);
}

async fn statuses(client: &mut TestClient, room: &str) -> Vec<(String, String)> {
    let page = client.call("list_members", json!({ "roomId": room })).await;
    let members = page["members"].as_array().expect("members");
    members
        .iter()
        .map(|member| {
            (
                text(member, "userId").to_owned(),
                text(member, "status").to_owned(),
            )
        })
        .collect()
}

async fn presence_has_limits_and_is_in_lists(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut alice = node.member("alice", "r").await;
    for bad in [
        json!({ "status": "offline" }),
        json!({ "status": "asleep" }),
        json!({ "status": "away", "customStatus": "x".repeat(129) }),
    ] {
        assert_eq!(alice.refused("set_presence", bad).await.code, "invalid_message");
    }
    let many = |from: usize, to: usize| {
        let users: Vec<String> = (from..to).map(|n| format!("user-{n}")).collect();
        json!({ "userIds": users })
    };
    assert_eq!(
        alice.refused("watch_presence", many(0, 501)).await.code,
        "invalid_message"
    );
    let reply = alice.call("watch_presence", many(0, 500)).await;
    assert_eq!(reply["users"].as_array().map(Vec::len), Some(500));
    assert_eq!(
        alice.refused("watch_presence", many(500, 501)).await.code,
        "invalid_message"
    );
    alice.call("watch_presence", many(0, 10)).await;
    alice.call("unwatch_presence", many(0, 1)).await;
    alice.call("watch_presence", many(500, 501)).await;

    node.member("bob", "r").await;
    set(&mut alice, "busy", None).await;
    let mut witness = node.client("witness").await;
    watch_until(&mut witness, "alice", "busy").await;
    let members = statuses(&mut alice, "r").await;
    assert_eq!(members[0], ("alice".to_owned(), "busy".to_owned()));
    assert_eq!(members[1].0, "bob");
}

cases!($ e2e_presence, presence, [
    watchers_see_every_change,
    who_no_longer_watches_is_told_nothing,
    the_invisible_look_offline,
    the_strongest_session_counts,
    a_page_reload_is_no_flicker,
    the_end_of_a_node_is_no_flicker,
    who_does_not_come_back_is_gone_after_the_grace,
    the_users_of_a_dead_node_are_gone,
    watching_says_nothing_about_the_watched,
    presence_has_limits_and_is_in_lists,
]);
