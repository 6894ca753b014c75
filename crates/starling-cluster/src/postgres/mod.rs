//! The log, rooms, history and read markers in Postgres.
//!
//! | module | what it holds |
//! |---|---|
//! | `append` | the batch transaction: load under locks, decide, store, commit |
//! | `writers` | the connections that append |
//! | `readers` | the pool for everything else |
//! | `gather`, `gathered` | reads of many callers in one statement, and which reads these are |
//! | `store`, `history` | the ports that read |
//! | `sweep` | what was appended since |
//! | `sql`, `rows` | every statement; from rows to the words of starling-core |
//! | `session`, `tls`, `config` | how a connection is opened and what its session is told |
//! | `migrate`, `maintenance` | the schema; the batch log kept short |
//!
//! Two sorts of connections: a few that append, each with its statements prepared and one batch under way, and a pool
//! that reads. So no read waits behind a batch, and no crowd of readers keeps a batch from being stored.
//!
//! Nothing here waits for ever. The server ends a statement after `statement_timeout` and a wait for a lock after half
//! of it; where the server or the link hangs, the gateway gives up a second later and opens another connection.

mod append;
mod config;
mod error;
mod gather;
mod gathered;
mod history;
mod maintenance;
mod metrics;
mod migrate;
mod pipeline;
mod readers;
mod rows;
mod session;
mod sql;
mod store;
mod sweep;
mod tls;
mod writers;

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use starling_core::ports::Unavailable;
use tokio::{task::JoinSet, time::timeout};
use tokio_postgres::Row;

pub use self::{config::PostgresConfig, error::ConnectError, metrics::PostgresMetrics};

use self::{
    append::Appender,
    error::{TooSlow, unavailable},
    gathered::Gathered,
    metrics::Counters,
    pipeline::Param,
    readers::Readers,
    session::Connector,
    sweep::Sweeps,
    writers::Writers,
};

/// How long the health check waits.
const HEALTH_LIMIT: Duration = Duration::from_secs(2);

/// Connects, brings the schema up to date, and starts the store's maintenance.
///
/// # Errors
/// When the configuration is wrong, or Postgres is not there or not fit.
pub async fn connect(config: PostgresConfig) -> Result<Store, ConnectError> {
    let connector = Connector::new(&config)?;
    migrate::migrate(&connector).await?;
    let readers = Arc::new(Readers::new(connector.clone(), &config).map_err(ConnectError::Unreachable)?);
    let writers = Writers::new(connector, config.lanes, config.patience());
    let counters = Arc::new(Counters::default());
    writers.warm(&counters).await.map_err(ConnectError::Unreachable)?;
    let number = readers.query(&counters, sql::SWEEPER, &[]).await;
    let number = number.and_then(|rows| {
        rows.first()
            .map_or(Ok(0_i64), |row| row.try_get(0))
            .map_err(unavailable)
    });
    let number = number.map_err(|e| ConnectError::Unreachable(e.into()))?;
    let inner = Arc::new(Inner {
        appender: Appender {
            writers,
            patience: config.patience(),
        },
        gathered: Gathered::new(&readers, &counters, &config),
        readers,
        counters,
        sweeps: Sweeps::new(number.unsigned_abs()),
        background: Mutex::new(JoinSet::new()),
    });
    inner
        .background
        .lock()
        .spawn(maintenance::run(Arc::downgrade(&inner)));
    Ok(Store { inner })
}

/// The durable ports over one Postgres: [`EventLog`](starling_core::ports::EventLog),
/// [`Rooms`](starling_core::ports::Rooms), [`History`](starling_core::ports::History),
/// [`Markers`](starling_core::ports::Markers) and [`Directory`](starling_core::ports::Directory). Clones share their
/// connections.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    appender: Appender,
    gathered: Gathered,
    readers: Arc<Readers>,
    counters: Arc<Counters>,
    sweeps: Sweeps,
    /// Ends with the store.
    background: Mutex<JoinSet<()>>,
}

impl Store {
    /// Whether Postgres answers and takes writes. Answers within two seconds.
    ///
    /// # Errors
    /// Says what is wrong.
    pub async fn health(&self) -> Result<(), Unavailable> {
        let asking = self.query(sql::IS_STANDBY, &[]);
        let too_slow = TooSlow {
            what: "the health check",
            limit: HEALTH_LIMIT,
        };
        let rows = timeout(HEALTH_LIMIT, asking)
            .await
            .map_err(|_| unavailable(too_slow))??;
        let standby = rows.first().map_or(Ok(false), |row| row.try_get(0));
        match standby.map_err(unavailable)? {
            true => Err(unavailable("the server is a standby: it takes no writes")),
            false => Ok(()),
        }
    }

    /// Counters, for metrics and tests.
    #[must_use]
    pub fn metrics(&self) -> PostgresMetrics {
        let (size, in_use, waiting) = self.inner.readers.status();
        PostgresMetrics {
            writers_in_use: self.inner.appender.writers.in_use() as u64,
            pool_size: size as u64,
            pool_in_use: in_use as u64,
            pool_waiting: waiting as u64,
            ..self.inner.counters.read()
        }
    }

    /// Ends the maintenance, lets the batches under way end, and closes all connections. Later calls fail.
    pub async fn close(&self) {
        self.inner.background.lock().abort_all();
        self.inner.appender.writers.close().await;
        self.inner.readers.close();
    }

    async fn query(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Unavailable> {
        self.inner.readers.query(&self.inner.counters, sql, params).await
    }
}
