//! How a connection begins, how its token ends, and how it is renewed.

use std::time::Duration;

use serde_json::{Value, json};
use starling_core::{Clock as _, SystemClock, Timestamp};
use starling_protocol::CloseCode;

use super::{Settings, Stage, suite::cases, token};
use crate::client::{Dial, TestClient, Wire, text};

fn timestamp(data: &Value, field: &str) -> Timestamp {
    text(data, field).parse().expect("a time")
}

async fn the_token_may_come_in_a_header(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut client = node.client("alice").await;
    client.call("ping", json!({})).await;
}

async fn the_token_may_come_in_the_address(stage: &Stage<'_>) {
    let node = stage.node().await;
    let dial = Dial {
        query: Some(token::sign(&token::claims("alice"))),
        ..Dial::default()
    };
    let mut client = TestClient::dial(node.addr(), &dial).await.unwrap();
    let welcome = client.event("welcome").await;
    assert_eq!(welcome["userId"], "alice");
}

async fn the_token_may_come_as_the_first_frame(stage: &Stage<'_>) {
    let node = stage.node().await;
    for wire in [Wire::Json, Wire::MsgPack] {
        let dial = Dial {
            wire: Some(wire),
            ..Dial::default()
        };
        let mut client = TestClient::dial(node.addr(), &dial).await.unwrap();
        let refused = client.refused("list_rooms", json!({})).await;
        assert_eq!(refused.code, "unauthenticated");
        let token = token::sign(&token::claims("alice"));
        let id = client.start("authenticate", json!({ "token": token })).await;
        // The command that follows at once is carried out after it.
        let next = client.start("list_rooms", json!({})).await;
        let first = client.next().await;
        assert_eq!(
            (&first["type"], &first["data"]["userId"]),
            (&json!("welcome"), &json!("alice"))
        );
        client.reply(id).await.expect("authenticated");
        client.reply(next).await.expect("a session");
        let again = client.refused("authenticate", json!({ "token": token })).await;
        assert_eq!(again.code, "invalid_message");
    }
}

async fn the_welcome_says_what_the_server_accepts(stage: &Stage<'_>) {
    let node = stage.node_with(Settings::default()).await;
    let before = SystemClock.now();
    let dial = node.dial(&token::claims("alice"));
    let (mut one, mut two) = (
        TestClient::dial(node.addr(), &dial).await.unwrap(),
        TestClient::dial(node.addr(), &dial).await.unwrap(),
    );
    let (one, two) = (one.event("welcome").await, two.event("welcome").await);
    assert_ne!(text(&one, "sessionId"), text(&two, "sessionId"));
    assert_eq!(text(&one, "nodeId"), text(&two, "nodeId"));
    assert!(
        timestamp(&one, "serverTime").plus(Duration::from_secs(1)) >= before,
        "{one}"
    );
    assert_eq!(
        (&one["userId"], &one["heartbeatMs"], &one["resumeWindow"]),
        (&json!("alice"), &json!(25_000), &json!(500))
    );
    let limits = json!({
        "maxFrameBytes": 65_536, "maxContentLength": 10_000, "commandsPerMinute": 120, "messagesPerMinute": 60,
        "connectionsPerUser": 5, "maxUnacked": 50, "roomsPerSession": 1000, "maxWatched": 500,
        "replayEventsPerConnection": 5000,
    });
    assert_eq!(one["limits"], limits);
}

async fn the_claims_name_the_user(stage: &Stage<'_>) {
    let node = stage.node().await;
    let exp = token::in_future(Duration::from_secs(60));
    for (claims, user) in [
        (json!({ "userId": "bob", "exp": exp }), "bob"),
        (json!({ "sub": 42, "exp": exp }), "42"),
    ] {
        let mut client = TestClient::dial(node.addr(), &node.dial(&claims)).await.unwrap();
        assert_eq!(client.event("welcome").await["userId"], user);
    }
    let mut named = node
        .client_with(&json!({ "sub": "carol", "name": "Carol", "exp": exp }))
        .await;
    named.call("join_room", json!({ "roomId": "r" })).await;
    named
        .call("send_message", json!({ "roomId": "r", "content": "hi" }))
        .await;
    assert_eq!(named.event("message_created").await["senderName"], "Carol");
    let members = named.call("list_members", json!({ "roomId": "r" })).await;
    assert_eq!(members["members"][0]["name"], "Carol");
}

