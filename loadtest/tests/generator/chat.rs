//! `chat` as a program, with its workers, against a stand-in that makes faults on demand.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::stand_in::{Fault, StandIn};

/// Six clients in two rooms by two processes, for so long that everybody is cut more than once.
fn chat(fault: Fault, more: &[&str]) -> (Output, Value) {
    let server = StandIn::start(fault);
    let output = Command::new(env!("CARGO_BIN_EXE_starling-loadtest"))
        .args([
            "chat",
            "--connections",
            "6",
            "--rooms",
            "2",
            "--workers",
            "2",
            "--rate",
            "20",
        ])
        .args([
            "--seconds",
            "1.5",
            "--json",
            "--secret",
            "s",
            "--url",
            &server.url(),
        ])
        .args(more)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let report = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    (output, report)
}

fn count(report: &Value, name: &str) -> u64 {
    report[name]
        .as_u64()
        .unwrap_or_else(|| panic!("no {name} in {report}"))
}

const CUTS: [&str; 4] = ["--cut-every", "0.4", "--offline", "0.1"];

/// What must hold of a test without faults.
fn assert_exact(output: &Output, report: &Value) {
    assert!(output.status.success(), "{output:?}");
    let sent = count(report, "sent");
    assert!(sent > 0);
    assert_eq!(
        (count(report, "acked"), count(report, "delivered")),
        (sent, sent * 3)
    );
    assert_eq!(count(report, "expected"), sent * 3);
}

#[test]
fn clients_that_are_cut_come_back_and_miss_nothing() {
    let (output, report) = chat(Fault::Nothing, &CUTS);
    assert_exact(&output, &report);
    assert!(count(&report, "cut") >= 6 && count(&report, "cut") == count(&report, "resumed"));
    assert_eq!(count(&report["replay"], "count"), count(&report, "resumed"));
    let series = report["series"].as_array().unwrap();
    let sum: u64 = series.iter().map(|row| count(row, "delivered")).sum();
    assert_eq!(
        sum,
        count(&report, "delivered"),
        "the seconds add up to the whole"
    );
    assert_eq!(series.last().unwrap()["live"], 6, "all are back at the end");
    // Not a terminal: a line each second.
    let progress = String::from_utf8(output.stderr).unwrap();
    assert!(progress.lines().any(|line| line.contains("live ")), "{progress}");
}

#[test]
fn what_was_missed_and_is_lost_or_repeated_is_found() {
    // What is lost is waited for.
    let args = [&CUTS[..], &["--drain", "1"]].concat();
    let (output, report) = chat(Fault::LoseMissed, &args);
    assert_eq!(output.status.code(), Some(1));
    assert!(count(&report, "lost") > 0, "{report}");
    let (output, report) = chat(Fault::RepeatMissed, &args);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        count(&report, "repeated") > 0 && count(&report, "lost") == 0,
        "{report}"
    );
}

#[test]
fn clients_move_when_they_are_asked_to() {
    let (output, report) = chat(Fault::Migrate, &[]);
    assert_exact(&output, &report);
    assert_eq!((count(&report, "moved"), count(&report, "ended")), (6, 0));
    // Those who do not understand it stay.
    let (output, report) = chat(Fault::Migrate, &["--migrate", "0"]);
    assert_exact(&output, &report);
    assert_eq!((count(&report, "moved"), count(&report, "ended")), (0, 0));
}

#[test]
fn clients_whose_server_closes_come_back() {
    let (output, report) = chat(Fault::Close, &[]);
    assert_exact(&output, &report);
    assert_eq!((count(&report, "ended"), count(&report, "resumed")), (6, 6));
    assert_eq!(count(&report["reconnect"], "count"), 6);
}

#[test]
fn a_refused_message_ends_the_test_with_its_reason() {
    let server = StandIn::start(Fault::Refuse);
    let output = Command::new(env!("CARGO_BIN_EXE_starling-loadtest"))
        .args([
            "chat",
            "--connections",
            "2",
            "--rooms",
            "1",
            "--seconds",
            "5",
            "--secret",
            "s",
            "--url",
        ])
        .arg(server.url())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("rate_limited"), "{error}");
}

#[test]
fn the_page_stands_alone_and_says_the_verdict() {
    let folder = tempfile::tempdir().unwrap();
    for (fault, verdict) in [(Fault::Nothing, "Exact."), (Fault::Lose, "Not exact.")] {
        let path = folder.path().join("page.html");
        chat(fault, &["--drain", "1", "--html", path.to_str().unwrap()]);
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(page.contains(&format!("<b>{verdict}</b>")), "{verdict}");
        for outside in ["<script", "<link", "src=", "href=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.matches("<polyline").count() >= 9);
        assert!(page.contains("prefers-color-scheme: dark"));
    }
}
