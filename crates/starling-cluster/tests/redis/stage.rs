//! Nodes over servers that the tests of this process share, each test under a key prefix of its own.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use starling_cluster::redis::{RedisConfig, RedisParts, Topology, connect};
use starling_core::{
    NodeId, RoomId, SystemClock, Timestamp, UserId,
    ports::{Bus, BusEvent, BusReceiver, Directory, Limits, Presence, Registry, Topic, Unavailable},
};
use starling_testkit::{
    conformance::{BusStage, LimitsStage, PresenceStage, RegistryStage},
    fixtures::redis::{RedisClusterFixture, RedisFixture, RedisSentinelFixture},
};

/// How long a test waits for what must come. Only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A lease that is quick to end and still long enough for a busy machine.
const LEASE: Duration = Duration::from_secs(2);

static PREFIXES: AtomicU32 = AtomicU32::new(0);

/// Servers, and how a node is configured for them.
pub(crate) struct Stage {
    pub(crate) config: RedisConfig,
    directory: Arc<MemoryDirectory>,
    nodes: AtomicU32,
    /// Dropping a node's parts does not end them.
    parts: Mutex<Vec<RedisParts>>,
    _servers: Box<dyn Send + Sync>,
}

impl Stage {
    pub(crate) fn new(mut config: RedisConfig, servers: impl Send + Sync + 'static) -> Self {
        config.key_prefix = format!("test-{}:", PREFIXES.fetch_add(1, Ordering::Relaxed));
        config.lease_ttl = LEASE;
        // On a busy machine no answer may be late.
        config.limits_timeout = Duration::from_secs(5);
        Self {
            config,
            directory: Arc::default(),
            nodes: AtomicU32::new(0),
            parts: Mutex::default(),
            _servers: Box::new(servers),
        }
    }

    /// One server that other tests use too.
    pub(crate) fn single() -> Self {
        let server = RedisFixture::shared();
        Self::new(RedisConfig::single(&server.url()), server)
    }

    /// The same keys, reached at another address.
    pub(crate) fn by_way_of(&self, url: &str) -> Self {
        let mut config = self.config.clone();
        config.urls = RedisConfig::single(url).urls;
        Self {
            config,
            directory: self.directory.clone(),
            nodes: AtomicU32::new(0),
            parts: Mutex::default(),
            _servers: Box::new(()),
        }
    }

    /// A further node.
    pub(crate) async fn node(&self) -> RedisParts {
        let n = self.nodes.fetch_add(1, Ordering::Relaxed);
        let parts = self.node_named(&format!("node-{n}")).await;
        self.parts.lock().push(parts.clone());
        parts
    }

    pub(crate) async fn node_named(&self, name: &str) -> RedisParts {
        let node = NodeId::parse(name).expect("a node id");
        connect(
            self.config.clone(),
            node,
            self.directory.clone(),
            Arc::new(SystemClock),
        )
        .await
        .expect("a configuration that fits")
    }
}

/// A node that can be killed: everything it runs is on a runtime of its own.
pub(crate) struct Mortal {
    pub(crate) parts: RedisParts,
    runtime: tokio::runtime::Runtime,
}

impl Mortal {
    pub(crate) async fn start(stage: &Stage, name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let node = NodeId::parse(name).expect("a node id");
        let starting = connect(
            stage.config.clone(),
            node,
            stage.directory.clone(),
            Arc::new(SystemClock),
        );
        let parts = runtime.spawn(starting).await.expect("no panic");
        Self {
            parts: parts.expect("a configuration that fits"),
            runtime,
        }
    }

    /// As when the process is killed: nothing is given up, nothing is said.
    pub(crate) fn kill(self) {
        self.runtime.shutdown_background();
    }
}

/// Two servers that know nothing of each other.
pub(crate) fn sharded() -> Stage {
    static SHARED: Shared<[RedisFixture; 2]> = Shared::new();
    let servers = SHARED.get(|| [RedisFixture::start(), RedisFixture::start()]);
    let urls = servers.each_ref().map(RedisFixture::url);
    Stage::new(
        RedisConfig::new(Topology::Sharded, urls.iter().map(String::as_str)),
        servers,
    )
}

