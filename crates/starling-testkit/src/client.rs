//! A client of protocol v1 that shares no code with the server: tokio-tungstenite, serde_json and rmp-serde.
//!
//! | module | what it holds |
//! |---|---|
//! | [`raw`] | a socket below WebSocket, for what no library would send |
//! | [`http`] | one HTTP request |
//!
//! It reads only while it is asked for something, so a client that nobody polls is a client that does not read. Every
//! wait is for a condition and ends at [`DEADLINE`], with a panic that says what came instead.

#![expect(clippy::unwrap_used, reason = "a client that fails says so by a panic")]

mod dial;
pub mod http;
pub mod raw;

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        self, Message, client::IntoClientRequest as _, http::HeaderValue, protocol::WebSocketConfig,
    },
};

use self::dial::connect;
pub use self::dial::{Dial, NoUpgrade, Wire};

/// How long anything may take that is expected to happen. Long, because it is only waited for when a test fails, and
/// because a busy machine is slow.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// What a command was answered with.
pub type Reply = Result<Value, Refused>;

/// An `error` envelope.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The protocol's code.
    pub code: String,
    /// What to do.
    pub message: String,
    /// When to try again.
    pub retry_after_ms: Option<u64>,
}

impl Refused {
    /// From the data of an `error`.
    #[must_use]
    pub fn read(data: &Value) -> Self {
        Self {
            code: text(data, "code").to_owned(),
            message: text(data, "message").to_owned(),
            retry_after_ms: data["retryAfterMs"].as_u64(),
        }
    }
}

/// A field that is a string.
#[must_use]
pub fn text<'v>(data: &'v Value, field: &str) -> &'v str {
    data[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field} in {data}"))
}

/// A field that is a number.
#[must_use]
pub fn number(data: &Value, field: &str) -> u64 {
    data[field]
        .as_u64()
        .unwrap_or_else(|| panic!("no {field} in {data}"))
}

/// See the module.
pub struct TestClient {
    socket: WebSocketStream<TcpStream>,
    wire: Wire,
    next_id: u64,
    /// What came and was not asked for yet, in order. A test is short: it never holds much.
    inbox: VecDeque<Value>,
    /// What came in a `batch` and was not looked at yet.
    unpacked: VecDeque<Value>,
    /// The server's close code, once it came; 0 where the connection ended without one.
    closed: Option<u16>,
}

impl TestClient {
    /// Connects.
    ///
    /// # Errors
    /// When the server answers with anything but an upgrade.
    pub async fn dial(addr: SocketAddr, dial: &Dial) -> Result<Self, NoUpgrade> {
        let path = dial
            .query
            .as_ref()
            .map_or_else(String::new, |token| format!("?token={token}"));
        let mut request = format!("ws://{addr}/ws{path}").into_client_request().unwrap();
        let headers = request.headers_mut();
        let value = |text: &str| HeaderValue::from_str(text).unwrap();
        if let Some(token) = &dial.bearer {
            headers.insert("authorization", value(&format!("Bearer {token}")));
        }
        if let Some(wire) = dial.wire {
            headers.insert("sec-websocket-protocol", value(wire.subprotocol()));
        }
        if let Some(origin) = &dial.origin {
            headers.insert("origin", value(origin));
        }
        let stream = connect(addr, dial.receive_buffer).await;
        let mut config = WebSocketConfig::default().read_buffer_size(16 << 10);
        if let Some(size) = dial.read_size {
            config = config.read_buffer_size(size);
        }
        let shaking = client_async_with_config(request, stream, Some(config));
        match timeout(DEADLINE, shaking)
            .await
            .expect("an answer to the handshake")
        {
            Ok((socket, response)) => {
                let chosen = response.headers().get("sec-websocket-protocol");
                assert_eq!(
                    chosen.map(|name| name.to_str().unwrap()),
                    dial.wire.map(Wire::subprotocol),
                    "the server speaks what it was asked for"
                );
                Ok(Self {
                    socket,
                    wire: dial.wire.unwrap_or_default(),
                    next_id: 1,
                    inbox: VecDeque::new(),
                    unpacked: VecDeque::new(),
                    closed: None,
                })
            }
            Err(tungstenite::Error::Http(response)) => {
                let content_type = response.headers().get("content-type");
                let body = response.body().as_deref().unwrap_or_default();
                Err(NoUpgrade {
                    status: response.status().as_u16(),
                    content_type: content_type
                        .map_or("", |value| value.to_str().unwrap())
                        .to_owned(),
                    body: serde_json::from_slice(body).unwrap_or_default(),
                })
            }
            Err(error) => panic!("the handshake broke: {error}"),
        }
    }

