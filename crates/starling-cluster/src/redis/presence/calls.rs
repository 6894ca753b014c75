//! What presence asks Redis for, one shard and one batch at a time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use fred::types::Value;
use futures_util::future::join_all;
use starling_core::{RoomId, UserId, ports::Renewal, presence::NodePresence};

use super::word;
use crate::redis::{
    incarnation::Incarnations,
    link::LinkError,
    metrics::RedisMetrics,
    script::{BATCH, Items, Script, script},
    shards::{Shard, Shards},
};

/// Guards against garbage where every node died and none came back. Renewed for as long as a user stays.
const SLOW_TTL: Duration = Duration::from_secs(6 * 3600);

/// The set of users handed over is kept so many times a lease behind the last of them: time for a node to be elected. Where
/// none is left, nobody is told hours later.
const OUTLIVES: u32 = 4;

/// The scripts, and the leases that this node speaks under.
pub(super) struct Calls {
    shards: Arc<Shards>,
    incarnations: Incarnations,
    lease: Duration,
    metrics: Arc<RedisMetrics>,
    scripts: Scripts,
    /// A lease began again and the caller was not told yet.
    lost: AtomicBool,
}

struct Scripts {
    renew: Script,
    release: Script,
    assert: Script,
    hand_over: Script,
    lookup: Script,
    reap: Script,
    set_rooms: Script,
    count_rooms: Script,
}

/// What a batch of clean-up leaves.
pub(super) enum Reap {
    /// There may be more.
    More,
    /// Nothing for now, or nothing for this node; and in how long there will be, where that is known.
    Done(Option<Duration>),
}

/// What `reap.lua` replies.
const REAPED: i64 = 1;
const NOTHING_LEFT: i64 = 2;

/// What nodes said of one user, before and now.
#[derive(Default)]
pub(super) struct Said {
    pub(super) before: Vec<NodePresence>,
    pub(super) now: Vec<NodePresence>,
}

impl Said {
    /// How many words count no longer, those, and the words that still do.
    fn read(mut items: Items) -> Result<Self, LinkError> {
        let ended = usize::try_from(items.integer()?).unwrap_or(0);
        let words = items.texts()?;
        let said = |words: &[String]| words.iter().filter_map(|word| word::read(word)).collect();
        Ok(Self {
            before: said(&words),
            now: said(words.get(ended..).unwrap_or_default()),
        })
    }
}

impl Calls {
    pub(super) fn new(
        shards: Arc<Shards>,
        incarnations: Incarnations,
        lease: Duration,
        metrics: Arc<RedisMetrics>,
    ) -> Self {
        Self {
            shards,
            incarnations,
            lease,
            metrics,
            scripts: Scripts {
                renew: script!("renew"),
                release: script!("release"),
                assert: script!("assert" behind "counts"),
                hand_over: script!("hand_over"),
                lookup: script!("lookup" behind "counts"),
                reap: script!("reap"),
                set_rooms: script!("set_rooms"),
                count_rooms: script!("count_rooms"),
            },
            lost: AtomicBool::new(false),
        }
    }

    /// Takes the leases for the first time. Where that fails, the first renewal finds them lost.
    pub(super) async fn begin(&self) {
        for outcome in join_all((0..self.shards.len()).map(|n| self.renew_shard(n))).await {
            if let Err(error) = outcome {
                tracing::warn!(%error, "no presence lease yet");
            }
        }
    }

    /// Gives the leases up: other nodes see at once that this one is gone.
    pub(super) async fn end(&self) {
        self.stand_down().await;
        let releases = self.shards.iter().enumerate().map(|(n, shard)| {
            let keys = vec![self.lease_key(shard)];
            let args = vec![number(self.incarnations.present(n))];
            self.scripts.release.integer(shard.link(), keys, args)
        });
        for outcome in join_all(releases).await {
            if let Err(error) = outcome {
                tracing::warn!(%error, "a presence lease was not given up; it ends by itself");
            }
        }
    }

    /// Gives up to be the one who cleans up.
    pub(super) async fn stand_down(&self) {
        let releases = self.shards.iter().enumerate().map(|(n, shard)| {
            let me = self.incarnations.label(self.incarnations.present(n));
            let keys = vec![shard.names.reaper()];
            self.scripts.release.integer(shard.link(), keys, vec![me.into()])
        });
        for outcome in join_all(releases).await {
            if let Err(error) = outcome {
                tracing::debug!(%error, "the duty to clean up was not given up; it ends by itself");
            }
        }
    }

