//! Sessions of users over all nodes.

use std::{sync::Arc, time::Duration};

use fred::types::Value;
use futures_util::future::join_all;
use starling_core::{SessionId, UserId};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{
    asking::Asking,
    sessions::{Session, Sessions},
};
use crate::redis::{
    incarnation::Incarnations,
    link::LinkError,
    script::{BATCH, Script, script},
    shards::Shards,
};

/// Guards against garbage of nodes that died. Renewed every hour for as long as a session stays.
const SLOW_TTL: Duration = Duration::from_secs(6 * 3600);
const RENEW_SLOW_TTL: Duration = Duration::from_secs(3600);

/// What `connect.lua` replies.
const COUNTED: i64 = 1;
const FULL: i64 = 0;
const NO_LEASE: i64 = -1;

/// Counts sessions in Redis, and keeps Redis up to date with those of this node.
pub(super) struct Connections {
    shards: Arc<Shards>,
    incarnations: Incarnations,
    lease: Duration,
    asking: Arc<Asking>,
    /// For each shard.
    sessions: Vec<Sessions>,
    /// The leases were given up.
    ended: CancellationToken,
    scripts: Scripts,
}

struct Scripts {
    connect: Script,
    disconnect: Script,
    keep: Script,
    renew: Script,
    release: Script,
}

impl Connections {
    pub(super) fn new(
        shards: Arc<Shards>,
        incarnations: Incarnations,
        lease: Duration,
        asking: Arc<Asking>,
    ) -> Self {
        Self {
            sessions: shards.iter().map(|_| Sessions::default()).collect(),
            shards,
            incarnations,
            lease,
            asking,
            ended: CancellationToken::new(),
            scripts: Scripts {
                connect: script!("connect"),
                disconnect: script!("disconnect"),
                keep: script!("keep_sessions"),
                renew: script!("renew_sessions"),
                release: script!("release"),
            },
        }
    }

    pub(super) async fn connect(&self, user: &UserId, session: &SessionId, max: u32) -> bool {
        let n = self.shards.of_user(user);
        let sessions = &self.sessions[n];
        let call = async {
            match self.ask_to_connect(n, user, session, max).await? {
                NO_LEASE => {
                    // It has ended, or Redis came back empty. The other sessions are written again by `tend`.
                    if !self.renew(n).await? {
                        sessions.mark_stale();
                    }
                    self.ask_to_connect(n, user, session, max).await
                }
                answer => Ok(answer),
            }
        };
        match self.asking.ask(self.shards.get(n).server, call).await {
            Some(COUNTED) => {
                sessions.add(user, session);
                true
            }
            Some(FULL) => false,
            _ => {
                sessions.mark_stale();
                let counted = sessions.add_below(user, session, max);
                if !counted {
                    // Redis may have counted it and not been heard.
                    self.note_end(n, user, session);
                }
                counted
            }
        }
    }

    pub(super) async fn disconnect(&self, user: &UserId, session: &SessionId) {
        let n = self.shards.of_user(user);
        if !self.sessions[n].remove(user, session) {
            return;
        }
        let ended = [(user.clone(), session.clone())];
        let told = self
            .asking
            .ask(self.shards.get(n).server, self.tell_end(n, &ended));
        if told.await.is_none() {
            self.note_end(n, user, session);
        }
    }

    /// Takes the leases for the first time. Where that fails, [`Connections::tend`] goes on trying.
    pub(super) async fn begin(&self) {
        for outcome in join_all((0..self.shards.len()).map(|n| self.renew(n))).await {
            if let Err(error) = outcome {
                tracing::warn!(%error, "no lease on sessions yet");
            }
        }
    }

    /// Keeps the leases, and Redis up to date, until the token is cancelled.
    pub(super) async fn tend(&self, closed: &CancellationToken) {
        let mut every = interval(self.lease / 3);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut renewed = Instant::now();
        loop {
            tokio::select! {
                _ = every.tick() => {}
                () = closed.cancelled() => return,
                () = self.ended.cancelled() => return,
            }
            if renewed.elapsed() >= RENEW_SLOW_TTL {
                renewed = Instant::now();
                self.sessions.iter().for_each(Sessions::mark_stale);
            }
            for outcome in join_all((0..self.shards.len()).map(|n| self.tend_shard(n))).await {
                if let Err(error) = outcome {
                    tracing::debug!(%error, "a lease on sessions was not renewed");
                }
            }
        }
    }

