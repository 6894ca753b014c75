//! Latencies. OpenTelemetry has no observable histogram: its histograms are recorded event by event, behind a lock. Ours
//! are counted in atomics already, so a collector of Prometheus's own reads their buckets.

use std::sync::Arc;

use prometheus::{
    core::{Collector, Desc},
    proto::{Bucket, Histogram, Metric, MetricFamily, MetricType},
};

use crate::metrics::{LATENCY_BOUNDS_US, Latency, Metrics};

type Row = (&'static str, &'static str, fn(&Metrics) -> &Latency);

const HISTOGRAMS: [Row; 7] = [
    (
        "starling_send_to_ack_seconds",
        "From reading a message to writing its reply, which follows its commit.",
        |m| &m.send_to_ack,
    ),
    (
        "starling_send_to_deliver_seconds",
        "From accepting a message to its fan-out here, by the clocks of the two nodes.",
        |m| &m.send_to_deliver,
    ),
    (
        "starling_event_lag_seconds",
        "From accepting an event on another node to hearing of it from the bus, by the clocks of the two nodes.",
        |m| &m.event_lag,
    ),
    (
        "starling_repair_seconds",
        "From seeing that events of a room are missing to having them, by the bus or from the log.",
        |m| &m.repair,
    ),
    (
        "starling_runtime_lag_seconds",
        "How late the runtime wakes a task that sleeps: what every task waits for its turn.",
        |m| &m.runtime_lag,
    ),
    (
        "starling_commit_seconds",
        "From giving a batch to the log to its outcome.",
        |m| &m.commit,
    ),
    (
        "starling_http_request_seconds",
        "From the head of a REST request to the head of its answer.",
        |m| &m.http_latency,
    ),
];

/// See the module.
pub(super) struct Histograms {
    metrics: Arc<Metrics>,
    descs: Vec<Desc>,
}

impl Histograms {
    pub(super) fn new(metrics: Arc<Metrics>) -> prometheus::Result<Self> {
        let desc = |(name, help, _): &Row| {
            let no_labels = (Vec::new(), std::collections::HashMap::new());
            Desc::new((*name).to_owned(), (*help).to_owned(), no_labels.0, no_labels.1)
        };
        let descs = HISTOGRAMS.iter().map(desc).collect::<prometheus::Result<_>>()?;
        Ok(Self { metrics, descs })
    }
}

impl Collector for Histograms {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let family = |(name, help, latency): &Row| {
            let mut metric = Metric::default();
            metric.set_histogram(histogram(latency(&self.metrics)));
            let mut family = MetricFamily::default();
            family.set_name((*name).to_owned());
            family.set_help((*help).to_owned());
            family.set_field_type(MetricType::HISTOGRAM);
            family.set_metric(vec![metric]);
            family
        };
        HISTOGRAMS.iter().map(family).collect()
    }
}

/// The encoder adds the bucket without a bound by itself.
fn histogram(latency: &Latency) -> Histogram {
    const MICROS: f64 = 1e6;
    let (counts, sum_us) = latency.snapshot();
    let mut below = 0;
    let buckets = LATENCY_BOUNDS_US.iter().zip(counts).map(|(bound, count)| {
        below += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*bound as f64 / MICROS);
        bucket.set_cumulative_count(below);
        bucket
    });
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(counts.iter().sum());
    histogram.set_sample_sum(sum_us as f64 / MICROS);
    histogram
}
