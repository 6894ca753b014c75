//! One run: the cluster, the clients, the faults, then rest and judgement, and all of it once more after a while without
//! faults.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
};

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use starling_testkit::e2e::token;
use tokio::time::{Duration, Instant, sleep, timeout};

use crate::{
    checks::{self, Evidence, Limits, Violation},
    client::{Cast, Clients, DEVICES, Phase, Size, model::Model, socket::Socket},
    faults::{self, Stage},
    plan::{self, Chosen, Step, Wish},
    report::{self, Injected, Work, line},
    story,
    world::{Parts, World, truth::Truth, vitals::Vitals},
};

/// How long rest may take to come, after the faults. It is measured; only a broken cluster takes so long.
const REST: Duration = Duration::from_secs(120);
/// Between two looks whether it has come.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What is asked for.
pub(crate) struct Order {
    pub(crate) wish: Wish,
    pub(crate) size: Size,
    /// Without faults before all is checked again.
    pub(crate) calm: Duration,
    pub(crate) binary: PathBuf,
    pub(crate) folder: PathBuf,
}

/// Runs, and says whether all held.
pub(crate) async fn run(order: &Order) -> Result<bool> {
    let steps = plan::make(&order.wish)?;
    std::fs::create_dir_all(&order.folder).with_context(|| order.folder.display().to_string())?;
    let clock = clock_library();
    let parts = Parts {
        seed: order.wish.seed,
        nodes: order.wish.nodes,
        binary: &order.binary,
        folder: &order.folder,
        clock: clock.as_deref(),
    };
    let world = Arc::new(World::start(&parts).await?);
    let cast = Arc::new(Cast::new(order.wish.seed, world.doors(), order.size));
    make_rooms(&world, &cast).await?;
    let mut run = Run {
        clients: Clients::start(&cast),
        world,
        cast,
        vitals: Vec::new(),
        limits: Limits::default(),
        findings: Arc::default(),
        injected: Vec::new(),
        folder: order.folder.clone(),
    };
    run.go(&steps, order.calm).await
}

/// Debian's package `libfaketime`, which `faketime` brings.
fn clock_library() -> Option<PathBuf> {
    let folders = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib",
    ];
    let mut files = folders
        .iter()
        .map(|folder| Path::new(folder).join("faketime/libfaketimeMT.so.1"));
    files.find(|file| file.is_file())
}

fn token_of(user: &str) -> String {
    let exp = token::in_future(Duration::from_secs(30 * 24 * 3600));
    token::sign(&json!({ "sub": user, "exp": exp }))
}

async fn dial(addr: std::net::SocketAddr, user: &str) -> Result<Socket> {
    let dialled = Socket::connect(addr, &token_of(user)).await;
    dialled.map(|(socket, _)| socket).map_err(anyhow::Error::msg)
}

/// The first user creates all rooms, and so owns them.
async fn make_rooms(world: &World, cast: &Cast) -> Result<()> {
    let mut owner = dial(world.nodes[0].addr(), &cast.users[0]).await?;
    for room in &cast.rooms {
        let create = json!({ "roomId": room, "name": room });
        owner
            .ask("create_room", &create)
            .await
            .map_err(anyhow::Error::msg)?;
    }
    owner.close().await;
    Ok(())
}

struct Run {
    world: Arc<World>,
    cast: Arc<Cast>,
    clients: Clients,
    vitals: Vec<Vitals>,
    limits: Limits,
    findings: Arc<Mutex<Vec<Violation>>>,
    injected: Vec<Injected>,
    folder: PathBuf,
}

