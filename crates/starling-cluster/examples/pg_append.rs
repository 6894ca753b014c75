//! How many drafts a second Postgres stores: `cargo run --release -p starling-cluster --example pg_append`.
//!
//! Starts a server of its own, unless `STARLING_TEST_POSTGRES` names one. Every row is a fresh table of batches of one
//! size by some writers, each over its own share of the rooms, as a gateway's lanes do it.
#![expect(clippy::print_stdout, reason = "an example answers on standard output")]

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use starling_cluster::postgres::{PostgresConfig, Store, connect};
use starling_core::{
    Action, Authority, ClientId, Clock, Draft, EventId, Outcome, RoomId, RoomKind, RoomSettings, SystemClock,
    UserId, draft::RoomSpec, event::MessageCreated, ports::EventLog,
};
use starling_testkit::fixtures::postgres::PostgresFixture;

const ROOMS: usize = 100;
const MEMBERS: usize = 20;
const CONTENT: usize = 200;
const SPAN: Duration = Duration::from_secs(4);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let own = std::env::var("STARLING_TEST_POSTGRES")
        .is_err()
        .then(PostgresFixture::start);
    println!("{ROOMS} rooms of {MEMBERS} members, messages of {CONTENT} bytes, {SPAN:?} each");
    println!(
        "{:>8} {:>6} {:>10} {:>10} {:>8} {:>8}",
        "writers", "batch", "drafts/s", "batches/s", "p50 ms", "p99 ms"
    );
    // Without arguments the whole table; with two, one row: writers and batch.
    let arguments: Vec<usize> = std::env::args()
        .skip(1)
        .map(|a| a.parse())
        .collect::<Result<_, _>>()?;
    let (all_writers, sizes) = match arguments[..] {
        [writers, size] => (vec![writers], vec![size]),
        _ => (vec![1, 2, 4], vec![1, 20, 100, 500]),
    };
    for &writers in &all_writers {
        for &size in &sizes {
            let url = own.as_ref().map_or_else(
                || std::env::var("STARLING_TEST_POSTGRES"),
                |own| Ok(own.database()),
            )?;
            let store = connect(PostgresConfig {
                lanes: writers,
                ..PostgresConfig::new(url)
            })
            .await?;
            row(&store, writers, size).await?;
            store.close().await;
        }
    }
    Ok(())
}

async fn row(store: &Store, writers: usize, size: usize) -> Result<(), Box<dyn Error>> {
    let ids = Arc::new(Ids::default());
    open(store, &ids).await?;
    run(store, writers, size, &ids, SPAN / 4).await?;
    let mut took = run(store, writers, size, &ids, SPAN).await?;
    took.sort_unstable();
    let at = |share: usize| took[(took.len() - 1) * share / 100].as_secs_f64() * 1000.0;
    let batches = took.len() as f64 / SPAN.as_secs_f64();
    println!(
        "{writers:>8} {size:>6} {:>10.0} {batches:>10.0} {:>8.2} {:>8.2}",
        batches * size as f64,
        at(50),
        at(99)
    );
    Ok(())
}

/// All writers for a while; how long each of their batches took.
async fn run(
    store: &Store,
    writers: usize,
    size: usize,
    ids: &Arc<Ids>,
    span: Duration,
) -> Result<Vec<Duration>, Box<dyn Error>> {
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..writers {
        let (store, ids) = (store.clone(), ids.clone());
        tasks.spawn(async move {
            let (begin, mut took, mut next) = (Instant::now(), Vec::new(), 0);
            while begin.elapsed() < span {
                let batch: Vec<Draft> = (0..size)
                    .map(|_| {
                        next += 1;
                        let room = (next * writers + writer) % ROOMS;
                        ids.draft(room, next % MEMBERS, message())
                    })
                    .collect();
                let sent = Instant::now();
                let outcomes = store.append(&batch).await?;
                took.push(sent.elapsed());
                assert!(outcomes.iter().all(|o| matches!(o, Outcome::Committed(_))));
            }
            Ok::<_, starling_core::ports::LogError>(took)
        });
    }
    let mut took = Vec::new();
    while let Some(done) = tasks.join_next().await {
        took.extend(done??);
    }
    Ok(took)
}

async fn open(store: &Store, ids: &Ids) -> Result<(), Box<dyn Error>> {
    for room in 0..ROOMS {
        let join = |_| Action::Join {
            auto_create: Some(RoomSpec {
                name: format!("Room {room}"),
                kind: RoomKind::Public,
                description: String::new(),
                max_members: 1000,
                settings: RoomSettings::default(),
            }),
            max_rooms: 1000,
        };
        let batch: Vec<Draft> = (0..MEMBERS)
            .map(|user| ids.draft(room, user, join(user)))
            .collect();
        store.append(&batch).await?;
    }
    Ok(())
}

fn message() -> Action {
    Action::Send(MessageCreated {
        content: "x".repeat(CONTENT),
        content_type: "text/plain".into(),
        reply_to: None,
        thread: None,
        attachments: Vec::new(),
        mentions: Vec::new(),
        metadata: None,
    })
}

/// Event ids by a counter: an example needs no randomness.
#[derive(Default)]
struct Ids(AtomicU64);

impl Ids {
    fn draft(&self, room: usize, user: usize, action: Action) -> Draft {
        let n = self.0.fetch_add(1, Ordering::Relaxed);
        let mut random = [0; 10];
        random[2..].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
        let at = SystemClock.now();
        let event_id = EventId::new(at, random);
        Draft {
            room: RoomId::parse(&format!("room-{room}")).expect("a room id"),
            sender: UserId::parse(&format!("user-{user}")).expect("a user id"),
            sender_name: Some("A sender".into()),
            authority: Authority::Member,
            client_id: ClientId::of_event(event_id),
            event_id,
            at,
            action,
        }
    }
}
