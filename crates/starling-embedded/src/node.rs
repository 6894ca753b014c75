//! The store, what the nodes over it share, and one [`Backend`] for each node.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use starling_core::{
    Backend, NodeId,
    ports::{Health, ServiceHealth},
};

use crate::{
    EmbeddedConfig, OpenError,
    bus::{EmbeddedBus, Exchange},
    limits::{Counts, EmbeddedLimits},
    presence::{Board, EmbeddedPresence},
    registry::EmbeddedRegistry,
    sqlite::Sqlite,
};

/// A health check answers within 2 s; a disk that takes so long to store one row is not well.
const PROBE_TIME: Duration = Duration::from_millis(1500);

/// Opens the data folder for one node, which is what a process usually is.
pub async fn open(config: EmbeddedConfig, node: NodeId) -> Result<Backend, OpenError> {
    Ok(Embedded::open(config).await?.node(node))
}

/// The store of a data folder, and what the nodes over it share.
pub struct Embedded {
    sqlite: Arc<Sqlite>,
    exchange: Arc<Exchange>,
    board: Arc<Board>,
    counts: Arc<Counts>,
    registry: Arc<EmbeddedRegistry>,
    open_nodes: Arc<AtomicUsize>,
}

impl Embedded {
    /// Opens the data folder. It stays locked until every node is closed, or everything is dropped.
    pub async fn open(config: EmbeddedConfig) -> Result<Self, OpenError> {
        let lease = config.lease;
        let opening = tokio::task::spawn_blocking(move || Sqlite::open(&config));
        let sqlite = opening
            .await
            .map_err(|error| OpenError::Threads(error.into()))??;
        Ok(Self {
            board: Board::new(sqlite.clone(), lease),
            exchange: Exchange::new(),
            counts: Arc::default(),
            registry: Arc::new(EmbeddedRegistry::new(lease)),
            open_nodes: Arc::default(),
            sqlite,
        })
    }

    /// A node over the store. Closing the last node closes the store.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Backend {
        self.open_nodes.fetch_add(1, Ordering::Relaxed);
        let bus = Arc::new(self.exchange.node());
        let presence = Arc::new(self.board.node(id));
        let limits = Arc::new(self.counts.node());
        let sqlite = self.sqlite.clone();
        Backend {
            log: sqlite.clone(),
            rooms: sqlite.clone(),
            history: sqlite.clone(),
            markers: sqlite.clone(),
            retention: sqlite.clone(),
            directory: sqlite.clone(),
            health: Arc::new(Node {
                sqlite,
                open_nodes: self.open_nodes.clone(),
                bus: bus.clone(),
                presence: presence.clone(),
                limits: limits.clone(),
            }),
            bus,
            presence,
            registry: self.registry.clone(),
            limits,
        }
    }
}

/// Checks a node, and closes it.
struct Node {
    sqlite: Arc<Sqlite>,
    open_nodes: Arc<AtomicUsize>,
    bus: Arc<EmbeddedBus>,
    presence: Arc<EmbeddedPresence>,
    limits: Arc<EmbeddedLimits>,
}

#[async_trait]
impl Health for Node {
    async fn check(&self) -> Vec<ServiceHealth> {
        let problem = match tokio::time::timeout(PROBE_TIME, self.sqlite.probe()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("the database cannot be written: {}", error.source)),
            Err(_) => Some(format!(
                "the database stored nothing for {} ms",
                PROBE_TIME.as_millis()
            )),
        };
        vec![ServiceHealth {
            service: "sqlite",
            essential: true,
            problem,
        }]
    }

    async fn close(&self) {
        self.bus.close();
        self.presence.close();
        self.limits.close();
        if self.open_nodes.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.sqlite.close().await;
        }
    }
}
