//! What administrators tell users over HTTP: notifications, announcements, and that they must go.

use serde_json::{Value, json};
use starling_protocol::CloseCode;

use super::{Node, Stage, stage::seqs, suite::cases, token};
use crate::client::{Wire, http, text};

/// What an administrator asks of a node, and the status of the answer.
async fn ask(node: &Node, request: &str, body: Value) -> u16 {
    let mut claims = token::claims("root");
    claims["roles"] = json!(["admin"]);
    http::call(node.addr(), request, &token::sign(&claims), &body)
        .await
        .status
}

fn notice(n: u64) -> Value {
    json!({ "topic": "order.shipped", "payload": { "n": n } })
}

async fn notifications_reach_every_session_and_wait_for_the_absent(stage: &Stage<'_>) {
    const NOTIFY: &str = "POST /api/v1/users/alice/notifications";
    let (here, there) = (stage.node().await, stage.node().await);
    let mut sessions = [
        here.client("alice").await,
        there.client_in("alice", Wire::MsgPack).await,
    ];
    let mut bob = there.client("bob").await;
    assert_eq!(ask(&here, NOTIFY, notice(1)).await, 201);
    let mut cursor = Value::Null;
    for session in &mut sessions {
        let event = session.event("notification").await;
        assert_eq!(
            (&event["roomId"], &event["seq"], &event["payload"]["n"]),
            (&json!("@alice"), &json!(1), &json!(1))
        );
        assert_eq!(text(&event, "topic"), "order.shipped");
        cursor = event["cursor"].clone();
    }
    for session in sessions {
        session.close().await;
    }
    for n in 2..=4 {
        assert_eq!(ask(&here, NOTIFY, notice(n)).await, 201);
    }
    let mut alice = there.client("alice").await;
    let cursors = json!({ "@alice": cursor });
    let reply = alice
        .call("subscribe", json!({ "all": true, "cursors": cursors }))
        .await;
    assert_eq!(reply["rooms"][0]["head"], 4, "{reply}");
    assert_eq!(seqs(&alice.durable("@alice", 3).await), [2, 3, 4]);
    bob.has_no("notification").await;

    let user = token::sign(&token::claims("bob"));
    let refused = http::call(here.addr(), NOTIFY, &user, &notice(5)).await;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (403, &json!("forbidden"))
    );
}

async fn announcements_reach_everybody(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let mut clients = [
        here.client("alice").await,
        there.client("bob").await,
        there.client_in("carol", Wire::MsgPack).await,
    ];
    for n in 1..=3 {
        assert_eq!(ask(&here, "POST /api/v1/announcements", notice(n)).await, 201);
    }
    for client in &mut clients {
        assert_eq!(seqs(&client.durable("@all", 3).await), [1, 2, 3]);
    }
}

async fn the_disconnected_are_gone_from_every_node(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let (mut one, mut two) = (here.client("alice").await, there.client("alice").await);
    let mut bob = there.client("bob").await;
    let status = ask(&here, "DELETE /api/v1/users/alice/sessions", Value::Null).await;
    assert_eq!(status, 204);
    for session in [&mut one, &mut two] {
        assert_eq!(session.closed().await, CloseCode::Banned.code());
    }
    bob.call("ping", json!({})).await;
    here.client("alice").await;
}

cases!($ e2e_notices, notices, [
    notifications_reach_every_session_and_wait_for_the_absent,
    announcements_reach_everybody,
    the_disconnected_are_gone_from_every_node,
]);
