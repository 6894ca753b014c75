//! Handshakes per CPU-second.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{
    Rig,
    child::Server,
    stats::{median, ms, number},
};

#[derive(Deserialize)]
struct Outcome {
    handshakes_per_s: f64,
    handshakes_per_cpu_s: Option<f64>,
    latency: Latency,
}

#[derive(Deserialize)]
struct Latency {
    p99_ms: f64,
}

pub(super) fn run(rig: &Rig) -> Result<String> {
    let (mut per_cpu, mut per_second, mut p99) = (Vec::new(), Vec::new(), Vec::new());
    let server = Server::starling(rig)?;
    let (seconds, warm_up) = (rig.seconds().to_string(), rig.warm_up().to_string());
    for _ in 0..rig.rounds() {
        let args = ["handshake", "--seconds", &seconds, "--warm-up", &warm_up];
        let outcome: Outcome = rig.measure(&server, &args)?;
        let cpu = outcome.handshakes_per_cpu_s;
        per_cpu.push(cpu.context("starling-loadtest does not know the server's CPU time")?);
        per_second.push(outcome.handshakes_per_s);
        p99.push(outcome.latency.p99_ms);
    }
    Ok(format!(
        "### Handshakes\n\n**{}** per CPU-second: connect, upgrade with an HS256 token, `welcome`, close. {} a second by 8 clients, \
         connect to `welcome` p99 {} ms.\n",
        number(median(&per_cpu)),
        number(median(&per_second)),
        ms(median(&p99)),
    ))
}
