//! Sending: replies, events, retries, limits of content.

use serde_json::{Value, json};

use super::{Stage, stage::send, suite::cases};
use crate::client::{Wire, number, text};

async fn a_message_reaches_everybody_whole(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let (mut alice, mut bob) = (here.member("alice", "r").await, here.member("bob", "r").await);
    let mut far = there.client_in("carol", Wire::MsgPack).await;
    far.call("join_room", json!({ "roomId": "r" })).await;
    let first = send(&mut alice, "r", "first").await;
    let message = json!({
        "roomId": "r", "clientId": "c-1", "content": "héllo \u{1f426}\n\"quoted\"", "contentType": "text/markdown",
        "replyTo": first, "thread": first, "mentions": ["bob", "carol"],
        "attachments": [{ "url": "https://x.example/a.png", "name": "a.png", "contentType": "image/png", "size": 7 }],
        "metadata": { "nested": [1, -2.5, null, true, { "k": "v" }] },
    });
    let reply = alice.call("send_message", message.clone()).await;
    assert_eq!(
        (&reply["roomId"], &reply["duplicate"]),
        (&json!("r"), &json!(false))
    );
    let seq = number(&reply, "seq");
    assert_eq!(seq, first + 1);
    for receiver in [&mut alice, &mut bob, &mut far] {
        let event = receiver
            .event_where("message_created", |data| data["seq"] == seq)
            .await;
        for field in [
            "clientId",
            "content",
            "contentType",
            "replyTo",
            "thread",
            "mentions",
            "attachments",
            "metadata",
        ] {
            assert_eq!(event[field], message[field], "{field}");
        }
        assert_eq!(
            (&event["senderId"], &event["roomId"]),
            (&json!("alice"), &json!("r"))
        );
        assert_eq!(
            (&event["messageId"], &event["eventId"]),
            (&reply["messageId"], &reply["messageId"])
        );
        assert_eq!(event["createdAt"], reply["createdAt"]);
        assert!(text(&event, "cursor").starts_with(&format!("{seq}.")));
    }
}

async fn a_retry_gets_the_first_outcome(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let (mut alice, mut bob) = (here.member("alice", "r").await, here.member("bob", "r").await);
    let message = json!({ "roomId": "r", "clientId": "once", "content": "hi", "metadata": { "a": 1 } });
    let first = alice.call("send_message", message.clone()).await;
    let mut second_device = there.client("alice").await;
    for client in [&mut alice, &mut second_device] {
        let again = client.call("send_message", message.clone()).await;
        assert_eq!(
            (&again["seq"], &again["messageId"]),
            (&first["seq"], &first["messageId"])
        );
        assert_eq!(
            (&again["createdAt"], &again["duplicate"]),
            (&first["createdAt"], &json!(true))
        );
        let other = json!({ "roomId": "r", "clientId": "once", "content": "changed" });
        assert_eq!(client.refused("send_message", other).await.code, "conflict");
    }
    // Another's message, and another room's, may have the same id.
    let theirs = bob.call("send_message", message.clone()).await;
    assert_eq!(theirs["duplicate"], false);
    alice.call("join_room", json!({ "roomId": "s" })).await;
    let elsewhere = json!({ "roomId": "s", "clientId": "once", "content": "changed" });
    assert_eq!(alice.call("send_message", elsewhere).await["duplicate"], false);
    let came = bob.durable("r", 2).await;
    assert_eq!(
        (&came[0]["data"]["senderId"], &came[1]["data"]["senderId"]),
        (&json!("alice"), &json!("bob"))
    );
    bob.has_no("message_created").await;
    let reserved = json!({ "roomId": "r", "clientId": "~x", "content": "x" });
    assert_eq!(
        alice.refused("send_message", reserved).await.code,
        "invalid_message"
    );
}

async fn retries_at_the_same_moment_are_one_message(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut alice = node.member("alice", "r").await;
    let message = json!({ "roomId": "r", "clientId": "c", "content": "hi" });
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(alice.start("send_message", message.clone()).await);
    }
    let mut fresh = 0;
    for id in ids {
        let reply = alice.reply(id).await.expect("accepted");
        assert_eq!(reply["seq"], 2);
        fresh += u32::from(reply["duplicate"] == false);
    }
    assert_eq!(fresh, 1);
    alice.event("message_created").await;
    alice.has_no("message_created").await;
}

