//! Creating, changing, closing and opening anew.

use crate::{Action, EventBody, Role, RoomKind, event::RoomUpdated, room::Standing};

use super::{
    actions::*,
    cast::{cast, lobby, message_by},
    world::{World, by},
};

#[test]
fn the_creator_is_the_owner() {
    let mut world = World::empty();
    let event = world.commits(by("olga", create(RoomKind::Private)));
    assert_eq!((event.seq, event.body.kind()), (1, "room_created"));
    let room = world.room("lobby");
    assert_eq!(
        (room.kind, room.member_count, room.last_seq),
        (RoomKind::Private, 1, 1)
    );
    assert_eq!((room.created_by.as_str(), room.created_at), ("olga", event.at));
    assert_eq!(room.cursor(), event.cursor());
    let olga = world.member("olga");
    assert_eq!(
        (olga.role, olga.standing, olga.joined_seq),
        (Role::Owner, Standing::Joined, 1)
    );
    assert_eq!((olga.name.as_deref(), olga.joined_at), (Some("OLGA"), event.at));
}

#[test]
fn the_first_to_join_a_room_that_is_missing_is_its_owner() {
    let mut world = World::empty();
    world.refuses_as("not_found", by("bob", join()));
    let event = world.commits(by("bob", join_or_create()));
    assert_eq!((event.seq, event.body.kind()), (1, "member_joined"));
    assert_eq!(world.member("bob").role, Role::Owner);
    assert_eq!(world.member("bob").joined_seq, 1);
    world.commits(by("eve", join_or_create()));
    assert_eq!(world.member("eve").role, Role::Member);
    assert_eq!(world.member("eve").joined_seq, 2);
    assert_eq!(world.room("lobby").member_count, 2);
}

#[test]
fn an_update_changes_what_it_names() {
    let mut world = lobby([]);
    let whole = RoomUpdated {
        name: Some("Hall".to_owned()),
        description: Some("Where we meet".to_owned()),
        max_members: Some(7),
        settings: Some(crate::RoomSettings {
            slow_mode_seconds: 5,
            extra: [("theme".to_owned(), serde_json::json!("dark"))].into(),
        }),
    };
    world.commits(by("olga", Action::UpdateRoom(whole.clone())));
    world.commits(by("olga", rename("Great hall")));
    world.leaves_as_is(by("olga", Action::UpdateRoom(RoomUpdated::default())));
    let room = world.room("lobby");
    assert_eq!(
        (room.name.as_str(), room.description.as_str()),
        ("Great hall", "Where we meet")
    );
    assert_eq!(
        (room.max_members, Some(&room.settings)),
        (7, whole.settings.as_ref())
    );
}

#[test]
fn a_full_room_takes_nobody_until_somebody_goes() {
    let mut world = lobby(["bob"]);
    world.commits(by("olga", max_members(2)));
    let refusal = world.refuses(by("eve", join()));
    assert_eq!(refusal, crate::Refusal::RoomFull { max: 2 });
    world.commits(by("olga", invite("eve", Role::Member)));
    world.refuses_as("room_full", by("eve", join()));
    world.refuses_as("room_full", by("eve", join()).for_the_service());
    world.leaves_as_is(by("bob", join()));
    world.commits(by("olga", kick("bob")));
    world.commits(by("eve", join()));
    // A limit lowered below the count removes nobody.
    world.commits(by("olga", max_members(1)));
    assert_eq!(world.room("lobby").member_count, 2);
    world.commits(by("eve", send("still here")));
}