impl Run {
    async fn go(&mut self, steps: &[Step], calm: Duration) -> Result<bool> {
        self.settle().await.context("before any fault")?;
        self.limits = self.measure_limits().await?;
        self.cast.phase.send_replace(Phase::Work);
        sleep(Duration::from_secs(2)).await;
        for (n, step) in steps.iter().enumerate() {
            self.step(step, (n + 1, steps.len())).await?;
        }
        line("\n== after the faults");
        let first = self.judge().await?;
        line(format_args!(
            "\n== after another {} s without faults",
            calm.as_secs()
        ));
        self.cast.phase.send_replace(Phase::Work);
        self.sample_for(calm).await?;
        let second = self.judge().await?;
        line("\n== faults");
        line(report::faults(&self.injected));
        let injected = self.injected.iter().filter(|one| one.why_not.is_none()).count();
        let devices = self.cast.users.len() * DEVICES;
        let idle = second.0.is_idle(devices, injected);
        if let Some(idle) = idle {
            line(format_args!("this run showed nothing: {idle}"));
        }
        self.presence_of_the_gone().await?;
        Ok(first.1 && second.1 && idle.is_none())
    }

    /// Injects, heals, and lets be for a while.
    async fn step(&mut self, step: &Step, (n, of): (usize, usize)) -> Result<()> {
        let running = step.faults.iter().map(|chosen| self.inject(chosen));
        let ended = futures_util::future::join_all(running).await;
        let healed = faults::heal(&self.world).await;
        healed.context("the cluster cannot be brought back")?;
        for injected in ended {
            let outcome = injected.why_not.clone().unwrap_or_else(|| "injected".into());
            let counts = &self.cast.counts;
            line(format_args!(
                "{:>7.1} s  {n:>3}/{of} {:<26} {outcome}   [sent {}, acked {}, delivered {}, connections {}, node-0 {} MiB]",
                self.cast.started.elapsed().as_secs_f64(),
                injected.name,
                counts.sent.load(Relaxed),
                counts.acked.load(Relaxed),
                counts.delivered.load(Relaxed),
                counts.connected.load(Relaxed),
                self.resident() >> 20,
            ));
            self.injected.push(injected);
        }
        self.sample_for(step.calm).await
    }

    /// What the gateway that is spared holds in memory, as of the last sample.
    fn resident(&self) -> u64 {
        let last = self.vitals.last().and_then(|vitals| vitals.nodes[0]);
        last.map_or(0, |node| node.resident)
    }

    async fn inject(&self, chosen: &Chosen) -> Injected {
        let stage = Stage {
            world: self.world.clone(),
            cast: self.cast.clone(),
            target: chosen.target,
            seed: chosen.seed,
            findings: self.findings.clone(),
        };
        let ran = chosen.fault.run(&stage).await;
        Injected {
            name: chosen.fault.name(),
            why_not: ran.err().map(|error| format!("{error:#}")),
        }
    }

    /// Without faults: a sample now, and every few seconds.
    async fn sample_for(&mut self, span: Duration) -> Result<()> {
        let until = Instant::now() + span;
        loop {
            self.sample().await?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            sleep(left.min(Duration::from_secs(5))).await;
        }
        if self.clients.has_lost_one() {
            bail!("a client's task has ended by accident");
        }
        Ok(())
    }

    async fn sample(&mut self) -> Result<()> {
        let vitals = Vitals::look(&self.world).await?;
        self.vitals.push(vitals);
        Ok(())
    }

    /// What a cluster at rest holds, with room for what comes and goes.
    async fn measure_limits(&mut self) -> Result<Limits> {
        self.sample().await?;
        let vitals = self.vitals.last().context("a sample")?;
        let nodes = self.world.nodes.len();
        let own = |node: &crate::world::vitals::NodeVitals| {
            node.descriptors
                .saturating_sub(usize::try_from(node.connections).unwrap_or(0))
        };
        Ok(Limits {
            connections: (self.cast.users.len() * DEVICES) as u64,
            redis_clients: vitals.redis_clients + nodes,
            // All that a node may have: connections for reading, and lanes, and one to spare.
            postgres_backends: nodes * (8 + 2 + 1),
            descriptors: vitals.nodes.iter().flatten().map(own).max().unwrap_or_default() + 16,
        })
    }

