//! Read markers and exact unread counts.

use starling_core::{
    Action, RoomId,
    event::MessageCreated,
    ports::{Marker, Unread},
};

use super::{
    Desk, Store, StoreStage,
    desk::{room_id, text, user_id},
    suite::suite,
};

async fn open(stage: &dyn StoreStage) -> (Store, Desk) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    desk.create("r", "alice").await;
    desk.join("r", "bob").await;
    (store, desk)
}

async fn mark(store: &Store, user: &str, seq: u64) -> Marker {
    let marker = store
        .markers
        .mark_read(&room_id("r"), &user_id(user), seq)
        .await
        .unwrap();
    marker.expect("a row")
}

/// Unread messages and mentions.
async fn counts(store: &Store, user: &str) -> (u64, u64) {
    let counts = store
        .markers
        .unread(&user_id(user), &[room_id("r")])
        .await
        .unwrap();
    (counts[0].unread, counts[0].mentions)
}

async fn mention(desk: &Desk, sender: &str, users: &[&str]) -> u64 {
    let body = MessageCreated {
        mentions: users.iter().map(|user| user_id(user)).collect(),
        ..text("look here")
    };
    desk.commit("r", sender, Action::Send(body)).await.seq
}

async fn messages_by_others_since_joining_are_unread(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    desk.say("r", "alice", "one").await;
    desk.say("r", "bob", "two").await;
    assert_eq!(counts(&store, "alice").await, (1, 0));
    assert_eq!(counts(&store, "bob").await, (1, 0));
    // Who comes later has not missed what was before.
    desk.join("r", "carol").await;
    assert_eq!(counts(&store, "carol").await, (0, 0));
    desk.say("r", "alice", "three").await;
    assert_eq!(counts(&store, "carol").await, (1, 0));
    assert_eq!(counts(&store, "bob").await, (2, 0));
    // Other events are no messages.
    let (ref_seq, emoji) = (4, String::from("👍"));
    desk.commit("r", "bob", Action::React { ref_seq, emoji }).await;
    desk.join("r", "dave").await;
    assert_eq!(counts(&store, "alice").await, (1, 0));
}

async fn markers_move_forward_only(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    let sent: Vec<u64> = [
        desk.say("r", "alice", "one").await.seq,
        mention(&desk, "alice", &["bob"]).await,
        desk.say("r", "alice", "three").await.seq,
    ]
    .into();
    let left = |seq, unread, mentions| Unread {
        unread,
        mentions,
        read_seq: seq,
    };
    let expect = |seq, moved, unread, mentions| Marker {
        seq,
        moved,
        unread: left(seq, unread, mentions),
    };
    assert_eq!(mark(&store, "bob", sent[0]).await, expect(sent[0], true, 2, 1));
    assert_eq!(mark(&store, "bob", sent[0]).await, expect(sent[0], false, 2, 1));
    let other_node = stage.store().await;
    assert_eq!(
        mark(&other_node, "bob", sent[1]).await,
        expect(sent[1], true, 1, 0)
    );
    assert_eq!(mark(&store, "bob", sent[0]).await, expect(sent[1], false, 1, 0));
    assert_eq!(mark(&store, "bob", 0).await, expect(sent[1], false, 1, 0));
    // Past the head is the head.
    assert_eq!(
        mark(&store, "bob", u64::MAX >> 11).await,
        expect(sent[2], true, 0, 0)
    );
    desk.say("r", "alice", "four").await;
    assert_eq!(counts(&store, "bob").await, (1, 0));
    let stored = store
        .markers
        .unread(&user_id("bob"), &[room_id("r")])
        .await
        .unwrap();
    assert_eq!(stored, [left(sent[2], 1, 0)]);
}

async fn without_a_row_there_is_no_marker(stage: &dyn StoreStage) {
    let (store, _) = open(stage).await;
    for (room, user) in [("r", "stranger"), ("none", "alice")] {
        let marker = store
            .markers
            .mark_read(&room_id(room), &user_id(user), 1)
            .await
            .unwrap();
        assert_eq!(marker, None);
    }
}

async fn mentions_count_who_is_mentioned_by_others(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    let seq = mention(&desk, "alice", &["bob", "alice", "stranger", "bob"]).await;
    assert_eq!(counts(&store, "bob").await, (1, 1));
    assert_eq!(counts(&store, "alice").await, (0, 0));
    mention(&desk, "bob", &["alice"]).await;
    mention(&desk, "bob", &["bob"]).await;
    assert_eq!(counts(&store, "alice").await, (2, 1));
    assert_eq!(counts(&store, "bob").await, (1, 1));
    let edit = Action::Edit {
        ref_seq: seq,
        content: "edited".into(),
    };
    desk.commit("r", "alice", edit).await;
    assert_eq!(counts(&store, "bob").await, (1, 1));
}

