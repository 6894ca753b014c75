//! The generator against a stand-in that makes faults on demand, and against its own baseline server.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod chat;
mod stand_in;

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use stand_in::{Fault, StandIn};
use starling_loadtest::{
    crowd::{Peer, Plan},
    ledger::Faults,
    link::Dial,
    plain::Plain,
    report::Report,
    scenario::{
        fanout::{Check, Kind, RoundReport, RoundSpec, Stage},
        publish::{Pace, Published, publish},
    },
    target::Sources,
    token::Signer,
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn starling(server: &StandIn) -> Peer {
    Peer::Starling(Box::new(Dial {
        targets: vec![server.url().parse().unwrap()],
        sources: Sources::new(3).unwrap(),
        signer: Signer::new(SECRET),
    }))
}

fn plan(rooms: usize, members: usize) -> Plan {
    Plan {
        prefix: "t".to_owned(),
        rooms,
        members,
    }
}

/// A short round.
fn spec(kind: Kind, window: usize) -> RoundSpec {
    RoundSpec {
        kind,
        window,
        frame_bytes: 400,
        warm_up_ms: 20,
        measure_ms: 100,
        drain_ms: 300,
    }
}

/// What must hold of a round without faults.
fn assert_exact(report: &RoundReport) {
    assert!(report.is_exact(), "{:?}", report.faults);
    assert!(report.deliveries > 0 && report.deliveries <= report.deliveries_in_all);
    assert_eq!(report.latency.count, report.deliveries);
    let receivers = match report.spec.kind {
        Kind::Message => report.members as u64,
        Kind::Signal => report.members as u64 - 1,
    };
    assert!(
        report.deliveries_in_all.is_multiple_of(receivers),
        "every message reached every receiver"
    );
    if report.spec.kind == Kind::Message {
        assert_eq!(report.acks_in_all * receivers, report.deliveries_in_all);
    }
}

#[test]
fn a_server_without_faults_gets_an_exact_account() {
    let server = StandIn::start(Fault::Nothing);
    for check in [Check::All, Check::Pairs] {
        let mut stage = Stage::open(&starling(&server), plan(4, 5), check).unwrap();
        for kind in [Kind::Message, Kind::Signal, Kind::Message] {
            for window in [1, 8] {
                let report = stage.round(&spec(kind, window), None).unwrap();
                assert_exact(&report);
            }
        }
    }
}

#[test]
fn frames_have_the_size_that_was_asked_for() {
    let server = StandIn::start(Fault::Nothing);
    let mut stage = Stage::open(&starling(&server), plan(1, 20), Check::All).unwrap();
    for (kind, bytes) in [(Kind::Message, 400), (Kind::Signal, 400), (Kind::Signal, 1500)] {
        let spec = RoundSpec {
            frame_bytes: bytes,
            ..spec(kind, 1)
        };
        let report = stage.round(&spec, None).unwrap();
        // The sender's replies count a little, and numbers grow by a digit.
        let ratio = report.bytes_per_delivery / bytes as f64;
        assert!((0.97..1.06).contains(&ratio), "{ratio} for {kind:?} of {bytes}");
    }
    let tiny = RoundSpec {
        frame_bytes: 20,
        ..spec(Kind::Signal, 1)
    };
    let error = stage.round(&tiny, None).unwrap_err().to_string();
    assert!(error.contains("use a larger --frame-bytes"), "{error}");
}

fn faults(fault: Fault, kind: Kind, window: usize, check: Check) -> Faults {
    let server = StandIn::start(fault);
    let mut stage = Stage::open(&starling(&server), plan(1, 3), check).unwrap();
    stage.round(&spec(kind, window), None).unwrap().faults
}

#[test]
fn every_fault_is_found_by_its_name() {
    for kind in [Kind::Message, Kind::Signal] {
        let lost = faults(Fault::Lose, kind, 8, Check::All);
        assert!(
            lost.lost >= 1 && lost.repeated + lost.reordered + lost.unsent == 0,
            "{lost:?}"
        );
        let expected = Faults {
            repeated: 1,
            ..Faults::default()
        };
        assert_eq!(faults(Fault::Repeat, kind, 8, Check::All), expected);
        let expected = Faults {
            reordered: 1,
            ..Faults::default()
        };
        assert_eq!(faults(Fault::Swap, kind, 8, Check::All), expected);
    }
}

#[test]
fn counting_finds_what_is_lost_or_too_much() {
    assert_eq!(faults(Fault::Lose, Kind::Message, 8, Check::Pairs).lost, 1);
    // Which it is called depends on whether it hits a socket that is read or one that is counted.
    let repeat = faults(Fault::Repeat, Kind::Message, 8, Check::Pairs);
    assert_eq!(repeat.repeated + repeat.unsent, 1);
}

#[test]
fn a_refusal_or_a_close_ends_the_round_with_its_reason() {
    for (fault, reason) in [
        (Fault::Refuse, "rate_limited"),
        (Fault::Close, "4010 reads too slowly"),
    ] {
        let server = StandIn::start(fault);
        let mut stage = Stage::open(&starling(&server), plan(1, 3), Check::Pairs).unwrap();
        let error = stage
            .round(&spec(Kind::Message, 4), None)
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason), "{error}");
    }
}

