//! The connections of a fan-out test, and the rounds on them: connecting once and measuring often keeps what is compared
//! close together in time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use mio::Waker;
use serde::{Deserialize, Serialize};

use crate::{
    crowd::{Crowd, Peer, Plan, gather},
    envelope::{is_durable, shown},
    herd::{Herd, Sink},
    latency::Summary,
    ledger::Faults,
    link::Masks,
    plain,
    report::{Report, number},
    speech,
    usage::Process,
};

use super::{
    super::{Mark, Spent},
    Round,
};

/// How long to listen for what should not come, once everything has.
const LISTEN: Duration = Duration::from_millis(50);

/// Content of the first message of a kind, before the size of its frame is known.
const FIRST_CONTENT: usize = 16;

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// send_message: durable, each acknowledged to its sender
    Message,
    /// signal: ephemeral, no commit
    Signal,
}

/// Where numbers are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Check {
    /// On every socket
    All,
    /// On two sockets of each room
    Pairs,
}

/// What to do in a round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundSpec {
    /// What is sent.
    pub kind: Kind,
    /// Messages outstanding in each room.
    pub window: usize,
    /// Size of the frame that each member gets.
    pub frame_bytes: usize,
    /// Before the measured time.
    pub warm_up_ms: u64,
    /// The measured time.
    pub measure_ms: u64,
    /// What is outstanding at the end may take so long to arrive.
    pub drain_ms: u64,
}

/// The result of a round.
#[derive(Debug, Clone, Serialize)]
pub struct RoundReport {
    /// What was done.
    #[serde(flatten)]
    pub spec: RoundSpec,
    /// Rooms.
    pub rooms: usize,
    /// Members of each.
    pub members: usize,
    /// Time and CPU of the measured part.
    #[serde(flatten)]
    pub spent: Spent,
    /// Deliveries in the measured part.
    pub deliveries: u64,
    /// Deliveries a second.
    pub deliveries_per_s: f64,
    /// Deliveries a second of the server's CPU time.
    pub deliveries_per_cpu_s: Option<f64>,
    /// Bytes read in the measured part for each delivery, replies to the senders included.
    pub bytes_per_delivery: f64,
    /// Send to deliver, in the measured part.
    pub latency: Summary,
    /// Deliveries of the whole round, the warm-up and the rest behind the measured part included.
    pub deliveries_in_all: u64,
    /// Replies to messages in the whole round.
    pub acks_in_all: u64,
    /// What is wrong with them.
    #[serde(flatten)]
    pub faults: Faults,
}

impl Report for RoundReport {
    fn rows(&self) -> Vec<(&'static str, String)> {
        let Self { spec, spent, .. } = self;
        let per_cpu = self
            .deliveries_per_cpu_s
            .map_or("unknown: give --server-pid".to_owned(), number);
        vec![
            (
                "fan-out",
                format!(
                    "{} rooms of {}, {:?}, {} outstanding, frames of {} bytes",
                    self.rooms, self.members, spec.kind, spec.window, spec.frame_bytes
                ),
            ),
            ("time", spent.text()),
            ("deliveries", number(self.deliveries as f64)),
            ("a second", number(self.deliveries_per_s)),
            ("a CPU-second", per_cpu),
            ("latency", self.latency.text()),
            (
                "account",
                format!(
                    "{} deliveries in all: {}",
                    number(self.deliveries_in_all as f64),
                    self.faults.text()
                ),
            ),
        ]
    }

    fn is_exact(&self) -> bool {
        self.faults.is_none()
    }
}

/// Connections in their rooms. The first member of each room is its sender.
pub struct Stage {
    herd: Herd,
    plan: Plan,
    is_plain: bool,
    masks: Masks,
    /// By room: the last seq.
    seqs: Vec<u64>,
    /// By room: the number of the last signal.
    signals: Vec<u64>,
    /// By kind: bytes of content that make the frame as large as it should be, and for which size.
    content: [Option<(usize, usize)>; 2],
}

impl Stage {
    /// Connects everybody and joins them to their rooms.
    pub fn open(peer: &Peer, plan: Plan, check: Check) -> Result<Self> {
        if plan.connections() == 0 {
            bail!("a test needs at least one room with one member");
        }
        let Crowd { mut herd, heads, .. } = gather(peer, &plan, &mut |_| Ok(()))?;
        let seqs: Vec<u64> = heads.iter().step_by(plan.members).copied().collect();
        for (index, head) in heads.iter().enumerate() {
            if seqs[plan.room_of(index)] != *head {
                bail!("somebody else writes into the rooms of this test: use another --prefix");
            }
            // The sender is read, and one who gets its signals.
            if check == Check::Pairs && index % plan.members >= 2 {
                herd.count_only(index)?;
            }
        }
        Ok(Self {
            herd,
            is_plain: matches!(peer, Peer::Plain(_)),
            masks: Masks::new(0),
            signals: vec![0; plan.rooms],
            seqs,
            plan,
            content: [None; 2],
        })
    }

    /// Wakes a [`rest`](Self::rest).
    #[must_use]
    pub fn waker(&self) -> Arc<Waker> {
        self.herd.waker()
    }

    /// Serves the connections between two rounds, until something happens.
    pub fn rest(&mut self) -> Result<()> {
        self.herd.turn(Duration::from_secs(1), &mut Resting)
    }

