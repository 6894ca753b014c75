//! Runs the generator's `chat`, shows its progress, and does something at a second of it.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
    sync::mpsc::sync_channel,
    thread,
};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;

use super::super::child::Ended;
use crate::say::Live;

/// What is read of the report.
#[derive(Debug, Deserialize)]
pub(super) struct Chatted {
    pub(super) acked: u64,
    pub(super) delivered: u64,
    pub(super) expected: u64,
    pub(super) lost: u64,
    pub(super) repeated: u64,
    pub(super) reordered: u64,
    pub(super) unanswered: u64,
    pub(super) cut: u64,
    pub(super) ended: u64,
    pub(super) ended_migrating: u64,
    pub(super) moved: u64,
    pub(super) refused: u64,
    pub(super) ack: Latency,
    pub(super) deliver: Latency,
    pub(super) replay: Latency,
    pub(super) reconnect: Latency,
}

#[derive(Debug, Deserialize)]
pub(super) struct Latency {
    pub(super) count: u64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
}

impl Chatted {
    /// In percent of what there should have been.
    pub(super) fn delivered_share(&self) -> f64 {
        self.delivered as f64 / self.expected as f64 * 100.0
    }
}

/// Runs it to its end, and `act` when this second of it has passed. A test that does not add up is an error.
pub(super) fn run(mut command: Command, second: u32, act: impl FnOnce() -> Result<()>) -> Result<Chatted> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Ended(command.spawn().context("cannot start starling-loadtest")?);
    let (Some(mut output), Some(progress)) = (child.0.stdout.take(), child.0.stderr.take()) else {
        bail!("starling-loadtest has no output");
    };
    thread::scope(|scope| {
        let report = scope.spawn(move || {
            let mut text = String::new();
            output.read_to_string(&mut text).map(|_| text)
        });
        // It is told once.
        let (tell, told) = sync_channel(1);
        scope.spawn(move || {
            let mut live = Live::new();
            for line in BufReader::new(progress).lines().map_while(Result::ok) {
                if seconds(&line) == Some(second) {
                    let _ = tell.try_send(());
                }
                live.show(line);
            }
            live.end();
        });
        // Where it ends before, there is nothing to be done, and its exit code says why.
        if told.recv().is_ok()
            && let Err(error) = act()
        {
            // Nobody waits for its end then.
            let _ = child.0.kill();
            return Err(error);
        }
        let text = report.join().map_err(|_| anyhow!("the reader panicked"))??;
        let status = child.0.wait()?;
        let last = text.lines().last().unwrap_or_default();
        let chatted: Chatted = serde_json::from_str(last)
            .with_context(|| format!("starling-loadtest ended with {status} and says {last:?}"))?;
        if !status.success() {
            bail!("it does not add up: {chatted:?}");
        }
        Ok(chatted)
    })
}

/// How many seconds have passed, by a line of progress.
fn seconds(line: &str) -> Option<u32> {
    let (seconds, rest) = line.trim_start().split_once(' ')?;
    rest.starts_with("s ").then(|| seconds.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_progress_begins_with_its_second() {
        assert_eq!(seconds("  30 s  live 10 of 10"), Some(30));
        assert_eq!(seconds("connecting: 30 of 40"), None);
    }

    #[test]
    fn something_is_done_at_its_second_and_the_report_is_read() {
        let report = r#"{"acked":2,"delivered":4,"expected":8,"lost":0,"repeated":0,"reordered":0,"unanswered":0,
            "cut":0,"ended":0,"ended_migrating":0,"moved":0,"refused":0"#;
        let latency = r#"{"count":1,"p50_ms":1,"p99_ms":2,"max_ms":3}"#;
        let report = format!(
            "{}{}}}",
            report.replace('\n', ""),
            ["ack", "deliver", "replay", "reconnect"]
                .map(|name| format!(",\"{name}\":{latency}"))
                .concat()
        );
        let sh = |exit: u8| {
            let mut sh = Command::new("sh");
            let script =
                format!("echo '   1 s  live' >&2; echo '   2 s  live' >&2; echo '{report}'; exit {exit}");
            sh.args(["-c", &script]);
            sh
        };
        let mut acted = 0;
        let chatted = run(sh(0), 2, || {
            acted += 1;
            Ok(())
        });
        assert_eq!(chatted.expect("a report").delivered_share(), 50.0);
        assert_eq!(acted, 1);
        let error = run(sh(1), 9, || bail!("there is no ninth second")).expect_err("a failure");
        assert!(error.to_string().starts_with("it does not add up"), "{error}");
    }
}
