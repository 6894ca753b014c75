//! What is said in rooms: messages, threads, reactions, and every kind of event read back.

use std::time::Duration;

use serde_json::json;
use starling_core::{
    Action, Authority, EventBody, Outcome, Refusal, Role, RoomId, RoomKind, RoomSettings,
    event::{Attachment, MessageCreated, Notification, RoomUpdated},
    ports::Head,
    room::Standing,
};

use super::{
    Desk, StoreStage,
    desk::{committed, join, public, room_id, text, user_id},
    log::read_all,
    rules::{ban, invite, room_with, send, set_role},
    suite::suite,
};

async fn slow_mode_is_kept(stage: &dyn StoreStage) {
    let (_, desk) = room_with(stage, &["alice"]).await;
    let settings = RoomSettings {
        slow_mode_seconds: 10,
        ..RoomSettings::default()
    };
    let change = RoomUpdated {
        settings: Some(settings),
        ..RoomUpdated::default()
    };
    desk.commit("r", "owner", Action::UpdateRoom(change)).await;
    let first = desk.say("r", "alice", "one").await;
    let refusal = desk.refused("r", "alice", send("two")).await;
    assert_eq!(refusal.retry_after(), Some(Duration::from_millis(9_999)));
    let mut later = desk.draft("r", "alice", send("two"));
    later.at = first.at.plus(Duration::from_secs(10));
    committed(desk.put(&later).await);
    // The owner is not slowed down.
    desk.say("r", "owner", "one").await;
    desk.say("r", "owner", "two").await;
}

async fn only_what_is_there_can_be_changed(stage: &dyn StoreStage) {
    let (_, desk) = room_with(stage, &["alice", "bob"]).await;
    let seq = desk.say("r", "alice", "hello").await.seq;
    let edit = |ref_seq| Action::Edit {
        ref_seq,
        content: "changed".into(),
    };
    let delete = |ref_seq| Action::Delete { ref_seq };
    let react = |add| {
        let (ref_seq, emoji) = (seq, String::from("👍"));
        if add {
            Action::React { ref_seq, emoji }
        } else {
            Action::Unreact { ref_seq, emoji }
        }
    };
    // Seq 2 is a join, not a message.
    for missing in [2, 99] {
        assert!(matches!(
            desk.refused("r", "alice", edit(missing)).await,
            Refusal::NotFound(_)
        ));
        assert!(matches!(
            desk.refused("r", "alice", delete(missing)).await,
            Refusal::NotFound(_)
        ));
        let answer = MessageCreated {
            reply_to: Some(missing),
            ..text("answer")
        };
        let answer = desk.refused("r", "alice", Action::Send(answer)).await;
        assert!(matches!(answer, Refusal::NotFound(_)));
    }
    assert!(matches!(
        desk.refused("r", "bob", edit(seq)).await,
        Refusal::Forbidden(_)
    ));
    assert!(matches!(
        desk.refused("r", "bob", delete(seq)).await,
        Refusal::Forbidden(_)
    ));
    assert_eq!(desk.act("r", "bob", react(false)).await, Outcome::Unchanged);
    desk.commit("r", "bob", react(true)).await;
    assert_eq!(desk.act("r", "bob", react(true)).await, Outcome::Unchanged);
    desk.commit("r", "bob", react(false)).await;
    desk.commit("r", "bob", react(true)).await;
    desk.commit("r", "alice", edit(seq)).await;
    desk.commit("r", "owner", delete(seq)).await;
    for action in [edit(seq), delete(seq), react(true), react(false)] {
        assert!(matches!(
            desk.refused("r", "alice", action).await,
            Refusal::NotFound(_)
        ));
    }
}

async fn a_thread_has_one_level(stage: &dyn StoreStage) {
    let (_, desk) = room_with(stage, &[]).await;
    let root = desk.say("r", "owner", "root").await.seq;
    let within = |thread| {
        Action::Send(MessageCreated {
            thread: Some(thread),
            ..text("reply")
        })
    };
    let reply = desk.commit("r", "owner", within(root)).await;
    assert_eq!(reply.thread(), Some(root));
    assert!(matches!(
        desk.refused("r", "owner", within(reply.seq)).await,
        Refusal::InvalidMessage(_)
    ));
    assert!(matches!(
        desk.refused("r", "owner", within(99)).await,
        Refusal::NotFound(_)
    ));
}

