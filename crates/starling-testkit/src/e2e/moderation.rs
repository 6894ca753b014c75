//! Who may write, who is sent away; and that nothing is delivered after that.

use std::time::Duration;

use serde_json::{Value, json};
use starling_core::{Clock as _, SystemClock};

use super::{
    Node, Stage,
    stage::{durable_of, send},
    suite::cases,
    token,
};
use crate::client::{TestClient, number, text};

/// Bob's sessions on two nodes are sent away by this command: each learns of it, and hears nothing behind it.
async fn sent_away(here: &Node, there: &Node, command: &str, event: &str) -> (TestClient, TestClient) {
    let mut owner = here.member("owner", "r").await;
    let mut witness = there.member("witness", "r").await;
    let mut bob = here.member("bob", "r").await;
    let mut elsewhere = there.member("bob", "r").await;
    let id = owner
        .start(
            command,
            json!({ "roomId": "r", "userId": "bob", "reason": "spam" }),
        )
        .await;
    let mut last = 0;
    for n in 0..20 {
        last = owner
            .start(
                "send_message",
                json!({ "roomId": "r", "content": format!("after {n}") }),
            )
            .await;
    }
    owner.reply(id).await.expect("a moderator may");
    owner.reply(last).await.expect("sent");
    let told = owner.event(event).await;
    assert_eq!(
        (&told["userId"], &told["reason"]),
        (&json!("bob"), &json!("spam"))
    );
    // When the others have the last of them, every session of their nodes had its turn.
    for other in [&mut owner, &mut witness] {
        other
            .event_where("message_created", |data| data["content"] == "after 19")
            .await;
    }
    for session in [&mut bob, &mut elsewhere] {
        session.event(event).await;
        let came = session.settled().await;
        let mut later = durable_of(&came, "r");
        later.retain(|event| number(&event["data"], "seq") > number(&told, "seq"));
        assert!(later.is_empty(), "delivered after {command}: {later:?}");
        let refused = session
            .refused("send_message", json!({ "roomId": "r", "content": "x" }))
            .await;
        assert_eq!(
            refused.code,
            if command == "ban" { "banned" } else { "not_member" }
        );
        session
            .refused("signal", json!({ "roomId": "r", "name": "x" }))
            .await;
    }
    (owner, bob)
}

async fn the_kicked_hear_nothing_more(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let (_owner, mut bob) = sent_away(&here, &there, "kick", "member_kicked").await;
    bob.call("join_room", json!({ "roomId": "r" })).await;
}

async fn the_banned_hear_nothing_more_and_stay_out(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let (mut owner, mut bob) = sent_away(&here, &there, "ban", "member_banned").await;
    for name in ["join_room", "fetch_history", "fetch_events", "mark_read"] {
        let refused = bob.refused(name, json!({ "roomId": "r", "seq": 1 })).await;
        assert_eq!(
            (refused.code.as_str(), refused.retry_after_ms),
            ("banned", None),
            "{name}"
        );
    }
    let bob_in_r = json!({ "roomId": "r", "userId": "bob" });
    assert_eq!(owner.refused("invite", bob_in_r.clone()).await.code, "forbidden");
    owner.call("unban", bob_in_r.clone()).await;
    owner.event("member_unbanned").await;
    bob.call("join_room", json!({ "roomId": "r" })).await;
    // With an end: the refusal says when.
    let until = SystemClock.now().plus(Duration::from_secs(3600));
    let for_an_hour = json!({ "roomId": "r", "userId": "bob", "until": until.to_string() });
    owner.call("ban", for_an_hour).await;
    let refused = bob.refused("join_room", json!({ "roomId": "r" })).await;
    let wait = refused.retry_after_ms.expect("an end");
    assert!((3_500_000..=3_600_000).contains(&wait), "{wait}");
    let over = json!({ "roomId": "r", "userId": "bob", "until": 1000 });
    assert_eq!(owner.refused("ban", over).await.code, "invalid_message");
}

