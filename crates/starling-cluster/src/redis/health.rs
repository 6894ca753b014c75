//! How Redis is.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::join_all;
use starling_core::ports::{Health, ServiceHealth};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{SERVICE, bus::RedisBus, limits::RedisLimits, link::Link, presence::RedisPresence};

/// Within the 2 s that a health check may take.
const PATIENCE: Duration = Duration::from_millis(1800);
/// What the leases may take to give up. They end by themselves soon after.
const FAREWELL: Duration = Duration::from_secs(2);

/// Everything that runs, to ask and to end.
pub(super) struct RedisHealth {
    pub(super) bus: Arc<RedisBus>,
    pub(super) presence: Arc<RedisPresence>,
    pub(super) limits: Arc<RedisLimits>,
    /// One link to each server.
    pub(super) links: Vec<Arc<Link>>,
    pub(super) tasks: TaskTracker,
    /// Ends what uses the links.
    pub(super) users_closed: CancellationToken,
    /// Ends the links.
    pub(super) links_closed: CancellationToken,
}

impl RedisHealth {
    async fn problem(&self) -> Option<String> {
        let checks = join_all(self.links.iter().map(|link| link.check()));
        match timeout(PATIENCE, checks).await {
            Err(_) => return Some("no answer within 2 s".into()),
            Ok(outcomes) => {
                if let Some(error) = outcomes.into_iter().find_map(Result::err) {
                    return Some(error.to_string());
                }
            }
        }
        match self.bus.away() {
            0 => None,
            away => Some(format!("connections for receiving that are away: {away}")),
        }
    }
}

#[async_trait]
impl Health for RedisHealth {
    async fn check(&self) -> Vec<ServiceHealth> {
        vec![ServiceHealth {
            service: SERVICE,
            // Without it nodes still deliver, from the log.
            essential: false,
            problem: self.problem().await,
        }]
    }

    async fn close(&self) {
        self.bus.close();
        self.users_closed.cancel();
        let farewell = async {
            tokio::join!(self.presence.end(), self.limits.end());
        };
        if timeout(FAREWELL, farewell).await.is_err() {
            tracing::warn!("Redis did not take back this node's leases; they end by themselves");
        }
        self.links_closed.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
