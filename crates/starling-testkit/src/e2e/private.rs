//! Private rooms: by invitation, or by a grant in the token.

use serde_json::{Value, json};

use super::{Node, Stage, suite::cases, token};
use crate::client::TestClient;

async fn private_room(node: &Node) -> TestClient {
    let mut owner = node.client("owner").await;
    owner
        .call(
            "create_room",
            json!({ "roomId": "team-red", "name": "Red", "kind": "private" }),
        )
        .await;
    owner.call("join_room", json!({ "roomId": "team-red" })).await;
    owner
}

async fn private_rooms_take_the_invited(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut owner = private_room(&node).await;
    let (mut alice, mut bob) = (node.client("alice").await, node.client("bob").await);
    assert_eq!(
        alice
            .refused("join_room", json!({ "roomId": "team-red" }))
            .await
            .code,
        "forbidden"
    );
    for room in [json!("team-red"), json!("no-such-room")] {
        let reply = alice
            .call("subscribe", json!({ "rooms": [{ "roomId": room }] }))
            .await;
        assert!(reply["rooms"][0]["error"].is_object(), "{reply}");
    }
    let invite = json!({ "roomId": "team-red", "userId": "alice", "role": "moderator" });
    owner.call("invite", invite.clone()).await;
    let event = owner.event("member_invited").await;
    assert_eq!(
        (&event["userId"], &event["role"]),
        (&json!("alice"), &json!("moderator"))
    );
    let joined = alice.call("join_room", json!({ "roomId": "team-red" })).await;
    assert_eq!(
        (&joined["role"], &joined["room"]["kind"]),
        (&json!("moderator"), &json!("private"))
    );
    assert_eq!(
        bob.refused("join_room", json!({ "roomId": "team-red" }))
            .await
            .code,
        "forbidden"
    );
    assert_eq!(bob.refused("invite", invite).await.code, "not_member");
    // A moderator invites, but gives no role like their own; an invitation can be taken back.
    let as_peer = json!({ "roomId": "team-red", "userId": "bob", "role": "moderator" });
    assert_eq!(alice.refused("invite", as_peer).await.code, "forbidden");
    alice
        .call("invite", json!({ "roomId": "team-red", "userId": "bob" }))
        .await;
    owner
        .call("kick", json!({ "roomId": "team-red", "userId": "bob" }))
        .await;
    assert_eq!(
        bob.refused("join_room", json!({ "roomId": "team-red" }))
            .await
            .code,
        "forbidden"
    );
}

async fn a_token_may_grant_private_rooms(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut owner = private_room(&node).await;
    let granted = |user: &str, rooms: Value| {
        let mut claims = token::claims(user);
        claims["rooms"] = rooms;
        claims
    };
    for (user, rooms) in [("exact", json!(["team-red"])), ("wild", json!(["team-*"]))] {
        let mut client = node.client_with(&granted(user, rooms)).await;
        let joined = client.call("join_room", json!({ "roomId": "team-red" })).await;
        assert_eq!(joined["role"], "member");
    }
    let mut other = node
        .client_with(&granted("other", json!(["team-blue", "red"])))
        .await;
    assert_eq!(
        other
            .refused("join_room", json!({ "roomId": "team-red" }))
            .await
            .code,
        "forbidden"
    );
    let better = token::sign(&granted("other", json!(["team-red"])));
    other.call("refresh_token", json!({ "token": better })).await;
    other.call("join_room", json!({ "roomId": "team-red" })).await;
    // A grant opens the door; it does not lift a ban.
    owner
        .call("ban", json!({ "roomId": "team-red", "userId": "exact" }))
        .await;
    let mut banned = node.client_with(&granted("exact", json!(["team-red"]))).await;
    assert_eq!(
        banned
            .refused("join_room", json!({ "roomId": "team-red" }))
            .await
            .code,
        "banned"
    );
}

cases!($ e2e_private, private, [
    private_rooms_take_the_invited,
    a_token_may_grant_private_rooms,
]);
