//! Rates, and how much a session may have unanswered.

use std::time::Duration;

use serde_json::{Value, json};
use starling_protocol::CloseCode;

use super::{Settings, Stage, stage::unlimited, suite::cases, token};
use crate::client::{TestClient, number};

/// Asks until it is refused; how many were accepted, and the hint.
async fn until_limited(client: &mut TestClient, kind: &str, data: &Value, most: u32) -> (u32, u64) {
    for accepted in 0..=most {
        if let Err(refused) = client.ask(kind, data.clone()).await {
            assert_eq!(refused.code, "rate_limited", "{refused:?}");
            return (accepted, refused.retry_after_ms.expect("when to try again"));
        }
    }
    panic!("{most} times {kind}, and no limit");
}

async fn commands_have_a_rate(stage: &Stage<'_>) {
    let settings = Settings {
        commands: Some((120, 10)),
        ..unlimited()
    };
    let (here, there) = (
        stage.node_with(settings.clone()).await,
        stage.node_with(settings).await,
    );
    let (mut alice, mut elsewhere) = (here.client("alice").await, there.client("alice").await);
    let (accepted, wait) = until_limited(&mut alice, "list_rooms", &json!({}), 100).await;
    assert!((10..60).contains(&accepted), "{accepted}");
    assert!((1..=500).contains(&wait), "{wait}");
    // The same budget at every node, another for every user, and none for what keeps a session alive.
    let at_other = elsewhere.refused("list_rooms", json!({})).await;
    assert_eq!(at_other.code, "rate_limited");
    for _ in 0..30 {
        alice.call("ping", json!({})).await;
    }
    let renewed = token::sign(&token::claims("alice"));
    alice.call("refresh_token", json!({ "token": renewed })).await;
    let mut bob = here.client("bob").await;
    bob.call("list_rooms", json!({})).await;
    let hint = alice
        .ask("list_rooms", json!({}))
        .await
        .err()
        .and_then(|refused| refused.retry_after_ms);
    tokio::time::sleep(Duration::from_millis(hint.unwrap_or_default())).await;
    alice.call("list_rooms", json!({})).await;
}

async fn messages_have_a_rate_of_their_own(stage: &Stage<'_>) {
    let settings = Settings {
        commands: Some((0, 0)),
        messages: Some((60, 5)),
        ..Settings::default()
    };
    let node = stage.node_with(settings).await;
    let (mut alice, mut bob) = (node.member("alice", "r").await, node.member("bob", "r").await);
    let message = json!({ "roomId": "r", "content": "x" });
    let (accepted, wait) = until_limited(&mut alice, "send_message", &message, 50).await;
    assert!((5..20).contains(&accepted), "{accepted}");
    assert!((1..=1000).contains(&wait), "{wait}");
    alice.call("list_rooms", json!({})).await;
    bob.call("send_message", message.clone()).await;
    tokio::time::sleep(Duration::from_millis(wait)).await;
    alice.call("send_message", message).await;
    // What was refused is nowhere.
    let page = alice.call("fetch_history", json!({ "roomId": "r" })).await;
    let kept = page["messages"].as_array().expect("messages").len();
    assert_eq!(kept as u32, accepted + 2);
}

async fn who_goes_on_in_spite_of_it_is_closed(stage: &Stage<'_>) {
    let settings = Settings {
        commands: Some((1, 1)),
        ..unlimited()
    };
    let node = stage.node_with(settings).await;
    let mut alice = node.client("alice").await;
    let commands: Vec<Value> = (0..400)
        .map(|n| json!({ "type": "list_rooms", "id": n }))
        .collect();
    alice.post_all(&commands).await;
    assert_eq!(alice.closed().await, CloseCode::RateLimited.code());
    let refused = alice
        .take_inbox()
        .into_iter()
        .filter(|envelope| envelope["type"] == "error")
        .count();
    assert!(
        (100..400).contains(&refused),
        "it was told {refused} times before"
    );
}

async fn sends_without_an_answer_are_bounded(stage: &Stage<'_>) {
    const SENT: usize = 200;
    let settings = Settings {
        max_unacked: Some(2),
        ..unlimited()
    };
    let node = stage.node_with(settings).await;
    let mut alice = node.member("alice", "r").await;
    let sends: Vec<Value> = (0..SENT)
        .map(|n| json!({ "type": "send_message", "id": n, "data": { "roomId": "r", "content": n.to_string() } }))
        .collect();
    alice.post_all(&sends).await;
    let (mut accepted, mut refused) = (Vec::new(), 0);
    for n in 0..SENT {
        match alice.reply(n).await {
            Ok(reply) => accepted.push(number(&reply, "seq")),
            Err(error) => {
                assert_eq!(error.code, "rate_limited");
                assert!(error.retry_after_ms.is_some());
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "as fast as that the log cannot be");
    // The accepted are dense and in their order, and the session goes on.
    assert_eq!(accepted, (2..2 + accepted.len() as u64).collect::<Vec<_>>());
    alice
        .call("send_message", json!({ "roomId": "r", "content": "again" }))
        .await;
}

cases!($ e2e_bounds, bounds, [
    commands_have_a_rate,
    messages_have_a_rate_of_their_own,
    who_goes_on_in_spite_of_it_is_closed,
    sends_without_an_answer_are_bounded,
]);
