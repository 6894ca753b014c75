//! One gateway, and the proxies on its links.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, anyhow};
use starling_testkit::{
    e2e::token,
    fixtures::{
        gateway::GatewayFixture,
        proxy::{ChaosProxy, Mode},
    },
};

use super::Parts;
use crate::{
    client::Door,
    tap::{Noise, Tap, Wire},
};

/// The defaults that ship, but for the rates: the devices are faster than people, and all come from one address.
const SETTINGS: [(&str, &str); 9] = [
    ("STARLING_BACKEND", "cluster"),
    ("STARLING_AUTH__HS256_SECRET", token::SECRET),
    ("STARLING_SERVER__TRUSTED_PROXIES", "127.0.0.1"),
    ("STARLING_LIMITS__COMMANDS_PER_MINUTE", "1000000"),
    ("STARLING_LIMITS__COMMAND_BURST", "1000000"),
    ("STARLING_LIMITS__CONNECTIONS_PER_USER", "50"),
    ("STARLING_MESSAGING__RATE_PER_MINUTE", "1000000"),
    ("STARLING_MESSAGING__BURST", "1000000"),
    ("STARLING_DRAIN__WINDOW", "2s"),
];

/// See the module.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) gateway: Arc<GatewayFixture>,
    /// On the way to Redis: frames, then bytes.
    pub(crate) redis: Tap,
    pub(crate) redis_link: ChaosProxy,
    /// On the way to Postgres: messages, then bytes.
    pub(crate) postgres: Tap,
    pub(crate) postgres_link: ChaosProxy,
    /// Two ways in, so that one half of the clients can be treated otherwise than the other.
    pub(crate) doors: [ChaosProxy; 2],
    /// The file that moves its clock, where it can be moved.
    clock: Option<PathBuf>,
}

impl Node {
    pub(super) async fn prepare(
        n: usize,
        parts: &Parts<'_>,
        (redis, postgres): (u16, u16),
        clock: Option<&Path>,
    ) -> Result<Self> {
        let local = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let seed = parts.seed ^ n as u64;
        let redis_link = ChaosProxy::before(redis).await?;
        let postgres_link = ChaosProxy::before(postgres).await?;
        let redis = Tap::before(Wire::Redis, local(redis_link.port()), seed).await?;
        let postgres = Tap::before(Wire::Postgres, local(postgres_link.port()), seed).await?;
        let name = format!("node-{n}");
        let mut variables: Vec<(String, String)> =
            SETTINGS.map(|(key, value)| (key.into(), value.into())).into();
        let mut set = |key: &str, value: String| variables.push((key.to_owned(), value));
        set("STARLING_SERVER__NODE_ID", name.clone());
        set(
            "STARLING_REDIS__URL",
            format!("redis://127.0.0.1:{}/0", redis.port()),
        );
        let url = format!(
            "postgresql://postgres@127.0.0.1:{}/postgres?sslmode=disable",
            postgres.port()
        );
        set("STARLING_POSTGRES__URL", url);
        let file = parts.folder.join("clock");
        if let Some(library) = clock {
            write_offset(&file, 0)?;
            set("LD_PRELOAD", library.display().to_string());
            set("FAKETIME_TIMESTAMP_FILE", file.display().to_string());
            // The wall clock steps; the monotonic clock never does, on any real machine.
            set("DONT_FAKE_MONOTONIC", "1".into());
            set("FAKETIME_DONT_FAKE_MONOTONIC", "1".into());
            set("FAKETIME_CACHE_DURATION", "1".into());
        }
        let log = parts.folder.join(format!("{name}.log"));
        let gateway = GatewayFixture::new(parts.binary, log, variables);
        let port = gateway.addr().port();
        let doors = [ChaosProxy::before(port).await?, ChaosProxy::before(port).await?];
        Ok(Self {
            name,
            gateway: Arc::new(gateway),
            redis,
            redis_link,
            postgres,
            postgres_link,
            doors,
            clock: clock.map(|_| file),
        })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.gateway.addr()
    }

    pub(super) fn doors(&self) -> impl Iterator<Item = Door> {
        self.doors.iter().zip(["left", "right"]).map(|(door, side)| Door {
            name: format!("{}'s {side} door", self.name),
            addr: door.address(),
        })
    }

    /// Starts it, and waits until it listens.
    pub(crate) async fn start(&self) -> Result<()> {
        self.blocking(|gateway| gateway.start())
            .await?
            .map_err(|why| anyhow!(why))
    }

    pub(crate) async fn kill(&self) -> Result<()> {
        self.blocking(GatewayFixture::kill9).await
    }

    pub(crate) async fn terminate(&self) -> Result<()> {
        self.blocking(GatewayFixture::terminate).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        act: impl FnOnce(&GatewayFixture) -> T + Send + 'static,
    ) -> Result<T> {
        let gateway = self.gateway.clone();
        let acting = tokio::task::spawn_blocking(move || act(&gateway));
        acting.await.context("the fixture of a gateway has failed")
    }

    /// Whether its clock can be moved.
    pub(crate) fn has_clock(&self) -> bool {
        self.clock.is_some()
    }

    /// Steps its wall clock to so many seconds from the true time.
    pub(crate) fn step_clock(&self, seconds: i64) -> Result<()> {
        let file = self.clock.as_ref().context("this node's clock cannot be moved")?;
        write_offset(file, seconds)
    }

    /// Makes all links what they are without faults. What is broken stays broken: a connection that was withheld from
    /// is cut, so that it is not half alive.
    pub(crate) fn restore_links(&self) {
        self.redis.disarm();
        self.postgres.disarm();
        self.redis.set_noise(Noise::default());
        self.redis.set_mute(false);
        for proxy in [
            &self.redis_link,
            &self.postgres_link,
            &self.doors[0],
            &self.doors[1],
        ] {
            proxy.set(Mode::Pass);
        }
    }
}

/// In the words of libfaketime: an offset, as `+3600s`.
fn write_offset(file: &Path, seconds: i64) -> Result<()> {
    let next = file.with_extension("next");
    fs::write(&next, format!("{seconds:+}s\n"))?;
    // Read whole or not at all.
    fs::rename(&next, file).with_context(|| format!("{}", file.display()))
}
