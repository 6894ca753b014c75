//! Durable messages: as many as one gateway takes, and a steady pace on one gateway and over three.

use anyhow::{Result, bail};
use serde::Deserialize;

use super::{
    super::{
        Rig, child,
        stats::{median, ms, number},
    },
    site::{Site, Used},
};

/// Rooms; each has as many senders as there are gateways in the scene.
const ROOMS: usize = 100;

/// Messages that each sender has unacknowledged.
const UNACKED: usize = 10;

#[derive(Debug, Deserialize)]
struct Outcome {
    acks_per_s: f64,
    ack_latency: Latency,
    delivery_latency: Latency,
    seconds: f64,
    acks: u64,
    generator_cpu_s: f64,
    sent_in_all: u64,
    unanswered: u64,
    mismatched: u64,
    lost: u64,
    repeated: u64,
    reordered: u64,
    unsent: u64,
}

#[derive(Debug, Deserialize)]
struct Latency {
    p50_ms: f64,
    p99_ms: f64,
}

/// A run, and the CPU microseconds of each part for a message.
struct Round {
    outcome: Outcome,
    micros: [f64; PARTS.len()],
}

const PARTS: [&str; 4] = ["gateway", "Postgres", "Redis", "generator"];

struct Scene {
    name: &'static str,
    through_nginx: bool,
    senders: usize,
    /// Messages a second.
    rate: Option<usize>,
}

const SCENES: [Scene; 3] = [
    Scene {
        name: "one gateway, 100 senders with 10 unacknowledged each",
        through_nginx: false,
        senders: ROOMS,
        rate: None,
    },
    Scene {
        name: "one gateway, 100 senders, paced at 1,000 a second",
        through_nginx: false,
        senders: ROOMS,
        rate: Some(1000),
    },
    Scene {
        name: "three gateways behind nginx, 300 senders, paced at 1,000 a second",
        through_nginx: true,
        senders: 3 * ROOMS,
        rate: Some(1000),
    },
];

pub(super) fn run(rig: &Rig, site: &Site) -> Result<String> {
    let mut rounds: [Vec<Round>; SCENES.len()] = Default::default();
    // The first scene last: what Postgres has to write back behind it would be in the latencies of the others.
    for scenes in [1..SCENES.len(), 0..1] {
        for round in 0..rig.rounds() {
            for at in scenes.clone() {
                // Rooms of their own: those of one gateway should be followed by no other.
                let prefix = format!("bench-{at}-{round}");
                rounds[at].push(measure(rig, site, &SCENES[at], &prefix)?);
            }
        }
    }
    let rows: Vec<String> = SCENES
        .iter()
        .zip(&rounds)
        .map(|(scene, rounds)| row(scene.name, rounds))
        .collect();
    Ok(format!(
        "### Durable messages\n\n{ROOMS} rooms, 200 characters; nothing lost, repeated, reordered or unanswered.\n\n\
         | | acknowledged a second | send to ack p50 / p99 ms | send to deliver p50 / p99 ms |\n|---|---|---|---|\n\
         {}\n\n{}",
        rows.join("\n"),
        limit(&rounds[0])?,
    ))
}

fn measure(rig: &Rig, site: &Site, scene: &Scene, prefix: &str) -> Result<Round> {
    let (rooms, senders, unacked) = (ROOMS.to_string(), scene.senders.to_string(), UNACKED.to_string());
    let (seconds, warm_up) = (rig.seconds().to_string(), rig.warm_up().to_string());
    let mut args = vec!["publish", "--rooms", &rooms, "--senders", &senders];
    args.extend(["--unacked", &unacked, "--seconds", &seconds]);
    args.extend(["--warm-up", &warm_up, "--prefix", prefix]);
    let rate = scene.rate.map(|rate| rate.to_string());
    if let Some(rate) = &rate {
        args.extend(["--rate", rate]);
    }
    let before = site.used()?;
    let outcome: Outcome = child::last_line(&mut site.generator(rig, scene.through_nginx, &args)?)?;
    let used = site.used()?.since(&before);
    let faults = outcome.lost + outcome.repeated + outcome.reordered + outcome.unsent;
    if faults + outcome.unanswered + outcome.mismatched > 0 {
        bail!("the messages do not add up: {outcome:?}");
    }
    Ok(Round {
        micros: micros(&outcome, &used),
        outcome,
    })
}

/// In the order of [`PARTS`]. The services are read around the whole run, the generator in its measured part.
fn micros(outcome: &Outcome, used: &Used) -> [f64; PARTS.len()] {
    let each = |seconds: f64| seconds * 1e6 / outcome.sent_in_all as f64;
    [
        each(used.gateways),
        each(used.postgres),
        each(used.redis),
        outcome.generator_cpu_s * 1e6 / outcome.acks as f64,
    ]
}

fn row(name: &str, rounds: &[Round]) -> String {
    let of = |pick: fn(&Outcome) -> f64| {
        median(
            &rounds
                .iter()
                .map(|round| pick(&round.outcome))
                .collect::<Vec<_>>(),
        )
    };
    format!(
        "| {name} | **{}** | {} / {} | {} / {} |",
        number(of(|outcome| outcome.acks_per_s)),
        ms(of(|outcome| outcome.ack_latency.p50_ms)),
        ms(of(|outcome| outcome.ack_latency.p99_ms)),
        ms(of(|outcome| outcome.delivery_latency.p50_ms)),
        ms(of(|outcome| outcome.delivery_latency.p99_ms)),
    )
}

/// What the first row is limited by: whose CPU time a message takes, and how busy the cores are with it.
fn limit(rounds: &[Round]) -> Result<String> {
    let cores = std::thread::available_parallelism()?.get();
    let part = |at: usize| median(&rounds.iter().map(|round| round.micros[at]).collect::<Vec<_>>());
    let parts: Vec<f64> = (0..PARTS.len()).map(part).collect();
    let sum: f64 = parts.iter().sum();
    let busy = |round: &Round| {
        let per_second = round.outcome.acks as f64 / round.outcome.seconds;
        round.micros.iter().sum::<f64>() * per_second / 1e6 / cores as f64
    };
    let busy = median(&rounds.iter().map(busy).collect::<Vec<_>>());
    let shares: Vec<String> = PARTS
        .iter()
        .zip(&parts)
        .map(|(name, micros)| format!("{name} {micros:.0}"))
        .collect();
    Ok(format!(
        "CPU time is what limits the first row: a message takes {sum:.0} µs of it ({}), and that pace keeps {:.0} % of the \
         {cores} cores busy.\n",
        shares.join(", "),
        busy * 100.0
    ))
}
