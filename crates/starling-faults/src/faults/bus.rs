//! What Redis carries is lost, repeated, late, or goes one way only. The servers and links are sound meanwhile: nothing
//! tells a gateway that it misses something.

use anyhow::{Result, bail};
use async_trait::async_trait;
use tokio::time::{Duration, sleep};

use super::{Fault, Stage};
use crate::tap::Noise;

pub(super) fn all() -> Vec<Box<dyn Fault>> {
    let noise = |lose, repeat, delay| Noise { lose, repeat, delay };
    let noisy = |name, about, noise| -> Box<dyn Fault> { Box::new(Noisy { name, about, noise }) };
    vec![
        noisy(
            "bus-loses",
            "three of ten messages of the bus are lost",
            noise(30, 0, 0),
        ),
        noisy(
            "bus-repeats",
            "half of the messages of the bus come twice",
            noise(0, 50, 0),
        ),
        noisy(
            "bus-reorders",
            "four of ten messages of the bus are up to 400 ms late and overtaken",
            noise(0, 0, 40),
        ),
        noisy(
            "bus-noise",
            "the bus loses, repeats and delays, by chance",
            noise(15, 15, 30),
        ),
        Box::new(Deaf),
        Box::new(Mute),
    ]
}

/// For all gateways.
struct Noisy {
    name: &'static str,
    about: &'static str,
    noise: Noise,
}

#[async_trait]
impl Fault for Noisy {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(6)
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        let nodes = &stage.world.nodes;
        let touched = || nodes.iter().map(|node| node.redis.touched()).sum::<u64>();
        let before = touched();
        nodes.iter().for_each(|node| node.redis.set_noise(self.noise));
        sleep(self.lasts()).await;
        nodes
            .iter()
            .for_each(|node| node.redis.set_noise(Noise::default()));
        if touched() == before {
            bail!("nothing was on the bus");
        }
        Ok(())
    }
}

/// One gateway hears nothing of the others, but its own probes.
struct Deaf;

#[async_trait]
impl Fault for Deaf {
    fn name(&self) -> &'static str {
        "bus-deaf"
    }

    fn about(&self) -> &'static str {
        "one gateway hears nothing of the others, and its connection looks sound"
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(8)
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        let tap = &stage.node().redis;
        let before = tap.touched();
        tap.set_noise(Noise {
            lose: 100,
            ..Noise::default()
        });
        sleep(self.lasts()).await;
        tap.set_noise(Noise::default());
        if tap.touched() == before {
            bail!("nothing was on the bus");
        }
        Ok(())
    }
}

/// What one gateway publishes reaches nobody.
struct Mute;

#[async_trait]
impl Fault for Mute {
    fn name(&self) -> &'static str {
        "bus-mute"
    }

    fn about(&self) -> &'static str {
        "what one gateway publishes reaches nobody, while Redis tells it that all is well"
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(8)
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        let tap = &stage.node().redis;
        let before = tap.touched();
        tap.set_mute(true);
        sleep(self.lasts()).await;
        tap.set_mute(false);
        if tap.touched() == before {
            bail!("it published nothing");
        }
        Ok(())
    }
}