async fn a_ping_is_answered(stage: &Stage<'_>) {
    let node = stage.node().await;
    for wire in [Wire::Json, Wire::MsgPack] {
        let mut client = node.client_in("alice", wire).await;
        let before = SystemClock.now();
        let pong = client.call("ping", json!({})).await;
        assert!(timestamp(&pong, "serverTime").plus(Duration::from_secs(1)) >= before);
        client.post(&json!({ "type": "ping" })).await;
        client.event("pong").await;
    }
}

fn brief(user: &str, span: Duration) -> Value {
    json!({ "sub": user, "exp": token::in_future(span) })
}

async fn an_expired_session_is_closed(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut client = node
        .client_with(&brief("alice", Duration::from_millis(1500)))
        .await;
    client.event("token_expiring").await;
    client.call("ping", json!({})).await;
    assert_eq!(client.closed().await, CloseCode::TokenExpired.code());
}

async fn a_refreshed_session_goes_on(stage: &Stage<'_>) {
    let node = stage.node().await;
    let claims = brief("alice", Duration::from_millis(2500));
    let (mut refreshed, mut other) = (node.client_with(&claims).await, node.client_with(&claims).await);
    let warned = refreshed.event("token_expiring").await;
    let longer = token::claims("alice");
    let reply = refreshed
        .call("refresh_token", json!({ "token": token::sign(&longer) }))
        .await;
    assert!(timestamp(&reply, "expiresAt") > timestamp(&warned, "expiresAt"));
    // The other session shows that the first token's time is over.
    assert_eq!(other.closed().await, CloseCode::TokenExpired.code());
    refreshed.has_no("token_expiring").await;
    refreshed.call("list_rooms", json!({})).await;
}

async fn a_long_token_warns_of_nothing(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut client = node.client_with(&brief("alice", Duration::from_secs(90))).await;
    client.has_no("token_expiring").await;
    let soon = brief("alice", Duration::from_secs(45));
    let id = client
        .start("refresh_token", json!({ "token": token::sign(&soon) }))
        .await;
    client.reply(id).await.expect("refreshed");
    client.event("token_expiring").await;
    client.has_no("token_expiring").await;
}

async fn a_refresh_needs_a_good_token_of_the_same_user(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut client = node.client("alice").await;
    let others = token::sign(&token::claims("bob"));
    let refused = client.refused("refresh_token", json!({ "token": others })).await;
    assert_eq!(refused.code, "unauthenticated");
    client.call("list_rooms", json!({})).await;

    let expired = json!({ "sub": "alice", "exp": token::in_past(Duration::from_secs(60)) });
    let good = token::claims("alice");
    for (bad, code) in [
        (token::sign(&expired), "token_expired"),
        (token::forged(&good, &token::claims("root")), "unauthenticated"),
        (token::unsigned(&good), "unauthenticated"),
    ] {
        let mut client = node.client("alice").await;
        let refused = client.refused("refresh_token", json!({ "token": bad })).await;
        assert_eq!(refused.code, code);
        assert_eq!(client.closed().await, CloseCode::InvalidToken.code());
    }
}

cases!($ e2e_connect, connect, [
    the_token_may_come_in_a_header,
    the_token_may_come_in_the_address,
    the_token_may_come_as_the_first_frame,
    the_welcome_says_what_the_server_accepts,
    the_claims_name_the_user,
    a_ping_is_answered,
    an_expired_session_is_closed,
    a_refreshed_session_goes_on,
    a_long_token_warns_of_nothing,
    a_refresh_needs_a_good_token_of_the_same_user,
]);
