//! Clients that read slowly, vanish without a word, or name cursors that they were never given.

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use serde_json::{Value, json};
use starling_testkit::{
    e2e::token,
    fixtures::proxy::{ChaosProxy, Direction, Mode},
};
use tokio::time::{Duration, sleep, timeout};

use super::{Fault, Stage};
use crate::{checks::Violation, client::socket::Socket};

pub(super) fn all() -> Vec<Box<dyn Fault>> {
    vec![Box::new(Slow), Box::new(HalfOpen), Box::new(Cursors)]
}

/// Every client of one door.
struct Slow;

#[async_trait]
impl Fault for Slow {
    fn name(&self) -> &'static str {
        "slow-clients"
    }

    fn about(&self) -> &'static str {
        "half of one gateway's clients get 1 KB/s"
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(12)
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        let door = &stage.node().doors[0];
        door.set(Mode::Rate(1024));
        sleep(self.lasts()).await;
        door.set(Mode::Pass);
        Ok(())
    }
}

fn token_of(user: &str) -> String {
    let exp = token::in_future(Duration::from_secs(3600));
    token::sign(&json!({ "sub": user, "exp": exp }))
}

/// Sockets whose other end is gone, and nobody says so.
struct HalfOpen;

impl HalfOpen {
    const SOCKETS: usize = 20;
    /// Two pings, and what a busy machine adds.
    const LONGEST: Duration = Duration::from_secs(75);
}

#[async_trait]
impl Fault for HalfOpen {
    fn name(&self) -> &'static str {
        "half-open-clients"
    }

    fn about(&self) -> &'static str {
        "twenty followers of a room vanish without a word: their sockets must be found dead and closed"
    }

    fn lasts(&self) -> Duration {
        Self::LONGEST
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        let proxy = ChaosProxy::before(stage.node().addr().port()).await?;
        let room = json!({ "roomId": stage.cast.rooms[0] });
        let mut sockets = Vec::new();
        for n in 0..Self::SOCKETS {
            let dialled = Socket::connect(proxy.address(), &token_of(&format!("gone-{n}"))).await;
            let (mut socket, _) = dialled.map_err(anyhow::Error::msg)?;
            socket.ask("join_room", &room).await.map_err(anyhow::Error::msg)?;
            sockets.push(socket);
        }
        // Nothing is answered any more; what the server does to its end still shows, for a close passes.
        proxy.set(Mode::BlackHole(Direction::ToServer));
        let closing = async {
            for socket in &mut sockets {
                while socket.read().await.is_ok() {}
            }
        };
        if timeout(Self::LONGEST, closing).await.is_err() {
            stage.found(Violation::of_fault(
                self.name(),
                format!("a socket without a pong is still open after {:?}", Self::LONGEST),
            ));
        }
        Ok(())
    }
}

/// What a client may name as its place.
struct Cursors;

#[async_trait]
impl Fault for Cursors {
    fn name(&self) -> &'static str {
        "cursors"
    }

    fn about(&self) -> &'static str {
        "clients resume from the beginning, from the future, from a forged place, and from none"
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(3)
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        let name = stage.cast.rooms[0].clone();
        let token = token_of("prober");
        for node in &stage.world.nodes {
            let dialled = Socket::connect(node.addr(), &token)
                .await
                .map_err(anyhow::Error::msg)?;
            let mut socket = dialled.0;
            let joined = socket
                .ask("join_room", &json!({ "roomId": name, "history": 0 }))
                .await;
            let joined = joined.map_err(anyhow::Error::msg)?;
            let head = joined["head"].as_u64().context("a head")?;
            for (cursor, verdict) in [
                (format!("{}.deadbeef", head + 1_000_000), "rewind"),
                (format!("{}.deadbeef", head.saturating_sub(2).max(1)), "rewind"),
                ("0.00000000".to_owned(), "all"),
                ("nonsense".to_owned(), "error"),
            ] {
                let answer = resume(&mut socket, &name, &cursor)
                    .await
                    .map_err(anyhow::Error::msg)?;
                if answer != verdict {
                    stage.found(Violation::of_fault(
                        self.name(),
                        format!(
                            "{}: a resume from {cursor} got {answer}, not {verdict}",
                            node.name
                        ),
                    ));
                }
            }
            socket.close().await;
        }
        Ok(())
    }
}

/// Follows from a cursor, and says in a word what the server made of it.
async fn resume(socket: &mut Socket, room: &str, cursor: &str) -> Result<String, String> {
    socket.ask("unsubscribe", &json!({ "roomIds": [room] })).await?;
    let rooms = json!({ "rooms": [{ "roomId": room, "cursor": cursor }] });
    let answer = socket.ask("subscribe", &rooms).await?;
    let answer = &answer["rooms"][0];
    if !answer["error"].is_null() {
        return Ok("error".into());
    }
    if answer["limited"] == true {
        return Ok("all".into());
    }
    // The first thing about the room says which it is: a gap, or the first event.
    let first = async {
        loop {
            let envelope = socket.read().await?;
            let data: &Value = &envelope["data"];
            if data["roomId"] != room {
                continue;
            }
            if envelope["type"] == "gap" {
                let rewind = if data["rewindTo"].is_null() {
                    "a gap"
                } else {
                    "rewind"
                };
                return Ok(rewind.to_owned());
            }
            match data["seq"].as_u64() {
                Some(1) => return Ok("all".into()),
                Some(seq) if data["eventId"].is_string() => return Ok(format!("event {seq} first")),
                _ => {}
            }
        }
    };
    timeout(Duration::from_secs(20), first)
        .await
        .unwrap_or_else(|_| Ok("nothing".into()))
}
