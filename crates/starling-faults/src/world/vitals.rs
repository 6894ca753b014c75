//! What the processes hold: memory, descriptors, connections; sampled through the run, and judged at its end.

use std::fs;

use anyhow::Result;
use serde_json::Value;
use starling_testkit::fixtures::redis::Reply;
use tokio::time::Duration;

use super::World;

/// One gateway at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct NodeVitals {
    /// Which life of the node: its process id.
    pub(crate) pid: u32,
    pub(crate) resident: u64,
    pub(crate) descriptors: usize,
    /// Sockets of clients that it counts itself.
    pub(crate) connections: u64,
    pub(crate) outbox_bytes: u64,
    pub(crate) lane_depth: u64,
}

/// All of it at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Vitals {
    /// A node that does not run, or does not answer, has none.
    pub(crate) nodes: Vec<Option<NodeVitals>>,
    pub(crate) redis_clients: usize,
    pub(crate) postgres_backends: usize,
}

impl Vitals {
    /// Looks now. For moments without a fault: whoever does not answer is waited for.
    pub(crate) async fn look(world: &World) -> Result<Self> {
        let mut nodes = Vec::with_capacity(world.nodes.len());
        for node in &world.nodes {
            let pid = node.gateway.pid();
            nodes.push(match pid {
                Some(pid) => of_node(pid, node.addr()).await,
                None => None,
            });
        }
        let redis = world.redis.clone();
        let clients = tokio::task::spawn_blocking(move || redis.command(&["CLIENT", "LIST"])).await?;
        let redis_clients = match clients {
            // One of the lines is our own.
            Reply::Text(lines) => lines.lines().count().saturating_sub(1),
            _ => 0,
        };
        let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'starling'";
        Ok(Self {
            nodes,
            redis_clients,
            postgres_backends: world.sql(count).await?.parse()?,
        })
    }
}

async fn of_node(pid: u32, addr: std::net::SocketAddr) -> Option<NodeVitals> {
    let stats: Value = serde_json::from_str(&get(addr, "/stats").await?).ok()?;
    let metrics = get(addr, "/metrics").await?;
    Some(NodeVitals {
        pid,
        resident: resident(pid)?,
        descriptors: fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count(),
        connections: stats["connections"]["current"].as_u64()?,
        outbox_bytes: stats["memory"]["outboxBytes"].as_u64()?,
        lane_depth: gauge(&metrics, "starling_lane_depth").unwrap_or_default(),
    })
}

fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// The value of a gauge without labels, or with some, in Prometheus's text.
fn gauge(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with([' ', '{']))
    })?;
    line.rsplit(' ')
        .next()?
        .parse::<f64>()
        .ok()
        .map(|value| value as u64)
}

async fn get(addr: std::net::SocketAddr, path: &str) -> Option<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let asking = async {
        let mut stream = tokio::net::TcpStream::connect(addr).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
    };
    tokio::time::timeout(Duration::from_secs(5), asking).await.ok()?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_is_read_by_its_whole_name() {
        let text = "# HELP x\nstarling_lane_depth_max 9\nstarling_lane_depth{a=\"b\"} 3\n";
        assert_eq!(gauge(text, "starling_lane_depth"), Some(3));
        assert_eq!(gauge(text, "starling_lane"), None);
    }
}
