//! The wall clock of one gateway steps, as after a wrong answer of a time server. The monotonic clock does not.

use anyhow::{Result, bail};
use async_trait::async_trait;
use tokio::time::{Duration, sleep};

use super::{Fault, Stage};

pub(super) fn all() -> Vec<Box<dyn Fault>> {
    let step = |name, about, seconds| -> Box<dyn Fault> { Box::new(Step { name, about, seconds }) };
    vec![
        step(
            "clock-back",
            "the wall clock of one gateway goes back by an hour",
            -3600,
        ),
        step(
            "clock-ahead",
            "the wall clock of one gateway goes ahead by a day",
            86_400,
        ),
    ]
}

struct Step {
    name: &'static str,
    about: &'static str,
    seconds: i64,
}

#[async_trait]
impl Fault for Step {
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
        let Some(node) = stage.world.nodes.iter().find(|node| node.has_clock()) else {
            bail!("libfaketime is not installed (Debian's package `faketime`)");
        };
        node.step_clock(self.seconds)?;
        sleep(self.lasts()).await;
        node.step_clock(0)
    }
}
