//! The bus, presence and limits in Redis.
//!
//! | module | what it holds |
//! |---|---|
//! | `config` | where Redis is, and whether that makes sense |
//! | `keys` | every name of a channel or a key |
//! | `shards` | how keys are spread over servers, in all topologies alike |
//! | `dial`, `link` | connections, and what becomes of commands when they end |
//! | `script` | Lua scripts (in `scripts/`), and the form of their replies |
//! | `bus` | publish and subscribe |
//! | `incarnation`, `presence` | leases, and what nodes say under them |
//! | `registry` | which nodes there are |
//! | `limits` | budgets and sessions |
//!
//! A node has a small, fixed number of connections: `pool_size` for commands and one for receiving, to each server.
//! Nothing here is the truth: whatever Redis loses is said again, or read from the log.

mod backoff;
mod bus;
mod config;
mod dial;
mod hash;
mod health;
mod incarnation;
mod keys;
mod limits;
mod link;
mod metrics;
mod presence;
mod registry;
mod script;
mod shards;

use std::{sync::Arc, time::Duration};

use fred::types::config::Config;
use futures_util::future::join_all;
use starling_core::{
    Clock, NodeId,
    ports::{Bus, Directory, Health, Limits, Presence, Registry},
};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use config::{ConnectError, RedisConfig, Topology};
pub use metrics::{Count, RedisMetrics};

use bus::RedisBus;
use dial::{ANSWER, Dialer, Purpose};
use health::RedisHealth;
use incarnation::Incarnations;
use keys::Names;
use limits::RedisLimits;
use link::Link;
use presence::RedisPresence;
use registry::RedisRegistry;
use shards::Shards;

/// The name of the service in [`Unavailable`](starling_core::ports::Unavailable) and in health checks.
const SERVICE: &str = "redis";
/// How long a start waits for Redis before it goes on without.
const FIRST: Duration = Duration::from_secs(5);

/// The ports that Redis serves.
#[derive(Clone)]
pub struct RedisParts {
    /// The doorbell between nodes.
    pub bus: Arc<dyn Bus>,
    /// Who is online.
    pub presence: Arc<dyn Presence>,
    /// Which nodes there are.
    pub registry: Arc<dyn Registry>,
    /// Rates and connection counts.
    pub limits: Arc<dyn Limits>,
    /// How Redis is. Its `close` gives the node's leases up and ends everything that was started here.
    pub health: Arc<dyn Health>,
    /// What happened.
    pub metrics: Arc<RedisMetrics>,
}

/// Connects a node.
///
/// Redis may be away: after a few seconds the node starts without it, as it would go on without it, and the bus begins
/// with `Disconnected`. Must be called in a tokio runtime.
///
/// # Errors
/// Where the configuration cannot be right, or Redis refuses its credentials.
pub async fn connect(
    config: RedisConfig,
    node: NodeId,
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
) -> Result<RedisParts, ConnectError> {
    let plan = Plan::new(&config, node, &*clock)?;
    let metrics = Arc::new(RedisMetrics::default());
    let (users_closed, links_closed) = (CancellationToken::new(), CancellationToken::new());
    let tasks = TaskTracker::new();

    let pools = plan.start_links(&metrics, &tasks, &links_closed);
    let links: Vec<Arc<Link>> = pools.iter().map(|pool| pool[0].clone()).collect();
    let bus = Arc::new(plan.start_bus(&pools, &metrics, &tasks, &users_closed));
    let shards = Arc::new(Shards::new(
        &plan.names,
        &pools,
        config.topology == Topology::Cluster,
    ));
    let incarnations = || Incarnations::new(plan.node.clone(), clock.clone(), shards.len());
    let times = limits::Times {
        lease: config.lease_ttl,
        patience: config.limits_timeout,
    };
    let limits = Arc::new(RedisLimits::new(
        shards.clone(),
        incarnations(),
        times,
        metrics.clone(),
    ));
    let measure = metrics.clone();
    let presence = Arc::new(RedisPresence::new(
        shards.clone(),
        incarnations(),
        times.lease,
        directory,
        measure,
    ));

    if let Err(error) = first_attempt(&pools, &bus, &presence, &limits).await {
        users_closed.cancel();
        links_closed.cancel();
        return Err(error);
    }
    tasks.spawn(limits.clone().tend(users_closed.clone()));
    Ok(RedisParts {
        health: Arc::new(RedisHealth {
            bus: bus.clone(),
            presence: presence.clone(),
            limits: limits.clone(),
            links,
            tasks,
            users_closed,
            links_closed,
        }),
        bus,
        presence,
        registry: Arc::new(RedisRegistry::new(shards, times.lease)),
        limits,
        metrics,
    })
}