    /// Runs a round.
    pub fn round(&mut self, spec: &RoundSpec, server: Option<&Process>) -> Result<RoundReport> {
        if spec.window == 0 {
            bail!("a window of 0 messages measures nothing: use --window 1 or more");
        }
        if spec.kind == Kind::Signal && self.plan.members < 2 {
            bail!("a signal does not come back to its sender: use --members 2 or more");
        }
        let behind = match spec.kind {
            Kind::Message => &self.seqs,
            Kind::Signal => &self.signals,
        };
        let mut round = Round::new(spec.kind, self.plan.members, behind)?;
        let began = Instant::now();
        let measured = began + Duration::from_millis(spec.warm_up_ms);
        self.drive(&mut round, spec, measured)?;
        let from = Mark::now(server)?;
        let (before, bytes) = (round.deliveries, self.herd.bytes);
        round.is_measured = true;
        self.drive(&mut round, spec, from.at + Duration::from_millis(spec.measure_ms))?;
        let to = Mark::now(server)?;
        round.is_measured = false;
        let deliveries = round.deliveries - before;
        let bytes = self.herd.bytes - bytes;
        self.drain(&mut round, Duration::from_millis(spec.drain_ms))?;

        let last = round.last();
        match spec.kind {
            Kind::Message => self.seqs = last,
            Kind::Signal => self.signals = last,
        }
        let spent = Spent::between(&from, &to);
        Ok(RoundReport {
            spec: *spec,
            rooms: self.plan.rooms,
            members: self.plan.members,
            spent,
            deliveries,
            deliveries_per_s: spent.per_second(deliveries),
            deliveries_per_cpu_s: spent.per_cpu_second(deliveries),
            bytes_per_delivery: bytes as f64 / (deliveries.max(1)) as f64,
            latency: round.latency.summary(),
            deliveries_in_all: round.deliveries,
            acks_in_all: round.acks,
            faults: round.faults(),
        })
    }

    /// Sends whatever may be sent and reads whatever comes, until then.
    fn drive(&mut self, round: &mut Round, spec: &RoundSpec, until: Instant) -> Result<()> {
        let mut frames = Vec::new();
        loop {
            while let Some((room, numbers)) = round.next_to_send(spec.window) {
                frames.clear();
                for number in numbers {
                    self.push(spec, room, number, &mut frames)?;
                }
                self.herd.send(room * self.plan.members, &frames)?;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.herd.turn(left, round)?;
            self.learn_size(round, spec)?;
        }
    }

    /// Reads what is outstanding, and then for a moment what should not come.
    fn drain(&mut self, round: &mut Round, longest: Duration) -> Result<()> {
        let deadline = Instant::now() + longest;
        while !round.is_done() && Instant::now() < deadline {
            self.herd
                .turn(deadline.saturating_duration_since(Instant::now()), round)?;
        }
        let end = Instant::now() + LISTEN;
        while Instant::now() < end {
            self.herd
                .turn(end.saturating_duration_since(Instant::now()), round)?;
        }
        Ok(())
    }

    fn push(&mut self, spec: &RoundSpec, room: usize, number: u64, out: &mut Vec<u8>) -> Result<()> {
        if self.is_plain {
            return plain::push_event(number, spec.frame_bytes, out);
        }
        let content = self.content(spec);
        let room = self.plan.room(room);
        match spec.kind {
            Kind::Message => speech::push_message(&room, number, content, &mut self.masks, out),
            Kind::Signal => speech::push_signal(&room, number, content, &mut self.masks, out),
        }
    }

    /// What the server adds to a content is known when the first frame of a round has come: from then on frames have
    /// their size, but for a digit more in a number.
    fn learn_size(&mut self, round: &mut Round, spec: &RoundSpec) -> Result<()> {
        let Some(first) = round.first_frame.filter(|_| !self.is_plain && !round.is_sized) else {
            return Ok(());
        };
        round.is_sized = true;
        let bare = first.saturating_sub(self.content(spec));
        // A longer frame may need two more bytes of header.
        let content = spec
            .frame_bytes
            .checked_sub(bare)
            .filter(|content| *content > 2)
            .with_context(|| {
                format!(
                    "the frames of this server have at least {} bytes: use a larger --frame-bytes",
                    bare + 3
                )
            })?;
        self.content[spec.kind as usize] = Some((spec.frame_bytes, content));
        Ok(())
    }

    /// Bytes of content of the next message.
    fn content(&self, spec: &RoundSpec) -> usize {
        match self.content[spec.kind as usize] {
            Some((size, content)) if size == spec.frame_bytes => content,
            _ => FIRST_CONTENT,
        }
    }
}

/// Between two rounds nobody should say anything that counts.
struct Resting;

impl Sink for Resting {
    fn message(&mut self, _: usize, _: Instant, payload: &[u8]) -> Result<()> {
        if is_durable(payload) {
            bail!("an event came when nothing was outstanding: {}", shown(payload));
        }
        Ok(())
    }

    fn counted(&mut self, socket: usize, _: Instant, messages: u64) -> Result<()> {
        bail!("{messages} messages on connection {socket} came when nothing was outstanding")
    }

    fn ended(&mut self, socket: usize, why: &str) -> Result<()> {
        bail!("connection {socket} ended: {why}")
    }
}
