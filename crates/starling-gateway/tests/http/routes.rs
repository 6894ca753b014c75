//! Every route's success, once: what it does, and that it is what the document says.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    answers::Api,
    support::{admin, token},
};

/// Everything in one story: each step stands on the ones before.
#[tokio::test]
async fn every_route_does_what_its_description_says() {
    let api = Api::start().await;
    rooms(&api).await;
    messages(&api).await;
    moderation(&api).await;
    ephemeral(&api).await;
    administration(&api).await;
    guests(&api).await;
    leaving(&api).await;
    assert_eq!(
        api.left(),
        Vec::<&str>::new(),
        "these routes have not been called with success"
    );
}

async fn rooms(api: &Api) {
    let (alice, bob) = (token("alice"), token("bob"));
    let body = json!({ "roomId": "den", "name": "The den", "kind": "private", "description": "Quiet." });
    let created = api.ok("createRoom", "/rooms", &alice, Some(body)).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.header("location"), Some("/api/v1/rooms/den"));
    assert_eq!(created.json()["createdBy"], "alice");

    let change = json!({ "description": "Loud.", "settings": { "slowModeSeconds": 0, "colour": "red" } });
    let changed = api
        .ok("updateRoom", "/rooms/den", &alice, Some(change))
        .await
        .json();
    assert_eq!(
        (&changed["name"], &changed["description"]),
        (&json!("The den"), &json!("Loud."))
    );
    assert_eq!(changed["settings"]["colour"], "red");

    api.ok(
        "inviteUser",
        "/rooms/den/invitations/bob",
        &alice,
        Some(json!({})),
    )
    .await;
    let joined = api
        .ok("joinRoom", "/rooms/den/members/me", &bob, None)
        .await
        .json();
    assert_eq!(joined["role"], "member");
    assert_eq!(joined["room"]["memberCount"], 2);
    // It is so already.
    api.ok("joinRoom", "/rooms/den/members/me", &bob, None).await;

    let listed = api.ok("listRooms", "/rooms?limit=1", &bob, None).await.json();
    assert_eq!(listed["rooms"][0]["roomId"], "den");
    assert_eq!(listed["rooms"][0]["role"], "member");
    let public = api
        .ok("listRooms", "/rooms?scope=public", &bob, None)
        .await
        .json();
    assert_eq!(public["rooms"], json!([]));
    assert_eq!(
        api.ok("getRoom", "/rooms/den", &bob, None).await.json()["roomId"],
        "den"
    );

    let page = api
        .ok("listMembers", "/rooms/den/members?limit=1", &bob, None)
        .await
        .json();
    assert_eq!(page["members"][0]["userId"], "alice");
    assert_eq!(page["next"], "alice");
    let rest = api
        .ok("listMembers", "/rooms/den/members?after=alice", &bob, None)
        .await
        .json();
    assert_eq!(rest["members"][0]["userId"], "bob");
}

