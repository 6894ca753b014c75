//! A client inside the node: it sends a message at an interval through the whole stack, by a socket of its own, and tells
//! how long that takes and what is missing.
//!
//! | module | what it holds |
//! |---|---|
//! | [`ledger`] | what was sent and what came of it. No I/O |
//! | [`meters`] | the metrics |
//!
//! The canaries of a cluster share a room, so each also watches what the others send. Their messages are as durable as
//! any; the room's history is trimmed behind them.

mod ledger;
mod meters;

use std::{
    convert::Infallible,
    future::pending,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use futures_util::{
    FutureExt as _, SinkExt as _, StreamExt as _,
    future::{Fuse, FusedFuture as _},
};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use starling_core::{Clock, EventBody, SystemClock, UserId, ports::Retention};
use starling_gateway::Gateway;
use tokio::{
    net::TcpStream,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _, http::header},
};

use self::{
    ledger::{Ledger, Place},
    meters::Meters,
};
use crate::{
    commands::{
        self,
        token::{Token, TokenError},
    },
    config::{AuthConfig, CanaryConfig, Config},
    secret::{self, TokenKey},
    wire::{self, Frame},
};

/// Between two connections.
const BREATH: Duration = Duration::from_secs(1);
/// How long a handshake and the way into the room may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// After so many messages the room is trimmed.
const TRIM_EVERY: u64 = 60;
/// So many events of the room are kept: a minute of a cluster of fifty nodes.
const KEPT: u64 = 3000;
/// Events removed at once.
const TRIM: usize = 1000;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// See the module.
pub(crate) struct Canary {
    config: CanaryConfig,
    user: UserId,
    auth: AuthConfig,
    secret: SecretString,
    retention: Arc<dyn Retention>,
    meters: Meters,
}

impl Canary {
    /// The canary that the configuration wants.
    pub(crate) fn of(
        config: &Config,
        retention: Arc<dyn Retention>,
        gateway: &Gateway,
    ) -> anyhow::Result<Option<Self>> {
        if !config.canary.enabled {
            return Ok(None);
        }
        let TokenKey::Shared(secret) = secret::token_key(config, getrandom::fill)? else {
            bail!("canary.enabled needs a shared secret, and tokens are verified by auth.public_key_file");
        };
        let node = &gateway.node().config().node_id;
        let user = UserId::parse(&format!("{}:{node}", config.canary.room))?;
        Ok(Some(Self {
            config: config.canary.clone(),
            auth: config.auth.clone(),
            secret,
            user,
            retention,
            meters: Meters::new(&gateway.meter("canary")),
        }))
    }

    /// Sings for as long as it is polled. When the node sends its clients away it leaves, and is silent.
    pub(crate) async fn run(&self, gateway: &Gateway) -> Infallible {
        let addr = commands::reachable(gateway.addr());
        let mut was_good = true;
        loop {
            let ended = self.connection(addr).await;
            self.meters.set_up(false);
            match ended {
                Ok(()) => pending().await,
                Err(_) if gateway.node().is_draining() => pending().await,
                Err(error) if was_good => {
                    tracing::warn!(error = format!("{error:#}"), "the canary has lost its connection");
                    was_good = false;
                }
                Err(error) => tracing::debug!(error = format!("{error:#}"), "the canary has no connection"),
            }
            self.meters.refused();
            sleep(BREATH).await;
        }
    }

    /// One connection; ends well when the node drains.
    async fn connection(&self, addr: SocketAddr) -> anyhow::Result<()> {
        let mut song = timeout(PATIENCE, self.begin(addr))
            .await
            .context("no way into the room in time")??;
        self.meters.set_up(true);
        let mut ticks = interval(self.config.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Beside the rest: a database that hangs must not keep the canary from hearing.
        let mut trimming = pin!(Fuse::terminated());
        loop {
            tokio::select! {
                () = &mut trimming => {}
                _ = ticks.tick() => {
                    let sang = song.sing().await?;
                    if sang && song.count % TRIM_EVERY == 0 && trimming.is_terminated() {
                        trimming.set(self.trim(song.ledger.seq()).fuse());
                    }
                }
                message = song.socket.next() => {
                    let message = message.context("the node has closed the connection")??;
                    let Message::Text(text) = message else { continue };
                    match song.hear(Frame::read(&text)?) {
                        Wish::None => {}
                        Wish::Renew => song.renew().await?,
                        Wish::Leave => return song.leave().await,
                    }
                }
            }
        }
    }

    /// Removes what is old of the room, as of this seq.
    async fn trim(&self, seq: u64) {
        let below = seq.saturating_sub(KEPT);
        if let Err(error) = self.retention.trim(&self.config.room, below, TRIM).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "cannot trim the canary's room"
            );
        }
    }

    fn token(&self) -> Result<String, TokenError> {
        Token::of(self.user.clone()).sign(&self.auth, &self.secret, SystemClock.now())
    }

    /// Connects and joins the room.
    async fn begin(&self, addr: SocketAddr) -> anyhow::Result<Song<'_>> {
        let mut request = format!("ws://{addr}/ws").into_client_request()?;
        request.headers_mut().insert(
            header::AUTHORIZATION,
            format!("Bearer {}", self.token()?).parse()?,
        );
        let (socket, _) = connect_async(request).await?;
        let mut song = Song {
            canary: self,
            socket,
            ledger: Ledger::default(),
            next_id: 1,
            count: 0,
            // Client ids are good for the life of a message: each connection has its own.
            run: uuid::Uuid::now_v7().simple().to_string(),
        };
        let reply = song
            .ask("join_room", json!({ "roomId": self.config.room, "history": 0 }))
            .await?;
        let Joined { head } = serde_json::from_str(reply.get())?;
        song.ledger.joined(head);
        Ok(song)
    }
}

