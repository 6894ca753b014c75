//! Bans and mutes: how long they hold, and for what.

use crate::{Role, RoomKind, room::Standing};

use super::{
    actions::*,
    cast::{cast, lobby},
    world::by,
};

#[test]
fn the_banned_are_not_invited_until_their_ban_is_over() {
    let mut world = cast(RoomKind::Private);
    let until = world.after(60);
    world.commits(by("mona", ban("vera", Some(until))));
    world.refuses_as("forbidden", by("mona", invite("vera", Role::Member)));
    world.wait(60);
    world.refuses_as("not_member", by("vera", send("not back yet")));
    world.refuses_as("forbidden", by("vera", join()));
    world.commits(by("mona", invite("vera", Role::Member)));
    world.commits(by("vera", join()));
}

#[test]
fn a_ban_ends_when_it_says() {
    let mut world = lobby(["bob"]);
    let until = world.after(60);
    world.commits(by("olga", ban("bob", Some(until))));
    assert_eq!(world.standing("bob"), Standing::Banned { until: Some(until) });
    assert_eq!(world.room("lobby").member_count, 1);
    world.wait(59);
    for action in [join(), join_or_create(), send("hi")] {
        let refusal = world.refuses(by("bob", action));
        assert_eq!(
            (refusal.code(), refusal.retry_after().unwrap().as_secs()),
            ("banned", 1)
        );
    }
    // A grant in the token, or authority over the service, does not undo a ban: lifting it does.
    world.refuses_as("banned", by("bob", join()).granted());
    world.refuses_as("banned", by("bob", join()).for_the_service());
    world.wait(1);
    world.refuses_as("not_member", by("bob", send("hi")));
    world.commits(by("bob", join()));
}

#[test]
fn a_ban_or_a_mute_that_is_over_already_is_a_mistake() {
    let mut world = lobby(["bob"]);
    let past = Some(world.now());
    world.refuses_as("invalid_message", by("olga", ban("bob", past)));
    world.refuses_as("invalid_message", by("olga", mute("bob", past)));
    world.refuses_as("forbidden", by("bob", ban("olga", past)));
}

#[test]
fn a_ban_may_be_changed_and_lifted() {
    let mut world = lobby(["bob"]);
    world.commits(by("olga", ban("bob", None)));
    world.leaves_as_is(by("olga", ban("bob", None)));
    let until = world.after(10);
    world.commits(by("olga", ban("bob", Some(until))));
    world.commits(by("olga", unban("bob")));
    world.leaves_as_is(by("olga", unban("bob")));
    assert_eq!(world.standing("bob"), Standing::Gone);
    world.commits(by("bob", join()));
}

#[test]
fn somebody_never_seen_is_banned_in_advance() {
    let mut world = lobby([]);
    world.commits(by("olga", ban("zoe", None)));
    assert_eq!(world.room("lobby").member_count, 1);
    world.refuses_as("banned", by("zoe", join()));
}

#[test]
fn a_mute_ends_when_it_says() {
    let mut world = lobby(["bob"]);
    let until = world.after(60);
    world.commits(by("olga", mute("bob", Some(until))));
    world.leaves_as_is(by("olga", mute("bob", Some(until))));
    world.wait(59);
    let refusal = world.refuses(by("bob", send("hi")));
    assert_eq!(
        (refusal.code(), refusal.retry_after().unwrap().as_secs()),
        ("muted", 1)
    );
    world.wait(1);
    world.commits(by("bob", send("hi")));
    world.commits(by("olga", mute("bob", None)));
    assert_eq!(world.refuses(by("bob", send("hi"))).retry_after(), None);
    world.commits(by("olga", unmute("bob")));
    world.leaves_as_is(by("olga", unmute("bob")));
    world.commits(by("bob", send("hi")));
}

#[test]
fn a_muted_moderator_moderates_but_does_not_unmute_themself() {
    let mut world = cast(RoomKind::Public);
    world.commits(by("adam", mute("mona", None)));
    world.refuses_as("muted", by("mona", send("hi")));
    world.refuses_as("forbidden", by("mona", unmute("mona")));
    world.refuses_as("forbidden", by("mike", unmute("mona")));
    world.commits(by("mona", kick("vera")));
    world.commits(by("adam", unmute("mona")));
}

#[test]
fn a_mute_does_not_stop_the_service_from_speaking() {
    let mut world = lobby(["root"]);
    world.commits(by("olga", mute("root", None)));
    world.refuses_as("muted", by("root", send("hi")));
    world.commits(by("root", send("hi")).for_the_service());
}
