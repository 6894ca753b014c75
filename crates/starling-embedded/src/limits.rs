//! Budgets and connection counts.
//!
//! Budgets are GCRA, as in the cluster's script: of each budget one instant is kept, the time at which it will be full
//! again. Not the `governor` crate: a take here is over several budgets at once and all or nothing, and its rate comes
//! with each charge, where governor takes from one limiter of one rate and cannot give back.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use starling_core::{
    SessionId, UserId,
    ports::{Charge, Limits, Rate, Unavailable, Verdict},
};
use tokio::time::Instant;

/// Below so many budgets nobody looks for idle ones.
const SWEEP_AT_LEAST: usize = 1024;

/// The limits that all nodes of the process share. One lock: a take is a few hundred nanoseconds.
#[derive(Default)]
pub(crate) struct Counts {
    budgets: Mutex<Budgets>,
    connections: Mutex<Connections>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Command(UserId),
    Message(UserId),
    Handshake(IpAddr),
}

/// Budgets that are not full, by the time when they will be. An absent one is full, so a full one may be removed.
struct Budgets {
    full_at: HashMap<Key, Instant>,
    /// At this size the full ones are removed. Twice what was left by the last sweep, so that sweeping costs each take
    /// a constant on average and memory stays within twice the budgets in use.
    sweep_at: usize,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            full_at: HashMap::new(),
            sweep_at: SWEEP_AT_LEAST,
        }
    }
}

impl Budgets {
    fn take(&mut self, charges: &[Charge], now: Instant) -> Verdict {
        let mut taken = Vec::with_capacity(charges.len());
        let mut wait = Duration::ZERO;
        for charge in charges {
            let (key, rate) = split(charge);
            if rate.per_minute == 0 {
                continue;
            }
            match self.charge(&key, rate, now) {
                Ok(before) => taken.push((key, before)),
                Err(longer) => wait = wait.max(longer),
            }
        }
        if wait.is_zero() {
            self.sweep(now);
            return Verdict::Granted;
        }
        for (key, before) in taken.into_iter().rev() {
            match before {
                Some(before) => self.full_at.insert(key, before),
                None => self.full_at.remove(&key),
            };
        }
        Verdict::RetryAfter(wait)
    }

    /// Takes one from a budget, and answers what it was before; or how long to wait where it is empty.
    fn charge(&mut self, key: &Key, rate: Rate, now: Instant) -> Result<Option<Instant>, Duration> {
        let each = Duration::from_mins(1) / rate.per_minute;
        let before = self.full_at.get(key).copied();
        let full_at = before.unwrap_or(now).max(now);
        // With `burst` taken at once it is full again after `burst` times `each`, and not later.
        let at_most = now + each * rate.burst.max(1);
        match (full_at + each).checked_duration_since(at_most) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                self.full_at.insert(key.clone(), full_at + each);
                Ok(before)
            }
        }
    }

    fn sweep(&mut self, now: Instant) {
        if self.full_at.len() >= self.sweep_at {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.full_at.shrink_to(self.full_at.len() * 2);
            self.sweep_at = (self.full_at.len() * 2).max(SWEEP_AT_LEAST);
        }
    }
}

fn split(charge: &Charge) -> (Key, Rate) {
    match charge {
        Charge::Command(user, rate) => (Key::Command(user.clone()), *rate),
        Charge::Message(user, rate) => (Key::Message(user.clone()), *rate),
        Charge::Handshake(address, rate) => (Key::Handshake(*address), *rate),
    }
}

/// Sessions by user, and by the node that holds them.
#[derive(Default)]
struct Connections {
    /// The sessions of each user and their nodes: few of one user, and very many users.
    of_user: HashMap<UserId, Vec<(SessionId, u64)>>,
    nodes: u64,
}

/// A node's view of the limits. When it is dropped or closed, the connections that it counted are gone.
pub struct EmbeddedLimits {
    counts: Arc<Counts>,
    node: u64,
}

impl Counts {
    /// A further node.
    pub(crate) fn node(self: &Arc<Self>) -> EmbeddedLimits {
        let mut connections = self.connections.lock();
        connections.nodes += 1;
        EmbeddedLimits {
            counts: self.clone(),
            node: connections.nodes,
        }
    }
}

impl EmbeddedLimits {
    /// Forgets the connections of this node.
    pub(crate) fn close(&self) {
        self.counts.connections.lock().of_user.retain(|_, sessions| {
            sessions.retain(|(_, node)| *node != self.node);
            !sessions.is_empty()
        });
    }
}

impl Drop for EmbeddedLimits {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait]
impl Limits for EmbeddedLimits {
    async fn take(&self, charges: &[Charge]) -> Verdict {
        self.counts.budgets.lock().take(charges, Instant::now())
    }

    async fn connect(&self, user: &UserId, session: &SessionId, max: u32) -> Result<bool, Unavailable> {
        let mut connections = self.counts.connections.lock();
        let sessions = connections.of_user.entry(user.clone());
        let sessions = sessions.or_insert_with(|| Vec::with_capacity(1));
        if let Some((_, node)) = sessions.iter_mut().find(|(known, _)| known == session) {
            *node = self.node;
            return Ok(true);
        }
        let fits = sessions.len() < max as usize;
        if fits {
            sessions.push((session.clone(), self.node));
        } else if sessions.is_empty() {
            connections.of_user.remove(user);
        }
        Ok(fits)
    }

    async fn disconnect(&self, user: &UserId, session: &SessionId) {
        let mut connections = self.counts.connections.lock();
        if let Some(sessions) = connections.of_user.get_mut(user) {
            sessions.retain(|(known, _)| known != session);
            if sessions.is_empty() {
                connections.of_user.remove(user);
            }
        }
    }

    async fn let_go(&self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn idle_budgets_are_removed() {
        let mut budgets = Budgets::default();
        let rate = Rate {
            per_minute: 60,
            burst: 1,
        };
        for n in 0..20 * SWEEP_AT_LEAST {
            let user = format!("user-{n}").parse().unwrap();
            assert_eq!(
                budgets.take(&[Charge::Command(user, rate)], Instant::now()),
                Verdict::Granted
            );
            if n % 100 == 0 {
                tokio::time::advance(Duration::from_secs(1)).await;
            }
        }
        assert!(budgets.full_at.len() <= SWEEP_AT_LEAST);
    }

    #[tokio::test]
    async fn a_node_takes_its_connections_with_it() {
        let counts = Arc::<Counts>::default();
        let (a, b) = (counts.node(), counts.node());
        let user: UserId = "alice".parse().unwrap();
        let session = |text: &str| text.parse::<SessionId>().unwrap();
        assert!(a.connect(&user, &session("1"), 2).await.unwrap());
        assert!(b.connect(&user, &session("2"), 2).await.unwrap());
        assert!(!b.connect(&user, &session("3"), 2).await.unwrap());
        drop(a);
        assert!(b.connect(&user, &session("3"), 2).await.unwrap());
        assert!(
            !b.connect(&"bob".parse().unwrap(), &session("4"), 0)
                .await
                .unwrap()
        );
        drop(b);
        assert!(counts.connections.lock().of_user.is_empty());
    }
}
