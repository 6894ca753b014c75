//! What operators look at in the night and deploy by day: every name in deploy/'s dashboards and rules is one that a
//! gateway tells, every alert has its page in the runbook and a case that fires it, and every variable is a key.
//!
//! | module | what it holds |
//! |---|---|
//! | `files` | the queries in the files of deploy/ |
//! | `live` | what a gateway tells, and whether a query asks for it |

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod files;
mod live;
#[path = "../support/mod.rs"]
mod support;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use starling_testkit::fixtures::{postgres::PostgresFixture, redis::RedisFixture};

use self::{
    files::{Rules, dashboards, read},
    live::Live,
};

/// A gateway of a cluster, for it has everything that an embedded one tells, and its stores besides.
fn metrics() -> String {
    let (postgres, redis) = (PostgresFixture::shared(), RedisFixture::shared());
    let folder = tempfile::tempdir().unwrap();
    let addr = support::free_addr();
    let variables = [
        ("STARLING_BACKEND", "cluster"),
        ("STARLING_POSTGRES__URL", &postgres.database()),
        ("STARLING_REDIS__URL", &redis.url()),
        ("STARLING_CANARY__ENABLED", "true"),
        ("STARLING_CANARY__INTERVAL", "100ms"),
    ];
    let _server = support::Server::start(addr, folder.path(), &variables);
    let deadline = Instant::now() + support::DEADLINE;
    loop {
        let answer = reqwest::blocking::get(format!("http://{addr}/metrics")).unwrap();
        let text = answer.error_for_status().unwrap().text().unwrap();
        // Some are there once something has happened.
        let late = [
            "starling_service_up{",
            "starling_canary_ack_seconds_count",
            "starling_canary_deliver_seconds_count{",
        ];
        if late.iter().all(|name| text.contains(name)) {
            return text;
        }
        assert!(Instant::now() < deadline, "not all of {late:?} in\n{text}");
        support::pause(Duration::from_millis(50));
    }
}

#[test]
fn dashboards_and_rules_ask_for_what_a_gateway_tells() {
    let (recording, alerts) = (Rules::read("recording.yml"), Rules::read("alerts.yml"));
    let mut live = Live::parse(&metrics());
    for name in &recording.names {
        live.record(name);
    }
    let panels = dashboards();
    assert!(panels.len() > 50, "only {} queries were found", panels.len());
    let mut faults = Vec::new();
    for query in panels.iter().chain(&recording.queries).chain(&alerts.queries) {
        let of_query = live.faults(&query.text);
        faults.extend(
            of_query
                .into_iter()
                .map(|fault| format!("{}: {fault}", query.place)),
        );
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_alert_has_a_page_and_a_case() {
    let alerts: BTreeSet<String> = Rules::read("alerts.yml").names.into_iter().collect();
    let runbook = read("docs/runbook.md");
    let pages = runbook.lines().filter_map(|line| line.strip_prefix("### "));
    let pages: BTreeSet<String> = pages.map(str::to_owned).collect();
    assert_eq!(pages, alerts, "headings of docs/runbook.md, and alerts");
    let cases = read("deploy/prometheus/tests/alerts.yml");
    for alert in &alerts {
        assert!(
            cases.contains(&format!("{{alertname=\"{alert}\"}}")),
            "no case fires {alert}"
        );
    }
    let rules = read("deploy/prometheus/rules/alerts.yml");
    for alert in &alerts {
        let link = format!("docs/runbook.md#{}\n", alert.to_lowercase());
        assert!(rules.contains(&link), "{alert} does not name its page");
    }
}

/// A misspelt one only warns, for it may be another program's.
#[test]
fn every_variable_that_is_set_is_a_key() {
    let example = support::starling()
        .args(["config", "--example"])
        .output()
        .unwrap();
    let known = files::variables_of_keys(std::str::from_utf8(&example.stdout).unwrap());
    assert!(known.contains("STARLING_SERVER__LISTEN") && known.contains("STARLING_AUTH__HS256_SECRET"));
    let mut faults = Vec::new();
    for file in files::SETTING {
        let text = read(file);
        let set: Vec<_> = files::variables_in(&text).collect();
        assert!(!set.is_empty(), "{file} sets nothing");
        let unknown = set.iter().filter(|name| !known.contains(**name));
        faults.extend(unknown.map(|name| format!("{file}: {name}")));
    }
    assert!(faults.is_empty(), "no such keys:\n{}", faults.join("\n"));
}
