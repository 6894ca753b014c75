//! The configuration: read from all sources and checked as a whole before anything starts.
//!
//! | module | what it holds |
//! |---|---|
//! | `server` … `drain` | one section each: its keys with documentation, default and kind, and the rules among them |
//! | `section` | the macro that declares a section, and how its keys are read and its rules checked |
//! | `kind` | kinds of values: counts, sizes, durations, addresses, secrets … |
//! | `source` | file, environment, flags; which is stronger |
//! | `raw` | a value before its key says what it means |
//! | `error` | every problem at once, with its key and source |
//! | `print` | the effective configuration and the example file |
//!
//! To add a key: one entry in its section, then `cargo run -p starling-server -- config --example >
//! starling.example.toml`. To add a section: a file with `section!`, and a field in [`Config`].

mod auth;
mod canary;
mod cors;
mod drain;
mod embedded;
mod error;
mod kind;
mod limits;
mod messaging;
mod postgres;
mod presence;
mod print;
mod raw;
mod redis;
mod rooms;
mod section;
mod server;
mod source;
mod telemetry;
#[cfg(test)]
mod tests;
pub(crate) mod units;

use std::{collections::BTreeMap, ffi::OsString};

pub(crate) use self::{
    auth::{AuthConfig, GuestPolicy},
    canary::CanaryConfig,
    error::{ConfigErrors, Origin},
    redis::Topology,
    telemetry::{LogFormat, Signal, TelemetryConfig},
};
use self::{
    cors::CorsConfig,
    drain::DrainConfig,
    embedded::EmbeddedConfig,
    kind::{Choice, Named},
    limits::LimitsConfig,
    messaging::MessagingConfig,
    postgres::PostgresConfig,
    presence::PresenceConfig,
    redis::RedisConfig,
    rooms::RoomsConfig,
    section::{Key, Reader, Rules, Section},
    server::ServerConfig,
    source::Sources,
};
use secrecy::ExposeSecret;

use crate::{
    cli::{Cli, Options},
    secret,
};

/// What keeps messages, rooms and presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    /// All in this process.
    Embedded,
    /// Redis and Postgres, shared by many nodes.
    Cluster,
}

impl Named for Backend {
    const ALL: &'static [(&'static str, Self)] = &[("embedded", Self::Embedded), ("cluster", Self::Cluster)];
}

const BACKEND: &str = "backend";
const BACKEND_DOC: &[&str] =
    &[" Where messages, rooms and presence live: in this process, or in Redis and Postgres for many nodes."];

/// All that an operator decides. Every value has been checked, alone and together with the others.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// What keeps messages, rooms and presence.
    pub(crate) backend: Backend,
    /// `[server]`
    pub(crate) server: ServerConfig,
    /// `[auth]`
    pub(crate) auth: AuthConfig,
    /// `[cors]`
    pub(crate) cors: CorsConfig,
    /// `[rooms]`
    pub(crate) rooms: RoomsConfig,
    /// `[messaging]`
    pub(crate) messaging: MessagingConfig,
    /// `[presence]`
    pub(crate) presence: PresenceConfig,
    /// `[limits]`
    pub(crate) limits: LimitsConfig,
    /// `[embedded]`
    pub(crate) embedded: EmbeddedConfig,
    /// `[redis]`
    pub(crate) redis: RedisConfig,
    /// `[postgres]`
    pub(crate) postgres: PostgresConfig,
    /// `[telemetry]`
    pub(crate) telemetry: TelemetryConfig,
    /// `[canary]`
    pub(crate) canary: CanaryConfig,
    /// `[drain]`
    pub(crate) drain: DrainConfig,
    /// Where the values that are no defaults came from.
    origins: BTreeMap<&'static str, Origin>,
    /// What is worth a word when the server starts.
    pub(crate) warnings: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self::read(&mut Reader::default())
    }
}

impl Config {
    /// Reads the file, the environment and the flags, and checks all of it.
    pub(crate) fn load(cli: &Cli) -> Result<Self, ConfigErrors> {
        Self::from_sources(&cli.options, std::env::vars_os())
    }

