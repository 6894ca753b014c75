//! The present state of messages, and its pages.

use std::collections::BTreeMap;

use starling_core::{
    Action, ClientId, Message, RoomEvent,
    event::{EventBody, MessageCreated},
    ports::{HistoryPage, Span},
    room::ReactionCount,
};

use super::{
    Desk, Store, StoreStage,
    desk::{room_id, text, user_id},
    events::rich_message,
    suite::suite,
};

async fn open(stage: &dyn StoreStage) -> (Store, Desk) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    desk.create("r", "owner").await;
    desk.join("r", "alice").await;
    desk.join("r", "bob").await;
    (store, desk)
}

async fn page(store: &Store, span: Span, thread: Option<u64>, limit: usize) -> HistoryPage {
    store
        .history
        .messages(&room_id("r"), span, thread, limit)
        .await
        .unwrap()
}

/// The message of this seq.
async fn message(store: &Store, seq: u64) -> Message {
    let found = page(store, Span::After(seq - 1), None, 1)
        .await
        .messages
        .remove(0);
    assert_eq!(found.seq, seq);
    found
}

fn seqs(page: &HistoryPage) -> Vec<u64> {
    page.messages.iter().map(|message| message.seq).collect()
}

/// A message as it is when nothing has happened to it since.
fn fresh(event: &RoomEvent) -> Message {
    let EventBody::MessageCreated(body) = event.body.clone() else {
        panic!("not a message: {event:?}");
    };
    Message {
        room_id: event.room.clone(),
        seq: event.seq,
        message_id: event.id,
        sender_id: event.sender.clone(),
        sender_name: event.sender_name.clone(),
        client_id: Some(event.client_id.clone()).filter(ClientId::is_from_client),
        content: body.content,
        content_type: body.content_type,
        reply_to: body.reply_to,
        thread: body.thread,
        reply_count: 0,
        attachments: body.attachments,
        mentions: body.mentions,
        metadata: body.metadata,
        reactions: BTreeMap::new(),
        created_at: event.at,
        edited_at: None,
        deleted_at: None,
    }
}

async fn every_field_of_a_message_is_kept(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    let root = desk.say("r", "alice", "root").await;
    let body = MessageCreated {
        reply_to: Some(root.seq),
        thread: Some(root.seq),
        ..rich_message()
    };
    let rich = desk.commit("r", "bob", Action::Send(body)).await;
    let mut named = desk.message("r", "alice", "client-1", "named");
    named.sender_name = None;
    let named = super::desk::committed(desk.put(&named).await);
    let mut first = fresh(&root);
    first.reply_count = 1;
    let found = page(&store, Span::Latest, None, 10).await;
    assert_eq!(found.messages, [first, fresh(&rich), fresh(&named)]);
    assert_eq!(
        found.messages[2].client_id,
        Some(ClientId::parse("client-1").unwrap())
    );
    assert!(!found.has_more);
}

async fn an_edit_replaces_the_content_and_nothing_else(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    let sent = desk.commit("r", "alice", Action::Send(rich_message())).await;
    let mut expected = fresh(&sent);
    // Longer than a page of any database.
    let long = "ü".repeat(50_000);
    for content in ["first edit", &long, "third edit"] {
        let action = Action::Edit {
            ref_seq: sent.seq,
            content: content.into(),
        };
        let edited = desk.commit("r", "alice", action).await;
        expected.content = content.into();
        expected.edited_at = Some(edited.at);
        assert_eq!(message(&store, sent.seq).await, expected);
    }
}

async fn a_deleted_message_keeps_its_place_only(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    let before = desk.say("r", "alice", "before").await;
    let sent = desk.commit("r", "alice", Action::Send(rich_message())).await;
    let edit = Action::Edit {
        ref_seq: sent.seq,
        content: "edited".into(),
    };
    desk.commit("r", "alice", edit).await;
    let react = Action::React {
        ref_seq: sent.seq,
        emoji: "👍".into(),
    };
    desk.commit("r", "bob", react).await;
    let deleted = desk
        .commit("r", "alice", Action::Delete { ref_seq: sent.seq })
        .await;
    let after = desk.say("r", "alice", "after").await;
    let found = page(&store, Span::Latest, None, 10).await;
    assert_eq!(seqs(&found), [before.seq, sent.seq, after.seq]);
    let gone = &found.messages[1];
    assert_eq!(gone.deleted_at, Some(deleted.at));
    assert_eq!(
        (gone.message_id, &gone.sender_id, gone.created_at),
        (sent.id, &sent.sender, sent.at)
    );
    assert_eq!(gone.content, "");
    assert!(gone.attachments.is_empty() && gone.mentions.is_empty() && gone.metadata.is_none());
    assert!(gone.reactions.is_empty());
}

