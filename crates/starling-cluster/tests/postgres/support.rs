//! What the tests here share.

use std::{sync::Arc, time::Duration};

use starling_cluster::postgres::{PostgresConfig, Store, connect};
use starling_core::{
    ClientId, Draft, RoomEvent, RoomId,
    ports::{EventLog, LogError},
};
use starling_testkit::{conformance::Desk, fixtures::proxy::ChaosProxy};

/// How long a test waits for what must come. Only a failing one waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Short times: a test waits for them.
pub(crate) fn config(url: &str) -> PostgresConfig {
    PostgresConfig {
        statement_timeout: Duration::from_secs(1),
        connect_timeout: Duration::from_secs(2),
        ..PostgresConfig::new(url)
    }
}

pub(crate) async fn open(url: &str) -> Store {
    connect(config(url)).await.expect("a store")
}

pub(crate) fn desk(store: &Store) -> Desk {
    Desk::new(Arc::new(store.clone()))
}

/// The URL of the same database through a proxy.
pub(crate) fn through(proxy: &ChaosProxy, url: &str) -> String {
    let (before, after) = url.split_once('@').expect("a user");
    let (_, path) = after.split_once('/').expect("a database");
    format!("{before}@127.0.0.1:{}/{path}", proxy.port())
}

/// A connection of the test's own, with no timeouts.
pub(crate) async fn outside(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .expect("a connection");
    tokio::spawn(connection);
    client
}

/// Appends until it is known what became of the batch.
pub(crate) async fn until_known(store: &Store, batch: &[Draft]) -> Vec<starling_core::Outcome> {
    let trying = async {
        loop {
            match store.append(batch).await {
                Ok(outcomes) => return outcomes,
                Err(LogError::NotStored(_) | LogError::Unknown(_)) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, trying)
        .await
        .expect("it becomes known")
}

/// Asks until the answer is yes.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, asking).await.is_ok(),
        "never: {what}"
    );
}

pub(crate) fn room(id: &str) -> RoomId {
    RoomId::parse(id).expect("a room id")
}

/// Every event of a room. Checks that they are dense and that no client id is there twice.
pub(crate) async fn whole(store: &Store, id: &str) -> Vec<RoomEvent> {
    let mut events: Vec<RoomEvent> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| event.seq);
        let page = store.read(&room(id), after, 500).await.expect("a page");
        if page.is_empty() {
            break;
        }
        events.extend(page);
    }
    assert!(
        events.iter().map(|event| event.seq).eq(1..=events.len() as u64),
        "dense"
    );
    let mut ids: Vec<(&str, &ClientId)> = events.iter().map(|e| (e.sender.as_str(), &e.client_id)).collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "appended twice");
    events
}

/// Backends that work for a gateway, by pid, of one database.
pub(crate) async fn backends(outside: &tokio_postgres::Client, state: &str) -> Vec<i32> {
    let sql = format!(
        "SELECT pid FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name = 'starling' AND {state}"
    );
    let rows = outside.query(&sql, &[]).await.expect("the server's own view");
    rows.iter().map(|row| row.get(0)).collect()
}
