//! How to connect, and how envelopes are written.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::tungstenite::Message;

use super::DEADLINE;

/// How envelopes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wire {
    /// Text frames.
    #[default]
    Json,
    /// Binary frames.
    MsgPack,
}

impl Wire {
    /// The subprotocol that asks for it.
    #[must_use]
    pub fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "starling.v1.json",
            Self::MsgPack => "starling.v1.msgpack",
        }
    }

    pub(super) fn write(self, envelope: &Value) -> Message {
        match self {
            Self::Json => Message::text(envelope.to_string()),
            Self::MsgPack => Message::binary(rmp_serde::to_vec_named(envelope).unwrap()),
        }
    }

    pub(super) fn read(self, message: &Message) -> Option<Value> {
        match (self, message) {
            (Self::Json, Message::Text(text)) => Some(serde_json::from_str(text).unwrap()),
            (Self::MsgPack, Message::Binary(bytes)) => Some(rmp_serde::from_slice(bytes).unwrap()),
            (_, Message::Text(_) | Message::Binary(_)) => panic!("a frame of the other codec: {message:?}"),
            _ => None,
        }
    }
}

/// How to connect.
#[derive(Debug, Clone, Default)]
pub struct Dial {
    /// `Authorization: Bearer`.
    pub bearer: Option<String>,
    /// `?token=`.
    pub query: Option<String>,
    /// The subprotocol offered; none where none is given.
    pub wire: Option<Wire>,
    /// `Origin`.
    pub origin: Option<String>,
    /// `SO_RCVBUF`: a client that stops reading then soon stops the server.
    pub receive_buffer: Option<u32>,
    /// Bytes read at once.
    pub read_size: Option<usize>,
}

/// Why a handshake did not succeed: the HTTP answer.
#[derive(Debug)]
pub struct NoUpgrade {
    /// Its status.
    pub status: u16,
    /// Its `Content-Type`.
    pub content_type: String,
    /// Its body, where it is JSON.
    pub body: Value,
}

/// A TCP connection, with a receive buffer of this size where one is given.
pub(super) async fn connect(addr: SocketAddr, receive_buffer: Option<u32>) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    if let Some(size) = receive_buffer {
        socket.set_recv_buffer_size(size).unwrap();
    }
    let stream = timeout(DEADLINE, socket.connect(addr)).await;
    let stream = stream.expect("the gateway listens").unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}
