//! A database that was restored into another cluster: its batch log has transaction ids that mean nothing there.

use starling_core::{Outcome, ports::EventLog};
use starling_testkit::fixtures::postgres::PostgresFixture;

use super::support::{desk, open, outside};

#[tokio::test]
async fn a_batch_log_from_another_cluster_is_forgotten_at_the_start() {
    let server = PostgresFixture::shared();
    let url = server.database();
    let store = open(&url).await;
    for id in ["a", "b"] {
        desk(&store).create(id, "alice").await;
    }
    store.close().await;
    // As `pg_restore` leaves it: rows of ids that this cluster has still to give out.
    let restored = "INSERT INTO batch_log (xid, room_ids, seqs) \
                    SELECT pg_current_xact_id()::text::int8 + n, '{a}', '{1}' FROM generate_series(1, 5000) n; \
                    UPDATE batch_log_horizon SET xid = pg_current_xact_id()::text::int8 + 4000";
    let outside = outside(&url).await;
    outside.batch_execute(restored).await.unwrap();

    let store = open(&url).await;
    let desk = desk(&store);
    let before = store.changes(None).await.unwrap();
    for n in 0..20 {
        let batch = [desk.message("b", "alice", &format!("c{n}"), "hello")];
        let outcomes = store.append(&batch).await.unwrap();
        assert!(matches!(outcomes[..], [Outcome::Committed(_)]), "{outcomes:?}");
    }
    // A sweep is exact again: it names what was appended, and no other room.
    let changes = store.changes(Some(before.next)).await.unwrap();
    let rooms: Vec<_> = changes
        .rooms
        .iter()
        .map(|(room, seq)| (room.as_str(), *seq))
        .collect();
    assert_eq!(rooms, [("b", 21)]);
    // Another gateway that starts meanwhile takes nothing of it away.
    open(&url).await;
    assert_eq!(
        store.changes(Some(before.next)).await.unwrap().rooms,
        changes.rooms
    );
}