    // ---- commands ---------------------------------------------------------------------------------------------

    /// Sends an envelope as it is.
    pub async fn post(&mut self, envelope: &Value) {
        self.post_all(std::slice::from_ref(envelope)).await;
    }

    /// Sends envelopes at once.
    pub async fn post_all(&mut self, envelopes: &[Value]) {
        self.try_post(envelopes).await.unwrap();
    }

    async fn try_post(&mut self, envelopes: &[Value]) -> tungstenite::Result<()> {
        for envelope in envelopes {
            self.socket.feed(self.wire.write(envelope)).await?;
        }
        timeout(DEADLINE, self.socket.flush())
            .await
            .expect("the server reads")
    }

    /// Sends a frame as it is.
    pub async fn post_frame(&mut self, frame: Message) {
        let sent = timeout(DEADLINE, self.socket.send(frame)).await;
        sent.expect("the server reads").unwrap();
    }

    /// Sends a command with an id of ours, and gives the id.
    pub async fn start(&mut self, kind: &str, data: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.post(&json!({ "type": kind, "id": id, "data": data })).await;
        id
    }

    /// Sends a command and waits for its answer.
    pub async fn ask(&mut self, kind: &str, data: Value) -> Reply {
        let id = self.start(kind, data).await;
        self.reply(id).await
    }

    /// The same, where the connection may end before the answer: then it is `None`.
    pub async fn try_ask(&mut self, kind: &str, data: Value) -> Option<Reply> {
        let id = self.next_id;
        self.next_id += 1;
        self.try_post(&[json!({ "type": kind, "id": id, "data": data })])
            .await
            .ok()?;
        let envelope = self
            .try_find("a reply, or the end", |envelope| envelope["id"] == id)
            .await?;
        Some(read_reply(&envelope))
    }

    /// Sends a command that succeeds, and gives the data of its answer.
    pub async fn call(&mut self, kind: &str, data: Value) -> Value {
        let shown = data.to_string();
        let reply = self.ask(kind, data).await;
        reply.unwrap_or_else(|refused| panic!("{kind} {shown} was refused: {refused:?}"))
    }

    /// Sends a command that is refused, and says how.
    pub async fn refused(&mut self, kind: &str, data: Value) -> Refused {
        let shown = data.to_string();
        match self.ask(kind, data).await {
            Err(refused) => refused,
            Ok(data) => panic!("{kind} {shown} was accepted: {data}"),
        }
    }

    /// Waits for the answer to a command that was started.
    pub async fn reply(&mut self, id: impl Into<Value>) -> Reply {
        let id = id.into();
        let envelope = self
            .find(&format!("the reply to {id}"), |envelope| envelope["id"] == id)
            .await;
        read_reply(&envelope)
    }

    // ---- events -----------------------------------------------------------------------------------------------

    /// The data of the next event of this kind. Others stay where they are.
    pub async fn event(&mut self, kind: &str) -> Value {
        self.event_where(kind, |_| true).await
    }

    /// The data of the next event of this kind that is such.
    pub async fn event_where(&mut self, kind: &str, such: impl Fn(&Value) -> bool) -> Value {
        let envelope = self
            .find(kind, |envelope| {
                envelope["type"] == kind && envelope["id"].is_null() && such(&envelope["data"])
            })
            .await;
        envelope["data"].clone()
    }

    /// The data of the next `error` without an id.
    pub async fn stray_error(&mut self) -> Refused {
        Refused::read(&self.event("error").await)
    }

    /// The next envelope, whatever it is.
    pub async fn next(&mut self) -> Value {
        self.find("anything", |_| true).await
    }