async fn a_sender_may_do_without_the_echo(stage: &Stage<'_>) {
    let node = stage.node().await;
    let (mut alice, mut bob) = (node.member("alice", "r").await, node.member("bob", "r").await);
    let mut second_device = node.member("alice", "r").await;
    let quiet = json!({ "roomId": "r", "content": "quiet", "echo": false });
    alice.call("send_message", quiet).await;
    for other in [&mut bob, &mut second_device] {
        assert_eq!(other.event("message_created").await["content"], "quiet");
    }
    alice.has_no("message_created").await;
    send(&mut bob, "r", "heard by all").await;
    assert_eq!(alice.event("message_created").await["content"], "heard by all");
}

async fn content_has_limits(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut alice = node.member("alice", "r").await;
    let attachment = json!({ "url": "https://x.example/f" });
    let message = |fields: Value| {
        let mut message = json!({ "roomId": "r", "content": "x" });
        for (field, value) in fields.as_object().expect("fields") {
            message[field] = value.clone();
        }
        message
    };
    for good in [
        json!({ "content": "x".repeat(10_000) }),
        json!({ "content": "\u{1f426}".repeat(10_000) }),
        json!({ "content": "", "attachments": [attachment] }),
        json!({ "attachments": vec![attachment.clone(); 10] }),
        json!({ "metadata": "m".repeat(4094) }),
        json!({ "mentions": vec!["bob"; 50] }),
        json!({ "content": "\u{0}\u{7f}\u{202e}" }),
    ] {
        let sent = message(good);
        let reply = alice.call("send_message", sent.clone()).await;
        let event = alice
            .event_where("message_created", |data| data["seq"] == reply["seq"])
            .await;
        assert_eq!(event["content"], sent["content"]);
    }
    for (bad, code) in [
        (json!({ "content": "x".repeat(10_001) }), "message_too_long"),
        (
            json!({ "content": "\u{1f426}".repeat(10_001) }),
            "message_too_long",
        ),
        (json!({ "metadata": "m".repeat(4095) }), "message_too_long"),
        (json!({ "content": "" }), "invalid_message"),
        (json!({ "content": null }), "invalid_message"),
        (
            json!({ "attachments": vec![attachment.clone(); 11] }),
            "invalid_message",
        ),
        (json!({ "attachments": [{ "url": "" }] }), "invalid_message"),
        (
            json!({ "attachments": [{ "url": "u".repeat(2049) }] }),
            "invalid_message",
        ),
        (json!({ "mentions": vec!["bob"; 51] }), "invalid_message"),
        (json!({ "mentions": ["white space"] }), "invalid_message"),
        (json!({ "contentType": "" }), "invalid_message"),
        (json!({ "clientId": "" }), "invalid_message"),
        (json!({ "clientId": "c".repeat(129) }), "invalid_message"),
        (json!({ "recipientId": "bob" }), "invalid_message"),
        (json!({ "roomId": null }), "invalid_message"),
        (json!({ "replyTo": 999 }), "not_found"),
        (json!({ "thread": 999 }), "not_found"),
        (json!({ "replyTo": -1 }), "invalid_message"),
    ] {
        let refused = alice.refused("send_message", message(bad.clone())).await;
        assert_eq!(refused.code, code, "{bad}: {}", refused.message);
    }
}

async fn threads_are_one_level_deep(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut alice = node.member("alice", "r").await;
    let root = send(&mut alice, "r", "root").await;
    let reply = alice
        .call(
            "send_message",
            json!({ "roomId": "r", "content": "re", "thread": root }),
        )
        .await;
    let deeper = json!({ "roomId": "r", "content": "re re", "thread": reply["seq"] });
    assert_eq!(
        alice.refused("send_message", deeper).await.code,
        "invalid_message"
    );
    let page = alice.call("fetch_history", json!({ "roomId": "r" })).await;
    assert_eq!(
        (&page["messages"][0]["replyCount"], &page["messages"][1]["thread"]),
        (&json!(1), &json!(root))
    );
}

cases!($ e2e_messages, messages, [
    a_message_reaches_everybody_whole,
    a_retry_gets_the_first_outcome,
    retries_at_the_same_moment_are_one_message,
    a_sender_may_do_without_the_echo,
    content_has_limits,
    threads_are_one_level_deep,
]);
