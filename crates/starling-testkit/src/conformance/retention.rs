//! The beginning of a history is removed.

use starling_core::{
    Action, Outcome, Refusal,
    event::MessageCreated,
    ports::{Head, Span},
};

use super::{
    Desk, Store, StoreStage,
    desk::{committed, room_id, text, user_id},
    suite::suite,
};

const ALL: usize = 1000;

/// A room whose first two events are its owner and bob.
async fn open(stage: &dyn StoreStage) -> (Store, Desk) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    desk.create("r", "alice").await;
    desk.join("r", "bob").await;
    (store, desk)
}

async fn say_many(desk: &Desk, count: usize) {
    for n in 0..count {
        desk.say("r", "alice", &n.to_string()).await;
    }
}

async fn trim(store: &Store, below: u64, limit: usize) -> u64 {
    store.retention.trim(&room_id("r"), below, limit).await.unwrap()
}

/// The seqs that are left, once the head and the log agree on the first.
async fn left(store: &Store) -> Vec<u64> {
    let room = room_id("r");
    let events = store.log.read(&room, 0, ALL).await.unwrap();
    let seqs: Vec<u64> = events.iter().map(|event| event.seq).collect();
    let Head { min_seq, cursor } = store.log.heads(&[room]).await.unwrap()[0];
    assert_eq!(seqs.first(), Some(&min_seq));
    assert_eq!(seqs.last(), Some(&cursor.seq));
    seqs
}

async fn the_beginning_goes_and_nothing_else(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    say_many(&desk, 8).await;
    desk.create("other", "alice").await;
    desk.say("other", "alice", "stays").await;
    assert_eq!(trim(&store, 6, ALL).await, 5);
    assert_eq!(left(&store).await, [6, 7, 8, 9, 10]);
    assert_eq!(trim(&store, 6, ALL).await, 0, "once is enough");
    assert_eq!(trim(&store, 3, ALL).await, 0, "nothing comes back");
    let other = store.log.read(&room_id("other"), 0, ALL).await.unwrap();
    assert_eq!(other.len(), 2);
    let page = store
        .history
        .messages(&room_id("r"), Span::Latest, None, ALL)
        .await
        .unwrap();
    assert_eq!(page.messages.len(), 5);
    assert!(!page.has_more);
    // The order goes on where it was.
    assert_eq!(desk.say("r", "bob", "next").await.seq, 11);
    let again = stage.store().await;
    assert_eq!(left(&again).await, [6, 7, 8, 9, 10, 11]);
}

async fn a_limit_takes_the_oldest(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    say_many(&desk, 8).await;
    assert_eq!(trim(&store, 8, 3).await, 3);
    assert_eq!(left(&store).await, [4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(trim(&store, 8, 3).await, 3);
    assert_eq!(trim(&store, 8, 3).await, 1);
    assert_eq!(left(&store).await, [8, 9, 10]);
}

async fn the_last_event_stays(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    say_many(&desk, 2).await;
    assert_eq!(trim(&store, u64::MAX, ALL).await, 3);
    assert_eq!(left(&store).await, [4]);
    let nowhere = store.retention.trim(&room_id("nowhere"), 9, ALL).await.unwrap();
    assert_eq!(nowhere, 0);
}

async fn what_was_said_of_a_message_goes_with_it(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    let body = MessageCreated {
        mentions: vec![user_id("bob")],
        ..text("hello bob")
    };
    let seq = desk.commit("r", "alice", Action::Send(body.clone())).await.seq;
    let react = |ref_seq| Action::React {
        ref_seq,
        emoji: "+1".into(),
    };
    desk.commit("r", "bob", react(seq)).await;
    let kept = desk.commit("r", "alice", Action::Send(body)).await.seq;
    desk.commit("r", "bob", react(kept)).await;
    let unread = async || {
        let (bob, room) = (user_id("bob"), room_id("r"));
        let counts = store.markers.unread(&bob, &[room]).await.unwrap()[0];
        (counts.unread, counts.mentions)
    };
    assert_eq!(unread().await, (2, 2));
    trim(&store, kept, ALL).await;
    assert_eq!(unread().await, (1, 1));
    let page = store
        .history
        .messages(&room_id("r"), Span::Latest, None, ALL)
        .await
        .unwrap();
    assert_eq!(page.messages.len(), 1);
    assert_eq!(page.messages[0].reactions["+1"].count, 1);
    let edit = Action::Edit {
        ref_seq: seq,
        content: "too late".into(),
    };
    assert!(matches!(
        desk.refused("r", "alice", edit).await,
        Refusal::NotFound(_)
    ));
}

async fn a_client_id_ends_with_its_event(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    let old = desk.message("r", "alice", "old", "a");
    let new = desk.message("r", "alice", "new", "b");
    committed(desk.put(&old).await);
    let kept = committed(desk.put(&new).await);
    trim(&store, kept.seq, ALL).await;
    assert!(matches!(desk.put(&new).await, Outcome::Repeated(event) if event.seq == kept.seq));
    let anew = desk.message("r", "alice", "old", "a");
    assert_eq!(committed(desk.put(&anew).await).seq, kept.seq + 1);
    // Also for whoever opens the store next.
    let again = stage.store().await;
    let desk = desk.at(again.log.clone());
    assert!(matches!(desk.put(&anew).await, Outcome::Repeated(_)));
}

suite!($ conformance_retention, retention, StoreStage, [
    the_beginning_goes_and_nothing_else,
    a_limit_takes_the_oldest,
    the_last_event_stays,
    what_was_said_of_a_message_goes_with_it,
    a_client_id_ends_with_its_event,
]);
