//! What a run says: what was done, what came of it, and what contradicts the promises.

use std::{collections::BTreeSet, fmt::Write as _, path::PathBuf};

use tokio::time::Duration;

use crate::{
    checks::{self, Evidence, Violation, bounds_of_memory, delivery::Account},
    client::history::{History, What},
    story,
};

/// Violations that get a line at most, beside those whose story is told.
const MOST_LINES: usize = 40;

/// Writes one line to standard output.
#[expect(
    clippy::print_stdout,
    reason = "standard output is where a developer command speaks"
)]
pub(crate) fn line(text: impl std::fmt::Display) {
    println!("{text}");
}

/// What became of a fault of the plan.
pub(crate) struct Injected {
    pub(crate) name: &'static str,
    /// Why it was not injected, where it was not.
    pub(crate) why_not: Option<String>,
}

/// What the devices did, in numbers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) sent: usize,
    pub(crate) acked: usize,
    pub(crate) repeated: usize,
    pub(crate) refused: usize,
    pub(crate) changes: usize,
    pub(crate) delivered: usize,
    pub(crate) paged: usize,
    pub(crate) connections: usize,
    pub(crate) failures: usize,
}

impl Work {
    pub(crate) fn of(histories: &[History]) -> Self {
        use crate::client::history::Source;
        let mut work = Self::default();
        for entry in histories.iter().flat_map(|history| &history.entries) {
            let counter = match &entry.what {
                What::Sent { .. } => &mut work.sent,
                What::Acked { duplicate: false, .. } => &mut work.acked,
                What::Acked { duplicate: true, .. } => &mut work.repeated,
                What::Refused { .. } => &mut work.refused,
                What::Done { .. } | What::Marked { .. } | What::Left { .. } => &mut work.changes,
                What::Event {
                    source: Source::Pushed,
                    ..
                } => &mut work.delivered,
                What::Event {
                    source: Source::Paged,
                    ..
                } => &mut work.paged,
                What::Connected { .. } => &mut work.connections,
                What::Lost { .. } => &mut work.failures,
                _ => continue,
            };
            *counter += 1;
        }
        work
    }

    /// What makes this run one that showed nothing.
    pub(crate) fn is_idle(&self, devices: usize, injected: usize) -> Option<&'static str> {
        if injected == 0 {
            Some("no fault was injected")
        } else if self.acked == 0 {
            Some("nothing was acknowledged")
        } else if self.delivered == 0 {
            Some("nothing was delivered")
        } else if self.connections <= devices {
            Some("nobody had to reconnect")
        } else {
            None
        }
    }
}

/// Faults by name, how often each was injected, and why not.
pub(crate) fn faults(injected: &[Injected]) -> String {
    let mut names: Vec<&str> = injected.iter().map(|one| one.name).collect();
    names.sort_unstable();
    names.dedup();
    let mut text = String::new();
    for name in names {
        let of_it = || injected.iter().filter(|one| one.name == name);
        let done = of_it().filter(|one| one.why_not.is_none()).count();
        let _ = write!(text, "  {done:>3} x {name}");
        for why in of_it().filter_map(|one| one.why_not.as_ref()) {
            let _ = write!(text, "   (once not: {why})");
        }
        text.push('\n');
    }
    text
}

/// Work, delivery and checks at a moment of rest.
pub(crate) fn judged(evidence: &Evidence, violations: &[Violation], took: Duration) -> String {
    let work = Work::of(&evidence.histories);
    let account = Account::of(evidence);
    let mut text = String::new();
    let _ = writeln!(
        text,
        "  at rest after {:.1} s; messages written {} times, acknowledged {} (and {} as repeats), refused {}; other \
         changes {}\n  events delivered {}, paged {}; connections {}, of them or of attempts lost {}",
        took.as_secs_f64(),
        work.sent,
        work.acked,
        work.repeated,
        work.refused,
        work.changes,
        work.delivered,
        work.paged,
        work.connections,
        work.failures
    );
    let _ = writeln!(
        text,
        "  acknowledged messages: {}, of them stable {}, lost {}, never seen {}\n  from acknowledgement to a device: p50 \
         {} ms, p99 {} ms, max {} ms; to the last device: p50 {} ms, p99 {} ms, max {} ms",
        account.acked,
        account.stable,
        account.lost,
        account.never,
        account.each.value_at_quantile(0.5),
        account.each.value_at_quantile(0.99),
        account.each.max(),
        account.all.value_at_quantile(0.5),
        account.all.value_at_quantile(0.99),
        account.all.max()
    );
    let tally = checks::tally(violations);
    for check in checks::ALL {
        let verdict = tally
            .get(check.name)
            .map_or_else(|| "holds".to_owned(), |count| format!("BROKEN {count} times"));
        let _ = writeln!(text, "  {:<13} {verdict:<8} {}", check.name, check.says);
    }
    for (name, count) in tally {
        if !checks::ALL.iter().any(|check| check.name == name) {
            let _ = writeln!(text, "  {name:<13} BROKEN {count} times");
        }
    }
    text
}

/// Memory, descriptors and connections at the beginning and at the end.
pub(crate) fn vitals(evidence: &Evidence) -> String {
    let mut text = String::new();
    let (Some(first), Some(last)) = (evidence.vitals.first(), evidence.vitals.last()) else {
        return text;
    };
    for (n, (before, after)) in first.nodes.iter().zip(&last.nodes).enumerate() {
        let (Some(before), Some(after)) = (before, after) else {
            continue;
        };
        let life = if before.pid == after.pid {
            "the same process"
        } else {
            "started again"
        };
        let _ = write!(
            text,
            "  node-{n}: {} -> {} MiB, {} -> {} descriptors beside its clients' sockets ({life})",
            before.resident >> 20,
            after.resident >> 20,
            before.descriptors as u64 - before.connections,
            after.descriptors as u64 - after.connections
        );
        if let Some((middle, end)) = bounds_of_memory(&evidence.vitals, n) {
            let _ = write!(
                text,
                "; the lowest tenth of the middle and last third {} and {} MiB",
                middle >> 20,
                end >> 20
            );
        }
        text.push('\n');
    }
    let _ = writeln!(
        text,
        "  clients of Redis {} -> {}; backends of Postgres {} -> {}; samples {}",
        first.redis_clients,
        last.redis_clients,
        first.postgres_backends,
        last.postgres_backends,
        evidence.vitals.len()
    );
    text
}

/// The story of the first violation of each check, and a line for each other.
pub(crate) fn stories(violations: &[Violation], evidence: &Evidence, logs: &[PathBuf]) -> String {
    let mut told = BTreeSet::new();
    let (first, others): (Vec<_>, Vec<_>) = violations
        .iter()
        .partition(|violation| told.insert(violation.check));
    let mut text = String::new();
    for violation in first {
        text.push_str(&story::tell(violation, evidence, logs));
    }
    for violation in others.iter().take(MOST_LINES) {
        let device = violation.device.as_deref().unwrap_or_default();
        let _ = writeln!(text, "{}: {} {device}", violation.check, violation.what);
    }
    if others.len() > MOST_LINES {
        let _ = writeln!(text, "and {} more", others.len() - MOST_LINES);
    }
    text
}
