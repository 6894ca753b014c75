//! 50,000 clients on three gateways, by as many processes as that takes.

use anyhow::{Context, Result};

use super::{
    super::{
        Rig,
        stats::{ms, number},
    },
    chat,
    site::{AT_ONCE, Site},
};

const CLIENTS: usize = 50_000;
const ROOMS: usize = 500;

/// Messages a second in each room.
const RATE: f64 = 0.2;

pub(in super::super) fn run(rig: &Rig) -> Result<String> {
    let seconds = if rig.quick { 10 } else { 60 };
    let site = Site::start(rig, 3, AT_ONCE)?;
    let (clients, rooms, rate) = (CLIENTS.to_string(), ROOMS.to_string(), RATE.to_string());
    let time = seconds.to_string();
    let page = rig.scratch.join("crowd.html");
    let page = page.to_str().context("the target folder has a name in UTF-8")?;
    let mut args = vec!["chat", "--connections", &clients, "--rooms", &rooms];
    args.extend(["--rate", &rate, "--seconds", &time, "--html", page]);
    let command = site.generator_to(rig, &site.gateways(), &args);
    let before = site.gateways_rss()?;
    let mut after = 0;
    let chatted = chat::run(command, seconds / 2, || {
        after = site.gateways_rss()?;
        Ok(())
    })?;
    Ok(format!(
        "{} clients, each another user, in {ROOMS} rooms on three gateways, {RATE} messages a second in each room for {seconds} s: \
         {} deliveries a second. The gateways, Redis, Postgres and three processes of the generator share the machine.\n\n\
         | delivered | lost, repeated, reordered, unanswered | resident memory of the gateways for each client | send to ack p50 / \
         p99 ms | send to deliver p50 / p99 ms |\n|---|---|---|---|---|\n| {} of {}: **{:.2} %** | {}, {}, {}, {} | {} bytes | {} / {} | {} / {} |\n",
        number(CLIENTS as f64),
        number(chatted.delivered as f64 / f64::from(seconds)),
        number(chatted.delivered as f64),
        number(chatted.expected as f64),
        chatted.delivered_share(),
        chatted.lost,
        chatted.repeated,
        chatted.reordered,
        chatted.unanswered,
        number(after.saturating_sub(before) as f64 / CLIENTS as f64),
        ms(chatted.ack.p50_ms),
        ms(chatted.ack.p99_ms),
        ms(chatted.deliver.p50_ms),
        ms(chatted.deliver.p99_ms),
    ))
}
