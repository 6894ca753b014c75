//! The same client id again.

use rstest::rstest;

use crate::{Action, Outcome, Role, RoomKind, event::Notification};

use super::{
    actions::*,
    cast::{cast, lobby, message_by},
    world::{World, by, word},
};

#[test]
fn a_retry_gets_the_first_outcome() {
    let mut world = lobby(["bob"]);
    let first = world.commits(by("bob", send("hi")).under("c1"));
    world.wait(3600);
    assert_eq!(world.repeats(by("bob", send("hi")).under("c1")), first);
    world.refuses_as("conflict", by("bob", send("bye")).under("c1"));
    world.refuses_as("conflict", by("bob", reply(first.seq, "hi")).under("c1"));
}

#[test]
fn a_client_id_belongs_to_one_sender_in_one_room() {
    let mut world = lobby(["bob", "eve"]);
    world.commits(by("bob", send("hi")).under("c1"));
    world.commits(by("eve", send("hi")).under("c1"));
    world.commits(by("bob", create(RoomKind::Public)).to("other"));
    world.commits(by("bob", send("hi")).to("other").under("c1"));
}

#[test]
fn what_was_refused_or_changed_nothing_uses_no_client_id() {
    let mut world = lobby([]);
    world.refuses_as("not_member", by("bob", send("hi")).under("c1"));
    world.commits(by("bob", join()));
    world.leaves_as_is(by("bob", join()).under("c1"));
    world.commits(by("bob", send("hi")).under("c1"));
}

/// The first outcome stands, whatever has become of the sender, the message or the room.
#[rstest]
#[case::after_a_ban("olga", ban("bob", None))]
#[case::after_a_mute("olga", mute("bob", None))]
#[case::after_a_kick("olga", kick("bob"))]
#[case::after_leaving("bob", leave())]
#[case::after_deleting_it("bob", delete(3))]
#[case::after_an_edit("bob", edit(3, "hello"))]
#[case::after_closing("olga", close())]
fn a_retry_comes_before_the_rules(#[case] who: &str, #[case] then: Action) {
    let mut world = lobby(["bob"]);
    let first = world.commits(by("bob", send("hi")).under("c1"));
    assert_eq!(first.seq, 3);
    world.commits(by(who, then));
    assert_eq!(world.repeats(by("bob", send("hi")).under("c1")), first);
    world.refuses_as("conflict", by("bob", send("bye")).under("c1"));
}

#[test]
fn retries_within_a_batch() {
    let mut world = lobby(["bob"]);
    let outcomes = world.batch([
        by("bob", send("hi")).under("c1"),
        by("bob", send("hi")).under("c1"),
        by("bob", send("bye")).under("c1"),
        by("olga", ban("bob", None)),
        by("bob", send("hi")).under("c1"),
        by("bob", send("new")).under("c2"),
    ]);
    let words = outcomes.each_ref().map(word);
    assert_eq!(words, ["ok", "repeated", "conflict", "ok", "repeated", "banned"]);
    assert_eq!(outcomes[0].event(), outcomes[4].event());
}

/// Every action is told from every other under one client id, and from itself with other fields.
#[test]
fn a_client_id_names_one_thing_that_was_asked() {
    let asks = |world: &World| {
        let (own, other) = (
            message_by(world, "olga").unwrap(),
            message_by(world, "mary").unwrap(),
        );
        vec![
            by("olga", rename("Hall")),
            by("olga", rename("Great hall")),
            by("olga", invite("nina", Role::Member)),
            by("olga", invite("nina", Role::Guest)),
            by("olga", invite("nora", Role::Guest)),
            by("olga", kick("mary")),
            by("olga", kick("mona")),
            by("olga", ban("mary", None)),
            by("olga", ban("mary", Some(world.after(60)))),
            by("olga", ban("mona", None)),
            by("olga", unban("ben")),
            by("olga", mute("mary", None)),
            by("olga", mute("mary", Some(world.after(60)))),
            by("olga", mute("mona", None)),
            by("olga", unmute("mia")),
            by("olga", set_role("mary", Role::Guest)),
            by("olga", set_role("mary", Role::Admin)),
            by("olga", set_role("mona", Role::Admin)),
            by("olga", send("hi")),
            by("olga", reply(own, "hi")),
            by("olga", in_thread(own, "hi")),
            by("olga", edit(own, "x")),
            by("olga", edit(own, "y")),
            by("olga", delete(own)),
            by("olga", delete(other)),
            by("olga", react(own, "+1")),
            by("olga", react(own, "-1")),
            by("olga", react(other, "+1")),
            by("olga", leave()),
            by("olga", close()),
        ]
    };
    let world = cast(RoomKind::Public);
    for (i, first) in asks(&world).into_iter().enumerate() {
        let mut world = world.clone();
        let event = world.commits(first.under("c1"));
        for (j, second) in asks(&world).into_iter().enumerate() {
            let outcome = world.ask(second.clone().under("c1"));
            let wanted = if i == j { "repeated" } else { "conflict" };
            assert_eq!(word(&outcome), wanted, "{second:?} after {event:?}");
        }
    }
}

#[test]
fn joins_creations_and_notifications_are_repeated_too() {
    let mut world = World::empty();
    for ask in [
        by("olga", create(RoomKind::Public)).under("c1"),
        by("bob", join()).under("c1"),
        by("eve", join_or_create()).to("other").under("c1"),
        by("root", notify("news"))
            .to("@bob")
            .for_the_service()
            .under("c1"),
    ] {
        let event = world.commits(ask.clone());
        assert_eq!(world.repeats(ask), event);
    }
    world.refuses_as("conflict", by("olga", create(RoomKind::Private)).under("c1"));
    let other = Action::Notify(Notification {
        topic: "news".to_owned(),
        payload: serde_json::json!({ "n": 2 }),
    });
    world.refuses_as(
        "conflict",
        by("root", other).to("@bob").for_the_service().under("c1"),
    );
}

/// Numbers come from MessagePack as they are and from the store as JSON: both must be the same number, or a retry
/// would be taken for another message.
#[test]
fn a_stored_message_is_the_same_to_the_last_digit() {
    for number in [
        114.016_210_295_150_23,
        124.151_255_717_407_35,
        0.1 + 0.2,
        5e-324,
        f64::MAX,
        -0.0,
    ] {
        let mut world = lobby(["bob"]);
        let mut located = message("here");
        located.metadata = Some(serde_json::json!({ "longitude": number }));
        let ask = by("bob", Action::Send(located)).under("c1");
        let event = world.commits(ask.clone());
        let json = event.body.to_json().unwrap();
        let stored = crate::EventBody::from_json(event.body.kind(), &json)
            .unwrap()
            .unwrap();
        for kept in &mut world.stored.log {
            if kept.seq == event.seq {
                std::sync::Arc::make_mut(kept).body = stored.clone();
            }
        }
        assert!(matches!(world.ask(ask), Outcome::Repeated(_)), "{number}");
    }
}
