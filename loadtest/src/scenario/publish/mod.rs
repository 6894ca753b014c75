//! Durable messages, acknowledged: as many as the server takes, or so many a second.

mod desk;

pub use desk::Desk;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde::Serialize;

use super::{Common, Mark, Spent, seconds};
use crate::{
    crowd::{Crowd, Peer, Plan, gather},
    herd::Herd,
    latency::Summary,
    ledger::Faults,
    link::Masks,
    report::{self, Report, number},
    speech,
    usage::Process,
};

/// Measure durable messages: acknowledged a second, send to ack, send to deliver
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    /// Rooms
    #[arg(long, default_value_t = 100)]
    rooms: usize,
    /// Senders, spread over the rooms; each follows its room
    #[arg(long, default_value_t = 100)]
    senders: usize,
    /// Messages that each sender has unacknowledged at most
    #[arg(long, default_value_t = 10)]
    unacked: usize,
    /// Messages a second over all senders, evenly paced; as many as possible by default
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<f64>,
    /// Length of a message
    #[arg(long, default_value_t = 200, value_name = "CHARACTERS")]
    content: usize,
    /// Seconds before the measured ones
    #[arg(long, default_value = "1", value_parser = seconds, value_name = "SECONDS")]
    warm_up: Duration,
    /// Seconds that are measured
    #[arg(long, default_value = "5", value_parser = seconds, value_name = "SECONDS")]
    seconds: Duration,
}

/// How long to listen for what should not come, once everything has.
const LISTEN: Duration = Duration::from_millis(50);

/// How to send.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Messages unacknowledged at most, for each sender.
    pub unacked: usize,
    /// Messages a second over all senders.
    pub rate: Option<f64>,
    /// Length of a message.
    pub content: usize,
    /// Before the measured time.
    pub warm_up: Duration,
    /// The measured time.
    pub measure: Duration,
    /// How long what is outstanding at the end may take.
    pub drain: Duration,
}

/// The result.
#[derive(Debug, Clone, Serialize)]
pub struct Published {
    /// Rooms.
    pub rooms: usize,
    /// Senders.
    pub senders: usize,
    /// Messages unacknowledged at most, for each sender.
    pub unacked: usize,
    /// Messages a second that were asked for.
    pub rate: Option<f64>,
    /// Time and CPU of the measured part.
    #[serde(flatten)]
    pub spent: Spent,
    /// Acknowledgements in it.
    pub acks: u64,
    /// Acknowledgements a second.
    pub acks_per_s: f64,
    /// Acknowledgements a second of the server's CPU time.
    pub acks_per_cpu_s: Option<f64>,
    /// From sending to the acknowledgement.
    pub ack_latency: Summary,
    /// From sending to each delivery.
    pub delivery_latency: Summary,
    /// Messages that had to wait for an acknowledgement when their time had come; of a paced test.
    pub held_back: u64,
    /// Messages of the whole test.
    pub sent_in_all: u64,
    /// Messages never acknowledged.
    pub unanswered: u64,
    /// Messages acknowledged with another seq than they were delivered with, or as a duplicate.
    pub mismatched: u64,
    /// What is wrong with the deliveries.
    #[serde(flatten)]
    pub faults: Faults,
}

impl Report for Published {
    fn rows(&self) -> Vec<(&'static str, String)> {
        let pace = self.rate.map_or("as fast as possible".to_owned(), |rate| {
            format!("{} a second, {} held back", number(rate), self.held_back)
        });
        let per_cpu = self
            .acks_per_cpu_s
            .map_or("unknown: give --server-pid".to_owned(), number);
        vec![
            (
                "publish",
                format!(
                    "{} senders in {} rooms, {} unacknowledged each, {pace}",
                    self.senders, self.rooms, self.unacked
                ),
            ),
            ("time", self.spent.text()),
            ("acknowledged", number(self.acks as f64)),
            ("a second", number(self.acks_per_s)),
            ("a CPU-second", per_cpu),
            ("send to ack", self.ack_latency.text()),
            ("send to deliver", self.delivery_latency.text()),
            (
                "account",
                format!(
                    "{} sent in all: {} unanswered, {} mismatched, {}",
                    self.sent_in_all,
                    self.unanswered,
                    self.mismatched,
                    self.faults.text()
                ),
            ),
        ]
    }

    fn is_exact(&self) -> bool {
        self.faults.is_none() && self.unanswered == 0 && self.mismatched == 0
    }
}

