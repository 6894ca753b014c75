//! The result: for people, for programs and for the page.

use anyhow::Result;
use serde::Serialize;

use super::{
    Args,
    crew::{Outcome, Second},
    tally::{Account, Counts, Latencies},
};
use crate::{
    latency::Summary,
    report::{Report, number},
};

/// A second.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Clients that had a connection and missed nothing at its end.
    pub live: u64,
    /// What happened in it.
    #[serde(flatten)]
    pub counts: Counts,
    /// Send to acknowledgement.
    pub ack: Summary,
    /// Send to delivery.
    pub deliver: Summary,
    /// After a lost connection: from beginning to connect to having what was missed.
    pub replay: Summary,
}

/// How a latency is spread: milliseconds, and the share that took no longer.
type Shares = Vec<(f64, f64)>;

/// The result.
#[derive(Debug, Clone, Serialize)]
pub struct Chatted {
    /// Clients.
    pub connections: usize,
    /// Rooms.
    pub rooms: usize,
    /// Messages a second in each.
    pub rate: f64,
    /// Seconds that messages were said.
    pub seconds: f64,
    /// Processes.
    pub workers: usize,
    /// Where they connected to.
    pub urls: Vec<String>,
    /// Connections were cut after about so many seconds.
    pub cut_every_s: Option<f64>,
    /// Clients stayed away so many seconds then.
    pub offline_s: Option<f64>,
    /// Of 100 clients, those that speak `migrate`.
    pub migrate_percent: u8,
    /// What happened in all.
    #[serde(flatten)]
    pub counts: Counts,
    /// Whether it adds up.
    #[serde(flatten)]
    pub account: Account,
    /// Send to acknowledgement, retries included.
    pub ack: Summary,
    /// Send to delivery, at clients who missed nothing just then.
    pub deliver: Summary,
    /// After a cut or an end: from beginning to connect to having everything that was missed.
    pub replay: Summary,
    /// From an end that the test did not make to having everything that was missed.
    pub reconnect: Summary,
    /// The same latencies in full: for the page.
    #[serde(skip)]
    pub spread: [Shares; 3],
    /// Second by second.
    pub series: Vec<Row>,
}

impl Chatted {
    pub(super) fn new(args: &Args, workers: usize, outcome: &Outcome) -> Result<Self> {
        let (mut counts, mut all) = (Counts::default(), Latencies::new()?);
        let mut series = Vec::with_capacity(outcome.seconds.len());
        for Second {
            live,
            counts: some,
            latencies,
        } in &outcome.seconds
        {
            counts.add(some);
            all.add(&latencies.recorded());
            series.push(Row {
                live: *live,
                counts: *some,
                ack: latencies.ack.summary(),
                deliver: latencies.deliver.summary(),
                replay: latencies.replay.summary(),
            });
        }
        Ok(Self {
            connections: args.connections,
            rooms: args.rooms,
            rate: args.rate,
            seconds: args.seconds.as_secs_f64(),
            workers,
            urls: args.common.url.clone(),
            cut_every_s: args.cut_every.map(|every| every.as_secs_f64()),
            offline_s: args.cut_every.map(|_| args.offline.as_secs_f64()),
            migrate_percent: args.migrate,
            counts,
            account: outcome.account,
            ack: all.ack.summary(),
            deliver: all.deliver.summary(),
            replay: all.replay.summary(),
            reconnect: all.reconnect.summary(),
            spread: [&all.ack, &all.deliver, &all.replay].map(|latency| latency.shares().collect()),
            series,
        })
    }

    /// Of the deliveries that there should have been, those that were.
    #[must_use]
    pub fn delivered_share(&self) -> f64 {
        self.counts.delivered as f64 / self.account.expected.max(1) as f64
    }
}

impl Report for Chatted {
    fn rows(&self) -> Vec<(&'static str, String)> {
        let Self { counts, account, .. } = self;
        let mut rows = vec![
            (
                "chat",
                format!(
                    "{} clients in {} rooms by {} processes, {} messages a second in each room for {:.0} s",
                    number(self.connections as f64),
                    number(self.rooms as f64),
                    self.workers,
                    self.rate,
                    self.seconds
                ),
            ),
            (
                "messages",
                format!(
                    "{} said, {} acknowledged, {} refused for a moment",
                    number(counts.sent as f64),
                    number(counts.acked as f64),
                    number(counts.retried as f64)
                ),
            ),
            (
                "deliveries",
                format!(
                    "{} of {}: {:.3} %",
                    number(counts.delivered as f64),
                    number(account.expected as f64),
                    self.delivered_share() * 100.0
                ),
            ),
            ("send to ack", self.ack.text()),
            ("send to deliver", self.deliver.text()),
        ];
        if counts.cut + counts.ended + counts.moved > 0 {
            rows.push((
                "connections",
                format!(
                    "{} cut, {} ended ({} of clients that speak migrate), {} moved; {} came back, {} attempts failed",
                    number(counts.cut as f64),
                    number(counts.ended as f64),
                    number(counts.ended_migrating as f64),
                    number(counts.moved as f64),
                    number(counts.resumed as f64),
                    number(counts.refused as f64)
                ),
            ));
            rows.push(("connect to replayed", self.replay.text()));
        }
        if self.reconnect.count > 0 {
            rows.push(("ended to replayed", self.reconnect.text()));
        }
        rows.push((
            "account",
            format!(
                "{}; {} unanswered, {} mismatched, {} not back, {} unsaid, {} gaps told",
                account.faults.text(),
                account.unanswered,
                account.mismatched,
                account.missing,
                account.unsaid,
                counts.gaps
            ),
        ));
        rows
    }

    fn is_exact(&self) -> bool {
        self.account.is_exact() && self.counts.gaps == 0 && self.counts.sent > 0
    }
}
