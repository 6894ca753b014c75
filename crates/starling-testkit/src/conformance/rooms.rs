//! Rooms and members as the log has left them.

use std::time::Duration;

use serde_json::json;
use starling_core::{
    Action, Authority, Member, Role, Room, RoomId, RoomKind, RoomSettings, Timestamp, UserId,
    draft::RoomSpec, event::RoomUpdated, room::Standing,
};

use super::{
    Desk, Store, StoreStage,
    desk::{committed, join, public, room_id, user_id},
    suite::suite,
};

async fn open(stage: &dyn StoreStage) -> (Store, Desk) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    (store, desk)
}

async fn member_of(store: &Store, room: &str, user: &str) -> Member {
    let member = store.rooms.member(&room_id(room), &user_id(user)).await.unwrap();
    member.expect("a row")
}

async fn every_field_of_a_room_is_kept(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    assert_eq!(store.rooms.room(&room_id("r")).await.unwrap(), None);
    let settings = RoomSettings {
        slow_mode_seconds: 7,
        extra: [
            ("colour".into(), json!("#fff")),
            ("deep".into(), json!({"a": [1, 2.5, null, "x"]})),
        ]
        .into(),
    };
    let spec = RoomSpec {
        name: "A name \u{1F426}\n".into(),
        kind: RoomKind::Private,
        description: "It's \"about\" \\ things".into(),
        max_members: u32::MAX,
        settings: settings.clone(),
    };
    let created = desk
        .commit(
            "r",
            "owner",
            Action::CreateRoom {
                spec: spec.clone(),
                max_rooms: 9,
            },
        )
        .await;
    let mut expected = Room {
        id: room_id("r"),
        kind: RoomKind::Private,
        name: spec.name,
        description: spec.description,
        max_members: u32::MAX,
        settings,
        created_by: user_id("owner"),
        created_at: created.at,
        deleted: false,
        member_count: 1,
        last_seq: 1,
        min_seq: 1,
        last_event: Some(created.id),
    };
    let other_node = stage.store().await;
    assert_eq!(
        other_node.rooms.room(&room_id("r")).await.unwrap().as_ref(),
        Some(&expected)
    );
    let change = RoomUpdated {
        name: Some("new".into()),
        description: None,
        max_members: Some(3),
        settings: Some(RoomSettings::default()),
    };
    let updated = desk.commit("r", "owner", Action::UpdateRoom(change)).await;
    expected.name = "new".into();
    expected.max_members = 3;
    expected.settings = RoomSettings::default();
    (expected.last_seq, expected.last_event) = (2, Some(updated.id));
    assert_eq!(
        store.rooms.room(&room_id("r")).await.unwrap().as_ref(),
        Some(&expected)
    );
    let deleted = desk.commit("r", "owner", Action::DeleteRoom).await;
    (expected.deleted, expected.member_count, expected.min_seq) = (true, 0, 4);
    (expected.last_seq, expected.last_event) = (3, Some(deleted.id));
    assert_eq!(store.rooms.room(&room_id("r")).await.unwrap(), Some(expected));
}

