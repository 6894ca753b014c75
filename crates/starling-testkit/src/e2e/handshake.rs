//! Handshakes that are refused, and connections that never become sessions.

use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use starling_protocol::CloseCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{Node, Settings, Stage, stage::unlimited, suite::cases, token};
use crate::client::{DEADLINE, Dial, NoUpgrade, TestClient, http, raw, raw::RawSocket};

/// Tokens that do not hold, and the code of the refusal.
fn bad_tokens() -> Vec<(String, &'static str)> {
    let good = token::claims("alice");
    let with = |field: &str, value: Value| {
        let mut claims = good.clone();
        claims[field] = value;
        token::sign(&claims)
    };
    let (hour_ago, in_an_hour) = (
        token::in_past(Duration::from_secs(3600)),
        token::in_future(Duration::from_secs(3600)),
    );
    vec![
        (with("exp", json!(hour_ago)), "token_expired"),
        (with("nbf", json!(in_an_hour)), "unauthenticated"),
        (with("aud", json!("another service")), "unauthenticated"),
        (with("sub", json!("white space")), "unauthenticated"),
        (token::sign(&json!({ "sub": "alice" })), "unauthenticated"),
        (token::sign(&json!({ "exp": in_an_hour })), "unauthenticated"),
        (token::forged(&good, &token::claims("root")), "unauthenticated"),
        (token::unsigned(&good), "unauthenticated"),
        (
            token::sign_with(&good, Algorithm::HS256, "a secret of somebody else, 32 bytes"),
            "unauthenticated",
        ),
        (
            token::sign_with(&good, Algorithm::HS512, token::SECRET),
            "unauthenticated",
        ),
        ("not.a.token".to_owned(), "unauthenticated"),
    ]
}

async fn refused(node: &Node, dial: &Dial) -> NoUpgrade {
    match TestClient::dial(node.addr(), dial).await {
        Ok(_) => panic!("upgraded in spite of {dial:?}"),
        Err(refused) => refused,
    }
}

fn assert_problem(answer: &NoUpgrade, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(
        answer.content_type.starts_with("application/problem+json"),
        "{answer:?}"
    );
    assert_eq!(
        (&answer.body["code"], &answer.body["status"]),
        (&json!(code), &json!(status))
    );
}

async fn bad_tokens_get_no_upgrade(stage: &Stage<'_>) {
    let node = stage.node().await;
    for (bad, code) in bad_tokens() {
        let in_header = Dial {
            bearer: Some(bad.clone()),
            ..Dial::default()
        };
        assert_problem(&refused(&node, &in_header).await, 401, code);
        let in_address = Dial {
            query: Some(bad),
            ..Dial::default()
        };
        assert_problem(&refused(&node, &in_address).await, 401, code);
    }
    node.stats_where(|stats| stats["connections"]["total"] == 0).await;
}

async fn bad_tokens_in_a_frame_end_the_connection(stage: &Stage<'_>) {
    let node = stage.node().await;
    for (bad, code) in bad_tokens() {
        let mut client = TestClient::dial(node.addr(), &Dial::default()).await.unwrap();
        let refused = client.refused("authenticate", json!({ "token": bad })).await;
        assert_eq!(refused.code, code, "{bad}");
        assert_eq!(client.closed().await, CloseCode::InvalidToken.code());
    }
}

async fn an_audience_is_required_where_it_is_set(stage: &Stage<'_>) {
    let settings = Settings {
        audience: Some("starling".to_owned()),
        ..unlimited()
    };
    let node = stage.node_with(settings).await;
    let with = |audience: Value| {
        let mut claims = token::claims("alice");
        claims["aud"] = audience;
        claims
    };
    node.client_with(&with(json!("starling"))).await;
    node.client_with(&with(json!(["other", "starling"]))).await;
    for claims in [with(json!("other")), token::claims("alice")] {
        assert_problem(&refused(&node, &node.dial(&claims)).await, 401, "unauthenticated");
    }
}

async fn foreign_pages_are_refused(stage: &Stage<'_>) {
    let settings = Settings {
        origins: vec!["https://app.example".to_owned()],
        ..unlimited()
    };
    let node = stage.node_with(settings).await;
    let from = |origin: &str| Dial {
        origin: Some(origin.to_owned()),
        ..node.dial(&token::claims("alice"))
    };
    for allowed in ["https://app.example", &format!("http://{}", node.addr())] {
        node.welcomed(&from(allowed)).await;
    }
    for foreign in ["https://evil.example", "https://app.example.evil.example", "null"] {
        assert_problem(&refused(&node, &from(foreign)).await, 403, "forbidden");
    }
}

async fn a_full_node_says_so(stage: &Stage<'_>) {
    let settings = Settings {
        max_connections: Some(2),
        ..unlimited()
    };
    let node = stage.node_with(settings).await;
    let (_one, two) = (node.client("alice").await, node.client("bob").await);
    let dial = node.dial(&token::claims("carol"));
    assert_problem(&refused(&node, &dial).await, 503, "unavailable");
    two.close().await;
    node.stats_where(|stats| stats["connections"]["current"] == 1)
        .await;
    node.welcomed(&dial).await;
}

