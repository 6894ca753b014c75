//! What the caller decides, and whether it makes sense.

use std::{path::PathBuf, time::Duration};

use fred::{
    error::ErrorKind,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, pem::PemObject},
    },
    rustls_native_certs::load_native_certs,
    types::{
        RespVersion,
        config::{ClusterDiscoveryPolicy, Config, Server, ServerConfig, TlsConfig, TlsConnector},
    },
};
use secrecy::{ExposeSecret, SecretString};

/// Where Redis is and how it is used.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS: the server, the sentinels, some nodes
    /// of the cluster, or the shards. User, password, database and TLS are those of the first, except for shards.
    pub urls: Vec<SecretString>,
    /// How the servers work together.
    pub topology: Topology,
    /// What all keys and channels begin with.
    pub key_prefix: String,
    /// Connections for commands, for each server. One more receives what is published.
    pub pool_size: usize,
    /// How long a command may take, waiting for its turn included.
    pub command_timeout: Duration,
    /// How long a limit may take to ask for. Beyond it this node decides alone: a slower limit harms more than it
    /// protects.
    pub limits_timeout: Duration,
    /// How long a node's word counts without a renewal. Renew at least three times in it.
    pub lease_ttl: Duration,
    /// Authorities to trust for TLS (PEM), instead of the system's.
    pub tls_ca_file: Option<PathBuf>,
    /// How many events may wait for the receiver of the bus. Beyond it messages are dropped and a gap is told.
    pub bus_queue: usize,
}

impl RedisConfig {
    /// One server, with the defaults that the documentation names.
    #[must_use]
    pub fn single(url: &str) -> Self {
        Self::new(Topology::Single, [url])
    }

    /// These servers, with the defaults that the documentation names.
    #[must_use]
    pub fn new<'a>(topology: Topology, urls: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            urls: urls.into_iter().map(SecretString::from).collect(),
            topology,
            key_prefix: "starling:".into(),
            pool_size: 4,
            command_timeout: Duration::from_secs(2),
            limits_timeout: Duration::from_millis(250),
            lease_ttl: Duration::from_secs(9),
            tls_ca_file: None,
            bus_queue: 65_536,
        }
    }
}

/// How several Redis servers work together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// One server.
    Single,
    /// One primary that sentinels watch, under this name.
    Sentinel {
        /// What the sentinels call it.
        service: String,
    },
    /// Redis Cluster, version 7 or later: messages go by sharded publish and subscribe.
    Cluster,
    /// Independent servers; each room and user belongs to one of them.
    Sharded,
}

/// Why no use of Redis is possible. A server that is merely away is none of these: see [`connect`](super::connect).
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The configuration cannot be right.
    #[error("{key} must be {expected}")]
    Config {
        /// The key, as `redis.key_prefix`.
        key: &'static str,
        /// What was expected there.
        expected: String,
    },
    /// The server does not take these credentials.
    #[error("Redis refuses the credentials: check user and password in redis.url")]
    Credentials(#[source] fred::error::Error),
    /// No trusted authorities could be read for TLS.
    #[error("the authorities for TLS to Redis could not be read: {0}")]
    Tls(String),
}

impl ConnectError {
    fn config(key: &'static str, expected: impl Into<String>) -> Self {
        Self::Config {
            key,
            expected: expected.into(),
        }
    }

    /// What an error of the first attempt to connect says about the configuration, if anything.
    pub(super) fn of_first_attempt(error: &fred::error::Error) -> Option<Self> {
        (*error.kind() == ErrorKind::Auth).then(|| Self::Credentials(error.clone()))
    }
}

impl RedisConfig {
    /// Checks everything and answers how to reach each server, or each group of them that acts as one.
    pub(super) fn targets(&self) -> Result<Vec<Config>, ConnectError> {
        self.check()?;
        let parsed = self.urls.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        let hosts = || {
            parsed
                .iter()
                .flat_map(|url| url.server.hosts())
                .collect::<Vec<Server>>()
        };
        let one = |server: ServerConfig| {
            vec![Config {
                server,
                ..parsed[0].clone()
            }]
        };
        let mut targets = match &self.topology {
            Topology::Single | Topology::Sharded => parsed,
            Topology::Cluster => one(ServerConfig::Clustered {
                hosts: hosts(),
                policy: ClusterDiscoveryPolicy::UseCache,
            }),
            Topology::Sentinel { service } => one(ServerConfig::Sentinel {
                hosts: hosts(),
                service_name: service.clone(),
            }),
        };
        for target in &mut targets {
            // A PING in RESP3 is a barrier behind SUBSCRIBE on the same connection.
            target.version = RespVersion::RESP3;
            target.fail_fast = true;
        }
        if self.urls.iter().any(uses_tls) {
            let tls = self.tls()?;
            for (target, url) in targets.iter_mut().zip(&self.urls) {
                target.tls = uses_tls(url).then(|| tls.clone());
            }
        }
        Ok(targets)
    }