fn published(fault: Fault, rate: Option<f64>) -> Published {
    let server = StandIn::start(fault);
    let pace = Pace {
        unacked: 4,
        rate,
        content: 50,
        warm_up: Duration::from_millis(20),
        measure: Duration::from_millis(300),
        drain: Duration::from_millis(300),
    };
    publish(&starling(&server), &plan(3, 2), &pace, None).unwrap()
}

#[test]
fn published_messages_are_acked_once_and_delivered_to_all() {
    let report = published(Fault::Nothing, None);
    assert!(report.is_exact(), "{report:?}");
    assert!(report.acks > 0 && report.acks <= report.sent_in_all);
    assert_eq!(report.ack_latency.count, report.acks);
}

#[test]
fn a_paced_test_keeps_its_pace() {
    let report = published(Fault::Nothing, Some(500.0));
    assert!(report.is_exact(), "{report:?}");
    // 160 are due in all. A busy machine may make it some more or fewer; without a pace it would be thousands.
    assert!(
        (1..=400).contains(&report.sent_in_all),
        "{} sent",
        report.sent_in_all
    );
}

#[test]
fn a_published_message_that_is_lost_is_found() {
    let report = published(Fault::Lose, Some(500.0));
    assert!(!report.is_exact());
    assert_eq!(
        (report.faults.lost, report.unanswered),
        (3, 0),
        "one in each room"
    );
}

/// The generator as a program.
fn generator(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_starling-loadtest"));
    command
        .args(args)
        .env_remove("STARLING_AUTH__HS256_SECRET")
        .stdin(Stdio::null());
    command
}

/// Runs it against a server to the end.
fn run(server: &StandIn, args: &[&str]) -> Output {
    generator(args)
        .args(["--url", &server.url(), "--secret", SECRET])
        .output()
        .unwrap()
}

fn last_line(output: &Output) -> Value {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

const SHORT: [&str; 6] = ["--warm-up", "0.05", "--seconds", "0.2", "--drain", "0.3"];

#[test]
fn the_exit_code_says_whether_the_account_is_exact() {
    let fanout = [
        &["fanout", "--rooms", "2", "--members", "3", "--json"],
        &SHORT[..],
    ]
    .concat();
    let output = run(&StandIn::start(Fault::Nothing), &fanout);
    assert!(output.status.success(), "{output:?}");
    let report = last_line(&output);
    assert_eq!((&report["lost"], &report["rooms"]), (&0.into(), &2.into()));
    assert!(report["deliveries_per_s"].as_f64().unwrap() > 0.0);

    let output = run(&StandIn::start(Fault::Repeat), &fanout);
    assert_eq!(output.status.code(), Some(1));
    assert!(last_line(&output)["repeated"].as_u64().unwrap() > 0);
}

#[test]
fn handshakes_are_counted() {
    let server = StandIn::start(Fault::Nothing);
    let own = std::process::id().to_string();
    let args = [
        &["handshake", "--clients", "2", "--json", "--server-pid", &own],
        &SHORT[..],
    ]
    .concat();
    let output = run(&server, &args);
    assert!(output.status.success(), "{output:?}");
    let report = last_line(&output);
    assert!(report["handshakes"].as_u64().unwrap() > 0);
    assert!(report["server_rss_bytes"].as_u64().unwrap() > 0);
}

#[test]
fn an_unreachable_server_is_an_error_that_says_so() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let output = generator(&["publish", "--secret", SECRET, "--url", &format!("ws://{free}/ws")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("cannot connect")
    );
}

/// A program that is ended when the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(command: &mut Command) -> (Running, BufReader<ChildStdout>) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (Running(child), output)
}

