//! The directory: when users were last seen.

use starling_core::{Timestamp, UserId};

use super::{StoreStage, desk::user_id, suite::suite};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_795_176_000_000 + millis)
}

async fn the_latest_time_is_kept(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let (alice, bob) = (user_id("alice"), user_id("bob"));
    store
        .directory
        .seen(&[(alice.clone(), at(5)), (bob.clone(), at(6))])
        .await
        .unwrap();
    store
        .directory
        .seen(&[(alice.clone(), at(4)), (bob.clone(), at(7))])
        .await
        .unwrap();
    let other_node = stage.store().await;
    let seen = other_node
        .directory
        .last_seen(&[bob, user_id("nobody"), alice])
        .await
        .unwrap();
    assert_eq!(seen, [Some(at(7)), None, Some(at(5))]);
}

async fn a_user_may_be_named_twice(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let alice = user_id("alice");
    let twice = [(alice.clone(), at(9)), (alice.clone(), at(3))];
    store.directory.seen(&twice).await.unwrap();
    let seen = store.directory.last_seen(&[alice.clone(), alice]).await.unwrap();
    assert_eq!(seen, [Some(at(9)), Some(at(9))]);
}

async fn many_users_at_once(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let users: Vec<UserId> = (0..2000).map(|n| user_id(&format!("user-{n}"))).collect();
    let seen: Vec<_> = users.iter().cloned().zip((0..).map(at)).collect();
    store.directory.seen(&seen).await.unwrap();
    let times = store.directory.last_seen(&users).await.unwrap();
    assert!(times.into_iter().eq((0..2000).map(|n| Some(at(n)))));
    store.directory.seen(&[]).await.unwrap();
    assert_eq!(store.directory.last_seen(&[]).await.unwrap(), []);
}

suite!($ conformance_directory, directory, StoreStage, [
    the_latest_time_is_kept,
    a_user_may_be_named_twice,
    many_users_at_once,
]);
