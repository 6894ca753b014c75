//! Several drafts in one batch: each sees what those before it did.

use crate::{Outcome, Role, RoomKind, rules::Needs};

use super::{
    actions::*,
    cast::{cast, lobby},
    world::{Ask, World, by, room, user, word},
};

fn words<const N: usize>(world: &mut World, asks: [Ask; N]) -> String {
    world.batch(asks).each_ref().map(word).join(" ")
}

#[test]
fn a_life_in_one_batch() {
    let mut world = World::empty();
    let outcomes = words(
        &mut world,
        [
            by("bob", send("too early")),
            by("olga", create(RoomKind::Public)),
            by("olga", create(RoomKind::Public)),
            by("bob", join()),
            by("bob", send("hi")),
            by("olga", reply(3, "hi bob")),
            by("bob", edit(3, "hello")),
            by("olga", react(3, "+1")),
            by("olga", react(3, "+1")),
            by("olga", unreact(3, "+1")),
            by("olga", unreact(3, "+1")),
            by("bob", delete(3)),
            by("olga", react(3, "+1")),
            by("bob", leave()),
            by("bob", send("too late")),
        ],
    );
    assert_eq!(
        outcomes,
        "not_found ok room_exists ok ok ok ok ok same ok same ok not_found ok not_member"
    );
}

#[test]
fn seqs_are_dense_in_each_room() {
    let mut world = lobby(["bob"]);
    world.commits(by("bob", create(RoomKind::Public)).to("other"));
    let outcomes = world.batch([
        by("bob", send("a")),
        by("bob", send("b")).to("other"),
        by("bob", send("refused")).to("nowhere"),
        by("bob", send("c")),
        by("bob", send("d")).to("other"),
    ]);
    let seqs = outcomes
        .each_ref()
        .map(|outcome| outcome.event().map(|event| event.seq));
    assert_eq!(seqs, [Some(3), Some(2), None, Some(4), Some(3)]);
}

#[test]
fn no_message_lands_after_a_ban() {
    let mut world = lobby(["bob"]);
    let outcomes = words(
        &mut world,
        [
            by("bob", send("in time")),
            by("olga", ban("bob", None)),
            by("bob", send("late")),
            by("bob", edit(3, "late")),
            by("bob", join()),
            by("olga", unban("bob")),
            by("bob", send("late")),
            by("bob", join()),
            by("bob", send("back")),
        ],
    );
    assert_eq!(outcomes, "ok ok banned banned banned ok not_member ok ok");
}

#[test]
fn power_is_gone_with_the_role() {
    let mut world = cast(RoomKind::Public);
    let outcomes = words(
        &mut world,
        [
            by("adam", set_role("mona", Role::Member)),
            by("mona", kick("vera")),
            by("olga", kick("adam")),
            by("adam", kick("vera")),
            by("mike", kick("vera")),
        ],
    );
    assert_eq!(outcomes, "ok forbidden ok not_member ok");
}

#[test]
fn a_closed_room_takes_nothing_more_and_may_be_opened_anew() {
    let mut world = lobby(["bob", "eve"]);
    let outcomes = words(
        &mut world,
        [
            by("bob", send("old")),
            by("olga", mute("eve", None)),
            by("olga", close()),
            by("bob", send("late")),
            by("bob", join()),
            by("bob", join_or_create()),
            by("bob", send("new")),
            by("bob", react(4, "+1")),
            by("olga", send("not mine any more")),
            by("eve", join()),
            by("eve", send("not muted any more")),
        ],
    );
    assert_eq!(
        outcomes,
        "ok ok ok not_found not_found ok ok not_found not_member ok ok"
    );
    assert_eq!(world.room("lobby").member_count, 2);
    assert_eq!(world.member("bob").role, Role::Owner);
}