    /// Lets everything come to rest; how long that took.
    async fn settle(&self) -> Result<Duration> {
        let since = Instant::now();
        self.cast.phase.send_replace(Phase::Settle);
        let deadline = since + REST;
        let waited_for = |what: &'static str| async move { line(format_args!("  no rest in time: {what}")) };
        while self.clients.missing(|status| status.idle.load(Relaxed)) > 0 {
            if Instant::now() > deadline {
                let missing = self.clients.missing(|status| status.idle.load(Relaxed));
                waited_for("devices wait for answers").await;
                line(format_args!("  {missing} devices are not idle"));
                return Ok(since.elapsed());
            }
            sleep(LOOK_AGAIN).await;
        }
        let heads = Truth::heads(&self.world, &self.cast.rooms).await?;
        self.cast.phase.send_replace(Phase::Reach(heads.into()));
        while self.clients.missing(|status| status.there.load(Relaxed)) > 0 {
            if Instant::now() > deadline {
                waited_for("devices miss events").await;
                break;
            }
            sleep(LOOK_AGAIN).await;
        }
        Ok(since.elapsed())
    }

    /// Comes to rest, gathers, checks and tells; gives what was done, and whether all held.
    async fn judge(&mut self) -> Result<(Work, bool)> {
        let took = self.settle().await?;
        self.quiet().await?;
        let mut evidence = self.gather().await?;
        evidence.vitals.clone_from(&self.vitals);
        let mut violations = checks::run(&evidence);
        violations.append(&mut self.findings.lock().unwrap_or_else(PoisonError::into_inner));
        line(report::judged(&evidence, &violations, took));
        line(report::vitals(&evidence));
        if !violations.is_empty() {
            line(report::stories(&violations, &evidence, &self.world.logs()));
            story::keep(&evidence, &self.folder)?;
        }
        Ok((Work::of(&evidence.histories), violations.is_empty()))
    }

    /// Waits until nothing is held that belongs to connections that are gone; the last sample shows it.
    async fn quiet(&mut self) -> Result<()> {
        let deadline = Instant::now() + REST;
        loop {
            self.sample().await?;
            let vitals = self.vitals.last().context("a sample")?;
            let of_now = Evidence {
                limits: self.limits,
                vitals: vec![vitals.clone()],
                ..Evidence::default()
            };
            if checks::at_bounds(&of_now) || Instant::now() > deadline {
                return Ok(());
            }
            // A sample that is not yet the last one tells nothing about the rest.
            self.vitals.pop();
            sleep(Duration::from_secs(1)).await;
        }
    }

    async fn gather(&self) -> Result<Evidence> {
        let homes = self.clients.look().await?;
        let truth = Truth::read(&self.world, &self.cast.rooms).await?;
        let mut evidence = Evidence {
            rooms: self.cast.rooms.clone(),
            truth,
            limits: self.limits,
            ..Evidence::default()
        };
        for home in homes {
            let stand = home.rooms.into_iter().enumerate();
            let mine = stand.filter(|(room, _)| self.cast.belongs(home.user, *room));
            let stand = mine.map(|(room, standing)| {
                let at = standing.at.as_ref().map_or(0, |(seq, _)| *seq);
                (
                    u16::try_from(room).unwrap_or(u16::MAX),
                    standing.first,
                    at,
                    standing.model,
                )
            });
            evidence.stands.push(stand.collect());
            evidence.histories.push(home.history);
        }
        evidence.fresh = self.load_afresh().await?;
        evidence.unread = self.ask_unread().await?;
        evidence.presence = self.ask_presence().await?;
        Ok(evidence)
    }