    fn from_sources(
        options: &Options,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigErrors> {
        let defaults = Self::default();
        let known: Vec<_> = defaults.keys().map(|key| key.name).collect();
        let sources = Sources::collect(options, variables, &known, defaults.server.listen);
        let warnings = sources
            .warnings
            .iter()
            .map(|warning| format!("{warning}; ignored"))
            .collect();
        let mut reader = Reader::new(sources);
        let mut config = Self::read(&mut reader);
        let mut rules = reader.into_rules();
        config
            .sections()
            .iter()
            .for_each(|section| section.validate(&mut rules));
        config.validate(&mut rules);
        config.origins = rules.finish().map_err(ConfigErrors)?;
        config.warnings = warnings;
        config.warn_of_short_secret();
        Ok(config)
    }

    fn read(reader: &mut Reader) -> Self {
        Self {
            backend: reader.read(BACKEND, &Choice::new(), Backend::Embedded),
            server: ServerConfig::read(reader),
            auth: AuthConfig::read(reader),
            cors: CorsConfig::read(reader),
            rooms: RoomsConfig::read(reader),
            messaging: MessagingConfig::read(reader),
            presence: PresenceConfig::read(reader),
            limits: LimitsConfig::read(reader),
            embedded: EmbeddedConfig::read(reader),
            redis: RedisConfig::read(reader),
            postgres: PostgresConfig::read(reader),
            telemetry: TelemetryConfig::read(reader),
            canary: CanaryConfig::read(reader),
            drain: DrainConfig::read(reader),
            origins: BTreeMap::new(),
            warnings: Vec::new(),
        }
    }

    fn sections(&self) -> [&dyn Section; 13] {
        [
            &self.server,
            &self.auth,
            &self.cors,
            &self.rooms,
            &self.messaging,
            &self.presence,
            &self.limits,
            &self.embedded,
            &self.redis,
            &self.postgres,
            &self.telemetry,
            &self.canary,
            &self.drain,
        ]
    }

    fn keys(&self) -> impl Iterator<Item = Key> {
        let sections = self.sections();
        std::iter::once(self.backend_key()).chain(sections.into_iter().flat_map(Section::keys))
    }

    fn backend_key(&self) -> Key {
        Key::new(BACKEND, BACKEND_DOC, &Choice::new(), &self.backend)
    }

    fn has_short_secret(&self) -> bool {
        let secret = self.auth.hs256_secret.as_ref();
        secret.is_some_and(|secret| secret.expose_secret().len() < secret::MIN_BYTES)
    }

    fn warn_of_short_secret(&mut self) {
        if self.has_short_secret() {
            self.warnings.push(format!(
                "auth.hs256_secret has less than {} bytes and can be guessed: fit for tests on this machine only",
                secret::MIN_BYTES
            ));
        }
    }

    /// The rules between sections.
    fn validate(&self, rules: &mut Rules) {
        let reachable = self.server.beyond_loopback();
        if let Some(listen) = reachable {
            rules.require(
                !self.has_short_secret(),
                &["auth.hs256_secret", "server.listen"],
                format!(
                    "a secret of at least {} bytes, since {listen} is not loopback (to make one: openssl rand -hex 32)",
                    secret::MIN_BYTES
                ),
            );
        }
        rules.require(
            !self.canary.enabled || self.auth.public_key_file.is_none(),
            &["canary.enabled", "auth.public_key_file"],
            "false, since nobody but the owner of the private key can sign a token for it",
        );
        rules.require(
            self.messaging.persistence || self.backend == Backend::Embedded,
            &["messaging.persistence", BACKEND],
            "true, since backend is \"cluster\": Postgres keeps what it is given",
        );
        const KEY: &str = "auth.hs256_secret";
        const WAYS: &str = "set auth.hs256_secret (STARLING_AUTH__HS256_SECRET or JWT_SECRET), \
                            auth.hs256_secret_file or auth.public_key_file";
        match self.backend {
            Backend::Embedded => {
                if let Some(listen) = reachable {
                    rules.require(
                        self.auth.has_key(),
                        &[KEY, "server.listen"],
                        format!(
                            "a key for tokens, since {listen} is not loopback: {WAYS}, or listen on 127.0.0.1"
                        ),
                    );
                }
            }
            Backend::Cluster => {
                let all_nodes = format!("one key for tokens that all nodes share: {WAYS}");
                rules.require(self.auth.has_key(), &[KEY, BACKEND], all_nodes);
                rules.require(
                    self.redis.url.is_some() || !self.redis.urls.is_empty(),
                    &["redis.url", BACKEND],
                    "the URL of Redis, since backend is \"cluster\": set STARLING_REDIS__URL or REDIS_URL",
                );
                rules.require(
                    self.postgres.url.is_some(),
                    &["postgres.url", BACKEND],
                    "the URL of Postgres, since backend is \"cluster\": set STARLING_POSTGRES__URL or DATABASE_URL",
                );
            }
        }
    }
}
