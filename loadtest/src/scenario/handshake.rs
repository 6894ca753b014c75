//! Handshakes: connect, upgrade with a token, `welcome`, close; over and over.

use std::{
    sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, bail};
use serde::Serialize;

use super::{Common, Mark, Spent, seconds};
use crate::{
    latency::{Latency, Summary},
    link::Dial,
    report::{self, Report, number},
};

/// Measure handshakes: connect, upgrade with a token, welcome, close
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    /// Clients at once, each a thread
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Users that they take turns as
    #[arg(long, default_value_t = 1000)]
    users: usize,
    /// Seconds before the measured ones
    #[arg(long, default_value = "0.5", value_parser = seconds, value_name = "SECONDS")]
    warm_up: Duration,
    /// Seconds that are measured
    #[arg(long, default_value = "5", value_parser = seconds, value_name = "SECONDS")]
    seconds: Duration,
}

/// Connections that a closed one's port cannot serve for a minute: many addresses keep the ports from running out.
const SOURCES: usize = 64;

/// The result.
#[derive(Debug, Clone, Serialize)]
pub struct Handshakes {
    /// Clients at once.
    pub clients: usize,
    /// Time and CPU of the measured part.
    #[serde(flatten)]
    pub spent: Spent,
    /// Handshakes in it, each from connecting to the end of the close.
    pub handshakes: u64,
    /// Handshakes a second.
    pub handshakes_per_s: f64,
    /// Handshakes a second of the server's CPU time.
    pub handshakes_per_cpu_s: Option<f64>,
    /// From connecting to `welcome`.
    pub latency: Summary,
}

impl Report for Handshakes {
    fn rows(&self) -> Vec<(&'static str, String)> {
        let per_cpu = self
            .handshakes_per_cpu_s
            .map_or("unknown: give --server-pid".to_owned(), number);
        vec![
            (
                "handshakes",
                format!("{} by {} clients", number(self.handshakes as f64), self.clients),
            ),
            ("time", self.spent.text()),
            ("a second", number(self.handshakes_per_s)),
            ("a CPU-second", per_cpu),
            ("connect to welcome", self.latency.text()),
        ]
    }

    fn is_exact(&self) -> bool {
        self.handshakes > 0
    }
}

/// Runs it; whether there were any.
pub fn run(args: &Args) -> Result<bool> {
    let mut common = args.common.clone();
    common.sources.get_or_insert(SOURCES);
    let result = measure(args, &common.dial(args.clients)?)?;
    report::write(&result, args.common.json)?;
    Ok(result.is_exact())
}

/// The measured part of time.
#[derive(Clone, Copy)]
struct Span {
    from: Instant,
    to: Instant,
}

fn measure(args: &Args, dial: &Dial) -> Result<Handshakes> {
    if args.clients == 0 || args.users == 0 {
        bail!("use at least one client and one user");
    }
    let server = args.common.server();
    let from = Instant::now() + args.warm_up;
    let span = Span {
        from,
        to: from + args.seconds,
    };
    // Nobody sends but a client that fails, and the first failure ends the test.
    let (failures, failed) = sync_channel(args.clients);
    let (marks, latencies) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..args.clients)
            .map(|client| {
                let failures = failures.clone();
                scope.spawn(move || client_loop(args, dial, client, span, &failures))
            })
            .collect();
        let marks = (|| {
            let mut marks = Vec::with_capacity(2);
            for edge in [span.from, span.to] {
                let left = edge.saturating_duration_since(Instant::now());
                match failed.recv_timeout(left) {
                    Ok(error) => return Err(error),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
                }
                marks.push(Mark::now(server.as_ref())?);
            }
            Ok(marks)
        })();
        let latencies: Result<Vec<Latency>> = clients
            .into_iter()
            .map(|client| {
                client
                    .join()
                    .unwrap_or_else(|_| Err(anyhow!("a client panicked")))
            })
            .collect();
        (marks, latencies)
    });
    let spent = match marks?.as_slice() {
        [from, to] => Spent::between(from, to),
        _ => bail!("the test ended too early"),
    };
    let mut latency = Latency::new()?;
    for part in latencies? {
        latency.add(&part)?;
    }
    let latency = latency.summary();
    Ok(Handshakes {
        clients: args.clients,
        spent,
        handshakes: latency.count,
        handshakes_per_s: spent.per_second(latency.count),
        handshakes_per_cpu_s: spent.per_cpu_second(latency.count),
        latency,
    })
}

/// One client after another, until the measured part has ended.
fn client_loop(
    args: &Args,
    dial: &Dial,
    client: usize,
    span: Span,
    failures: &SyncSender<anyhow::Error>,
) -> Result<Latency> {
    let mut latency = Latency::new()?;
    let mut turn = client;
    loop {
        let began = Instant::now();
        if began >= span.to {
            return Ok(latency);
        }
        let user = format!("{}-h{}", args.common.prefix, turn % args.users);
        let outcome = dial.open(turn, &user).and_then(|(link, _)| {
            let welcomed = Instant::now();
            link.close().map(|()| welcomed)
        });
        match outcome {
            Ok(welcomed) => {
                let ended = Instant::now();
                if began >= span.from && ended <= span.to {
                    latency.record(welcomed - began);
                }
            }
            Err(error) => {
                // A full channel holds another failure, which ends the test as well.
                let _ = failures.try_send(error);
                return Ok(latency);
            }
        }
        turn += args.clients;
    }
}
