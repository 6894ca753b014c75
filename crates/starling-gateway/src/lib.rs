//! The sockets and rooms of one Starling node.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | what a node must be told |
//! | [`gateway`] | [`Gateway`]: start, listen, drain, stop |
//! | `audit` | who came in, who was refused, who changed whose rights |
//! | [`auth`] | tokens |
//! | `guests` | tokens for people without an account |
//! | [`metrics`] | what a node counts |
//! | `node` | what the parts share |
//! | `http` | routes: the handshake, REST, OpenAPI, probes |
//! | `conn` | one socket: writing, outbox, the connection's future |
//! | `session` | one authenticated connection: commands |
//! | `ops` | what can be done, whoever asks |
//! | `hub` | rooms: sequencer, ring, fan-out, catching up |
//! | `lanes` | group commit |
//! | `pump` | the bus, and the sweep of the log |
//! | `presence` | the presence desk |
//! | `reserved` | direct rooms, inboxes and announcements: who follows them, and from where |
//! | `users` | sessions by user |
//! | `notice` | what nodes tell each other |
//! | `model` | a test: a whole cluster in one thread, through any interleaving of its steps |
//! | [`telemetry`] | metrics for Prometheus |
//! | `traces` | traces of messages |
//!
//! The journey of a message: `conn::task` reads it, `session::commands` takes from its sender's budgets and hands it to
//! `lanes`, which commits, tells the `hub` of its own node, answers, and publishes; `pump` hears it on the other nodes
//! and tells their hubs.

mod audit;
pub mod auth;
pub mod config;
mod conn;
pub mod gateway;
mod guests;
mod http;
mod hub;
mod lanes;
pub mod metrics;
#[cfg(test)]
mod model;
mod node;
mod notice;
mod ops;
mod presence;
mod pump;
mod reserved;
mod session;
pub mod telemetry;
mod traces;
mod users;

pub use auth::{AuthConfig, AuthKey};
pub use config::NodeConfig;
pub use gateway::Gateway;
pub use http::openapi;
pub use node::{Node, StartError};
pub use traces::Traces;
