//! Postgres is killed, its backends are ended at a COMMIT, its rows and its connections are taken.

use std::net::Ipv4Addr;

use anyhow::{Result, bail};
use async_trait::async_trait;
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    time::{Duration, sleep},
};

use super::{Fault, Stage, sprung};
use crate::{
    tap::Point,
    world::{POSTGRES_CONNECTIONS, World},
};

pub(super) fn all() -> Vec<Box<dyn Fault>> {
    let busy = |name, about, seconds, statement| -> Box<dyn Fault> {
        Box::new(Busy {
            name,
            about,
            seconds,
            statement,
        })
    };
    vec![
        Box::new(Killed),
        Box::new(CommitUnknown),
        Box::new(BackendsEnded),
        busy(
            "room-locked",
            "the row of a room is locked for 10 s",
            10,
            "SELECT 1 FROM room WHERE room_id = 'room-0' FOR UPDATE",
        ),
        busy(
            "transaction-open",
            "a transaction that has written is held open for 20 s, so that every sweep reaches back to it",
            20,
            "SELECT pg_current_xact_id()",
        ),
        busy(
            "pool-exhausted",
            "members and events are locked for 8 s: all connections for reading wait, and clients come back meanwhile",
            8,
            "LOCK TABLE member, room_event IN ACCESS EXCLUSIVE MODE",
        ),
        Box::new(NoConnections),
    ]
}

/// Ends what gateways have open.
const END_BACKENDS: &str =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'starling'";

pub(super) async fn bring_back(world: &World) -> Result<()> {
    let postgres = world.postgres.clone();
    tokio::task::spawn_blocking(move || {
        if !postgres.is_running() {
            postgres.start_again();
        }
    })
    .await?;
    Ok(())
}

struct Killed;

#[async_trait]
impl Fault for Killed {
    fn name(&self) -> &'static str {
        "postgres-killed"
    }

    fn about(&self) -> &'static str {
        "kill -9 of Postgres; it recovers from its log some seconds later"
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        let (postgres, again) = (stage.world.postgres.clone(), stage.world.postgres.clone());
        tokio::task::spawn_blocking(move || postgres.kill9()).await?;
        sleep(stage.while_of(500..4000)).await;
        tokio::task::spawn_blocking(move || again.start_again()).await?;
        Ok(())
    }
}

/// The gateway lives, and must find out by itself.
struct CommitUnknown;

#[async_trait]
impl Fault for CommitUnknown {
    fn name(&self) -> &'static str {
        "commit-unknown"
    }

    fn about(&self) -> &'static str {
        "Postgres has committed, and the link is lost before the gateway is told; five times"
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        let tap = &stage.node().postgres;
        for _ in 0..5 {
            sprung(tap.trap(Point::Committed, 2)).await?;
            sleep(Duration::from_millis(300)).await;
            tap.cut();
        }
        Ok(())
    }
}

struct BackendsEnded;

#[async_trait]
impl Fault for BackendsEnded {
    fn name(&self) -> &'static str {
        "backends-ended-at-commit"
    }

    fn about(&self) -> &'static str {
        "pg_terminate_backend of all backends while a COMMIT is under way; five times"
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        let tap = &stage.node().postgres;
        for n in 0..5 {
            // By turns the backend has the COMMIT, or is ended before it comes.
            let point = if n % 2 == 0 {
                Point::CommitSent
            } else {
                Point::InsideTransaction
            };
            sprung(tap.trap(point, 2)).await?;
            stage.world.sql(END_BACKENDS).await?;
            tap.cut();
        }
        Ok(())
    }
}

/// A transaction that takes something and keeps it.
struct Busy {
    name: &'static str,
    about: &'static str,
    seconds: u64,
    statement: &'static str,
}

#[async_trait]
impl Fault for Busy {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        let Self {
            seconds, statement, ..
        } = self;
        let holding = stage
            .world
            .sql(format!("BEGIN; {statement}; SELECT pg_sleep({seconds}); COMMIT"));
        let coming_back = async {
            if self.name == "pool-exhausted" {
                for _ in 0..3 {
                    sleep(Duration::from_secs(1)).await;
                    let doors = stage.world.nodes.iter().flat_map(|node| &node.doors);
                    doors.for_each(starling_testkit::fixtures::proxy::ChaosProxy::cut);
                }
            }
        };
        tokio::join!(holding, coming_back).0.map(drop)
    }
}

/// Strangers use up what `max_connections` allows, and the gateways have to connect anew.
struct NoConnections;

#[async_trait]
impl Fault for NoConnections {
    fn name(&self) -> &'static str {
        "postgres-full"
    }

    fn about(&self) -> &'static str {
        "others take all of Postgres's connections while the gateways must open theirs anew"
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(6)
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        let ended = stage.world.sql(END_BACKENDS).await?;
        if ended.trim() == "0" {
            bail!("no gateway was connected");
        }
        let mut strangers = Vec::new();
        for _ in 0..POSTGRES_CONNECTIONS {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, stage.world.postgres.port())).await?;
            let words = b"user\0postgres\0database\0postgres\0\0";
            let length = u32::try_from(words.len() + 8)?.to_be_bytes();
            stream
                .write_all(&[&length[..], &[0, 3, 0, 0], words].concat())
                .await?;
            strangers.push(stream);
        }
        sleep(self.lasts()).await;
        Ok(())
    }
}
