//! The one writer: a thread that owns its connection and groups what waits into one commit.

use std::{fs::File, sync::Arc};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use starling_core::{
    Draft, Outcome, RoomId, Timestamp, UserId,
    ports::{LogError, Unavailable},
};
use tokio::sync::oneshot;

use super::{
    SERVICE,
    append::{self, Appended, Memory},
    crew::{Crew, Queue},
    directory, markers,
    once::Digest,
    recent::Recent,
    trim::{self, Trim},
};

/// Jobs that wait for the writer. A node's lanes give a batch at a time, so this is mostly read markers; when it is
/// full, whoever wants to write waits in their own task.
const JOBS_WAITING: usize = 1024;
/// A commit takes no further job once it has so many drafts. Four full batches: larger groups gain nothing, and make
/// each of them wait longer.
const GROUP_DRAFTS: usize = 2000;
/// A commit takes at most so many jobs: read markers and single messages from many tasks.
const GROUP_JOBS: usize = 512;

pub(super) type Reply<T> = oneshot::Sender<Result<T, LogError>>;

/// What is asked of the writer.
pub(super) enum Job {
    Append {
        drafts: Vec<Draft>,
        reply: Reply<Vec<Outcome>>,
    },
    MarkRead {
        mark: Mark,
        reply: Reply<Option<Marked>>,
    },
    Seen {
        users: Sightings,
        reply: Reply<()>,
    },
    Trim {
        trim: Trim,
        /// How many events were removed.
        reply: Reply<u64>,
    },
    Probe {
        reply: Reply<()>,
    },
}

/// When users were seen.
type Sightings = Vec<(UserId, Timestamp)>;

/// A read marker to be moved.
pub(super) struct Mark {
    pub(super) room: RoomId,
    pub(super) user: UserId,
    pub(super) seq: u64,
}

/// Where a read marker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marked {
    pub(super) seq: u64,
    pub(super) moved: bool,
}

/// The thread's tools.
pub(super) struct Writer {
    connection: Connection,
    memory: Memory,
    recent: Arc<Recent>,
    /// Held until the file is closed.
    _lock: Option<File>,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        recent: Arc<Recent>,
        lock: Option<File>,
    ) -> rusqlite::Result<Self> {
        Ok(Self {
            memory: Memory::load(&connection)?,
            connection,
            recent,
            _lock: lock,
        })
    }

    /// Starts the thread.
    pub(super) fn start(self) -> std::io::Result<Crew<Job>> {
        Crew::start(
            "sqlite-writer",
            JOBS_WAITING,
            vec![self],
            |queue, writer: Self| writer.run(&queue),
        )
    }

    fn run(mut self, queue: &Queue<Job>) {
        while let Some(first) = queue.next() {
            let mut group = Group::default();
            group.add(first);
            while group.has_room() {
                match queue.waiting() {
                    Some(job) => group.add(job),
                    None => break,
                }
            }
            self.finish(group);
        }
        if let Err(error) = self.connection.pragma_update(None, "wal_checkpoint", "TRUNCATE") {
            // Nothing is lost by it: the next start reads the WAL.
            tracing::warn!(%error, "the database was closed without a checkpoint");
        }
    }

    /// Commits a group and answers it. A group that fails is tried again job by job, so that one that cannot be stored
    /// takes no other with it.
    pub(super) fn finish(&mut self, group: Group) {
        match self.commit(&group) {
            Ok(results) => group.answer(results),
            Err(_) if group.jobs > 1 => {
                for job in group.into_jobs() {
                    let mut alone = Group::default();
                    alone.add(job);
                    self.finish(alone);
                }
            }
            Err(failure) => group.fail(&failure),
        }
    }

    fn commit(&mut self, group: &Group) -> Result<Results, Failure> {
        let tx = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Dropped on an error, and with it everything that it wrote.
        let (results, appended) = group.apply(&tx, &self.memory)?;
        tx.commit().map_err(Failure::of_commit)?;
        self.recent.note(&appended);
        self.memory.keep(appended);
        for digests in &results.trimmed {
            self.memory.forget(digests);
        }
        Ok(results)
    }
}

/// Jobs that share a commit.
#[derive(Default)]
pub(super) struct Group {
    jobs: usize,
    /// The batches one behind the other: planned as one, each draft sees what those before it did.
    drafts: Vec<Draft>,
    /// How many of the drafts are whose.
    appends: Vec<(usize, Reply<Vec<Outcome>>)>,
    marks: Vec<(Mark, Reply<Option<Marked>>)>,
    seen: Vec<(Sightings, Reply<()>)>,
    trims: Vec<(Trim, Reply<u64>)>,
    probes: Vec<Reply<()>>,
}

/// What a group comes to: for each append its outcomes, for each mark where the marker is, for each trim what it removed.
struct Results {
    outcomes: Vec<Outcome>,
    marks: Vec<Option<Marked>>,
    trimmed: Vec<Vec<Digest>>,
}

