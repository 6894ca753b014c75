//! Every class of error: its status, its code, and a text that says what to do.

use reqwest::{
    Method,
    header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::json;
use starling_core::ports::Rate;

use crate::support::{Server, admin, answer, token, token_with};

#[tokio::test]
async fn who_calls_must_be_known() {
    let server = Server::start().await;
    let none = server.get("/api/v1/rooms").await;
    let text = none.problem(401, "unauthenticated");
    assert!(text.contains("Authorization: Bearer"), "{text}");
    assert_eq!(none.headers[WWW_AUTHENTICATE], "Bearer");

    let forged = server.call(Method::GET, "/rooms", "x.y.z", None).await;
    forged.problem(401, "unauthenticated");
    let old = token_with("alice", &json!({ "exp": 1 }));
    server
        .call(Method::GET, "/rooms", &old, None)
        .await
        .problem(401, "token_expired");
    server
        .get("/api/v1/rooms?token=a&token=b")
        .await
        .problem(400, "invalid_message");
}

#[tokio::test]
async fn what_cannot_be_read_says_why() {
    let server = Server::start().await;
    let alice = token("alice");
    let post = || server.request(Method::POST, "/api/v1/rooms").bearer_auth(&alice);
    let rows = [
        (
            post().header(CONTENT_TYPE, "text/plain").body("{}"),
            "application/json",
        ),
        (post().body("{}"), "application/json"),
        (
            post().header(CONTENT_TYPE, "application/json").body("{"),
            "line 1",
        ),
        (post().json(&json!({ "name": 7 })), "expected a string"),
        (post().json(&json!({})), "missing field `name`"),
        (post(), "missing field `name`"),
        (post().json(&json!({ "name": "" })), "1 to 128 characters"),
        (
            post().json(&json!({ "name": "x", "roomId": "@all" })),
            "begin with @",
        ),
    ];
    for (request, expected) in rows {
        let text = answer(request).await.problem(400, "invalid_message");
        assert!(text.contains(expected), "{text:?} does not say {expected:?}");
    }
}

#[tokio::test]
async fn paths_and_queries_are_read_strictly() {
    let server = Server::start().await;
    let alice = token("alice");
    let rows = [
        (Method::GET, "/rooms/a%20b", "A-Z a-z 0-9"),
        (Method::GET, "/rooms/%FF", "UTF-8"),
        (Method::PUT, "/rooms/@dm:bob,alice/members/me", "sorted"),
        (Method::DELETE, "/rooms/den/messages/x", "seq"),
        (Method::DELETE, "/rooms/den/messages/-1", "seq"),
        (Method::GET, "/rooms?limit=many", "limit"),
        (Method::GET, "/rooms?limit=0", "at least 1"),
        (Method::GET, "/rooms?scope=all", "scope"),
        (Method::GET, "/presence", "userIds"),
        (Method::GET, "/presence?userIds=", "1 to 128 bytes"),
        (Method::GET, "/presence?userIds=a,,b", "1 to 128 bytes"),
    ];
    for (method, path, expected) in rows {
        let answer = server.call(method, path, &alice, None).await;
        let text = answer.problem(400, "invalid_message");
        assert!(
            text.contains(expected),
            "{path}: {text:?} does not say {expected:?}"
        );
    }
    server
        .call(Method::PUT, "/rooms/open/members/me", &alice, None)
        .await;
    for (path, expected) in [
        ("/rooms/open/messages?before=3&after=1", "one of before"),
        ("/rooms/open/messages?before=x", "before"),
    ] {
        let text = server
            .call(Method::GET, path, &alice, None)
            .await
            .problem(400, "invalid_message");
        assert!(text.contains(expected), "{path}: {text:?}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let server = Server::start().await;
    for path in [
        "/nowhere",
        "/api/v1/nowhere",
        "/api/v2/rooms",
        "/docs/nowhere.js",
        "/ws/x",
    ] {
        server.get(path).await.problem(404, "not_found");
    }
    for (method, path, allowed) in [
        (Method::PATCH, "/api/v1/rooms", "GET"),
        (Method::POST, "/api/v1/rooms/a/events", "GET"),
        (Method::GET, "/api/v1/announcements", "POST"),
        (Method::DELETE, "/healthz", "GET"),
        (Method::POST, "/api/v1/openapi.json", "GET"),
        (Method::POST, "/ws", "GET"),
    ] {
        let answer = answer(server.request(method, path)).await;
        let text = answer.problem(405, "invalid_message");
        assert!(text.contains("Allow"), "{text}");
        let allow = answer.headers[ALLOW].to_str().unwrap();
        assert!(allow.contains(allowed), "{path}: {allow}");
    }
    server.get("/ws").await.problem(426, "invalid_message");
    server
        .get("/ws?token=a&token=b")
        .await
        .problem(426, "invalid_message");
}

#[tokio::test]
async fn refusals_have_their_status() {
    let server = Server::start().await;
    let (alice, bob) = (token("alice"), token("bob"));
    let room = json!({ "roomId": "den", "name": "den", "kind": "private", "maxMembers": 1 });
    let post = async |path: &str, token: &str, body: serde_json::Value| {
        server.call(Method::POST, path, token, Some(&body)).await
    };
    assert_eq!(post("/rooms", &alice, room.clone()).await.status, 201);
    post("/rooms", &bob, room).await.problem(409, "room_exists");
    let private = server
        .call(Method::PUT, "/rooms/den/members/me", &bob, None)
        .await;
    private.problem(403, "forbidden");
    post("/rooms/den/messages", &bob, json!({ "content": "x" }))
        .await
        .problem(403, "not_member");
    server
        .call(Method::GET, "/rooms/den", &bob, None)
        .await
        .problem(403, "not_member");
    server
        .call(Method::GET, "/rooms/none", &bob, None)
        .await
        .problem(404, "not_found");

    server
        .call(
            Method::PUT,
            "/rooms/den/invitations/bob",
            &alice,
            Some(&json!({})),
        )
        .await;
    server
        .call(Method::PUT, "/rooms/den/members/me", &bob, None)
        .await
        .problem(409, "room_full");

    let sent = post(
        "/rooms/den/messages",
        &alice,
        json!({ "content": "a", "clientId": "c1" }),
    )
    .await;
    assert_eq!(sent.status, 201);
    post(
        "/rooms/den/messages",
        &alice,
        json!({ "content": "b", "clientId": "c1" }),
    )
    .await
    .problem(409, "conflict");
    post(
        "/rooms/den/messages",
        &alice,
        json!({ "content": "x".repeat(10_001) }),
    )
    .await
    .problem(413, "message_too_long");

    let notice = json!({ "topic": "t", "payload": 1 });
    for path in ["/announcements", "/users/bob/notifications"] {
        post(path, &alice, notice.clone()).await.problem(403, "forbidden");
    }
    server
        .call(Method::DELETE, "/users/bob/sessions", &alice, None)
        .await
        .problem(403, "forbidden");
    post("/announcements", &admin(), json!({ "topic": "", "payload": 1 }))
        .await
        .problem(400, "invalid_message");
}

#[tokio::test]
async fn a_body_is_bounded() {
    let server = Server::start_with(|config| config.limits.frame_bytes = 2048).await;
    let alice = token("alice");
    let fits = json!({ "name": "x", "settings": { "pad": "x".repeat(1000) } });
    assert_eq!(
        server
            .call(Method::POST, "/rooms", &alice, Some(&fits))
            .await
            .status,
        201
    );
    let long = json!({ "name": "x", "settings": { "pad": "x".repeat(3000) } });
    let text = server
        .call(Method::POST, "/rooms", &alice, Some(&long))
        .await
        .problem(413, "message_too_long");
    assert!(text.contains("2048 bytes of body"), "{text}");
}

#[tokio::test]
async fn commands_and_messages_come_from_the_budgets_of_the_socket() {
    let server = Server::start_with(|config| {
        config.limits.commands = Rate {
            per_minute: 1,
            burst: 4,
        };
        config.messages.rate = Rate {
            per_minute: 1,
            burst: 1,
        };
    })
    .await;
    let alice = token("alice");
    let hello = json!({ "content": "hello" });
    let send = async || {
        server
            .call(Method::POST, "/users/bob/messages", &alice, Some(&hello))
            .await
    };
    assert_eq!(send().await.status, 201);
    let limited = send().await;
    let text = limited.problem(429, "rate_limited");
    assert!(text.contains("too many messages"), "{text}");
    let wait: u64 = limited.headers[RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(limited.json()["retryAfterMs"].as_u64().unwrap() > 1000 * (wait - 1));

    // A refused message has taken nothing: three commands are left.
    for _ in 0..3 {
        assert_eq!(server.call(Method::GET, "/rooms", &alice, None).await.status, 200);
    }
    let text = server
        .call(Method::GET, "/rooms", &alice, None)
        .await
        .problem(429, "rate_limited");
    assert!(text.contains("too many commands"), "{text}");
    // The budget is the user's.
    assert_eq!(
        server
            .call(Method::GET, "/rooms", &token("bob"), None)
            .await
            .status,
        200
    );
}
