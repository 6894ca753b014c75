//! The cluster that is broken: gateways of the real binary over a real Redis and a real Postgres, behind nginx, with a
//! tap and a chaos proxy on every link.
//!
//! ```text
//! clients ── nginx ──────────────> gateway ── tap ── chaos ──> Redis
//!        └── chaos (two doors) ──> gateway ── tap ── chaos ──> Postgres
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`node`] | one gateway and its links |
//! | [`truth`] | what the database says at the end |
//! | [`vitals`] | memory, descriptors and connections, sampled |

pub(crate) mod node;
pub(crate) mod truth;
pub(crate) mod vitals;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use starling_testkit::fixtures::{nginx::NginxFixture, postgres::PostgresFixture, redis::RedisFixture};

use self::node::Node;
use crate::client::Door;

/// Connections that Postgres takes: few enough that a fault can use them up.
pub(crate) const POSTGRES_CONNECTIONS: usize = 100;

/// See the module. All of it ends when this is dropped, and also when this process is killed.
pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    pub(crate) nginx: NginxFixture,
    pub(crate) redis: Arc<RedisFixture>,
    pub(crate) postgres: Arc<PostgresFixture>,
}

/// What a world is made of.
pub(crate) struct Parts<'a> {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    pub(crate) binary: &'a Path,
    /// Where logs are kept.
    pub(crate) folder: &'a Path,
    /// The library that fakes the clock of the last node, where it is installed.
    pub(crate) clock: Option<&'a Path>,
}

impl World {
    /// Starts everything, and waits until it works.
    pub(crate) async fn start(parts: &Parts<'_>) -> Result<Self> {
        let settings = [("max_connections", POSTGRES_CONNECTIONS.to_string())];
        let starting = tokio::task::spawn_blocking(move || {
            let settings = settings.each_ref().map(|(key, value)| (*key, value.as_str()));
            (PostgresFixture::start_with(&settings), RedisFixture::start())
        });
        let (postgres, redis) = starting.await.context("Postgres or Redis did not start")?;
        let (postgres, redis) = (Arc::new(postgres), Arc::new(redis));
        let mut nodes = Vec::with_capacity(parts.nodes);
        for n in 0..parts.nodes {
            let clock = parts.clock.filter(|_| n + 1 == parts.nodes);
            nodes.push(Node::prepare(n, parts, (redis.port(), postgres.port()), clock).await?);
        }
        // One after the other: the first migrates.
        for node in &nodes {
            node.start().await?;
        }
        let addrs: Vec<SocketAddr> = nodes.iter().map(Node::addr).collect();
        let nginx = tokio::task::spawn_blocking(move || NginxFixture::start(&addrs));
        Ok(Self {
            nodes,
            nginx: nginx.await.context("nginx did not start")?,
            redis,
            postgres,
        })
    }

    /// The ways in.
    pub(crate) fn doors(&self) -> Vec<Door> {
        let nginx = Door {
            name: "nginx".into(),
            addr: self.nginx.addr(),
        };
        self.nodes.iter().flat_map(Node::doors).chain([nginx]).collect()
    }

    /// Runs a statement as the database's owner, away from the runtime: it may take long.
    pub(crate) async fn sql(&self, statement: impl Into<String>) -> Result<String> {
        let (postgres, statement) = (self.postgres.clone(), statement.into());
        let running = tokio::task::spawn_blocking(move || postgres.sql(&statement));
        running.await.context("a statement failed")
    }

    /// The logs of the gateways.
    pub(crate) fn logs(&self) -> Vec<PathBuf> {
        self.nodes
            .iter()
            .map(|node| node.gateway.log().to_owned())
            .collect()
    }
}