#[test]
fn a_user_is_in_so_many_rooms_at_most() {
    let mut world = lobby([]);
    world.commits(by("bob", at_most(join(), 2)));
    world.commits(by("bob", at_most(join_or_create(), 2)).to("second"));
    for third in [create(RoomKind::Public), join_or_create()] {
        let refusal = world.refuses(by("bob", at_most(third, 2)).to("third"));
        assert_eq!(refusal, crate::Refusal::TooManyRooms { max: 2 });
    }
    world.leaves_as_is(by("bob", at_most(join(), 2)));
    world.commits(by("olga", kick("bob")));
    world.commits(by("bob", at_most(create(RoomKind::Public), 2)).to("third"));
    world.refuses_as("too_many_rooms", by("bob", at_most(join(), 2)));
    world.commits(by("bob", close()).to("third"));
    world.commits(by("bob", at_most(join(), 2)));
}

#[test]
fn direct_rooms_do_not_use_up_the_rooms_of_a_user() {
    let mut world = World::empty();
    for stranger in ["eve", "mallory", "trudy"] {
        let room = format!("@dm:bob,{stranger}");
        world.commits(by(stranger, send("hi")).to(&room));
    }
    world.commits(by("bob", at_most(create(RoomKind::Public), 1)));
}

#[test]
fn a_closed_room_has_no_members_and_takes_nothing() {
    let mut world = lobby(["bob"]);
    let event = world.commits(by("olga", close()));
    assert!(matches!(event.body, EventBody::RoomDeleted(_)));
    let room = world.room("lobby");
    assert!(room.deleted);
    assert_eq!(
        (room.member_count, room.last_seq, room.min_seq),
        (0, event.seq, event.seq + 1)
    );
    for who in ["olga", "bob"] {
        assert_eq!(world.standing(who), Standing::Gone);
        world.refuses_as("not_found", by(who, send("hello?")));
    }
    world.refuses_as("not_found", by("olga", close()));
}

#[test]
fn a_room_opened_anew_shows_nothing_of_the_old_one() {
    for open in [create(RoomKind::Public), join_or_create()] {
        let mut world = cast(RoomKind::Private);
        let old = message_by(&world, "mary").unwrap();
        let closed = world.commits(by("olga", close()));
        world.wait(1);
        let opened = world.commits(by("mary", open));
        assert_eq!(opened.seq, closed.seq + 1, "its order goes on");
        let room = world.room("lobby");
        assert_eq!((room.min_seq, room.member_count), (opened.seq, 1));
        assert_eq!((room.kind, room.created_by.as_str()), (RoomKind::Public, "mary"));
        assert_eq!(room.created_at, opened.at);
        assert_eq!(world.member("mary").joined_seq, opened.seq);
        for action in [edit(old, "x"), delete(old), react(old, "+1"), unreact(old, "+1")] {
            world.refuses_as("not_found", by("mary", action));
        }
        for action in [reply(old, "x"), in_thread(old, "x")] {
            world.refuses_as("not_found", by("mary", action));
        }
    }
}

#[test]
fn nobody_brings_a_standing_from_the_old_room_into_the_new_one() {
    let mut world = cast(RoomKind::Private);
    world.commits(by("olga", mute("mary", None)));
    world.commits(by("olga", close()));
    // Who was muted there speaks in a room of their own.
    world.commits(by("mary", create(RoomKind::Private)));
    world.commits(by("mary", send("mine now")));
    // Owners who left, and the invited, have no way in; the banned are strangers like all.
    for who in ["olga", "orla", "ines", "ivan", "ben", "adam", "zoe"] {
        world.refuses_as("forbidden", by(who, join()));
        world.commits(by(who, join()).granted());
        assert_eq!(world.member(who).role, Role::Member, "{who}");
    }
    world.commits(by("mia", join()).granted());
    world.commits(by("mia", send("not muted here")));
    world.commits(by("gus", join()).granted());
    world.commits(by("gus", send("not a guest here")));
}

#[test]
fn the_service_rules_every_room() {
    let mut world = lobby(["bob"]);
    world.commits(by("root", rename("Hall")).for_the_service());
    world.commits(by("root", set_role("bob", Role::Owner)).for_the_service());
    world.commits(by("root", send("hear, hear")).for_the_service());
    world.commits(by("root", close()).for_the_service());
    assert_eq!(world.room("lobby").member_count, 0);
}
