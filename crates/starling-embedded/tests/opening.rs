//! Opening a data folder, closing it, and what keeps others out.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by a panic")]

use starling_core::{NodeId, RoomId, ports::ServiceHealth};
use starling_embedded::{Embedded, EmbeddedConfig, OpenError, open};
use starling_testkit::conformance::Desk;
use tempfile::TempDir;

fn node(name: &str) -> NodeId {
    NodeId::parse(name).unwrap()
}

#[tokio::test]
async fn a_second_process_is_kept_out_until_the_first_has_closed() {
    let folder = TempDir::new().unwrap();
    let config = || EmbeddedConfig::new(folder.path().join("data"));
    let first = open(config(), node("a")).await.unwrap();
    let second = open(config(), node("b")).await.err().unwrap();
    assert!(matches!(second, OpenError::InUse { .. }));
    let text = second.to_string();
    assert!(
        text.contains("in use by another process") && text.contains("data"),
        "{text}"
    );
    first.health.close().await;
    open(config(), node("b")).await.unwrap().health.close().await;
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let config = || EmbeddedConfig::new(folder.path());
    open(config(), node("a")).await.unwrap().health.close().await;
    let file = rusqlite::Connection::open(folder.path().join("starling.db")).unwrap();
    file.pragma_update(None, "user_version", 99).unwrap();
    let error = open(config(), node("a")).await.err().unwrap();
    assert!(matches!(error, OpenError::Newer { found: 99, .. }));
    assert!(error.to_string().contains("use the newer version"), "{error}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_and_a_file_that_is_no_database_are_named() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("file"), "x").unwrap();
    let error = open(EmbeddedConfig::new(folder.path().join("file")), node("a"))
        .await
        .err()
        .unwrap();
    assert!(matches!(error, OpenError::Folder { .. }), "{error}");
    std::fs::write(
        folder.path().join("starling.db"),
        "this is no database, as anybody can see".repeat(99),
    )
    .unwrap();
    let error = open(EmbeddedConfig::new(folder.path()), node("a"))
        .await
        .err()
        .unwrap();
    assert!(matches!(error, OpenError::Database { .. }), "{error}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("not a database"), "{source}");
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let config = || EmbeddedConfig::new(folder.path());
    let backend = open(config(), node("a")).await.unwrap();
    let desk = Desk::new(backend.log.clone());
    desk.create("r", "alice").await;
    let said = desk.say("r", "alice", "hello").await;
    backend.health.close().await;
    let backend = open(config(), node("a")).await.unwrap();
    let room: RoomId = "r".parse().unwrap();
    let read = backend.log.read(&room, 1, 10).await.unwrap();
    assert_eq!(read, [(*said).clone()]);
    let next = desk.at(backend.log.clone()).say("r", "alice", "again").await;
    assert_eq!(next.seq, 3);
    backend.health.close().await;
}

#[tokio::test]
async fn the_store_is_closed_with_its_last_node() {
    let folder = TempDir::new().unwrap();
    let embedded = Embedded::open(EmbeddedConfig::new(folder.path())).await.unwrap();
    let (a, b) = (embedded.node(node("a")), embedded.node(node("b")));
    let well = [ServiceHealth {
        service: "sqlite",
        essential: true,
        problem: None,
    }];
    assert_eq!(a.health.check().await, well);
    a.health.close().await;
    assert_eq!(b.health.check().await, well);
    Desk::new(b.log.clone()).create("r", "alice").await;
    b.health.close().await;
    let health = b.health.check().await;
    assert!(
        health[0].problem.as_ref().unwrap().contains("closed"),
        "{health:?}"
    );
}
