//! `starling chat` in pipes, against a real server.

mod support;

use support::{Server, Talker, free_addr};

/// The contents of the messages of a talker's room, in the order in which they were shown.
fn messages(talker: &Talker) -> Vec<String> {
    let lines = talker.out.lines();
    let after_time = lines
        .iter()
        .filter_map(|line| line.split_once(' ').map(|(_, rest)| rest));
    after_time
        .filter(|rest| rest.starts_with("alice: ") || rest.starts_with("bob: "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn two_users_talk_and_go_on_after_the_server_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let addr = free_addr();
    let server = Server::start(addr, folder.path(), &[]);
    let mut alice = Talker::start(addr, "alice", &[]);
    alice.out.wait_for("you are in general", 1);
    let mut bob = Talker::start(addr, "bob", &[]);
    alice.out.wait_for("bob joined", 1);
    bob.out.wait_for("you are in general", 1);
    alice.say("hello bob");
    bob.out.wait_for("alice: hello bob", 1);
    bob.say("hello alice");
    alice.out.wait_for("bob: hello alice", 1);

    server.kill();
    alice.out.wait_for("reconnecting", 1);
    bob.out.wait_for("reconnecting", 1);
    for n in 0..5 {
        alice.say(&format!("said while away {n}"));
    }
    let _server = Server::start(addr, folder.path(), &[]);
    bob.out.wait_for("said while away 4", 1);
    bob.say("still here");
    alice.out.wait_for("bob: still here", 1);
    assert!(alice.finish().success());
    assert!(bob.finish().success());

    let mut expected = vec!["alice: hello bob".to_owned(), "bob: hello alice".to_owned()];
    expected.extend((0..5).map(|n| format!("alice: said while away {n}")));
    expected.push("bob: still here".to_owned());
    assert_eq!(messages(&alice), expected);
    assert_eq!(messages(&bob), expected);

    let mut carol = Talker::start(addr, "carol", &[]);
    assert!(carol.finish().success());
    assert_eq!(messages(&carol), expected, "the history is there");
}

#[test]
fn commands_rooms_and_direct_messages() {
    let folder = tempfile::tempdir().unwrap();
    let addr = free_addr();
    let _server = Server::start(addr, folder.path(), &[]);
    let bob = Talker::start(addr, "bob", &["--room", "other"]);
    bob.out.wait_for("you are in other", 1);
    let mut alice = Talker::start(addr, "alice", &[]);
    alice.say("/msg bob psst");
    bob.out.wait_for("[direct with alice] alice: psst", 1);
    alice.say("/join other");
    bob.out.wait_for("alice joined", 1);
    alice.out.wait_for("you are in other", 1);
    alice.say("here I am\u{1b}[2J");
    bob.out.wait_for("alice: here I am\\u{1b}[2J", 1);
    alice.say("/away");
    bob.out.wait_for("alice is away", 1);
    for line in ["/rooms", "/who", "/nonsense", "/help", "/msg", "//slashed"] {
        alice.say(line);
    }
    alice
        .out
        .wait_for("in other: alice (member, away), bob (owner, online)", 1);
    bob.out.wait_for("alice: /slashed", 1);
    for answer in [
        "general  1 member",
        "no command /nonsense",
        "/busy",
        "/msg USER TEXT",
    ] {
        alice.out.wait_for(answer, 1);
    }
    alice.say("/quit");
    assert!(alice.ended().success());
}

#[test]
fn what_another_try_would_not_change_ends_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let addr = free_addr();
    let _server = Server::start(
        addr,
        folder.path(),
        &[("STARLING_LIMITS__CONNECTIONS_PER_USER", "1")],
    );
    let mut stranger = Talker::start(addr, "mallory", &["--token", "nonsense"]);
    assert_eq!(stranger.ended().code(), Some(1));
    stranger.err.wait_for("the server refuses the token", 1);

    let alice = Talker::start(addr, "alice", &[]);
    alice.out.wait_for("you are in general", 1);
    let mut again = Talker::start(addr, "alice", &[]);
    assert_eq!(again.ended().code(), Some(1));
    again
        .err
        .wait_for("too many connections of this user (close code 4503)", 1);
}
