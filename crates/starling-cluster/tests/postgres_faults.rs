//! What Postgres keeps, and what it says, when a server, a link or another transaction misbehaves.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in its helpers"
)]

mod postgres {
    mod crash;
    mod crowd;
    mod hang;
    mod locks;
    mod restore;
    mod schema;
    mod standby;
    mod support;
    mod sweep;
    mod tls;
}
