//! The section `[redis]`.

use std::time::Duration;

use secrecy::SecretString;

use super::{
    kind::{Choice, Count, List, Name, Named, Optional, ServiceUrl, Time},
    section::{Rules, Validate, section},
};

/// How several Redis servers work together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topology {
    /// One server.
    Single,
    /// One primary that sentinels watch.
    Sentinel,
    /// Redis Cluster.
    Cluster,
    /// Independent servers; each room and user belongs to one of them.
    Sharded,
}

impl Named for Topology {
    const ALL: &'static [(&'static str, Self)] = &[
        ("single", Self::Single),
        ("sentinel", Self::Sentinel),
        ("cluster", Self::Cluster),
        ("sharded", Self::Sharded),
    ];
}

const fn url() -> ServiceUrl {
    ServiceUrl {
        schemes: &["redis", "rediss"],
        example: "redis://:password@localhost:6379/0",
    }
}

section! {
    /// Redis, for backend = "cluster": delivery between nodes, presence, limits.
    struct RedisConfig("redis") {
        /// The server (rediss:// for TLS).
        url: Option<SecretString> = None, Optional(url(), "\"redis://localhost:6379/0\"");
        /// How several servers work together.
        topology: Topology = Topology::Single, Choice::new();
        /// The sentinels, some nodes of the cluster, or the shards. `url` may then be left out.
        urls: Vec<SecretString> = Vec::new(), List(url());
        /// What the sentinels call the primary.
        sentinel_service: String = "mymaster".into(), Name;
        /// Connections for commands; a node has one more for each server to receive what is published.
        pool_size: usize = 4, Count(1..=256);
        /// How long a command may take, waiting for a connection included.
        command_timeout: Duration = Duration::from_secs(2), Time::millis(50..=60_000);
        /// What the names of all keys and channels begin with.
        key_prefix: String = "starling:".into(), Name;
    }
}

impl Validate for RedisConfig {
    fn validate(&self, rules: &mut Rules) {
        const KEYS: [&str; 2] = ["redis.urls", "redis.topology"];
        match self.topology {
            Topology::Single => {
                let expected = "none, since redis.topology is \"single\": set redis.url, or another topology";
                rules.require(self.urls.is_empty(), &KEYS, expected);
            }
            Topology::Sharded => rules.require(self.urls.len() >= 2, &KEYS, "at least two shards"),
            Topology::Sentinel | Topology::Cluster => {
                rules.require(
                    self.url.is_some() || !self.urls.is_empty(),
                    &KEYS,
                    "at least one server",
                );
            }
        }
    }
}