#[derive(Deserialize)]
struct Joined {
    head: u64,
}

#[derive(Deserialize)]
struct Acked {
    seq: u64,
}

/// What the node wants of a client, the stronger last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Wish {
    None,
    /// A new token.
    Renew,
    /// To be left alone.
    Leave,
}

/// A connection of the canary.
struct Song<'a> {
    canary: &'a Canary,
    socket: Socket,
    ledger: Ledger,
    next_id: i64,
    /// Messages sent.
    count: u64,
    run: String,
}

impl Song<'_> {
    async fn write(&mut self, kind: &str, data: serde_json::Value) -> anyhow::Result<i64> {
        let id = self.next_id;
        self.next_id += 1;
        let frame = wire::write(kind, id, data)?;
        self.socket.send(Message::text(frame)).await?;
        Ok(id)
    }

    /// A command and its answer; what comes meanwhile is passed over.
    async fn ask(&mut self, kind: &str, data: serde_json::Value) -> anyhow::Result<Box<RawValue>> {
        let id = self.write(kind, data).await?;
        while let Some(message) = self.socket.next().await {
            let Message::Text(text) = message? else { continue };
            match Frame::read(&text)? {
                Frame::Ok(answered, reply) if answered == id => return Ok(reply),
                Frame::Error(answered, error) if answered.is_none_or(|answered| answered == id) => {
                    bail!("{kind} was refused: {} ({})", error.message, error.code)
                }
                _ => {}
            }
        }
        bail!("the node has closed the connection")
    }

    /// One message, unless too many are under way; and what was sent before and has not come.
    async fn sing(&mut self) -> anyhow::Result<bool> {
        let Canary { config, meters, .. } = self.canary;
        let now = Instant::now();
        meters.lost(self.ledger.lost(now));
        let id = self.next_id;
        if !self.ledger.send(id, now) {
            meters.refused();
            return Ok(false);
        }
        let message = json!({
            "roomId": config.room,
            "clientId": format!("{}-{id}", self.run),
            "content": "chirp",
            "metadata": { "run": self.run, "id": id },
        });
        self.write("send_message", message).await?;
        meters.sent();
        self.count += 1;
        Ok(true)
    }

    /// Takes what the node says; what it wants.
    fn hear(&mut self, frame: Frame) -> Wish {
        let meters = &self.canary.meters;
        let now = Instant::now();
        match frame {
            Frame::Ok(id, reply) => {
                if let Ok(Acked { seq }) = serde_json::from_str(reply.get())
                    && let Some(took) = self.ledger.acked(id, seq, now)
                {
                    meters.acked(took);
                }
            }
            Frame::Error(Some(id), error) if self.ledger.refused(id) => {
                tracing::debug!(code = error.code, "a message of the canary was refused");
                meters.refused();
            }
            Frame::Event(event) => self.event(&event, now),
            Frame::Gap(gap) => meters.missing(gap.to.saturating_sub(gap.from) + 1),
            Frame::Batch(frames) => {
                let wishes = frames.into_iter().map(|frame| self.hear(frame));
                return wishes.fold(Wish::None, Ord::max);
            }
            Frame::TokenExpiring => return Wish::Renew,
            Frame::Migrate(_) => return Wish::Leave,
            _ => {}
        }
        Wish::None
    }

    fn event(&mut self, event: &wire::Event, now: Instant) {
        let meters = &self.canary.meters;
        if event.meta.room_id != self.canary.config.room {
            return;
        }
        match self.ledger.event(event.meta.seq) {
            Place::Next => {}
            Place::Behind(count) => meters.missing(count),
            Place::Again => return meters.repeated(),
        }
        let EventBody::MessageCreated(message) = &event.body else {
            return;
        };
        if event.meta.sender_id != self.canary.user {
            let took = SystemClock.now().since(event.meta.created_at);
            return meters.delivered("other", took);
        }
        // Of an earlier connection, or not: those are not waited for.
        let chirp = message.metadata.as_ref().filter(|data| data["run"] == self.run);
        if let Some(id) = chirp.and_then(|data| data["id"].as_i64())
            && let Some(took) = self.ledger.came(id, now)
        {
            meters.delivered("own", took);
        }
    }

    async fn renew(&mut self) -> anyhow::Result<()> {
        let token = self.canary.token()?;
        self.write("refresh_token", json!({ "token": token })).await?;
        Ok(())
    }

    /// Leaves the room, so that nobody is a member of it who is not there any more.
    async fn leave(mut self) -> anyhow::Result<()> {
        let room = json!({ "roomId": self.canary.config.room });
        timeout(PATIENCE, self.ask("leave_room", room))
            .await
            .context("no answer")??;
        self.socket.close(None).await?;
        Ok(())
    }
}