async fn what_is_no_upgrade_gets_an_answer(stage: &Stage<'_>) {
    let node = stage.node().await;
    const UPGRADE: [&str; 2] = ["Upgrade: websocket", "Connection: keep-alive, Upgrade"];
    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    const VERSION: &str = "Sec-WebSocket-Version: 13";
    let rows: [(&[&str], u16); 5] = [
        (&[], 426),
        (&[UPGRADE[0], UPGRADE[1], KEY], 426),
        (&[UPGRADE[0], UPGRADE[1], KEY, "Sec-WebSocket-Version: 8"], 426),
        (
            &[UPGRADE[0], UPGRADE[1], VERSION, "Sec-WebSocket-Key: short"],
            400,
        ),
        (
            &[
                UPGRADE[0],
                UPGRADE[1],
                VERSION,
                KEY,
                "Sec-WebSocket-Protocol: starling.v9.json",
            ],
            400,
        ),
    ];
    for (headers, status) in rows {
        let answer = http::get(node.addr(), "/ws", headers).await;
        assert_eq!(answer.status, status, "{headers:?}: {answer:?}");
        assert_eq!(answer.json()["code"], "invalid_message");
    }
    let whole = [UPGRADE[0], UPGRADE[1], VERSION, KEY];
    let answer = http::request(node.addr(), "HEAD /ws", &whole).await;
    assert_eq!(answer.status, 426, "a handshake is a GET: {answer:?}");
}

async fn a_handshake_may_follow_other_requests(stage: &Stage<'_>) {
    let node = stage.node().await;
    let token = token::sign(&token::claims("alice"));
    let mut stream = TcpStream::connect(node.addr()).await.unwrap();
    let handshake = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let both = format!(
        "GET /healthz HTTP/1.1\r\nHost: starling\r\n\r\n\
         GET /ws?token={token} HTTP/1.1\r\nHost: starling\r\n{handshake}\r\n\r\n"
    );
    stream.write_all(both.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    let welcome = br#""type":"welcome""#;
    while !got.windows(welcome.len()).any(|bytes| bytes == welcome) {
        let read = timeout(DEADLINE, stream.read_buf(&mut got)).await;
        assert_ne!(
            read.expect("more").unwrap(),
            0,
            "{}",
            String::from_utf8_lossy(&got)
        );
    }
    let text = String::from_utf8_lossy(&got);
    let statuses: Vec<_> = text.matches("HTTP/1.1 ").collect();
    assert_eq!(statuses.len(), 2);
    assert!(
        text.starts_with("HTTP/1.1 200 ") && text.contains("HTTP/1.1 101 "),
        "{text}"
    );
}

async fn who_never_authenticates_is_closed(stage: &Stage<'_>) {
    let settings = Settings {
        authenticate_timeout: Some(Duration::from_millis(600)),
        ..unlimited()
    };
    let node = stage.node_with(settings).await;
    let mut silent = RawSocket::upgrade(node.addr(), None).await;
    let mut chatty = TestClient::dial(node.addr(), &Dial::default()).await.unwrap();
    let mut known = node.client("alice").await;
    chatty.refused("list_rooms", json!({})).await;
    assert_eq!(silent.closed().await, Some(CloseCode::NotAuthenticated.code()));
    assert_eq!(chatty.closed().await, CloseCode::NotAuthenticated.code());
    known.call("ping", json!({})).await;
}

async fn who_never_finishes_a_request_is_closed(stage: &Stage<'_>) {
    let settings = Settings {
        header_timeout: Some(Duration::from_millis(800)),
        ..unlimited()
    };
    let node = stage.node_with(settings).await;
    let mut silent = RawSocket::connect(node.addr()).await;
    let mut slow = RawSocket::connect(node.addr()).await;
    let mut known = node.client("alice").await;
    slow.write(b"GET /ws HTTP/1.1\r\nHost: ").await;
    // A byte at a time, as fast as others get answers: the time is over in spite of them.
    while slow.try_write(b"x").await {
        known.call("ping", json!({})).await;
    }
    slow.ended().await;
    silent.ended().await;
    known.call("list_rooms", json!({})).await;
}

async fn a_byte_at_a_time_delays_nobody_else(stage: &Stage<'_>) {
    let node = stage.node().await;
    let mut others = node.member("bob", "r").await;
    let mut slow = RawSocket::upgrade(node.addr(), Some(&token::sign(&token::claims("alice")))).await;
    slow.text_with("welcome").await;
    let command = raw::frame(
        raw::TEXT,
        br#"{"type":"join_room","id":"late","data":{"roomId":"r"}}"#,
    );
    for byte in command {
        slow.write(&[byte]).await;
        others.call("ping", json!({})).await;
    }
    let reply = slow.text_with("late").await;
    assert!(reply.contains(r#""type":"ok""#), "{reply}");
    assert_eq!(others.event("member_joined").await["userId"], "alice");
}

cases!($ e2e_handshake, handshake, [
    bad_tokens_get_no_upgrade,
    bad_tokens_in_a_frame_end_the_connection,
    an_audience_is_required_where_it_is_set,
    foreign_pages_are_refused,
    a_full_node_says_so,
    what_is_no_upgrade_gets_an_answer,
    a_handshake_may_follow_other_requests,
    who_never_authenticates_is_closed,
    who_never_finishes_a_request_is_closed,
    a_byte_at_a_time_delays_nobody_else,
]);
