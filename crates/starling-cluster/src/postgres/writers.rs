//! The connections that append. Each has one batch under way at a time, and its statements prepared.

use std::time::Duration;

use parking_lot::Mutex;
use starling_core::ports::Source;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};
use tokio_postgres::Client;

use super::{
    append::Statements,
    error::TooSlow,
    metrics::{self, Counters},
    session::{Connector, Session},
};

/// After the first failure to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// After many.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A fixed number of connections, opened when they are needed. While Postgres is away, one attempt to connect is made
/// now and then; in between, whoever asks is told at once.
pub(super) struct Writers {
    connector: Connector,
    lanes: usize,
    /// As many permits as connections. Whoever waits here is bounded by `patience`, and by its caller: a gateway has
    /// one batch under way for each lane.
    places: Semaphore,
    /// Connections between two batches; at most `lanes`, because each came with a permit.
    idle: Mutex<Vec<Open>>,
    pause: Mutex<Pause>,
    patience: Duration,
}

struct Open {
    session: Session,
    statements: Statements,
}

#[derive(Default)]
struct Pause {
    until: Option<Instant>,
    next: Duration,
}

/// A connection in use. Dropped without [`Writer::keep`], it is closed: what its session is in the middle of is then
/// the server's to clear up.
pub(super) struct Writer<'a> {
    open: Open,
    home: &'a Writers,
    _place: SemaphorePermit<'a>,
}

impl Writer<'_> {
    pub(super) fn parts(&self) -> (&Client, &Statements) {
        (&self.open.session.client, &self.open.statements)
    }

    pub(super) fn warnings(&self) -> u64 {
        self.open.session.warnings()
    }

    /// Gives the connection back: it is between two transactions.
    pub(super) fn keep(self) {
        self.home.idle.lock().push(self.open);
    }
}

impl Writers {
    pub(super) fn new(connector: Connector, lanes: usize, patience: Duration) -> Self {
        Self {
            connector,
            lanes: lanes.max(1),
            places: Semaphore::new(lanes.max(1)),
            idle: Mutex::default(),
            pause: Mutex::default(),
            patience,
        }
    }

    /// How many are in use.
    pub(super) fn in_use(&self) -> usize {
        self.lanes.saturating_sub(self.places.available_permits())
    }

    /// A free connection. Fails when there is none in time, or none at all.
    pub(super) async fn take(&self, counters: &Counters) -> Result<Writer<'_>, Source> {
        let too_slow = TooSlow {
            what: "waiting for a connection that appends",
            limit: self.patience,
        };
        let place = timeout(self.patience, self.places.acquire())
            .await
            .map_err(|_| too_slow)??;
        let open = match self.idle_one() {
            Some(open) => open,
            None => {
                let open = self.connect().await?;
                metrics::count(&counters.writer_connects);
                open
            }
        };
        Ok(Writer {
            open,
            home: self,
            _place: place,
        })
    }

    /// One that was not closed while it lay here, by the server or by the network.
    fn idle_one(&self) -> Option<Open> {
        let mut idle = self.idle.lock();
        std::iter::from_fn(|| idle.pop()).find(|open| !open.session.client.is_closed())
    }

    async fn connect(&self) -> Result<Open, Source> {
        if let Some(until) = self.pause.lock().until
            && Instant::now() < until
        {
            return Err("the last attempt to connect failed; the next one is due shortly".into());
        }
        let connected = self.open().await;
        let mut pause = self.pause.lock();
        if connected.is_ok() {
            *pause = Pause::default();
        } else {
            let span = pause.next.max(FIRST_PAUSE);
            pause.until = Some(Instant::now() + span);
            pause.next = (span * 2).min(LONGEST_PAUSE);
        }
        connected
    }

    async fn open(&self) -> Result<Open, Source> {
        let session = self.connector.open().await?;
        let too_slow = TooSlow {
            what: "preparing statements",
            limit: self.patience,
        };
        let preparing = Statements::prepare(&session.client);
        let statements = timeout(self.patience, preparing).await.map_err(|_| too_slow)??;
        Ok(Open { session, statements })
    }

    /// Opens one connection now, so that the first batch does not wait for it, and a wrong configuration is found.
    pub(super) async fn warm(&self, counters: &Counters) -> Result<(), Source> {
        self.take(counters).await?.keep();
        Ok(())
    }

    /// Waits for the batches under way, takes no more, and closes the connections.
    pub(super) async fn close(&self) {
        let all = u32::try_from(self.lanes).unwrap_or(u32::MAX);
        // A batch that takes longer than its own bounds is not waited for.
        if let Ok(Ok(places)) = timeout(self.patience * 2, self.places.acquire_many(all)).await {
            places.forget();
        }
        self.places.close();
        self.idle.lock().clear();
    }
}
