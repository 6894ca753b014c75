//! What happens to messages later: edits, deletes, reactions, reading.

use serde_json::json;

use super::{
    Stage,
    stage::{page_contents, send},
    suite::cases,
};
use crate::client::{TestClient, number, text};

async fn edits_are_told_and_kept(stage: &Stage<'_>) {
    let node = stage.node().await;
    let (mut alice, mut bob) = (node.member("alice", "r").await, node.member("bob", "r").await);
    let seq = send(&mut alice, "r", "first").await;
    let edit = json!({ "roomId": "r", "seq": seq, "content": "second" });
    assert_eq!(bob.refused("edit_message", edit.clone()).await.code, "forbidden");
    let reply = alice.call("edit_message", edit).await;
    for client in [&mut alice, &mut bob] {
        let event = client.event("message_updated").await;
        assert_eq!(
            (&event["refSeq"], &event["content"], &event["seq"]),
            (&json!(seq), &json!("second"), &reply["seq"])
        );
    }
    let page = bob.call("fetch_history", json!({ "roomId": "r" })).await;
    assert_eq!(page_contents(&page), ["second"]);
    assert!(page["messages"][0]["editedAt"].is_string());
    for (bad, code) in [
        (json!({ "roomId": "r", "seq": 999, "content": "x" }), "not_found"),
        (json!({ "roomId": "r", "seq": 1, "content": "x" }), "not_found"),
        (
            json!({ "roomId": "r", "seq": seq, "content": "" }),
            "invalid_message",
        ),
        (
            json!({ "roomId": "r", "seq": seq, "content": "x".repeat(10_001) }),
            "message_too_long",
        ),
    ] {
        assert_eq!(alice.refused("edit_message", bad).await.code, code);
    }
}

async fn deletes_leave_a_place(stage: &Stage<'_>) {
    let node = stage.node().await;
    let (mut owner, mut bob) = (node.member("owner", "r").await, node.member("bob", "r").await);
    let own = send(&mut bob, "r", "own").await;
    let owners = send(&mut owner, "r", "the owner's").await;
    let moderated = send(&mut bob, "r", "moderated").await;
    let delete = |seq: u64| json!({ "roomId": "r", "seq": seq });
    assert_eq!(
        bob.refused("delete_message", delete(owners)).await.code,
        "forbidden"
    );
    bob.call("delete_message", delete(own)).await;
    owner.call("delete_message", delete(moderated)).await;
    for seq in [own, moderated] {
        assert_eq!(owner.event("message_deleted").await["refSeq"], seq);
        assert_eq!(bob.event("message_deleted").await["refSeq"], seq);
    }
    let page = owner.call("fetch_history", json!({ "roomId": "r" })).await;
    assert_eq!(page_contents(&page), ["", "the owner's", ""]);
    assert!(page["messages"][0]["deletedAt"].is_string());
    for name in ["delete_message", "edit_message", "add_reaction"] {
        let data = json!({ "roomId": "r", "seq": own, "content": "x", "emoji": "+1" });
        assert_eq!(bob.refused(name, data).await.code, "not_found", "{name}");
    }
}

async fn reactions_are_counted(stage: &Stage<'_>) {
    let node = stage.node().await;
    let (mut alice, mut bob) = (node.member("alice", "r").await, node.member("bob", "r").await);
    let seq = send(&mut alice, "r", "hi").await;
    let with = |emoji: &str| json!({ "roomId": "r", "seq": seq, "emoji": emoji });
    alice.call("add_reaction", with("\u{1f44d}")).await;
    let second = bob.call("add_reaction", with("\u{1f44d}")).await;
    bob.call("add_reaction", with("party")).await;
    assert!(second["seq"].is_u64());
    let again = bob.call("add_reaction", with("\u{1f44d}")).await;
    assert!(again["seq"].is_null(), "it was so already: {again}");
    let event = alice
        .event_where("reaction_added", |data| data["senderId"] == "bob")
        .await;
    assert_eq!(
        (&event["refSeq"], &event["emoji"]),
        (&json!(seq), &json!("\u{1f44d}"))
    );
    bob.call("remove_reaction", with("party")).await;
    assert_eq!(alice.event("reaction_removed").await["emoji"], "party");
    assert!(bob.call("remove_reaction", with("party")).await["seq"].is_null());
    let page = bob.call("fetch_history", json!({ "roomId": "r" })).await;
    let expected = json!({ "\u{1f44d}": { "count": 2, "users": ["alice", "bob"] } });
    assert_eq!(page["messages"][0]["reactions"], expected);
    for bad in ["", "\n", &"x".repeat(65)] {
        assert_eq!(
            bob.refused("add_reaction", with(bad)).await.code,
            "invalid_message",
            "{bad:?}"
        );
    }
    let missing = json!({ "roomId": "r", "seq": 999, "emoji": "+1" });
    assert_eq!(bob.refused("add_reaction", missing).await.code, "not_found");
}

