//! What is measured: one file a scenario, each with its `Args` and `run`.

pub mod chat;
pub mod fanout;
pub mod handshake;
pub mod idle;
pub mod publish;
pub mod rooms;

use std::{
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::{
    crowd::{Peer, Plan},
    link::Dial,
    plain::Plain,
    target::Sources,
    token::Signer,
    usage::{Process, Usage},
};

/// Options of every scenario.
#[derive(Debug, Clone, clap::Args)]
pub struct Common {
    /// The server's WebSocket endpoint; connections take turns with several, separated by commas
    #[arg(
        long,
        default_value = "ws://127.0.0.1:8080/ws",
        value_name = "URL",
        value_delimiter = ','
    )]
    pub url: Vec<String>,
    /// The server's auth.hs256_secret, to sign tokens with
    #[arg(long, env = "STARLING_AUTH__HS256_SECRET", hide_env_values = true)]
    pub secret: Option<String>,
    /// File with that secret instead
    #[arg(long, value_name = "FILE", conflicts_with = "secret")]
    pub secret_file: Option<PathBuf>,
    /// Loopback addresses to connect from, 127.0.0.1 on; as many as are needed by default
    #[arg(long, value_name = "COUNT")]
    pub sources: Option<usize>,
    /// What the names of the test's rooms and users begin with
    #[arg(long, default_value = "load")]
    pub prefix: String,
    /// How long what is outstanding at the end may take to arrive
    #[arg(long, default_value = "10", value_parser = seconds, value_name = "SECONDS")]
    pub drain: Duration,
    /// Process of the server on this machine: its CPU time and memory go into the report
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<u32>,
    /// Report as JSON
    #[arg(long)]
    pub json: bool,
}

impl Common {
    /// The way to a Starling server, for so many connections at once.
    pub fn dial(&self, connections: usize) -> Result<Dial> {
        Ok(Dial {
            targets: self.url.iter().map(|url| url.parse()).collect::<Result<_>>()?,
            sources: self.sources(connections)?,
            signer: Signer::new(&self.secret()?),
        })
    }

    /// What tokens are signed with.
    fn secret(&self) -> Result<String> {
        match (&self.secret, &self.secret_file) {
            (Some(secret), _) => Ok(secret.clone()),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path);
                let text = text.with_context(|| format!("cannot read {}", path.display()))?;
                Ok(text.trim().to_owned())
            }
            (None, None) => {
                bail!("give the server's auth.hs256_secret by --secret or --secret-file, to sign tokens")
            }
        }
    }

    fn sources(&self, connections: usize) -> Result<Sources> {
        match self.sources {
            Some(count) => Sources::new(count),
            None => Sources::enough_for(connections),
        }
    }

    /// Whom the connections of a plan talk to: Starling, or a baseline server at this address.
    fn peer(&self, plan: &Plan, plain: Option<SocketAddr>) -> Result<Peer> {
        Ok(match plain {
            Some(addr) => Peer::Plain(Plain {
                addr,
                sources: self.sources(plan.connections())?,
            }),
            None => Peer::Starling(Box::new(self.dial(plan.connections())?)),
        })
    }

    /// The server's process.
    fn server(&self) -> Option<Process> {
        self.server_pid.map(Process::of)
    }
}

/// Counters at a moment.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: Instant,
    server: Option<Usage>,
    own: Usage,
}

impl Mark {
    fn now(server: Option<&Process>) -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            server: server.map(Process::usage).transpose()?,
            own: Process::own().usage()?,
        })
    }
}

/// What was used between two moments.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Spent {
    /// Time.
    pub seconds: f64,
    /// CPU time of the server, where its process is known.
    pub server_cpu_s: Option<f64>,
    /// Resident memory of the server at the end.
    pub server_rss_bytes: Option<u64>,
    /// CPU time of the generator.
    pub generator_cpu_s: f64,
}

impl Spent {
    fn between(from: &Mark, to: &Mark) -> Self {
        let server_cpu_s = to.server.zip(from.server).map(|(to, from)| to.cpu_s - from.cpu_s);
        Self {
            seconds: (to.at - from.at).as_secs_f64(),
            server_cpu_s,
            server_rss_bytes: to.server.map(|usage| usage.rss_bytes),
            generator_cpu_s: to.own.cpu_s - from.own.cpu_s,
        }
    }

    /// So many a second.
    #[must_use]
    pub fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.seconds
    }

    /// So many a second of the server's CPU time.
    #[must_use]
    pub fn per_cpu_second(&self, count: u64) -> Option<f64> {
        let cpu = self.server_cpu_s.filter(|cpu| *cpu > 0.0)?;
        Some(count as f64 / cpu)
    }

    /// For a table.
    fn text(&self) -> String {
        let server = self
            .server_cpu_s
            .map(|cpu| format!("server {cpu:.2} s of CPU, "))
            .unwrap_or_default();
        format!(
            "{:.2} s; {server}generator {:.2} s of CPU",
            self.seconds, self.generator_cpu_s
        )
    }
}

/// Seconds as an option: not negative, at most a day.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected seconds, such as 5 or 0.5")?;
    if !(0.0..=86_400.0).contains(&seconds) {
        return Err("expected 0 to 86400 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}
