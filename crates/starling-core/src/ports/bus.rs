//! The doorbell between nodes.

use async_trait::async_trait;
use bytes::Bytes;

use super::Unavailable;
use crate::{RoomId, UserId};

/// Publish and subscribe, at most once. It may lose, repeat and reorder; the log may not. What one publisher
/// publishes on one topic arrives in order while nothing is lost.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Hands messages to all subscribed nodes, this one included. Success does not mean that any node heard it.
    async fn publish(&self, messages: Vec<(Topic, Bytes)>) -> Result<(), Unavailable>;

    /// Subscribes this node. On return everything published from now on is delivered, while the bus lasts; a
    /// subscription survives reconnects. Subscribing twice is the same as once. Who stops waiting does not know whether it is
    /// done, and asks again.
    async fn subscribe(&self, topics: &[Topic]) -> Result<(), Unavailable>;

    /// Ends subscriptions; deliveries on their way may still arrive.
    async fn unsubscribe(&self, topics: &[Topic]) -> Result<(), Unavailable>;

    /// What arrives. `None` after the first call: a node has one pump.
    fn take_receiver(&self) -> Option<Box<dyn BusReceiver>>;

    /// No other node is there, so that nothing needs to be published. A node that comes later finds all that was
    /// committed before in the log.
    fn is_alone(&self) -> bool {
        false
    }
}

/// The node's end of the bus: bounded, and never silent about what it lost.
#[async_trait]
pub trait BusReceiver: Send {
    /// The next thing that arrives; `None` when the bus was closed. Cancel safe.
    async fn recv(&mut self) -> Option<BusEvent>;
}

/// What arrives from the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusEvent {
    /// A message.
    Delivered {
        /// Its topic.
        topic: Topic,
        /// Its bytes.
        payload: Bytes,
    },
    /// Messages may have been lost: on these topics, or on all where empty. Look at the log.
    Gap(Vec<Topic>),
    /// The link is back after it was away, and every subscription with it. Look at the log, assert presence again.
    Reconnected,
    /// The link is away: nothing arrives until [`BusEvent::Reconnected`].
    Disconnected,
}

/// What a message is about, and so who hears it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Events of a room: nodes with local members.
    Room(RoomId),
    /// What concerns one user: nodes with sessions of theirs.
    User(UserId),
    /// Presence of a user: nodes where somebody watches them.
    Presence(UserId),
    /// What concerns every node.
    Nodes,
}
