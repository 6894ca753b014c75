//! Idle connections: authenticated, following a room, and silent. A harness reads the server's memory meanwhile.

use std::{
    io,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde::Serialize;

use super::{Common, Mark, Spent};
use crate::{
    crowd::{Crowd, Plan, gather},
    herd::{Herd, Sink},
    lines::{Lines, Said},
    report::{self, Report, number},
};

/// Hold idle connections until standard input ends
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    /// Connections
    #[arg(long, default_value_t = 1000)]
    connections: usize,
    /// Rooms that they are spread over
    #[arg(long, default_value_t = 1)]
    rooms: usize,
}

/// The state when all are connected.
#[derive(Debug, Clone, Serialize)]
pub struct Held {
    /// Connections.
    pub connections: usize,
    /// Rooms that they are in.
    pub rooms: usize,
    /// What connecting took.
    #[serde(flatten)]
    pub spent: Spent,
    /// Connections a second while connecting and joining.
    pub connections_per_s: f64,
    /// Growth of the server's resident memory for each connection.
    pub server_bytes_per_connection: Option<f64>,
}

impl Report for Held {
    fn rows(&self) -> Vec<(&'static str, String)> {
        let memory = self
            .server_bytes_per_connection
            .map_or("unknown: give --server-pid".to_owned(), |bytes| {
                format!("{} bytes", number(bytes))
            });
        vec![
            (
                "idle",
                format!("{} connections in {} rooms", self.connections, self.rooms),
            ),
            ("time", self.spent.text()),
            ("connected a second", number(self.connections_per_s)),
            ("server's growth for each", memory),
        ]
    }

    fn is_exact(&self) -> bool {
        true
    }
}

/// The state at the end.
#[derive(Debug, Clone, Serialize)]
pub struct Released {
    /// Seconds that they were held.
    pub held_s: f64,
    /// Connections that ended by themselves.
    pub ended: u64,
    /// Why the first of them ended.
    pub why: Option<String>,
    /// Pings answered.
    pub pings: u64,
    /// Messages that came.
    pub messages: u64,
}

impl Report for Released {
    fn rows(&self) -> Vec<(&'static str, String)> {
        let why = self
            .why
            .as_deref()
            .map(|why| format!(" ({why})"))
            .unwrap_or_default();
        vec![
            ("held", format!("{:.1} s", self.held_s)),
            ("ended by themselves", format!("{}{why}", self.ended)),
            ("pings answered", self.pings.to_string()),
            ("messages", self.messages.to_string()),
        ]
    }

    fn is_exact(&self) -> bool {
        self.ended == 0
    }
}

/// Runs it; whether no connection ended by itself.
pub fn run(args: &Args) -> Result<bool> {
    let plan = Plan {
        prefix: args.common.prefix.clone(),
        rooms: args.rooms,
        members: args.connections / args.rooms.max(1),
    };
    let (mut herd, held) = hold(&args.common, &plan)?;
    report::write(&held, args.common.json)?;

    let lines = Lines::watch(io::BufReader::new(io::stdin()), herd.waker());
    let since = Instant::now();
    let mut seen = Seen::default();
    while lines.next() != Said::End {
        herd.turn(Duration::from_secs(1), &mut seen)?;
    }
    let released = Released {
        held_s: since.elapsed().as_secs_f64(),
        ended: seen.ended,
        why: seen.why,
        pings: herd.pings,
        messages: seen.messages,
    };
    report::write(&released, args.common.json)?;
    Ok(released.is_exact())
}

fn hold(common: &Common, plan: &Plan) -> Result<(Herd, Held)> {
    let peer = common.peer(plan, None)?;
    let server = common.server();
    let from = Mark::now(server.as_ref())?;
    let Crowd { mut herd, heads, .. } = gather(&peer, plan, &mut |_| Ok(()))?;
    let connections = heads.len();
    for index in 0..connections {
        herd.count_only(index)?;
    }
    let to = Mark::now(server.as_ref())?;
    let spent = Spent::between(&from, &to);
    let growth = from.server.zip(to.server).map(|(from, to)| {
        let bytes = to.rss_bytes as f64 - from.rss_bytes as f64;
        bytes / connections.max(1) as f64
    });
    let held = Held {
        connections,
        rooms: plan.rooms,
        spent,
        connections_per_s: spent.per_second(connections as u64),
        server_bytes_per_connection: growth,
    };
    Ok((herd, held))
}

/// What should not happen, and what does not matter.
#[derive(Default)]
struct Seen {
    messages: u64,
    ended: u64,
    why: Option<String>,
}

impl Sink for Seen {
    fn message(&mut self, _: usize, _: Instant, _: &[u8]) -> Result<()> {
        self.messages += 1;
        Ok(())
    }

    fn counted(&mut self, _: usize, _: Instant, messages: u64) -> Result<()> {
        self.messages += messages;
        Ok(())
    }

    fn ended(&mut self, _: usize, why: &str) -> Result<()> {
        self.ended += 1;
        self.why.get_or_insert_with(|| why.to_owned());
        Ok(())
    }
}
