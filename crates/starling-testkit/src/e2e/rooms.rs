//! Rooms: create, join, follow, leave, change, list.

use serde_json::{Value, json};

use super::{
    Settings, Stage,
    stage::{contents, page_contents, send, unlimited},
    suite::cases,
};
use crate::client::text;

async fn creating_makes_an_owner(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut alice = node.client("alice").await;
    let data = json!({
        "roomId": "r", "name": "The room", "description": "about it", "maxMembers": 10,
        "settings": { "slowModeSeconds": 0, "color": "red" },
    });
    let room = alice.call("create_room", data).await;
    assert_eq!(
        (
            &room["roomId"],
            &room["name"],
            &room["kind"],
            &room["description"]
        ),
        (
            &json!("r"),
            &json!("The room"),
            &json!("public"),
            &json!("about it")
        )
    );
    assert_eq!(
        (
            &room["maxMembers"],
            &room["memberCount"],
            &room["createdBy"],
            &room["head"]
        ),
        (&json!(10), &json!(1), &json!("alice"), &json!(1))
    );
    assert_eq!(room["settings"]["color"], "red");
    let joined = alice.call("join_room", json!({ "roomId": "r" })).await;
    assert_eq!((&joined["role"], &joined["head"]), (&json!("owner"), &json!(1)));

    let again = alice
        .refused("create_room", json!({ "roomId": "r", "name": "x" }))
        .await;
    assert_eq!(again.code, "room_exists");
    let unnamed = alice
        .call("create_room", json!({ "name": "without an id" }))
        .await;
    assert_eq!(text(&unnamed, "roomId").len(), 36);
    for bad in [
        json!({ "name": "" }),
        json!({ "name": "x".repeat(129) }),
        json!({ "name": "x", "description": "x".repeat(1025) }),
        json!({ "name": "x", "maxMembers": 0 }),
        json!({ "name": "x", "kind": "direct" }),
        json!({ "name": "x", "kind": "secret" }),
    ] {
        assert_eq!(alice.refused("create_room", bad).await.code, "invalid_message");
    }
    let large = json!({ "name": "x", "settings": { "x": "y".repeat(5000) } });
    assert_eq!(alice.refused("create_room", large).await.code, "message_too_long");
}

async fn joining_makes_a_member_who_follows(stage: &Stage<'_>) {
    let node = stage.node().await;
    let (mut alice, first) = node.joined("alice", "r").await;
    assert_eq!(
        (&first["role"], &first["head"], &first["messages"]),
        (&json!("owner"), &json!(1), &json!([]))
    );
    assert_eq!(
        (&first["unread"], &first["mentions"], &first["onlineCount"]),
        (&json!(0), &json!(0), &json!(1))
    );
    for n in 1..=3 {
        send(&mut alice, "r", &format!("m{n}")).await;
    }
    let (mut bob, joined) = node.joined("bob", "r").await;
    assert_eq!(
        (&joined["role"], &joined["head"], &joined["onlineCount"]),
        (&json!("member"), &json!(5), &json!(2))
    );
    assert_eq!(joined["room"]["memberCount"], 2);
    assert_eq!(page_contents(&joined), ["m1", "m2", "m3"]);
    assert_eq!(joined["unread"], 0, "what was said before is not unread");
    let event = alice.event("member_joined").await;
    assert_eq!(
        (&event["userId"], &event["seq"], &event["role"]),
        (&json!("bob"), &json!(5), &json!("member"))
    );

    send(&mut alice, "r", "m4").await;
    assert_eq!(bob.event("message_created").await["content"], "m4");
    let again = bob
        .call("join_room", json!({ "roomId": "r", "history": 2 }))
        .await;
    assert_eq!(
        (page_contents(&again), &again["head"]),
        (vec!["m3", "m4"], &json!(6))
    );
    assert_eq!(
        bob.call("join_room", json!({ "roomId": "r", "history": 0 }))
            .await["messages"],
        json!([])
    );
    alice.has_no("member_joined").await;
    bob.has_no("message_created").await;
}

async fn rooms_are_made_by_joining_where_that_is_allowed(stage: &Stage<'_>) {
    let settings = Settings {
        auto_create: Some(false),
        ..unlimited()
    };
    let node = stage.node_with(settings).await;
    let mut alice = node.client("alice").await;
    assert_eq!(
        alice.refused("join_room", json!({ "roomId": "r" })).await.code,
        "not_found"
    );
    alice
        .call("create_room", json!({ "roomId": "r", "name": "R" }))
        .await;
    node.member("bob", "r").await;
}

async fn leaving_ends_it(stage: &Stage<'_>) {
    let node = stage.node().await;
    let (mut alice, mut bob) = (node.member("alice", "r").await, node.member("bob", "r").await);
    let mut second = node.client("bob").await;
    second.call("subscribe", json!({ "all": true })).await;
    bob.call("leave_room", json!({ "roomId": "r" })).await;
    assert_eq!(alice.event("member_left").await["userId"], "bob");
    // Both of bob's sessions learn of it, and hear nothing behind it.
    send(&mut alice, "r", "after").await;
    alice.event("message_created").await;
    for session in [&mut bob, &mut second] {
        session.event("member_left").await;
        session.has_no("message_created").await;
    }
    for (name, data) in [
        ("leave_room", json!({ "roomId": "r" })),
        ("send_message", json!({ "roomId": "r", "content": "x" })),
        ("fetch_history", json!({ "roomId": "r" })),
    ] {
        assert_eq!(bob.refused(name, data).await.code, "not_member", "{name}");
    }
    let back = bob.call("join_room", json!({ "roomId": "r" })).await;
    assert_eq!(
        (page_contents(&back), &back["role"]),
        (vec!["after"], &json!("member"))
    );
}

