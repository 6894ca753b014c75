//! A socket below WebSocket: bytes as they are, for what no library would send.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{DEADLINE, dial::connect};

/// Opcode of a continuation.
pub const CONTINUATION: u8 = 0x0;
/// Opcode of text.
pub const TEXT: u8 = 0x1;
/// Opcode of binary data.
pub const BINARY: u8 = 0x2;
/// Opcode of a close frame.
pub const CLOSE: u8 = 0x8;
/// Opcode of a ping.
pub const PING: u8 = 0x9;
/// Opcode of a pong.
pub const PONG: u8 = 0xA;

/// See the module.
pub struct RawSocket {
    stream: TcpStream,
    /// What was read and not taken yet: part of a frame at most, since tests read small answers.
    unread: Vec<u8>,
}

/// A frame as a client must send it: masked, and final unless said otherwise.
#[must_use]
pub fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    part(opcode, true, payload)
}

/// A frame that may be one of several.
#[must_use]
pub fn part(opcode: u8, is_final: bool, payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = header(opcode, is_final, payload.len(), 0x80);
    bytes.extend_from_slice(&KEY);
    bytes.extend(
        payload
            .iter()
            .zip(KEY.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    bytes
}

/// A frame without a mask, as only servers send them.
#[must_use]
pub fn unmasked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(opcode, true, payload.len(), 0);
    bytes.extend_from_slice(payload);
    bytes
}

fn header(opcode: u8, is_final: bool, len: usize, mask: u8) -> Vec<u8> {
    let mut bytes = vec![opcode | if is_final { 0x80 } else { 0 }];
    match len {
        0..126 => bytes.push(mask | u8::try_from(len).unwrap()),
        126..0x1_0000 => {
            bytes.push(mask | 126);
            bytes.extend_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
        }
        _ => {
            bytes.push(mask | 127);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    bytes
}

impl RawSocket {
    /// A TCP connection, and nothing more.
    pub async fn connect(addr: SocketAddr) -> Self {
        Self {
            stream: connect(addr, None).await,
            unread: Vec::new(),
        }
    }

    /// A connection after the handshake, without a token where none is given.
    pub async fn upgrade(addr: SocketAddr, token: Option<&str>) -> Self {
        let mut socket = Self::connect(addr).await;
        let bearer = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        socket
            .write(
                format!(
                    "GET /ws HTTP/1.1\r\nHost: {addr}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{bearer}\r\n"
                )
                .as_bytes(),
            )
            .await;
        let head = socket.read_head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        socket
    }

    /// Sends bytes.
    pub async fn write(&mut self, bytes: &[u8]) {
        let written = timeout(DEADLINE, self.stream.write_all(bytes)).await;
        written.expect("the server reads").unwrap();
    }

    /// Sends bytes to a server that may have closed already.
    pub async fn try_write(&mut self, bytes: &[u8]) -> bool {
        let written = timeout(DEADLINE, self.stream.write_all(bytes)).await;
        written.expect("the server reads").is_ok()
    }

    /// The head of an HTTP answer.
    async fn read_head(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.unread.drain(..end + 4).collect();
                return String::from_utf8(head).unwrap();
            }
            assert!(self.read().await, "an answer");
        }
    }

    /// The next frame: opcode and payload. `None` when the server has ended the connection.
    pub async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((start, len)) = self.complete() {
                let opcode = self.unread[0] & 0x0f;
                let payload = self.unread[start..start + len].to_vec();
                self.unread.drain(..start + len);
                return Some((opcode, payload));
            }
            if !self.read().await {
                return None;
            }
        }
    }

    /// Where the payload of the first frame begins, and its length, when all of it is here.
    fn complete(&self) -> Option<(usize, usize)> {
        let bytes = &self.unread;
        let (start, len) = match *bytes.get(1)? {
            126 => (
                4,
                usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap())),
            ),
            127 => {
                let len = u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap());
                (10, usize::try_from(len).unwrap())
            }
            len => (2, usize::from(len)),
        };
        (bytes.len() >= start + len).then_some((start, len))
    }

    /// Reads up to the close frame, and gives its code; `None` where the connection ends without one.
    pub async fn closed(&mut self) -> Option<u16> {
        while let Some((opcode, payload)) = self.frame().await {
            if opcode == CLOSE {
                return payload.first_chunk().map(|code| u16::from_be_bytes(*code));
            }
        }
        None
    }

    /// Reads up to a text frame that contains this.
    pub async fn text_with(&mut self, wanted: &str) -> String {
        loop {
            let (opcode, payload) = self
                .frame()
                .await
                .unwrap_or_else(|| panic!("{wanted} before the end"));
            if opcode == TEXT {
                let text = String::from_utf8(payload).unwrap();
                if text.contains(wanted) {
                    return text;
                }
            }
        }
    }

    /// Waits until the server ends the connection, whatever it still sends.
    pub async fn ended(&mut self) {
        while self.read().await {
            self.unread.clear();
        }
    }

    /// Reads what comes next; `false` at the end.
    async fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let read = timeout(DEADLINE, self.stream.read(&mut buffer)).await;
        match read.expect("the server says something, or closes") {
            Ok(0) | Err(_) => false,
            Ok(n) => {
                self.unread.extend_from_slice(&buffer[..n]);
                true
            }
        }
    }
}