/// Runs it; whether every message was acknowledged once and delivered to all.
pub fn run(args: &Args) -> Result<bool> {
    let Args { common, .. } = args;
    if args.rooms == 0 || args.senders == 0 || !args.senders.is_multiple_of(args.rooms) {
        bail!("--senders must be a multiple of --rooms: every room gets the same number of senders");
    }
    let plan = Plan {
        prefix: common.prefix.clone(),
        rooms: args.rooms,
        members: args.senders / args.rooms,
    };
    let pace = Pace {
        unacked: args.unacked,
        rate: args.rate,
        content: args.content,
        warm_up: args.warm_up,
        measure: args.seconds,
        drain: common.drain,
    };
    let peer = common.peer(&plan, None)?;
    let result = publish(&peer, &plan, &pace, common.server().as_ref())?;
    report::write(&result, common.json)?;
    Ok(result.is_exact())
}

/// Connects the senders and lets them publish.
pub fn publish(peer: &Peer, plan: &Plan, pace: &Pace, server: Option<&Process>) -> Result<Published> {
    if pace.unacked == 0 || pace.rate.is_some_and(|rate| rate <= 0.0) {
        bail!("--unacked and --rate must be more than 0");
    }
    let Crowd { herd, heads, .. } = gather(peer, plan, &mut |_| Ok(()))?;
    let mut run = Run {
        desk: Desk::new(plan.members, &heads, pace.unacked)?,
        herd,
        plan,
        pace,
        masks: Masks::new(0),
        began: Instant::now(),
        paced: 0,
        next_sender: 0,
        held_back: 0,
    };
    run.drive(run.began + pace.warm_up)?;
    let from = Mark::now(server)?;
    let (before, held_back) = (run.desk.acks, run.held_back);
    run.desk.is_measured = true;
    run.drive(from.at + pace.measure)?;
    let to = Mark::now(server)?;
    run.desk.is_measured = false;
    let acks = run.desk.acks - before;
    let held_back = run.held_back - held_back;
    run.drain()?;

    let spent = Spent::between(&from, &to);
    let desk = &run.desk;
    Ok(Published {
        rooms: plan.rooms,
        senders: plan.connections(),
        unacked: pace.unacked,
        rate: pace.rate,
        spent,
        acks,
        acks_per_s: spent.per_second(acks),
        acks_per_cpu_s: spent.per_cpu_second(acks),
        ack_latency: desk.ack_latency.summary(),
        delivery_latency: desk.delivery_latency.summary(),
        held_back,
        sent_in_all: desk.sent(),
        unanswered: desk.unanswered(),
        mismatched: desk.mismatched,
        faults: desk.faults(),
    })
}

/// A test while it runs.
struct Run<'a> {
    desk: Desk,
    herd: Herd,
    plan: &'a Plan,
    pace: &'a Pace,
    masks: Masks,
    began: Instant,
    /// Messages of a paced test whose time has come so far.
    paced: u64,
    next_sender: usize,
    held_back: u64,
}

impl Run<'_> {
    fn drive(&mut self, until: Instant) -> Result<()> {
        loop {
            let now = Instant::now();
            let next = match self.pace.rate {
                Some(rate) => self.send_paced(rate, now)?.min(until),
                None => {
                    self.send_all()?;
                    until
                }
            };
            if now >= until {
                return Ok(());
            }
            self.herd
                .turn(next.saturating_duration_since(Instant::now()), &mut self.desk)?;
        }
    }

    /// Fills every sender's window.
    fn send_all(&mut self) -> Result<()> {
        while let Some((sender, room_left)) = self.desk.next_free() {
            self.send(sender, room_left)?;
        }
        Ok(())
    }

    /// Sends what is due; returns when the next is. Senders take turns; one whose window is full keeps the others
    /// waiting, which is counted: the server is then slower than the pace.
    fn send_paced(&mut self, rate: f64, now: Instant) -> Result<Instant> {
        let due = ((now - self.began).as_secs_f64() * rate) as u64;
        while self.paced < due {
            if self.desk.free(self.next_sender) == 0 {
                self.held_back += 1;
                break;
            }
            self.send(self.next_sender, 1)?;
            self.next_sender = (self.next_sender + 1) % self.plan.connections();
            self.paced += 1;
        }
        Ok(self.began + Duration::from_secs_f64((due + 1) as f64 / rate))
    }

    fn send(&mut self, sender: usize, count: usize) -> Result<()> {
        let room = self.plan.room(self.plan.room_of(sender));
        let mut frames = Vec::with_capacity(count * (self.pace.content + 300));
        for _ in 0..count {
            let number = self.desk.sending(sender, Instant::now());
            speech::push_message(&room, number, self.pace.content, &mut self.masks, &mut frames)?;
        }
        self.herd.send(sender, &frames)
    }

    fn drain(&mut self) -> Result<()> {
        let deadline = Instant::now() + self.pace.drain;
        while !self.desk.is_done() && Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            self.herd.turn(left, &mut self.desk)?;
        }
        let end = Instant::now() + LISTEN;
        while Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now());
            self.herd.turn(left, &mut self.desk)?;
        }
        Ok(())
    }
}
