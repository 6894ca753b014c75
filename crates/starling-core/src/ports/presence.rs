//! Who is online, over all nodes.

use async_trait::async_trait;

use super::Unavailable;
use crate::{
    RoomId, UserId,
    presence::{NodePresence, UserPresence},
};

/// What the live nodes say about users. A node speaks for itself only, under a lease: when the node dies, what it said
/// is void for every reader at once.
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

    /// Cleans up after nodes that died, and answers what changed by it. One node at a time gets work; the others get
    /// nothing.
    async fn reap(&self) -> Result<Vec<PresenceChange>, Unavailable>;

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

/// How a renewal of the node's lease went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// The lease went on without a break.
    Kept,
    /// The lease had ended, or the store lost its data: the node must assert all its users and counts again.
    Lost,
}
