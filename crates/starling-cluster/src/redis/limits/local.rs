//! Budgets of this node alone, for as long as Redis is away.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;
use starling_core::ports::{Charge, Rate, Verdict};
use tokio::time::Instant;

/// The same algorithm as `take.lua`: for each budget the time when it is full again.
pub(super) struct LocalBudgets(Mutex<HashMap<Key, Instant>>);

/// Which budget: the rate is no part of it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key(&'static str, Box<str>);

impl LocalBudgets {
    /// Budgets that are not full, at most. When there are more, all of them begin anew: under a flood of names this
    /// forgives what was charged rather than grow.
    const MOST: usize = 65_536;

    pub(super) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    pub(super) fn take(&self, charges: &[Charge], now: Instant) -> Verdict {
        let mut budgets = self.0.lock();
        if budgets.len() + charges.len() > Self::MOST {
            budgets.retain(|_, full| *full > now);
            if budgets.len() + charges.len() > Self::MOST {
                budgets.clear();
            }
        }
        let mut taken: HashMap<Key, Instant> = HashMap::with_capacity(charges.len());
        let mut wait = Duration::ZERO;
        for charge in charges {
            let (kind, of, rate) = parts(charge);
            let Some((one, burst)) = cost(rate) else {
                continue;
            };
            let key = Key(kind, of.into());
            let full = taken.get(&key).or_else(|| budgets.get(&key)).copied();
            let full = full.map_or(now, |full| full.max(now)) + one;
            wait = wait.max((full - now).saturating_sub(one * burst));
            taken.insert(key, full);
        }
        if wait > Duration::ZERO {
            return Verdict::RetryAfter(wait);
        }
        budgets.extend(taken);
        Verdict::Granted
    }
}

/// The kind of a charge as keys name it, whom it concerns, and the rate.
pub(super) fn parts(charge: &Charge) -> (&'static str, String, Rate) {
    match charge {
        Charge::Command(user, rate) => ("command", user.to_string(), *rate),
        Charge::Message(user, rate) => ("message", user.to_string(), *rate),
        Charge::Handshake(address, rate) => ("handshake", address.to_string(), *rate),
    }
}

/// What one charge costs in time, and how many fit at once; `None` for no limit. A burst of 0 means 1: a budget that
/// never grants would refuse for ever.
pub(super) fn cost(rate: Rate) -> Option<(Duration, u32)> {
    let minute = Duration::from_secs(60);
    (rate.per_minute > 0).then(|| (minute / rate.per_minute, rate.burst.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use starling_core::UserId;

    fn charge(user: &str, burst: u32) -> [Charge; 1] {
        let rate = Rate {
            per_minute: 60,
            burst,
        };
        [Charge::Command(UserId::parse(user).unwrap(), rate)]
    }

    #[test]
    fn a_budget_has_its_burst_and_fills_again() {
        let budgets = LocalBudgets::new();
        let now = Instant::now();
        for _ in 0..3 {
            assert_eq!(budgets.take(&charge("a", 3), now), Verdict::Granted);
        }
        let wait = Duration::from_secs(1);
        assert_eq!(budgets.take(&charge("a", 3), now), Verdict::RetryAfter(wait));
        assert_eq!(budgets.take(&charge("b", 3), now), Verdict::Granted);
        assert_eq!(budgets.take(&charge("a", 3), now + wait), Verdict::Granted);
        let both = [charge("a", 3), charge("b", 3)].concat();
        assert!(matches!(budgets.take(&both, now + wait), Verdict::RetryAfter(_)));
    }

    #[test]
    fn memory_is_bounded() {
        let budgets = LocalBudgets::new();
        let now = Instant::now();
        for n in 0..LocalBudgets::MOST + 10 {
            budgets.take(&charge(&format!("user-{n}"), 3), now);
        }
        assert!(budgets.0.lock().len() <= LocalBudgets::MOST);
    }
}
