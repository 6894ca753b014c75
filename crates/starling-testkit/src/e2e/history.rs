//! Pages of messages in their present state, and of events as they happened.

use serde_json::{Value, json};

use super::{
    Node, Stage,
    stage::{page_contents, send, send_many, seqs},
    suite::cases,
};
use crate::client::{TestClient, number, text};

/// A room with messages m0 … m9; their seqs are 2 … 11.
async fn ten_messages(node: &Node) -> TestClient {
    let mut alice = node.member("alice", "r").await;
    let sent = send_many(&mut alice, "r", (0..10).map(|n| format!("m{n}"))).await;
    assert_eq!(sent, (2..12).collect::<Vec<u64>>());
    alice
}

async fn page(client: &mut TestClient, span: Value) -> (Vec<String>, bool) {
    let mut data = json!({ "roomId": "r" });
    for (field, value) in span.as_object().expect("a span") {
        data[field] = value.clone();
    }
    let page = client.call("fetch_history", data).await;
    let contents = page_contents(&page).into_iter().map(str::to_owned).collect();
    (contents, page["hasMore"].as_bool().expect("hasMore"))
}

async fn history_is_paged_both_ways(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut alice = ten_messages(&node).await;
    for (span, contents, has_more) in [
        (json!({ "limit": 3 }), vec!["m7", "m8", "m9"], true),
        (json!({ "before": 9, "limit": 3 }), vec!["m4", "m5", "m6"], true),
        (json!({ "before": 4, "limit": 3 }), vec!["m0", "m1"], false),
        (json!({ "before": 0 }), vec![], false),
        (json!({ "after": 8, "limit": 2 }), vec!["m7", "m8"], true),
        (json!({ "after": 9, "limit": 2 }), vec!["m8", "m9"], false),
        (json!({ "after": 999 }), vec![], false),
        (
            json!({ "around": 6, "limit": 4 }),
            vec!["m2", "m3", "m4", "m5"],
            true,
        ),
    ] {
        let got = page(&mut alice, span.clone()).await;
        assert_eq!(
            got,
            (contents.into_iter().map(str::to_owned).collect(), has_more),
            "{span}"
        );
    }
    for bad in [
        json!({ "before": 3, "after": 2 }),
        json!({ "limit": 0 }),
        json!({ "before": -1 }),
    ] {
        let mut data = bad.clone();
        data["roomId"] = json!("r");
        assert_eq!(
            alice.refused("fetch_history", data).await.code,
            "invalid_message",
            "{bad}"
        );
    }
}

async fn a_page_has_a_largest_size(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut alice = node.member("alice", "r").await;
    send_many(&mut alice, "r", (0..205).map(|n| format!("m{n}"))).await;
    let (all, has_more) = page(&mut alice, json!({ "limit": 100_000 })).await;
    assert_eq!((all.len(), has_more), (200, true));
    let (all, _) = page(&mut alice, json!({})).await;
    assert_eq!(all.len(), 50);
}

async fn threads_are_pages_of_their_own(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut alice = ten_messages(&node).await;
    let root = 4;
    for n in 0..3 {
        let reply = json!({ "roomId": "r", "content": format!("reply {n}"), "thread": root });
        alice.call("send_message", reply).await;
        send(&mut alice, "r", "between").await;
    }
    let (thread, has_more) = page(&mut alice, json!({ "thread": root })).await;
    assert_eq!(thread, ["m2", "reply 0", "reply 1", "reply 2"]);
    assert!(!has_more);
    let (thread, has_more) = page(&mut alice, json!({ "thread": root, "limit": 2 })).await;
    assert_eq!(
        (thread, has_more),
        (vec!["reply 1".to_owned(), "reply 2".to_owned()], true)
    );
}

async fn events_are_paged_as_they_were_sent(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut alice = node.member("alice", "r").await;
    let mut witness = node.member("bob", "r").await;
    let seq = send(&mut alice, "r", "first").await;
    let on_it = json!({ "roomId": "r", "seq": seq, "content": "second", "emoji": "+1" });
    for name in [
        "edit_message",
        "add_reaction",
        "remove_reaction",
        "delete_message",
    ] {
        alice.call(name, on_it.clone()).await;
    }
    alice
        .call("update_room", json!({ "roomId": "r", "name": "New" }))
        .await;
    alice
        .call(
            "mute",
            json!({ "roomId": "r", "userId": "bob", "reason": "hush" }),
        )
        .await;
    let live = witness.durable("r", 7).await;
    let paged = alice
        .call("fetch_events", json!({ "roomId": "r", "after": 2 }))
        .await;
    assert_eq!(paged["hasMore"], false);
    let paged = paged["events"].as_array().expect("events").clone();
    let kinds: Vec<&str> = paged.iter().map(|event| text(event, "type")).collect();
    assert_eq!(
        kinds,
        [
            "message_created",
            "message_updated",
            "reaction_added",
            "reaction_removed",
            "message_deleted",
            "room_updated",
            "member_muted"
        ]
    );
    for (live, paged) in live.iter().zip(&paged) {
        // What was deleted since is not told again.
        let mut live = live.clone();
        for field in ["content", "contentType"] {
            if paged["data"][field] != live["data"][field] {
                assert!(
                    ["message_created", "message_updated"].contains(&text(paged, "type")),
                    "{paged} {live}"
                );
                live["data"][field] = paged["data"][field].clone();
            }
        }
        assert_eq!(paged["data"], live["data"]);
    }
    let first = alice
        .call("fetch_events", json!({ "roomId": "r", "limit": 3 }))
        .await;
    let first = first["events"].as_array().expect("events");
    assert_eq!(seqs(first), [1, 2, 3]);
    let page = alice
        .call("fetch_events", json!({ "roomId": "r", "after": 3, "limit": 3 }))
        .await;
    assert_eq!(
        (seqs(page["events"].as_array().expect("events")), &page["hasMore"]),
        (vec![4, 5, 6], &json!(true))
    );
    let none = alice
        .call("fetch_events", json!({ "roomId": "r", "after": 999 }))
        .await;
    assert_eq!((&none["events"], &none["hasMore"]), (&json!([]), &json!(false)));
    assert_eq!(number(&page["events"][0]["data"], "seq"), 4);
}

cases!($ e2e_history, history, [
    history_is_paged_both_ways,
    a_page_has_a_largest_size,
    threads_are_pages_of_their_own,
    events_are_paged_as_they_were_sent,
]);
