//! Measures the Redis half of the backend on this machine:
//!
//! ```text
//! cargo run --release -p starling-cluster --example redis_bus [redis://…]
//! ```
//!
//! Without a URL it starts a server of its own. Give the URL of a server that nobody else uses.

use std::{
    collections::HashMap,
    fs,
    future::Future,
    io::{self, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use starling_cluster::redis::{RedisConfig, RedisParts, connect};
use starling_core::{
    NodeId, RoomId, SystemClock, Timestamp, UserId,
    ports::{Bus, BusEvent, Charge, Directory, Rate, Topic, Unavailable},
    presence::{NodePresence, Status},
};
use starling_testkit::fixtures::redis::RedisFixture;
use tokio::{task::JoinSet, time::MissedTickBehavior};

/// About an event of a short message.
const PAYLOAD: usize = 300;
/// How long each rate is measured.
const SPAN: Duration = Duration::from_secs(3);
const USERS: usize = 10_000;

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome {
    let own = std::env::args().nth(1).is_none().then(RedisFixture::start);
    let url = std::env::args()
        .nth(1)
        .or_else(|| own.as_ref().map(RedisFixture::url));
    let config = RedisConfig::single(&url.unwrap_or_default());
    let before = memory();
    let (a, b) = (node(&config, "a").await?, node(&config, "b").await?);
    row(
        "memory of two nodes, idle",
        &format!("{:.1} MB", memory() - before),
    )?;
    publish_rates(&a).await?;
    latency(&a, &b).await?;
    subscriptions(&a).await?;
    presence(&a, &b).await?;
    limits(&a).await?;
    a.health.close().await;
    b.health.close().await;
    Ok(())
}

async fn node(
    config: &RedisConfig,
    name: &str,
) -> Result<RedisParts, Box<dyn std::error::Error + Send + Sync>> {
    let node = NodeId::parse(name)?;
    Ok(connect(config.clone(), node, Arc::new(Nobody), Arc::new(SystemClock)).await?)
}

/// One message a call, from so many tasks; then a hundred messages a call.
async fn publish_rates(node: &RedisParts) -> Outcome {
    for in_flight in [1, 64, 1024] {
        let rate = rate_of(in_flight, async |n| {
            let message = (room(&format!("room-{n}")), Bytes::from(vec![b'x'; PAYLOAD]));
            let bus = node.bus.clone();
            move || {
                let (bus, message) = (bus.clone(), message.clone());
                async move { bus.publish(vec![message]).await.is_ok() }
            }
        })
        .await;
        row(&format!("publish, {in_flight} in flight"), &rate.shown(1))?;
    }
    let rate = rate_of(16, async |n| {
        let message = (room(&format!("room-{n}")), Bytes::from(vec![b'x'; PAYLOAD]));
        let bus = node.bus.clone();
        move || {
            let (bus, batch) = (bus.clone(), vec![message.clone(); 100]);
            async move { bus.publish(batch).await.is_ok() }
        }
    })
    .await;
    row("publish, 16 in flight, 100 messages each", &rate.shown(100))
}

/// From the call on one node to the event on another, 2,000 times a second.
async fn latency(publisher: &RedisParts, listener: &RedisParts) -> Outcome {
    let mut receiver = listener.bus.take_receiver().ok_or("the receiver is taken")?;
    listener.bus.subscribe(&[room("latency")]).await?;
    let began = Instant::now();
    let bus = publisher.bus.clone();
    let sending = tokio::spawn(async move {
        let mut every = tokio::time::interval(Duration::from_micros(500));
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while began.elapsed() < SPAN {
            every.tick().await;
            let mut payload = began.elapsed().as_nanos().to_le_bytes().to_vec();
            payload.resize(PAYLOAD, b'x');
            bus.publish(vec![(room("latency"), payload.into())]).await?;
        }
        bus.publish(vec![(room("latency"), Bytes::new())]).await
    });
    let mut times = Vec::new();
    while let Some(BusEvent::Delivered { payload, .. }) = receiver.recv().await {
        let Some(sent) = payload.first_chunk::<16>() else {
            break;
        };
        times.push(
            began
                .elapsed()
                .as_nanos()
                .saturating_sub(u128::from_le_bytes(*sent)),
        );
    }
    sending.await??;
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize] as f64 / 1000.0;
    let rate = times.len() as f64 / SPAN.as_secs_f64();
    row(
        &format!("publish to receive at {rate:.0}/s"),
        &format!(
            "p50 {:.0} µs, p99 {:.0} µs, max {:.0} µs",
            at(0.5),
            at(0.99),
            at(1.0)
        ),
    )
}

async fn subscriptions(node: &RedisParts) -> Outcome {
    let topics: Vec<Topic> = (0..10_000).map(|n| room(&format!("room-{n}"))).collect();
    let (subscribed, unsubscribed) = (
        took(node.bus.subscribe(&topics)).await?,
        took(node.bus.unsubscribe(&topics)).await?,
    );
    row(
        "10,000 topics in one call",
        &format!("subscribe {}, unsubscribe {}", ms(subscribed), ms(unsubscribed)),
    )?;
    let together = took(each_alone(node.bus.clone(), topics.clone(), true)).await?;
    let apart = took(each_alone(node.bus.clone(), topics, false)).await?;
    row(
        "10,000 topics in a call each, at once",
        &format!("subscribe {}, unsubscribe {}", ms(together), ms(apart)),
    )
}

async fn each_alone(bus: Arc<dyn Bus>, topics: Vec<Topic>, wanted: bool) -> Result<(), Unavailable> {
    let mut tasks = JoinSet::new();
    for topic in topics {
        let bus = bus.clone();
        tasks.spawn(async move {
            let topic = [topic];
            if wanted {
                bus.subscribe(&topic).await
            } else {
                bus.unsubscribe(&topic).await
            }
        });
    }
    tasks.join_all().await.into_iter().collect()
}

async fn presence(a: &RedisParts, b: &RedisParts) -> Outcome {
    let users: Vec<UserId> = (0..USERS)
        .map(|n| UserId::parse(&format!("user-{n}")))
        .collect::<Result<_, _>>()?;
    let said = NodePresence {
        status: Status::Online,
        custom: Some("in a meeting until three".into()),
        ..NodePresence::default()
    };
    let said: Vec<_> = users
        .iter()
        .map(|user| (user.clone(), Some(said.clone())))
        .collect();
    let asserted = took(a.presence.assert(&said)).await?;
    let again = took(b.presence.assert(&said)).await?;
    row(
        "presence: assert 10,000 users",
        &format!("first node {}, second node {}", ms(asserted), ms(again)),
    )?;
    let mut renewals = Vec::new();
    for _ in 0..1000 {
        renewals.push(took(a.presence.renew()).await?);
    }
    renewals.sort_unstable();
    row(
        "presence: renew, with 10,000 users",
        &format!("p50 {:.0} µs", renewals[500].as_secs_f64() * 1e6),
    )?;
    let looked = took(b.presence.lookup(&users)).await?;
    row("presence: look 10,000 users up", &ms(looked))?;
    let rooms: Vec<_> = (0..1000)
        .map(|n| RoomId::parse(&format!("room-{n}")).map(|room| (room, 5)))
        .collect::<Result<_, _>>()?;
    let counted = took(a.presence.set_room_counts(&rooms)).await?;
    let rooms: Vec<_> = rooms.into_iter().map(|(room, _)| room).collect();
    let summed = took(b.presence.room_counts(&rooms)).await?;
    row(
        "presence: counts of 1,000 rooms",
        &format!("set {}, read {}", ms(counted), ms(summed)),
    )?;
    let gone: Vec<_> = users.into_iter().map(|user| (user, None)).collect();
    row(
        "presence: take 10,000 users back",
        &ms(took(a.presence.assert(&gone)).await?),
    )
}

async fn limits(node: &RedisParts) -> Outcome {
    for in_flight in [1, 64, 1024] {
        let rate = rate_of(in_flight, async |n| {
            let user = UserId::parse(&format!("user-{n}")).ok();
            let rate = Rate {
                per_minute: 1_000_000,
                burst: 1_000_000,
            };
            let charges: Vec<_> = user
                .into_iter()
                .flat_map(|user| [Charge::Command(user.clone(), rate), Charge::Message(user, rate)])
                .collect();
            let limits = node.limits.clone();
            move || {
                let (limits, charges) = (limits.clone(), charges.clone());
                async move {
                    limits.take(&charges).await;
                    true
                }
            }
        })
        .await;
        row(
            &format!("limits: two charges a call, {in_flight} in flight"),
            &rate.shown(1),
        )?;
    }
    row(
        "limits: decided without Redis",
        &node.metrics.limits_local.get().to_string(),
    )
}

/// How often a second so many tasks, each with a call of its own, succeed.
async fn rate_of<C, F>(tasks: usize, call: impl AsyncFn(usize) -> C) -> Measured
where
    C: Fn() -> F + Send + 'static,
    F: Future<Output = bool> + Send,
{
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let mut running = JoinSet::new();
    for n in 0..tasks {
        let call = call(n).await;
        running.spawn(async move {
            let mut done = 0_u64;
            while began.elapsed() < SPAN {
                done += u64::from(call().await);
            }
            done
        });
    }
    let done: u64 = running.join_all().await.iter().sum();
    Measured {
        done: done as f64,
        seconds: began.elapsed().as_secs_f64(),
        cpu: cpu_seconds() - cpu,
    }
}

/// The rate says what this machine does now; the processor's time says what it costs, whatever else runs.
struct Measured {
    done: f64,
    seconds: f64,
    cpu: f64,
}

impl Measured {
    fn shown(&self, each: u32) -> String {
        let done = self.done * f64::from(each);
        format!(
            "{:.0}/s, {:.2} µs of this process each",
            done / self.seconds,
            self.cpu * 1e6 / done
        )
    }
}

/// What this process has used of all processors.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    ticks / 100.0
}

async fn took<T>(what: impl Future<Output = Result<T, Unavailable>>) -> Result<Duration, Unavailable> {
    let began = Instant::now();
    what.await?;
    Ok(began.elapsed())
}

fn ms(span: Duration) -> String {
    format!("{:.1} ms", span.as_secs_f64() * 1e3)
}

fn room(name: &str) -> Topic {
    RoomId::parse(name).map_or(Topic::Nodes, Topic::Room)
}

/// What this process has in memory, in MB.
fn memory() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let fields: HashMap<_, _> = status.lines().filter_map(|line| line.split_once(':')).collect();
    let kilobytes = fields
        .get("VmRSS")
        .and_then(|value| value.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}

fn row(what: &str, value: &str) -> Outcome {
    Ok(writeln!(io::stdout(), "{what:<50} {value}")?)
}

/// Nobody was ever seen.
struct Nobody;

#[async_trait::async_trait]
impl Directory for Nobody {
    async fn seen(&self, _: &[(UserId, Timestamp)]) -> Result<(), Unavailable> {
        Ok(())
    }

    async fn last_seen(&self, users: &[UserId]) -> Result<Vec<Option<Timestamp>>, Unavailable> {
        Ok(vec![None; users.len()])
    }
}
