//! The canaries of a cluster: each sees its own messages and those of the others, and what is missing when something is.

use std::time::Duration;

use starling_testkit::client::{DEADLINE, http};

use crate::cluster::{Cluster, NODES};

fn singing() -> Vec<(String, String)> {
    let variables = [
        ("STARLING_CANARY__ENABLED", "true"),
        ("STARLING_CANARY__INTERVAL", "100ms"),
    ];
    variables
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// A metric of a node; `None` where it has none.
async fn metric(cluster: &Cluster, n: usize, series: &str) -> Option<f64> {
    let text = http::get(cluster.addrs()[n], "/metrics", &[]).await.body;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

async fn reaches(cluster: &Cluster, n: usize, series: &str, least: f64) {
    let reaching = async {
        while metric(cluster, n, series).await.is_none_or(|value| value < least) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, reaching)
        .await
        .unwrap_or_else(|_| panic!("{series} of node {n} does not reach {least}"));
}

const OWN: &str = "starling_canary_deliver_seconds_count{from=\"own\"}";
const OTHER: &str = "starling_canary_deliver_seconds_count{from=\"other\"}";
const ACKS: &str = "starling_canary_ack_seconds_count";

#[tokio::test]
async fn canaries_watch_themselves_and_each_other() {
    let cluster = Cluster::start_with(&singing());
    for n in 0..NODES {
        for series in [OWN, OTHER, ACKS] {
            reaches(&cluster, n, series, 5.0).await;
        }
        assert_eq!(metric(&cluster, n, "starling_canary_up").await, Some(1.0));
    }
    for n in 0..NODES {
        for fault in ["lost", "missing", "repeated"] {
            let series = format!("starling_canary_{fault}_total");
            assert_eq!(metric(&cluster, n, &series).await, Some(0.0), "{fault}");
        }
    }
    // One that is sent away leaves its room; the others do not mind.
    assert!(cluster.terminate(0).success());
    let heard = metric(&cluster, 1, OWN).await.unwrap();
    reaches(&cluster, 1, OWN, heard + 5.0).await;
    assert_eq!(metric(&cluster, 1, "starling_canary_lost_total").await, Some(0.0));
    let mut client = cluster.client_at(1, "watcher").await;
    let room = serde_json::json!({ "roomId": "starling-canary" });
    client.call("join_room", room.clone()).await;
    let members = client.call("list_members", room).await;
    let members: Vec<&str> = members["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member["userId"].as_str().unwrap())
        .collect();
    assert_eq!(
        members,
        ["starling-canary:node-2", "starling-canary:node-3", "watcher"]
    );
}

#[tokio::test]
async fn a_canary_tells_of_messages_that_are_not_taken() {
    let cluster = Cluster::start_with(&singing());
    reaches(&cluster, 0, OWN, 1.0).await;
    let refused = metric(&cluster, 0, "starling_canary_refused_total")
        .await
        .unwrap();
    cluster.close_database();
    reaches(&cluster, 0, "starling_canary_refused_total", refused + 1.0).await;
    reaches(&cluster, 0, "starling_service_up{service=\"redis\"}", 1.0).await;
    let up = async {
        while metric(&cluster, 0, "starling_service_up{service=\"postgres\"}").await != Some(0.0) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, up)
        .await
        .expect("it is seen to be away");
}

/// Deliveries of other nodes' messages by this node's canary: how many, and how many it says took longer than a second.
async fn deliveries(cluster: &Cluster, n: usize) -> (f64, f64) {
    let in_time = "starling_canary_deliver_seconds_bucket{from=\"other\",le=\"1\"}";
    let in_time = metric(cluster, n, in_time).await.expect("a bucket");
    let all = metric(cluster, n, OTHER).await.expect("a count");
    (all, all - in_time)
}

/// The database of its node hangs, and with it the trimming of its room: what it says of others stays true.
#[tokio::test(flavor = "multi_thread")]
async fn a_canary_hears_while_its_database_hangs() {
    // Messages between two trims: six seconds at this pace.
    const TRIM_EVERY: f64 = 60.0;
    const SENT: &str = "starling_canary_sent_total";
    let cluster = Cluster::start_with_a_link(&singing()).await;
    reaches(&cluster, 0, OTHER, 1.0).await;
    cluster.hang_link();
    // A batch that was cut in two may hold the room for a while.
    for n in 1..NODES {
        let heard = metric(&cluster, n, OWN).await.unwrap();
        reaches(&cluster, n, OWN, heard + 5.0).await;
    }
    let (heard, _) = deliveries(&cluster, 0).await;
    reaches(&cluster, 0, OTHER, heard + 5.0).await;
    let (before, late_before) = deliveries(&cluster, 0).await;
    let sent = metric(&cluster, 0, SENT).await.unwrap();
    reaches(&cluster, 0, SENT, sent + TRIM_EVERY + 1.0).await;
    let (heard, _) = deliveries(&cluster, 0).await;
    reaches(&cluster, 0, OTHER, heard + 5.0).await;
    let (heard, late) = deliveries(&cluster, 0).await;
    // On a busy machine some are late. One that waits for the trim hears nothing half of the time.
    let (heard, late) = (heard - before, late - late_before);
    assert!(5.0 * late < heard, "{late} of {heard} came late");
}
