//! Deliveries per server CPU-second, beside a loop of send() in the same run.
//!
//! Both servers hold all their sockets from the first round to the last, and the rounds follow one another without
//! connecting anew: a machine that drifts by the minute drifts for both.

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use super::{
    Rig,
    child::{Generator, Server},
    stats::{median, ms, ratio, thousands},
};
use crate::say;

/// Rooms and members.
const SHAPES: [(usize, usize); 3] = [(10, 1000), (1000, 10), (1, 5000)];

/// Messages outstanding in each room.
const WINDOWS: [usize; 2] = [1, 8];

/// A durable message of some 190 characters, on the wire.
const FRAME_BYTES: usize = 512;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Signal,
    Loop,
    Message,
}

const SIDES: [Side; 3] = [Side::Signal, Side::Loop, Side::Message];

#[derive(Serialize)]
struct Round {
    kind: &'static str,
    window: usize,
    frame_bytes: usize,
    warm_up_ms: u64,
    measure_ms: u64,
    drain_ms: u64,
}

#[derive(Deserialize)]
struct Ready {
    ready: bool,
}

#[derive(Debug, Clone, Deserialize)]
struct Outcome {
    deliveries_per_cpu_s: Option<f64>,
    deliveries_per_s: f64,
    latency: Latency,
    lost: u64,
    repeated: u64,
    reordered: u64,
    unsent: u64,
}

#[derive(Debug, Clone, Deserialize)]
struct Latency {
    p99_ms: f64,
}

/// What the rounds of one side gave.
#[derive(Default)]
struct Series {
    per_cpu: Vec<f64>,
    per_second: Vec<f64>,
    p99: Vec<f64>,
}

impl Series {
    fn add(&mut self, outcome: &Outcome) -> Result<()> {
        let faults = outcome.lost + outcome.repeated + outcome.reordered + outcome.unsent;
        let Some(per_cpu) = outcome.deliveries_per_cpu_s.filter(|_| faults == 0) else {
            bail!("the deliveries do not add up, or the server used no CPU: {outcome:?}");
        };
        self.per_cpu.push(per_cpu);
        self.per_second.push(outcome.deliveries_per_s);
        self.p99.push(outcome.latency.p99_ms);
        Ok(())
    }
}

pub(super) fn run(rig: &Rig) -> Result<String> {
    let mut page = format!(
        "### Fan-out\n\nThousands of deliveries per CPU-second of the server, frames of {FRAME_BYTES} bytes. In each room one \
         sender keeps 1 or 8 messages outstanding. Signals are ephemeral; messages are committed and acknowledged first. The \
         loop does nothing but one send() a member for what is pending, and reads no frame.\n\n\
         | rooms x members | outstanding | signals | messages | loop of send() | signals / loop | messages / loop | \
         signals, messages delivered a second | p99 ms of signals, messages |\n|---|---|---|---|---|---|---|---|---|\n"
    );
    for shape in SHAPES {
        for row in measure(rig, shape)? {
            say::line(&row);
            page.push_str(&row);
            page.push('\n');
        }
    }
    Ok(page)
}

/// One row for each window.
fn measure(rig: &Rig, (rooms, members): (usize, usize)) -> Result<Vec<String>> {
    let (rooms_arg, members_arg) = (rooms.to_string(), members.to_string());
    let args = [
        "fanout",
        "--rounds",
        "--rooms",
        &rooms_arg,
        "--members",
        &members_arg,
    ];
    let (starling, baseline) = (Server::starling(rig)?, Server::baseline(rig)?);
    let mut to_starling = Generator::start(rig, &starling, &args)?;
    let mut to_baseline = Generator::start(rig, &baseline, &args)?;
    for generator in [&mut to_starling, &mut to_baseline] {
        if !generator.hear::<Ready>()?.ready {
            bail!("starling-loadtest is not ready");
        }
    }
    let mut series: Vec<[Series; SIDES.len()]> = WINDOWS.iter().map(|_| Default::default()).collect();
    for _ in 0..rig.rounds() {
        for (series, window) in series.iter_mut().zip(WINDOWS) {
            for (series, side) in series.iter_mut().zip(SIDES) {
                let generator = match side {
                    Side::Loop => &mut to_baseline,
                    Side::Signal | Side::Message => &mut to_starling,
                };
                generator.tell(&round(rig, side, window))?;
                series.add(&generator.hear()?)?;
            }
        }
    }
    to_starling.end()?;
    to_baseline.end()?;
    let shape = format!("{rooms} x {members}");
    Ok(series
        .iter()
        .zip(WINDOWS)
        .map(|(series, window)| row(&shape, window, series))
        .collect())
}

fn round(rig: &Rig, side: Side, window: usize) -> Round {
    let millis = |seconds: f64| (seconds * 1000.0) as u64;
    Round {
        kind: match side {
            Side::Signal => "signal",
            Side::Loop | Side::Message => "message",
        },
        window,
        frame_bytes: FRAME_BYTES,
        warm_up_ms: millis(rig.warm_up()),
        measure_ms: millis(rig.seconds()),
        drain_ms: 10_000,
    }
}

fn row(shape: &str, window: usize, [signal, plain, message]: &[Series; SIDES.len()]) -> String {
    let per_cpu = |series: &Series| thousands(median(&series.per_cpu));
    let per_second = |series: &Series| thousands(median(&series.per_second));
    let p99 = |series: &Series| ms(median(&series.p99));
    format!(
        "| {shape} | {window} | **{}** | {} | {} | {:.2} | {:.2} | {}k, {}k | {}, {} |",
        per_cpu(signal),
        per_cpu(message),
        per_cpu(plain),
        ratio(&signal.per_cpu, &plain.per_cpu),
        ratio(&message.per_cpu, &plain.per_cpu),
        per_second(signal),
        per_second(message),
        p99(signal),
        p99(message),
    )
}