async fn deleted_messages_are_not_unread(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    let first = mention(&desk, "alice", &["bob"]).await;
    let second = mention(&desk, "alice", &["bob"]).await;
    desk.say("r", "alice", "three").await;
    desk.commit("r", "alice", Action::Delete { ref_seq: second })
        .await;
    assert_eq!(counts(&store, "bob").await, (2, 1));
    let left = mark(&store, "bob", first).await.unread;
    assert_eq!((left.unread, left.mentions), (1, 0));
    // One that was read already takes nothing off.
    desk.commit("r", "alice", Action::Delete { ref_seq: first }).await;
    assert_eq!(counts(&store, "bob").await, (1, 0));
}

async fn counts_come_in_the_order_asked(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    for room in ["s", "t"] {
        desk.create(room, "alice").await;
        desk.join(room, "bob").await;
    }
    desk.say("r", "alice", "one").await;
    desk.say("t", "alice", "one").await;
    desk.say("t", "alice", "two").await;
    desk.create("not-mine", "alice").await;
    desk.say("not-mine", "alice", "one").await;
    let rooms: Vec<RoomId> = ["t", "none", "r", "not-mine", "s", "t"].map(room_id).into();
    let unread = store.markers.unread(&user_id("bob"), &rooms).await.unwrap();
    let counts: Vec<u64> = unread.iter().map(|room| room.unread).collect();
    assert_eq!(counts, [2, 0, 1, 0, 0, 2]);
    assert_eq!(store.markers.unread(&user_id("bob"), &[]).await.unwrap(), []);
}

async fn who_comes_back_starts_anew_and_keeps_the_marker(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    let read = desk.say("r", "alice", "one").await.seq;
    mark(&store, "bob", read).await;
    desk.say("r", "alice", "two").await;
    desk.commit("r", "bob", Action::Leave).await;
    // Not a member: nothing is unread.
    assert_eq!(counts(&store, "bob").await, (0, 0));
    desk.say("r", "alice", "three").await;
    desk.join("r", "bob").await;
    assert_eq!(counts(&store, "bob").await, (0, 0));
    desk.say("r", "alice", "four").await;
    assert_eq!(counts(&store, "bob").await, (1, 0));
    let marker = mark(&store, "bob", 1).await;
    assert!(marker.seq >= read && !marker.moved, "{marker:?}");
}

async fn direct_messages_are_unread_from_the_first(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    let direct = "@dm:alice,bob";
    desk.say(direct, "alice", "hello").await;
    for (user, unread) in [("alice", 0), ("bob", 1), ("eve", 0)] {
        let counts = store
            .markers
            .unread(&user_id(user), &[room_id(direct)])
            .await
            .unwrap();
        assert_eq!(counts[0].unread, unread, "{user}");
    }
    let marker = store
        .markers
        .mark_read(&room_id(direct), &user_id("bob"), 1)
        .await
        .unwrap();
    assert_eq!(marker.map(|marker| marker.unread.unread), Some(0));
}

async fn counts_are_exact_over_a_long_history(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    let (mut unread, mut mentions) = (0, 0);
    for round in 0..6 {
        let mut batch = Vec::new();
        for n in 0..100 {
            let sender = if n % 3 == 0 { "bob" } else { "alice" };
            let mentioned = if n % 5 == 0 {
                vec![user_id("bob")]
            } else {
                Vec::new()
            };
            if sender == "alice" {
                unread += 1;
                mentions += u64::from(n % 5 == 0);
            }
            let body = MessageCreated {
                mentions: mentioned,
                ..text(&format!("{round} {n}"))
            };
            batch.push(desk.draft("r", sender, Action::Send(body)));
        }
        desk.append(&batch).await;
        assert_eq!(counts(&store, "bob").await, (unread, mentions));
    }
    // 2 events before the first message; of the first 300 messages, alice wrote 198, 40 of them with a mention.
    let marker = mark(&store, "bob", 302).await;
    assert_eq!(
        (marker.unread.unread, marker.unread.mentions),
        (unread / 2, mentions / 2)
    );
}

suite!($ conformance_markers, markers, StoreStage, [
    messages_by_others_since_joining_are_unread,
    markers_move_forward_only,
    without_a_row_there_is_no_marker,
    mentions_count_who_is_mentioned_by_others,
    deleted_messages_are_not_unread,
    counts_come_in_the_order_asked,
    who_comes_back_starts_anew_and_keeps_the_marker,
    direct_messages_are_unread_from_the_first,
    counts_are_exact_over_a_long_history,
]);
