//! The network hangs or breaks, and nginx is reloaded.

use std::net::SocketAddr;

use anyhow::Result;
use async_trait::async_trait;
use starling_testkit::fixtures::proxy::{ChaosProxy, Direction, Mode};
use tokio::time::{Duration, sleep};

use super::{Fault, Stage};
use crate::world::node::Node;

pub(super) fn all() -> Vec<Box<dyn Fault>> {
    let link = |name, about, which, what| -> Box<dyn Fault> {
        Box::new(Link {
            name,
            about,
            which,
            what,
        })
    };
    vec![
        link(
            "redis-hangs",
            "the link from one gateway to Redis swallows everything, and is not closed",
            Which::Redis,
            What::Hangs(Direction::Both),
        ),
        link(
            "redis-hangs-inwards",
            "one gateway's words reach Redis, and nothing comes back",
            Which::Redis,
            What::Hangs(Direction::ToClient),
        ),
        link(
            "redis-refused",
            "the link from one gateway to Redis is cut, and new connections are refused",
            Which::Redis,
            What::Refuses,
        ),
        link(
            "postgres-hangs",
            "the link from one gateway to Postgres swallows everything, and is not closed",
            Which::Postgres,
            What::Hangs(Direction::Both),
        ),
        link(
            "postgres-refused",
            "the link from one gateway to Postgres is cut, and new connections are refused",
            Which::Postgres,
            What::Refuses,
        ),
        link(
            "clients-hang",
            "the links from clients to one gateway swallow everything, and are not closed",
            Which::Clients,
            What::Hangs(Direction::Both),
        ),
        link(
            "clients-cut",
            "the links from clients to one gateway are cut, and new connections are refused",
            Which::Clients,
            What::Refuses,
        ),
        Box::new(NginxReloaded),
    ]
}

#[derive(Clone, Copy)]
enum Which {
    Redis,
    Postgres,
    Clients,
}

impl Which {
    fn of(self, node: &Node) -> &[ChaosProxy] {
        match self {
            Self::Redis => std::slice::from_ref(&node.redis_link),
            Self::Postgres => std::slice::from_ref(&node.postgres_link),
            Self::Clients => &node.doors,
        }
    }
}

#[derive(Clone, Copy)]
enum What {
    Hangs(Direction),
    Refuses,
}

struct Link {
    name: &'static str,
    about: &'static str,
    which: Which,
    what: What,
}

#[async_trait]
impl Fault for Link {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn lasts(&self) -> Duration {
        match self.what {
            // Longer than a statement or a silence is waited for.
            What::Hangs(_) => Duration::from_secs(12),
            What::Refuses => Duration::from_secs(5),
        }
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        let links = self.which.of(stage.node());
        for link in links {
            match self.what {
                What::Hangs(way) => link.set(Mode::BlackHole(way)),
                What::Refuses => {
                    link.set(Mode::Refuse);
                    link.cut();
                }
            }
        }
        sleep(self.lasts()).await;
        links.iter().for_each(|link| link.set(Mode::Pass));
        Ok(())
    }
}

struct NginxReloaded;

#[async_trait]
impl Fault for NginxReloaded {
    fn name(&self) -> &'static str {
        "nginx-reloaded"
    }

    fn about(&self) -> &'static str {
        "nginx is reloaded twenty times, each time without another gateway"
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        let addrs: Vec<SocketAddr> = stage.world.nodes.iter().map(Node::addr).collect();
        for n in 0..20 {
            let mut some = addrs.clone();
            if some.len() > 1 && n < 19 {
                some.remove(n % addrs.len());
            }
            let world = stage.world.clone();
            tokio::task::spawn_blocking(move || world.nginx.reload(&some)).await?;
            sleep(Duration::from_millis(400)).await;
        }
        Ok(())
    }
}
