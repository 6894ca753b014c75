//! A process that is killed loses nothing that it acknowledged.
//!
//! A child process appends from several tasks and prints each acknowledgement. It is killed at a random point; then the
//! folder is opened, and everything that was printed must be there. All rounds share one folder, so that each also starts
//! from what the kill before it left behind.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by a panic")]

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use starling_core::{Draft, EventBody, NodeId, Outcome, RoomId, ports::EventLog};
use starling_embedded::{EmbeddedConfig, open};
use starling_testkit::conformance::Desk;
use tempfile::TempDir;

const ROUNDS: u64 = 12;
const ROOMS: [&str; 3] = ["a", "b", "c"];
const TASKS: u64 = 4;
/// Tells the child its folder and its round.
const FOLDER: &str = "STARLING_KILL_TEST_FOLDER";
const ROUND: &str = "STARLING_KILL_TEST_ROUND";

#[test]
fn nothing_acknowledged_is_lost() {
    let folder = TempDir::new().unwrap();
    let mut acks = Acks::default();
    for round in 0..ROUNDS {
        let mut random = StdRng::seed_from_u64(round);
        let before = acks.0.len();
        acks.run_and_kill(folder.path(), round, random.random_range(1..400));
        acks.check(folder.path());
        assert!(acks.0.len() > before, "round {round} acknowledged something");
    }
}

/// Client id and content by room and seq.
#[derive(Default)]
struct Acks(HashMap<(String, u64), (String, String)>);

impl Acks {
    /// Runs the child until it has printed so many acknowledgements, kills it, and takes what it printed until then.
    fn run_and_kill(&mut self, folder: &Path, round: u64, lines: usize) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--ignored", "--nocapture"])
            .env(FOLDER, folder)
            .env(ROUND, round.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut printed = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut take = |line: String| {
            // The last line may be cut off.
            let Some(ack) = line.strip_suffix(" .") else {
                return;
            };
            let words: Vec<&str> = ack.split(' ').collect();
            let [room, seq, client_id, content] = words[..] else {
                panic!("the child said: {line}");
            };
            self.0.insert(
                (room.into(), seq.parse().unwrap()),
                (client_id.into(), content.into()),
            );
        };
        for _ in 0..lines {
            take(printed.next().expect("the child prints").unwrap());
        }
        child.kill().unwrap();
        printed.for_each(|line| take(line.unwrap()));
        assert!(!child.wait().unwrap().success());
    }

    #[tokio::main(flavor = "current_thread")]
    async fn check(&self, folder: &Path) {
        let backend = open(EmbeddedConfig::new(folder), NodeId::parse("check").unwrap())
            .await
            .unwrap();
        let mut found = 0;
        for room in ROOMS {
            let events = read_all(&*backend.log, room).await;
            assert!(
                events.iter().map(|event| event.seq).eq(1..=events.len() as u64),
                "dense"
            );
            for event in &events {
                let Some((client_id, content)) = self.0.get(&(room.into(), event.seq)) else {
                    continue;
                };
                let EventBody::MessageCreated(message) = &event.body else {
                    panic!("{event:?} was acknowledged as a message");
                };
                assert_eq!(
                    (event.client_id.as_str(), &message.content),
                    (client_id.as_str(), content)
                );
                found += 1;
            }
            // A client that saw no acknowledgement sends again, and a message is there once.
            if let Some(last) = events.last() {
                let again = message(&Desk::new(backend.log.clone()), room, last.client_id.as_str());
                let outcome = backend.log.append(&[again]).await.unwrap().remove(0);
                assert!(
                    matches!(&outcome, Outcome::Repeated(event) if **event == *last),
                    "{outcome:?}"
                );
            }
        }
        assert_eq!(found, self.0.len(), "acknowledged messages are in the log");
        backend.health.close().await;
    }
}

async fn read_all(log: &dyn EventLog, room: &str) -> Vec<starling_core::RoomEvent> {
    let room: RoomId = room.parse().unwrap();
    log.read(&room, 0, usize::MAX).await.unwrap()
}

/// A message whose content follows from its client id.
fn message(desk: &Desk, room: &str, client_id: &str) -> Draft {
    desk.message(room, "alice", client_id, &format!("content-of-{client_id}"))
}

#[test]
#[ignore = "run by the test that kills it"]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    append_until_killed(&folder, round);
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn append_until_killed(folder: &Path, round: u64) {
    let backend = open(EmbeddedConfig::new(folder), NodeId::parse("child").unwrap())
        .await
        .unwrap();
    let desk = Desk::new(backend.log.clone());
    for room in ROOMS {
        // From the second round on it is there.
        if backend
            .rooms
            .room(&room.parse().unwrap())
            .await
            .unwrap()
            .is_none()
        {
            desk.create(room, "alice").await;
        }
    }
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let desk = desk.clone();
        tasks.spawn(async move {
            let mut random = StdRng::seed_from_u64(round * TASKS + task);
            for batch in 0_u64.. {
                let drafts: Vec<_> = (0..random.random_range(1..20))
                    .map(|n| {
                        let room = ROOMS[random.random_range(0..ROOMS.len())];
                        message(&desk, room, &format!("{round}.{task}.{batch}.{n}"))
                    })
                    .collect();
                acknowledge(&desk.append(&drafts).await);
            }
        });
    }
    tasks.join_all().await;
}

fn acknowledge(outcomes: &[Outcome]) {
    let mut err = std::io::stderr().lock();
    for outcome in outcomes {
        let event = outcome.event().expect("committed");
        let EventBody::MessageCreated(message) = &event.body else {
            continue;
        };
        writeln!(
            err,
            "{} {} {} {} .",
            event.room, event.seq, event.client_id, message.content
        )
        .unwrap();
    }
}