/// Waits for Redis, and takes the first leases. Only credentials that are refused are worth giving up for.
async fn first_attempt(
    pools: &[Arc<[Arc<Link>]>],
    bus: &RedisBus,
    presence: &RedisPresence,
    limits: &RedisLimits,
) -> Result<(), ConnectError> {
    let there = async {
        let links = pools.iter().flat_map(|pool| pool.iter());
        for outcome in join_all(links.map(|link| link.first_attempt())).await {
            if let Err(refused) = outcome.map_err(|error| ConnectError::of_first_attempt(&error)) {
                return refused.map_or(Ok(()), Err);
            }
        }
        bus.ready().await;
        tokio::join!(presence.begin(), limits.begin());
        Ok(())
    };
    let outcome = timeout(FIRST, there).await.unwrap_or(Ok(()));
    if bus.away() > 0 {
        tracing::warn!("starting without Redis: delivery goes by the log until it is there");
        bus.tell_if_away();
    }
    outcome
}

/// What every part is started with.
struct Plan<'a> {
    config: &'a RedisConfig,
    targets: Vec<Config>,
    names: Names,
    node: NodeId,
    incarnation: u64,
}

impl<'a> Plan<'a> {
    fn new(config: &'a RedisConfig, node: NodeId, clock: &dyn Clock) -> Result<Self, ConnectError> {
        Ok(Self {
            targets: config.targets()?,
            names: Names::new(&config.key_prefix),
            incarnation: u64::try_from(clock.now().as_millis()).unwrap_or(0),
            config,
            node,
        })
    }

    /// Different for each node, each start and each number.
    fn seed(&self, n: u64) -> u64 {
        hash::mix(hash::stable(self.node.as_str().as_bytes()) ^ hash::mix(self.incarnation ^ hash::mix(n)))
    }

    fn dialer(&self, purpose: Purpose, target: &Config) -> Dialer {
        Dialer {
            target: target.clone(),
            purpose,
            command_timeout: match purpose {
                Purpose::Commands => self.config.command_timeout,
                Purpose::Subscriber => ANSWER,
            },
        }
    }

    /// The links to each server.
    fn start_links(
        &self,
        metrics: &Arc<RedisMetrics>,
        tasks: &TaskTracker,
        closed: &CancellationToken,
    ) -> Vec<Arc<[Arc<Link>]>> {
        let mut n = 0;
        let mut link = |target: &Config| {
            n += 1;
            let link = Arc::new(Link::new(self.dialer(Purpose::Commands, target), metrics.clone()));
            tasks.spawn(link.clone().keep(self.seed(n), closed.clone()));
            link
        };
        let mut pool = |target| (0..self.config.pool_size).map(|_| link(target)).collect();
        self.targets.iter().map(&mut pool).collect()
    }

    fn start_bus(
        &self,
        pools: &[Arc<[Arc<Link>]>],
        metrics: &Arc<RedisMetrics>,
        tasks: &TaskTracker,
        closed: &CancellationToken,
    ) -> RedisBus {
        let parts = bus::Parts {
            names: self.names.clone(),
            node: self.node.clone(),
            incarnation: self.incarnation,
            seed: self.seed(0),
            most_queued: self.config.bus_queue,
            metrics: metrics.clone(),
            pools: pools.to_vec(),
        };
        let subscriber = |target| self.dialer(Purpose::Subscriber, target);
        RedisBus::start(
            parts,
            self.targets.iter().map(subscriber).collect(),
            tasks,
            closed,
        )
    }
}
