//! Envelopes: ids, types, data, and the answers to each.

use serde_json::{Value, json};

use super::{Stage, suite::cases};
use crate::client::Refused;

async fn an_id_is_echoed_as_it_came(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut client = node.client("alice").await;
    for id in [
        json!("7"),
        json!(7),
        json!(0),
        json!(-3),
        json!(9_007_199_254_740_993_i64),
        json!(""),
        json!("ünïcödé \u{1f426}"),
        json!("x".repeat(1000)),
    ] {
        client
            .post(&json!({ "type": "list_rooms", "id": id, "data": {} }))
            .await;
        let ok = client.next().await;
        assert_eq!((&ok["type"], &ok["id"]), (&json!("ok"), &id));
        client
            .post(&json!({ "type": "list_rooms", "id": id, "data": { "limit": 0 } }))
            .await;
        let error = client.next().await;
        assert_eq!((&error["type"], &error["id"]), (&json!("error"), &id));
        client.post(&json!({ "type": "fly", "id": id })).await;
        let unknown = client.next().await;
        assert_eq!(
            (&unknown["data"]["code"], &unknown["id"]),
            (&json!("unknown_type"), &id)
        );
        client
            .post(&json!({ "type": "list_members", "id": id, "data": 7 }))
            .await;
        let bad = client.next().await;
        assert_eq!(
            (&bad["data"]["code"], &bad["id"]),
            (&json!("invalid_message"), &id)
        );
    }
}

async fn without_an_id_only_errors_come_back(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut client = node.client("alice").await;
    client
        .post(&json!({ "type": "join_room", "data": { "roomId": "r" } }))
        .await;
    client.post(&json!({ "type": "list_rooms", "id": null })).await;
    let came = client.settled().await;
    assert!(came.is_empty(), "nobody asked for {came:?}");
    client
        .post(&json!({ "type": "send_message", "data": { "roomId": "elsewhere", "content": "x" } }))
        .await;
    assert_eq!(client.stray_error().await.code, "not_found");
    client
        .post(&json!({ "type": "send_message", "data": { "roomId": "r", "content": "x" } }))
        .await;
    let event = client.next().await;
    assert_eq!(event["type"], "message_created");
    assert!(client.settled().await.is_empty());
}

async fn what_is_unknown_in_data_is_ignored(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut client = node.client("alice").await;
    let joining = json!({ "roomId": "r", "fromTheFuture": { "deep": [1, 2, { "x": null }] } });
    client
        .post(&json!({ "type": "join_room", "id": 1, "data": joining, "trace": "abc", "v": 2 }))
        .await;
    client.reply(1).await.expect("joined");
    client
        .post(&json!({ "id": 2, "data": {}, "type": "list_rooms" }))
        .await;
    client.reply(2).await.expect("the order of keys means nothing");
    client.post(&json!({ "type": "list_rooms", "id": 3 })).await;
    client
        .reply(3)
        .await
        .expect("data may be left out where nothing is needed");
}

async fn what_is_no_envelope_is_an_error(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut client = node.client("alice").await;
    for bad in [
        json!(null),
        json!(7),
        json!("ping"),
        json!([{ "type": "ping" }]),
        json!({}),
        json!({ "type": null }),
        json!({ "type": 7 }),
        json!({ "type": "ping", "id": 1.5 }),
        json!({ "type": "ping", "id": true }),
        json!({ "type": "ping", "id": { "a": 1 } }),
    ] {
        client.post(&bad).await;
        let Refused { code, message, .. } = client.stray_error().await;
        assert_eq!(code, "invalid_message", "{bad}");
        assert!(!message.is_empty());
    }
    client.call("ping", json!({})).await;
}

async fn commands_are_answered_in_their_order(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut client = node.client("alice").await;
    let kinds = ["join_room", "list_members", "ping", "leave_room", "list_rooms"];
    let commands: Vec<Value> = (0..40)
        .map(|n| json!({ "type": kinds[n % kinds.len()], "id": n, "data": { "roomId": "r" } }))
        .collect();
    client.post_all(&commands).await;
    let mut answered = Vec::new();
    while answered.len() < commands.len() {
        answered.extend(client.next().await["id"].as_u64());
    }
    assert_eq!(answered, (0..40).collect::<Vec<_>>());
}

cases!($ e2e_envelope, envelope, [
    an_id_is_echoed_as_it_came,
    without_an_id_only_errors_come_back,
    what_is_unknown_in_data_is_ignored,
    what_is_no_envelope_is_an_error,
    commands_are_answered_in_their_order,
]);
