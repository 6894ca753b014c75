//! Rooms whose ids begin with `@`: the direct rooms of two users, inboxes, announcements.

use rstest::rstest;

use crate::{Action, Role, RoomKind, room::Standing};

use super::{
    actions::*,
    world::{World, by, word},
};

const DIRECT: &str = "@dm:alice,bob";

#[rstest]
#[case::from_one_side("alice", "bob")]
#[case::from_the_other("bob", "alice")]
fn the_first_message_makes_the_room(#[case] from: &str, #[case] to: &str) {
    let mut world = World::empty();
    let event = world.commits(by(from, send("hi")).to(DIRECT));
    assert_eq!((event.seq, event.body.kind()), (1, "message_created"));
    let room = world.room(DIRECT);
    assert_eq!(
        (room.kind, room.member_count, room.max_members),
        (RoomKind::Direct, 2, 2)
    );
    for who in [from, to] {
        let member = world.member_of(DIRECT, who);
        assert_eq!((member.standing, member.role), (Standing::Joined, Role::Member));
        assert_eq!(member.joined_at, event.at);
        assert_eq!(member.joined_seq, 0, "the first message is unread");
        let name = (who == from).then(|| from.to_uppercase());
        assert_eq!(member.name.as_deref(), name.as_deref());
    }
    world.commits(by(to, reply(1, "hi yourself")).to(DIRECT));
    world.commits(by(to, react(1, "+1")).to(DIRECT));
    world.commits(by(from, edit(1, "hello")).to(DIRECT));
    world.refuses_as("forbidden", by(to, edit(1, "")).to(DIRECT));
    world.refuses_as("forbidden", by(to, delete(1)).to(DIRECT));
    world.commits(by(from, delete(1)).to(DIRECT));
}

#[test]
fn a_user_may_write_to_themself() {
    let mut world = World::empty();
    world.commits(by("bob", send("milk, eggs")).to("@dm:bob,bob"));
    assert_eq!(world.room("@dm:bob,bob").member_count, 1);
    world.commits(by("bob", send("bread")).to("@dm:bob,bob"));
    world.refuses_as("forbidden", by("eve", send("me too")).to("@dm:bob,bob"));
}

/// A first message that is refused leaves no empty room behind at the other user's.
#[rstest]
#[case(reply(7, "to nothing"))]
#[case(in_thread(7, "in nothing"))]
fn a_refused_first_message_makes_no_room(#[case] action: Action) {
    let mut world = World::empty();
    world.refuses_as("not_found", by("alice", action).to(DIRECT));
    assert!(world.stored.rooms.is_empty());
}

/// To a third user a direct room is the same whether it exists or not, and so is another's inbox.
#[rstest]
#[case::direct(DIRECT)]
#[case::inbox("@alice")]
fn a_third_user_learns_nothing(#[case] id: &str) {
    let mut world = World::empty();
    let asks = || {
        [
            send("hi"),
            edit(1, ""),
            delete(1),
            react(1, "+1"),
            unreact(1, "+1"),
            join(),
            join_or_create(),
            create(RoomKind::Public),
            leave(),
            invite("eve", Role::Member),
            kick("alice"),
            ban("alice", None),
            unban("alice"),
            mute("alice", None),
            unmute("alice"),
            set_role("alice", Role::Guest),
            rename("Ours"),
            close(),
            notify("spam"),
        ]
        .map(|action| by("eve", action).to(id))
    };
    let answers = |world: &World| asks().map(|ask| word(&world.clone().ask(ask)));
    let before = answers(&world);
    world.commits(by("alice", send("a secret")).to(DIRECT));
    world.commits(by("root", notify("a secret")).to("@alice").for_the_service());
    assert_eq!(answers(&world), before);
    assert!(!before.contains(&"ok") && !before.contains(&"same"), "{before:?}");
}

#[rstest]
#[case::its_own_user("alice", false)]
#[case::the_service("root", true)]
fn a_direct_room_keeps_its_two_users(#[case] who: &str, #[case] for_service: bool) {
    let mut world = World::empty();
    world.commits(by("alice", send("hi")).to(DIRECT));
    for action in [
        create(RoomKind::Public),
        join_or_create(),
        leave(),
        close(),
        invite("eve", Role::Member),
        kick("bob"),
        ban("bob", None),
        mute("bob", None),
        set_role("bob", Role::Guest),
    ] {
        let ask = by(who, action).to(DIRECT);
        world.refuses_as("forbidden", if for_service { ask.for_the_service() } else { ask });
    }
}

#[test]
fn the_service_reads_out_no_words_in_a_direct_room_but_takes_them_back() {
    let mut world = World::empty();
    world.commits(by("alice", send("abuse")).to(DIRECT));
    world.refuses_as(
        "forbidden",
        by("root", send("behave")).to(DIRECT).for_the_service(),
    );
    world.commits(by("root", delete(1)).to(DIRECT).for_the_service());
}

#[rstest]
#[case::an_inbox("@alice")]
#[case::announcements("@all")]
fn notifications_come_from_the_service(#[case] id: &str) {
    let mut world = World::empty();
    for who in ["alice", "eve"] {
        world.refuses_as("forbidden", by(who, notify("news")).to(id));
        world.refuses_as("forbidden", by(who, notify("news")).to(id).granted());
        world.refuses_as("forbidden", by(who, send("news")).to(id));
        world.refuses_as("forbidden", by(who, join_or_create()).to(id));
    }
    world.refuses_as("forbidden", by("root", send("news")).to(id).for_the_service());
    assert!(world.stored.rooms.is_empty());
    let first = world.commits(by("root", notify("news")).to(id).for_the_service());
    let second = world.commits(by("root", notify("more")).to(id).for_the_service());
    assert_eq!((first.seq, second.seq), (1, 2));
    assert_eq!(world.room(id).member_count, 0);
}

#[test]
fn notifications_do_not_go_to_direct_or_ordinary_rooms() {
    let mut world = World::empty();
    world.refuses_as(
        "forbidden",
        by("root", notify("news")).to(DIRECT).for_the_service(),
    );
    world.refuses_as("forbidden", by("root", notify("news")).for_the_service());
}
