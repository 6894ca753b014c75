//! The pool that reads, and writes what needs no batch: read markers, last-seen times.

use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, Timeouts, tokio_postgres::Row,
};
use starling_core::ports::{Source, Unavailable};
use tokio::time::timeout;
use tokio_postgres::error::SqlState;

use super::{
    PostgresConfig,
    error::{TooSlow, is_of_statement, unavailable},
    metrics::{self, Counters},
    pipeline::Param,
    session::Connector,
};

/// A pool of connections, each step of which ends in bounded time. Who waits for a connection is bounded by time, not by
/// number: the callers are the commands of connected clients, and each client has one under way.
pub(super) struct Readers {
    pool: Pool,
    patience: Duration,
}

/// Why one attempt failed.
enum Failure {
    /// The connection was dead; another one may not be.
    Link(Source),
    Other(Source),
}

impl Readers {
    pub(super) fn new(connector: Connector, config: &PostgresConfig) -> Result<Self, Source> {
        let manager = ManagerConfig {
            // Dead connections are found by their first query, which is then tried again.
            recycling_method: RecyclingMethod::Fast,
        };
        let target = connector.target();
        let pool = Pool::builder(Manager::from_connect(target, connector, manager))
            .max_size(config.pool_size.max(1))
            .timeouts(Timeouts {
                wait: Some(config.patience()),
                create: Some(config.connect_timeout),
                recycle: Some(config.connect_timeout),
            })
            .runtime(Runtime::Tokio1)
            .build()?;
        Ok(Self {
            pool,
            patience: config.patience(),
        })
    }

    /// Runs one statement. All our statements may be run twice, so a connection that is found dead costs a second
    /// attempt, not an error.
    pub(super) async fn query(
        &self,
        counters: &Counters,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Unavailable> {
        let mut attempt = self.attempt(sql, params).await;
        if let Err(Failure::Link(_)) = attempt {
            metrics::count(&counters.read_retries);
            // Others that lie in the pool are as dead, most likely: a server that ended has ended them all.
            self.pool.retain(|client, _| !client.is_closed());
            attempt = self.attempt(sql, params).await;
        }
        match attempt {
            Ok(rows) => {
                metrics::count(&counters.reads);
                Ok(rows)
            }
            Err(Failure::Link(source) | Failure::Other(source)) => {
                metrics::count(&counters.read_errors);
                Err(unavailable(source))
            }
        }
    }

    async fn attempt(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Failure> {
        let client = self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => Failure::Other(error.into()),
            other => Failure::Other(other.into()),
        })?;
        let asking = async {
            let statement = client.prepare_cached(sql).await?;
            client.query(&statement, params).await
        };
        match timeout(self.patience, asking).await {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) if is_of_statement(&error) => Err(Failure::Other(error.into())),
            Ok(Err(error)) => {
                // Out of the pool with it. Where a migration has changed a table under a prepared statement, a new
                // connection prepares it anew.
                let stale = error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED);
                let dead = client.is_closed() || error.is_closed() || error.code().is_none();
                drop(Object::take(client));
                if stale || dead {
                    Err(Failure::Link(error.into()))
                } else {
                    Err(Failure::Other(error.into()))
                }
            }
            Err(_) => {
                drop(Object::take(client));
                Err(Failure::Other(
                    TooSlow {
                        what: "a query",
                        limit: self.patience,
                    }
                    .into(),
                ))
            }
        }
    }

    /// Open, busy and waited for.
    pub(super) fn status(&self) -> (usize, usize, usize) {
        let status = self.pool.status();
        (
            status.size,
            status.size.saturating_sub(status.available),
            status.waiting,
        )
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }
}
