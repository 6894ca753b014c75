//! What is done to the cluster. A fault breaks something, keeps it broken for a while, and says whether it did: a fault
//! that met nobody is not counted. Healing is the same for all: [`heal`].
//!
//! | module | what it breaks |
//! |---|---|
//! | [`gateways`] | gateways: killed at exact points, paused, replaced |
//! | [`redis`] | Redis itself |
//! | [`bus`] | what Redis carries |
//! | [`postgres`] | Postgres, its locks and its connections |
//! | [`links`] | the network, and nginx |
//! | [`clients`] | clients that read slowly, vanish, or lie |
//! | [`clock`] | the wall clock of one gateway |
//!
//! To add a fault, write a type with [`Fault`] in one of these and name it in [`all`].

mod bus;
mod clients;
mod clock;
mod gateways;
mod links;
mod postgres;
mod redis;

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail};
use async_trait::async_trait;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::{
    sync::oneshot,
    time::{Duration, timeout},
};

use crate::{checks::Violation, client::Cast, world::World};

/// How long a trap may wait for the traffic that springs it.
const TRAP: Duration = Duration::from_secs(15);

/// One way to break the cluster.
#[async_trait]
pub(crate) trait Fault: Send + Sync {
    /// For the command line and the report.
    fn name(&self) -> &'static str;

    /// What it does, in a sentence.
    fn about(&self) -> &'static str;

    /// About how long it lasts.
    fn lasts(&self) -> Duration;

    /// Whether it ends a gateway's process. The first gateway is spared such faults, so that what it holds can be
    /// compared over the whole run.
    fn ends_gateways(&self) -> bool {
        false
    }

    /// Breaks, waits, and returns when its time is over. An error says that it was not injected.
    async fn run(&self, stage: &Stage) -> Result<()>;
}

/// Where a fault takes place.
pub(crate) struct Stage {
    pub(crate) world: Arc<World>,
    pub(crate) cast: Arc<Cast>,
    /// The gateway that it befalls, where it befalls one.
    pub(crate) target: usize,
    /// For its own dice.
    pub(crate) seed: u64,
    /// What a fault that asks something itself was answered wrongly.
    pub(crate) findings: Arc<Mutex<Vec<Violation>>>,
}

impl Stage {
    fn node(&self) -> &crate::world::node::Node {
        &self.world.nodes[self.target]
    }

    fn chance(&self) -> StdRng {
        StdRng::seed_from_u64(self.seed)
    }

    /// A while between these bounds.
    fn while_of(&self, millis: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.chance().random_range(millis))
    }

    fn found(&self, violation: Violation) {
        self.findings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(violation);
    }
}

async fn sprung(trap: oneshot::Receiver<()>) -> Result<()> {
    match timeout(TRAP, trap).await {
        Ok(Ok(())) => Ok(()),
        _ => bail!("nothing came to the point where it waited"),
    }
}

/// Every fault, by what it breaks.
pub(crate) fn all() -> Vec<(&'static str, Vec<Box<dyn Fault>>)> {
    vec![
        ("gateways", gateways::all()),
        ("Redis", redis::all()),
        ("the bus", bus::all()),
        ("Postgres", postgres::all()),
        ("links", links::all()),
        ("clients", clients::all()),
        ("clocks", clock::all()),
    ]
}

/// Brings everything back that a fault may have taken away. No human does more.
pub(crate) async fn heal(world: &World) -> Result<()> {
    redis::bring_back(world).await?;
    postgres::bring_back(world).await?;
    for node in &world.nodes {
        node.restore_links();
        node.gateway.resume();
        if node.has_clock() {
            node.step_clock(0)?;
        }
        if node.gateway.pid().is_none() {
            node.start().await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn every_fault_has_a_name_of_its_own() {
        let all: Vec<_> = super::all().into_iter().flat_map(|(_, faults)| faults).collect();
        let names: BTreeSet<_> = all.iter().map(|fault| fault.name()).collect();
        assert_eq!(names.len(), all.len());
    }
}
