//! What the canary tells.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter},
};

/// Bounds in seconds: from a local commit to a repair by the sweep, and what is beyond.
const BOUNDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Recorded once for each message of a canary: what a lock costs does not matter here.
pub(super) struct Meters {
    sent: Counter<u64>,
    lost: Counter<u64>,
    missing: Counter<u64>,
    repeated: Counter<u64>,
    refused: Counter<u64>,
    ack: Histogram<f64>,
    deliver: Histogram<f64>,
    up: Arc<AtomicBool>,
}

impl Meters {
    pub(super) fn new(meter: &Meter) -> Self {
        let counter = |name, description| {
            let counter = meter.u64_counter(name).with_description(description).build();
            // It is there from the start, so that its first step is seen.
            counter.add(0, &[]);
            counter
        };
        let histogram = |name, description| {
            meter
                .f64_histogram(name)
                .with_description(description)
                .with_unit("s")
                .with_boundaries(BOUNDS.to_vec())
                .build()
        };
        let up = Arc::new(AtomicBool::new(false));
        let observed = up.clone();
        meter
            .u64_observable_gauge("starling_canary_up")
            .with_description("Whether the canary has its connection and its room.")
            .with_callback(move |observer| observer.observe(u64::from(observed.load(Relaxed)), &[]))
            .build();
        Self {
            sent: counter("starling_canary_sent", "Messages that the canary has sent."),
            lost: counter(
                "starling_canary_lost",
                "Messages whose event did not come back within 10 s.",
            ),
            missing: counter(
                "starling_canary_missing",
                "Events of its room that were not there when later ones came.",
            ),
            repeated: counter("starling_canary_repeated", "Events that came twice."),
            refused: counter(
                "starling_canary_refused",
                "Messages that were refused, or had no connection to go by.",
            ),
            ack: histogram(
                "starling_canary_ack",
                "From sending a message to its acknowledgement.",
            ),
            deliver: histogram(
                "starling_canary_deliver",
                "From sending a message to its event; of other nodes' canaries, by the clocks of the two nodes.",
            ),
            up,
        }
    }

    pub(super) fn set_up(&self, up: bool) {
        self.up.store(up, Relaxed);
    }

    pub(super) fn sent(&self) {
        self.sent.add(1, &[]);
    }

    pub(super) fn lost(&self, count: u64) {
        self.lost.add(count, &[]);
    }

    pub(super) fn missing(&self, count: u64) {
        self.missing.add(count, &[]);
    }

    pub(super) fn repeated(&self) {
        self.repeated.add(1, &[]);
    }

    pub(super) fn refused(&self) {
        self.refused.add(1, &[]);
    }

    pub(super) fn acked(&self, took: Duration) {
        self.ack.record(took.as_secs_f64(), &[]);
    }

    pub(super) fn delivered(&self, from: &'static str, took: Duration) {
        self.deliver
            .record(took.as_secs_f64(), &[KeyValue::new("from", from)]);
    }
}