impl Group {
    fn has_room(&self) -> bool {
        self.jobs < GROUP_JOBS && self.drafts.len() < GROUP_DRAFTS
    }

    pub(super) fn add(&mut self, job: Job) {
        self.jobs += 1;
        match job {
            Job::Append { drafts, reply } => {
                self.appends.push((drafts.len(), reply));
                if self.drafts.is_empty() {
                    self.drafts = drafts;
                } else {
                    self.drafts.extend(drafts);
                }
            }
            Job::MarkRead { mark, reply } => self.marks.push((mark, reply)),
            Job::Seen { users, reply } => self.seen.push((users, reply)),
            Job::Trim { trim, reply } => self.trims.push((trim, reply)),
            Job::Probe { reply } => self.probes.push(reply),
        }
    }

    fn apply(&self, tx: &Transaction<'_>, memory: &Memory) -> rusqlite::Result<(Results, Appended)> {
        let (outcomes, appended) = append::append(tx, &self.drafts, memory)?;
        let marks = self
            .marks
            .iter()
            .map(|(mark, _)| markers::mark(tx, mark))
            .collect::<Result<_, _>>()?;
        for (users, _) in &self.seen {
            directory::store(tx, users)?;
        }
        let trimmed = self
            .trims
            .iter()
            .map(|(trim, _)| trim::trim(tx, trim))
            .collect::<Result<_, _>>()?;
        if !self.probes.is_empty() {
            tx.execute("UPDATE store SET probes = probes + 1", [])?;
        }
        let results = Results {
            outcomes,
            marks,
            trimmed,
        };
        Ok((results, appended))
    }

    // Whoever asked may have gone away meanwhile: an answer that nobody takes is dropped.

    fn answer(self, results: Results) {
        let mut outcomes = results.outcomes.into_iter();
        for (count, reply) in self.appends {
            let _ = reply.send(Ok(outcomes.by_ref().take(count).collect()));
        }
        for ((_, reply), marked) in self.marks.into_iter().zip(results.marks) {
            let _ = reply.send(Ok(marked));
        }
        for ((_, reply), digests) in self.trims.into_iter().zip(results.trimmed) {
            let _ = reply.send(Ok(digests.len() as u64));
        }
        for reply in self.seen.into_iter().map(|(_, reply)| reply).chain(self.probes) {
            let _ = reply.send(Ok(()));
        }
    }

    fn fail(self, failure: &Failure) {
        for (_, reply) in self.appends {
            let _ = reply.send(Err(failure.error()));
        }
        for (_, reply) in self.marks {
            let _ = reply.send(Err(failure.error()));
        }
        for (_, reply) in self.trims {
            let _ = reply.send(Err(failure.error()));
        }
        for reply in self.seen.into_iter().map(|(_, reply)| reply).chain(self.probes) {
            let _ = reply.send(Err(failure.error()));
        }
    }

    fn into_jobs(self) -> Vec<Job> {
        let mut drafts = self.drafts.into_iter();
        let appends = self.appends.into_iter().map(|(count, reply)| Job::Append {
            drafts: drafts.by_ref().take(count).collect(),
            reply,
        });
        let marks = self
            .marks
            .into_iter()
            .map(|(mark, reply)| Job::MarkRead { mark, reply });
        let seen = self
            .seen
            .into_iter()
            .map(|(users, reply)| Job::Seen { users, reply });
        let trims = self
            .trims
            .into_iter()
            .map(|(trim, reply)| Job::Trim { trim, reply });
        let probes = self.probes.into_iter().map(|reply| Job::Probe { reply });
        appends
            .chain(marks)
            .chain(seen)
            .chain(trims)
            .chain(probes)
            .collect()
    }
}

/// Why a commit failed.
struct Failure {
    source: Arc<rusqlite::Error>,
    /// The disk failed during the commit itself: the next start may find it in the WAL all the same.
    is_unknown: bool,
}

impl Failure {
    fn of_commit(error: rusqlite::Error) -> Self {
        let is_unknown = error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure);
        Self {
            source: Arc::new(error),
            is_unknown,
        }
    }

    fn error(&self) -> LogError {
        if self.is_unknown {
            LogError::Unknown(self.source.clone().into())
        } else {
            LogError::NotStored(Unavailable::new(SERVICE, self.source.clone()))
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self {
            source: Arc::new(error),
            is_unknown: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn only_a_disk_that_fails_during_the_commit_leaves_it_unknown() {
        let error = |code| rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_BUSY] {
            assert!(matches!(
                Failure::of_commit(error(code)).error(),
                LogError::NotStored(_)
            ));
        }
        for code in [ffi::SQLITE_IOERR, ffi::SQLITE_IOERR_FSYNC] {
            assert!(matches!(
                Failure::of_commit(error(code)).error(),
                LogError::Unknown(_)
            ));
            assert!(matches!(
                Failure::from(error(code)).error(),
                LogError::NotStored(_)
            ));
        }
    }
}
