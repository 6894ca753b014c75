//! Nodes are killed, or replaced one by one; nginx is reloaded.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use starling_testkit::{
    client::{TestClient, http, text},
    e2e::token,
};
use tokio::sync::watch;

use crate::{
    cluster::{Cluster, NODES, log, send, told},
    roamer::{Acked, Traffic},
};

/// Every acknowledged message is in the log with its seq, and nothing is there twice.
async fn check_log(client: &mut TestClient, acked: &Acked) {
    let log = log(client).await;
    for (n, event) in log.iter().enumerate() {
        assert_eq!(event["data"]["seq"], n + 1, "the log is dense");
    }
    for (seq, content) in acked {
        let event = &log[usize::try_from(*seq).unwrap() - 1];
        assert_eq!(event["data"]["content"], *content, "seq {seq} was acknowledged");
    }
    let messages = log.iter().filter(|event| event["type"] == "message_created");
    let contents: Vec<&str> = messages.map(|event| text(&event["data"], "content")).collect();
    let distinct: BTreeSet<&str> = contents.iter().copied().collect();
    assert_eq!(distinct.len(), contents.len(), "nothing was written twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_takes_nothing_with_it() {
    const PROMISED: Duration = Duration::from_secs(20);
    let cluster = Arc::new(Cluster::start());
    let traffic = Traffic::start(&cluster, NODES).await;
    let _gone = cluster.client_at(0, "gone").await;
    let mut watcher = cluster.client_at(1, "watcher").await;
    let watched = json!({ "userIds": ["gone", "reader-0", "reader-1", "reader-2"] });
    let known = watcher.call("watch_presence", watched).await;
    if known["users"][0]["status"] != "online" {
        told(&mut watcher, "gone", "online").await;
    }
    traffic.flow(50).await;
    cluster.kill(0);
    let since = Instant::now();
    traffic.flow(50).await;
    let (acked, comebacks) = traffic.stop().await;
    assert_eq!(
        comebacks.iter().sum::<usize>(),
        2,
        "a reader and a writer were there: {comebacks:?}"
    );
    told(&mut watcher, "gone", "offline").await;
    assert!(since.elapsed() < PROMISED, "{:?}", since.elapsed());

    cluster.start_node(0);
    let mut late = cluster.client_at(0, "reader-0").await;
    check_log(&mut late, &acked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_loses_nothing() {
    let cluster = Arc::new(Cluster::start());
    let traffic = Traffic::start(&cluster, NODES).await;
    let (stop, stopped) = watch::channel(false);
    let seen = tokio::spawn(seen_away(cluster.clone(), stopped));
    for node in 0..NODES {
        traffic.flow(30).await;
        let restarted = cluster.clone();
        let restart = tokio::task::spawn_blocking(move || {
            assert_eq!(restarted.terminate(node).code(), Some(0));
            restarted.start_node(node);
        });
        restart.await.expect("it drains, ends well and starts again");
    }
    traffic.flow(30).await;
    stop.send_replace(true);
    let (asked, away) = seen.await.expect("it is asked");
    assert!(
        asked > 0 && away.is_empty(),
        "{asked} answers, and away were {away:?}"
    );
    let (acked, comebacks) = traffic.stop().await;
    assert!(
        comebacks.iter().all(|times| *times > 0),
        "every node was replaced: {comebacks:?}"
    );
    let (mut late, _) = cluster.client("reader-0").await;
    check_log(&mut late, &acked).await;
}

/// Asks through nginx, again and again, how those are who write and read: how many answers there were once all had come,
/// and who was away then.
async fn seen_away(cluster: Arc<Cluster>, stop: watch::Receiver<bool>) -> (usize, Vec<Value>) {
    let users = (0..NODES).flat_map(|n| [format!("writer-{n}"), format!("reader-{n}")]);
    let path = format!("/api/v1/presence?userIds={}", users.collect::<Vec<_>>().join(","));
    let bearer = format!("Authorization: Bearer {}", token::sign(&token::claims("watcher")));
    let (mut asked, mut away) = (0, Vec::new());
    while !*stop.borrow() {
        let answer = http::get(cluster.nginx.addr(), &path, &[&bearer]).await;
        if answer.status == 200 {
            let mut users = answer.json()["users"].as_array().expect("users").clone();
            assert_eq!(users.len(), 2 * NODES);
            users.retain(|user| user["status"] == "offline");
            if asked > 0 || users.is_empty() {
                asked += 1;
                away.extend(users);
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (asked, away)
}

/// Where nginx counts failures, it takes a node back when a request to it has ended well, and a tunnel does not end.
#[tokio::test]
async fn a_node_that_was_away_gets_clients_though_no_tunnel_ends() {
    let cluster = Cluster::start();
    let _stay = cluster.spread(["alice", "bob", "carol"]).await;
    cluster.kill(0);
    let mut stay = Vec::new();
    // The dead node has fewest: nginx asks it first, and is refused.
    for user in ["dave", "dora"] {
        let (client, node) = cluster.client(user).await;
        assert_ne!(node, 0);
        stay.push(client);
    }
    cluster.start_node(0);
    // The others have two each by now.
    for user in ["erin", "frank"] {
        let (client, node) = cluster.client(user).await;
        assert_eq!(node, 0, "{user} comes to the node that has fewest");
        stay.push(client);
    }
}

#[tokio::test]
async fn a_reload_of_nginx_keeps_its_tunnels() {
    let cluster = Cluster::start();
    let mut members = cluster.members(["alice", "bob", "carol"]).await;
    // Node 0 is taken out: its clients stay, and no further ones come.
    cluster.nginx.reload(&cluster.addrs()[1..]);
    for n in 0..4 {
        let (mut client, node) = cluster.client(&format!("late-{n}")).await;
        assert_ne!(node, 0);
        client.call("ping", json!({})).await;
    }
    send(&mut members[0], "through the old workers").await;
    for member in &mut members {
        member.event("message_created").await;
    }
}
