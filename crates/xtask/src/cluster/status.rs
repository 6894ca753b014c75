//! What the gateways say of themselves, in one line.

use std::{net::SocketAddr, time::Instant};

use serde::Deserialize;

use super::place::Gateway;
use crate::http;

/// The part of `/stats` that is shown.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
struct Stats {
    connections: Connections,
    messages: Messages,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
struct Connections {
    current: u64,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
struct Messages {
    r#in: u64,
    out: u64,
}

/// Asks all gateways, and remembers what they said before.
pub(super) struct Status {
    nodes: Vec<Node>,
    asked: Instant,
}

struct Node {
    name: String,
    addr: SocketAddr,
    /// What it said last; a node that did not answer is down.
    said: Option<Stats>,
}

impl Status {
    pub(super) fn new(gateways: &[Gateway]) -> Self {
        let node = |gateway: &Gateway| Node {
            name: gateway.name.clone(),
            addr: gateway.addr,
            said: None,
        };
        Self {
            nodes: gateways.iter().map(node).collect(),
            asked: Instant::now(),
        }
    }

    /// The line of this moment.
    pub(super) fn now(&mut self) -> String {
        let span = self.asked.elapsed();
        self.asked = Instant::now();
        let (mut parts, mut total) = (Vec::new(), Stats::default());
        for node in &mut self.nodes {
            let before = node.said;
            node.said = ask(node.addr);
            let Some(now) = node.said else {
                parts.push(format!("{} down", node.name));
                continue;
            };
            parts.push(format!("{} {}", node.name, now.connections.current));
            total.connections.current += now.connections.current;
            // A node that was not heard before has no rate yet.
            let before = before.unwrap_or(now).messages;
            total.messages.r#in += now.messages.r#in.saturating_sub(before.r#in);
            total.messages.out += now.messages.out.saturating_sub(before.out);
        }
        let rate = |count: u64| count as f64 / span.as_secs_f64();
        format!(
            "connections: {} (total {})   messages/s: {:.0} in, {:.0} out",
            parts.join("  "),
            total.connections.current,
            rate(total.messages.r#in),
            rate(total.messages.out)
        )
    }
}

fn ask(addr: SocketAddr) -> Option<Stats> {
    let answer = http::get(addr, "/stats").ok()?;
    serde_json::from_str(&answer.body).ok()
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        net::TcpListener,
        thread,
    };

    use super::*;

    #[test]
    fn a_node_that_does_not_answer_is_down_and_the_others_are_added_up() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let up = listener.local_addr().expect("an address");
        let gateways = [up, up].map(|addr| Gateway {
            name: "up".into(),
            addr,
        });
        let server = thread::spawn(move || {
            for stream in listener.incoming().take(2) {
                let mut stream = stream.expect("a connection");
                // All of it: a close with something unread would be a reset.
                let lines = BufReader::new(&stream).lines().map_while(Result::ok);
                assert!(lines.take_while(|line| !line.is_empty()).count() > 0, "a request");
                let body = r#"{"connections":{"current":21},"messages":{"in":5,"out":9},"users":7}"#;
                write!(stream, "HTTP/1.1 200 OK\r\n\r\n{body}").expect("written");
            }
        });
        let mut status = Status::new(&gateways);
        let line = status.now();
        assert!(
            line.starts_with("connections: up 21  up 21 (total 42) "),
            "{line}"
        );
        server.join().expect("it has answered, and listens no more");
        let line = status.now();
        assert!(
            line.starts_with("connections: up down  up down (total 0) "),
            "{line}"
        );
    }
}
