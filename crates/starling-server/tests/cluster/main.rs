//! The end-to-end suite on the cluster backend: gateways over one Postgres and one Redis, as on the embedded backend.

#[path = "../../../starling-gateway/tests/e2e/running.rs"]
mod running;

mod hanging;
mod reordered;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use starling_cluster::{ClusterConfig, postgres::PostgresConfig, redis::RedisConfig};
use starling_core::{NodeId, SystemClock};
use starling_testkit::{
    e2e::{self, Settings},
    fixtures::{postgres::PostgresFixture, redis::RedisFixture},
};

/// The death of a node is noticed after this time.
const LEASE: Duration = Duration::from_millis(1500);

/// A database and a key prefix of its own on servers that the cases share.
struct Harness {
    config: ClusterConfig,
    nodes: AtomicU32,
    /// Stopped when the last case of this process is done.
    servers: (Arc<PostgresFixture>, Arc<RedisFixture>),
}

impl Harness {
    fn redis_port(&self) -> u16 {
        self.servers.1.port()
    }

    /// The same Redis by way of another port.
    fn redis_at(&self, port: u16) -> RedisConfig {
        let there = RedisConfig::single(&format!("redis://127.0.0.1:{port}/0"));
        RedisConfig {
            urls: there.urls,
            ..self.config.redis.clone()
        }
    }
}

async fn harness() -> Harness {
    static PREFIXES: AtomicU32 = AtomicU32::new(0);
    let (postgres, redis) = (PostgresFixture::shared(), RedisFixture::shared());
    let config = ClusterConfig {
        postgres: PostgresConfig {
            // Many cases run at once, each with several nodes, on one server.
            pool_size: 2,
            lanes: 1,
            ..PostgresConfig::new(postgres.database())
        },
        redis: RedisConfig {
            key_prefix: format!("test-{}:", PREFIXES.fetch_add(1, Ordering::Relaxed)),
            pool_size: 1,
            lease_ttl: LEASE,
            // On a busy machine no answer may be late.
            limits_timeout: Duration::from_secs(5),
            ..RedisConfig::single(&redis.url())
        },
    };
    Harness {
        config,
        nodes: AtomicU32::new(0),
        servers: (postgres, redis),
    }
}

#[async_trait::async_trait]
impl e2e::Harness for Harness {
    async fn start(&self, settings: &Settings) -> Arc<dyn e2e::Gateway> {
        let n = self.nodes.fetch_add(1, Ordering::Relaxed);
        let id = NodeId::parse(&format!("node-{n}")).expect("a node id");
        let runtime = running::runtime();
        let connecting = starling_cluster::connect(self.config.clone(), id.clone(), Arc::new(SystemClock));
        let cluster = runtime
            .spawn(connecting)
            .await
            .expect("no panic")
            .expect("the cluster is there");
        let config = running::configured(id, settings, LEASE);
        running::start(runtime, config, cluster.backend, settings).await
    }
}

starling_testkit::e2e!(crate::harness);
