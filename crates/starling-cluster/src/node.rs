//! One node's backend: what Postgres keeps and what Redis carries, as one bundle of ports.

use std::sync::Arc;

use async_trait::async_trait;
use starling_core::{
    Backend, Clock, NodeId,
    ports::{Health, ServiceHealth},
};

use crate::{
    postgres::{self, PostgresConfig, PostgresMetrics, Store},
    redis::{self, RedisConfig, RedisMetrics},
};

/// Where the services of a cluster are.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// The log, rooms, history and read markers.
    pub postgres: PostgresConfig,
    /// The bus, presence and limits.
    pub redis: RedisConfig,
}

/// Why a node cannot join the cluster.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Postgres: nothing works without the log.
    #[error(transparent)]
    Postgres(#[from] postgres::ConnectError),
    /// Redis is configured wrongly. One that is merely away stops no node.
    #[error(transparent)]
    Redis(#[from] redis::ConnectError),
}

/// A node's backend, and what its two halves count.
#[derive(Clone)]
pub struct Cluster {
    /// The ports.
    pub backend: Backend,
    store: Store,
    redis: Arc<RedisMetrics>,
}

/// Connects a node, and brings the schema up to date first. Must be called in a tokio runtime; what runs in the
/// background ends with [`Health::close`].
///
/// # Errors
/// When the configuration is wrong, or Postgres is not there.
pub async fn connect(
    config: ClusterConfig,
    node: NodeId,
    clock: Arc<dyn Clock>,
) -> Result<Cluster, ConnectError> {
    let store = postgres::connect(config.postgres).await?;
    let redis = match redis::connect(config.redis, node, Arc::new(store.clone()), clock).await {
        Ok(redis) => redis,
        Err(error) => {
            store.close().await;
            return Err(error.into());
        }
    };
    let shared = Arc::new(store.clone());
    Ok(Cluster {
        backend: Backend {
            log: shared.clone(),
            rooms: shared.clone(),
            history: shared.clone(),
            markers: shared.clone(),
            retention: shared.clone(),
            directory: shared,
            bus: redis.bus,
            presence: redis.presence,
            registry: redis.registry,
            limits: redis.limits,
            health: Arc::new(ClusterHealth {
                store: store.clone(),
                redis: redis.health,
            }),
        },
        store,
        redis: redis.metrics,
    })
}

impl Cluster {
    /// What the half in Postgres has counted.
    #[must_use]
    pub fn postgres(&self) -> PostgresMetrics {
        self.store.metrics()
    }

    /// What the half in Redis counts.
    #[must_use]
    pub fn redis(&self) -> &Arc<RedisMetrics> {
        &self.redis
    }
}

struct ClusterHealth {
    store: Store,
    redis: Arc<dyn Health>,
}

#[async_trait]
impl Health for ClusterHealth {
    async fn check(&self) -> Vec<ServiceHealth> {
        let (postgres, redis) = tokio::join!(self.store.health(), self.redis.check());
        let postgres = ServiceHealth {
            service: "postgres",
            essential: true,
            problem: postgres.err().map(|error| error.source.to_string()),
        };
        std::iter::once(postgres).chain(redis).collect()
    }

    async fn close(&self) {
        // Leases first: they say "last seen" to the store.
        self.redis.close().await;
        self.store.close().await;
    }
}