async fn a_kick_and_a_subscription_may_meet(stage: &Stage<'_>) {
    let nodes = [stage.node().await, stage.node().await];
    let mut owner = nodes[0].member("owner", "r").await;
    let mut witness = nodes[1].member("witness", "r").await;
    let mut bobs = [nodes[0].client("bob").await, nodes[1].client("bob").await];
    for round in 0..16 {
        let bob = &mut bobs[round % 2];
        bob.call("join_room", json!({ "roomId": "r", "history": 0 }))
            .await;
        bob.call("unsubscribe", json!({ "roomIds": ["r"] })).await;
        bob.settled().await;
        let following = bob
            .start("subscribe", json!({ "rooms": [{ "roomId": "r" }] }))
            .await;
        let kicking = owner
            .start("kick", json!({ "roomId": "r", "userId": "bob" }))
            .await;
        for n in 0..3 {
            owner
                .start(
                    "send_message",
                    json!({ "roomId": "r", "content": format!("{round} {n}") }),
                )
                .await;
        }
        bob.reply(following).await.expect("an answer for the room");
        let kick = number(&owner.reply(kicking).await.expect("kicked"), "seq");
        send(&mut owner, "r", &format!("{round} end")).await;
        let ends = |data: &Value| data["content"] == format!("{round} end");
        for other in [&mut owner, &mut witness] {
            other.event_where("message_created", ends).await;
        }
        for event in durable_of(&bob.settled().await, "r") {
            assert!(number(&event["data"], "seq") <= kick, "round {round}: {event}");
        }
    }
}

async fn who_leaves_here_and_joins_there_is_there(stage: &Stage<'_>) {
    let (here, there) = (stage.node().await, stage.node().await);
    let mut owner = here.member("owner", "r").await;
    let mut phone = here.client("bob").await;
    // Somebody else keeps the room open there: its node has a view of it that may be late.
    let _open = there.member("carol", "r").await;
    let mut laptop = there.member("bob", "r").await;
    for round in 0..16 {
        if round % 2 == 0 {
            phone.call("leave_room", json!({ "roomId": "r" })).await;
        } else {
            owner
                .call("kick", json!({ "roomId": "r", "userId": "bob" }))
                .await;
        }
        laptop
            .call("join_room", json!({ "roomId": "r", "history": 0 }))
            .await;
        let seq = send(&mut owner, "r", "still there?").await;
        laptop
            .event_where("message_created", |data| data["seq"] == seq)
            .await;
    }
}

async fn the_muted_read_and_do_not_write(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut owner = node.member("owner", "r").await;
    let mut bob = node.member("bob", "r").await;
    let own = send(&mut bob, "r", "before").await;
    let until = SystemClock.now().plus(Duration::from_secs(60));
    owner
        .call(
            "mute",
            json!({ "roomId": "r", "userId": "bob", "until": until.to_string() }),
        )
        .await;
    assert_eq!(bob.event("member_muted").await["userId"], "bob");
    for (name, data) in [
        ("send_message", json!({ "roomId": "r", "content": "x" })),
        (
            "edit_message",
            json!({ "roomId": "r", "seq": own, "content": "x" }),
        ),
        (
            "add_reaction",
            json!({ "roomId": "r", "seq": own, "emoji": "+1" }),
        ),
    ] {
        let refused = bob.refused(name, data).await;
        assert_eq!(refused.code, "muted", "{name}");
        assert!(
            refused.retry_after_ms.is_some_and(|ms| ms <= 60_000),
            "{refused:?}"
        );
    }
    send(&mut owner, "r", "listen").await;
    bob.event_where("message_created", |data| data["content"] == "listen")
        .await;
    let members = owner.call("list_members", json!({ "roomId": "r" })).await;
    assert_eq!(
        (&members["members"][0]["userId"], &members["members"][0]["muted"]),
        (&json!("bob"), &json!(true))
    );
    owner
        .call("unmute", json!({ "roomId": "r", "userId": "bob" }))
        .await;
    bob.event("member_unmuted").await;
    send(&mut bob, "r", "again").await;
}