#[test]
fn the_last_place_goes_to_the_first_to_come() {
    let mut world = lobby([]);
    world.commits(by("olga", max_members(2)));
    let asks = [
        by("bob", join()),
        by("eve", join()),
        by("bob", leave()),
        by("eve", join()),
    ];
    assert_eq!(words(&mut world, asks), "ok room_full ok ok");
}

#[test]
fn rooms_are_counted_as_the_batch_goes() {
    let mut world = World::empty();
    let opens = |id: &str| by("bob", at_most(join_or_create(), 2)).to(id);
    let asks = [
        opens("a"),
        opens("b"),
        opens("c"),
        by("bob", leave()).to("a"),
        opens("c"),
        opens("a"),
        by("root", close()).to("b").for_the_service(),
        opens("a"),
    ];
    assert_eq!(
        words(&mut world, asks),
        "ok ok too_many_rooms ok ok too_many_rooms ok ok"
    );
}

/// Bob's place in the closed room is freed for him although nothing else in the batch concerns it.
#[test]
fn a_closed_room_frees_the_places_of_all_its_members() {
    let mut world = lobby(["bob"]);
    let asks = [
        by("bob", at_most(join_or_create(), 1)).to("other"),
        by("olga", close()),
        by("bob", at_most(join_or_create(), 1)).to("other"),
    ];
    assert_eq!(words(&mut world, asks), "too_many_rooms ok ok");
}

#[test]
fn slow_mode_holds_within_a_batch() {
    let mut world = lobby(["bob"]);
    let asks = [
        by("bob", send("one")),
        by("olga", slow_mode(10)),
        by("bob", send("two")),
        by("bob", send("three")),
        by("olga", slow_mode(0)),
        by("bob", send("four")),
    ];
    assert_eq!(words(&mut world, asks), "ok ok ok slow_mode ok ok");
}

#[test]
fn a_direct_room_is_made_once() {
    let mut world = World::empty();
    let asks = [
        by("bob", send("hi")).to("@dm:alice,bob"),
        by("alice", send("hi")).to("@dm:alice,bob"),
        by("alice", reply(1, "re")).to("@dm:alice,bob"),
    ];
    assert_eq!(words(&mut world, asks), "ok ok ok");
    assert_eq!(world.room("@dm:alice,bob").member_count, 2);
}

#[test]
fn an_empty_batch_comes_to_nothing() {
    let mut world = World::empty();
    assert_eq!(world.batch([]), [] as [Outcome; 0]);
    assert_eq!(Needs::of(&[]), Needs::default());
}

#[test]
fn a_batch_needs_what_it_names() {
    let mut world = World::empty();
    let drafts = [
        by("bob", join()).under("c1"),
        by("olga", kick("eve")).to("other"),
        by("bob", react(3, "+1")),
        by("bob", in_thread(7, "hi")),
    ]
    .map(|ask| world.draft(ask));
    let needs = Needs::of(&drafts);
    let lobby = room("lobby");
    assert_eq!(needs.rooms, [lobby.clone(), room("other")].into());
    assert_eq!(
        needs.members,
        [
            (lobby.clone(), user("bob")),
            (room("other"), user("eve")),
            (room("other"), user("olga")),
        ]
        .into()
    );
    assert_eq!(needs.messages, [(lobby.clone(), 3), (lobby.clone(), 7)].into());
    assert_eq!(needs.reactions, [(lobby, 3, user("bob"), "+1".to_owned())].into());
    assert_eq!(needs.joined, [user("bob")].into());
    assert_eq!(needs.earlier.len(), 4);
}

#[test]
fn who_joins_after_a_closing_may_have_been_a_member_there() {
    let mut world = World::empty();
    let drafts = [
        by("bob", join()).to("other"),
        by("olga", close()),
        by("eve", join()).to("other"),
    ]
    .map(|ask| world.draft(ask));
    let needs = Needs::of(&drafts);
    assert!(needs.members.contains(&(room("lobby"), user("eve"))));
    assert!(!needs.members.contains(&(room("lobby"), user("bob"))));
}