    /// Renews a lease. Writes the sessions again where Redis has lost them or may lack some, and tells of those that
    /// ended unheard.
    async fn tend_shard(&self, n: usize) -> Result<(), LinkError> {
        let kept = self.renew(n).await?;
        let sessions = &self.sessions[n];
        if sessions.take_stale() || !kept {
            let rewritten = self.rewrite(n).await;
            if rewritten.is_err() {
                sessions.mark_stale();
            }
            rewritten?;
        }
        let ends = sessions.take_ends();
        for batch in ends.chunks(BATCH) {
            if let Err(error) = self.tell_end(n, batch).await {
                ends.iter()
                    .for_each(|(user, session)| self.note_end(n, user, session));
                return Err(error);
            }
        }
        Ok(())
    }

    async fn rewrite(&self, n: usize) -> Result<(), LinkError> {
        for batch in self.sessions[n].all().chunks(BATCH) {
            self.keep(n, batch).await?;
            // One of these may have ended while it was on its way.
            self.tell_end(n, batch).await?;
        }
        Ok(())
    }

    /// Gives the leases up for good: the sessions of this node count no longer.
    pub(super) async fn end(&self) {
        self.ended.cancel();
        let releases = self.shards.iter().enumerate().map(|(n, shard)| async move {
            // Behind a renewal that is under way; those after it see that they are not to renew.
            let turn = self.incarnations.turn(n).await;
            let args = vec![turn.present.to_string().into()];
            let keys = vec![self.lease_key(n)];
            self.scripts.release.integer(shard.link(), keys, args).await
        });
        for outcome in join_all(releases).await {
            if let Err(error) = outcome {
                tracing::warn!(%error, "a lease on sessions was not given up; it ends by itself");
            }
        }
    }

    fn lease_key(&self, n: usize) -> String {
        self.shards.get(n).names.session_leases() + self.incarnations.node().as_str()
    }

    /// Whether the lease went on, or is not to.
    async fn renew(&self, n: usize) -> Result<bool, LinkError> {
        let turn = self.incarnations.turn(n).await;
        if self.ended.is_cancelled() {
            return Ok(true);
        }
        let lease = self.lease.as_millis();
        let args = [
            turn.present.to_string(),
            turn.following.to_string(),
            lease.to_string(),
        ];
        let args = args.map(Value::from).into();
        let (link, keys) = (self.shards.get(n).link(), vec![self.lease_key(n)]);
        let kept = self.scripts.renew.integer(link, keys, args).await? == 1;
        if !kept {
            turn.began();
        }
        Ok(kept)
    }

    async fn ask_to_connect(
        &self,
        n: usize,
        user: &UserId,
        session: &SessionId,
        max: u32,
    ) -> Result<i64, LinkError> {
        let shard = self.shards.get(n);
        let keys = vec![
            shard.names.sessions() + user.as_str(),
            shard.names.session_leases(),
        ];
        let args = [
            session.to_string(),
            self.incarnations.node().to_string(),
            self.incarnations.present(n).to_string(),
            max.to_string(),
            SLOW_TTL.as_secs().to_string(),
        ];
        let args = args.map(Value::from).into();
        self.scripts
            .connect
            .integer(shard.link_for(user.as_str()), keys, args)
            .await
    }

    async fn keep(&self, n: usize, sessions: &[Session]) -> Result<(), LinkError> {
        let shard = self.shards.get(n);
        let mut args: Vec<Value> = vec![
            self.incarnations.node().as_str().into(),
            self.incarnations.present(n).to_string().into(),
            SLOW_TTL.as_secs().to_string().into(),
        ];
        args.extend(words(sessions));
        let keys = vec![shard.names.sessions(), self.lease_key(n)];
        if self.scripts.keep.integer(shard.link(), keys, args).await? != 1 {
            self.sessions[n].mark_stale();
        }
        Ok(())
    }

    /// Tells Redis of those of these sessions that are gone.
    async fn tell_end(&self, n: usize, sessions: &[Session]) -> Result<(), LinkError> {
        let gone = self.sessions[n].gone_of(sessions);
        let Some((user, _)) = gone.first() else {
            return Ok(());
        };
        let shard = self.shards.get(n);
        let link = shard.link_for(user.as_str());
        let mut args: Vec<Value> = vec![self.incarnations.node().as_str().into()];
        args.extend(words(&gone));
        let keys = vec![shard.names.sessions()];
        self.scripts.disconnect.integer(link, keys, args).await.map(drop)
    }

    /// For later. Where there are too many notes, the next incarnation voids what was written under this one.
    fn note_end(&self, n: usize, user: &UserId, session: &SessionId) {
        if !self.sessions[n].note_end(user, session) {
            self.incarnations.skip(n);
        }
    }
}

fn words(sessions: &[Session]) -> impl Iterator<Item = Value> {
    sessions
        .iter()
        .flat_map(|(user, session)| [Value::from(user.as_str()), Value::from(session.as_str())])
}
