//! What a cluster costs when nobody says anything: the sweep of the log with Redis and without, and the presence of
//! 10,000 users.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{
    super::{Rig, child::Generator, stats::number},
    site::{Site, Used},
};

const USERS: usize = 10_000;

/// Until what connecting has stirred up is over: presence is merged and announced, a lost Redis noticed.
const SETTLE: Duration = Duration::from_secs(12);

/// What was used in a span.
struct Span {
    seconds: f64,
    used: Used,
    redis_commands: f64,
    sweeps: f64,
    sweep_ms: f64,
}

pub(super) fn run(rig: &Rig, site: &mut Site) -> Result<String> {
    let seconds = Duration::from_secs(if rig.quick { 4 } else { 20 });
    let idle = measure(site, seconds, true)?;

    let users = USERS.to_string();
    let args = [
        "idle",
        "--connections",
        &users,
        "--rooms",
        "100",
        "--prefix",
        "bench-idle",
    ];
    let mut generator = Generator::spawn(site.generator(rig, true, &args)?)?;
    let _held: serde_json::Value = generator.hear()?;
    site.rest(SETTLE)?;
    let held = measure(site, seconds, true)?;
    generator.end()?;

    site.end_redis()?;
    site.rest(SETTLE)?;
    let without = measure(site, seconds, false)?;

    let nodes = site.place.gateways.len() as f64;
    Ok(format!(
        "### When nobody says anything\n\n{} gateways, over {:.0} s each. CPU is that of a whole core.\n\n\
         | | CPU of a gateway | CPU of Redis | CPU of Postgres | commands of a gateway to Redis a second | sweeps of a \
         gateway a second | Postgres time for a sweep |\n|---|---|---|---|---|---|---|\n{}\n{}\n{}\n\n\
         A gateway renews one lease, whatever the number of its users: they cost Redis no command.\n",
        site.place.gateways.len(),
        seconds.as_secs_f64(),
        row("nobody connected", &idle, nodes),
        row(
            &format!("{} users connected through nginx", number(USERS as f64)),
            &held,
            nodes
        ),
        row("Redis away", &without, nodes),
    ))
}

/// The statements that look for changes, as Postgres counts them.
const SWEEPS: &str = "SELECT coalesce(sum(calls), 0), coalesce(sum(total_exec_time), 0) FROM pg_stat_statements \
                      WHERE query LIKE '%batch_log_horizon%unnest(room_ids)%'";

fn measure(site: &Site, span: Duration, has_redis: bool) -> Result<Span> {
    let commands = || match has_redis {
        true => site.redis_count("stats", "total_commands_processed", None),
        false => Ok(0.0),
    };
    let (sweeps, used, redis) = (sweeps(site)?, site.used()?, commands()?);
    site.rest(span)?;
    let (now, later) = (commands()?, site.used()?);
    let (count, millis) = self::sweeps(site)?;
    Ok(Span {
        seconds: span.as_secs_f64(),
        used: later.since(&used),
        // Without the question itself.
        redis_commands: (now - redis - 1.0).max(0.0),
        sweeps: count - sweeps.0,
        sweep_ms: millis - sweeps.1,
    })
}

fn sweeps(site: &Site) -> Result<(f64, f64)> {
    let answer = site.ask_postgres(SWEEPS)?;
    let numbers = answer.split_once('|').and_then(|(calls, millis)| {
        let numbers = (calls.parse().ok()?, millis.parse().ok()?);
        Some(numbers)
    });
    numbers.with_context(|| format!("pg_stat_statements says {answer:?}"))
}

fn row(name: &str, span: &Span, nodes: f64) -> String {
    let percent = |cpu: f64| format!("{:.2} %", cpu / span.seconds * 100.0);
    let a_second = |count: f64| count / span.seconds / nodes;
    format!(
        "| {name} | {} | {} | {} | {:.1} | {:.2} | {:.0} µs |",
        percent(span.used.gateways / nodes),
        percent(span.used.redis),
        percent(span.used.postgres),
        a_second(span.redis_commands),
        a_second(span.sweeps),
        span.sweep_ms / span.sweeps * 1000.0,
    )
}
