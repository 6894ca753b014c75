//! Redis itself is killed, emptied, paused; its subscribers are cut.

use std::sync::Arc;

use anyhow::{Result, bail};
use async_trait::async_trait;
use starling_testkit::fixtures::redis::RedisFixture;
use tokio::time::{Duration, sleep};

use super::{Fault, Stage};
use crate::world::World;

/// What Redis allows by default.
const DEFAULT_LIMIT: u64 = 32 << 20;

pub(super) fn all() -> Vec<Box<dyn Fault>> {
    vec![
        Box::new(Killed {
            name: "redis-killed",
            about: "Redis is killed, away for some seconds, and comes back empty",
            away: 6,
        }),
        Box::new(Killed {
            name: "redis-restarted",
            about: "Redis is killed, and comes back empty at once",
            away: 0,
        }),
        Box::new(Paused),
        Box::new(SubscribersCut),
        Box::new(OutputLimit),
    ]
}

async fn with(world: &World, act: impl FnOnce(&RedisFixture) + Send + 'static) -> Result<()> {
    let redis: Arc<RedisFixture> = world.redis.clone();
    tokio::task::spawn_blocking(move || act(&redis)).await?;
    Ok(())
}

pub(super) async fn bring_back(world: &World) -> Result<()> {
    with(world, |redis| {
        redis.resume();
        if !redis.is_running() {
            redis.start_again();
        }
        redis.limit_pubsub_output(DEFAULT_LIMIT);
    })
    .await
}

struct Killed {
    name: &'static str,
    about: &'static str,
    /// Seconds.
    away: u64,
}

#[async_trait]
impl Fault for Killed {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(self.away)
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        with(&stage.world, RedisFixture::kill9).await?;
        sleep(self.lasts()).await;
        with(&stage.world, RedisFixture::start_again).await
    }
}

struct Paused;

#[async_trait]
impl Fault for Paused {
    fn name(&self) -> &'static str {
        "redis-paused"
    }

    fn about(&self) -> &'static str {
        "SIGSTOP of Redis: its connections stay open, and nothing is answered"
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(6)
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        stage.world.redis.pause();
        sleep(self.lasts()).await;
        stage.world.redis.resume();
        Ok(())
    }
}

struct SubscribersCut;

#[async_trait]
impl Fault for SubscribersCut {
    fn name(&self) -> &'static str {
        "redis-subscribers-cut"
    }

    fn about(&self) -> &'static str {
        "CLIENT KILL TYPE pubsub, again and again"
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(4)
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        let redis = &stage.world.redis;
        let mut cut = 0;
        for _ in 0..5 {
            let redis = redis.clone();
            cut += tokio::task::spawn_blocking(move || redis.kill_pubsub_clients()).await?;
            sleep(Duration::from_millis(800)).await;
        }
        if cut == 0 {
            bail!("nobody was subscribed");
        }
        Ok(())
    }
}

struct OutputLimit;

#[async_trait]
impl Fault for OutputLimit {
    fn name(&self) -> &'static str {
        "redis-output-limit"
    }

    fn about(&self) -> &'static str {
        "client-output-buffer-limit pubsub is tiny, and messages exceed it: Redis cuts the subscribers"
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(4)
    }

    async fn run(&self, stage: &Stage) -> Result<()> {
        let room = stage.cast.rooms[0].clone();
        with(&stage.world, |redis| redis.limit_pubsub_output(4096)).await?;
        for _ in 0..4 {
            let channel = format!("starling:bus:r:{room}");
            with(&stage.world, move |redis| {
                // No notice that a gateway understands: it only fills the buffer.
                let junk = "x".repeat(256 << 10);
                redis.command(&["PUBLISH", &channel, &junk]);
            })
            .await?;
            sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }
}
