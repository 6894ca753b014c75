//! Incarnations: under which number this node speaks in each shard.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use starling_core::{Clock, NodeId};
use tokio::sync::{Semaphore, SemaphorePermit};

/// What a node says counts while its lease holds the number that it was said under. A lease that had ended, or was lost
/// with a server's data, begins again under another number, so that nothing said before comes back to life.
pub(super) struct Incarnations {
    node: NodeId,
    clock: Arc<dyn Clock>,
    shards: Vec<Incarnation>,
}

struct Incarnation {
    number: AtomicU64,
    /// One renewal at a time: of two that find the lease gone, the second must see the number that the first began.
    turn: Semaphore,
}

/// The right to renew one shard's lease, and the numbers to do it with.
pub(super) struct Turn<'a> {
    incarnation: &'a Incarnation,
    pub(super) present: u64,
    pub(super) following: u64,
    _permit: Option<SemaphorePermit<'a>>,
}

impl Turn<'_> {
    /// The lease began again.
    pub(super) fn began(&self) {
        self.incarnation.number.store(self.following, Ordering::Release);
    }
}

impl Incarnations {
    /// The first numbers are the clock's milliseconds: a node that starts again has others.
    pub(super) fn new(node: NodeId, clock: Arc<dyn Clock>, shards: usize) -> Self {
        let first = millis(&*clock);
        let incarnation = |_| Incarnation {
            number: AtomicU64::new(first),
            turn: Semaphore::new(1),
        };
        Self {
            node,
            clock,
            shards: (0..shards).map(incarnation).collect(),
        }
    }

    pub(super) fn node(&self) -> &NodeId {
        &self.node
    }

    pub(super) fn present(&self, shard: usize) -> u64 {
        self.shards[shard].number.load(Ordering::Acquire)
    }

    /// How the present one is written in keys and sets.
    pub(super) fn label(&self, number: u64) -> String {
        format!("{} {number}", self.node)
    }

    /// Gives the present number up: the lease holds another, and begins again with its next renewal.
    pub(super) fn skip(&self, shard: usize) {
        self.shards[shard].number.fetch_add(1, Ordering::AcqRel);
    }

    /// Waits for the turn to renew a shard's lease.
    pub(super) async fn turn(&self, shard: usize) -> Turn<'_> {
        let incarnation = &self.shards[shard];
        // The semaphore is never closed.
        let permit = incarnation.turn.acquire().await.ok();
        let present = self.present(shard);
        Turn {
            incarnation,
            present,
            following: millis(&*self.clock).max(present + 1),
            _permit: permit,
        }
    }
}

fn millis(clock: &dyn Clock) -> u64 {
    u64::try_from(clock.now().as_millis()).unwrap_or(0)
}