pub(crate) fn sentinel_config(servers: &RedisSentinelFixture) -> RedisConfig {
    let topology = Topology::Sentinel {
        service: RedisSentinelFixture::SERVICE.into(),
    };
    RedisConfig::new(topology, servers.urls().iter().map(String::as_str))
}

/// A cluster of three primaries.
pub(crate) fn cluster() -> Stage {
    static SHARED: Shared<RedisClusterFixture> = Shared::new();
    let servers = SHARED.get(RedisClusterFixture::start);
    Stage::new(cluster_config(&servers), servers)
}

pub(crate) fn cluster_config(servers: &RedisClusterFixture) -> RedisConfig {
    RedisConfig::new(Topology::Cluster, servers.urls().iter().map(String::as_str))
}

/// Servers that are started by the first test that asks, and stopped when the last has dropped them.
struct Shared<T>(Mutex<Weak<T>>);

impl<T> Shared<T> {
    const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }

    fn get(&self, start: impl FnOnce() -> T) -> Arc<T> {
        let mut shared = self.0.lock();
        shared.upgrade().unwrap_or_else(|| {
            let servers = Arc::new(start());
            *shared = Arc::downgrade(&servers);
            servers
        })
    }
}

#[async_trait]
impl BusStage for Stage {
    async fn bus(&self) -> Arc<dyn Bus> {
        self.node().await.bus
    }
}

#[async_trait]
impl PresenceStage for Stage {
    async fn presence(&self) -> Arc<dyn Presence> {
        self.node().await.presence
    }

    async fn directory(&self) -> Arc<dyn Directory> {
        self.directory.clone()
    }

    fn lease(&self) -> Duration {
        LEASE
    }

    async fn pass(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

#[async_trait]
impl LimitsStage for Stage {
    async fn limits(&self) -> Arc<dyn Limits> {
        self.node().await.limits
    }

    async fn pass(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

#[async_trait]
impl RegistryStage for Stage {
    async fn registry(&self) -> Arc<dyn Registry> {
        self.node().await.registry
    }

    fn lease(&self) -> Duration {
        LEASE
    }

    async fn pass(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

/// The other half of the backend keeps this in Postgres.
#[derive(Default)]
struct MemoryDirectory(Mutex<HashMap<UserId, Timestamp>>);

#[async_trait]
impl Directory for MemoryDirectory {
    async fn seen(&self, users: &[(UserId, Timestamp)]) -> Result<(), Unavailable> {
        self.0.lock().extend(users.iter().cloned());
        Ok(())
    }

    async fn last_seen(&self, users: &[UserId]) -> Result<Vec<Option<Timestamp>>, Unavailable> {
        let seen = self.0.lock();
        Ok(users.iter().map(|user| seen.get(user).copied()).collect())
    }
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::parse(name).expect("a user id")
}

pub(crate) fn room(name: &str) -> Topic {
    Topic::Room(RoomId::parse(name).expect("a room id"))
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
        panic!("not within {PATIENCE:?}: {what}");
    }
}

pub(crate) async fn publish(bus: &dyn Bus, topic: &Topic, payload: &str) -> Result<(), Unavailable> {
    let payload = bytes::Bytes::copy_from_slice(payload.as_bytes());
    bus.publish(vec![(topic.clone(), payload)]).await
}

/// The next event.
pub(crate) async fn next(receiver: &mut Box<dyn BusReceiver>) -> BusEvent {
    tokio::time::timeout(PATIENCE, receiver.recv())
        .await
        .expect("something arrives")
        .expect("the bus is open")
}

/// Receives until one event fits, and answers all before it.
pub(crate) async fn hear_until(
    receiver: &mut Box<dyn BusReceiver>,
    fits: impl Fn(&BusEvent) -> bool,
) -> Vec<BusEvent> {
    let mut before = Vec::new();
    loop {
        let event = next(receiver).await;
        if fits(&event) {
            return before;
        }
        before.push(event);
    }
}

pub(crate) fn is(topic: &Topic, payload: &str) -> impl Fn(&BusEvent) -> bool {
    let expected = BusEvent::Delivered {
        topic: topic.clone(),
        payload: bytes::Bytes::copy_from_slice(payload.as_bytes()),
    };
    move |event| *event == expected
}
