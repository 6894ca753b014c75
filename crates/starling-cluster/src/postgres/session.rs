//! One connection to Postgres: how it is opened, what its session is told, and who reads it.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, Either, select},
    stream,
};
use starling_core::ports::Source;
use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::{AsyncMessage, Client, Connection, Error, Socket, error::Severity, tls::TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{ConnectError, PostgresConfig, config::Target, error::TooSlow, tls};

/// Opens connections; every one of this backend, so that all sessions have the same settings.
#[derive(Clone)]
pub(super) struct Connector {
    target: Arc<tokio_postgres::Config>,
    tls: MakeRustlsConnect,
    settings: Arc<str>,
    limit: Duration,
}

/// An open connection, and the task that reads it. Dropping it closes the connection, whatever is under way.
pub(super) struct Session {
    pub(super) client: Client,
    reader: JoinHandle<()>,
    warnings: Arc<AtomicU64>,
}

impl Session {
    /// How many warnings the server has sent. One that comes before a reply is counted before the reply is seen.
    pub(super) fn warnings(&self) -> u64 {
        self.warnings.load(Ordering::Acquire)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Connector {
    pub(super) fn new(config: &PostgresConfig) -> Result<Self, ConnectError> {
        let Target { driver, trust } = Target::parse(config)?;
        Ok(Self {
            target: Arc::new(driver),
            tls: tls::connector(&trust)?,
            settings: settings(config).into(),
            limit: config.connect_timeout,
        })
    }

    /// The driver's own configuration, for the pool.
    pub(super) fn target(&self) -> tokio_postgres::Config {
        (*self.target).clone()
    }

    /// A connection that waits for nothing for ever: for the queries of a gateway.
    pub(super) async fn open(&self) -> Result<Session, Source> {
        self.open_with(&self.settings).await
    }

    /// A connection whose statements take as long as they take: for migrations.
    pub(super) async fn open_unbounded(&self) -> Result<Session, Source> {
        self.open_with("SET statement_timeout = 0; SET lock_timeout = 0; SET client_min_messages = warning")
            .await
    }

    async fn open_with(&self, settings: &str) -> Result<Session, Source> {
        let warnings = Arc::<AtomicU64>::default();
        let dialled = timeout(self.limit, self.dial(settings, warnings.clone())).await;
        let (client, reading) = dialled.map_err(|_| TooSlow {
            what: "connecting",
            limit: self.limit,
        })??;
        Ok(Session {
            client,
            reader: tokio::spawn(reading),
            warnings,
        })
    }

    /// Connects, and tells the session its settings. The connection is read here until then, so that a dial that is
    /// given up leaves no task behind.
    async fn dial(
        &self,
        settings: &str,
        warnings: Arc<AtomicU64>,
    ) -> Result<(Client, BoxFuture<'static, ()>), Error> {
        let (client, connection) = self.target.connect(self.tls.clone()).await?;
        let reading = read(connection, warnings).boxed();
        let reading = match select(reading, pin!(client.batch_execute(settings))).await {
            Either::Left(((), told)) => {
                told.await?;
                futures_util::future::ready(()).boxed()
            }
            Either::Right((told, reading)) => {
                told?;
                reading
            }
        };
        Ok((client, reading))
    }
}

/// What the pool needs to open its connections.
impl deadpool_postgres::Connect for Connector {
    fn connect(
        &self,
        _target: &tokio_postgres::Config,
    ) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        async move {
            let (client, reading) = self.dial(&self.settings, Arc::default()).await?;
            Ok((client, tokio::spawn(reading)))
        }
        .boxed()
    }
}

/// What every session is told.
///
/// All our statements are lookups by key, unnested arrays of them, or short ranges of an index. So the plan is always
/// the nested loop over an index, made once. Left to itself, the planner plans each batch anew, and now and then as a
/// hash join over whole tables.
fn settings(config: &PostgresConfig) -> String {
    format!(
        "SET statement_timeout = {statement}; SET lock_timeout = {lock}; \
         SET idle_in_transaction_session_timeout = {idle}; SET client_connection_check_interval = 1000; \
         SET plan_cache_mode = force_generic_plan; SET jit = off; \
         SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; \
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        statement = config.statement_timeout.as_millis(),
        lock = config.lock_timeout().as_millis(),
        // The batch of a gateway that vanished lets go of its rooms.
        idle = config.patience().as_millis(),
    )
}

/// Reads the connection until it ends. Without this nothing moves.
async fn read<T>(mut connection: Connection<Socket, T>, warnings: Arc<AtomicU64>)
where
    T: TlsStream + Unpin + Send + 'static,
{
    let mut messages = stream::poll_fn(move |cx| connection.poll_message(cx));
    while let Some(message) = messages.next().await {
        match message {
            Ok(AsyncMessage::Notice(notice)) if notice.parsed_severity() == Some(Severity::Warning) => {
                warnings.fetch_add(1, Ordering::Release);
                tracing::warn!(
                    code = notice.code().code(),
                    message = notice.message(),
                    "Postgres warns"
                );
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "the connection to Postgres was lost");
                return;
            }
        }
    }
}
