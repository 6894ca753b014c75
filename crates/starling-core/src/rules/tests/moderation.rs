//! Power over others: what is left of it when people leave and come back, and how it is handed on.

use rstest::rstest;

use crate::{Action, Role, RoomKind};

use super::{
    actions::*,
    cast::{cast, enters, lobby, message_by},
    world::{World, by},
};

#[rstest]
#[case::by_leaving(leaves)]
#[case::by_a_kick(is_kicked)]
#[case::by_a_ban(is_banned_for_a_while)]
fn what_somebody_gone_comes_back_with(#[case] go: fn(&mut World, &str)) {
    let mut world = cast(RoomKind::Public);
    world.commits(by("olga", mute("mona", None)));
    for (who, role) in [
        ("adam", Role::Member),
        ("mona", Role::Member),
        ("mia", Role::Member),
        ("gus", Role::Guest),
    ] {
        go(&mut world, who);
        world.refuses_as("not_member", by(who, kick("vera")));
        world.commits(by(who, join()));
        assert_eq!(
            world.member(who).role,
            role,
            "{who}: power is lost, a restriction is not"
        );
    }
    for who in ["mia", "mona"] {
        world.refuses_as("muted", by(who, send("a way around the mute?")));
    }
    world.refuses_as("forbidden", by("gus", send("a way around the role?")));
}

fn leaves(world: &mut World, who: &str) {
    world.commits(by(who, leave()));
}

fn is_kicked(world: &mut World, who: &str) {
    world.commits(by("olga", kick(who)));
}

fn is_banned_for_a_while(world: &mut World, who: &str) {
    world.commits(by("olga", ban(who, None)));
    world.commits(by("olga", unban(who)));
}

#[test]
fn an_owner_who_left_is_the_owner_on_return() {
    let mut world = cast(RoomKind::Private);
    world.commits(by("olga", leave()));
    world.refuses_as("not_member", by("olga", close()));
    world.refuses_as("forbidden", by("adam", ban("olga", None)));
    world.leaves_as_is(by("mona", invite("olga", Role::Guest)));
    world.commits(by("olga", join()));
    assert_eq!(world.member("olga").role, Role::Owner);
    world.commits(by("olga", close()));
}

#[test]
fn an_owner_who_was_removed_is_not() {
    for (remove, back) in [(kick("olga"), None), (ban("olga", None), Some(unban("olga")))] {
        let mut world = lobby(["mary"]);
        world.commits(by("root", remove).for_the_service());
        if let Some(back) = back {
            world.refuses_as("banned", by("olga", join()));
            world.commits(by("root", back).for_the_service());
        }
        world.commits(by("olga", join()));
        assert_eq!(world.member("olga").role, Role::Member);
    }
}

#[test]
fn a_room_is_handed_over_by_naming_an_owner_and_stepping_down() {
    let mut world = lobby(["mary"]);
    world.commits(by("olga", set_role("mary", Role::Owner)));
    world.refuses_as("forbidden", by("mary", set_role("olga", Role::Member)));
    world.commits(by("olga", set_role("olga", Role::Member)));
    world.leaves_as_is(by("olga", set_role("olga", Role::Member)));
    world.refuses_as("forbidden", by("olga", set_role("olga", Role::Owner)));
    world.refuses_as("forbidden", by("olga", set_role("olga", Role::Moderator)));
    world.commits(by("mary", kick("olga")));
}

#[test]
fn a_kicked_moderator_has_no_power_left() {
    let mut world = cast(RoomKind::Public);
    world.commits(by("adam", kick("mona")));
    let vera = message_by(&world, "vera").unwrap();
    for action in [
        kick("vera"),
        ban("vera", None),
        delete(vera),
        unmute("mia"),
        invite("zoe", Role::Member),
    ] {
        world.refuses_as("not_member", by("mona", action));
    }
}

#[test]
fn an_invitation_is_void_after_a_ban() {
    let mut world = cast(RoomKind::Private);
    world.commits(by("olga", ban("ivan", None)));
    world.refuses_as("banned", by("ivan", join()));
    world.commits(by("olga", unban("ivan")));
    world.refuses_as("forbidden", by("ivan", join()));
    // Nor does the role survive that the invitation promised.
    world.commits(by("ivan", join()).granted());
    assert_eq!(world.member("ivan").role, Role::Member);
}

#[test]
fn a_kick_takes_an_invitation_back() {
    let mut world = cast(RoomKind::Private);
    world.commits(by("mona", kick("ines")));
    world.refuses_as("forbidden", by("ines", join()));
    world.commits(by("mona", invite("ines", Role::Guest)));
    world.commits(by("ines", join()));
    assert_eq!(world.member("ines").role, Role::Guest);
}

#[test]
fn moderation_says_whom_and_why() {
    let mut world = lobby(["bob"]);
    let until = Some(world.after(60));
    let ban = Action::Ban {
        user: super::world::user("bob"),
        until,
        reason: Some("spam".to_owned()),
    };
    let event = world.commits(by("olga", ban));
    let json: serde_json::Value = serde_json::from_str(&event.body.to_json().unwrap()).unwrap();
    assert_eq!(
        json,
        serde_json::json!({ "userId": "bob", "until": "2026-11-20T12:01:00.000Z", "reason": "spam" })
    );
    assert_eq!(event.sender.as_str(), "olga");
}

#[test]
fn a_guest_becomes_a_member_by_the_hand_of_an_admin() {
    let mut world = lobby(["adam"]);
    world.commits(by("olga", set_role("adam", Role::Admin)));
    enters(&mut world, "gus", Role::Guest);
    world.refuses_as("forbidden", by("gus", send("hi")));
    world.commits(by("adam", set_role("gus", Role::Member)));
    world.commits(by("gus", send("hi")));
}
