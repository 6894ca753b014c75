//! Writing, answering, editing, deleting, reacting; slow mode.

use std::time::Duration;

use crate::{EventBody, Refusal, Role};

use super::{
    actions::*,
    cast::{lobby, message_by},
    world::{by, user},
};

#[test]
fn a_message_takes_the_next_seq() {
    let mut world = lobby(["bob"]);
    let first = world.commits(by("bob", send("one")).under("c1"));
    let second = world.commits(by("olga", send("two")));
    assert_eq!((first.seq, second.seq), (3, 4));
    assert_eq!(first.body, EventBody::MessageCreated(message("one")));
    assert_eq!((first.sender.as_str(), first.client_id.as_str()), ("bob", "c1"));
    assert_eq!(first.sender_name.as_deref(), Some("BOB"));
    assert_eq!(world.room("lobby").cursor(), second.cursor());
}

#[test]
fn an_answer_names_a_message_of_the_room() {
    let mut world = lobby(["bob"]);
    world.commits(by("olga", create(crate::RoomKind::Public)).to("other"));
    let elsewhere = world.commits(by("olga", send("elsewhere")).to("other")).seq;
    assert_eq!(elsewhere, 2, "in the lobby that is bob's join");
    for seq in [0, 1, elsewhere, 99] {
        let refusal = world.refuses(by("bob", reply(seq, "re")));
        assert_eq!(refusal, Refusal::NotFound("the message in replyTo"));
        let refusal = world.refuses(by("bob", in_thread(seq, "re")));
        assert_eq!(refusal, Refusal::NotFound("the message in thread"));
    }
    let root = world.commits(by("bob", send("root"))).seq;
    world.commits(by("olga", reply(root, "re")));
    world.commits(by("olga", in_thread(root, "re")));
}

#[test]
fn a_thread_is_one_level_deep() {
    let mut world = lobby(["bob"]);
    let root = world.commits(by("bob", send("root"))).seq;
    let answer = world.commits(by("olga", in_thread(root, "first"))).seq;
    world.refuses_as("invalid_message", by("bob", in_thread(answer, "nested")));
    // Within a thread one may answer any message, and an answer that is in no thread may begin one.
    let mut within = message("second");
    within.thread = Some(root);
    within.reply_to = Some(answer);
    world.commits(by("bob", crate::Action::Send(within)));
    let plain = world.commits(by("bob", reply(answer, "outside"))).seq;
    world.commits(by("bob", in_thread(plain, "a thread of its own")));
}

#[test]
fn what_was_deleted_keeps_its_place() {
    let mut world = lobby(["bob"]);
    let root = world.commits(by("bob", send("root"))).seq;
    world.commits(by("bob", delete(root)));
    for action in [
        edit(root, "x"),
        delete(root),
        react(root, "+1"),
        unreact(root, "+1"),
    ] {
        let refusal = world.refuses(by("bob", action));
        assert_eq!(refusal, Refusal::NotFound("this message"));
    }
    // The conversation goes on around it.
    world.commits(by("olga", in_thread(root, "what was here?")));
    world.commits(by("olga", reply(root, "what was here?")));
}

#[test]
fn only_messages_are_edited_deleted_and_reacted_to() {
    let mut world = lobby(["bob"]);
    let joined = world.member("bob").joined_seq;
    for action in [edit(joined, "x"), delete(joined), react(joined, "+1")] {
        world.refuses_as("not_found", by("bob", action));
    }
}

#[test]
fn the_author_edits_as_often_as_they_like() {
    let mut world = lobby(["bob"]);
    let seq = world.commits(by("bob", send("frist"))).seq;
    for content in ["fisrt", "first"] {
        let event = world.commits(by("bob", edit(seq, content)));
        let EventBody::MessageUpdated(body) = &event.body else {
            panic!("{event:?}");
        };
        assert_eq!((body.ref_seq, body.content.as_str()), (seq, content));
    }
    world.refuses_as(
        "forbidden",
        by("root", edit(seq, "by the service")).for_the_service(),
    );
}

