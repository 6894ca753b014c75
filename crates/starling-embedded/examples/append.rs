//! How fast the embedded log appends: `cargo run --release -p starling-embedded --example append [SECONDS] [FOLDER]`.
//!
//! Each line is one way of writing: how many tasks append at the same time, in batches of how many messages. The folder
//! should be on the disk that is to be measured; by default it is a temporary one.

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use starling_core::{
    Action, Authority, ClientId, Clock as _, Draft, EventId, NodeId, Outcome, RoomKind, RoomSettings,
    SystemClock, draft::RoomSpec, event::MessageCreated, ports::EventLog,
};
use starling_embedded::{EmbeddedConfig, open};

const ROOMS: usize = 100;
const SENDERS: usize = 50;

fn draft(room: usize, sender: usize, action: Action) -> Draft {
    let (at, event_id) = (SystemClock.now(), EventId::new(SystemClock.now(), rand::random()));
    Draft {
        room: format!("room-{room}").parse().expect("a room id"),
        sender: format!("user-{sender}").parse().expect("a user id"),
        sender_name: Some("A Person".into()),
        authority: Authority::Member,
        client_id: ClientId::of_event(event_id),
        event_id,
        at,
        action,
    }
}

fn message(n: usize) -> Draft {
    let body = MessageCreated {
        content:
            "A message as people write them, of a hundred or so bytes: not a word, and not a whole letter."
                .into(),
        content_type: "text/plain".into(),
        reply_to: None,
        thread: None,
        attachments: Vec::new(),
        mentions: Vec::new(),
        metadata: None,
    };
    let mut draft = draft(n % ROOMS, rand::random_range(0..SENDERS), Action::Send(body));
    let client_id = EventId::new(draft.at, rand::random()).to_string();
    draft.client_id = client_id
        .chars()
        .rev()
        .collect::<String>()
        .parse()
        .expect("a client id");
    draft
}

async fn fill(log: &dyn EventLog) {
    for sender in 0..SENDERS {
        let joins: Vec<_> = (0..ROOMS)
            .map(|room| {
                let spec = RoomSpec {
                    name: format!("Room {room}"),
                    kind: RoomKind::Public,
                    description: String::new(),
                    max_members: 1000,
                    settings: RoomSettings::default(),
                };
                let (auto_create, max_rooms) = (Some(spec), 1000);
                draft(
                    room,
                    sender,
                    Action::Join {
                        auto_create,
                        max_rooms,
                    },
                )
            })
            .collect();
        log.append(&joins).await.expect("the log appends");
    }
}

async fn measure(log: &Arc<dyn EventLog>, tasks: usize, batch: usize, time: Duration) {
    let begin = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..tasks {
        let log = log.clone();
        running.spawn(async move {
            let mut took = Vec::new();
            while begin.elapsed() < time {
                let first = rand::random_range(0..ROOMS);
                let drafts: Vec<_> = (first..first + batch).map(message).collect();
                let start = Instant::now();
                let outcomes = log.append(&drafts).await.expect("the log appends");
                took.push(start.elapsed());
                assert!(
                    outcomes
                        .iter()
                        .all(|outcome| matches!(outcome, Outcome::Committed(_)))
                );
            }
            took
        });
    }
    let mut took: Vec<Duration> = running.join_all().await.into_iter().flatten().collect();
    let rate = (took.len() * batch) as f64 / begin.elapsed().as_secs_f64();
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!(
        "{tasks:4} tasks, batches of {batch:3}: {rate:8.0} messages/s; a batch took {:?} (p50), {:?} (p99)",
        at(0.5),
        at(0.99)
    );
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut args = std::env::args().skip(1);
    let seconds = args.next().map_or(5.0, |text| text.parse().expect("seconds"));
    let temporary = tempfile::TempDir::new().expect("a temporary folder");
    let folder = args.next().map_or(temporary.path().to_path_buf(), PathBuf::from);
    let node = NodeId::parse("bench").expect("a node id");
    let backend = open(EmbeddedConfig::new(folder), node)
        .await
        .expect("the store opens");
    fill(&*backend.log).await;
    for (tasks, batch) in [(1, 500), (4, 500), (1, 100), (1, 1), (64, 1)] {
        measure(&backend.log, tasks, batch, Duration::from_secs_f64(seconds)).await;
    }
    backend.health.close().await;
}
