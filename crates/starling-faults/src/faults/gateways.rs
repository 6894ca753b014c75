//! Gateways are killed at exact points, paused, and replaced.

use anyhow::{Result, bail};
use async_trait::async_trait;
use starling_testkit::fixtures::proxy::{Direction, Mode};
use tokio::time::{Duration, sleep};

use super::{Fault, Stage, sprung};
use crate::tap::Point;

pub(super) fn all() -> Vec<Box<dyn Fault>> {
    let mut all: Vec<Box<dyn Fault>> = vec![Box::new(KillHalf), Box::new(Replace)];
    for kill in KILLS {
        all.push(Box::new(kill));
    }
    for (name, seconds) in [("pause-1s", 1), ("pause-5s", 5), ("pause-30s", 30)] {
        all.push(Box::new(Pause { name, seconds }));
    }
    all
}

/// `kill -9` while the tap holds back what the gateway waits for, or does next.
struct Kill {
    name: &'static str,
    about: &'static str,
    point: Point,
    withheld: Withheld,
}

/// Whose frames from the gateway are held back while it comes to the point, and lost with it.
#[derive(PartialEq, Eq)]
enum Withheld {
    Nobody,
    /// One of its doors: some members get the events, the others do not.
    Half,
    /// Both.
    Everybody,
}

const KILLS: [Kill; 7] = [
    Kill {
        name: "kill-before-transaction",
        about: "kill -9 when a batch was taken and BEGIN has not left",
        point: Point::BeforeTransaction,
        withheld: Withheld::Nobody,
    },
    Kill {
        name: "kill-inside-transaction",
        about: "kill -9 when a batch is written and COMMIT has not left",
        point: Point::InsideTransaction,
        withheld: Withheld::Nobody,
    },
    Kill {
        name: "kill-commit-unknown",
        about: "kill -9 when COMMIT has left and no answer has come",
        point: Point::CommitSent,
        withheld: Withheld::Nobody,
    },
    Kill {
        name: "kill-after-commit",
        about: "kill -9 when Postgres has committed, before anything is acknowledged, handed out or published",
        point: Point::Committed,
        withheld: Withheld::Nobody,
    },
    Kill {
        name: "kill-before-publish",
        about: "kill -9 when a batch is acknowledged and nothing of it is published",
        point: Point::BeforePublish,
        withheld: Withheld::Nobody,
    },
    Kill {
        name: "kill-before-ack",
        about: "kill -9 when a batch is published and the acknowledgement has not reached its sender",
        point: Point::Published,
        withheld: Withheld::Everybody,
    },
    Kill {
        name: "kill-during-fan-out",
        about: "kill -9 when some members have got an event, and the others, here and elsewhere, have not",
        point: Point::BeforePublish,
        withheld: Withheld::Half,
    },
];

#[async_trait]
impl Fault for Kill {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(4)
    }

    fn ends_gateways(&self) -> bool {
        true
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        let node = stage.node();
        let held = match self.withheld {
            Withheld::Nobody => &node.doors[..0],
            Withheld::Half => &node.doors[..1],
            Withheld::Everybody => &node.doors[..],
        };
        for door in held {
            door.set(Mode::BlackHole(Direction::ToClient));
        }
        let tap = match self.point {
            Point::BeforePublish | Point::Published => &node.redis,
            _ => &node.postgres,
        };
        let reached = sprung(tap.trap(self.point, 3)).await;
        if reached.is_ok() {
            node.kill().await?;
        }
        // What was held back is lost with the connection.
        held.iter().for_each(|door| door.cut());
        tap.disarm();
        tap.cut();
        node.restore_links();
        reached?;
        sleep(stage.while_of(500..3000)).await;
        node.start().await
    }
}

/// Half of the gateways at once.
struct KillHalf;

#[async_trait]
impl Fault for KillHalf {
    fn name(&self) -> &'static str {
        "kill-half"
    }

    fn about(&self) -> &'static str {
        "kill -9 of half of the gateways at once"
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn ends_gateways(&self) -> bool {
        true
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        let nodes = &stage.world.nodes;
        let half = nodes.len().div_ceil(2).min(nodes.len() - 1);
        if half == 0 {
            bail!("there is one gateway, and it is spared");
        }
        // The first is spared.
        let victims = &nodes[nodes.len() - half..];
        for node in victims {
            node.kill().await?;
        }
        sleep(stage.while_of(1000..4000)).await;
        for node in victims {
            node.start().await?;
        }
        Ok(())
    }
}

/// One step of a rolling deploy.
struct Replace;

#[async_trait]
impl Fault for Replace {
    fn name(&self) -> &'static str {
        "replace"
    }

    fn about(&self) -> &'static str {
        "SIGTERM: a gateway sends its clients away, ends, and is started again"
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn ends_gateways(&self) -> bool {
        true
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        stage.node().terminate().await?;
        stage.node().start().await
    }
}

/// A process that is stopped, and goes on.
struct Pause {
    name: &'static str,
    seconds: u64,
}

#[async_trait]
impl Fault for Pause {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        "SIGSTOP of a gateway for so long, then SIGCONT"
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        stage.node().gateway.pause();
        sleep(self.lasts()).await;
        stage.node().gateway.resume();
        Ok(())
    }
}
