//! What the cases share: gateways, clients, and the checks that many of them make.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{Gateway, Harness, Settings, token};
use crate::client::{DEADLINE, Dial, TestClient, Wire, http, number, text};

/// A harness, and the codec that its clients speak.
pub struct Stage<'h> {
    harness: &'h dyn Harness,
    wire: Wire,
}

/// A gateway, and how its clients connect.
#[derive(Clone)]
pub struct Node {
    gateway: Arc<dyn Gateway>,
    wire: Wire,
}

impl<'h> Stage<'h> {
    /// A stage.
    #[must_use]
    pub fn new(harness: &'h dyn Harness, wire: Wire) -> Self {
        Self { harness, wire }
    }

    /// A gateway as it is by default, but for the rates: most cases are faster than people.
    pub async fn node(&self) -> Node {
        self.node_with(unlimited()).await
    }

    /// A gateway with these settings.
    pub async fn node_with(&self, settings: Settings) -> Node {
        Node {
            gateway: self.harness.start(&settings).await,
            wire: self.wire,
        }
    }

    /// The codec that its clients speak.
    #[must_use]
    pub fn wire(&self) -> Wire {
        self.wire
    }
}

/// Settings without rates.
#[must_use]
pub(super) fn unlimited() -> Settings {
    Settings {
        commands: Some((0, 0)),
        messages: Some((0, 0)),
        ..Settings::default()
    }
}

impl Node {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.gateway.addr()
    }

    /// Ends it as a power failure would.
    pub async fn kill(&self) {
        self.gateway.kill().await;
    }

    /// Sends its clients away and stops it.
    pub async fn drain(&self) {
        self.gateway.drain().await;
    }

    /// How the stage's clients connect, with these claims.
    #[must_use]
    pub fn dial(&self, claims: &Value) -> Dial {
        Dial {
            bearer: Some(token::sign(claims)),
            wire: Some(self.wire),
            ..Dial::default()
        }
    }

    /// A client of this user, welcomed.
    pub async fn client(&self, user: &str) -> TestClient {
        self.client_with(&token::claims(user)).await
    }

    /// A client of this user that speaks this codec.
    pub async fn client_in(&self, user: &str, wire: Wire) -> TestClient {
        let dial = Dial {
            wire: Some(wire),
            ..self.dial(&token::claims(user))
        };
        self.welcomed(&dial).await
    }

    /// A client with these claims, welcomed.
    pub async fn client_with(&self, claims: &Value) -> TestClient {
        self.welcomed(&self.dial(claims)).await
    }

    /// A client, welcomed.
    pub async fn welcomed(&self, dial: &Dial) -> TestClient {
        let mut client = TestClient::dial(self.addr(), dial).await.expect("an upgrade");
        let first = client.next().await;
        assert_eq!(first["type"], "welcome", "the first frame is {first}");
        client
    }

    /// A client of this user who has joined a room, and what the reply said.
    pub async fn joined(&self, user: &str, room: &str) -> (TestClient, Value) {
        let mut client = self.client(user).await;
        let reply = client.call("join_room", json!({ "roomId": room })).await;
        client.settled().await;
        (client, reply)
    }

    /// A client of this user who has joined a room.
    pub async fn member(&self, user: &str, room: &str) -> TestClient {
        self.joined(user, room).await.0
    }

    /// `/stats`.
    pub async fn stats(&self) -> Value {
        http::get(self.addr(), "/stats", &[]).await.json()
    }

    /// Waits until the node's statistics are such.
    pub async fn stats_where(&self, such: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            loop {
                let stats = self.stats().await;
                if such(&stats) {
                    return stats;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(DEADLINE, waiting)
            .await
            .expect("the statistics are so")
    }
}

/// Sends a plain message, and gives its seq.
pub(super) async fn send(client: &mut TestClient, room: &str, content: &str) -> u64 {
    let reply = client
        .call("send_message", json!({ "roomId": room, "content": content }))
        .await;
    number(&reply, "seq")
}

/// Sends many messages without waiting for each, and gives their seqs.
pub(super) async fn send_many(
    client: &mut TestClient,
    room: &str,
    contents: impl Iterator<Item = String>,
) -> Vec<u64> {
    // No more at once than a session may have unanswered.
    const AT_ONCE: usize = 40;
    let contents: Vec<String> = contents.collect();
    let mut seqs = Vec::with_capacity(contents.len());
    for chunk in contents.chunks(AT_ONCE) {
        let mut ids = Vec::with_capacity(chunk.len());
        for content in chunk {
            ids.push(
                client
                    .start("send_message", json!({ "roomId": room, "content": content }))
                    .await,
            );
        }
        for id in ids {
            seqs.push(number(&client.reply(id).await.expect("accepted"), "seq"));
        }
    }
    seqs
}

/// The next so many messages of a room; other events may be among them. All are dense and in order.
pub(super) async fn messages(client: &mut TestClient, room: &str, count: usize) -> Vec<Value> {
    let mut messages = Vec::with_capacity(count);
    let mut before: Option<u64> = None;
    while messages.len() < count {
        let event = client.durable(room, 1).await.remove(0);
        let seq = number(&event["data"], "seq");
        if let Some(before) = before.replace(seq) {
            assert_eq!(seq, before + 1, "{event}");
        }
        if event["type"] == "message_created" {
            messages.push(event);
        }
    }
    messages
}

/// The seqs of events.
#[must_use]
pub(super) fn seqs(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| number(&event["data"], "seq")).collect()
}

/// The contents of events.
#[must_use]
pub(super) fn contents(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| text(&event["data"], "content"))
        .collect()
}

/// The contents of messages in a page of history.
#[must_use]
pub(super) fn page_contents(page: &Value) -> Vec<&str> {
    let messages = page["messages"].as_array().expect("messages");
    messages.iter().map(|message| text(message, "content")).collect()
}

/// The durable events of a room among envelopes.
#[must_use]
pub(super) fn durable_of<'v>(envelopes: &'v [Value], room: &str) -> Vec<&'v Value> {
    let is_durable =
        |envelope: &&Value| envelope["data"]["roomId"] == room && envelope["data"]["eventId"].is_string();
    envelopes.iter().filter(is_durable).collect()
}
