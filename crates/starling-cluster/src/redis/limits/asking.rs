//! Asking Redis, and knowing when not to.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::breaker::Breaker;
use crate::redis::{link::LinkError, metrics::RedisMetrics};

/// Asks with little patience, and not at all for a while after a failure.
pub(super) struct Asking {
    patience: Duration,
    /// One for each server.
    breakers: Vec<Breaker>,
    metrics: Arc<RedisMetrics>,
}

impl Asking {
    pub(super) fn new(servers: usize, patience: Duration, metrics: Arc<RedisMetrics>) -> Self {
        Self {
            patience,
            breakers: (0..servers).map(|_| Breaker::new()).collect(),
            metrics,
        }
    }

    /// Asks a server; `None` when this node must decide alone.
    pub(super) async fn ask<T>(
        &self,
        server: usize,
        call: impl Future<Output = Result<T, LinkError>>,
    ) -> Option<T> {
        let breaker = &self.breakers[server];
        if breaker.allows() {
            match timeout(self.patience, call).await {
                Ok(Ok(answer)) => {
                    breaker.succeeded();
                    return Some(answer);
                }
                Ok(Err(error)) => tracing::debug!(%error, "limits are this node's own for a second"),
                Err(_) => tracing::debug!("Redis is slow: limits are this node's own for a second"),
            }
            breaker.failed();
        }
        self.metrics.limits_local.add(1);
        None
    }
}
