//! Fan-out: in every room one sender keeps some messages outstanding. A message is done when all members of its room
//! have it; then the sender sends the next. So the server is never idle, and never owes a client more than a window.

mod round;
mod stage;

pub use round::Round;
pub use stage::{Check, Kind, RoundReport, RoundSpec, Stage};

use std::{io, net::SocketAddr, time::Duration};

use anyhow::{Context, Result};

use super::{Common, seconds};
use crate::{
    crowd::Plan,
    lines::{Lines, Said},
    report,
    report::Report as _,
};

/// Measure deliveries: one sender a room keeps a window of messages outstanding
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    /// Rooms
    #[arg(long, default_value_t = 10)]
    rooms: usize,
    /// Members of each room
    #[arg(long, default_value_t = 100)]
    members: usize,
    /// What is sent
    #[arg(long, value_enum, default_value_t = Kind::Message)]
    kind: Kind,
    /// Messages that each sender keeps outstanding
    #[arg(long, default_value_t = 1)]
    window: usize,
    /// Size of the frame that each member gets
    #[arg(long, default_value_t = 512, value_name = "BYTES")]
    frame_bytes: usize,
    /// Seconds before the measured ones
    #[arg(long, default_value = "1", value_parser = seconds, value_name = "SECONDS")]
    warm_up: Duration,
    /// Seconds that are measured
    #[arg(long, default_value = "5", value_parser = seconds, value_name = "SECONDS")]
    seconds: Duration,
    /// On which sockets the number of each message is read; on the others messages are counted
    #[arg(long, value_enum, default_value_t = Check::All)]
    check: Check,
    /// Connect once, then run a round for each line of standard input: JSON with kind, window, frame_bytes,
    /// warm_up_ms, measure_ms, drain_ms
    #[arg(long)]
    rounds: bool,
    /// Talk to a baseline server at this address instead
    #[arg(long, value_name = "IP:PORT", hide = true)]
    plain: Option<SocketAddr>,
}

/// Runs it; whether every delivery was accounted for.
pub fn run(args: &Args) -> Result<bool> {
    let Args { common, .. } = args;
    let plan = Plan {
        prefix: common.prefix.clone(),
        rooms: args.rooms,
        members: args.members,
    };
    let mut stage = Stage::open(&common.peer(&plan, args.plain)?, plan, args.check)?;
    let server = common.server();
    if !args.rounds {
        let spec = RoundSpec {
            kind: args.kind,
            window: args.window,
            frame_bytes: args.frame_bytes,
            warm_up_ms: args.warm_up.as_millis() as u64,
            measure_ms: args.seconds.as_millis() as u64,
            drain_ms: common.drain.as_millis() as u64,
        };
        let result = stage.round(&spec, server.as_ref())?;
        report::write(&result, common.json)?;
        return Ok(result.is_exact());
    }
    let lines = Lines::watch(io::BufReader::new(io::stdin()), stage.waker());
    report::line(r#"{"ready":true}"#)?;
    let mut is_exact = true;
    loop {
        match lines.next() {
            Said::End => return Ok(is_exact),
            Said::Nothing => stage.rest()?,
            Said::Line(line) => {
                let spec: RoundSpec =
                    serde_json::from_str(&line).with_context(|| format!("not a round: {line}"))?;
                let result = stage.round(&spec, server.as_ref())?;
                is_exact &= result.is_exact();
                report::write(&result, common.json)?;
            }
        }
    }
}
