//! What a collector learns of a cluster.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::{
    metrics::v1::{metric::Data, number_data_point::Value},
    trace::v1::{Span, span::SpanKind},
};

use crate::{
    cluster::{Cluster, NODES, ROOM, send},
    collector::{Collector, Received, attribute},
};

/// The spans of the trace that this one belongs to.
fn trace_of(received: &Received, root: &Span) -> Vec<(String, Span)> {
    let of_trace = |(_, span): &&(String, Span)| span.trace_id == root.trace_id;
    received.spans.iter().filter(of_trace).cloned().collect()
}

#[tokio::test]
async fn one_trace_follows_a_message_to_every_node() {
    let collector = Collector::start().await;
    let cluster = Cluster::start_with(&collector.variables());
    let mut members = cluster.members(["a", "b", "c"]).await;
    let seq = send(&mut members[0], "hello").await;
    for member in &mut members {
        member.event("message_created").await;
    }
    // The root, its lane, append and publish, and a fan-out on each node.
    let trace = collector
        .find("whole trace", |received| {
            let (_, root) = received
                .spans
                .iter()
                .find(|(_, span)| span.name == "send_message")?;
            let trace = trace_of(received, root);
            (trace.len() >= 4 + NODES).then_some(trace)
        })
        .await;
    assert_eq!(trace.len(), 4 + NODES, "{trace:#?}");
    let one = |name: &str| {
        let mut named = trace.iter().filter(|(_, span)| span.name == name);
        let found = named.next().unwrap_or_else(|| panic!("no {name}"));
        assert!(named.next().is_none(), "{name} once");
        found
    };
    let (home, root) = one("send_message");
    assert!(root.parent_span_id.is_empty());
    assert_eq!(
        attribute(&root.attributes, "starling.room.id").as_deref(),
        Some(ROOM)
    );
    assert!(seq > 0);
    for name in ["lane", "append", "publish"] {
        let (node, span) = one(name);
        assert_eq!((node, &span.parent_span_id), (home, &root.span_id), "{name}");
    }
    let (_, append) = one("append");
    assert_eq!(
        attribute(&append.attributes, "db.system.name").as_deref(),
        Some("postgresql")
    );
    assert!(append.events.iter().any(|event| event.name == "rooms locked"));
    let (_, publish) = one("publish");
    let mut nodes = BTreeSet::new();
    for (node, span) in trace.iter().filter(|(_, span)| span.name == "fan_out") {
        let (parent, kind) = if node == home {
            (root, SpanKind::Internal)
        } else {
            (publish, SpanKind::Consumer)
        };
        assert_eq!(span.parent_span_id, parent.span_id, "{node}");
        assert_eq!(span.kind(), kind, "{node}");
        nodes.insert(node);
    }
    assert_eq!(nodes.len(), NODES, "each node hands it to its own members");
}

#[tokio::test]
async fn a_collector_gets_the_metrics_of_every_node() {
    let collector = Collector::start().await;
    let cluster = Cluster::start_with(&collector.variables());
    let mut members = cluster.members(["a", "b", "c"]).await;
    send(&mut members[0], "hello").await;
    for node in 1..=NODES {
        let node = format!("node-{node}");
        collector
            .find("gauge of its connection", |received| {
                received.metrics.iter().find_map(|(from, metric)| {
                    let Some(Data::Gauge(gauge)) = &metric.data else {
                        return None;
                    };
                    let is_one = gauge.data_points[0].value == Some(Value::AsDouble(1.0));
                    (*from == node && metric.name == "starling_connections" && is_one).then_some(())
                })
            })
            .await;
    }
    collector
        .find("counter by label", |received| {
            received.metrics.iter().find_map(|(_, metric)| {
                let Some(Data::Sum(sum)) = &metric.data else {
                    return None;
                };
                let accepted = |point: &&opentelemetry_proto::tonic::metrics::v1::NumberDataPoint| {
                    attribute(&point.attributes, "result").as_deref() == Some("accepted")
                };
                let point = sum.data_points.iter().find(accepted)?;
                assert!(sum.is_monotonic && point.start_time_unix_nano <= point.time_unix_nano);
                (metric.name == "starling_handshakes_total").then_some(())
            })
        })
        .await;
    let latency = collector
        .find("latency of the message", |received| {
            received.metrics.iter().find_map(|(_, metric)| {
                let Some(Data::Histogram(histogram)) = &metric.data else {
                    return None;
                };
                let point = &histogram.data_points[0];
                (metric.name == "starling_send_to_ack_seconds" && point.count == 1).then(|| point.clone())
            })
        })
        .await;
    assert_eq!(latency.bucket_counts.len(), latency.explicit_bounds.len() + 1);
    let bucket = latency
        .bucket_counts
        .iter()
        .position(|count| *count == 1)
        .unwrap();
    assert_eq!(latency.bucket_counts.iter().sum::<u64>(), 1, "in one bucket");
    let sum = latency.sum.unwrap();
    assert!(bucket == 0 || sum > latency.explicit_bounds[bucket - 1]);
    assert!(bucket == latency.explicit_bounds.len() || sum <= latency.explicit_bounds[bucket]);
}
