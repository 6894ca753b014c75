//! The run that the field quotes: 10,000 clients whose connections are cut over and over, and a gateway that is restarted
//! half-way.

use anyhow::{Context, Result};

use super::{
    super::{
        Rig,
        stats::{ms, number},
    },
    chat::{self, Chatted},
    site::{AT_ONCE, Site},
};

const ROOMS: usize = 100;

pub(in super::super) fn run(rig: &Rig) -> Result<String> {
    let (clients, seconds) = if rig.quick { (2_000, 20) } else { (10_000, 60) };
    let (connections, rooms) = (clients.to_string(), ROOMS.to_string());
    let mut site = Site::start(rig, 2, AT_ONCE)?;
    let mut rows = Vec::new();
    for (name, in_order) in [("by SIGTERM", true), ("by SIGKILL", false)] {
        let time = seconds.to_string();
        let page = rig.scratch.join(if in_order {
            "jitter-term.html"
        } else {
            "jitter-kill.html"
        });
        let page = page.to_str().context("the target folder has a name in UTF-8")?;
        let prefix = format!("jitter-{}", rows.len());
        let mut args = vec!["chat", "--connections", &connections, "--rooms", &rooms];
        args.extend(["--rate", "2", "--seconds", &time, "--drain", "30"]);
        args.extend(["--cut-every", "15", "--offline", "2"]);
        args.extend(["--html", page, "--prefix", &prefix]);
        let command = site.generator_to(rig, &site.gateways(), &args);
        let last = site.names().pop().context("a cluster has gateways")?;
        let chatted = chat::run(command, seconds / 2, || site.restart(&last, in_order))?;
        rows.push(row(name, &chatted));
    }
    Ok(format!(
        "{} clients in {ROOMS} rooms, 2 messages a second in each for {seconds} s, through two gateways. Every connection is cut by \
         a reset about every 15 s (a fifth more or less by chance), and the client is away for 2 s; then it subscribes on the \
         other gateway with the cursor of what it saw last. Half-way one gateway is ended and started again.\n\n\
         | the gateway is ended | delivered | repeated | reordered | cut | ended with the gateway, moved before | \
         connect to replayed p50 / p99 / longest ms | send to deliver p50 / p99 ms |\n|---|---|---|---|---|---|---|---|\n{}\n\n\
         Connect to replayed is from the beginning of the connect to the last event that was missed.\n",
        number(f64::from(clients)),
        rows.join("\n")
    ))
}

fn row(name: &str, chatted: &Chatted) -> String {
    let count = |value: u64| number(value as f64);
    format!(
        "| {name} | {} of {}: **{:.2} %** | {} | {} | {} | {}, {} | {} / **{}** / {} | {} / {} |",
        count(chatted.delivered),
        count(chatted.expected),
        chatted.delivered_share(),
        chatted.repeated,
        chatted.reordered,
        count(chatted.cut),
        count(chatted.ended),
        count(chatted.moved),
        ms(chatted.replay.p50_ms),
        ms(chatted.replay.p99_ms),
        ms(chatted.replay.max_ms),
        ms(chatted.deliver.p50_ms),
        ms(chatted.deliver.p99_ms),
    )
}