async fn what_was_deleted_is_gone_from_the_log_too(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    let secret = MessageCreated {
        content: "secret".into(),
        ..rich_message()
    };
    let sent = desk.commit("r", "alice", Action::Send(secret)).await;
    let edit = Action::Edit {
        ref_seq: sent.seq,
        content: "another secret".into(),
    };
    desk.commit("r", "alice", edit).await;
    let other = desk.say("r", "alice", "no secret").await;
    desk.commit("r", "alice", Action::Delete { ref_seq: sent.seq })
        .await;
    let read = super::log::read_all(&*store.log, "r").await;
    // Every event keeps its place, its id and its kind.
    assert!(read.iter().map(|event| event.seq).eq(1..=7));
    assert_eq!((read[3].id, read[5].clone()), (sent.id, (*other).clone()));
    let (EventBody::MessageCreated(created), EventBody::MessageUpdated(edited)) =
        (&read[3].body, &read[4].body)
    else {
        panic!("other kinds: {read:?}");
    };
    let tombstone = MessageCreated {
        content_type: created.content_type.clone(),
        ..text("")
    };
    assert_eq!(*created, tombstone);
    assert_eq!((edited.ref_seq, edited.content.as_str()), (sent.seq, ""));
}

async fn reactions_are_counted_in_their_order(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    let seq = desk.say("r", "owner", "hello").await.seq;
    let react = async |user: &str, emoji: &str, add: bool| {
        let (ref_seq, emoji) = (seq, emoji.to_owned());
        let action = if add {
            Action::React { ref_seq, emoji }
        } else {
            Action::Unreact { ref_seq, emoji }
        };
        desk.commit("r", user, action).await
    };
    for (user, emoji) in [("bob", "👍"), ("alice", "👍"), ("alice", "🎉"), ("owner", "👍")] {
        react(user, emoji, true).await;
    }
    let count = |users: &[&str]| ReactionCount {
        count: u32::try_from(users.len()).unwrap(),
        users: users.iter().map(|user| user_id(user)).collect(),
    };
    let expected = BTreeMap::from([
        ("👍".to_owned(), count(&["bob", "alice", "owner"])),
        ("🎉".to_owned(), count(&["alice"])),
    ]);
    assert_eq!(message(&store, seq).await.reactions, expected);
    react("bob", "👍", false).await;
    react("alice", "🎉", false).await;
    react("bob", "👍", true).await;
    let expected = BTreeMap::from([("👍".to_owned(), count(&["alice", "owner", "bob"]))]);
    assert_eq!(message(&store, seq).await.reactions, expected);
}

async fn at_most_fifty_users_of_a_reaction_are_named(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    let seq = desk.say("r", "owner", "hello").await.seq;
    let users: Vec<String> = (0..60).map(|n| format!("user-{:02}", (n * 7) % 60)).collect();
    let mut batch = Vec::new();
    for user in &users {
        batch.push(desk.draft("r", user, super::desk::join()));
        let (ref_seq, emoji) = (seq, String::from("👍"));
        batch.push(desk.draft("r", user, Action::React { ref_seq, emoji }));
    }
    desk.append(&batch).await;
    let reactions = message(&store, seq).await.reactions;
    let named: Vec<&str> = reactions["👍"].users.iter().map(|user| user.as_str()).collect();
    assert_eq!(reactions["👍"].count, 60);
    assert_eq!(named, users[..50]);
}

async fn a_thread_is_its_first_message_and_its_replies(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    let reply = async |thread: u64, content: &str| {
        let body = MessageCreated {
            thread: Some(thread),
            ..text(content)
        };
        desk.commit("r", "alice", Action::Send(body)).await.seq
    };
    let one = desk.say("r", "alice", "one").await.seq;
    let two = desk.say("r", "alice", "two").await.seq;
    let mut thread = vec![one];
    for n in 0..5 {
        thread.push(reply(one, &n.to_string()).await);
        reply(two, &n.to_string()).await;
        desk.say("r", "bob", "outside").await;
    }
    assert_eq!(message(&store, one).await.reply_count, 5);
    let of = async |span, limit| {
        let found = page(&store, span, Some(one), limit).await;
        (seqs(&found), found.has_more)
    };
    assert_eq!(of(Span::Latest, 10).await, (thread.clone(), false));
    assert_eq!(of(Span::Latest, 6).await, (thread.clone(), false));
    assert_eq!(of(Span::Latest, 4).await, (thread[2..].to_vec(), true));
    assert_eq!(
        of(Span::Before(thread[2]), 9).await,
        (thread[..2].to_vec(), false)
    );
    assert_eq!(of(Span::After(thread[2]), 2).await, (thread[3..5].to_vec(), true));
    assert_eq!(of(Span::After(0), 1).await, (vec![one], true));
    assert_eq!(
        of(Span::Around(thread[3]), 4).await,
        (thread[1..5].to_vec(), true)
    );
    // The room's own history has all of them.
    assert_eq!(page(&store, Span::Latest, None, 50).await.messages.len(), 17);
    // A deleted reply is not counted any more.
    desk.commit("r", "alice", Action::Delete { ref_seq: thread[1] })
        .await;
    assert_eq!(message(&store, one).await.reply_count, 4);
    assert_eq!(of(Span::Latest, 10).await, (thread.clone(), false));
}

