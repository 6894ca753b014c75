//! Who may do what. Each step is a batch of its own, so that every fact by which it is decided comes from the store.

use std::time::Duration;

use starling_core::{
    Action, Authority, EventBody, Outcome, Refusal, Role, RoomKind, draft::RoomSpec, room::Standing,
};

use super::{
    Desk, Store, StoreStage,
    desk::{committed, join, public, room_id, text, user_id},
    suite::suite,
};

pub(super) async fn room_with(stage: &dyn StoreStage, members: &[&str]) -> (Store, Desk) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    desk.create("r", "owner").await;
    for member in members {
        desk.join("r", member).await;
    }
    (store, desk)
}

pub(super) fn send(content: &str) -> Action {
    Action::Send(text(content))
}

fn kick(user: &str) -> Action {
    Action::Kick {
        user: user_id(user),
        reason: Some("spam".into()),
    }
}

pub(super) fn ban(user: &str) -> Action {
    Action::Ban {
        user: user_id(user),
        until: None,
        reason: None,
    }
}

fn mute(user: &str) -> Action {
    Action::Mute {
        user: user_id(user),
        until: None,
        reason: None,
    }
}

pub(super) fn invite(user: &str, role: Role) -> Action {
    Action::Invite {
        user: user_id(user),
        role,
    }
}

pub(super) fn set_role(user: &str, role: Role) -> Action {
    Action::SetRole {
        user: user_id(user),
        role,
    }
}

async fn only_members_write(stage: &dyn StoreStage) {
    let (_, desk) = room_with(stage, &[]).await;
    assert_eq!(desk.refused("r", "alice", send("no")).await, Refusal::NotMember);
    desk.join("r", "alice").await;
    assert_eq!(desk.act("r", "alice", join()).await, Outcome::Unchanged);
    desk.say("r", "alice", "yes").await;
    desk.commit("r", "alice", Action::Leave).await;
    assert_eq!(desk.refused("r", "alice", send("no")).await, Refusal::NotMember);
    assert_eq!(
        desk.refused("r", "alice", Action::Leave).await,
        Refusal::NotMember
    );
    desk.join("r", "alice").await;
    desk.say("r", "alice", "again").await;
}

async fn who_is_kicked_may_come_back(stage: &dyn StoreStage) {
    let (_, desk) = room_with(stage, &["alice"]).await;
    desk.commit("r", "owner", kick("alice")).await;
    assert_eq!(desk.refused("r", "alice", send("no")).await, Refusal::NotMember);
    desk.join("r", "alice").await;
    desk.say("r", "alice", "back").await;
}

async fn who_is_banned_stays_out_until_the_ban_is_lifted(stage: &dyn StoreStage) {
    let (_, desk) = room_with(stage, &["alice"]).await;
    desk.commit("r", "owner", ban("alice")).await;
    let banned = Refusal::Banned { retry_after: None };
    assert_eq!(desk.refused("r", "alice", send("no")).await, banned);
    assert_eq!(desk.refused("r", "alice", join()).await, banned);
    let unban = || Action::Unban {
        user: user_id("alice"),
    };
    desk.commit("r", "owner", unban()).await;
    assert_eq!(desk.act("r", "owner", unban()).await, Outcome::Unchanged);
    desk.join("r", "alice").await;
    // Somebody who never came is banned as well.
    desk.commit("r", "owner", ban("stranger")).await;
    assert_eq!(desk.refused("r", "stranger", join()).await, banned);
}

