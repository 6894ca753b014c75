//! How the real binary begins and ends: killed while it writes, asked to stop, started twice, out of space.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod support;

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
};

use jsonwebtoken::{EncodingKey, Header};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use support::{DEADLINE, Output, SECRET, Server, end_of, free_addr, starling};
use tokio_tungstenite::tungstenite::{self, Message, WebSocket, connect, stream::MaybeTlsStream};

/// What limits people must not limit a loop.
const FAST: [(&str, &str); 5] = [
    ("STARLING_LIMITS__HANDSHAKES_PER_MINUTE", "100000"),
    ("STARLING_LIMITS__COMMANDS_PER_MINUTE", "1000000"),
    ("STARLING_LIMITS__COMMAND_BURST", "1000000"),
    ("STARLING_MESSAGING__RATE_PER_MINUTE", "1000000"),
    ("STARLING_MESSAGING__BURST", "1000000"),
];
const ROOM: &str = "general";

fn token(claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::default(), claims, &key).unwrap()
}

/// A client that asks and waits.
struct Client {
    socket: WebSocket<MaybeTlsStream<std::net::TcpStream>>,
    last_id: u64,
}

impl Client {
    fn join(addr: SocketAddr, user: &str) -> Self {
        let token = token(&json!({"sub": user, "exp": 4_000_000_000_u64}));
        let (socket, _) = connect(format!("ws://{addr}/ws?token={token}")).unwrap();
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
        }
        let mut client = Self { socket, last_id: 0 };
        client
            .ask("join_room", &json!({"roomId": ROOM}))
            .unwrap()
            .unwrap();
        client
    }

    /// Sends a command and waits for its reply; an error of the socket is the outer one, a refusal the inner one.
    fn ask(&mut self, kind: &str, data: &Value) -> Result<Result<Value, Value>, tungstenite::Error> {
        self.last_id += 1;
        let envelope = json!({"type": kind, "id": self.last_id, "data": data});
        self.socket.send(Message::text(envelope.to_string()))?;
        loop {
            let message = self.socket.read()?;
            if message.is_close() {
                return Err(tungstenite::Error::ConnectionClosed);
            }
            let Message::Text(text) = message else { continue };
            let reply: Value = serde_json::from_str(&text).unwrap();
            if reply["id"] == self.last_id {
                let data = reply["data"].clone();
                return Ok(if reply["type"] == "error" {
                    Err(data)
                } else {
                    Ok(data)
                });
            }
        }
    }

    fn send(&mut self, client_id: &str, content: &str) -> Result<Result<Value, Value>, tungstenite::Error> {
        self.ask(
            "send_message",
            &json!({"roomId": ROOM, "clientId": client_id, "content": content}),
        )
    }

    /// All messages of the room, by seq.
    fn history(&mut self) -> BTreeMap<u64, String> {
        let mut all = BTreeMap::new();
        loop {
            let after = all.last_key_value().map_or(0, |(seq, _)| *seq);
            let data = json!({"roomId": ROOM, "after": after, "limit": 200});
            let page = self.ask("fetch_history", &data).unwrap().unwrap();
            for message in page["messages"].as_array().unwrap() {
                all.insert(
                    message["seq"].as_u64().unwrap(),
                    message["content"].as_str().unwrap().to_owned(),
                );
            }
            if page["hasMore"] != true {
                return all;
            }
        }
    }

    /// Every event of the room has its place, and none is empty.
    fn check_dense(&mut self) {
        let mut expected = 1;
        loop {
            let data = json!({"roomId": ROOM, "after": expected - 1, "limit": 500});
            let page = self.ask("fetch_events", &data).unwrap().unwrap();
            for event in page["events"].as_array().unwrap() {
                assert_eq!(event["data"]["seq"], expected, "{event}");
                expected += 1;
            }
            if page["hasMore"] != true {
                return;
            }
        }
    }
}

/// What was acknowledged: seq and content.
type Acked = BTreeMap<u64, String>;

/// Sends until the connection breaks; tells of each acknowledgement.
fn send_until_broken(addr: SocketAddr, name: &str, told: &mpsc::SyncSender<()>) -> Acked {
    let mut client = Client::join(addr, name);
    let mut acked = Acked::new();
    for n in 0.. {
        let content = format!("{name} {n}");
        match client.send(&content, &content) {
            Ok(Ok(sent)) => {
                acked.insert(sent["seq"].as_u64().unwrap(), content);
                let _ = told.try_send(());
            }
            Ok(Err(refusal)) => assert_eq!(refusal["code"], "unavailable", "{refusal}"),
            Err(_) => break,
        }
    }
    acked
}