async fn every_field_of_a_member_is_kept(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    desk.create("r", "owner").await;
    assert_eq!(
        store
            .rooms
            .member(&room_id("r"), &user_id("alice"))
            .await
            .unwrap(),
        None
    );
    let joined = desk.join("r", "alice").await;
    let mut expected = Member {
        room: room_id("r"),
        user: user_id("alice"),
        name: Some("alice the sender".into()),
        standing: Standing::Joined,
        role: Role::Member,
        joined_at: joined.at,
        joined_seq: joined.seq,
        muted: None,
        wrote_at: None,
    };
    assert_eq!(member_of(&store, "r", "alice").await, expected);
    let settings = RoomSettings {
        slow_mode_seconds: 1,
        ..RoomSettings::default()
    };
    let change = RoomUpdated {
        settings: Some(settings),
        ..RoomUpdated::default()
    };
    desk.commit("r", "owner", Action::UpdateRoom(change)).await;
    expected.wrote_at = Some(desk.say("r", "alice", "hello").await.at);
    let alice = || user_id("alice");
    let until = joined.at.plus(Duration::from_hours(1));
    let reason = None::<String>;
    for role in [Role::Guest, Role::Moderator, Role::Admin, Role::Member] {
        desk.commit("r", "owner", Action::SetRole { user: alice(), role })
            .await;
        expected.role = role;
        assert_eq!(member_of(&store, "r", "alice").await, expected);
    }
    for mute in [Some(until), None] {
        let action = Action::Mute {
            user: alice(),
            until: mute,
            reason: reason.clone(),
        };
        desk.commit("r", "owner", action).await;
        expected.muted = Some(mute);
        assert_eq!(member_of(&store, "r", "alice").await, expected);
    }
    for ban in [Some(until), None] {
        let action = Action::Ban {
            user: alice(),
            until: ban,
            reason: reason.clone(),
        };
        desk.commit("r", "owner", action).await;
        expected.standing = Standing::Banned { until: ban };
        assert_eq!(member_of(&store, "r", "alice").await, expected);
    }
    desk.commit("r", "owner", Action::Unban { user: alice() }).await;
    expected.standing = Standing::Gone;
    assert_eq!(member_of(&store, "r", "alice").await, expected);
    desk.commit(
        "r",
        "owner",
        Action::Invite {
            user: alice(),
            role: Role::Guest,
        },
    )
    .await;
    (expected.standing, expected.role) = (Standing::Invited, Role::Guest);
    assert_eq!(member_of(&store, "r", "alice").await, expected);
    let mut again = desk.draft("r", "alice", join());
    again.sender_name = None;
    let again = committed(desk.put(&again).await);
    expected.standing = Standing::Joined;
    (expected.name, expected.joined_at, expected.joined_seq) = (None, again.at, again.seq);
    assert_eq!(member_of(&store, "r", "alice").await, expected);
}

async fn members_come_in_pages_in_the_order_of_their_ids(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    desk.create("r", "m").await;
    desk.create("s", "elsewhere").await;
    // The order of the bytes, whatever the language of the database.
    let mut users = vec![
        "m", "B", "a", "_x", "b", "Z", "ä", "zz", "10", "9", "a.b", "a-b", "A",
    ];
    for user in &users[1..] {
        desk.join("r", user).await;
    }
    for gone in ["gone", "kicked"] {
        desk.join("r", gone).await;
    }
    desk.commit("r", "gone", Action::Leave).await;
    desk.commit(
        "r",
        "m",
        Action::Kick {
            user: user_id("kicked"),
            reason: None,
        },
    )
    .await;
    desk.commit(
        "r",
        "m",
        Action::Invite {
            user: user_id("invited"),
            role: Role::Member,
        },
    )
    .await;
    users.sort_unstable();
    for limit in [1, 4, 5, 13, 100] {
        let mut seen: Vec<UserId> = Vec::new();
        loop {
            let page = store
                .rooms
                .members(&room_id("r"), seen.last(), limit)
                .await
                .unwrap();
            assert!(page.items.len() <= limit);
            seen.extend(page.items.into_iter().map(|member| member.user));
            assert_eq!(page.has_more, seen.len() < users.len(), "after {}", seen.len());
            if !page.has_more {
                break;
            }
        }
        assert!(
            seen.iter().map(UserId::as_str).eq(users.iter().copied()),
            "{seen:?}"
        );
    }
    // The one to go on from need not be a member.
    let page = store
        .rooms
        .members(&room_id("r"), Some(&user_id("a.")), 1)
        .await
        .unwrap();
    assert_eq!((page.items[0].user.as_str(), page.has_more), ("a.b", true));
    let none = store.rooms.members(&room_id("none"), None, 10).await.unwrap();
    assert!(none.items.is_empty() && !none.has_more);
}