async fn messages(api: &Api) {
    let (alice, bob) = (token("alice"), token("bob"));
    let hello =
        json!({ "clientId": "c1", "content": "hello", "mentions": ["alice"], "metadata": { "a": [1] } });
    let sent = api
        .ok("sendMessage", "/rooms/den/messages", &bob, Some(hello.clone()))
        .await;
    assert_eq!(sent.status, StatusCode::CREATED);
    let again = api
        .ok("sendMessage", "/rooms/den/messages", &bob, Some(hello))
        .await;
    assert_eq!(again.status, StatusCode::OK);
    let (sent, again) = (sent.json(), again.json());
    assert_eq!(
        (&sent["duplicate"], &again["duplicate"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(sent["seq"], again["seq"]);
    let seq = sent["seq"].as_u64().unwrap();
    let message = format!("/rooms/den/messages/{seq}");

    let edit = json!({ "content": "hello there" });
    api.ok("editMessage", &message, &bob, Some(edit)).await;
    // An emoji in a path is percent-encoded.
    let (thumb, party) = (
        format!("{message}/reactions/%F0%9F%91%8D"),
        format!("{message}/reactions/tada"),
    );
    api.ok("addReaction", &thumb, &alice, None).await;
    api.ok("addReaction", &party, &alice, None).await;
    api.ok("removeReaction", &party, &alice, None).await;

    let history = api
        .ok("fetchHistory", "/rooms/den/messages?limit=10", &alice, None)
        .await
        .json();
    let found = &history["messages"][0];
    assert_eq!(found["content"], "hello there");
    assert_eq!(
        found["reactions"],
        json!({ "👍": { "count": 1, "users": ["alice"] } })
    );
    let around = format!("/rooms/den/messages?around={seq}&limit=1");
    assert_eq!(
        api.ok("fetchHistory", &around, &alice, None).await.json()["messages"][0]["seq"],
        seq
    );

    let unread = api.ok("listRooms", "/rooms", &alice, None).await.json();
    assert_eq!(
        (&unread["rooms"][0]["unread"], &unread["rooms"][0]["mentions"]),
        (&json!(1), &json!(1))
    );
    let read = api
        .ok("markRead", "/rooms/den/read", &alice, Some(json!({ "seq": seq })))
        .await
        .json();
    assert_eq!(
        read,
        json!({ "roomId": "den", "seq": seq, "unread": 0, "mentions": 0 })
    );

    api.ok("deleteMessage", &message, &bob, None).await;
    events(api).await;
    direct(api).await;
}

/// What the steps so far have left in the room's log.
async fn events(api: &Api) {
    let alice = token("alice");
    let page = api
        .ok("fetchEvents", "/rooms/den/events?after=0&limit=500", &alice, None)
        .await
        .json();
    let events = page["events"].as_array().unwrap();
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "room_created",
            "room_updated",
            "member_invited",
            "member_joined",
            "message_created",
            "message_updated",
            "reaction_added",
            "reaction_added",
            "reaction_removed",
            "message_deleted",
        ]
    );
    let seqs: Vec<u64> = events
        .iter()
        .map(|event| event["data"]["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, (1..=10).collect::<Vec<_>>());
    let two = api
        .ok("fetchEvents", "/rooms/den/events?limit=2", &alice, None)
        .await
        .json();
    assert_eq!(
        (two["events"].as_array().unwrap().len(), &two["hasMore"]),
        (2, &json!(true))
    );
}

/// Direct messages are rooms with a reserved id, which a path holds as it is or percent-encoded.
async fn direct(api: &Api) {
    let (alice, bob) = (token("alice"), token("bob"));
    let sent = api
        .ok(
            "sendDirectMessage",
            "/users/bob/messages",
            &alice,
            Some(json!({ "content": "psst" })),
        )
        .await;
    assert_eq!(sent.status, StatusCode::CREATED);
    assert_eq!(sent.json()["roomId"], "@dm:alice,bob");
    for room in ["@dm:alice,bob", "%40dm%3Aalice%2Cbob"] {
        let path = format!("/rooms/{room}/messages");
        let history = api.ok("fetchHistory", &path, &bob, None).await.json();
        assert_eq!(history["messages"][0]["content"], "psst");
        let view = api.ok("getRoom", &format!("/rooms/{room}"), &bob, None).await;
        assert_eq!(view.json()["kind"], "direct");
    }
    let eve = api
        .server
        .call(Method::GET, "/rooms/@dm:alice,bob/messages", &token("eve"), None)
        .await;
    eve.problem(403, "forbidden");
}

async fn moderation(api: &Api) {
    let (alice, bob, carol) = (token("alice"), token("bob"), token("carol"));
    let forever = || Some(json!({}));
    api.ok(
        "muteMember",
        "/rooms/den/mutes/bob",
        &alice,
        Some(json!({ "until": "2099-01-01T00:00:00Z", "reason": "noise" })),
    )
    .await;
    let muted = api
        .server
        .call(
            Method::POST,
            "/rooms/den/messages",
            &bob,
            Some(&json!({ "content": "?" })),
        )
        .await;
    muted.problem(403, "muted");
    assert!(muted.json()["retryAfterMs"].as_u64().unwrap() > 1_000_000);
    api.ok("unmuteMember", "/rooms/den/mutes/bob", &alice, None).await;

    let moderator = json!({ "role": "moderator" });
    api.ok("setRole", "/rooms/den/members/bob/role", &alice, Some(moderator))
        .await;
    api.ok(
        "inviteUser",
        "/rooms/den/invitations/carol",
        &bob,
        Some(json!({ "role": "guest" })),
    )
    .await;
    let joined = api
        .ok("joinRoom", "/rooms/den/members/me", &carol, None)
        .await
        .json();
    assert_eq!(joined["role"], "guest");
    api.ok(
        "kickMember",
        "/rooms/den/members/carol?reason=go%20away",
        &bob,
        None,
    )
    .await;
    api.ok("banUser", "/rooms/den/bans/carol", &bob, forever()).await;
    let banned = api
        .server
        .call(Method::PUT, "/rooms/den/members/me", &carol, None)
        .await;
    banned.problem(403, "banned");
    let lifted = api
        .ok("unbanUser", "/rooms/den/bans/carol", &bob, None)
        .await
        .json();
    assert!(lifted["seq"].is_u64());
    let nothing = api
        .ok("unbanUser", "/rooms/den/bans/carol", &bob, None)
        .await
        .json();
    assert_eq!(nothing, json!({ "roomId": "den" }), "it was so already");
}

async fn ephemeral(api: &Api) {
    let bob = token("bob");
    api.ok("startTyping", "/rooms/den/typing", &bob, None).await;
    api.ok("stopTyping", "/rooms/den/typing", &bob, None).await;
    let signal = json!({ "name": "cursor", "payload": { "x": 1 } });
    api.ok("sendSignal", "/rooms/den/signals", &bob, Some(signal.clone()))
        .await;
    // An administrator is heard everywhere.
    api.ok(
        "sendSignal",
        "/rooms/@all/signals",
        &admin(),
        Some(signal.clone()),
    )
    .await;
    api.ok(
        "sendSignal",
        "/rooms/@bob/signals",
        &admin(),
        Some(signal.clone()),
    )
    .await;
    let loud = api
        .server
        .call(Method::POST, "/rooms/@all/signals", &bob, Some(&signal))
        .await;
    loud.problem(403, "forbidden");
    let found = api
        .ok("lookUpPresence", "/presence?userIds=alice,bob", &bob, None)
        .await
        .json();
    let users: Vec<&Value> = found["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| &user["userId"])
        .collect();
    assert_eq!(users, ["alice", "bob"]);
    assert_eq!(found["users"][0]["status"], "offline");
}

async fn administration(api: &Api) {
    let (root, bob) = (admin(), token("bob"));
    let body = json!({ "topic": "build", "payload": { "state": "green" } });
    let stored = api
        .ok("notifyUser", "/users/bob/notifications", &root, Some(body))
        .await
        .json();
    assert_eq!(stored["roomId"], "@bob");
    let inbox = api
        .ok("fetchEvents", "/rooms/@bob/events", &bob, None)
        .await
        .json();
    assert_eq!(inbox["events"][0]["type"], "notification");
    assert_eq!(inbox["events"][0]["data"]["payload"]["state"], "green");

    let body = json!({ "topic": "announcement", "payload": "hello, everybody" });
    api.ok("announce", "/announcements", &root, Some(body)).await;
    let all = api
        .ok("fetchEvents", "/rooms/@all/events", &bob, None)
        .await
        .json();
    assert_eq!(all["events"][0]["data"]["payload"], "hello, everybody");
    let nodes = api.ok("listNodes", "/admin/nodes", &root, None).await;
    assert!(nodes.json()["nodes"].is_array());
    // The node only asks for it: whoever runs it does it.
    let drain = api.ok("drainNode", "/admin/drain", &root, None).await;
    assert_eq!(drain.status, StatusCode::ACCEPTED);
    api.server.gateway.drain_wanted().await;
    api.ok("disconnectUser", "/users/bob/sessions", &root, None).await;
    // Into a room without being one of its members.
    let published = json!({ "content": "from the service" });
    api.ok("sendMessage", "/rooms/den/messages", &root, Some(published))
        .await;
}

async fn guests(api: &Api) {
    let body = json!({ "name": "Alice" });
    let guest = api.ok("signInAsGuest", "/auth/guest", "", Some(body)).await;
    let body = json!({ "refreshToken": guest.json()["refreshToken"] });
    api.ok("refreshGuest", "/auth/refresh", "", Some(body)).await;
}

async fn leaving(api: &Api) {
    let (alice, bob) = (token("alice"), token("bob"));
    api.ok("leaveRoom", "/rooms/den/members/me", &bob, None).await;
    api.ok("deleteRoom", "/rooms/den", &alice, None).await;
    let gone = api.server.call(Method::GET, "/rooms/den", &alice, None).await;
    gone.problem(404, "not_found");
}

#[tokio::test]
async fn the_token_may_come_in_the_address() {
    let api = Api::start().await;
    let path = format!("/api/v1/rooms?token={}", token("alice"));
    let answer = api.server.get(&path).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}

#[tokio::test]
async fn a_body_of_defaults_may_be_left_out() {
    let api = Api::start().await;
    let alice = token("alice");
    api.ok(
        "createRoom",
        "/rooms",
        &alice,
        Some(json!({ "roomId": "den", "name": "den" })),
    )
    .await;
    let banned = api
        .server
        .call(Method::PUT, "/rooms/den/bans/mallory", &alice, None)
        .await;
    assert_eq!(banned.status, StatusCode::OK, "{banned:?}");
}