    fn lease_key(&self, shard: &Shard) -> String {
        shard.names.leases() + self.incarnations.node().as_str()
    }

    /// Whether the shard's lease went on.
    async fn renew_shard(&self, n: usize) -> Result<bool, LinkError> {
        let shard = self.shards.get(n);
        let turn = self.incarnations.turn(n).await;
        let label = self.incarnations.label(turn.present);
        let keys = vec![
            self.lease_key(shard),
            shard.names.incarnations(),
            shard.names.users() + &label,
            shard.names.rooms() + &label,
            shard.names.presences(),
        ];
        let args = vec![
            self.incarnations.node().as_str().into(),
            number(turn.present),
            number(turn.following),
            millis(self.lease),
            seconds(SLOW_TTL),
            number(BATCH as u64),
        ];
        let kept = self.scripts.renew.integer(shard.link(), keys, args).await? == 1;
        if !kept {
            turn.began();
        }
        Ok(kept)
    }

    /// Renews every lease.
    pub(super) async fn renew(&self) -> Result<Renewal, LinkError> {
        let mut failed = None;
        for outcome in join_all((0..self.shards.len()).map(|n| self.renew_shard(n))).await {
            match outcome {
                Ok(true) => {}
                Ok(false) => self.note_loss(),
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            // What was lost elsewhere is told when all answer.
            Some(error) => Err(error),
            None if self.lost.swap(false, Ordering::AcqRel) => Ok(Renewal::Lost),
            None => Ok(Renewal::Kept),
        }
    }

    fn note_loss(&self) {
        self.metrics.leases_lost.add(1);
        self.lost.store(true, Ordering::Release);
    }

    /// Begins a lease that a script did not find, unless somebody has done so meanwhile.
    async fn begin_again(&self, n: usize, missing: u64) -> Result<(), LinkError> {
        if self.incarnations.present(n) == missing && !self.renew_shard(n).await? {
            self.note_loss();
        }
        Ok(())
    }

    /// Runs a script that replies with 0 first where the lease is gone; once more under the next one.
    async fn under_lease<'a, T, F>(&'a self, n: usize, run: impl Fn(u64) -> F) -> Result<T, LinkError>
    where
        F: Future<Output = Result<Option<T>, LinkError>> + 'a,
    {
        for _ in 0..2 {
            let incarnation = self.incarnations.present(n);
            if let Some(done) = run(incarnation).await? {
                return Ok(done);
            }
            self.begin_again(n, incarnation).await?;
        }
        // Twice in a row: another process renews a lease of this name.
        Err(LinkError::NodeId(self.incarnations.node().clone()))
    }

    /// Asserts some of the users, all of one shard.
    pub(super) async fn assert_in(
        &self,
        n: usize,
        users: &[(UserId, Option<NodePresence>)],
        indexes: &[usize],
    ) -> Result<Vec<Said>, LinkError> {
        let shard = self.shards.get(n);
        let call = |incarnation| async move {
            let keys = vec![
                shard.names.leases(),
                shard.names.presences(),
                shard.names.users() + &self.incarnations.label(incarnation),
            ];
            let mut args = vec![
                self.incarnations.node().as_str().into(),
                number(incarnation),
                seconds(SLOW_TTL),
            ];
            for (user, said) in indexes.iter().map(|index| &users[*index]) {
                args.push(user.as_str().into());
                args.push(
                    said.as_ref()
                        .map_or_else(String::new, |said| word::write(incarnation, said))
                        .into(),
                );
            }
            let (held, words) = self.scripts.assert.array(shard.link(), keys, args).await?;
            Ok((held == 1).then_some(words))
        };
        let mut words = self.under_lease(n, call).await?;
        let mut answers = Vec::with_capacity(indexes.len());
        for index in indexes {
            let mut said = Said::read(words.items()?)?;
            said.now.extend(users[*index].1.clone());
            answers.push(said);
        }
        Ok(answers)
    }