    /// The next durable events of a room, so many of them, in the order in which they came.
    pub async fn durable(&mut self, room: &str, count: usize) -> Vec<Value> {
        let mut events = Vec::with_capacity(count);
        while events.len() < count {
            let what = format!("event {} of {count} in {room}", events.len() + 1);
            let is_durable = |envelope: &Value| {
                envelope["data"]["roomId"] == room && envelope["data"]["eventId"].is_string()
            };
            events.push(self.find(&what, is_durable).await);
        }
        events
    }

    /// Everything that the server had written to this connection before it answered a ping: what is not in there was
    /// not sent.
    pub async fn settled(&mut self) -> Vec<Value> {
        let id = self.start("ping", json!({})).await;
        self.reply(id).await.unwrap();
        self.inbox.drain(..).collect()
    }

    /// Asserts that nothing of this kind has come, and nothing was on its way.
    pub async fn has_no(&mut self, kind: &str) {
        let came = self.settled().await;
        let stray: Vec<_> = came.iter().filter(|envelope| envelope["type"] == kind).collect();
        assert!(stray.is_empty(), "nobody asked for {stray:?}");
    }

    // ---- the connection ---------------------------------------------------------------------------------------

    /// Waits for the server to close, and gives its close code; 0 where there was none.
    pub async fn closed(&mut self) -> u16 {
        let reading = async {
            while let Some(envelope) = self.read().await {
                self.inbox.push_back(envelope);
            }
        };
        timeout(DEADLINE, reading).await.expect("the server closes");
        self.closed.unwrap_or_default()
    }

    /// Closes, and waits until the server has done so too.
    pub async fn close(mut self) {
        self.socket.close(None).await.unwrap();
        self.closed().await;
    }

    /// Sends envelopes and a close frame in one piece, and waits for the end.
    pub async fn post_and_close(mut self, envelopes: &[Value]) {
        for envelope in envelopes {
            self.socket.feed(self.wire.write(envelope)).await.unwrap();
        }
        self.close().await;
    }

    /// What came and was not asked for, without waiting.
    pub fn take_inbox(&mut self) -> Vec<Value> {
        self.inbox.drain(..).collect()
    }

    /// Takes the first envelope that is such, and waits for it where it is not there yet.
    async fn find(&mut self, what: &str, such: impl Fn(&Value) -> bool) -> Value {
        match self.try_find(what, such).await {
            Some(envelope) => envelope,
            None => panic!(
                "waited for {what}; the connection ended with {:?}, after {:?}",
                self.closed, self.inbox
            ),
        }
    }

    /// The same, where the connection may end before.
    async fn try_find(&mut self, what: &str, such: impl Fn(&Value) -> bool) -> Option<Value> {
        if let Some(at) = self.inbox.iter().position(&such) {
            return self.inbox.remove(at);
        }
        let waiting = async {
            loop {
                match self.read().await {
                    Some(envelope) if such(&envelope) => return Some(envelope),
                    Some(envelope) => self.inbox.push_back(envelope),
                    None => return None,
                }
            }
        };
        match timeout(DEADLINE, waiting).await {
            Ok(found) => found,
            Err(_) => panic!("waited for {what}; what came was {:?}", self.inbox),
        }
    }

    /// The next envelope; a `batch` is taken apart. `None` when the connection has ended.
    async fn read(&mut self) -> Option<Value> {
        loop {
            if let Some(envelope) = self.unpacked.pop_front() {
                return Some(envelope);
            }
            let message = match self.socket.next().await? {
                Ok(message) => message,
                Err(_) => {
                    self.closed.get_or_insert(0);
                    return None;
                }
            };
            if let Message::Close(frame) = &message {
                self.closed = Some(frame.as_ref().map_or(1005, |frame| frame.code.into()));
            }
            let Some(envelope) = self.wire.read(&message) else {
                continue;
            };
            match envelope["data"]["events"].as_array() {
                Some(events) if envelope["type"] == "batch" => self.unpacked.extend(events.iter().cloned()),
                _ => return Some(envelope),
            }
        }
    }
}

fn read_reply(envelope: &Value) -> Reply {
    match text(envelope, "type") {
        "error" => Err(Refused::read(&envelope["data"])),
        "ok" | "pong" => Ok(envelope["data"].clone()),
        other => panic!("a reply of type {other}"),
    }
}
