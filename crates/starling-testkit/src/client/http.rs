//! One HTTP request on a connection of its own.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::{DEADLINE, dial::connect};

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its head, as it came.
    pub head: String,
    /// Its body.
    pub body: String,
}

impl Answer {
    /// The body, as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// `GET`, with further header lines.
pub async fn get(addr: SocketAddr, path: &str, headers: &[&str]) -> Answer {
    request(addr, &format!("GET {path}"), headers).await
}

/// Another method (`"HEAD /path"`), without a body.
pub async fn request(addr: SocketAddr, request: &str, headers: &[&str]) -> Answer {
    exchange(addr, request, headers, "").await
}

/// Another method (`"POST /path"`), with a token and a JSON body; the body `null` is none.
pub async fn call(addr: SocketAddr, request: &str, token: &str, body: &Value) -> Answer {
    let bearer = format!("Authorization: Bearer {token}");
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let length = format!("Content-Length: {}", body.len());
    let headers = [bearer.as_str(), "Content-Type: application/json", &length];
    exchange(addr, request, &headers, &body).await
}

async fn exchange(addr: SocketAddr, request: &str, headers: &[&str], body: &str) -> Answer {
    let mut stream = connect(addr, None).await;
    let mut text = format!("{request} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body);
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let read = timeout(DEADLINE, stream.read_to_end(&mut bytes)).await;
    read.expect("an answer").unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        body: body.to_owned(),
        head: head.to_owned(),
    }
}
