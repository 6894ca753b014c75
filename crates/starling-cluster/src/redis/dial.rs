//! One connection to Redis through fred, from its first byte to its end.
//!
//! fred's own reconnecting is not used. It queues and repeats commands, revives subscriptions by itself, and cannot
//! leave a write to a peer that reads nothing. Here a connection lives once: when it ends, so do its commands, and its
//! [`link`](super::link) dials anew. Ending it by force is always possible, because its only task is ours to abort.

use std::{pin::pin, task::Poll, time::Duration};

use fred::{
    clients::Client,
    error::{Error, ErrorKind},
    interfaces::{ClientLike, ClusterInterface, FredResult},
    prelude::{Options, Server},
    socket2::TcpKeepalive,
    types::{
        Builder,
        config::{Config, ConnectionConfig, PerformanceConfig, TcpConfig},
    },
};
use futures_util::{future::try_join_all, poll};
use tokio::{task::JoinHandle, time::timeout};

/// For a TCP connection with its TLS handshake, and again for the first words on it.
const STEP: Duration = Duration::from_secs(2);
/// For the whole way to a usable connection: three sentinels that do not answer, and one that does.
const DIAL: Duration = Duration::from_secs(12);
/// Within what time a server answers a `PING`, however busy it is.
pub(super) const ANSWER: Duration = Duration::from_secs(2);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Commands.
    Commands,
    /// Receiving what is published.
    Subscriber,
}

impl Purpose {
    /// Commands that wait for fred's task. More of them are refused by fred; links keep below it.
    const WAITING_COMMANDS: usize = 32_768;
    /// Messages that wait for the pump, which only hands on, all that is there at each of its turns. Beyond it the
    /// oldest are lost, and the loss is told as a gap. fred makes seven more channels of this size, for events
    /// that nobody listens to, and fills all of them with empty places at once: 6 MiB for each attempt to connect.
    const WAITING_MESSAGES: usize = 8_192;

    fn performance(self, command_timeout: Duration) -> PerformanceConfig {
        PerformanceConfig {
            default_command_timeout: command_timeout,
            broadcast_channel_capacity: match self {
                // Nobody listens to the events of these connections.
                Self::Commands => 16,
                Self::Subscriber => Self::WAITING_MESSAGES,
            },
            ..PerformanceConfig::default()
        }
    }
}

/// Opens connections of one kind to one server, or one group of servers that acts as one.
#[derive(Debug, Clone)]
pub(super) struct Dialer {
    pub(super) target: Config,
    pub(super) purpose: Purpose,
    pub(super) command_timeout: Duration,
}

impl Dialer {
    /// The target, for logs: hosts and ports.
    pub(super) fn name(&self) -> String {
        let hosts = self.target.server.hosts();
        hosts
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(",")
    }

    /// What a connection is made with.
    fn client(&self) -> Result<Client, Error> {
        Builder::from_config(self.target.clone())
            .with_connection_config(|config| {
                *config = ConnectionConfig {
                    connection_timeout: STEP,
                    internal_command_timeout: STEP,
                    // At most once: nothing is sent again by itself.
                    max_command_attempts: 1,
                    max_command_buffer_len: Purpose::WAITING_COMMANDS,
                    tcp: TcpConfig {
                        nodelay: Some(true),
                        keepalive: Some(TcpKeepalive::new().with_time(Duration::from_secs(15))),
                        ..TcpConfig::default()
                    },
                    ..ConnectionConfig::default()
                };
            })
            .with_performance_config(|config| *config = self.purpose.performance(self.command_timeout))
            // No reconnect policy: see the head of this file.
            .build()
    }

    /// Opens a connection that is ready for commands.
    pub(super) async fn dial(&self) -> Result<Connection, Error> {
        let client = self.client()?;
        // The listener must be there before there is something to hear.
        let mut ready = pin!(client.wait_for_connect());
        if let Poll::Ready(result) = poll!(ready.as_mut()) {
            result?;
        }
        // From here on an abandoned attempt is aborted, not forgotten.
        let connection = Connection {
            router: client.connect(),
            client: client.clone(),
        };
        match timeout(DIAL, ready).await {
            Ok(result) => result.map(|()| connection),
            Err(_) => Err(Error::new(ErrorKind::Timeout, "no connection within 12 s")),
        }
    }
}

/// An open connection (one to each server, in a cluster). Dropping it ends it at once.
pub(super) struct Connection {
    client: Client,
    router: JoinHandle<FredResult<()>>,
}

impl Connection {
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Waits until it ends by itself, and says why.
    pub(super) async fn ended(&mut self) -> Error {
        match (&mut self.router).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) => Error::new(ErrorKind::Canceled, "the connection was closed"),
            Err(panic) => Error::new(ErrorKind::Unknown, panic.to_string()),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.router.abort();
    }
}

/// Waits for the answer of every server behind a connection, each to a `PING`.
///
/// fred's own check of unresponsive connections is of no use here: every write starts its time anew, so that a busy
/// connection to a dead peer passes.
pub(super) async fn ping(client: &Client) -> Result<(), Error> {
    let servers: Vec<Option<Server>> = match client.cached_cluster_state() {
        Some(cluster) => cluster.unique_primary_nodes().into_iter().map(Some).collect(),
        None => vec![None],
    };
    let pings = servers.into_iter().map(|cluster_node| {
        let options = Options {
            cluster_node,
            timeout: Some(ANSWER),
            ..Options::default()
        };
        let client = client.with_options(&options);
        async move { client.ping::<()>(None).await }
    });
    try_join_all(pings).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In bytes.
    fn resident() -> Option<usize> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<usize>().ok()? << 10)
    }

    /// fred takes it when a client is made: a server that is away costs it at every attempt.
    #[tokio::test]
    async fn a_connection_takes_a_few_mebibytes() {
        const ALONE: &str = "STARLING_TEST_ALONE";
        if std::env::var_os(ALONE).is_none() {
            // In a process of its own: here other tests take memory at the same time.
            let name = "redis::dial::tests::a_connection_takes_a_few_mebibytes";
            let run = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", name])
                .env(ALONE, "1")
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&run.stdout);
            assert!(run.status.success() && said.contains("1 passed"), "{said}");
            return;
        }
        for (purpose, most) in [(Purpose::Commands, 1 << 20), (Purpose::Subscriber, 8 << 20)] {
            let dialer = Dialer {
                target: Config::default(),
                purpose,
                command_timeout: ANSWER,
            };
            let before = resident().unwrap();
            let clients: Vec<Client> = (0..8).map(|_| dialer.client().unwrap()).collect();
            let each = resident().unwrap().saturating_sub(before) / clients.len();
            assert!(each < most, "{purpose:?}: {each} bytes");
        }
    }
}
