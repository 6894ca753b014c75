//! What a gateway does for the database now and then: it keeps the batch log short.

use std::{sync::Weak, time::Duration};

use starling_core::ports::Unavailable;
use tokio::time::{MissedTickBehavior, interval};

use super::{Inner, error::unavailable, sql};

/// How long a row of the batch log is kept: a node that was paused for longer asks every room.
pub(super) const KEPT: Duration = Duration::from_secs(30 * 60);
/// How often a gateway looks.
const EVERY: Duration = Duration::from_secs(30);
/// Rows in one transaction: some milliseconds, and little that a failure undoes.
const AT_ONCE: i64 = 5_000;
/// Starling's advisory lock for this: "starprun" in ASCII. One gateway at a time; two would only be in each other's way.
const LOCK: i64 = 0x7374_6172_7072_756e;

/// Prunes until the store is gone.
pub(super) async fn run(inner: Weak<Inner>) {
    let mut due = interval(EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = prune(&inner, KEPT).await {
            // Nothing depends on it: the next round deletes what this one did not.
            tracing::warn!(%error, source = ?error.source, "the batch log was not pruned");
        }
    }
}

/// Deletes every row that is older, some thousand at a time.
pub(super) async fn prune(inner: &Inner, kept: Duration) -> Result<u64, Unavailable> {
    let mut total = 0;
    loop {
        let params: [super::pipeline::Param<'_>; 3] = [&LOCK, &AT_ONCE, &kept.as_secs_f64()];
        let rows = inner
            .readers
            .query(&inner.counters, sql::PRUNE_BATCHES, &params)
            .await?;
        let count = rows.first().map_or(Ok(0), |row| row.try_get::<_, i64>(0));
        let count = count.map_err(unavailable)?;
        total += count.unsigned_abs();
        if count < AT_ONCE {
            return Ok(total);
        }
    }
}
