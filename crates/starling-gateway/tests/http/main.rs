//! HTTP as its callers see it: a node over the embedded backend, a port, and requests.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod answers;
mod around;
mod errors;
mod guests;
mod live;
mod metrics;
mod openapi;
mod routes;
mod schema;
mod support;
mod traces;
