//! Durable messages: as many as the server takes, and a steady pace.

use anyhow::Result;
use serde::Deserialize;

use super::{
    Rig,
    child::Server,
    stats::{median, ms, number},
};

/// Rooms, and senders: one a room.
const ROOMS: usize = 100;

/// Messages that each sender has unacknowledged.
const UNACKED: usize = 10;

/// Messages a second, paced.
const RATE: usize = 1000;

#[derive(Deserialize)]
struct Outcome {
    acks_per_s: f64,
    acks_per_cpu_s: Option<f64>,
    ack_latency: Latency,
    delivery_latency: Latency,
}

#[derive(Deserialize)]
struct Latency {
    p50_ms: f64,
    p99_ms: f64,
}

pub(super) fn run(rig: &Rig) -> Result<String> {
    let server = Server::starling(rig)?;
    let (rooms, unacked, rate) = (ROOMS.to_string(), UNACKED.to_string(), RATE.to_string());
    let (seconds, warm_up) = (rig.seconds().to_string(), rig.warm_up().to_string());
    let common = [
        "publish",
        "--rooms",
        &rooms,
        "--senders",
        &rooms,
        "--unacked",
        &unacked,
        "--seconds",
        &seconds,
        "--warm-up",
        &warm_up,
    ];
    let (mut fast, mut paced) = (Vec::new(), Vec::new());
    for _ in 0..rig.rounds() {
        fast.push(rig.measure(&server, &common)?);
        paced.push(rig.measure(&server, &[&common[..], &["--rate", &rate]].concat())?);
    }
    Ok(format!(
        "### Durable messages\n\nEmbedded backend (SQLite, a commit before each acknowledgement), {ROOMS} rooms with a sender each, \
         200 characters.\n\n\
         | | acknowledged a second | per CPU-second | send to ack p50 / p99 ms | send to deliver p50 / p99 ms |\n\
         |---|---|---|---|---|\n{}\n{}\n",
        row(&format!("{UNACKED} unacknowledged each"), &fast),
        row(&format!("paced at {} a second", number(RATE as f64)), &paced),
    ))
}

fn row(name: &str, outcomes: &[Outcome]) -> String {
    let of = |pick: fn(&Outcome) -> f64| median(&outcomes.iter().map(pick).collect::<Vec<_>>());
    format!(
        "| {name} | **{}** | {} | {} / {} | {} / {} |",
        number(of(|outcome| outcome.acks_per_s)),
        number(of(|outcome| outcome.acks_per_cpu_s.unwrap_or(f64::NAN))),
        ms(of(|outcome| outcome.ack_latency.p50_ms)),
        ms(of(|outcome| outcome.ack_latency.p99_ms)),
        ms(of(|outcome| outcome.delivery_latency.p50_ms)),
        ms(of(|outcome| outcome.delivery_latency.p99_ms)),
    )
}
