//! One suite per port of starling-core. Every backend runs every suite, so that both behave the same.
//!
//! | suite | macro | stage |
//! |---|---|---|
//! | [`log`]: order, identity, reads, heads, changes | `conformance_log!` | [`StoreStage`] |
//! | [`contention`]: the log under many writers | `conformance_contention!` | [`StoreStage`] |
//! | [`rules`]: who may do what, decided from what is stored | `conformance_rules!` | [`StoreStage`] |
//! | [`events`]: messages, threads, reactions, every kind of event | `conformance_events!` | [`StoreStage`] |
//! | [`rooms`] | `conformance_rooms!` | [`StoreStage`] |
//! | [`history`] | `conformance_history!` | [`StoreStage`] |
//! | [`retention`] | `conformance_retention!` | [`StoreStage`] |
//! | [`markers`] | `conformance_markers!` | [`StoreStage`] |
//! | [`directory`] | `conformance_directory!` | [`StoreStage`] |
//! | [`bus`] | `conformance_bus!` | [`BusStage`] |
//! | [`presence`] | `conformance_presence!` | [`PresenceStage`] |
//! | [`limits`] | `conformance_limits!` | [`LimitsStage`] |
//!
//! A backend's test file implements the stages and names an expression that sets one up. Each case becomes a test of
//! its own, with a stage of its own:
//!
//! ```ignore
//! mod log {
//!     starling_testkit::conformance_log!(super::stage().await);
//! }
//! ```
//!
//! `conformance_store!` makes a module of each of the store suites at once. To add a case: a private function in
//! its file, and its name in the list at the end of it (the compiler warns about a case that is not listed).

#![expect(clippy::unwrap_used, reason = "a case that fails says so by a panic")]

mod desk;
mod suite;

pub mod bus;
pub mod contention;
pub mod directory;
pub mod events;
pub mod history;
pub mod limits;
pub mod log;
pub mod markers;
pub mod presence;
pub mod registry;
pub mod retention;
pub mod rooms;
pub mod rules;

use std::{sync::Arc, time::Duration};

use starling_core::{
    Backend,
    ports::{Bus, Directory, EventLog, History, Limits, Markers, Presence, Registry, Retention, Rooms},
};

pub use desk::Desk;

/// The durable ports of one node.
#[derive(Clone)]
pub struct Store {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// Rooms and members.
    pub rooms: Arc<dyn Rooms>,
    /// Present state of messages.
    pub history: Arc<dyn History>,
    /// Read markers.
    pub markers: Arc<dyn Markers>,
    /// The end of what is old.
    pub retention: Arc<dyn Retention>,
    /// What is known about users.
    pub directory: Arc<dyn Directory>,
}

impl From<Backend> for Store {
    fn from(backend: Backend) -> Self {
        Self {
            log: backend.log,
            rooms: backend.rooms,
            history: backend.history,
            markers: backend.markers,
            retention: backend.retention,
            directory: backend.directory,
        }
    }
}

/// A store that is empty when the case begins and that no other case uses. Dropping the stage ends everything.
#[async_trait::async_trait]
pub trait StoreStage: Sync {
    /// A further node over the stage's store.
    async fn store(&self) -> Store;
}

/// A bus that no other case uses.
#[async_trait::async_trait]
pub trait BusStage: Sync {
    /// A further node on the bus.
    async fn bus(&self) -> Arc<dyn Bus>;
}

/// Presence that no other case uses.
#[async_trait::async_trait]
pub trait PresenceStage: Sync {
    /// A further node. Dropping what is returned does not end its lease: the suite kills a node by not renewing.
    async fn presence(&self) -> Arc<dyn Presence>;
    /// Where the time of "last seen" comes from.
    async fn directory(&self) -> Arc<dyn Directory>;
    /// For how long a lease holds without a renewal. Where time is real, about a second.
    fn lease(&self) -> Duration;
    /// Lets so much time go by for the backend, really or by its clock.
    async fn pass(&self, span: Duration);
}

/// Limits that no other case uses.
#[async_trait::async_trait]
pub trait LimitsStage: Sync {
    /// A further node under the same limits.
    async fn limits(&self) -> Arc<dyn Limits>;
    /// Lets so much time go by for the backend, really or by its clock.
    async fn pass(&self, span: Duration);
}

/// A registry that no other case uses.
#[async_trait::async_trait]
pub trait RegistryStage: Sync {
    /// A further node's view of it.
    async fn registry(&self) -> Arc<dyn Registry>;
    /// For how long a card is good. Where time is real, about a second.
    fn lease(&self) -> Duration;
    /// Lets so much time go by for the backend, really or by its clock.
    async fn pass(&self, span: Duration);
}
