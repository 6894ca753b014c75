//! What the conformance suites cannot reach: full disks, failing jobs, memory that is rebuilt.

use std::{path::Path, sync::Arc, time::Duration};

use rusqlite::Connection;
use starling_core::{
    Action, Draft, Outcome, RoomId,
    event::MessageCreated,
    ports::{EventLog, LogError, Watermark},
};
use starling_testkit::conformance::Desk;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::{
    Sqlite, open,
    recent::Recent,
    writer::{Group, Job, Writer},
};
use crate::EmbeddedConfig;

fn open_store(folder: &Path) -> Arc<Sqlite> {
    Sqlite::open(&EmbeddedConfig::new(folder)).unwrap()
}

fn connect(folder: &Path) -> Connection {
    open::connect(&folder.join(open::DATABASE), Duration::ZERO).unwrap()
}

fn say(desk: &Desk, room: &str, content: String) -> Draft {
    let message = MessageCreated {
        content,
        content_type: "text/plain".into(),
        reply_to: None,
        thread: None,
        attachments: Vec::new(),
        mentions: Vec::new(),
        metadata: None,
    };
    desk.draft(room, "alice", Action::Send(message))
}

/// A store whose file cannot grow beyond some pages, as on a disk that is full.
async fn small_store(folder: &Path) -> Sqlite {
    open_store(folder).close().await;
    let connection = connect(folder);
    connection.pragma_update(None, "max_page_count", 120).unwrap();
    let recent = Arc::new(Recent::begin(&connection).unwrap());
    let writer = Writer::new(connection, recent.clone(), None).unwrap();
    Sqlite::start(writer, vec![connect(folder)], recent).unwrap()
}

#[tokio::test]
async fn a_full_disk_refuses_appends_and_stores_nothing_of_them() {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(small_store(folder.path()).await);
    let desk = Desk::new(store.clone());
    desk.create("r", "alice").await;
    let room: RoomId = "r".parse().unwrap();
    let mut stored = 1;
    let refused = loop {
        let batch: Vec<_> = (0..20)
            .map(|n| say(&desk, "r", format!("{n} {}", "x".repeat(700))))
            .collect();
        match store.append(&batch).await {
            Ok(outcomes) => stored += outcomes.len() as u64,
            Err(error) => {
                assert!(
                    matches!(&error, LogError::NotStored(unavailable) if unavailable.service == "sqlite")
                );
                break batch;
            }
        }
    };
    assert_eq!(
        store.heads(std::slice::from_ref(&room)).await.unwrap()[0]
            .cursor
            .seq,
        stored
    );
    assert_eq!(store.read(&room, stored, 10).await.unwrap(), []);
    assert!(matches!(
        store.append(&refused).await,
        Err(LogError::NotStored(_))
    ));
    // Space is back: the same batch is stored, behind what was there.
    let removed = connect(folder.path()).execute("DELETE FROM event WHERE number < 40", []);
    assert_eq!(removed.unwrap(), 39);
    let outcomes = store.append(&refused).await.unwrap();
    for (outcome, seq) in outcomes.iter().zip(stored + 1..) {
        assert!(matches!(outcome, Outcome::Committed(event) if event.seq == seq));
    }
    store.close().await;
}

#[tokio::test]
async fn a_job_that_cannot_be_stored_takes_no_other_with_it() {
    let folder = TempDir::new().unwrap();
    let store = open_store(folder.path());
    let desk = Desk::new(store.clone());
    desk.create("good", "alice").await;
    desk.create("bad", "alice").await;
    store.close().await;
    let connection = connect(folder.path());
    // The last seq that a room may have.
    connection
        .execute("UPDATE room SET last_seq = 1099511627775 WHERE id = 'bad'", [])
        .unwrap();
    let recent = Arc::new(Recent::begin(&connection).unwrap());
    let mut writer = Writer::new(connection, recent, None).unwrap();
    let mut group = Group::default();
    let mut answers = Vec::new();
    for room in ["good", "bad", "good"] {
        let (reply, answer) = oneshot::channel();
        let drafts = vec![say(&desk, room, "hello".into())];
        group.add(Job::Append { drafts, reply });
        answers.push(answer);
    }
    writer.finish(group);
    let mut answers = answers.into_iter().map(|mut answer| answer.try_recv().unwrap());
    assert!(matches!(&answers.next().unwrap().unwrap()[..], [Outcome::Committed(event)] if event.seq == 2));
    assert!(matches!(answers.next().unwrap(), Err(LogError::NotStored(_))));
    assert!(matches!(&answers.next().unwrap().unwrap()[..], [Outcome::Committed(event)] if event.seq == 3));
}

#[tokio::test]
async fn repeated_client_ids_are_found_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let store = open_store(folder.path());
    let desk = Desk::new(store.clone());
    desk.create("r", "alice").await;
    let batch: Vec<_> = (0..500).map(|n| say(&desk, "r", n.to_string())).collect();
    let outcomes = desk.append(&batch).await;
    let sent: Vec<_> = batch.into_iter().zip(outcomes).collect();
    all_are_repeated(&store, &sent).await;
    store.close().await;
    let store = open_store(folder.path());
    all_are_repeated(&store, &sent).await;
    store.close().await;
}

async fn all_are_repeated(store: &Sqlite, sent: &[(Draft, Outcome)]) {
    let batch: Vec<_> = sent.iter().map(|(draft, _)| draft.clone()).collect();
    let again = store.append(&batch).await.unwrap();
    for (again, (_, first)) in again.iter().zip(sent) {
        assert!(matches!(again, Outcome::Repeated(event) if Some(event) == first.event()));
    }
}

#[tokio::test]
async fn a_watermark_from_before_what_is_remembered_names_every_room() {
    let folder = TempDir::new().unwrap();
    let store = open_store(folder.path());
    let desk = Desk::new(store.clone());
    desk.create("a", "alice").await;
    let before = store.changes(None).await.unwrap().next;
    desk.create("b", "alice").await;
    store.close().await;
    let store = open_store(folder.path());
    let changes = store.changes(Some(before)).await.unwrap();
    assert_eq!(changes.rooms.len(), 2);
    assert!(changes.next > before);
    assert_eq!(store.changes(Some(changes.next)).await.unwrap().rooms, []);
    assert_eq!(store.changes(Some(Watermark(0))).await.unwrap().rooms.len(), 2);
    // One that was never given.
    assert_eq!(
        store
            .changes(Some(Watermark(u64::MAX)))
            .await
            .unwrap()
            .rooms
            .len(),
        2
    );
    store.close().await;
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let folder = TempDir::new().unwrap();
    let store = open_store(folder.path());
    let desk = Desk::new(store.clone());
    desk.create("r", "alice").await;
    // What was given before the end is stored.
    let draft = say(&desk, "r", "last".into());
    let (appended, ()) = tokio::join!(desk.put(&draft), store.close());
    assert!(matches!(appended, Outcome::Committed(_)));
    let read = store.read(&"r".parse().unwrap(), 0, 10).await.unwrap_err();
    assert_eq!(read.service, "sqlite");
    assert!(matches!(
        store.append(&[draft]).await,
        Err(LogError::NotStored(_))
    ));
    // The log was written back, so that the file can be copied as it lies.
    assert!(!folder.path().join("starling.db-wal").exists());
}
