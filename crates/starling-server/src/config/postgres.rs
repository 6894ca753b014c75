//! The section `[postgres]`.

use std::time::Duration;

use secrecy::SecretString;

use super::{
    kind::{Count, Optional, ServiceUrl, Time},
    section::{Validate, section},
};

section! {
    /// Postgres, for backend = "cluster": the log, rooms and accounts.
    struct PostgresConfig("postgres") {
        /// The primary.
        url: Option<SecretString> = None, Optional(
            ServiceUrl { schemes: &["postgres", "postgresql"], example: "postgres://user:password@localhost:5432/starling" },
            "\"postgres://starling@localhost:5432/starling\""
        );
        /// Connections for reading.
        pool_size: usize = 8, Count(1..=1024);
        /// Connections for writing. A room always uses the same one.
        lanes: usize = 2, Count(1..=64);
        /// How long a statement may take.
        statement_timeout: Duration = Duration::from_secs(5), Time::millis(100..=600_000);
        /// How long connecting may take.
        connect_timeout: Duration = Duration::from_secs(5), Time::millis(100..=60_000);
    }
}

impl Validate for PostgresConfig {}
