//! Rooms: change, close, open anew, list, limits.

use serde_json::{Value, json};

use super::{
    Settings, Stage,
    stage::{durable_of, page_contents, send, unlimited},
    suite::cases,
};
use crate::client::{number, text};

async fn changing_and_deleting_is_told(stage: &Stage<'_>) {
    let node = stage.node().await;
    let (mut alice, mut bob) = (node.member("alice", "r").await, node.member("bob", "r").await);
    let change = json!({ "roomId": "r", "name": "New", "settings": { "slowModeSeconds": 5 } });
    assert_eq!(bob.refused("update_room", change.clone()).await.code, "forbidden");
    let changed = alice.call("update_room", change).await;
    assert_eq!(
        (&changed["name"], &changed["settings"]["slowModeSeconds"]),
        (&json!("New"), &json!(5))
    );
    let event = bob.event("room_updated").await;
    assert_eq!(
        (&event["name"], &event["description"]),
        (&json!("New"), &Value::Null)
    );

    assert_eq!(
        bob.refused("delete_room", json!({ "roomId": "r" })).await.code,
        "forbidden"
    );
    alice.call("delete_room", json!({ "roomId": "r" })).await;
    for member in [&mut alice, &mut bob] {
        member.event("room_deleted").await;
        for name in ["send_message", "fetch_history", "leave_room"] {
            let refused = member
                .refused(name, json!({ "roomId": "r", "content": "x" }))
                .await;
            assert_eq!(refused.code, "not_found", "{name}");
        }
        assert_eq!(member.call("list_rooms", json!({})).await["rooms"], json!([]));
    }
}

async fn a_reopened_room_says_nothing_of_the_old_one(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut alice = node.client("alice").await;
    alice
        .call(
            "create_room",
            json!({ "roomId": "r", "name": "R", "kind": "private" }),
        )
        .await;
    let old = alice.call("join_room", json!({ "roomId": "r" })).await;
    send(&mut alice, "r", "a secret").await;
    alice.call("delete_room", json!({ "roomId": "r" })).await;

    let mut mallory = node.client("mallory").await;
    mallory
        .call("create_room", json!({ "roomId": "r", "name": "mine" }))
        .await;
    send(&mut mallory, "r", "new").await;
    for cursor in [json!("0.00000000"), old["cursor"].clone()] {
        mallory
            .call(
                "subscribe",
                json!({ "rooms": [{ "roomId": "r", "cursor": cursor }] }),
            )
            .await;
        let came = mallory.settled().await;
        let leaked: Vec<_> = durable_of(&came, "r")
            .into_iter()
            .filter(|event| number(&event["data"], "seq") <= 3)
            .collect();
        assert!(leaked.is_empty(), "{leaked:?}");
        mallory.call("unsubscribe", json!({ "roomIds": ["r"] })).await;
    }
    let page = mallory.call("fetch_history", json!({ "roomId": "r" })).await;
    assert_eq!(page_contents(&page), ["new"]);
    let page = mallory
        .call("fetch_events", json!({ "roomId": "r", "after": 0 }))
        .await;
    let kinds: Vec<_> = page["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| text(event, "type"))
        .collect();
    assert_eq!(kinds, ["room_created", "message_created"]);
}

async fn lists_come_in_pages(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut alice = node.client("alice").await;
    for n in 0..5 {
        alice
            .call("join_room", json!({ "roomId": format!("r{n}") }))
            .await;
    }
    let private = json!({ "roomId": "r9", "name": "hidden", "kind": "private" });
    alice.call("create_room", private).await;
    let mut bob = node.member("bob", "r3").await;
    send(&mut alice, "r3", "one").await;
    bob.event("message_created").await;

    let mut seen = Vec::new();
    let mut after = Value::Null;
    loop {
        let page = bob
            .call(
                "list_rooms",
                json!({ "scope": "public", "limit": 2, "after": after }),
            )
            .await;
        seen.extend(
            page["rooms"]
                .as_array()
                .expect("rooms")
                .iter()
                .map(|room| text(room, "roomId").to_owned()),
        );
        assert_eq!(page["hasMore"], !page["next"].is_null());
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!(
        seen,
        ["r0", "r1", "r2", "r3", "r4"],
        "private rooms are not listed"
    );
    let mine = bob.call("list_rooms", json!({})).await;
    let room = &mine["rooms"][0];
    assert_eq!(
        (&room["roomId"], &room["role"], &room["unread"], &mine["hasMore"]),
        (&json!("r3"), &json!("member"), &json!(1), &json!(false))
    );
    let page = bob
        .call("list_members", json!({ "roomId": "r3", "limit": 1 }))
        .await;
    assert_eq!(
        (&page["members"][0]["userId"], &page["next"]),
        (&json!("alice"), &json!("alice"))
    );
    let page = bob
        .call("list_members", json!({ "roomId": "r3", "after": page["next"] }))
        .await;
    let member = &page["members"][0];
    assert_eq!(
        (&member["userId"], &member["role"], &page["hasMore"]),
        (&json!("bob"), &json!("member"), &json!(false))
    );
}

async fn rooms_have_limits(stage: &Stage<'_>) {
    let settings = Settings {
        rooms_per_session: Some(2),
        rooms_per_user: Some(3),
        ..unlimited()
    };
    let node = stage.node_with(settings).await;
    let mut alice = node.client("alice").await;
    alice
        .call(
            "create_room",
            json!({ "roomId": "small", "name": "x", "maxMembers": 1 }),
        )
        .await;
    let mut bob = node.client("bob").await;
    assert_eq!(
        bob.refused("join_room", json!({ "roomId": "small" })).await.code,
        "room_full"
    );
    for room in ["a", "b"] {
        bob.call("join_room", json!({ "roomId": room })).await;
    }
    // A member of the third, which this session cannot follow as well.
    assert_eq!(
        bob.refused("join_room", json!({ "roomId": "c" })).await.code,
        "too_many_rooms"
    );
    bob.call("unsubscribe", json!({ "roomIds": ["a"] })).await;
    bob.call("subscribe", json!({ "rooms": [{ "roomId": "c" }] }))
        .await;
    let reply = bob
        .call(
            "subscribe",
            json!({ "rooms": [{ "roomId": "a" }, { "roomId": "c" }] }),
        )
        .await;
    assert_eq!(reply["rooms"][0]["error"]["code"], "too_many_rooms");
    assert_eq!(
        reply["rooms"][1]["head"], 1,
        "what is followed already takes no further place"
    );
    for name in ["join_room", "create_room"] {
        let refused = bob.refused(name, json!({ "roomId": "d", "name": "x" })).await;
        assert_eq!(refused.code, "too_many_rooms", "{name}");
    }
}

cases!($ e2e_upkeep, upkeep, [
    changing_and_deleting_is_told,
    a_reopened_room_says_nothing_of_the_old_one,
    lists_come_in_pages,
    rooms_have_limits,
]);
