//! What the process tells of itself.
//!
//! | module | what it holds |
//! |---|---|
//! | [`logs`] | lines on standard error |
//! | [`otlp`] | where the collector is, and who we are to it |
//! | [`spans`] | traces, to the collector |
//! | [`push`], [`families`] | metrics, to the collector; how they are written for it |
//!
//! The metrics themselves are the gateway's, and Prometheus reads them there.

mod families;
pub(crate) mod logs;
pub(crate) mod otlp;
pub(crate) mod push;
pub(crate) mod spans;
