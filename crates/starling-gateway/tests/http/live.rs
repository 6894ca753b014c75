//! What is done over HTTP is heard over the socket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

use crate::support::{Server, admin, token};

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(crate) async fn connect(server: &Server, user: &str) -> Socket {
    let url = format!("ws://{}/ws?token={}", server.gateway.addr(), token(user));
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    until(&mut socket, "welcome").await;
    socket
}

/// The data of the next frame of this type; others are passed over.
pub(crate) async fn until(socket: &mut Socket, kind: &str) -> Value {
    let found = async {
        loop {
            let Message::Text(text) = socket.next().await.unwrap().unwrap() else {
                continue;
            };
            let frame: Value = serde_json::from_str(&text).unwrap();
            let events = match frame["type"].as_str() {
                Some("batch") => frame["data"]["events"].as_array().unwrap().clone(),
                _ => vec![frame],
            };
            if let Some(event) = events.iter().find(|event| event["type"] == kind) {
                return event["data"].clone();
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), found)
        .await
        .unwrap_or_else(|_| panic!("no {kind}"))
}

pub(crate) async fn send(socket: &mut Socket, kind: &str, data: Value) {
    let frame = json!({ "type": kind, "id": "1", "data": data });
    socket.send(Message::text(frame.to_string())).await.unwrap();
    until(socket, "ok").await;
}

#[tokio::test]
async fn a_room_hears_what_rest_does() {
    let server = Server::start().await;
    let mut alice = connect(&server, "alice").await;
    send(&mut alice, "join_room", json!({ "roomId": "den" })).await;
    let bob = token("bob");
    let call = async |method: Method, path: &str, body: Option<Value>| {
        let answer = server.call(method, path, &bob, body.as_ref()).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        answer
    };
    call(Method::PUT, "/rooms/den/members/me", None).await;
    assert_eq!(until(&mut alice, "member_joined").await["userId"], "bob");
    let sent = call(
        Method::POST,
        "/rooms/den/messages",
        Some(json!({ "content": "hi", "clientId": "c" })),
    )
    .await;
    let heard = until(&mut alice, "message_created").await;
    assert_eq!(
        (
            &heard["seq"],
            &heard["messageId"],
            &heard["clientId"],
            &heard["senderName"]
        ),
        (
            &sent.json()["seq"],
            &sent.json()["messageId"],
            &json!("c"),
            &json!("BOB")
        )
    );
    call(Method::PUT, "/rooms/den/typing", None).await;
    assert_eq!(
        until(&mut alice, "typing").await,
        json!({ "roomId": "den", "userId": "bob", "isTyping": true })
    );
    let signal = json!({ "name": "cursor", "payload": [1, 2] });
    call(Method::POST, "/rooms/den/signals", Some(signal)).await;
    assert_eq!(
        until(&mut alice, "signal").await,
        json!({ "roomId": "den", "senderId": "bob", "name": "cursor", "payload": [1, 2] })
    );
}

#[tokio::test]
async fn administrators_reach_users_and_end_their_sessions() {
    let server = Server::start().await;
    let mut alice = connect(&server, "alice").await;
    let root = admin();
    let body = json!({ "topic": "build", "payload": "green" });
    for path in ["/users/alice/notifications", "/announcements"] {
        let answer = server.call(Method::POST, path, &root, Some(&body)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(until(&mut alice, "notification").await["payload"], "green");
    }
    server
        .call(Method::DELETE, "/users/alice/sessions", &root, None)
        .await;
    let closed = loop {
        match alice.next().await.unwrap().unwrap() {
            Message::Close(frame) => break frame.unwrap(),
            _ => continue,
        }
    };
    assert_eq!(u16::from(closed.code), 4501);
}

#[tokio::test]
async fn the_node_is_in_the_list_of_nodes() {
    let server = Server::start_with(|config| config.advertise = Some("gateway.example:80".into())).await;
    let nodes = async {
        loop {
            let answer = server
                .call(Method::GET, "/admin/nodes", &admin(), None)
                .await
                .json();
            // The first report is made in the background.
            if answer["nodes"] != json!([]) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let nodes = tokio::time::timeout(Duration::from_secs(20), nodes)
        .await
        .expect("a report");
    let node = &nodes["nodes"][0];
    assert_eq!(node["nodeId"], "node-1");
    assert_eq!(node["address"], "gateway.example:80");
    assert_eq!(node["draining"], false);
    let refused = server
        .call(Method::GET, "/admin/nodes", &token("alice"), None)
        .await;
    assert_eq!(refused.status, 403);
}
