//! Every command against tables of what it must refuse.

use serde_json::{Value, json};
use starling_protocol::Command;

use super::{Node, Stage, suite::cases, token};
use crate::client::{Dial, TestClient};

/// Every field of every command, of a type that it is never of.
fn wrong_types() -> Value {
    json!({
        "token": 7, "roomId": { "a": 1 }, "roomIds": "r", "rooms": "r", "userId": [], "userIds": "bob", "name": [],
        "kind": 7, "role": 7, "status": 7, "scope": 7, "after": {}, "limit": "many", "seq": "first", "content": 7,
        "emoji": {}, "recipientId": [], "until": [],
    })
}

async fn every_command_checks_the_types_of_its_data(stage: &Stage<'_>) {
    // Fewer than close a connection.
    const A_CONNECTION: usize = 15;
    let node = stage.node().await;
    let checked: Vec<&str> = Command::NAMES
        .iter()
        .copied()
        .filter(|name| *name != "ping")
        .collect();
    for data in [wrong_types(), json!("text")] {
        for names in checked.chunks(A_CONNECTION) {
            let mut client = node.client("alice").await;
            for name in names {
                let refused = client.refused(name, data.clone()).await;
                assert_eq!(refused.code, "invalid_message", "{name} {data}");
            }
            client.close().await;
        }
    }
}

/// Data that each command accepts.
fn good_data(name: &str) -> Value {
    let room = json!({ "roomId": "r" });
    let on_bob = json!({ "roomId": "r", "userId": "bob" });
    let message = json!({ "roomId": "r", "seq": 1, "content": "x", "emoji": "+1" });
    match name {
        "refresh_token" => json!({ "token": "x" }),
        "create_room" => json!({ "name": "x" }),
        "subscribe" => json!({ "rooms": [room] }),
        "unsubscribe" => json!({ "roomIds": ["r"] }),
        "invite" | "kick" | "ban" | "unban" | "mute" | "unmute" => on_bob,
        "set_role" => json!({ "roomId": "r", "userId": "bob", "role": "guest" }),
        "send_message" | "edit_message" | "delete_message" | "add_reaction" | "remove_reaction"
        | "mark_read" => message,
        "signal" => json!({ "roomId": "r", "name": "x" }),
        "set_presence" => json!({ "status": "away" }),
        "watch_presence" | "unwatch_presence" => json!({ "userIds": ["bob"] }),
        "ping" | "list_rooms" => json!({}),
        _ => room,
    }
}

async fn every_command_needs_a_session(stage: &Stage<'_>) {
    let node = stage.node().await;
    let dial = Dial {
        wire: Some(stage.wire()),
        ..Dial::default()
    };
    let mut client = TestClient::dial(node.addr(), &dial).await.unwrap();
    for name in Command::NAMES.iter().filter(|name| **name != "authenticate") {
        let refused = client.refused(name, good_data(name)).await;
        assert_eq!(refused.code, "unauthenticated", "{name}");
    }
    let token = token::sign(&token::claims("alice"));
    client.call("authenticate", json!({ "token": token })).await;
}

/// A public room of alice's with one message, seq 2.
async fn with_room(node: &Node, room: &str) -> TestClient {
    let mut alice = node.client("alice").await;
    alice
        .call("create_room", json!({ "roomId": room, "name": "R" }))
        .await;
    alice
        .call("send_message", json!({ "roomId": room, "content": "hello" }))
        .await;
    alice
}

