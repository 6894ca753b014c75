//! Links: connections for commands that are dialled again whenever they end.

use std::{future::Future, sync::Arc, time::Duration};

use fred::{clients::Client, error::Error};
use parking_lot::RwLock;
use starling_core::{NodeId, ports::Unavailable};
use tokio::{
    sync::{Semaphore, SemaphorePermit, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    SERVICE,
    backoff::Backoff,
    dial::{Connection, Dialer, ping},
    metrics::RedisMetrics,
};

/// How often an idle link asks whether its servers are there. With [`ANSWER`](super::dial::ANSWER) a dead peer is
/// noticed within 3 s.
const PING_EVERY: Duration = Duration::from_secs(1);
/// A connection that lived so long was a success.
const SUCCESS: Duration = Duration::from_secs(5);

/// Why a command has no reply.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    /// There is no connection; one is being dialled.
    #[error("not connected to {0}")]
    Down(Arc<str>),
    /// The connection ended while the reply was awaited: the command may have been carried out.
    #[error("the connection to {0} ended before the reply")]
    Cut(Arc<str>),
    /// Too much is on its way already.
    #[error("too much is on its way to {0}")]
    Busy(Arc<str>),
    /// What fred or Redis said.
    #[error(transparent)]
    Redis(#[from] Error),
    /// Two processes renew the same leases.
    #[error("another process runs as node {0}: give each node an id of its own")]
    NodeId(NodeId),
    /// A reply in a form that no script of ours gives.
    #[error("{0}: a reply that does not fit")]
    Reply(&'static str),
}

impl From<LinkError> for Unavailable {
    fn from(error: LinkError) -> Self {
        Self::new(SERVICE, error)
    }
}

/// One connection for commands at a time. Commands fail at once while there is none, and when theirs ends.
pub(super) struct Link {
    dialer: Dialer,
    name: Arc<str>,
    /// The present connection. Held for a clone only.
    live: RwLock<Option<Live>>,
    /// Whether the first attempt was made, and what became of it.
    first: watch::Sender<Option<Result<(), Error>>>,
    /// Bytes on their way. 16 MiB are more than a healthy connection ever holds; where they are used up callers wait,
    /// for a command's time at most.
    room: Semaphore,
    metrics: Arc<RedisMetrics>,
}

#[derive(Clone)]
struct Live {
    client: Client,
    ended: CancellationToken,
}

impl Link {
    const ROOM: usize = 16 << 20;
    /// What the smallest command occupies, with fred's bookkeeping.
    const LEAST: usize = 1024;

    pub(super) fn new(dialer: Dialer, metrics: Arc<RedisMetrics>) -> Self {
        Self {
            name: dialer.name().into(),
            dialer,
            live: RwLock::new(None),
            first: watch::Sender::new(None),
            room: Semaphore::new(Self::ROOM),
            metrics,
        }
    }

    /// Runs one command, or several in order. `bytes` is about what it sends.
    pub(super) async fn call<T, F>(
        &self,
        bytes: usize,
        command: impl FnOnce(Client) -> F,
    ) -> Result<T, LinkError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let _room = self.enter(bytes).await?;
        let live = self.live.read().clone();
        let Some(live) = live else {
            return Err(LinkError::Down(self.name.clone()));
        };
        tokio::select! {
            result = command(live.client) => result.map_err(LinkError::from),
            () = live.ended.cancelled() => Err(LinkError::Cut(self.name.clone())),
        }
    }

    /// Waits for room. There is some almost always, and then no timer is set.
    async fn enter(&self, bytes: usize) -> Result<SemaphorePermit<'_>, LinkError> {
        let weight = u32::try_from(bytes.clamp(Self::LEAST, Self::ROOM)).unwrap_or(u32::MAX);
        if let Ok(permit) = self.room.try_acquire_many(weight) {
            return Ok(permit);
        }
        match timeout(self.dialer.command_timeout, self.room.acquire_many(weight)).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(LinkError::Busy(self.name.clone())),
        }
    }

    /// What is wrong, where something is.
    pub(super) async fn check(&self) -> Result<(), LinkError> {
        self.call(0, |client| async move { ping(&client).await }).await
    }

    /// Waits for the outcome of the first attempt to connect.
    pub(super) async fn first_attempt(&self) -> Result<(), Error> {
        let mut first = self.first.subscribe();
        let outcome = first.wait_for(Option::is_some).await;
        outcome.map_or(Ok(()), |outcome| outcome.clone().unwrap_or(Ok(())))
    }

    /// Keeps a connection until the token is cancelled.
    pub(super) async fn keep(self: Arc<Self>, seed: u64, closed: CancellationToken) {
        let mut backoff = Backoff::new(seed);
        let mut away = None;
        loop {
            let dialled = tokio::select! {
                dialled = self.dialer.dial() => dialled,
                () = closed.cancelled() => return,
            };
            let reason = match dialled {
                Ok(connection) => {
                    if let Some(since) = away.take() {
                        let away_ms = Instant::now().duration_since(since).as_millis();
                        tracing::info!(redis = %self.name, away_ms, "Redis is back");
                    }
                    let since = Instant::now();
                    let Some(reason) = self.serve(connection, &closed).await else {
                        return;
                    };
                    if since.elapsed() >= SUCCESS {
                        backoff.reset();
                    }
                    reason
                }
                Err(error) => {
                    self.attempted(Err(error.clone()));
                    error
                }
            };
            if away.is_none() {
                away = Some(Instant::now());
                tracing::warn!(redis = %self.name, error = %reason, "a connection to Redis is lost; dialling again");
            }
            tokio::select! {
                () = sleep(backoff.next()) => {}
                () = closed.cancelled() => return,
            }
        }
    }

    fn attempted(&self, outcome: Result<(), Error>) {
        self.first
            .send_if_modified(|first| first.is_none() && first.replace(outcome).is_none());
    }

    /// Offers a connection to callers until it ends, and says why; `None` when the link was closed.
    async fn serve(&self, mut connection: Connection, closed: &CancellationToken) -> Option<Error> {
        let ended = CancellationToken::new();
        let _on_return = ended.clone().drop_guard();
        *self.live.write() = Some(Live {
            client: connection.client().clone(),
            ended,
        });
        self.attempted(Ok(()));
        self.metrics.command_links_up.add(1);
        let client = connection.client().clone();
        let reason = tokio::select! {
            reason = connection.ended() => Some(reason),
            reason = unanswered(&client) => Some(reason),
            () = closed.cancelled() => None,
        };
        *self.live.write() = None;
        self.metrics.command_links_up.sub(1);
        self.metrics.connections_lost.add(u64::from(reason.is_some()));
        reason
    }
}

/// Asks again and again; returns the error of the first question that has no answer.
async fn unanswered(client: &Client) -> Error {
    let mut every = interval(PING_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        if let Err(error) = ping(client).await {
            return error;
        }
    }
}
