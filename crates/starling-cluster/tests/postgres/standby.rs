//! A synchronous standby that does not answer.

use starling_core::{
    Outcome,
    ports::{EventLog, LogError},
};
use starling_testkit::fixtures::postgres::PostgresFixture;

use super::support::{backends, desk, open, outside, until, until_known, whole};

#[tokio::test]
async fn a_commit_that_no_standby_has_confirmed_is_unknown() {
    let server = PostgresFixture::start();
    let url = server.database();
    let store = open(&url).await;
    let desk = desk(&store);
    desk.create("r", "alice").await;
    let outside = outside(&url).await;
    let standby = async |name: &str| {
        server.sql(&format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'"));
        server.sql("SELECT pg_reload_conf()");
        until("the setting is in force", async || {
            let row = outside
                .query_one("SHOW synchronous_standby_names", &[])
                .await
                .unwrap();
            row.get::<_, String>(0) == name
        })
        .await;
    };
    standby("nobody").await;
    let waiting = "wait_event = 'SyncRep'";
    let mut sent = 0;
    let (batch, appending) = loop {
        sent += 1;
        let batch = [desk.message("r", "alice", &format!("c{sent}"), "hello")];
        let appending = tokio::spawn({
            let (store, batch) = (store.clone(), batch.clone());
            async move { store.append(&batch).await }
        });
        until("it waits for the standby, or is done", async || {
            appending.is_finished() || !backends(&outside, waiting).await.is_empty()
        })
        .await;
        if !appending.is_finished() {
            break (batch, appending);
        }
        // Another process of the server makes commits wait, and may come to it later than to the answer above.
        appending.await.unwrap().expect("it is stored");
    };
    // An operator loses patience. The server says that it has committed, and warns.
    for pid in backends(&outside, waiting).await {
        outside
            .execute("SELECT pg_cancel_backend($1)", &[&pid])
            .await
            .unwrap();
    }
    let outcome = appending.await.unwrap();
    assert!(matches!(outcome, Err(LogError::Unknown(_))), "{outcome:?}");
    // Nor is a repeat believed before the standby has it: the batch log makes it wait as well.
    let outcome = store.append(&batch).await;
    assert!(matches!(outcome, Err(LogError::Unknown(_))), "{outcome:?}");
    standby("").await;
    assert!(matches!(
        until_known(&store, &batch).await[..],
        [Outcome::Repeated(_)]
    ));
    assert_eq!(whole(&store, "r").await.len(), 1 + sent);
}
