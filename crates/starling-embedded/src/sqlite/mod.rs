//! What lasts, in one SQLite file.
//!
//! | module | what it holds |
//! |---|---|
//! | `open` | the lock on the folder, connections, numbered migrations |
//! | `crew` | a bounded queue and the threads that serve it |
//! | `writer` | the one writer: groups what waits into one commit |
//! | `append`, `load`, `store` | loads the facts of a batch, has it planned, stores the plan |
//! | `once` | finds repeated client ids |
//! | `recent` | which rooms the latest commits appended to |
//! | `effects` | the present state of messages, as events change it |
//! | `place` | numbers that name an event, and digests of client ids |
//! | `rows` | rows of the tables as words of starling-core |
//! | `log`, `rooms`, `history`, `markers`, `directory`, `trim` | one port each |
//!
//! **Durability.** The file is in WAL mode with `synchronous=FULL`: a commit returns after the WAL was flushed to the
//! disk, so whatever was acknowledged outlives `kill -9` and a loss of power. (`NORMAL` would flush at checkpoints only:
//! the file would stay whole, and the last acknowledged messages would be gone.) One flush costs about as much as a
//! hundred inserts, which is why the writer puts everything that waits into one commit.
//!
//! **One writer.** SQLite has one writer at a time in any case. A thread that owns the connection needs no lock, keeps
//! its prepared statements, and gives the order of commits that [`Watermark`] counts. Readers have connections and
//! threads of their own; in WAL mode they see the last commit and wait for nobody. No query runs on a thread of the
//! async runtime.
//!
//! [`Watermark`]: starling_core::ports::Watermark

mod append;
mod crew;
mod directory;
mod effects;
mod history;
mod load;
mod log;
mod markers;
mod once;
mod open;
mod place;
mod recent;
mod rooms;
mod rows;
mod store;
#[cfg(test)]
mod tests;
mod trim;
mod writer;

use std::sync::Arc;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use starling_core::ports::{LogError, Unavailable};
use tokio::sync::oneshot;

use crate::{EmbeddedConfig, OpenError};

use crew::{Crew, Queue};
use recent::Recent;
use writer::{Job, Reply, Writer};

/// Reads that wait for a reader. Most take some tens of microseconds, so this is some tens of milliseconds of work; when
/// it is full, whoever wants to read waits in their own task.
const READS_WAITING: usize = 1024;

type Read = Box<dyn FnOnce(&mut Connection) + Send>;

/// The store: implements the ports of what lasts.
pub struct Sqlite {
    writer: Crew<Job>,
    readers: Crew<Read>,
    recent: Arc<Recent>,
}

impl Sqlite {
    /// Opens the database of a data folder, and makes both where they are missing. Blocks: not to be called on a thread
    /// of the async runtime.
    pub fn open(config: &EmbeddedConfig) -> Result<Arc<Self>, OpenError> {
        let lock = open::lock_folder(&config.data_dir)?;
        let file = config.data_dir.join(open::DATABASE);
        let failed = |source| OpenError::Database {
            path: config.data_dir.clone(),
            source,
        };
        let mut connection = open::connect(&file, config.busy_timeout).map_err(failed)?;
        open::migrate(&mut connection, &config.data_dir)?;
        let recent = Arc::new(Recent::begin(&connection).map_err(failed)?);
        let writer = Writer::new(connection, recent.clone(), Some(lock)).map_err(failed)?;
        let readers = (0..config.readers.max(1))
            .map(|_| open::connect_reader(&file, config.busy_timeout))
            .collect::<rusqlite::Result<Vec<_>>>()
            .map_err(failed)?;
        Self::start(writer, readers, recent)
            .map(Arc::new)
            .map_err(OpenError::Threads)
    }

    fn start(writer: Writer, readers: Vec<Connection>, recent: Arc<Recent>) -> std::io::Result<Self> {
        let readers = Crew::start(
            "sqlite-reader",
            READS_WAITING,
            readers,
            |queue: Queue<Read>, mut connection| {
                while let Some(read) = queue.next() {
                    read(&mut connection);
                }
            },
        )?;
        Ok(Self {
            writer: writer.start()?,
            readers,
            recent,
        })
    }

    /// Runs a query on a reader, in a transaction of its own: all of it sees the same commit.
    async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |connection| {
            let result = connection
                .transaction_with_behavior(TransactionBehavior::Deferred)
                .and_then(|snapshot| query(&snapshot));
            // Who asked may have gone away meanwhile.
            let _ = reply.send(result);
        });
        self.readers.give(read).await?;
        match answer.await {
            Ok(result) => result.map_err(|error| Unavailable::new(SERVICE, error)),
            Err(_) => Err(stopped()),
        }
    }

    /// Has something written, in one commit with whatever else waits.
    async fn write<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, LogError> {
        let (reply, answer) = oneshot::channel();
        self.writer.give(job(reply)).await.map_err(LogError::NotStored)?;
        // A writer that ends in the middle of a commit says nothing about it.
        answer
            .await
            .unwrap_or_else(|_| Err(LogError::Unknown(stopped().into())))
    }

    /// Proves that the database can be written, by a commit of its own.
    pub(crate) async fn probe(&self) -> Result<(), Unavailable> {
        self.write(|reply| Job::Probe { reply })
            .await
            .map_err(unavailable)
    }

    /// Stores what was given, checkpoints the WAL and closes the file. Later calls answer [`Unavailable`].
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

const SERVICE: &str = "sqlite";

fn stopped() -> Unavailable {
    Unavailable::new(SERVICE, "the database was closed, or its thread has ended")
}

/// For writes other than appends, which may be repeated whatever became of the first.
fn unavailable(error: LogError) -> Unavailable {
    match error {
        LogError::NotStored(unavailable) => unavailable,
        LogError::Unknown(source) => Unavailable {
            service: SERVICE,
            source,
        },
    }
}