    /// Hands some of the users over, all of one shard.
    pub(super) async fn hand_over_in(
        &self,
        n: usize,
        users: &[(UserId, Duration)],
        indexes: &[usize],
    ) -> Result<(), LinkError> {
        let shard = self.shards.get(n);
        let incarnation = self.incarnations.present(n);
        let keys = vec![
            self.lease_key(shard),
            shard.names.presences(),
            shard.names.users() + &self.incarnations.label(incarnation),
            shard.names.handed_over(),
        ];
        let mut args = vec![
            self.incarnations.node().as_str().into(),
            number(incarnation),
            millis(OUTLIVES * self.lease),
        ];
        for (user, left) in indexes.iter().map(|index| &users[*index]) {
            args.extend([user.as_str().into(), millis(*left)]);
        }
        self.scripts
            .hand_over
            .integer(shard.link(), keys, args)
            .await
            .map(drop)
    }

    pub(super) async fn lookup_in(
        &self,
        n: usize,
        users: &[UserId],
        indexes: &[usize],
    ) -> Result<Vec<Said>, LinkError> {
        let names = &self.shards.get(n).names;
        let keys = vec![names.leases(), names.presences()];
        let args = indexes
            .iter()
            .map(|index| users[*index].as_str().into())
            .collect();
        let (_, mut words) = self
            .scripts
            .lookup
            .array(self.shards.get(n).link(), keys, args)
            .await?;
        let mut answers = Vec::with_capacity(indexes.len());
        for _ in indexes {
            answers.push(Said {
                now: read(words.items()?)?,
                ..Said::default()
            });
        }
        Ok(answers)
    }

    /// One batch of a shard's clean-up.
    pub(super) async fn reap_in(
        &self,
        n: usize,
        reaped: &mut Vec<(UserId, Said)>,
    ) -> Result<Reap, LinkError> {
        let shard = self.shards.get(n);
        let keys = vec![
            shard.names.reaper(),
            shard.names.incarnations(),
            shard.names.leases(),
            shard.names.presences(),
            shard.names.users(),
            shard.names.handed_over(),
        ];
        let me = self.incarnations.label(self.incarnations.present(n));
        let args = vec![me.into(), millis(self.lease), number(BATCH as u64)];
        let (state, mut changes) = self.scripts.reap.array(shard.link(), keys, args).await?;
        match state {
            REAPED => {}
            NOTHING_LEFT => {
                let next = u64::try_from(changes.integer()?).ok();
                return Ok(Reap::Done(next.map(Duration::from_millis)));
            }
            _ => return Ok(Reap::Done(None)),
        }
        while !changes.is_empty() {
            let mut change = changes.items()?;
            let user = change.text()?;
            let said = Said::read(change)?;
            match UserId::parse(&user) {
                Ok(user) => reaped.push((user, said)),
                Err(error) => tracing::warn!(%error, "a user id that is none was cleaned up"),
            }
        }
        Ok(Reap::More)
    }

    pub(super) async fn set_rooms_in(
        &self,
        n: usize,
        counts: &[(RoomId, u32)],
        indexes: &[usize],
    ) -> Result<(), LinkError> {
        let shard = self.shards.get(n);
        let call = |incarnation| async move {
            let keys = vec![
                self.lease_key(shard),
                shard.names.rooms() + &self.incarnations.label(incarnation),
            ];
            let mut args = vec![number(incarnation)];
            for (room, count) in indexes.iter().map(|index| &counts[*index]) {
                args.extend([room.as_str().into(), number((*count).into())]);
            }
            let held = self.scripts.set_rooms.integer(shard.link(), keys, args).await?;
            Ok((held == 1).then_some(()))
        };
        self.under_lease(n, call).await
    }

    pub(super) async fn count_rooms_in(
        &self,
        n: usize,
        rooms: &[RoomId],
        indexes: &[usize],
    ) -> Result<Vec<u32>, LinkError> {
        let shard = self.shards.get(n);
        let keys = vec![
            shard.names.incarnations(),
            shard.names.leases(),
            shard.names.rooms(),
        ];
        let args = indexes
            .iter()
            .map(|index| rooms[*index].as_str().into())
            .collect();
        let (_, mut counts) = self.scripts.count_rooms.array(shard.link(), keys, args).await?;
        let count = |_| Ok(u32::try_from(counts.integer()?).unwrap_or(u32::MAX));
        indexes.iter().map(count).collect()
    }
}

fn read(words: Items) -> Result<Vec<NodePresence>, LinkError> {
    Ok(words
        .texts()?
        .iter()
        .filter_map(|word| word::read(word))
        .collect())
}

fn number(n: u64) -> Value {
    n.to_string().into()
}

fn millis(span: Duration) -> Value {
    number(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

fn seconds(span: Duration) -> Value {
    number(span.as_secs())
}
