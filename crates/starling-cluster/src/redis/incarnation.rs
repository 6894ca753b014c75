//! Incarnations: under which number this node speaks in each shard.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use starling_core::{Clock, NodeId};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Of a number, the bits that are chance.
const CHANCE_BITS: u32 = 10;

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
    /// A node that starts again has other numbers.
    pub(super) fn new(node: NodeId, clock: Arc<dyn Clock>, shards: usize) -> Self {
        let incarnation = |_| Incarnation {
            number: AtomicU64::new(fresh(&*clock)),
            turn: Semaphore::new(1),
        };
        Self {
            shards: (0..shards).map(incarnation).collect(),
            node,
            clock,
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
            following: fresh(&*self.clock).max(present + 1),
            _permit: permit,
        }
    }
}

/// The clock's milliseconds, and chance behind them: two processes of one node id that begin in the same millisecond
/// must not take each other's lease for their own. Together they have 53 bits until the year 2248.
fn fresh(clock: &dyn Clock) -> u64 {
    let millis = u64::try_from(clock.now().as_millis()).unwrap_or(0);
    millis << CHANCE_BITS | u64::from(rand::random::<u16>()) >> (16 - CHANCE_BITS)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use starling_core::Timestamp;

    use super::*;

    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_800_000_000_000)
        }
    }

    #[test]
    fn processes_that_begin_in_one_millisecond_have_numbers_of_their_own() {
        let begin = |_| {
            let node = NodeId::parse("same").unwrap();
            Incarnations::new(node, Arc::new(Stopped), 1).present(0)
        };
        let numbers: HashSet<u64> = (0..100).map(begin).collect();
        // A hundred out of 1,024 meet now and then, but not often.
        assert!(numbers.len() > 50, "{}", numbers.len());
        assert!(numbers.iter().all(|number| *number < 1 << 53));
    }
}