async fn subscribing_follows_named_rooms(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut alice = node.member("alice", "a").await;
    for room in ["b", "others"] {
        let mut carol = node.member("carol", room).await;
        send(&mut carol, room, "there").await;
    }
    let mut bob = node.client("bob").await;
    for room in ["a", "b"] {
        bob.call("join_room", json!({ "roomId": room })).await;
    }
    bob.close().await;
    send(&mut alice, "a", "missed").await;
    let mut bob = node.client("bob").await;
    let rooms =
        json!([{ "roomId": "a" }, { "roomId": "others" }, { "roomId": "nowhere" }, { "roomId": "b" }]);
    let reply = bob.call("subscribe", json!({ "rooms": rooms })).await;
    let rooms = reply["rooms"].as_array().expect("rooms");
    assert_eq!(
        (
            &rooms[0]["roomId"],
            &rooms[0]["head"],
            &rooms[0]["unread"],
            &rooms[0]["mentions"]
        ),
        (&json!("a"), &json!(3), &json!(1), &json!(0))
    );
    assert_eq!(
        (&rooms[1]["roomId"], &rooms[1]["error"]["code"]),
        (&json!("others"), &json!("not_member"))
    );
    assert_eq!(
        (&rooms[2]["roomId"], &rooms[2]["error"]["code"]),
        (&json!("nowhere"), &json!("not_found"))
    );
    assert_eq!(
        (&rooms[3]["roomId"], &rooms[3]["unread"]),
        (&json!("b"), &json!(0))
    );
    send(&mut alice, "a", "live").await;
    assert_eq!(bob.event("message_created").await["content"], "live");
    for bad in [json!({}), json!({ "rooms": [] }), json!({ "rooms": [{}] })] {
        assert_eq!(bob.refused("subscribe", bad).await.code, "invalid_message");
    }
}

async fn subscribing_to_all_follows_every_room(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut alice = node.client("alice").await;
    let mut bob = node.client("bob").await;
    let mut cursor = Value::Null;
    for room in ["a", "b", "left"] {
        alice.call("join_room", json!({ "roomId": room })).await;
        let joined = bob.call("join_room", json!({ "roomId": room })).await;
        cursor = joined["cursor"].clone();
        send(&mut alice, room, &format!("first in {room}")).await;
    }
    alice
        .call(
            "send_message",
            json!({ "recipientId": "bob", "content": "direct" }),
        )
        .await;
    bob.call("leave_room", json!({ "roomId": "left" })).await;
    bob.close().await;
    let mut bob = node.client("bob").await;
    let all = json!({ "all": true, "cursors": { "left": cursor, "nowhere": cursor } });
    let reply = bob.call("subscribe", all).await;
    let rooms = reply["rooms"].as_array().expect("rooms");
    let named = |id: &str| {
        let room = rooms.iter().find(|room| room["roomId"] == id);
        room.unwrap_or_else(|| panic!("no {id} in {reply}"))
    };
    assert_eq!(rooms.len(), 5, "{reply}");
    assert_eq!(
        (&named("a")["unread"], &named("b")["unread"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&named("@dm:alice,bob")["unread"], &named("@dm:alice,bob")["head"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(named("left")["error"]["code"], "not_member");
    assert_eq!(named("nowhere")["error"]["code"], "not_found");
    send(&mut alice, "left", "x").await;
    send(&mut alice, "b", "y").await;
    alice
        .call("send_message", json!({ "recipientId": "bob", "content": "z" }))
        .await;
    let came = [
        bob.event("message_created").await,
        bob.event("message_created").await,
    ];
    let mut came: Vec<&str> = came.iter().map(|data| text(data, "content")).collect();
    came.sort_unstable();
    assert_eq!(came, ["y", "z"]);
}

async fn unsubscribing_keeps_the_membership(stage: &Stage<'_>) {
    let node = stage.node().await;
    let (mut alice, mut bob) = (node.member("alice", "r").await, node.member("bob", "r").await);
    bob.call("unsubscribe", json!({ "roomIds": ["r", "never-followed"] }))
        .await;
    send(&mut alice, "r", "unheard").await;
    send(&mut bob, "r", "a member may write").await;
    assert_eq!(
        alice
            .event_where("message_created", |data| data["senderId"] == "bob")
            .await["seq"],
        4
    );
    bob.has_no("message_created").await;
    let reply = bob
        .call("subscribe", json!({ "rooms": [{ "roomId": "r" }] }))
        .await;
    assert_eq!(reply["rooms"][0]["head"], 4);
    send(&mut alice, "r", "heard").await;
    assert_eq!(contents(&bob.durable("r", 1).await), ["heard"]);
}

cases!($ e2e_rooms, rooms, [
    creating_makes_an_owner,
    joining_makes_a_member_who_follows,
    rooms_are_made_by_joining_where_that_is_allowed,
    leaving_ends_it,
    subscribing_follows_named_rooms,
    subscribing_to_all_follows_every_room,
    unsubscribing_keeps_the_membership,
]);