async fn a_draft_sees_what_those_before_it_in_the_batch_did(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    let spec = public("r");
    let batch = [
        desk.draft("r", "owner", Action::CreateRoom { spec, max_rooms: 9 }),
        desk.draft("r", "alice", join()),
        desk.draft("r", "alice", send("hello")),
        desk.draft(
            "r",
            "owner",
            Action::React {
                ref_seq: 3,
                emoji: "👍".into(),
            },
        ),
        desk.draft(
            "r",
            "alice",
            Action::Edit {
                ref_seq: 3,
                content: "hi".into(),
            },
        ),
        desk.draft("r", "owner", ban("alice")),
        desk.draft("r", "alice", send("no")),
        desk.draft("r", "owner", Action::Delete { ref_seq: 3 }),
        desk.draft("r", "owner", Action::Delete { ref_seq: 3 }),
    ];
    let outcomes = desk.append(&batch).await;
    let seqs: Vec<Option<u64>> = outcomes.iter().map(|o| o.event().map(|e| e.seq)).collect();
    let expected = [
        Some(1),
        Some(2),
        Some(3),
        Some(4),
        Some(5),
        Some(6),
        None,
        Some(7),
        None,
    ];
    assert_eq!(seqs, expected, "{outcomes:?}");
    let appended = outcomes.iter().filter_map(Outcome::event).map(|event| event.id);
    let read = read_all(&*store.log, "r").await;
    assert!(read.iter().map(|event| event.id).eq(appended));
    let alice = store
        .rooms
        .member(&room_id("r"), &user_id("alice"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (alice.standing, alice.joined_seq),
        (Standing::Banned { until: None }, 2)
    );
}

async fn reserved_rooms_open_with_their_first_event(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    let direct = RoomId::direct(&user_id("bob"), &user_id("alice"));
    let first = desk.say(direct.as_str(), "bob", "hello").await;
    assert_eq!(first.seq, 1);
    desk.say(direct.as_str(), "alice", "hello").await;
    assert!(matches!(
        desk.refused(direct.as_str(), "eve", send("no")).await,
        Refusal::Forbidden(_)
    ));
    let room = store.rooms.room(&direct).await.unwrap().unwrap();
    assert_eq!(
        (room.kind, room.member_count, room.last_seq),
        (RoomKind::Direct, 2, 2)
    );
    assert_eq!(desk.say("@dm:alice,alice", "alice", "a note").await.seq, 1);
    let note = || {
        Action::Notify(Notification {
            topic: "build".into(),
            payload: json!({"ok": true}),
        })
    };
    assert!(matches!(
        desk.refused("@alice", "bob", note()).await,
        Refusal::Forbidden(_)
    ));
    for room in ["@alice", "@all"] {
        for seq in 1..=2 {
            let mut draft = desk.draft(room, "service", note());
            draft.authority = Authority::Admin;
            assert_eq!(committed(desk.put(&draft).await).seq, seq);
        }
        assert_eq!(read_all(&*store.log, room).await.len(), 2);
    }
}

async fn a_refused_first_message_opens_nothing(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    let direct = "@dm:alice,bob";
    let answer = MessageCreated {
        reply_to: Some(7),
        ..text("to what?")
    };
    let refusal = desk.refused(direct, "alice", Action::Send(answer)).await;
    assert!(matches!(refusal, Refusal::NotFound(_)));
    let room = room_id(direct);
    assert_eq!(
        store.log.heads(std::slice::from_ref(&room)).await.unwrap(),
        [Head::EMPTY]
    );
    assert_eq!(store.log.read(&room, 0, 10).await.unwrap(), []);
    assert_eq!(desk.say(direct, "alice", "hello").await.seq, 1);
    let bob = store.rooms.member(&room, &user_id("bob")).await.unwrap().unwrap();
    assert!(bob.is_joined());
}

async fn every_kind_of_event_is_read_back(stage: &dyn StoreStage) {
    let (store, desk) = room_with(stage, &["alice", "bob"]).await;
    let mut rich = desk.draft("r", "alice", Action::Send(rich_message()));
    rich.sender_name = None;
    let rich = committed(desk.put(&rich).await);
    let (ref_seq, emoji) = (desk.say("r", "alice", "plain").await.seq, String::from("👍🏽"));
    let until = Some(rich.at.plus(Duration::from_hours(1)));
    let (alice, bob) = (user_id("alice"), user_id("bob"));
    let reason = Some(String::from("a \"reason\"\n\u{1F600}"));
    let settings = RoomSettings {
        slow_mode_seconds: 3,
        extra: [("theme".into(), json!({"dark": true}))].into(),
    };
    let change = RoomUpdated {
        name: Some("new".into()),
        description: Some(String::new()),
        max_members: Some(7),
        settings: Some(settings),
    };
    for (sender, action) in [
        (
            "alice",
            Action::Edit {
                ref_seq,
                content: "édité".into(),
            },
        ),
        (
            "bob",
            Action::React {
                ref_seq,
                emoji: emoji.clone(),
            },
        ),
        ("bob", Action::Unreact { ref_seq, emoji }),
        ("owner", Action::Delete { ref_seq }),
        ("bob", Action::Leave),
        ("owner", invite("bob", Role::Moderator)),
        ("bob", join()),
        ("owner", set_role("bob", Role::Admin)),
        (
            "owner",
            Action::Mute {
                user: bob.clone(),
                until,
                reason: reason.clone(),
            },
        ),
        ("owner", Action::Unmute { user: bob.clone() }),
        (
            "owner",
            Action::Kick {
                user: bob.clone(),
                reason: reason.clone(),
            },
        ),
        (
            "owner",
            Action::Ban {
                user: alice.clone(),
                until,
                reason,
            },
        ),
        ("owner", Action::Unban { user: alice }),
        ("owner", Action::UpdateRoom(change)),
        ("owner", Action::DeleteRoom),
    ] {
        desk.commit("r", sender, action).await;
    }
    let payload = json!({"n": 1.5, "list": [null, true], "text": "ü"});
    let note = Notification {
        topic: "announcement".into(),
        payload,
    };
    let mut note = desk.draft("@all", "service", Action::Notify(note));
    note.authority = Authority::Admin;
    let note = committed(desk.put(&note).await);
    let mut read = read_all(&*store.log, "r").await;
    read.extend(read_all(&*store.log, "@all").await);
    assert_eq!(read[3], *rich);
    assert_eq!(read.last(), Some(&*note));
    let mut kinds: Vec<&str> = read.iter().map(|event| event.body.kind()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut all = EventBody::KINDS.to_vec();
    all.sort_unstable();
    assert_eq!(kinds, all);
}

/// A message that uses every field.
pub(super) fn rich_message() -> MessageCreated {
    MessageCreated {
        content: "line\nline \u{1F680} \"quoted\" \\ \u{0}".into(),
        content_type: "text/markdown".into(),
        reply_to: None,
        thread: None,
        attachments: vec![
            Attachment {
                url: "https://files.example/1".into(),
                name: Some("a.png".into()),
                content_type: Some("image/png".into()),
                size: Some(1 << 40),
            },
            Attachment {
                url: "https://files.example/2".into(),
                name: None,
                content_type: None,
                size: None,
            },
        ],
        mentions: vec![user_id("bob"), user_id("zoë|1")],
        metadata: Some(
            json!({"big": 9_007_199_254_740_991_u64, "float": -0.25, "nested": {"a": [1, "2", null]}}),
        ),
    }
}

suite!($ conformance_events, events, StoreStage, [
    slow_mode_is_kept,
    only_what_is_there_can_be_changed,
    a_thread_has_one_level,
    a_draft_sees_what_those_before_it_in_the_batch_did,
    reserved_rooms_open_with_their_first_event,
    a_refused_first_message_opens_nothing,
    every_kind_of_event_is_read_back,
]);