async fn rooms_of_a_user_come_in_pages(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    let mut rooms = vec!["b", "C", "a", "_", "a.b", "a-b", "10", "9", "@dm:alice,bob"];
    for room in &rooms[..8] {
        desk.create(room, "owner").await;
        desk.join(room, "alice").await;
    }
    desk.say("@dm:alice,bob", "bob", "hello").await;
    for room in ["left", "closed", "banned"] {
        desk.create(room, "owner").await;
        desk.join(room, "alice").await;
    }
    desk.create("invited", "owner").await;
    let alice = || user_id("alice");
    desk.commit("left", "alice", Action::Leave).await;
    desk.commit("closed", "owner", Action::DeleteRoom).await;
    desk.commit(
        "banned",
        "owner",
        Action::Ban {
            user: alice(),
            until: None,
            reason: None,
        },
    )
    .await;
    desk.commit(
        "invited",
        "owner",
        Action::Invite {
            user: alice(),
            role: Role::Member,
        },
    )
    .await;
    rooms.sort_unstable();
    for limit in [1, 3, 8, 9, 50] {
        let mut seen: Vec<RoomId> = Vec::new();
        loop {
            let page = store.rooms.rooms_of(&alice(), seen.last(), limit).await.unwrap();
            assert!(page.items.len() <= limit);
            for (room, member) in page.items {
                assert_eq!((&member.room, member.user.as_str()), (&room.id, "alice"));
                assert!(member.is_joined() && !room.deleted);
                seen.push(room.id);
            }
            assert_eq!(page.has_more, seen.len() < rooms.len());
            if !page.has_more {
                break;
            }
        }
        assert!(
            seen.iter().map(RoomId::as_str).eq(rooms.iter().copied()),
            "{seen:?}"
        );
    }
    let page = store.rooms.rooms_of(&alice(), None, 2).await.unwrap();
    let first = &page.items[1];
    assert_eq!(
        Some(&first.0),
        store.rooms.room(&first.0.id).await.unwrap().as_ref()
    );
    assert_eq!(first.1, member_of(&store, first.0.id.as_str(), "alice").await);
    assert!(
        store
            .rooms
            .rooms_of(&user_id("nobody"), None, 5)
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

async fn public_rooms_come_in_pages(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    let mut rooms = vec!["b", "C", "a", "_", "a.b", "10", "9"];
    for room in &rooms {
        desk.create(room, "owner").await;
    }
    let spec = RoomSpec {
        kind: RoomKind::Private,
        ..public("private")
    };
    desk.commit("private", "owner", Action::CreateRoom { spec, max_rooms: 99 })
        .await;
    desk.create("closed", "owner").await;
    desk.commit("closed", "owner", Action::DeleteRoom).await;
    desk.say("@dm:alice,bob", "bob", "hello").await;
    // Nobody in it, and still open.
    desk.commit("a", "owner", Action::Leave).await;
    rooms.sort_unstable();
    for limit in [1, 3, 7, 50] {
        let mut seen: Vec<RoomId> = Vec::new();
        loop {
            let page = store.rooms.public_rooms(seen.last(), limit).await.unwrap();
            assert!(page.items.len() <= limit);
            seen.extend(page.items.into_iter().map(|room| room.id));
            assert_eq!(page.has_more, seen.len() < rooms.len());
            if !page.has_more {
                break;
            }
        }
        assert!(
            seen.iter().map(RoomId::as_str).eq(rooms.iter().copied()),
            "{seen:?}"
        );
    }
}

async fn empty_rooms_are_those_that_nobody_is_in_since(stage: &dyn StoreStage) {
    let (store, desk) = open(stage).await;
    for room in ["old", "older", "used", "closed", "again"] {
        desk.create(room, "owner").await;
    }
    for room in ["older", "old", "again"] {
        desk.commit(room, "owner", Action::Leave).await;
    }
    desk.join("again", "alice").await;
    desk.commit("closed", "owner", Action::DeleteRoom).await;
    let mut note = desk.draft(
        "@alice",
        "service",
        Action::Notify(starling_core::event::Notification {
            topic: "t".into(),
            payload: json!(null),
        }),
    );
    note.authority = Authority::Admin;
    committed(desk.put(&note).await);
    let spec = public("fresh");
    let fresh = desk
        .commit("fresh", "owner", Action::CreateRoom { spec, max_rooms: 9 })
        .await;
    let left = desk.commit("fresh", "owner", Action::Leave).await;
    let empty = async |before: Timestamp, limit| {
        let mut rooms = store.rooms.empty_rooms(before, limit).await.unwrap();
        rooms.sort();
        rooms.into_iter().map(|room| room.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(empty(fresh.at, 10).await, ["old", "older"]);
    // Its last event is not older than itself.
    assert_eq!(empty(left.at, 10).await, ["old", "older"]);
    let later = left.at.plus(Duration::from_millis(1));
    assert_eq!(empty(later, 10).await, ["fresh", "old", "older"]);
    assert_eq!(empty(later, 2).await.len(), 2);
    assert!(empty(Timestamp::from_millis(0), 10).await.is_empty());
}

suite!($ conformance_rooms, rooms, StoreStage, [
    every_field_of_a_room_is_kept,
    every_field_of_a_member_is_kept,
    members_come_in_pages_in_the_order_of_their_ids,
    rooms_of_a_user_come_in_pages,
    public_rooms_come_in_pages,
    empty_rooms_are_those_that_nobody_is_in_since,
]);