async fn roles_decide(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut owner = node.member("owner", "r").await;
    let mut alice = node.member("alice", "r").await;
    let mut bob = node.member("bob", "r").await;
    let on = |user: &str| json!({ "roomId": "r", "userId": user });
    for name in ["invite", "kick", "ban", "unban", "mute", "unmute"] {
        assert_eq!(
            alice.refused(name, on("bob")).await.code,
            "forbidden",
            "{name} by a member"
        );
    }
    let role = |user: &str, role: &str| json!({ "roomId": "r", "userId": user, "role": role });
    assert_eq!(
        alice.refused("set_role", role("bob", "guest")).await.code,
        "forbidden"
    );
    owner.call("set_role", role("alice", "moderator")).await;
    let told = bob.event("member_role_changed").await;
    assert_eq!(
        (text(&told, "userId"), text(&told, "role")),
        ("alice", "moderator")
    );
    alice.call("kick", on("bob")).await;
    for name in ["kick", "ban", "mute"] {
        assert_eq!(
            alice.refused(name, on("owner")).await.code,
            "forbidden",
            "{name} of the owner"
        );
        assert_eq!(
            alice.refused(name, on("alice")).await.code,
            "forbidden",
            "{name} of oneself"
        );
    }
    assert_eq!(alice.refused("kick", on("nobody")).await.code, "not_found");
    bob.call("join_room", json!({ "roomId": "r" })).await;
    owner.call("set_role", role("bob", "guest")).await;
    let refused = bob
        .refused("send_message", json!({ "roomId": "r", "content": "x" }))
        .await;
    assert_eq!(refused.code, "forbidden");
    assert_eq!(
        owner.refused("set_role", role("nobody", "guest")).await.code,
        "not_found"
    );
    assert_eq!(
        owner.refused("set_role", role("bob", "emperor")).await.code,
        "invalid_message"
    );
}

async fn an_administrator_needs_no_role(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut bob = node.member("bob", "r").await;
    let mut claims = token::claims("root");
    claims["roles"] = json!(["admin"]);
    let mut root = node.client_with(&claims).await;
    let bobs = send(&mut bob, "r", "to be deleted").await;
    root.call("delete_message", json!({ "roomId": "r", "seq": bobs }))
        .await;
    bob.event("message_deleted").await;
    root.call("fetch_history", json!({ "roomId": "r" })).await;
    root.call("kick", json!({ "roomId": "r", "userId": "bob" })).await;
    bob.event("member_kicked").await;
}

async fn slow_mode_makes_members_wait(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut owner = node.member("owner", "r").await;
    let mut bob = node.member("bob", "r").await;
    owner
        .call(
            "update_room",
            json!({ "roomId": "r", "settings": { "slowModeSeconds": 1 } }),
        )
        .await;
    send(&mut bob, "r", "one").await;
    let refused = bob
        .refused("send_message", json!({ "roomId": "r", "content": "two" }))
        .await;
    assert_eq!(refused.code, "slow_mode");
    let wait = refused.retry_after_ms.expect("when to try again");
    assert!(wait <= 1000, "{wait}");
    send(&mut owner, "r", "one").await;
    send(&mut owner, "r", "moderators need not wait").await;
    tokio::time::sleep(Duration::from_millis(wait)).await;
    send(&mut bob, "r", "two").await;
}

cases!($ e2e_moderation, moderation, [
    the_kicked_hear_nothing_more,
    the_banned_hear_nothing_more_and_stay_out,
    a_kick_and_a_subscription_may_meet,
    who_leaves_here_and_joins_there_is_there,
    the_muted_read_and_do_not_write,
    roles_decide,
    an_administrator_needs_no_role,
    slow_mode_makes_members_wait,
]);
