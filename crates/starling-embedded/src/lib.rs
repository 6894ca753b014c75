//! Starling's backend in one process: one command on a fresh machine, nothing to install.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | where the data lies, and why opening it can fail |
//! | [`sqlite`] | what lasts: the log, rooms, history, read markers and the directory, in one SQLite file |
//! | [`bus`] | the doorbell between the nodes of this process |
//! | [`presence`] | who is online, under leases |
//! | `registry` | which nodes there are |
//! | [`limits`] | budgets and connection counts |
//! | [`node`] | [`Embedded`], the store and what the nodes over it share; one [`Backend`] for each node |
//!
//! One process owns the data folder; a lock on it keeps a second one out. Usually that process is one node ([`open`]).
//! Tests run several nodes over one [`Embedded`], with the same promises as nodes over Postgres and Redis.
//!
//! [`Backend`]: starling_core::Backend

pub mod bus;
pub mod config;
pub mod limits;
pub mod node;
pub mod presence;
mod registry;
pub mod sqlite;

pub use config::{EmbeddedConfig, OpenError};
pub use node::{Embedded, open};
