//! Following and leaving 10,000 rooms.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::{
    super::{
        Rig,
        child::Generator,
        stats::{median, number},
    },
    site::Site,
};

const ROOMS: usize = 10_000;

/// Rooms of each user.
const EACH: usize = 500;

/// Longer than a node goes on following a room that nobody follows, which is 1 s here.
const PAUSE: Duration = Duration::from_secs(3);

#[derive(Deserialize)]
struct Outcome {
    rounds: Vec<Round>,
}

#[derive(Deserialize)]
struct Round {
    subscribe: Spent,
    unsubscribe: Spent,
}

#[derive(Deserialize)]
struct Spent {
    seconds: f64,
    server_cpu_s: Option<f64>,
}

/// Calls of Redis, and its time for them.
struct Told {
    calls: f64,
    micros: f64,
}

#[derive(Deserialize)]
struct Ready {
    ready: bool,
}

pub(super) fn run(rig: &Rig, site: &Site) -> Result<String> {
    let (rooms, each, rounds) = (ROOMS.to_string(), EACH.to_string(), rig.rounds().to_string());
    let args = [
        "rooms", "--rooms", &rooms, "--each", &each, "--rounds", &rounds, "--step",
    ];
    let mut generator = Generator::spawn(site.generator(rig, false, &args)?)?;
    let ready = |generator: &mut Generator| -> Result<()> {
        if !generator.hear::<Ready>()?.ready {
            bail!("starling-loadtest is not ready");
        }
        site.rest(PAUSE)
    };
    ready(&mut generator)?;
    let (subscribe, unsubscribe) = (told(site, "subscribe")?, told(site, "unsubscribe")?);
    for _ in 0..rig.rounds() {
        generator.tell(&"next")?;
        ready(&mut generator)?;
    }
    let outcome: Outcome = generator.hear()?;
    generator.end()?;
    let redis = |name, before: Told| -> Result<String> {
        let (now, rounds) = (told(site, name)?, outcome.rounds.len() as f64);
        Ok(format!(
            "{} commands, {:.1} ms",
            number((now.calls - before.calls) / rounds),
            (now.micros - before.micros) / rounds / 1000.0
        ))
    };
    let (subscribe, unsubscribe) = (redis("subscribe", subscribe)?, redis("unsubscribe", unsubscribe)?);
    Ok(format!(
        "### {} rooms\n\n{} users, each a member of {EACH}, follow all of them with one command each at the same time, and \
         then leave them with one each. The node begins and ends the subscriptions in Redis; it ends them when nobody has \
         followed for `rooms.linger`, which is 1 s here.\n\n\
         | | until all are answered | CPU of the gateway | in Redis |\n|---|---|---|---|\n{}\n{}\n",
        number(ROOMS as f64),
        ROOMS / EACH,
        row("subscribe", &outcome, |round| &round.subscribe, &subscribe)?,
        row("unsubscribe", &outcome, |round| &round.unsubscribe, &unsubscribe)?,
    ))
}

fn told(site: &Site, command: &str) -> Result<Told> {
    let field = format!("cmdstat_{command}");
    Ok(Told {
        calls: site.redis_count("commandstats", &field, Some("calls"))?,
        micros: site.redis_count("commandstats", &field, Some("usec"))?,
    })
}

fn row(name: &str, outcome: &Outcome, pick: fn(&Round) -> &Spent, redis: &str) -> Result<String> {
    let spent: Vec<&Spent> = outcome.rounds.iter().map(pick).collect();
    let seconds: Vec<f64> = spent.iter().map(|spent| spent.seconds).collect();
    let cpu: Option<Vec<f64>> = spent.iter().map(|spent| spent.server_cpu_s).collect();
    let cpu = cpu.context("starling-loadtest does not know the gateway's CPU time")?;
    Ok(format!(
        "| {name} | {:.0} ms | {:.0} ms | {redis} |",
        median(&seconds) * 1000.0,
        median(&cpu) * 1000.0
    ))
}
