//! Errors of this backend, and what those of the driver mean.

use std::time::Duration;

use starling_core::ports::{Source, Unavailable};
use tokio_postgres::error::SqlState;

/// Why a gateway cannot start on this Postgres.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL. The text never holds its password.
    #[error("the Postgres URL is not understood: {0}")]
    Url(String),
    /// The file of certificate authorities.
    #[error("no certificate authority could be read from {path}; it must be a PEM file")]
    RootCertificates {
        /// The file.
        path: String,
        /// What was wrong with it.
        #[source]
        source: Source,
    },
    /// The TLS library refused its own settings.
    #[error("TLS could not be set up")]
    Tls(#[source] Source),
    /// Nobody answered, or the login failed.
    #[error("Postgres could not be reached")]
    Unreachable(#[source] Source),
    /// The server or the database lacks something.
    #[error("this Postgres cannot be used: {0}")]
    Unsuitable(String),
    /// A migration failed, or another gateway has been at it for too long.
    #[error("the database could not be brought to this version's schema")]
    Migration(#[source] Source),
}

/// Nothing was heard in time.
#[derive(Debug, thiserror::Error)]
#[error("{what} took longer than {} ms", .limit.as_millis())]
pub(super) struct TooSlow {
    pub(super) what: &'static str,
    pub(super) limit: Duration,
}

/// A row that this version cannot read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("column {column}")]
    Column {
        column: usize,
        #[source]
        source: tokio_postgres::Error,
    },
    #[error("{value:?} is not a {what}")]
    Value { what: &'static str, value: String },
    #[error("the body of event {seq} in {room}")]
    Body {
        room: String,
        seq: u64,
        #[source]
        source: serde_json::Error,
    },
    #[error("event {seq} in {room} is of kind {kind:?}, which a newer version wrote; update this node")]
    Kind { room: String, seq: u64, kind: String },
}

/// Postgres did not do it.
pub(super) fn unavailable(source: impl Into<Source>) -> Unavailable {
    Unavailable::new("postgres", source)
}

/// Whether the server itself refused one statement, so that the connection is as good as before.
pub(super) fn is_of_statement(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| {
        *code == SqlState::LOCK_NOT_AVAILABLE
            || *code == SqlState::QUERY_CANCELED
            || *code == SqlState::UNIQUE_VIOLATION
            || *code == SqlState::T_R_DEADLOCK_DETECTED
            || *code == SqlState::T_R_SERIALIZATION_FAILURE
    })
}

/// Whether the server, as it is being stopped or loses its connection, said this last: what became of a statement that
/// was under way is not known.
pub(super) fn is_of_link(error: &tokio_postgres::Error) -> bool {
    // Class 57P: shutdown, crash, not yet started. Class 08: the connection.
    error
        .code()
        .is_none_or(|code| code.code().starts_with("57P") || code.code().starts_with("08"))
}