#[test]
fn who_may_not_write_may_not_rewrite() {
    let mut world = lobby(["bob"]);
    let seq = world.commits(by("bob", send("harmless"))).seq;
    world.commits(by("olga", set_role("bob", Role::Guest)));
    world.refuses_as("forbidden", by("bob", edit(seq, "harmful")));
    world.commits(by("olga", set_role("bob", Role::Member)));
    world.commits(by("olga", mute("bob", None)));
    world.refuses_as("muted", by("bob", edit(seq, "harmful")));
    world.commits(by("olga", ban("bob", None)));
    for action in [
        edit(seq, "harmful"),
        delete(seq),
        react(seq, "+1"),
        unreact(seq, "+1"),
    ] {
        world.refuses_as("banned", by("bob", action));
    }
    world.commits(by("olga", unban("bob")));
    for action in [edit(seq, "harmful"), delete(seq), react(seq, "+1")] {
        world.refuses_as("not_member", by("bob", action));
    }
}

#[test]
fn a_reaction_is_one_for_each_user_and_emoji() {
    let mut world = lobby(["bob"]);
    let seq = world.commits(by("bob", send("hi"))).seq;
    world.commits(by("bob", react(seq, "+1")));
    world.leaves_as_is(by("bob", react(seq, "+1")));
    world.commits(by("bob", react(seq, "tada")));
    world.commits(by("olga", react(seq, "+1")));
    world.commits(by("bob", unreact(seq, "+1")));
    world.leaves_as_is(by("bob", unreact(seq, "+1")));
    world.commits(by("bob", react(seq, "+1")));
    let of_bob = world.stored.reactions.iter().filter(|key| key.2 == user("bob"));
    assert_eq!(of_bob.count(), 2);
}

#[test]
fn slow_mode_holds_members_back() {
    let mut world = lobby(["bob", "mona"]);
    world.commits(by("olga", set_role("mona", Role::Moderator)));
    world.commits(by("olga", slow_mode(10)));
    let first = world.commits(by("bob", send("one"))).seq;
    world.wait(4);
    assert_eq!(
        world.refuses(by("bob", send("two"))),
        Refusal::SlowMode {
            retry_after: Duration::from_secs(6)
        }
    );
    // What was refused does not begin the wait anew; edits and reactions are no messages.
    world.commits(by("bob", edit(first, "one and a half")));
    world.commits(by("bob", react(first, "+1")));
    world.wait(6);
    world.commits(by("bob", send("two")));
    world.refuses_as("slow_mode", by("bob", send("three")));
    for who in ["olga", "mona"] {
        world.commits(by(who, send("one")));
        world.commits(by(who, send("two")));
    }
    world.commits(by("bob", send("by the service")).for_the_service());
    world.commits(by("olga", slow_mode(0)));
    world.commits(by("bob", send("three")));
}

#[test]
fn slow_mode_is_not_escaped_by_coming_back() {
    let mut world = lobby(["bob"]);
    world.commits(by("olga", slow_mode(10)));
    world.commits(by("bob", send("one")));
    world.commits(by("bob", leave()));
    world.commits(by("bob", join()));
    world.refuses_as("slow_mode", by("bob", send("two")));
}

#[test]
fn a_message_that_is_refused_does_not_count_for_slow_mode() {
    let mut world = lobby(["bob"]);
    world.commits(by("olga", slow_mode(10)));
    world.refuses_as("not_found", by("bob", reply(99, "to nothing")));
    world.commits(by("bob", send("one")));
}

#[test]
fn moderators_delete_what_members_wrote() {
    let mut world = lobby(["bob", "mona"]);
    world.commits(by("olga", set_role("mona", Role::Moderator)));
    for who in ["bob", "olga"] {
        world.commits(by(who, send("hi")));
        let seq = message_by(&world, who).unwrap();
        world.commits(by("mona", delete(seq)));
    }
}
