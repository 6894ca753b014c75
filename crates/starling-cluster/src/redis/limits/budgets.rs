//! Budgets over all nodes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fred::types::Value;
use starling_core::ports::{Charge, Verdict};
use tokio::time::Instant;

use super::{
    asking::Asking,
    local::{LocalBudgets, cost, parts},
};
use crate::redis::{
    script::{Script, script},
    shards::Shards,
};

/// Takes charges from Redis, or from budgets of this node while Redis is away.
pub(super) struct Budgets {
    shards: Arc<Shards>,
    asking: Arc<Asking>,
    take: Script,
    give_back: Script,
    local: LocalBudgets,
}

/// Charges of one shard.
#[derive(Default)]
struct Bill {
    keys: Vec<String>,
    /// Microseconds for one, and how many at once.
    costs: Vec<(u128, u32)>,
    /// Whom the first one concerns: chooses the link.
    of: String,
}

impl Budgets {
    pub(super) fn new(shards: Arc<Shards>, asking: Arc<Asking>) -> Self {
        Self {
            shards,
            asking,
            take: script!("take"),
            give_back: script!("give_back"),
            local: LocalBudgets::new(),
        }
    }

    /// Charges of one user, or of one address, are one bill, and taken whole or not at all by one script. Where there
    /// are several bills the earlier are given back when a later one is refused.
    pub(super) async fn take(&self, charges: &[Charge]) -> Verdict {
        let bills = self.bills(charges);
        let mut paid = Vec::with_capacity(bills.len());
        for (n, bill) in &bills {
            let verdict = match self.take_bill(*n, bill).await {
                Some(0) => {
                    paid.push((*n, bill));
                    continue;
                }
                Some(wait) => Verdict::RetryAfter(Duration::from_micros(wait.unsigned_abs())),
                None => self.local.take(charges, Instant::now()),
            };
            if verdict != Verdict::Granted {
                for (n, bill) in paid {
                    self.give_back(n, bill).await;
                }
            }
            return verdict;
        }
        Verdict::Granted
    }

    fn bills(&self, charges: &[Charge]) -> BTreeMap<usize, Bill> {
        let mut bills: BTreeMap<usize, Bill> = BTreeMap::new();
        for charge in charges {
            let (kind, of, rate) = parts(charge);
            let Some((one, burst)) = cost(rate) else {
                continue;
            };
            let n = match charge {
                Charge::Command(user, _) | Charge::Message(user, _) => self.shards.of_user(user),
                Charge::Handshake(address, _) => self.shards.of_address(*address),
            };
            let bill = bills.entry(n).or_default();
            bill.keys.push(self.shards.get(n).names.budget(kind, &of));
            bill.costs.push((one.as_micros().max(1), burst));
            if bill.of.is_empty() {
                bill.of = of;
            }
        }
        bills
    }

    async fn take_bill(&self, n: usize, bill: &Bill) -> Option<i64> {
        let costs = bill.costs.iter();
        let args = costs.flat_map(|(one, burst)| [one.to_string(), burst.to_string()].map(Value::from));
        let shard = self.shards.get(n);
        let link = shard.link_for(&bill.of);
        let call = self.take.integer(link, bill.keys.clone(), args.collect());
        self.asking.ask(shard.server, call).await
    }

    async fn give_back(&self, n: usize, bill: &Bill) {
        let args = bill.costs.iter().map(|(one, _)| one.to_string().into()).collect();
        let shard = self.shards.get(n);
        let link = shard.link_for(&bill.of);
        let call = self.give_back.integer(link, bill.keys.clone(), args);
        // Where it fails the budget fills by itself.
        let _ = self.asking.ask(shard.server, call).await;
    }
}
