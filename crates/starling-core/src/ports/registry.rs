//! Which nodes there are.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Unavailable;
use crate::{NodeId, Timestamp};

/// The live nodes, for operators. Nothing is decided by it: a node that is missing here works all the same.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// Says how a node is. To be said again every heartbeat; what was not for the time of a lease is forgotten.
    async fn report(&self, card: &NodeCard) -> Result<(), Unavailable>;

    /// The node stops.
    async fn withdraw(&self, node: &NodeId) -> Result<(), Unavailable>;

    /// The nodes that reported within the time of a lease, in the order of their ids.
    async fn nodes(&self) -> Result<Vec<NodeCard>, Unavailable>;
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeCard {
    /// The node.
    #[schema(value_type = String, example = "node-1")]
    pub node_id: NodeId,
    /// Where others reach it: host and port.
    #[schema(example = "10.0.3.7:8080")]
    pub address: String,
    /// The version that it runs.
    pub version: String,
    /// When it started.
    #[schema(value_type = String)]
    pub started_at: Timestamp,
    /// When it said this: what is counted since the start was so then.
    #[schema(value_type = String)]
    pub reported_at: Timestamp,
    /// Open sockets.
    pub connections: u64,
    /// Users with a session on it.
    pub users: u64,
    /// Rooms open on it.
    pub rooms: u64,
    /// Messages taken for the log since the start.
    pub messages_in: u64,
    /// Events handed to sockets since the start: one event to ten sockets counts ten.
    pub messages_out: u64,
    /// From reading a message to its reply.
    pub latency_ms: LatencySummary,
    /// Resident memory in bytes, where the system says it.
    pub memory_bytes: Option<u64>,
    /// Whether it sends its clients away.
    pub draining: bool,
}

/// A latency in milliseconds since the start. Quantiles are upper bounds of buckets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LatencySummary {
    /// The mean.
    pub average: f64,
    /// 95 of 100 are at most so long.
    pub p95: f64,
    /// 99 of 100 are.
    pub p99: f64,
}
