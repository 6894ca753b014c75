//! A cluster as operators run it: three processes of the real binary behind nginx, over Redis and Postgres.
//!
//! | module | what it asks |
//! |---|---|
//! | [`cluster`] | (the processes, and how clients come in) |
//! | [`canary`] | does the canary see what clients would see? |
//! | [`together`] | do clients of different nodes see each other as on one? |
//! | [`roamer`] | (users who come back whenever their connection ends) |
//! | [`deaths`] | what is lost when nodes are killed, replaced one by one, or nginx is reloaded? |
//! | [`telemetry`], [`collector`] | what does a collector learn? |
//! | [`redis_away`] | what goes on without Redis, and after it is back? |

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod canary;
mod cluster;
mod collector;
mod deaths;
mod redis_away;
mod roamer;
#[path = "../support/mod.rs"]
mod support;
mod telemetry;
mod together;
