//! The traits that a backend implements. Each says what it promises about order, atomicity and errors; the conformance
//! suites of starling-testkit hold every backend to it.

mod bus;
mod limits;
mod log;
mod presence;
mod registry;
mod retention;
mod store;

use std::{error::Error, sync::Arc};

pub use bus::{Bus, BusEvent, BusReceiver, Topic};
pub use limits::{Charge, Limits, Rate, Verdict};
pub use log::{Changes, EventLog, Head, LogError, Watermark};
pub use presence::{Presence, PresenceChange, Reaped, Renewal};
pub use registry::{LatencySummary, NodeCard, Registry};
pub use retention::Retention;
pub use store::{Directory, History, HistoryPage, Marker, Markers, Page, Rooms, Span, Unread};

/// A driver's error, kept as the source of ours: for the log, never for a client.
pub type Source = Box<dyn Error + Send + Sync + 'static>;

/// The service behind a port could not answer. Nothing is known to have changed; the caller may try again.
#[derive(Debug, thiserror::Error)]
#[error("{service} is unavailable")]
pub struct Unavailable {
    /// Which service, for the log and the readiness check: `sqlite`, `postgres`, `redis`.
    pub service: &'static str,
    /// What the driver said.
    #[source]
    pub source: Source,
}

impl Unavailable {
    /// Wraps a driver's error.
    pub fn new(service: &'static str, source: impl Into<Source>) -> Self {
        Self {
            service,
            source: source.into(),
        }
    }
}

/// Everything that a gateway needs from a backend. All parts are cheap to clone and may be called from many tasks.
#[derive(Clone)]
pub struct Backend {
    /// The log: the truth.
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
    /// The doorbell between nodes.
    pub bus: Arc<dyn Bus>,
    /// Who is online.
    pub presence: Arc<dyn Presence>,
    /// Which nodes there are.
    pub registry: Arc<dyn Registry>,
    /// Rates and connection counts.
    pub limits: Arc<dyn Limits>,
    /// How the services behind it are.
    pub health: Arc<dyn Health>,
}

/// How the services behind a backend are, for `/readyz`.
#[async_trait::async_trait]
pub trait Health: Send + Sync + 'static {
    /// One line for each service: its name, and what is wrong where something is. Answers within 2 s.
    async fn check(&self) -> Vec<ServiceHealth>;
    /// Ends what the backend runs in the background, after everything given to it is stored. Called once, last.
    async fn close(&self);
}

/// The state of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceHealth {
    /// `sqlite`, `postgres`, `redis`.
    pub service: &'static str,
    /// Whether a node without it should take no new clients.
    pub essential: bool,
    /// What is wrong; `None` when nothing is.
    pub problem: Option<String>,
}