async fn pages_say_exactly_whether_there_is_more(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    // Messages at 4, 6, 8 … 22, with other events between them.
    let mut sent = Vec::new();
    for n in 0..10 {
        sent.push(desk.say("r", "alice", &n.to_string()).await.seq);
        let (ref_seq, emoji) = (sent[0], format!("e{n}"));
        desk.commit("r", "bob", Action::React { ref_seq, emoji }).await;
    }
    let of = async |span, limit| {
        let found = page(&store, span, None, limit).await;
        (seqs(&found), found.has_more)
    };
    for limit in 1..=11 {
        let count = limit.min(10);
        assert_eq!(
            of(Span::Latest, limit).await,
            (sent[10 - count..].to_vec(), limit < 10)
        );
        assert_eq!(
            of(Span::After(0), limit).await,
            (sent[..count].to_vec(), limit < 10)
        );
        let count = limit.min(5);
        // Between two messages, and on one.
        for seq in [sent[5], sent[5] - 1] {
            assert_eq!(
                of(Span::Before(seq), limit).await,
                (sent[5 - count..5].to_vec(), limit < 5)
            );
        }
        for seq in [sent[4], sent[4] + 1] {
            assert_eq!(
                of(Span::After(seq), limit).await,
                (sent[5..5 + count].to_vec(), limit < 5)
            );
        }
    }
    assert_eq!(of(Span::Before(sent[0]), 5).await, (vec![], false));
    assert_eq!(of(Span::Before(u64::MAX >> 11), 10).await, (sent.clone(), false));
    assert_eq!(of(Span::After(sent[9]), 5).await, (vec![], false));
    // Half before, the rest from the seq on.
    assert_eq!(of(Span::Around(sent[5]), 4).await, (sent[3..7].to_vec(), true));
    assert_eq!(
        of(Span::Around(sent[5] - 1), 4).await,
        (sent[3..7].to_vec(), true)
    );
    assert_eq!(of(Span::Around(sent[2]), 4).await, (sent[..4].to_vec(), false));
    assert_eq!(of(Span::Around(sent[5]), 5).await, (sent[3..8].to_vec(), true));
    assert_eq!(of(Span::Around(sent[5]), 1).await, (sent[5..6].to_vec(), true));
    let none = store
        .history
        .messages(&room_id("none"), Span::Latest, None, 5)
        .await
        .unwrap();
    assert!(none.messages.is_empty() && !none.has_more);
}

async fn a_room_opened_again_shows_nothing_of_its_past(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    let old = desk.say("r", "owner", "old").await.seq;
    desk.commit("r", "owner", Action::DeleteRoom).await;
    assert!(page(&store, Span::Latest, None, 5).await.messages.is_empty());
    desk.create("r", "bob").await;
    let new = desk.say("r", "bob", "new").await.seq;
    for span in [
        Span::Latest,
        Span::Before(new + 1),
        Span::After(0),
        Span::Around(old),
    ] {
        let found = page(&store, span, None, 1).await;
        if span == Span::Around(old) {
            // From that seq on.
            assert_eq!(seqs(&found), [new]);
        }
        assert_eq!((seqs(&found), found.has_more), (vec![new], false), "{span:?}");
    }
    assert!(page(&store, Span::Latest, Some(old), 5).await.messages.is_empty());
}

suite!($ conformance_history, history, StoreStage, [
    every_field_of_a_message_is_kept,
    an_edit_replaces_the_content_and_nothing_else,
    a_deleted_message_keeps_its_place_only,
    what_was_deleted_is_gone_from_the_log_too,
    reactions_are_counted_in_their_order,
    at_most_fifty_users_of_a_reaction_are_named,
    a_thread_is_its_first_message_and_its_replies,
    pages_say_exactly_whether_there_is_more,
    a_room_opened_again_shows_nothing_of_its_past,
]);