    /// Every message of every room, as a client loads them that knows nothing.
    async fn load_afresh(&self) -> Result<Vec<Model>> {
        let mut reader = dial(self.world.nodes[0].addr(), &self.cast.users[0]).await?;
        let mut models = Vec::with_capacity(self.cast.rooms.len());
        for room in &self.cast.rooms {
            let (mut model, mut after) = (Model::default(), 0);
            loop {
                let page = json!({ "roomId": room, "after": after, "limit": 200 });
                let page = reader
                    .ask("fetch_history", &page)
                    .await
                    .map_err(anyhow::Error::msg)?;
                for message in page["messages"].as_array().into_iter().flatten() {
                    model.load(message);
                    after = message["seq"].as_u64().unwrap_or(after);
                }
                if page["hasMore"] != true {
                    break;
                }
            }
            models.push(model);
        }
        reader.close().await;
        Ok(models)
    }

    async fn ask_unread(&self) -> Result<Vec<(String, u16, u64, u64)>> {
        let mut all = Vec::new();
        for (n, user) in self.cast.users.iter().enumerate() {
            let mine: Vec<usize> = (0..self.cast.rooms.len())
                .filter(|room| self.cast.belongs(n, *room))
                .collect();
            let node = &self.world.nodes[n % self.world.nodes.len()];
            let mut socket = dial(node.addr(), user).await?;
            let rooms: Vec<_> = mine
                .iter()
                .map(|room| json!({ "roomId": self.cast.rooms[*room] }))
                .collect();
            let answer = socket.ask("subscribe", &json!({ "rooms": rooms })).await;
            let answer = answer.map_err(anyhow::Error::msg)?;
            for (room, answer) in mine.iter().zip(answer["rooms"].as_array().into_iter().flatten()) {
                let count = |field: &str| answer[field].as_u64();
                let (unread, mentions) = count("unread").zip(count("mentions")).context("counts")?;
                all.push((user.clone(), u16::try_from(*room)?, unread, mentions));
            }
            socket.close().await;
        }
        Ok(all)
    }

    async fn ask_presence(&self) -> Result<Vec<(String, String, String)>> {
        let mut all = Vec::new();
        for node in &self.world.nodes {
            let mut watcher = dial(node.addr(), "watcher").await?;
            for _ in 0..20 {
                let watched = json!({ "userIds": self.cast.users });
                let known = watcher
                    .ask("watch_presence", &watched)
                    .await
                    .map_err(anyhow::Error::msg)?;
                let known = known["users"].as_array().context("users")?.clone();
                let of_node = known.iter().map(|user| {
                    let text = |field: &str| user[field].as_str().unwrap_or_default().to_owned();
                    (node.name.clone(), text("userId"), text("status"))
                });
                let of_node: Vec<_> = of_node.collect();
                if of_node.iter().all(|(_, _, status)| status != "offline") {
                    all.extend(of_node);
                    break;
                }
                // After a loss of Redis every node says again who is there, spread over 10 s.
                sleep(Duration::from_secs(1)).await;
                all.retain(|(name, _, _)| *name != node.name);
                all.extend(of_node);
            }
            watcher.close().await;
        }
        Ok(all)
    }

    /// All devices close; how long until every node tells that all are gone. Measured, not judged: the promise is for
    /// a machine that is not busy.
    async fn presence_of_the_gone(&mut self) -> Result<()> {
        let mut watchers = Vec::new();
        for node in &self.world.nodes {
            watchers.push(dial(node.addr(), "watcher").await?);
        }
        let clients = std::mem::replace(&mut self.clients, Clients::none(&self.cast));
        clients.ended().await?;
        let since = Instant::now();
        let watched = json!({ "userIds": self.cast.users });
        for watcher in &mut watchers {
            let gone = async {
                loop {
                    let known = watcher
                        .ask("watch_presence", &watched)
                        .await
                        .map_err(anyhow::Error::msg)?;
                    let users = known["users"].as_array().context("users")?;
                    if users.iter().all(|user| user["status"] == "offline") {
                        return anyhow::Ok(());
                    }
                    sleep(LOOK_AGAIN).await;
                }
            };
            timeout(REST, gone)
                .await
                .context("users that are gone stay online")??;
        }
        line(format_args!(
            "all devices have closed, and every node tells that all are offline after {:.1} s",
            since.elapsed().as_secs_f64()
        ));
        Ok(())
    }
}