#[test]
fn whatever_was_acknowledged_is_there_after_kill_9() {
    let mut rng = StdRng::seed_from_u64(7);
    let folder = tempfile::tempdir().unwrap();
    let mut acked = Acked::new();
    for round in 0..5 {
        let addr = free_addr();
        let server = Server::start(addr, folder.path(), &FAST);
        // A full queue loses a tick, no message: the main thread only counts.
        let (told, ticks) = mpsc::sync_channel(1000);
        let senders: Vec<_> = (0..3)
            .map(|sender| {
                let told = told.clone();
                thread::spawn(move || send_until_broken(addr, &format!("round{round}-sender{sender}"), &told))
            })
            .collect();
        for _ in 0..rng.random_range(1..150) {
            ticks.recv_timeout(DEADLINE).unwrap();
        }
        server.kill();
        for sender in senders {
            acked.extend(sender.join().unwrap());
        }
        let addr = free_addr();
        let _server = Server::start(addr, folder.path(), &FAST);
        let mut reader = Client::join(addr, "reader");
        let history = reader.history();
        for (seq, content) in &acked {
            assert_eq!(history.get(seq), Some(content), "seq {seq} was acknowledged");
        }
        reader.check_dense();
        let mut contents: Vec<_> = history.values().collect();
        contents.sort();
        contents.dedup();
        assert_eq!(contents.len(), history.len(), "nothing is there twice");
    }
    assert!(!acked.is_empty());
}

#[test]
fn sigterm_drains_and_ends_well() {
    drains_and_ends_well(|server, _| server.terminate());
}

#[test]
fn an_administrator_drains_it_too() {
    drains_and_ends_well(|mut server, addr| {
        let nodes = starling()
            .args(["nodes", "--json", "--url", &format!("http://{addr}")])
            .output()
            .unwrap();
        let nodes: Value = serde_json::from_slice(&nodes.stdout).unwrap();
        assert_eq!(nodes["nodes"][0]["address"], addr.to_string());
        assert_eq!(nodes["nodes"][0]["draining"], false);
        let url = format!("http://{addr}/api/v1/admin/drain");
        let claims = json!({"sub": "root", "roles": ["admin"], "exp": 4_000_000_000_u64});
        let answer = reqwest::blocking::Client::new()
            .post(url)
            .bearer_auth(token(&claims))
            .send()
            .unwrap();
        assert_eq!(answer.status(), 202);
        server.ended()
    });
}

/// What was acknowledged before and during a drain is there afterwards.
fn drains_and_ends_well(drain: impl FnOnce(Server, SocketAddr) -> ExitStatus) {
    let folder = tempfile::tempdir().unwrap();
    let addr = free_addr();
    let mut variables = FAST.to_vec();
    variables.extend([
        ("STARLING_DRAIN__READINESS_DELAY", "100ms"),
        ("STARLING_DRAIN__WINDOW", "200ms"),
    ]);
    let server = Server::start(addr, folder.path(), &variables);
    let (told, ticks) = mpsc::sync_channel(1);
    let sender = thread::spawn(move || send_until_broken(addr, "alice", &told));
    ticks.recv_timeout(DEADLINE).unwrap();
    assert_eq!(drain(server, addr).code(), Some(0));
    let acked = sender.join().unwrap();

    let addr = free_addr();
    let _server = Server::start(addr, folder.path(), &FAST);
    let history = Client::join(addr, "bob").history();
    assert!(
        acked
            .iter()
            .all(|(seq, content)| history.get(seq) == Some(content))
    );
}

#[test]
fn a_folder_has_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let _server = Server::start(free_addr(), folder.path(), &[]);
    let mut second = starling();
    second
        .args(["serve", "--listen", &free_addr().to_string(), "--data-dir"])
        .arg(folder.path());
    let mut second = second
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let errors = Output::of(second.stderr.take().unwrap());
    assert_eq!(end_of(&mut second).code(), Some(1));
    errors.wait_for("is in use by another process", 1);
    errors.wait_for(folder.path().to_str().unwrap(), 1);
}

