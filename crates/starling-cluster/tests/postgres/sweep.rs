//! The sweep over the batch log.

use std::collections::{BTreeMap, BTreeSet};

use starling_cluster::postgres::Store;
use starling_core::ports::{EventLog, Watermark};
use starling_testkit::fixtures::postgres::PostgresFixture;
use tokio_postgres::Client;

use super::support::{desk, open, outside, room, until, until_known};

/// A small generator (splitmix64): the same numbers for a seed, for ever.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % n as u64).unwrap()
    }
}

async fn sweep(store: &Store, since: &mut Watermark, seen: &mut BTreeSet<String>) {
    let changes = store.changes(Some(*since)).await.unwrap();
    assert!(changes.next >= *since);
    *since = changes.next;
    seen.extend(changes.rooms.into_iter().map(|(room, _)| room.to_string()));
}

#[tokio::test]
async fn transactions_that_commit_out_of_order_are_all_seen() {
    let server = PostgresFixture::shared();
    for seed in 0..4 {
        commit_out_of_order(&server.database(), seed).await;
    }
}

/// Transactions take their ids in one order and end in another, some of them by a rollback; sweeps come in between.
async fn commit_out_of_order(url: &str, seed: u64) {
    const CLIENTS: usize = 8;
    let store = open(url).await;
    let mut random = Seeded(seed);
    let mut clients: Vec<(Client, Option<String>)> = Vec::new();
    for _ in 0..CLIENTS {
        clients.push((outside(url).await, None));
    }
    let mut since = store.changes(None).await.unwrap().next;
    let (mut committed, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for step in 0..300 {
        let (client, open) = &mut clients[random.below(CLIENTS)];
        match open.take() {
            None => {
                let room = format!("room-{step}");
                client.batch_execute("BEGIN").await.unwrap();
                // The id is taken early or late.
                if random.below(2) == 0 {
                    client.batch_execute("SELECT pg_current_xact_id()").await.unwrap();
                }
                *open = Some(room);
            }
            Some(room) => {
                let sql = "INSERT INTO batch_log (room_ids, seqs) VALUES ($1, '{1}')";
                client.execute(sql, &[&vec![room.as_str()]]).await.unwrap();
                if random.below(8) == 0 {
                    client.batch_execute("ROLLBACK").await.unwrap();
                } else {
                    client.batch_execute("COMMIT").await.unwrap();
                    committed.insert(room);
                }
            }
        }
        if random.below(3) == 0 {
            sweep(&store, &mut since, &mut seen).await;
        }
    }
    for (client, _) in &clients {
        client.batch_execute("ROLLBACK").await.unwrap();
    }
    sweep(&store, &mut since, &mut seen).await;
    assert_eq!(seen, committed, "seed {seed}");
    // With nothing under way the watermark comes to the present: nothing is told twice.
    sweep(&store, &mut since, &mut seen).await;
    assert_eq!(store.changes(Some(since)).await.unwrap().rooms, []);
    store.close().await;
}

#[tokio::test]
async fn a_sweep_from_before_the_horizon_names_every_room() {
    let server = PostgresFixture::shared();
    let url = server.database();
    let store = open(&url).await;
    let desk = desk(&store);
    let long_ago = store.changes(None).await.unwrap().next;
    for id in ["a", "b"] {
        desk.create(id, "alice").await;
    }
    let outside = outside(&url).await;
    let count = async || -> i64 {
        outside
            .query_one("SELECT count(*) FROM batch_log", &[])
            .await
            .unwrap()
            .get(0)
    };
    assert_eq!(count().await, 2);
    outside
        .batch_execute("UPDATE batch_log SET at = now() - interval '1 day'")
        .await
        .unwrap();
    desk.say("a", "alice", "recent").await;
    let recent = store.changes(None).await.unwrap().next;
    // Every gateway prunes when it starts, and every half minute: this one too.
    let other_node = open(&url).await;
    until("the old rows are gone", async || count().await == 1).await;
    let reached = BTreeMap::from([(room("a"), 2), (room("b"), 1)]);
    let all = other_node.changes(Some(long_ago)).await.unwrap();
    assert_eq!(all.rooms.into_iter().collect::<BTreeMap<_, _>>(), reached);
    // From behind the horizon it goes on as ever.
    assert_eq!(store.changes(Some(recent)).await.unwrap().rooms, []);
    desk.say("b", "alice", "now").await;
    assert_eq!(store.changes(Some(recent)).await.unwrap().rooms, [(room("b"), 2)]);
}

#[tokio::test]
async fn a_long_transaction_of_somebody_else_does_not_have_everything_told_again() {
    let server = PostgresFixture::shared();
    let url = server.database();
    let store = open(&url).await;
    let desk = desk(&store);
    desk.create("a", "alice").await;
    desk.create("b", "alice").await;
    let other = outside(&url).await;
    other
        .batch_execute("BEGIN; SELECT pg_current_xact_id()")
        .await
        .unwrap();
    let mut since = store.changes(None).await.unwrap().next;
    for n in 2..6 {
        desk.say("a", "alice", "hello").await;
        let changes = store.changes(Some(since)).await.unwrap();
        assert_eq!(changes.rooms, [(room("a"), n)]);
        since = changes.next;
        assert_eq!(store.changes(Some(since)).await.unwrap().rooms, []);
    }
    // What it did itself is told when it has ended.
    let sql = "INSERT INTO batch_log (room_ids, seqs) VALUES ('{b}', '{1}'); COMMIT";
    other.batch_execute(sql).await.unwrap();
    assert_eq!(store.changes(Some(since)).await.unwrap().rooms, [(room("b"), 1)]);
}

#[tokio::test]
async fn after_a_failover_that_lost_transactions_no_room_is_left_out() {
    let server = PostgresFixture::start();
    let url = server.database();
    let store = open(&url).await;
    let desk = desk(&store);
    for id in ["a", "b", "c"] {
        desk.create(id, "alice").await;
    }
    server.sql("ALTER SYSTEM SET restore_command = 'false'");
    // The standby as it was when its primary was lost: some transactions behind.
    server.stop();
    let (data, standby) = (server.folder().join("data"), server.folder().join("standby"));
    copy(&data, &standby);
    server.start_again();
    for n in 0..20 {
        until_known(
            &store,
            &[desk.message("a", "alice", &format!("lost {n}"), "lost")],
        )
        .await;
    }
    let since = store.changes(None).await.unwrap().next;
    server.stop();
    std::fs::rename(&data, server.folder().join("lost")).unwrap();
    std::fs::rename(&standby, &data).unwrap();
    std::fs::write(data.join("recovery.signal"), "").unwrap();
    server.start_again();
    // The ids of the lost transactions are given out again, and more of them.
    for n in 0..40 {
        until_known(&store, &[desk.message("b", "alice", &format!("new {n}"), "new")]).await;
    }
    let changes = store.changes(Some(since)).await.unwrap();
    let reached: BTreeMap<_, _> = changes.rooms.into_iter().collect();
    assert_eq!(
        reached,
        BTreeMap::from([(room("a"), 1), (room("b"), 41), (room("c"), 1)])
    );
    desk.say("c", "alice", "goes on").await;
    assert_eq!(
        store.changes(Some(changes.next)).await.unwrap().rooms,
        [(room("c"), 2)]
    );
}

/// A folder with its owners and modes.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    let status = std::process::Command::new("cp")
        .arg("-a")
        .args([from, to])
        .status()
        .unwrap();
    assert!(status.success());
}
