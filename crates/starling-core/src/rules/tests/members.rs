//! Joining, leaving, inviting.

use crate::{EventBody, Role, RoomKind, room::Standing};

use super::{
    actions::*,
    cast::{cast, lobby},
    world::by,
};

#[test]
fn a_join_counts_once() {
    let mut world = lobby([]);
    let event = world.commits(by("bob", join()));
    let EventBody::MemberJoined(body) = &event.body else {
        panic!("{event:?}");
    };
    assert_eq!((body.user_id.as_str(), body.role), ("bob", Role::Member));
    assert_eq!(body.name.as_deref(), Some("BOB"));
    world.leaves_as_is(by("bob", join()));
    assert_eq!(world.room("lobby").member_count, 2);
}

#[test]
fn who_leaves_is_gone_and_may_return() {
    let mut world = lobby(["bob"]);
    let first = world.member("bob").joined_seq;
    let event = world.commits(by("bob", leave()));
    assert_eq!(event.body.kind(), "member_left");
    assert_eq!(world.standing("bob"), Standing::Gone);
    assert_eq!(world.room("lobby").member_count, 1);
    world.refuses_as("not_member", by("bob", leave()));
    world.refuses_as("not_member", by("bob", send("hi")));
    let again = world.commits(by("bob", join()));
    assert_eq!(world.member("bob").joined_seq, again.seq);
    assert!(again.seq > first, "unread counts begin behind the new join");
}

#[test]
fn everybody_may_leave_and_the_room_stays() {
    let mut world = lobby(["bob"]);
    world.commits(by("olga", leave()));
    world.commits(by("bob", leave()));
    assert_eq!(world.room("lobby").member_count, 0);
    world.commits(by("eve", join()));
    assert_eq!(world.member("eve").role, Role::Member);
}

#[test]
fn a_private_room_is_entered_by_invitation_or_grant() {
    let mut world = cast(RoomKind::Private);
    world.refuses_as("forbidden", by("zoe", join()));
    let event = world.commits(by("mona", invite("zoe", Role::Guest)));
    let EventBody::MemberInvited(body) = &event.body else {
        panic!("{event:?}");
    };
    assert_eq!((body.user_id.as_str(), body.role), ("zoe", Role::Guest));
    assert_eq!(world.standing("zoe"), Standing::Invited);
    world.refuses_as("not_member", by("zoe", send("not in yet")));
    world.commits(by("zoe", join()));
    assert_eq!(world.member("zoe").role, Role::Guest);
    world.commits(by("nina", join()).granted());
    assert_eq!(world.member("nina").role, Role::Member);
}

#[test]
fn an_invitation_opens_the_door_once() {
    let mut world = cast(RoomKind::Private);
    world.commits(by("ines", join()));
    world.commits(by("ines", leave()));
    world.refuses_as("forbidden", by("ines", join()));
}

#[test]
fn a_grant_opens_the_door_and_nothing_else() {
    let mut world = cast(RoomKind::Private);
    world.refuses_as("not_member", by("zoe", send("hi")).granted());
    world.refuses_as("not_member", by("zoe", kick("vera")).granted());
    world.commits(by("zoe", join()).granted());
    world.refuses_as("forbidden", by("zoe", kick("vera")).granted());
    // Kicked, they come back: whoever gave the token decides.
    world.commits(by("mona", kick("zoe")));
    world.commits(by("zoe", join()).granted());
}

#[test]
fn an_invitation_to_a_public_room_gives_the_role() {
    let mut world = lobby([]);
    world.commits(by("olga", invite("adam", Role::Admin)));
    world.leaves_as_is(by("olga", invite("adam", Role::Member)));
    world.commits(by("adam", join()));
    assert_eq!(world.member("adam").role, Role::Admin);
}
