//! Rates and connection counts, over all nodes.

use std::{net::IpAddr, time::Duration};

use async_trait::async_trait;

use super::Unavailable;
use crate::{SessionId, UserId};

/// Cluster-wide limits. When the shared store is away, an implementation goes on with per-node limits rather than fail.
#[async_trait]
pub trait Limits: Send + Sync + 'static {
    /// Takes from every one of these budgets, or, where one is empty, from none of them.
    async fn take(&self, charges: &[Charge]) -> Verdict;

    /// Counts a connection of a user; `false` when they have `max` already.
    async fn connect(&self, user: &UserId, session: &SessionId, max: u32) -> Result<bool, Unavailable>;

    /// The connection is gone.
    async fn disconnect(&self, user: &UserId, session: &SessionId);

    /// The connections of this node count no more, for as long as it still lives: it sends its clients away, and each
    /// opens another one elsewhere before it closes this one.
    async fn let_go(&self);
}

/// One budget, and how it fills.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Charge {
    /// A command of a user.
    Command(UserId, Rate),
    /// A message of a user.
    Message(UserId, Rate),
    /// A handshake from an address.
    Handshake(IpAddr, Rate),
}

/// So many a minute, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Sustained, a minute. 0 is no limit.
    pub per_minute: u32,
    /// At once, after a rest.
    pub burst: u32,
}

/// Whether a charge was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Taken.
    Granted,
    /// Not taken; a try after this time succeeds, if nobody else takes it.
    RetryAfter(Duration),
}
