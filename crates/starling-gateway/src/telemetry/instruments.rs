//! Counters and gauges: one line each. The exporter adds `_total`, `_seconds` and `_bytes` to the names.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use opentelemetry::{KeyValue, metrics::Meter};
use tokio::runtime::{Handle, RuntimeMetrics};

use super::process;
use crate::{metrics::Metrics, node::Node};

type Counted = (&'static str, &'static str, fn(&Metrics) -> u64);
type Measured = (&'static str, &'static str, &'static str, fn(&Node) -> u64);
type Labelled = (
    &'static str,
    &'static str,
    &'static str,
    fn(&Metrics) -> Vec<(&'static str, u64)>,
);

const COUNTERS: [Counted; 15] = [
    ("starling_connections_opened", "Sockets opened.", |m| {
        m.connections_total.get()
    }),
    ("starling_commands", "Commands read from sockets.", |m| {
        m.commands.get()
    }),
    ("starling_messages_received", "Messages taken for the log.", |m| {
        m.messages_in.get()
    }),
    (
        "starling_deliveries",
        "Events handed to sockets: one event to ten sockets counts ten.",
        |m| m.deliveries.get(),
    ),
    ("starling_commit_batches", "Batches given to the log.", |m| {
        m.batches.get()
    }),
    ("starling_commit_drafts", "Drafts in those batches.", |m| {
        m.batch_drafts.get()
    }),
    (
        "starling_commit_retries",
        "Batches given again because their outcome was unknown.",
        |m| m.batch_retries.get(),
    ),
    ("starling_order_holes", "Holes seen in a room's order.", |m| {
        m.holes.get()
    }),
    ("starling_order_fills", "Holes filled by reading the log.", |m| {
        m.fills.get()
    }),
    (
        "starling_lost_tails",
        "Lost tails found by sweeping the log.",
        |m| m.lost_tails.get(),
    ),
    (
        "starling_gaps",
        "Times that a client was told to page what it missed.",
        |m| m.gaps_told.get(),
    ),
    (
        "starling_ephemeral_shed",
        "Ephemeral frames not queued because an outbox was filling.",
        |m| m.shed.get(),
    ),
    (
        "starling_lagging_sockets",
        "Times that a room's events were left to the log for a slow socket.",
        |m| m.lagged.get(),
    ),
    (
        "starling_presence_told",
        "Changes of presence told to sessions: one change to ten sessions counts ten.",
        |m| m.presence_told.get(),
    ),
    (
        "starling_bus_received",
        "Bus messages received from other nodes.",
        |m| m.received.get(),
    ),
];

const BY_LABEL: [Labelled; 6] = [
    (
        "starling_handshakes",
        "WebSocket handshakes by result.",
        "result",
        |m| m.handshakes.each().collect(),
    ),
    (
        "starling_connections_closed",
        "Closed sockets by close code; peer where the client closed or vanished.",
        "code",
        |m| m.closes.each().collect(),
    ),
    (
        "starling_refusals",
        "Errors answered, over sockets and HTTP, by code.",
        "code",
        |m| m.refusals.each().collect(),
    ),
    (
        "starling_http_requests",
        "REST requests by class of status.",
        "status",
        |m| m.http_requests.each().collect(),
    ),
    (
        "starling_replayed_events",
        "Missed events sent to clients, by where they came from.",
        "source",
        |m| {
            vec![
                ("ring", m.replayed_from_ring.get()),
                ("log", m.replayed_from_log.get()),
            ]
        },
    ),
    (
        "starling_bus_published",
        "Bus messages by result; what failed is found in the log by the other nodes.",
        "result",
        |m| vec![("ok", m.published.get()), ("failed", m.publish_failed.get())],
    ),
];

const BYTES: &str = "By";
const NO_UNIT: &str = "";

const GAUGES: [Measured; 11] = [
    ("starling_connections", "Open sockets.", NO_UNIT, |n| {
        n.metrics.connections.get()
    }),
    (
        "starling_connections_peak",
        "The most sockets that were open at once.",
        NO_UNIT,
        |n| n.metrics.connections.peak(),
    ),
    (
        "starling_connections_limit",
        "Sockets that the node takes at most.",
        NO_UNIT,
        |n| n.config.max_connections as u64,
    ),
    ("starling_users", "Users with a session here.", NO_UNIT, |n| {
        n.metrics.users.get()
    }),
    (
        "starling_presence_watched",
        "Users whose presence is followed here.",
        NO_UNIT,
        |n| n.presence.watched() as u64,
    ),
    ("starling_rooms", "Rooms open here.", NO_UNIT, |n| {
        n.metrics.rooms.get()
    }),
    (
        "starling_lane_depth",
        "Drafts that wait to be committed.",
        NO_UNIT,
        |n| n.lanes.depth() as u64,
    ),
    (
        "starling_outbox",
        "Bytes that wait for sockets that do not drain.",
        BYTES,
        |n| n.metrics.outbox_bytes.load(Relaxed),
    ),
    (
        "starling_ring",
        "Bytes of recent events kept to be replayed.",
        BYTES,
        |n| n.metrics.ring_bytes.load(Relaxed),
    ),
    ("starling_bus_up", "Whether the bus is up.", NO_UNIT, |n| {
        u64::from(n.is_bus_up())
    }),
    (
        "starling_draining",
        "Whether the node sends its clients away.",
        NO_UNIT,
        |n| u64::from(n.is_draining()),
    ),
];

type OfProcess = (&'static str, &'static str, &'static str, fn() -> Option<u64>);

const PROCESS: [OfProcess; 3] = [
    (
        "starling_process_resident_memory",
        "Resident memory.",
        BYTES,
        process::resident_bytes,
    ),
    (
        "starling_process_open_fds",
        "Open file descriptors.",
        NO_UNIT,
        process::open_fds,
    ),
    (
        "starling_process_max_fds",
        "File descriptors that may be open.",
        NO_UNIT,
        process::max_fds,
    ),
];

/// Registers all of them. The callbacks keep the node alive, and the node does not keep them: both end with the routes.
pub(super) fn register(meter: &Meter, node: &Arc<Node>) {
    for (name, description, read) in COUNTERS {
        let metrics = node.metrics.clone();
        meter
            .u64_observable_counter(name)
            .with_description(description)
            .with_callback(move |observer| observer.observe(read(&metrics), &[]))
            .build();
    }
    for (name, description, label, read) in BY_LABEL {
        let metrics = node.metrics.clone();
        meter
            .u64_observable_counter(name)
            .with_description(description)
            .with_callback(move |observer| {
                for (value, count) in read(&metrics) {
                    observer.observe(count, &[KeyValue::new(label, value)]);
                }
            })
            .build();
    }
    for (name, description, unit, read) in GAUGES {
        let node = node.clone();
        meter
            .u64_observable_gauge(name)
            .with_description(description)
            .with_unit(unit)
            .with_callback(move |observer| observer.observe(read(&node), &[]))
            .build();
    }
    for (name, description, unit, read) in PROCESS {
        meter
            .u64_observable_gauge(name)
            .with_description(description)
            .with_unit(unit)
            .with_callback(move |observer| {
                if let Some(value) = read() {
                    observer.observe(value, &[]);
                }
            })
            .build();
    }
    register_times(meter, node);
    register_runtime(meter);
    register_services(meter, node);
}

fn register_times(meter: &Meter, node: &Arc<Node>) {
    meter
        .f64_observable_counter("starling_process_cpu")
        .with_description("Processor time used.")
        .with_unit("s")
        .with_callback(|observer| {
            if let Some(seconds) = process::cpu_seconds() {
                observer.observe(seconds, &[]);
            }
        })
        .build();
    let started = node.started;
    meter
        .f64_observable_gauge("starling_uptime")
        .with_description("Time since the node started.")
        .with_unit("s")
        .with_callback(move |observer| observer.observe(started.elapsed().as_secs_f64(), &[]))
        .build();
    let build = [
        KeyValue::new("version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("node_id", node.config.node_id.to_string()),
    ];
    meter
        .u64_observable_gauge("starling_build_info")
        .with_description("Which version runs, and under which name.")
        .with_callback(move |observer| observer.observe(1, &build))
        .build();
}

type OfRuntime = (&'static str, &'static str, fn(&RuntimeMetrics) -> u64);

const RUNTIME: [OfRuntime; 3] = [
    ("starling_runtime_workers", "Threads that run tasks.", |r| {
        r.num_workers() as u64
    }),
    ("starling_runtime_tasks", "Tasks that are alive.", |r| {
        r.num_alive_tasks() as u64
    }),
    (
        "starling_runtime_queue",
        "Tasks that wait for a thread, beyond what the threads hold themselves.",
        |r| r.global_queue_depth() as u64,
    ),
];

/// Of the runtime that the node was started in.
fn register_runtime(meter: &Meter) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    for (name, description, read) in RUNTIME {
        let runtime = runtime.metrics();
        meter
            .u64_observable_gauge(name)
            .with_description(description)
            .with_callback(move |observer| observer.observe(read(&runtime), &[]))
            .build();
    }
}

fn register_services(meter: &Meter, node: &Arc<Node>) {
    let node = node.clone();
    meter
        .u64_observable_gauge("starling_service_up")
        .with_description("Whether a service behind the node answered when it was last asked, every 5 s.")
        .with_callback(move |observer| {
            for (service, up) in node.watch.services() {
                observer.observe(u64::from(up), &[KeyValue::new("service", service)]);
            }
        })
        .build();
}
