//! A rolling restart: the three gateways behind nginx are replaced one after the other, while the generator and k6 talk
//! through nginx.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::{
    super::{
        Rig,
        child::Ended,
        stats::{ms, number},
    },
    chat::{self, Chatted},
    site::{AT_ONCE, Site},
};
use crate::{python, shell};

const CLIENTS: usize = 3000;
const ROOMS: usize = 60;
const USERS_OF_K6: usize = 100;

/// Of the test, when the first gateway is asked to end.
const BEGIN: u32 = 5;

/// How the gateways are replaced.
struct Way {
    name: &'static str,
    drain: &'static str,
    /// From the moment that a new gateway is ready until the next is asked to end.
    between: Duration,
    seconds: u32,
}

const WAYS: [Way; 2] = [
    Way {
        name: "drain of 2 s and 5 s, 10 s between gateways",
        drain: "readiness_delay = \"2s\"\nwindow = \"5s\"",
        between: Duration::from_secs(10),
        seconds: 70,
    },
    Way {
        name: "drain of 0 s and 1 s, nothing between",
        drain: AT_ONCE,
        between: Duration::ZERO,
        seconds: 25,
    },
];

pub(in super::super) fn run(rig: &Rig) -> Result<String> {
    let k6 = python::interpreter(&rig.target)?.with_file_name("k6");
    let (mut rows, mut seen) = (Vec::new(), Vec::new());
    for (at, way) in WAYS.iter().enumerate() {
        let mut site = Site::start(rig, 3, way.drain)?;
        let user = K6::start(rig, &site, &k6, way.seconds)?;
        let (clients, rooms, time) = (CLIENTS.to_string(), ROOMS.to_string(), way.seconds.to_string());
        let page = rig.scratch.join(format!("restart-{at}.html"));
        let page = page.to_str().context("the target folder has a name in UTF-8")?;
        let mut args = vec!["chat", "--connections", &clients, "--rooms", &rooms];
        args.extend([
            "--rate",
            "1",
            "--migrate",
            "50",
            "--seconds",
            &time,
            "--html",
            page,
        ]);
        let command = site.generator_to(rig, &[site.place.nginx], &args);
        let chatted = chat::run(command, BEGIN, || {
            for name in site.names() {
                site.restart(&name, true)?;
                site.rest(way.between)?;
            }
            Ok(())
        })?;
        rows.push(row(way, &chatted));
        seen.push(user.end()?.row(way));
    }
    Ok(format!(
        "Three gateways behind nginx, replaced one after the other: SIGTERM, its end with exit code 0, a new one, `/readyz`, and then \
         the next. {} clients in {ROOMS} rooms talk meanwhile, a message a second in each room; every second client does what \
         `migrate` asks for, the others wait for the close and come back after up to half a second by chance.\n\n\
         | | acked and lost, repeated | moved, of them too late | closed and came back | end to replayed p50 / p99 / longest ms | \
         attempts refused | send to deliver p50 / p99 ms |\n|---|---|---|---|---|---|---|\n{}\n\n\
         {USERS_OF_K6} users of k6 at the same time (`loadtest/k6/rolling-restart.js`), also every second with `migrate`:\n\n\
         | | events missing, repeated | moved, of them too late | end to replayed p50 / p99 ms | connects that succeeded | refused |\n\
         |---|---|---|---|---|---|\n{}\n",
        number(CLIENTS as f64),
        rows.join("\n"),
        seen.join("\n"),
    ))
}

fn row(way: &Way, chatted: &Chatted) -> String {
    let count = |value: u64| number(value as f64);
    format!(
        "| {} | **{}** of {}, {} | {}, **{}** | {} | {} / **{}** / {} | {} | {} / {} |",
        way.name,
        chatted.lost + chatted.unanswered,
        count(chatted.acked),
        chatted.repeated,
        count(chatted.moved),
        chatted.ended_migrating,
        count(chatted.reconnect.count),
        ms(chatted.reconnect.p50_ms),
        ms(chatted.reconnect.p99_ms),
        ms(chatted.reconnect.max_ms),
        count(chatted.refused),
        ms(chatted.deliver.p50_ms),
        ms(chatted.deliver.p99_ms),
    )
}

/// k6 while it runs.
struct K6 {
    child: Ended,
    summary: PathBuf,
}

/// What k6 says of a metric: of a counter `count`, of a rate `value`, of a trend its quantiles.
#[derive(Deserialize)]
struct Summary {
    metrics: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
}

impl K6 {
    fn start(rig: &Rig, site: &Site, program: &PathBuf, seconds: u32) -> Result<Self> {
        let summary = rig.scratch.join("k6.json");
        let mut k6 = shell::command(program);
        k6.args(["run", "--quiet", "--no-usage-report", "--summary-export"])
            .arg(&summary)
            .args(["--env", &format!("URL=http://{}", site.place.nginx)])
            .args(["--env", &format!("SECONDS={seconds}"), "--env", "RUN=k6"])
            .args(["--env", &format!("USERS={USERS_OF_K6}")])
            .arg("loadtest/k6/rolling-restart.js")
            .args(["--env", &format!("SECRET={}", site.place.secret)])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child: Child = k6.spawn().context("cannot start k6")?;
        Ok(Self {
            child: Ended(child),
            summary,
        })
    }

    /// Waits for its end. A threshold that was missed is an exit code of 99, and stands in the figures.
    fn end(mut self) -> Result<Summary> {
        let status = self.child.0.wait()?;
        if !matches!(status.code(), Some(0 | 99)) {
            bail!("k6 ended with {status}");
        }
        let text = std::fs::read_to_string(&self.summary).context("k6 has written no summary")?;
        serde_json::from_str(&text).context("the summary of k6 is not what it was")
    }
}

impl Summary {
    /// 0 for a counter that was never raised.
    fn number(&self, metric: &str, name: &str) -> f64 {
        let value = self.metrics.get(metric).and_then(|values| values.get(name));
        value.and_then(serde_json::Value::as_f64).unwrap_or(0.0)
    }

    fn row(&self, way: &Way) -> String {
        let count = |metric| number(self.number(metric, "count"));
        format!(
            "| {} | **{}**, {} | {}, **{}** | {} / {} | {:.2} % | {} |",
            way.name,
            count("events_missing"),
            count("events_repeated"),
            count("moved"),
            count("moved_too_late"),
            ms(self.number("end_to_resumed", "med")),
            ms(self.number("end_to_resumed", "p(99)")),
            self.number("connected", "value") * 100.0,
            count("refused"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_k6_are_found_by_name() {
        let text =
            r#"{"metrics":{"moved":{"count":7,"rate":0.1},"connected":{"value":1,"passes":9,"fails":0}}}"#;
        let summary: Summary = serde_json::from_str(text).expect("a summary");
        assert_eq!(
            (
                summary.number("moved", "count"),
                summary.number("refused", "count")
            ),
            (7.0, 0.0)
        );
        assert!(summary.row(&WAYS[0]).contains("| 7, **0** |"));
    }
}