async fn bans_and_mutes_end_at_their_time(stage: &dyn StoreStage) {
    let (_, desk) = room_with(stage, &["alice", "bob"]).await;
    let now = desk.draft("r", "owner", Action::Leave).at;
    let until = Some(now.plus(Duration::from_mins(1)));
    let (alice, bob) = (user_id("alice"), user_id("bob"));
    let reason = None;
    desk.commit(
        "r",
        "owner",
        Action::Ban {
            user: alice,
            until,
            reason: reason.clone(),
        },
    )
    .await;
    desk.commit(
        "r",
        "owner",
        Action::Mute {
            user: bob,
            until,
            reason,
        },
    )
    .await;
    let waits = |refusal: Refusal| {
        let wait = refusal.retry_after().expect("a time");
        wait > Duration::from_secs(59) && wait < Duration::from_mins(1)
    };
    assert!(waits(desk.refused("r", "alice", join()).await));
    assert!(waits(desk.refused("r", "bob", send("no")).await));
    for (sender, action) in [("alice", join()), ("bob", send("yes"))] {
        let mut draft = desk.draft("r", sender, action);
        draft.at = now.plus(Duration::from_mins(1));
        committed(desk.put(&draft).await);
    }
}

async fn who_is_muted_reads_only(stage: &dyn StoreStage) {
    let (_, desk) = room_with(stage, &["alice"]).await;
    let seq = desk.say("r", "alice", "before").await.seq;
    desk.commit("r", "owner", mute("alice")).await;
    let muted = Refusal::Muted { retry_after: None };
    assert_eq!(desk.refused("r", "alice", send("no")).await, muted);
    let emoji = String::from("👍");
    let react = Action::React { ref_seq: seq, emoji };
    assert_eq!(desk.refused("r", "alice", react).await, muted);
    // A mute outlives leaving and joining.
    desk.commit("r", "alice", Action::Leave).await;
    desk.join("r", "alice").await;
    assert_eq!(desk.refused("r", "alice", send("no")).await, muted);
    let unmute = || Action::Unmute {
        user: user_id("alice"),
    };
    desk.commit("r", "owner", unmute()).await;
    assert_eq!(desk.act("r", "owner", unmute()).await, Outcome::Unchanged);
    desk.say("r", "alice", "yes").await;
}

async fn roles_decide(stage: &dyn StoreStage) {
    let (_, desk) = room_with(stage, &["mod", "alice", "guest"]).await;
    assert!(matches!(
        desk.refused("r", "mod", kick("alice")).await,
        Refusal::Forbidden(_)
    ));
    desk.commit("r", "owner", set_role("mod", Role::Moderator)).await;
    desk.commit("r", "owner", set_role("guest", Role::Guest)).await;
    assert_eq!(
        desk.act("r", "owner", set_role("mod", Role::Moderator)).await,
        Outcome::Unchanged
    );
    assert!(matches!(
        desk.refused("r", "guest", send("no")).await,
        Refusal::Forbidden(_)
    ));
    assert!(matches!(
        desk.refused("r", "mod", kick("owner")).await,
        Refusal::Forbidden(_)
    ));
    assert!(matches!(
        desk.refused("r", "mod", Action::DeleteRoom).await,
        Refusal::Forbidden(_)
    ));
    desk.commit("r", "mod", kick("alice")).await;
    let mut admin = desk.draft("r", "outsider", kick("mod"));
    admin.authority = Authority::Admin;
    committed(desk.put(&admin).await);
}

async fn private_rooms_are_joined_by_invitation_or_grant(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    let spec = RoomSpec {
        kind: RoomKind::Private,
        ..public("p")
    };
    desk.commit("p", "owner", Action::CreateRoom { spec, max_rooms: 9 })
        .await;
    assert!(matches!(
        desk.refused("p", "alice", join()).await,
        Refusal::Forbidden(_)
    ));
    desk.commit("p", "owner", invite("alice", Role::Admin)).await;
    assert_eq!(
        desk.act("p", "owner", invite("alice", Role::Admin)).await,
        Outcome::Unchanged
    );
    let joined = desk.join("p", "alice").await;
    assert!(matches!(&joined.body, EventBody::MemberJoined(b) if b.role == Role::Admin));
    let mut granted = desk.draft("p", "bob", join());
    granted.authority = Authority::Grant;
    committed(desk.put(&granted).await);
    assert_eq!(
        store
            .rooms
            .room(&room_id("p"))
            .await
            .unwrap()
            .unwrap()
            .member_count,
        3
    );
}

