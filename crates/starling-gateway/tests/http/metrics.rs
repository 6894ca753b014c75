//! `/metrics`: what Prometheus reads.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::json;

use crate::support::{Server, token};

struct Family<'a> {
    kind: &'a str,
    samples: Vec<(&'a str, f64)>,
}

/// Reads the text format (version 0.0.4), and holds it to its rules.
fn families(text: &str) -> BTreeMap<&str, Family<'_>> {
    let mut found: BTreeMap<&str, Family<'_>> = BTreeMap::new();
    let mut helped = "";
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            helped = help.split_once(' ').expect("a help has a text").0;
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, helped);
            let family = Family {
                kind,
                samples: Vec::new(),
            };
            assert!(found.insert(name, family).is_none(), "{name} comes twice");
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let (name, family) = found.iter_mut().find(|(name, _)| **name == helped).unwrap();
            assert!(sample.starts_with(name), "{sample} in {name}");
            family.samples.push((sample, value.parse().unwrap()));
        }
    }
    found
}

#[tokio::test]
async fn names_types_and_labels_are_as_they_should_be() {
    let server = Server::start().await;
    let answer = server.get("/metrics").await;
    assert!(
        answer.header("content-type").unwrap().starts_with("text/plain"),
        "{answer:?}"
    );
    let families = families(&answer.text);
    for (name, family) in &families {
        assert!(name.starts_with("starling_"), "{name}");
        assert_eq!(
            family.kind == "counter",
            name.ends_with("_total"),
            "{name} is a {}",
            family.kind
        );
        if family.kind == "histogram" {
            assert!(name.ends_with("_seconds"), "{name}");
        }
        assert!(!family.samples.is_empty(), "{name}");
    }
    for (name, kind, samples) in [
        ("starling_connections", "gauge", 1),
        ("starling_connections_limit", "gauge", 1),
        ("starling_connections_closed_total", "counter", 18),
        ("starling_handshakes_total", "counter", 7),
        ("starling_refusals_total", "counter", 18),
        ("starling_http_requests_total", "counter", 5),
        ("starling_messages_received_total", "counter", 1),
        ("starling_outbox_bytes", "gauge", 1),
        ("starling_uptime_seconds", "gauge", 1),
        ("starling_process_resident_memory_bytes", "gauge", 1),
        ("starling_process_open_fds", "gauge", 1),
        ("starling_process_cpu_seconds_total", "counter", 1),
        ("starling_send_to_ack_seconds", "histogram", 31),
        ("starling_commit_seconds", "histogram", 31),
    ] {
        let family = families.get(name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(
            (family.kind, family.samples.len()),
            (kind, samples),
            "{name} {:?}",
            family.samples
        );
    }
    let build = families["starling_build_info"].samples[0].0;
    assert!(
        build.contains("node_id=\"node-1\"") && build.contains(env!("CARGO_PKG_VERSION")),
        "{build}"
    );
    assert_eq!(families["starling_connections_limit"].samples[0].1, 100_000.0);
}

#[tokio::test]
async fn what_happens_is_counted() {
    let server = Server::start().await;
    let alice = token("alice");
    let body = json!({ "content": "x" });
    server
        .call(Method::POST, "/users/bob/messages", &alice, Some(&body))
        .await;
    server
        .call(Method::POST, "/users/bob/messages", &alice, Some(&json!({})))
        .await
        .problem(400, "invalid_message");
    for (name, expected) in [
        ("starling_messages_received_total", 1.0),
        ("starling_commit_drafts_total", 1.0),
        ("starling_send_to_ack_seconds_count", 1.0),
        ("starling_send_to_ack_seconds_bucket{le=\"+Inf\"}", 1.0),
        ("starling_http_requests_total{status=\"2xx\"}", 1.0),
        ("starling_http_requests_total{status=\"4xx\"}", 1.0),
        ("starling_http_request_seconds_count", 2.0),
        ("starling_refusals_total{code=\"invalid_message\"}", 1.0),
    ] {
        assert_eq!(server.metric(name).await, expected, "{name}");
    }
    let (sum, count) = (
        server.metric("starling_commit_seconds_sum").await,
        server.metric("starling_commit_seconds_count").await,
    );
    assert!(sum > 0.0 && sum < 10.0 && count >= 1.0, "{sum} s in {count}");
}

/// Many nodes run in one process: each counts for itself.
#[tokio::test]
async fn nodes_of_one_process_count_apart() {
    let (one, two) = (Server::start().await, Server::start().await);
    let body = json!({ "content": "x" });
    one.call(Method::POST, "/users/bob/messages", &token("alice"), Some(&body))
        .await;
    assert_eq!(one.metric("starling_messages_received_total").await, 1.0);
    assert_eq!(two.metric("starling_messages_received_total").await, 0.0);
}

/// The backend's own counters appear beside the node's.
#[tokio::test]
async fn others_may_add_instruments() {
    let server = Server::start().await;
    let _counter = server
        .gateway
        .meter("backend")
        .u64_observable_counter("starling_backend_reads")
        .with_callback(|observer| observer.observe(7, &[]))
        .build();
    assert_eq!(server.metric("starling_backend_reads_total").await, 7.0);
}