async fn strangers_are_refused(stage: &Stage<'_>) {
    let node = stage.node().await;
    let _alice = with_room(&node, "r").await;
    let mut mallory = node.client("mallory").await;
    let in_room = [
        "leave_room",
        "update_room",
        "delete_room",
        "invite",
        "kick",
        "ban",
        "unban",
        "mute",
        "unmute",
        "set_role",
        "list_members",
        "send_message",
        "edit_message",
        "delete_message",
        "add_reaction",
        "remove_reaction",
        "mark_read",
        "fetch_history",
        "fetch_events",
        "typing_start",
        "typing_stop",
        "signal",
    ];
    for name in in_room {
        let refused = mallory.refused(name, good_data(name)).await;
        assert_eq!(refused.code, "not_member", "{name}");
        let mut nowhere = good_data(name);
        nowhere["roomId"] = json!("nowhere");
        let refused = mallory.refused(name, nowhere).await;
        // Ephemeral commands look at what the session follows, not whether the room exists.
        let expected = if name.starts_with("typing") || name == "signal" {
            "not_member"
        } else {
            "not_found"
        };
        assert_eq!(refused.code, expected, "{name} in a room that is not there");
    }
}

async fn reserved_rooms_are_the_services_own(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut alice = node.client("alice").await;
    let mut bob = node.client("bob").await;
    bob.call(
        "send_message",
        json!({ "recipientId": "carol", "content": "for carol" }),
    )
    .await;
    for room in ["@all", "@alice", "@bob", "@dm:bob,carol", "@dm:alice,bob"] {
        for name in ["create_room", "join_room"] {
            let refused = alice
                .refused(name, json!({ "roomId": room, "name": "mine" }))
                .await;
            assert_eq!(refused.code, "invalid_message", "{name} {room}");
        }
        for name in [
            "invite",
            "kick",
            "ban",
            "mute",
            "set_role",
            "delete_room",
            "update_room",
            "leave_room",
        ] {
            let mut data = good_data(name);
            data["roomId"] = json!(room);
            let refused = alice.refused(name, data).await;
            assert!(
                ["forbidden", "not_found", "not_member"].contains(&refused.code.as_str()),
                "{name} {room}: {refused:?}"
            );
        }
    }
    for room in ["@all", "@alice", "@bob"] {
        let refused = alice
            .refused("send_message", json!({ "roomId": room, "content": "x" }))
            .await;
        assert_eq!(refused.code, "forbidden", "{room}");
    }
    for room in ["@bob", "@dm:bob,carol"] {
        let refused = alice.refused("fetch_history", json!({ "roomId": room })).await;
        assert_eq!(refused.code, "forbidden", "{room}");
        let refused = alice.refused("fetch_events", json!({ "roomId": room })).await;
        assert_eq!(refused.code, "forbidden", "{room}");
        let reply = alice
            .call("subscribe", json!({ "rooms": [{ "roomId": room }] }))
            .await;
        assert_eq!(reply["rooms"][0]["error"]["code"], "forbidden", "{room}");
    }
    let to_others = json!({ "roomId": "@dm:bob,carol", "content": "x" });
    let refused = alice.refused("send_message", to_others).await;
    assert!(
        ["forbidden", "not_found"].contains(&refused.code.as_str()),
        "{refused:?}"
    );
}

async fn ids_have_their_letters(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut alice = node.client("alice").await;
    let long = "r".repeat(129);
    for bad in [
        "",
        " ",
        "a b",
        "a/b",
        "ä",
        "@",
        "@dm:b,a",
        "a\u{0}",
        long.as_str(),
    ] {
        let refused = alice.refused("join_room", json!({ "roomId": bad })).await;
        assert_eq!(refused.code, "invalid_message", "{bad:?}");
        // Of many rooms, one bad id is an error of that room.
        let reply = alice
            .call("subscribe", json!({ "rooms": [{ "roomId": bad }] }))
            .await;
        assert_eq!(reply["rooms"][0]["error"]["code"], "invalid_message", "{bad:?}");
    }
    for good in ["r".repeat(128).as_str(), "A-z_0:9.x"] {
        alice.call("join_room", json!({ "roomId": good })).await;
    }
    let joined = alice.call("join_room", json!({ "roomId": 42 })).await;
    assert_eq!(joined["room"]["roomId"], "42");
}

cases!($ e2e_tables, tables, [
    every_command_checks_the_types_of_its_data,
    every_command_needs_a_session,
    strangers_are_refused,
    reserved_rooms_are_the_services_own,
    ids_have_their_letters,
]);