async fn counts(client: &mut TestClient) -> (u64, u64) {
    let list = client.call("list_rooms", json!({})).await;
    let room = &list["rooms"][0];
    (number(room, "unread"), number(room, "mentions"))
}

async fn unread_counts_are_exact(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let (mut alice, mut bob) = (here.member("alice", "r").await, here.member("bob", "r").await);
    let mut seqs = Vec::new();
    for n in 0..5 {
        let mentions = if n % 2 == 0 {
            json!(["bob", "carol"])
        } else {
            json!([])
        };
        let message = json!({ "roomId": "r", "content": "x", "mentions": mentions });
        seqs.push(number(&alice.call("send_message", message).await, "seq"));
    }
    send(&mut bob, "r", "one's own is not unread").await;
    assert_eq!(counts(&mut bob).await, (5, 3));
    assert_eq!(counts(&mut alice).await, (1, 0));
    alice
        .call("delete_message", json!({ "roomId": "r", "seq": seqs[4] }))
        .await;
    assert_eq!(counts(&mut bob).await, (4, 2));

    let mut second_device = there.client("bob").await;
    let reply = second_device.call("subscribe", json!({ "all": true })).await;
    assert_eq!(
        (&reply["rooms"][0]["unread"], &reply["rooms"][0]["mentions"]),
        (&json!(4), &json!(2))
    );
    let read = bob
        .call("mark_read", json!({ "roomId": "r", "seq": seqs[1] }))
        .await;
    assert_eq!(
        (&read["seq"], &read["unread"], &read["mentions"]),
        (&json!(seqs[1]), &json!(2), &json!(1))
    );
    // Never backwards; never past the end.
    let back = bob.call("mark_read", json!({ "roomId": "r", "seq": 1 })).await;
    assert_eq!((&back["seq"], &back["unread"]), (&json!(seqs[1]), &json!(2)));
    let all = bob.call("mark_read", json!({ "roomId": "r", "seq": 9999 })).await;
    assert_eq!((&all["unread"], &all["mentions"]), (&json!(0), &json!(0)));
    assert!(number(&all, "seq") < 9999);
    assert_eq!(counts(&mut second_device).await, (0, 0));
    assert_eq!(counts(&mut alice).await, (1, 0));
}

async fn reading_is_told_to_own_devices_and_to_the_room(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let (mut alice, mut bob) = (here.member("alice", "r").await, here.member("bob", "r").await);
    // Own devices learn it though they follow nothing.
    let (mut tablet, mut phone) = (here.client("bob").await, there.client("bob").await);
    let mut stranger = here.client("stranger").await;
    let seq = send(&mut alice, "r", "one").await;
    send(&mut alice, "r", "two").await;
    bob.call("mark_read", json!({ "roomId": "r", "seq": seq })).await;
    for device in [&mut bob, &mut tablet, &mut phone] {
        let event = device
            .event_where("read_updated", |data| data["unread"].is_u64())
            .await;
        assert_eq!((&event["roomId"], &event["seq"]), (&json!("r"), &json!(seq)));
        assert_eq!((&event["unread"], &event["mentions"]), (&json!(1), &json!(0)));
    }
    let receipt = alice.event("read_updated").await;
    assert_eq!((text(&receipt, "userId"), &receipt["seq"]), ("bob", &json!(seq)));
    assert!(
        receipt["unread"].is_null(),
        "what is left is nobody else's: {receipt}"
    );
    // What does not move is not told.
    bob.call("mark_read", json!({ "roomId": "r", "seq": 1 })).await;
    alice.has_no("read_updated").await;
    stranger.has_no("read_updated").await;
}

cases!($ e2e_changes, changes, [
    edits_are_told_and_kept,
    deletes_leave_a_place,
    reactions_are_counted,
    unread_counts_are_exact,
    reading_is_told_to_own_devices_and_to_the_room,
]);
