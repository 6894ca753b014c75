//! What balancers, monitors and people look at.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use starling_core::{NodeId, Refusal, ports::LatencySummary};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Problem;
use crate::{
    node::Node,
    telemetry::{Telemetry, process},
};

pub(super) fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::default()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(stats))
        .routes(routes!(metrics))
}

/// Is the process alive?
///
/// It answers. Nothing else is looked at: a store that is away is no reason to kill a gateway.
#[utoipa::path(
    get, path = "/healthz", tag = "operations", operation_id = "isAlive",
    responses((status = 200, body = String, content_type = "text/plain", description = "It is")),
)]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether new clients should come here.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Readiness<'a> {
    /// `ready`; `degraded`, with something away that the node can do without for a while; `unavailable`; `draining`.
    #[schema(value_type = String)]
    status: &'static str,
    /// The node.
    #[schema(value_type = String)]
    node_id: &'a NodeId,
    /// The services behind it: `ok`, or what is wrong.
    services: BTreeMap<&'static str, String>,
}

/// Should new clients come here?
///
/// Not while draining, nor while a service is away that they need.
#[utoipa::path(
    get, path = "/readyz", tag = "operations", operation_id = "isReady",
    responses(
        (status = 200, body = Readiness, description = "They should"),
        (status = 503, body = Readiness, description = "They should not"),
    ),
)]
async fn readyz(State(node): State<Arc<Node>>) -> Response {
    let services = node.backend.health.check().await;
    let draining = node.is_draining();
    let down = services
        .iter()
        .any(|service| service.essential && service.problem.is_some());
    let degraded = services.iter().any(|service| service.problem.is_some()) || !node.is_bus_up();
    let status = match (draining, down, degraded) {
        (true, ..) => "draining",
        (_, true, _) => "unavailable",
        (_, _, true) => "degraded",
        _ => "ready",
    };
    let code = if draining || down {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    let services = services
        .into_iter()
        .map(|service| {
            let state = service.problem.unwrap_or_else(|| "ok".to_owned());
            (service.service, state)
        })
        .collect();
    let readiness = Readiness {
        status,
        node_id: &node.config.node_id,
        services,
    };
    (code, Json(readiness)).into_response()
}

/// The node in numbers.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Stats<'a> {
    /// The node.
    #[schema(value_type = String)]
    node_id: &'a NodeId,
    /// Since it started.
    uptime_seconds: u64,
    /// Sockets.
    connections: Connections,
    /// Users with a session here.
    users: u64,
    /// Rooms open here.
    rooms: u64,
    /// Messages.
    messages: MessageCounts,
    /// From reading a message to its reply.
    latency_ms: LatencySummary,
    /// Memory.
    memory: Memory,
}

/// Sockets.
#[derive(Serialize, ToSchema)]
struct Connections {
    /// Open now.
    current: u64,
    /// The most at once.
    peak: u64,
    /// Opened since the start.
    total: u64,
}

/// Messages since the start.
#[derive(Serialize, ToSchema)]
struct MessageCounts {
    /// Taken for the log.
    r#in: u64,
    /// Events handed to sockets: one event to ten sockets counts ten.
    out: u64,
    /// Errors answered.
    errors: u64,
}

/// Memory in bytes.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Memory {
    /// Resident, where the system says it.
    resident_bytes: Option<u64>,
    /// Waiting for sockets that do not drain.
    outbox_bytes: u64,
    /// Recent events, kept to be replayed.
    ring_bytes: u64,
}

/// The node in numbers
///
/// For people and scripts; monitors read `/metrics`.
#[utoipa::path(
    get, path = "/stats", tag = "operations", operation_id = "getStats",
    responses((status = 200, body = Stats, description = "Since the node started")),
)]
async fn stats(State(node): State<Arc<Node>>) -> Response {
    let m = &node.metrics;
    let stats = Stats {
        node_id: &node.config.node_id,
        uptime_seconds: node.started.elapsed().as_secs(),
        connections: Connections {
            current: m.connections.get(),
            peak: m.connections.peak(),
            total: m.connections_total.get(),
        },
        users: m.users.get(),
        rooms: m.rooms.get(),
        messages: MessageCounts {
            r#in: m.messages_in.get(),
            out: m.deliveries.get(),
            errors: m.refusals.each().map(|(_, count)| count).sum(),
        },
        latency_ms: m.send_to_ack.summary(),
        memory: Memory {
            resident_bytes: process::resident_bytes(),
            outbox_bytes: m.outbox_bytes.load(Relaxed),
            ring_bytes: m.ring_bytes.load(Relaxed),
        },
    };
    Json(stats).into_response()
}

/// Metrics
///
/// In Prometheus's text format.
#[utoipa::path(
    get, path = "/metrics", tag = "operations", operation_id = "getMetrics",
    responses((status = 200, body = String, content_type = "text/plain", description = "Counters, gauges and histograms")),
)]
async fn metrics(Extension(telemetry): Extension<Arc<Telemetry>>) -> Result<Response, Problem> {
    match telemetry.text() {
        Ok(text) => {
            let kind = HeaderValue::from_static(prometheus::TEXT_FORMAT);
            Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "metrics cannot be written"
            );
            Err(Refusal::Internal.into())
        }
    }
}
