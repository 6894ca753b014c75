//! Starling's backend over Redis and Postgres: the log, rooms, history and read markers in Postgres; the bus, presence
//! and limits in Redis.
//!
//! | module | what it holds |
//! |---|---|
//! | [`node`] | [`connect`]: both halves as one [`Backend`](starling_core::Backend) |
//! | [`postgres`] | migrations, the batch transaction, reads |
//! | [`redis`] | the subscription manager, presence leases, limits, topologies |

pub mod node;
pub mod postgres;
pub mod redis;

pub use node::{Cluster, ClusterConfig, ConnectError, connect};