async fn rooms_have_their_limits(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    let spec = RoomSpec {
        max_members: 2,
        ..public("r")
    };
    let create = |room: &str| Action::CreateRoom {
        spec: public(room),
        max_rooms: 2,
    };
    desk.commit("r", "owner", Action::CreateRoom { spec, max_rooms: 9 })
        .await;
    assert_eq!(desk.refused("r", "other", create("r")).await, Refusal::RoomExists);
    desk.join("r", "alice").await;
    assert_eq!(
        desk.refused("r", "bob", join()).await,
        Refusal::RoomFull { max: 2 }
    );
    desk.commit("r", "alice", Action::Leave).await;
    desk.join("r", "bob").await;
    // How many rooms a user may have counts those joined now.
    desk.commit("s", "bob", create("s")).await;
    assert_eq!(
        desk.refused("t", "bob", create("t")).await,
        Refusal::TooManyRooms { max: 2 }
    );
    desk.commit("r", "bob", Action::Leave).await;
    desk.commit("t", "bob", create("t")).await;
    desk.commit("t", "bob", Action::DeleteRoom).await;
    desk.commit("u", "bob", create("u")).await;
    // Direct rooms do not count: anybody may open one with anybody.
    desk.commit("u", "bob", Action::Leave).await;
    desk.say("@dm:alice,bob", "alice", "hello").await;
    desk.commit("v", "bob", create("v")).await;
}

async fn a_deleted_room_has_no_members(stage: &dyn StoreStage) {
    let (store, desk) = room_with(stage, &["alice", "bob"]).await;
    desk.commit("r", "owner", mute("alice")).await;
    desk.commit("r", "owner", mute("bob")).await;
    desk.commit("r", "owner", ban("bob")).await;
    desk.commit("r", "owner", Action::DeleteRoom).await;
    assert!(matches!(
        desk.refused("r", "alice", send("no")).await,
        Refusal::NotFound(_)
    ));
    let room = store.rooms.room(&room_id("r")).await.unwrap().unwrap();
    assert!(room.deleted);
    assert_eq!((room.member_count, room.min_seq), (0, room.last_seq + 1));
    // A room opened by the same name begins with strangers.
    for user in ["owner", "alice", "bob"] {
        let member = store
            .rooms
            .member(&room_id("r"), &user_id(user))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (member.standing, member.role, member.muted),
            (Standing::Gone, Role::Member, None),
            "{user}"
        );
    }
    desk.create("r", "alice").await;
    desk.join("r", "bob").await;
    desk.say("r", "bob", "unmuted").await;
    assert!(matches!(
        desk.refused("r", "owner", kick("bob")).await,
        Refusal::NotMember
    ));
    // In one batch: closed, opened again by another, and one of the old members is in the new room.
    desk.create("s", "owner").await;
    desk.join("s", "alice").await;
    desk.join("s", "bob").await;
    let spec = public("s");
    let batch = [
        desk.draft("s", "owner", Action::DeleteRoom),
        desk.draft("s", "alice", Action::CreateRoom { spec, max_rooms: 9 }),
    ];
    for outcome in desk.append(&batch).await {
        committed(outcome);
    }
    let members = store.rooms.members(&room_id("s"), None, 10).await.unwrap().items;
    assert_eq!(members.len(), 1);
    assert_eq!(
        (members[0].user.as_str(), members[0].role),
        ("alice", Role::Owner)
    );
    assert_eq!(desk.refused("s", "bob", send("no")).await, Refusal::NotMember);
}

suite!($ conformance_rules, rules, StoreStage, [
    only_members_write,
    who_is_kicked_may_come_back,
    who_is_banned_stays_out_until_the_ban_is_lifted,
    bans_and_mutes_end_at_their_time,
    who_is_muted_reads_only,
    roles_decide,
    private_rooms_are_joined_by_invitation_or_grant,
    rooms_have_their_limits,
    a_deleted_room_has_no_members,
]);