fn line(output: &mut impl BufRead) -> String {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    line
}

#[test]
fn idle_connections_stay_until_standard_input_ends() {
    let server = StandIn::start(Fault::Nothing);
    let args = [
        "idle",
        "--connections",
        "30",
        "--rooms",
        "2",
        "--json",
        "--secret",
        SECRET,
    ];
    let (mut idle, mut output) = start(
        generator(&args)
            .args(["--url", &server.url()])
            .stdin(Stdio::piped()),
    );
    let held: Value = serde_json::from_str(&line(&mut output)).unwrap();
    assert_eq!(held["connections"], 30);
    assert_eq!(idle.0.try_wait().unwrap(), None);
    drop(idle.0.stdin.take());
    let released: Value = serde_json::from_str(&line(&mut output)).unwrap();
    assert_eq!(released["ended"], 0);
    assert!(idle.0.wait().unwrap().success());
}

#[test]
fn rooms_are_followed_and_left_step_by_step() {
    let server = StandIn::start(Fault::Nothing);
    let args = [
        "rooms", "--rooms", "6", "--each", "6", "--rounds", "2", "--step", "--json",
    ];
    let mut command = generator(&args);
    command.args(["--url", &server.url(), "--secret", SECRET]);
    let (mut rooms, mut output) = start(command.stdin(Stdio::piped()));
    let mut input = rooms.0.stdin.take().unwrap();
    for _ in 0..2 {
        assert_eq!(line(&mut output), "{\"ready\":true}\n");
        writeln!(input, "next").unwrap();
    }
    assert_eq!(line(&mut output), "{\"ready\":true}\n");
    let report: Value = serde_json::from_str(&line(&mut output)).unwrap();
    assert_eq!((&report["rooms"], &report["users"]), (&6.into(), &1.into()));
    assert_eq!(report["rounds"].as_array().unwrap().len(), 2);
    assert!(rooms.0.wait().unwrap().success());

    // Another user's rooms are answered, too: the server does not do what was asked.
    let output = run(
        &server,
        &["rooms", "--rooms", "2", "--each", "1", "--prefix", "other"],
    );
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("rooms are followed: use a new --prefix"),
        "{error}"
    );
}

#[test]
fn the_baseline_is_measured_by_the_same_account() {
    let (_server, mut output) = start(&mut generator(&["baseline"]));
    let addr = line(&mut output).trim().to_owned();
    let peer = Peer::Plain(Plain {
        addr: addr.parse().unwrap(),
        sources: Sources::new(2).unwrap(),
    });
    let mut stage = Stage::open(&peer, plan(3, 4), Check::All).unwrap();
    for window in [1, 8, 1] {
        let report = stage.round(&spec(Kind::Message, window), None).unwrap();
        assert!(report.is_exact() && report.deliveries > 0, "{:?}", report.faults);
        assert!((report.bytes_per_delivery - 400.0).abs() < 0.5);
    }
}

#[test]
fn a_harness_asks_for_one_round_after_another() {
    let (_server, mut output) = start(&mut generator(&["baseline"]));
    let addr = line(&mut output).trim().to_owned();
    let args = [
        "fanout",
        "--rooms",
        "2",
        "--members",
        "3",
        "--rounds",
        "--json",
        "--plain",
        &addr,
    ];
    let (mut fanout, mut output) = start(generator(&args).stdin(Stdio::piped()));
    assert_eq!(line(&mut output), "{\"ready\":true}\n");
    let mut input = fanout.0.stdin.take().unwrap();
    for window in [1, 4] {
        let asked = serde_json::to_string(&spec(Kind::Message, window)).unwrap();
        writeln!(input, "{asked}").unwrap();
        let report: Value = serde_json::from_str(&line(&mut output)).unwrap();
        assert_eq!((&report["window"], &report["lost"]), (&window.into(), &0.into()));
    }
    drop(input);
    assert!(fanout.0.wait().unwrap().success());
}
