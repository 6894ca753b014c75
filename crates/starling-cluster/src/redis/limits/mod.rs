//! Limits: budgets and sessions, over all nodes while Redis answers, of this node alone while it does not.
//!
//! | module | what it holds |
//! |---|---|
//! | [`budgets`] | rates: one key each, one script for all charges of a user |
//! | [`connections`] | sessions: a hash for each user that names the node of each |
//! | [`sessions`] | what this node has told, to tell it again after a loss of Redis |
//! | [`asking`], [`breaker`] | when to ask Redis, and when not |
//! | [`local`] | budgets of this node alone |
//!
//! The leases on sessions are apart from presence's and are renewed here, so that limits need nothing from their caller.
//! Sessions of a dead node are dropped by whoever finds a user's hash full.

mod asking;
mod breaker;
mod budgets;
mod connections;
mod local;
mod sessions;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use starling_core::{
    SessionId, UserId,
    ports::{Charge, Limits, Unavailable, Verdict},
};
use tokio_util::sync::CancellationToken;

use self::{asking::Asking, budgets::Budgets, connections::Connections};
use super::{incarnation::Incarnations, metrics::RedisMetrics, shards::Shards};

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// A node's sessions count for so long after the last renewal.
    pub(super) lease: Duration,
    /// Redis may take so long to answer.
    pub(super) patience: Duration,
}

/// Limits over Redis.
pub(super) struct RedisLimits {
    budgets: Budgets,
    connections: Connections,
}

impl RedisLimits {
    pub(super) fn new(
        shards: Arc<Shards>,
        incarnations: Incarnations,
        times: Times,
        metrics: Arc<RedisMetrics>,
    ) -> Self {
        let servers = shards.iter().map(|shard| shard.server + 1).max().unwrap_or(1);
        let asking = Arc::new(Asking::new(servers, times.patience, metrics));
        Self {
            budgets: Budgets::new(shards.clone(), asking.clone()),
            connections: Connections::new(shards, incarnations, times.lease, asking),
        }
    }

    /// Takes the leases on sessions for the first time.
    pub(super) async fn begin(&self) {
        self.connections.begin().await;
    }

    /// Keeps them until the token is cancelled.
    pub(super) async fn tend(self: Arc<Self>, closed: CancellationToken) {
        self.connections.tend(&closed).await;
    }

    /// Gives them up.
    pub(super) async fn end(&self) {
        self.connections.end().await;
    }
}

#[async_trait]
impl Limits for RedisLimits {
    async fn take(&self, charges: &[Charge]) -> Verdict {
        self.budgets.take(charges).await
    }

    async fn connect(&self, user: &UserId, session: &SessionId, max: u32) -> Result<bool, Unavailable> {
        Ok(self.connections.connect(user, session, max).await)
    }

    async fn disconnect(&self, user: &UserId, session: &SessionId) {
        self.connections.disconnect(user, session).await;
    }

    async fn let_go(&self) {
        self.connections.end().await;
    }
}
