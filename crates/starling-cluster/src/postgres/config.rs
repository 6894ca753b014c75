//! What [`connect`](super::connect) is given, and how its URL is read.

use std::{path::PathBuf, str::FromStr, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::config::{SslMode, TargetSessionAttrs};

use super::ConnectError;

/// How to reach Postgres, and how long to wait for it.
#[derive(Debug, Clone)]
pub struct PostgresConfig {
    /// `postgres://user:password@host:5432/database`, with the parameters of libpq that tokio-postgres knows, and
    /// with `sslmode=disable|prefer|require|verify-full` and `sslrootcert=/path/to/ca.pem`.
    ///
    /// `require` encrypts without asking who answers, unless `sslrootcert` is given: then it is `verify-full`, which
    /// checks the certificate against that file, or against the public authorities where there is none.
    pub url: SecretString,
    /// Connections for reading.
    pub pool_size: usize,
    /// Connections for appending: so many batches are stored at once.
    pub lanes: usize,
    /// How long a statement may take. A lock is waited for half as long.
    pub statement_timeout: Duration,
    /// How long connecting may take, TLS and authentication included.
    pub connect_timeout: Duration,
}

impl PostgresConfig {
    /// A small node's configuration for this URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: SecretString::from(url.into()),
            pool_size: 8,
            lanes: 2,
            statement_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
        }
    }

    /// How long a lock is waited for: less than a statement may take, so that the error says what it was.
    pub(super) fn lock_timeout(&self) -> Duration {
        self.statement_timeout / 2
    }

    /// How long an answer is waited for. The server gives up first, unless it or the link hangs.
    pub(super) fn patience(&self) -> Duration {
        self.statement_timeout + Duration::from_secs(1)
    }
}

/// The URL, taken apart.
pub(super) struct Target {
    pub(super) driver: tokio_postgres::Config,
    pub(super) trust: Trust,
}

/// Whose certificate is believed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Anybody's: the link is encrypted, no more.
    Anybody,
    /// One that a public authority has signed for this host.
    PublicAuthorities,
    /// One that an authority in this file has signed for this host.
    File(PathBuf),
}

impl Target {
    /// Reads the URL. `sslmode=verify-full` and `sslrootcert` are ours: tokio-postgres does not know them.
    pub(super) fn parse(config: &PostgresConfig) -> Result<Self, ConnectError> {
        let url = config.url.expose_secret();
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(ConnectError::Url("it must begin with postgres://".into()));
        }
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut root) = (None, None);
        let mut others = Vec::new();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", value)) => root = Some(PathBuf::from(percent_decoded(value)?)),
                _ => others.push(parameter),
            }
        }
        let rest = format!("{base}?{}", others.join("&"));
        let mut driver = tokio_postgres::Config::from_str(&rest).map_err(|error| {
            // The driver names the option, never its value.
            ConnectError::Url(
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string),
            )
        })?;
        let (mode, trust) = match (mode, root) {
            (None | Some("prefer"), None) => (SslMode::Prefer, Trust::Anybody),
            (Some("disable"), None) => (SslMode::Disable, Trust::Anybody),
            (Some("require"), None) => (SslMode::Require, Trust::Anybody),
            (Some("verify-full"), None) => (SslMode::Require, Trust::PublicAuthorities),
            (Some("require" | "verify-full"), Some(root)) => (SslMode::Require, Trust::File(root)),
            (_, Some(_)) => {
                return Err(ConnectError::Url("sslrootcert needs sslmode=verify-full".into()));
            }
            (Some(other), None) => {
                return Err(ConnectError::Url(format!(
                    "sslmode={other} is not supported; use disable, prefer, require or verify-full"
                )));
            }
        };
        driver.ssl_mode(mode);
        harden(&mut driver, config);
        Ok(Self { driver, trust })
    }
}

/// What is right for every gateway, where the URL does not say otherwise.
fn harden(driver: &mut tokio_postgres::Config, config: &PostgresConfig) {
    // Where there are several hosts, one that does not answer leaves time for the next.
    let hosts = u32::try_from(driver.get_hosts().len()).unwrap_or(u32::MAX).max(1);
    driver.connect_timeout(config.connect_timeout / hosts);
    // A link that swallows everything is given up by the kernel too, soon after we did.
    driver.keepalives_idle(Duration::from_secs(10));
    driver.keepalives_interval(Duration::from_secs(5));
    driver.keepalives_retries(3);
    driver.tcp_user_timeout(config.patience() * 2);
    if driver.get_application_name().is_none() {
        driver.application_name("starling");
    }
    // Of several hosts, the one that takes writes: after a failover that is another.
    if driver.get_target_session_attrs() == TargetSessionAttrs::Any {
        driver.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
}

fn percent_decoded(text: &str) -> Result<String, ConnectError> {
    let bad = || ConnectError::Url("sslrootcert holds a broken percent escape".into());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = rest
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .ok_or_else(bad)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| bad())?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Result<Target, String> {
        Target::parse(&PostgresConfig::new(url)).map_err(|e| e.to_string())
    }

    #[test]
    fn sslmode_says_whom_to_trust() {
        for (query, mode, trust) in [
            ("", SslMode::Prefer, Trust::Anybody),
            ("?sslmode=disable", SslMode::Disable, Trust::Anybody),
            ("?sslmode=require", SslMode::Require, Trust::Anybody),
            ("?sslmode=verify-full", SslMode::Require, Trust::PublicAuthorities),
            (
                "?connect_timeout=3&sslmode=verify-full&sslrootcert=%2Fetc%2Fmy%20ca.pem",
                SslMode::Require,
                Trust::File("/etc/my ca.pem".into()),
            ),
            (
                "?sslrootcert=ca.pem&sslmode=require",
                SslMode::Require,
                Trust::File("ca.pem".into()),
            ),
        ] {
            let target = target(&format!("postgres://u:p@db.example/x{query}")).unwrap();
            assert_eq!(
                (target.driver.get_ssl_mode(), target.trust),
                (mode, trust),
                "{query}"
            );
        }
    }

    #[test]
    fn a_url_that_is_not_understood_is_not_repeated_with_its_password() {
        for url in [
            "mysql://u:hunter2@db/x",
            "postgres://u:hunter2@db/x?sslmode=allow",
            "postgres://u:hunter2@db/x?sslmode=disable&sslrootcert=a",
            "postgres://u:hunter2@db/x?sslmode=require&sslrootcert=%2",
            "postgres://u:hunter2@db/x?nonsense=1",
            "postgres://u:hunter2@db:port/x",
        ] {
            let error = target(url).err().unwrap();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_socket_folder_is_a_host() {
        let target = target("postgresql://postgres@%2Ftmp%2Fpg:5433/x").unwrap();
        assert_eq!(
            target.driver.get_hosts(),
            [tokio_postgres::config::Host::Unix("/tmp/pg".into())]
        );
    }
}
