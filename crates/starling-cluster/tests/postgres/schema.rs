//! Starting: migrations, servers that are not fit, values that Postgres cannot store.

use std::time::{Duration, Instant};

use starling_cluster::postgres::{ConnectError, PostgresConfig, connect};
use starling_core::{
    Action, RoomKind, RoomSettings,
    draft::RoomSpec,
    ports::{EventLog, Markers, Rooms},
};
use starling_testkit::fixtures::postgres::PostgresFixture;

use super::support::{config, desk, open, outside, room, whole};

#[tokio::test]
async fn gateways_that_start_together_migrate_once() {
    let server = PostgresFixture::shared();
    let url = server.database();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let url = url.clone();
        tasks.spawn(async move {
            connect(PostgresConfig::new(url))
                .await
                .map(drop)
                .map_err(|e| format!("{e:?}"))
        });
    }
    for connected in tasks.join_all().await {
        connected.unwrap();
    }
    let outside = outside(&url).await;
    let sql = "SELECT version FROM refinery_schema_history ORDER BY version";
    let versions: Vec<i32> = outside
        .query(sql, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(versions, [1, 2]);
    // A newer version's migration does not keep an older gateway from starting during a deploy.
    let sql = "INSERT INTO refinery_schema_history SELECT 99, 'newer', applied_on, checksum \
               FROM refinery_schema_history LIMIT 1";
    outside.batch_execute(sql).await.unwrap();
    open(&url).await;
    // But one whose files were edited does not start on another schema than it thinks.
    outside
        .batch_execute("UPDATE refinery_schema_history SET checksum = '1' WHERE version = 1")
        .await
        .unwrap();
    let error = connect(config(&url)).await.map(drop).unwrap_err();
    assert!(matches!(error, ConnectError::Migration(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_refused() {
    let server = PostgresFixture::shared();
    server.sql("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    let latin = server.url().replace("/postgres?", "/latin?");
    let error = connect(config(&latin)).await.map(drop).unwrap_err();
    assert!(
        matches!(&error, ConnectError::Unsuitable(why) if why.contains("LATIN1")),
        "{error:?}"
    );
    let missing = server.url().replace("/postgres?", "/missing?");
    let error = connect(config(&missing)).await.map(drop).unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable(_)), "{error:?}");
    // A port where nobody answers, and one that accepts and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    for port in [1, silent.local_addr().unwrap().port()] {
        let begin = Instant::now();
        let url = format!("postgres://postgres:secret@127.0.0.1:{port}/x");
        let error = connect(config(&url)).await.map(drop).unwrap_err();
        assert!(matches!(error, ConnectError::Unreachable(_)), "{error:?}");
        assert!(!format!("{error:?}").contains("secret"));
        assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
    }
}

#[tokio::test]
async fn nothing_that_a_client_sends_poisons_a_batch() {
    let server = PostgresFixture::shared();
    let store = open(&server.database()).await;
    let desk = desk(&store);
    let nul = "a\0b";
    let spec = RoomSpec {
        name: nul.into(),
        kind: RoomKind::Public,
        description: nul.into(),
        max_members: u32::MAX,
        settings: RoomSettings {
            slow_mode_seconds: 0,
            extra: [(nul.to_owned(), nul.into())].into(),
        },
    };
    let mut batch = vec![
        desk.draft(
            "r",
            "alice",
            Action::CreateRoom {
                spec,
                max_rooms: u32::MAX,
            },
        ),
        desk.message("r", "alice", "c1", nul),
        desk.draft(
            "r",
            "alice",
            Action::Edit {
                ref_seq: u64::MAX,
                content: nul.into(),
            },
        ),
    ];
    // Not the same to us, but the same to Postgres.
    for emoji in [nul, "a\u{FFFD}b"] {
        batch.push(desk.draft(
            "r",
            "alice",
            Action::React {
                ref_seq: 2,
                emoji: emoji.into(),
            },
        ));
    }
    for draft in &mut batch {
        draft.sender_name = Some(nul.into());
    }
    let outcomes = desk.append(&batch).await;
    assert_eq!(
        outcomes.iter().filter(|o| o.event().is_some()).count(),
        4,
        "{outcomes:?}"
    );
    desk.append(&[desk.draft("r", "alice", Action::Delete { ref_seq: 2 })])
        .await;
    assert_eq!(whole(&store, "r").await.len(), 5);
    assert_eq!(store.room(&room("r")).await.unwrap().unwrap().name, "a\u{FFFD}b");
    store
        .mark_read(
            &room("r"),
            &starling_core::UserId::parse("alice").unwrap(),
            u64::MAX,
        )
        .await
        .unwrap();
    assert_eq!(store.read(&room("r"), u64::MAX, usize::MAX).await.unwrap(), []);
}

#[tokio::test]
async fn a_closed_store_has_stored_everything_and_refuses_more() {
    let server = PostgresFixture::shared();
    let url = server.database();
    let store = open(&url).await;
    let desk = desk(&store);
    desk.create("r", "alice").await;
    let appending = {
        let (store, batch) = (store.clone(), [desk.message("r", "alice", "c1", "hello")]);
        tokio::spawn(async move { store.append(&batch).await })
    };
    super::support::until("it is under way", async || {
        appending.is_finished() || store.metrics().writers_in_use == 1
    })
    .await;
    store.close().await;
    appending.await.unwrap().expect("it was stored");
    assert!(
        store
            .append(&[desk.message("r", "alice", "c2", "late")])
            .await
            .is_err()
    );
    assert!(store.room(&room("r")).await.is_err());
    assert!(store.health().await.is_err());
    let outside = outside(&url).await;
    super::support::until("its connections are closed", async || {
        super::support::backends(&outside, "true").await.is_empty()
    })
    .await;
    assert_eq!(whole(&open(&url).await, "r").await.len(), 2);
}