    fn check(&self) -> Result<(), ConnectError> {
        let servers = self.urls.len();
        match self.topology {
            Topology::Single if servers != 1 => {
                return Err(ConnectError::config(
                    "redis.url",
                    "one server, for a single topology",
                ));
            }
            Topology::Sharded if servers < 2 => {
                return Err(ConnectError::config(
                    "redis.urls",
                    "at least two servers, for a sharded topology",
                ));
            }
            _ if servers == 0 => return Err(ConnectError::config("redis.urls", "at least one server")),
            _ => {}
        }
        // In a cluster the first brace must be the shard's; fred takes `__key…` for keyspace notifications.
        if self.key_prefix.contains(['{', '}']) || self.key_prefix.starts_with("__key") {
            return Err(ConnectError::config(
                "redis.key_prefix",
                "a text without braces that does not begin with __key",
            ));
        }
        for (key, number) in [
            ("redis.pool_size", self.pool_size),
            ("redis.bus_queue", self.bus_queue),
        ] {
            if number == 0 {
                return Err(ConnectError::config(key, "at least 1"));
            }
        }
        if self.lease_ttl < Duration::from_millis(100) {
            return Err(ConnectError::config("presence.lease_ttl", "at least 100 ms"));
        }
        Ok(())
    }

    fn tls(&self) -> Result<TlsConfig, ConnectError> {
        let unreadable = |e: &dyn std::fmt::Display| ConnectError::Tls(e.to_string());
        let mut roots = RootCertStore::empty();
        if let Some(file) = &self.tls_ca_file {
            for certificate in CertificateDer::pem_file_iter(file).map_err(|e| unreadable(&e))? {
                let certificate = certificate.map_err(|e| unreadable(&e))?;
                roots.add(certificate).map_err(|e| unreadable(&e))?;
            }
        } else {
            let system = load_native_certs();
            // Some of the system's may be in no form that we read; none at all is an error.
            roots.add_parsable_certificates(system.certs);
        }
        if roots.is_empty() {
            return Err(ConnectError::Tls(
                "there is no certificate of an authority".into(),
            ));
        }
        // The provider is named, so that nothing depends on what the process has installed.
        let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(|e| unreadable(&e))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(TlsConnector::from(config).into())
    }
}

/// Reads a URL. The error names no part of it: it may hold a password.
fn parse(url: &SecretString) -> Result<Config, ConnectError> {
    let expected = "redis://[user:password@]host[:port][/database], or rediss:// for TLS";
    // fred would make its own TLS configuration from the scheme, with the process's provider, or panic without one.
    let plain = match url.expose_secret().split_once("://") {
        Some(("redis" | "rediss", rest)) => format!("redis://{rest}"),
        _ => return Err(ConnectError::config("redis.url", expected)),
    };
    Config::from_url_centralized(&plain).map_err(|_| ConnectError::config("redis.url", expected))
}

fn uses_tls(url: &SecretString) -> bool {
    url.expose_secret().starts_with("rediss://")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(config: &RedisConfig) -> String {
        config.targets().expect_err("a refusal").to_string()
    }

    #[test]
    fn every_topology_has_its_targets() {
        let two = ["redis://u:p@a:1/3", "redis://b:2"];
        let targets = |topology| RedisConfig::new(topology, two).targets().unwrap();
        assert_eq!(targets(Topology::Sharded).len(), 2);
        let cluster = targets(Topology::Cluster);
        assert_eq!(cluster.len(), 1);
        assert_eq!(cluster[0].server.hosts().len(), 2);
        let sentinel = targets(Topology::Sentinel { service: "s".into() });
        assert_eq!(
            (&*sentinel[0].server.hosts()[1].host, sentinel[0].database),
            ("b", Some(3))
        );
        assert_eq!(sentinel[0].password.as_deref(), Some("p"));
        assert_eq!(sentinel[0].version, RespVersion::RESP3);
    }

    #[test]
    fn what_cannot_be_right_is_named_without_a_secret() {
        let with = |url| refused(&RedisConfig::single(url));
        assert!(with("http://user:hunter2@host").starts_with("redis.url must be redis://"));
        assert!(!with("redis://user:hunter2@:host:/").contains("hunter2"));
        let none = RedisConfig::new(Topology::Cluster, []);
        assert_eq!(refused(&none), "redis.urls must be at least one server");
        let lonely = RedisConfig::new(Topology::Sharded, ["redis://a"]);
        assert!(refused(&lonely).contains("at least two"));
        let mut braces = RedisConfig::single("redis://a");
        braces.key_prefix = "a{b}".into();
        assert!(refused(&braces).starts_with("redis.key_prefix"));
        assert!(!format!("{:?}", RedisConfig::single("redis://:hunter2@a")).contains("hunter2"));
    }
}
