//! Presence: what each node says of users, under a lease.
//!
//! In each shard a node has a lease: a key with a short TTL that holds the number of its incarnation. What it says of a
//! user is a field of the user's hash and begins with that number; every script compares the two, so that a dead
//! node's words are void for every reader at once, in every topology, with nothing cached. `assert` reads before and
//! after in the script that writes, so that one node tells of each change.
//!
//! Each incarnation has a sorted set of the users it speaks of. One elected node goes through the sets of dead ones and
//! tells what nobody else could. Counts of rooms are a hash for each incarnation that ends with its lease.
//!
//! A node that stops hands over: it writes the time of its end into each word, which then counts until that time whatever
//! becomes of the lease, and its users go to a sorted set by their ends, which the elected node also goes through. A node
//! of the same name that starts at once has nothing to do with it. `assert` drops what was handed over of a user.
//!
//! An `assert` that fails may have been carried out, in whole or in part. The change it made is then told by nobody:
//! whoever asserts again tells it whether or not it is visible.

mod calls;
mod word;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use starling_core::{
    RoomId, Timestamp, UserId,
    ports::{Directory, Presence, PresenceChange, Reaped, Renewal, Unavailable},
    presence::{NodePresence, Status, UserPresence, combine},
};

use self::calls::{Calls, Reap, Said};
use super::{incarnation::Incarnations, metrics::RedisMetrics, shards::Shards};

/// Users in one question to the directory.
const DIRECTORY_BATCH: usize = 1000;
/// Changes that one call of `reap` answers at most: about what one node can hold.
const REAP: usize = 100_000;

/// Presence over Redis.
pub(super) struct RedisPresence {
    shards: Arc<Shards>,
    calls: Calls,
    directory: Arc<dyn Directory>,
    metrics: Arc<RedisMetrics>,
}

impl RedisPresence {
    pub(super) fn new(
        shards: Arc<Shards>,
        incarnations: Incarnations,
        lease: Duration,
        directory: Arc<dyn Directory>,
        metrics: Arc<RedisMetrics>,
    ) -> Self {
        Self {
            calls: Calls::new(shards.clone(), incarnations, lease, metrics.clone()),
            shards,
            directory,
            metrics,
        }
    }

    /// Takes the leases for the first time. Where that fails, the first renewal finds them lost.
    pub(super) async fn begin(&self) {
        self.calls.begin().await;
    }

    /// Gives the leases up: other nodes see at once that this one is gone.
    pub(super) async fn end(&self) {
        self.calls.end().await;
    }

    /// Adds up what nodes said, and asks the directory about those who are offline before or now.
    async fn changes(&self, said: Vec<(UserId, Said)>) -> Vec<PresenceChange> {
        let mut changes: Vec<PresenceChange> = said
            .into_iter()
            .map(|(user, said)| PresenceChange {
                before: combine(&user, &said.before, None),
                now: combine(&user, &said.now, None),
            })
            .collect();
        let offline = changes
            .iter_mut()
            .flat_map(|change| [&mut change.before, &mut change.now]);
        self.fill_in_last_seen(offline.collect()).await;
        changes
    }

    /// The status of a user matters more than when they were last seen: without the directory that is left out.
    async fn fill_in_last_seen(&self, mut users: Vec<&mut UserPresence>) {
        users.retain(|user| user.status == Status::Offline);
        for users in users.chunks_mut(DIRECTORY_BATCH) {
            let ids: Vec<UserId> = users.iter().map(|user| user.user_id.clone()).collect();
            match self.directory.last_seen(&ids).await {
                Ok(times) => fill_in(users, times),
                Err(error) => {
                    self.metrics.last_seen_unknown.add(ids.len() as u64);
                    tracing::debug!(%error, users = ids.len(), "last seen is unknown");
                }
            }
        }
    }
}

#[async_trait]
impl Presence for RedisPresence {
    async fn assert(
        &self,
        users: &[(UserId, Option<NodePresence>)],
    ) -> Result<Vec<PresenceChange>, Unavailable> {
        let shard = |(user, _): &(UserId, _)| self.shards.of_user(user);
        let work = |n, indexes: Vec<usize>| async move { self.calls.assert_in(n, users, &indexes).await };
        let said = self.shards.spread(users, shard, work).await?;
        let users = users.iter().map(|(user, _)| user.clone());
        Ok(self.changes(users.zip(said).collect()).await)
    }

    async fn lookup(&self, users: &[UserId]) -> Result<Vec<UserPresence>, Unavailable> {
        let shard = |user: &UserId| self.shards.of_user(user);
        let work = |n, indexes: Vec<usize>| async move { self.calls.lookup_in(n, users, &indexes).await };
        let said = users.iter().zip(self.shards.spread(users, shard, work).await?);
        let mut seen: Vec<_> = said.map(|(user, said)| combine(user, &said.now, None)).collect();
        self.fill_in_last_seen(seen.iter_mut().collect()).await;
        Ok(seen)
    }

    async fn renew(&self) -> Result<Renewal, Unavailable> {
        Ok(self.calls.renew().await?)
    }

    async fn hand_over(&self, users: &[(UserId, Duration)]) -> Result<(), Unavailable> {
        let shard = |(user, _): &(UserId, Duration)| self.shards.of_user(user);
        let work = |n, indexes: Vec<usize>| async move {
            self.calls.hand_over_in(n, users, &indexes).await?;
            Ok(vec![(); indexes.len()])
        };
        self.shards.spread(users, shard, work).await?;
        // Another node is to tell when it ends.
        self.calls.stand_down().await;
        Ok(())
    }

    async fn reap(&self) -> Result<Reaped, Unavailable> {
        let mut reaped = Vec::new();
        let mut next: Option<Duration> = None;
        let mut failed = None;
        for n in 0..self.shards.len() {
            while reaped.len() < REAP {
                match self.calls.reap_in(n, &mut reaped).await {
                    Ok(Reap::More) => {}
                    Ok(Reap::Done(until)) => {
                        next = next.into_iter().chain(until).min();
                        break;
                    }
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
            }
        }
        match failed {
            // What was cleaned up is told, now or never; the next call meets the error again.
            Some(error) if reaped.is_empty() => Err(error.into()),
            _ => {
                self.metrics.reaped.add(reaped.len() as u64);
                let changes = self.changes(reaped).await;
                Ok(Reaped { changes, next })
            }
        }
    }

    async fn set_room_counts(&self, counts: &[(RoomId, u32)]) -> Result<(), Unavailable> {
        let shard = |(room, _): &(RoomId, u32)| self.shards.of_room(room);
        let work = |n, indexes: Vec<usize>| async move {
            self.calls.set_rooms_in(n, counts, &indexes).await?;
            Ok(vec![(); indexes.len()])
        };
        self.shards.spread(counts, shard, work).await?;
        Ok(())
    }

    async fn room_counts(&self, rooms: &[RoomId]) -> Result<Vec<u32>, Unavailable> {
        let shard = |room: &RoomId| self.shards.of_room(room);
        let work =
            |n, indexes: Vec<usize>| async move { self.calls.count_rooms_in(n, rooms, &indexes).await };
        Ok(self.shards.spread(rooms, shard, work).await?)
    }
}

fn fill_in(users: &mut [&mut UserPresence], times: Vec<Option<Timestamp>>) {
    for (user, time) in users.iter_mut().zip(times) {
        user.last_seen_at = time;
    }
}