/// Fills the disk by sending, and makes sure that what is refused is refused well. Gives what was acknowledged.
fn fill(client: &mut Client) -> Acked {
    let mut acked = Acked::new();
    for n in 0..5000 {
        let content = format!("{n} {}", "x".repeat(4000));
        match client.send(&format!("full-{n}"), &content).unwrap() {
            Ok(sent) => drop(acked.insert(sent["seq"].as_u64().unwrap(), content)),
            Err(refusal) => {
                assert_eq!(refusal["code"], "unavailable", "{refusal}");
                assert!(refusal["retryAfterMs"].is_u64(), "{refusal}");
                return acked;
            }
        }
    }
    panic!("the disk was never full");
}

/// While the disk is full, what needs no space goes on.
fn check_goes_on(client: &mut Client, acked: &Acked) {
    assert_eq!(client.history(), *acked);
    for (kind, data) in [
        ("ping", json!({})),
        ("list_rooms", json!({})),
        ("list_members", json!({"roomId": ROOM})),
        ("typing_start", json!({"roomId": ROOM})),
        ("set_presence", json!({"status": "busy"})),
        ("signal", json!({"roomId": ROOM, "name": "x", "payload": {}})),
    ] {
        client
            .ask(kind, &data)
            .unwrap()
            .unwrap_or_else(|refusal| panic!("{kind}: {refusal}"));
    }
}

/// A small file system in memory; gone when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where this user may not mount.
    fn mount(kib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null());
        let mounted = mount.status().is_ok_and(|status| status.success());
        mounted.then_some(Self(folder))
    }

    fn resize(&self, kib: u32) -> io::Result<bool> {
        let mut mount = Command::new("mount");
        mount
            .args(["-o", &format!("remount,size={kib}k")])
            .arg(self.path());
        Ok(mount.status()?.success())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    match SmallDisk::mount(2048) {
        Some(disk) => on_a_small_disk(&disk),
        None => below_a_file_size_limit(),
    }
}

fn on_a_small_disk(disk: &SmallDisk) {
    let addr = free_addr();
    let server = Server::start(addr, disk.path(), &FAST);
    let mut client = Client::join(addr, "alice");
    let mut acked = fill(&mut client);
    check_goes_on(&mut client, &acked);
    assert!(disk.resize(16 << 10).unwrap());
    go_on(&mut client, &mut acked);
    server.kill();
    check_after_restart(disk.path(), &acked);
}

/// Files may grow to 1 MiB and no further; the kernel's signal about that is ignored, so that a write fails instead.
fn below_a_file_size_limit() {
    let folder = tempfile::tempdir().unwrap();
    let addr = free_addr();
    let mut limited = Command::new("sh");
    limited.args([
        "-c",
        "trap '' XFSZ; ulimit -f 2048; exec \"$0\" serve \"$@\"",
        env!("CARGO_BIN_EXE_starling"),
    ]);
    limited
        .env_clear()
        .env("STARLING_AUTH__HS256_SECRET", SECRET)
        .envs(FAST);
    let server = Server::run(limited, addr, folder.path());
    let mut client = Client::join(addr, "alice");
    let mut acked = fill(&mut client);
    check_goes_on(&mut client, &acked);
    server.kill();
    let addr = free_addr();
    let server = Server::start(addr, folder.path(), &FAST);
    go_on(&mut Client::join(addr, "alice"), &mut acked);
    server.kill();
    check_after_restart(folder.path(), &acked);
}

/// There is space again: what was refused is taken, sooner or later.
fn go_on(client: &mut Client, acked: &mut Acked) {
    let deadline = std::time::Instant::now() + DEADLINE;
    loop {
        match client.send("after", "there is space again").unwrap() {
            Ok(sent) => {
                acked.insert(sent["seq"].as_u64().unwrap(), "there is space again".into());
                break;
            }
            Err(refusal) => assert!(std::time::Instant::now() < deadline, "{refusal}"),
        }
    }
    assert_eq!(client.history(), *acked);
}

fn check_after_restart(folder: &Path, acked: &Acked) {
    let addr = free_addr();
    let _server = Server::start(addr, folder, &FAST);
    let mut client = Client::join(addr, "alice");
    assert_eq!(client.history(), *acked);
    client.check_dense();
}

#[test]
fn a_collector_that_hangs_does_not_hold_a_node_that_stops() {
    // The kernel takes its connections, and nobody ever answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("STARLING_TELEMETRY__LOG_LEVEL", "info,starling=debug"),
    ];
    let server = Server::start(free_addr(), folder.path(), &variables);
    let log = server.log.clone();
    assert!(server.terminate().success());
    log.wait_for("the last metrics are lost", 1);
}
