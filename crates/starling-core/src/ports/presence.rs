//! Who is online, over all nodes.

use std::time::Duration;

use async_trait::async_trait;

use super::Unavailable;
use crate::{
    RoomId, UserId,
    presence::{NodePresence, UserPresence},
};

/// What the live nodes say about users. A node speaks for itself only, under a lease: when the node dies, what it said
/// is void for every reader at once. A node that stops hands its users over instead.
#[async_trait]
pub trait Presence: Send + Sync + 'static {
    /// Says, or with `None` takes back, what this node knows of users. Answers, for each user in order, what others saw
    /// before and see now; both are taken in one atomic step, so that exactly one node tells of each change.
    async fn assert(
        &self,
        users: &[(UserId, Option<NodePresence>)],
    ) -> Result<Vec<PresenceChange>, Unavailable>;

    /// What others see of these users, in order.
    async fn lookup(&self, users: &[UserId]) -> Result<Vec<UserPresence>, Unavailable>;

    /// Renews the node's lease. To be called every heartbeat, whatever else happens.
    async fn renew(&self) -> Result<Renewal, Unavailable>;

    /// Gives what this node says of users an end of its own, so long from now, whatever becomes of the lease; of whom it
    /// says nothing, nothing is kept. It ends earlier for a user of whom another node says something after that. To be
    /// called when the node stops: who comes back elsewhere in time was never away.
    async fn hand_over(&self, users: &[(UserId, Duration)]) -> Result<(), Unavailable>;

    /// Cleans up after nodes that died, and where what was handed over has ended. One node at a time gets work; the others
    /// get nothing.
    async fn reap(&self) -> Result<Reaped, Unavailable>;

    /// Says how many distinct users follow these rooms live on this node.
    async fn set_room_counts(&self, counts: &[(RoomId, u32)]) -> Result<(), Unavailable>;

    /// How many users follow these rooms live, summed over the live nodes, in order. A user on two nodes counts twice.
    async fn room_counts(&self, rooms: &[RoomId]) -> Result<Vec<u32>, Unavailable>;
}

/// What others saw of a user, and see now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceChange {
    /// Before.
    pub before: UserPresence,
    /// Now.
    pub now: UserPresence,
}

impl PresenceChange {
    /// Whether there is anything to tell.
    #[must_use]
    pub fn is_visible(&self) -> bool {
        self.before.status != self.now.status || self.before.custom_status != self.now.custom_status
    }
}

/// What was cleaned up.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reaped {
    /// What changed by it, to be told by the caller.
    pub changes: Vec<PresenceChange>,
    /// When more that was handed over ends: so late may the caller ask again for it to be told in time.
    pub next: Option<Duration>,
}

/// How a renewal of the node's lease went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// The lease went on without a break.
    Kept,
    /// The lease had ended, or the store lost its data: the node must assert all its users and counts again.
    Lost,
}
