//! The backend that the configuration names, opened for this node.

use std::sync::Arc;

use anyhow::Context;
use opentelemetry::metrics::Meter;
use starling_cluster::{
    Cluster, ClusterConfig, ConnectError,
    postgres::{self, PostgresConfig},
    redis::{RedisConfig, Topology},
};
use starling_core::{Backend, NodeId, SystemClock};
use starling_embedded::EmbeddedConfig;
use tempfile::TempDir;

use crate::{
    backend_metrics,
    config::{self, Config},
};

/// An open backend.
pub(crate) struct Opened {
    /// What the gateway is given.
    pub(crate) backend: Backend,
    /// What is counted behind it, where that is more than the gateway sees.
    cluster: Option<Cluster>,
    /// The data of an embedded backend that keeps nothing; it goes with this.
    _folder: Option<TempDir>,
}

impl Opened {
    /// Puts the backend's own counters beside those of the node.
    pub(crate) fn register_metrics(&self, meter: &Meter) {
        if let Some(cluster) = &self.cluster {
            backend_metrics::register(meter, cluster);
        }
    }
}

/// Opens it. Must be called in the runtime that the node runs on.
pub(crate) async fn open(config: &Config, node: NodeId) -> anyhow::Result<Opened> {
    match config.backend {
        config::Backend::Embedded => open_embedded(config, node).await,
        config::Backend::Cluster => {
            let cluster =
                starling_cluster::connect(cluster_config(config)?, node, Arc::new(SystemClock)).await?;
            Ok(Opened {
                backend: cluster.backend.clone(),
                cluster: Some(cluster),
                _folder: None,
            })
        }
    }
}

/// Whether the way out is another configuration, and not another try.
pub(crate) fn is_misconfigured(error: &ConnectError) -> bool {
    match error {
        // Redis that is merely away is no error at all.
        ConnectError::Redis(_) => true,
        ConnectError::Postgres(error) => matches!(
            error,
            postgres::ConnectError::Url(_)
                | postgres::ConnectError::RootCertificates { .. }
                | postgres::ConnectError::Unsuitable(_)
        ),
    }
}

async fn open_embedded(config: &Config, node: NodeId) -> anyhow::Result<Opened> {
    let folder = if config.messaging.persistence {
        None
    } else {
        Some(tempfile::tempdir().context("cannot make a temporary folder")?)
    };
    let data_dir = folder
        .as_ref()
        .map_or(config.embedded.data_dir.as_path(), |folder| folder.path());
    let embedded = EmbeddedConfig {
        readers: config.embedded.readers,
        busy_timeout: config.embedded.busy_timeout,
        lease: config.presence.lease_ttl,
        ..EmbeddedConfig::new(data_dir)
    };
    Ok(Opened {
        backend: starling_embedded::open(embedded, node).await?,
        cluster: None,
        _folder: folder,
    })
}

fn cluster_config(config: &Config) -> anyhow::Result<ClusterConfig> {
    let Config { redis, postgres, .. } = config;
    // The configuration was checked: a cluster has both.
    let url = postgres.url.clone().context("postgres.url is not set")?;
    let urls = match redis.topology {
        config::Topology::Single => redis.url.iter().cloned().collect(),
        _ => redis.url.iter().chain(&redis.urls).cloned().collect(),
    };
    Ok(ClusterConfig {
        postgres: PostgresConfig {
            url,
            pool_size: postgres.pool_size,
            lanes: postgres.lanes,
            statement_timeout: postgres.statement_timeout,
            connect_timeout: postgres.connect_timeout,
        },
        redis: RedisConfig {
            urls,
            topology: match redis.topology {
                config::Topology::Single => Topology::Single,
                config::Topology::Sentinel => Topology::Sentinel {
                    service: redis.sentinel_service.clone(),
                },
                config::Topology::Cluster => Topology::Cluster,
                config::Topology::Sharded => Topology::Sharded,
            },
            key_prefix: redis.key_prefix.clone(),
            pool_size: redis.pool_size,
            command_timeout: redis.command_timeout,
            lease_ttl: config.presence.lease_ttl,
            ..RedisConfig::new(Topology::Single, [])
        },
    })
}
