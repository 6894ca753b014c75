//! A WebSocket of a client that expects everything to break: every failure is an answer, none a panic.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

/// How long a handshake, or a write, may take before the connection counts as dead.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// See the module.
pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
    next_id: u64,
    /// What came in a `batch` and was not looked at yet: at most one frame of the server.
    unpacked: std::vec::IntoIter<Value>,
}

/// Why there is no connection (any more), for people.
pub(crate) type Why = String;

impl Socket {
    /// Connects, and waits for the `welcome`: gives the socket, and what the welcome says.
    pub(crate) async fn connect(addr: SocketAddr, token: &str) -> Result<(Self, Value), Why> {
        let mut request = format!("ws://{addr}/ws")
            .into_client_request()
            .map_err(|error| error.to_string())?;
        let bearer = format!("Bearer {token}").parse();
        let bearer = bearer.map_err(|_| "the token is no header".to_owned())?;
        request.headers_mut().insert("authorization", bearer);
        let shaking = async {
            let connected = TcpStream::connect(addr).await;
            let stream = connected.map_err(|error| format!("connecting: {error}"))?;
            // Nagle's algorithm would delay what is measured.
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            let shaken = client_async(request, stream).await;
            let (stream, _) = shaken.map_err(|error| format!("the handshake: {error}"))?;
            let mut socket = Self {
                stream,
                next_id: 1,
                unpacked: Vec::new().into_iter(),
            };
            let first = socket.read().await?;
            if first["type"] == "welcome" {
                Ok((socket, first["data"].clone()))
            } else {
                Err(format!("the first frame is {first}"))
            }
        };
        timeout(PATIENCE, shaking)
            .await
            .unwrap_or_else(|_| Err("no handshake in time".into()))
    }

    /// Sends a command, and gives its id.
    pub(crate) async fn send(&mut self, kind: &str, data: &Value) -> Result<u64, Why> {
        let id = self.next_id;
        self.next_id += 1;
        let text = json!({ "type": kind, "id": id, "data": data }).to_string();
        match timeout(PATIENCE, self.stream.send(Message::text(text))).await {
            Ok(Ok(())) => Ok(id),
            Ok(Err(error)) => Err(format!("writing: {error}")),
            Err(_) => Err("the server does not read".into()),
        }
    }

    /// The next envelope; a `batch` is taken apart. May be given up at any await.
    pub(crate) async fn read(&mut self) -> Result<Value, Why> {
        loop {
            if let Some(envelope) = self.unpacked.next() {
                return Ok(envelope);
            }
            let message = match self.stream.next().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Err(format!("reading: {error}")),
                None => return Err("the end of the stream".into()),
            };
            match message {
                Message::Text(text) => {
                    let envelope: Value =
                        serde_json::from_str(&text).map_err(|error| format!("not JSON: {error}"))?;
                    match envelope["data"]["events"].as_array() {
                        Some(events) if envelope["type"] == "batch" => {
                            self.unpacked = events.clone().into_iter();
                        }
                        _ => return Ok(envelope),
                    }
                }
                Message::Close(frame) => {
                    let code = frame.map_or(1005, |frame| frame.code.into());
                    return Err(format!("closed with {code}"));
                }
                _ => {}
            }
        }
    }

    /// Sends a command and waits for its answer, past whatever else comes: for clients that only ask.
    pub(crate) async fn ask(&mut self, kind: &str, data: &Value) -> Result<Value, Why> {
        let id = self.send(kind, data).await?;
        let answered = async {
            loop {
                let envelope = self.read().await?;
                if envelope["id"] == id {
                    return Ok(envelope);
                }
            }
        };
        let envelope = timeout(4 * PATIENCE, answered)
            .await
            .unwrap_or_else(|_| Err(format!("no answer to {kind}")))?;
        if envelope["type"] == "error" {
            return Err(format!("{kind} was refused: {}", envelope["data"]));
        }
        Ok(envelope["data"].clone())
    }

    /// Says goodbye and waits for the server's.
    pub(crate) async fn close(mut self) {
        let leaving = async {
            self.stream.close(None).await.ok();
            while let Some(Ok(_)) = self.stream.next().await {}
        };
        // A server that is gone needs no goodbye.
        let _ = timeout(PATIENCE, leaving).await;
    }
}
