//! Counters of this backend.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start, and how the pool stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PostgresMetrics {
    /// Batches stored.
    pub batches: u64,
    /// Drafts in them.
    pub drafts: u64,
    /// Batches decided again, because another node created one of their rooms at the same moment.
    pub batch_retries: u64,
    /// Batches of which nothing was stored.
    pub batches_not_stored: u64,
    /// Batches of which it is not known.
    pub batches_unknown: u64,
    /// Connections for appending that were opened.
    pub writer_connects: u64,
    /// Connections for appending that are busy now.
    pub writers_in_use: u64,
    /// Reads answered.
    pub reads: u64,
    /// Reads tried again, because the connection was found dead.
    pub read_retries: u64,
    /// Reads that failed.
    pub read_errors: u64,
    /// Connections for reading that are open now.
    pub pool_size: u64,
    /// Those of them that are busy.
    pub pool_in_use: u64,
    /// Reads that wait for a connection now.
    pub pool_waiting: u64,
}

/// The counters behind [`PostgresMetrics`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) batches: AtomicU64,
    pub(super) drafts: AtomicU64,
    pub(super) batch_retries: AtomicU64,
    pub(super) batches_not_stored: AtomicU64,
    pub(super) batches_unknown: AtomicU64,
    pub(super) writer_connects: AtomicU64,
    pub(super) reads: AtomicU64,
    pub(super) read_retries: AtomicU64,
    pub(super) read_errors: AtomicU64,
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    add(counter, 1);
}

/// So many more.
pub(super) fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::Relaxed);
}

impl Counters {
    /// The counts now; the pool's own state is not among them.
    pub(super) fn read(&self) -> PostgresMetrics {
        let now = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PostgresMetrics {
            batches: now(&self.batches),
            drafts: now(&self.drafts),
            batch_retries: now(&self.batch_retries),
            batches_not_stored: now(&self.batches_not_stored),
            batches_unknown: now(&self.batches_unknown),
            writer_connects: now(&self.writer_connects),
            reads: now(&self.reads),
            read_retries: now(&self.read_retries),
            read_errors: now(&self.read_errors),
            ..PostgresMetrics::default()
        }
    }
}
