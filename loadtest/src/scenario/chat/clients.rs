//! The clients: each follows its room, says what it is asked to, loses its connection, comes back and takes up where it
//! stood.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::value::RawValue;
use starling_protocol::{
    CommandId,
    event::Migrate,
    reply::{Sent, SubscribedRoom, SubscribedRooms},
};

use super::{
    book::Book,
    tally::{Counts, Latencies},
    timers::{Timer, Timers, What, backoff},
};
use crate::{
    crowd::FOLLOW,
    envelope::{Envelope, Numbers, kind, shown},
    herd::Sink,
    ledger::{Delivery, Ledger},
    random::Random,
};

/// How long a refusal without a hint is waited for.
const RETRY: Duration = Duration::from_millis(500);

/// How far a client has come with its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has none, and a timer will change that.
    Away,
    /// It waits for `welcome`.
    Dialling,
    /// It waits for the answer to `subscribe`, and for what it has missed.
    Following,
    /// It misses nothing.
    Live,
}

/// Why a client has no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// The test has cut it.
    Cut,
    /// The server or the network ended it, then.
    Ended(Instant),
}

/// One of them. It has two places for sockets, so that it can open one beside the other.
pub(super) struct Client {
    pub(super) phase: Phase,
    /// The place of the socket whose events count: 0 or 1.
    pub(super) place: usize,
    /// Whether a socket is being opened in the other place.
    pub(super) is_moving: bool,
    /// Whether the socket before this one is open until this one misses nothing.
    pub(super) has_moved: bool,
    pub(super) dials: u32,
    pub(super) failed: u32,
    /// When it began to open the present socket.
    pub(super) dialled: Instant,
    pub(super) lost: Option<Lost>,
    /// The seq up to which it has missed something; none until the server has said it.
    head: Option<u64>,
    speaks_migrate: bool,
    /// Numbers of its messages that have no acknowledgement.
    pub(super) unacked: Vec<u64>,
}

/// What is to be done on the sockets when all that came has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Todo {
    /// Subscribe on the present socket.
    Follow(usize),
    /// Close the socket in the other place: it is not needed any more.
    CloseOther(usize),
    /// Cut the socket in the present place: it is of no use.
    Drop(usize),
    /// Say again what is not acknowledged.
    SayAgain(usize),
}

/// All clients of a worker.
pub(super) struct Clients {
    pub(super) all: Vec<Client>,
    members: usize,
    pub(super) book: Book,
    pub(super) ledger: Ledger,
    pub(super) timers: Timers,
    pub(super) todo: Vec<Todo>,
    pub(super) counts: Counts,
    pub(super) latencies: Latencies,
    pub(super) random: Random,
    /// How long a connection is left alone, while connections are cut.
    pub(super) cut_after: Option<Duration>,
    seq: Numbers,
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refusal {
    code: String,
    retry_after_ms: Option<u64>,
}

impl Clients {
    /// Clients who all follow their rooms behind these seqs, so many in each room.
    pub(super) fn new(members: usize, heads: &[u64], book: Book, migrate: u8) -> Result<Self> {
        let now = Instant::now();
        let client = |at: usize| Client {
            phase: Phase::Live,
            place: 0,
            is_moving: false,
            has_moved: false,
            dials: 0,
            failed: 0,
            dialled: now,
            lost: None,
            head: None,
            // Spread evenly over the clients, whichever gateway they are on.
            speaks_migrate: (at * 37 + at / 100) % 100 < usize::from(migrate),
            unacked: Vec::new(),
        };
        Ok(Self {
            all: (0..heads.len()).map(client).collect(),
            members,
            book,
            ledger: Ledger::new(heads.iter().copied()),
            timers: Timers::default(),
            todo: Vec::new(),
            counts: Counts::default(),
            latencies: Latencies::new()?,
            random: Random::new(heads.len()),
            cut_after: None,
            seq: Numbers::seq(),
        })
    }

    /// From now on connections are cut, each after about so long.
    pub(super) fn begin_to_cut(&mut self, every: Duration) {
        self.cut_after = Some(every);
        // The first cuts are spread over the whole time, or all would come at once for ever.
        for client in 0..self.all.len() {
            let after = every.mul_f64(self.random.fraction());
            self.in_time(client, after, What::Cut);
        }
    }

    /// The socket in the present place of a client, or in its other one.
    pub(super) fn socket(&self, client: usize, is_other: bool) -> usize {
        let place = self.all[client].place ^ usize::from(is_other);
        client + place * self.all.len()
    }

    pub(super) fn room_of(&self, client: usize) -> usize {
        client / self.members
    }

    /// Sets a timer of the client's present connection.
    pub(super) fn in_time(&mut self, client: usize, after: Duration, what: What) {
        self.timers.add(Timer {
            at: Instant::now() + after,
            client,
            dials: self.all[client].dials,
            what,
        });
    }

    /// A timer again, after a wait that grows with the failures.
    pub(super) fn back_off(&mut self, client: usize, what: What) {
        let after = backoff(self.all[client].failed, &mut self.random);
        self.all[client].failed += 1;
        self.in_time(client, after, what);
    }

    pub(super) fn live(&self) -> u64 {
        self.all
            .iter()
            .filter(|client| client.phase == Phase::Live)
            .count() as u64
    }

    /// Whether everybody has everything.
    pub(super) fn is_done(&self) -> bool {
        self.book.unacked() == 0
            && (0..self.all.len()).all(|client| {
                self.all[client].phase == Phase::Live
                    && self.ledger.seen(client) >= self.book.last(self.room_of(client))
            })
    }

    /// The client has no connection now, and waits until the next.
    pub(super) fn lose(&mut self, client: usize, lost: Lost) {
        let this = &mut self.all[client];
        let was_served = this.phase == Phase::Live || this.has_moved;
        if was_served {
            this.lost = Some(lost);
            if lost != Lost::Cut {
                self.counts.ended += 1;
                self.counts.ended_migrating += u64::from(this.speaks_migrate);
            }
        } else {
            self.counts.refused += 1;
        }
        if std::mem::take(&mut this.has_moved) {
            // The one before is still open.
            self.todo.push(Todo::CloseOther(client));
        }
        if std::mem::take(&mut this.is_moving) {
            // The next one is being opened already.
            this.place ^= 1;
            this.phase = Phase::Dialling;
        } else {
            this.phase = Phase::Away;
            if lost != Lost::Cut {
                self.back_off(client, What::Dial);
            }
        }
    }

    fn welcomed(&mut self, client: usize, is_other: bool) -> Result<()> {
        let this = &mut self.all[client];
        if is_other {
            if !this.is_moving {
                bail!("client {client} was welcomed on a connection that it has given up");
            }
            this.place ^= 1;
            this.is_moving = false;
            this.has_moved = true;
        }
        this.phase = Phase::Following;
        this.head = None;
        self.todo.push(Todo::Follow(client));
        Ok(())
    }

    fn followed(&mut self, client: usize, at: Instant, envelope: &Envelope<'_>) -> Result<()> {
        if envelope.kind == "error" {
            self.refused(client);
            return Ok(());
        }
        let reply: SubscribedRooms = envelope.data()?;
        match reply.rooms.as_slice() {
            [SubscribedRoom::Live(live)] if live.limited => bail!(
                "more was missed than the server replays (limits.replay_events_per_room): use a lower --rate or a shorter time away"
            ),
            [SubscribedRoom::Live(live)] => {
                self.all[client].head = Some(live.head);
                self.look(client, at);
            }
            [SubscribedRoom::Failed { .. }] => self.refused(client),
            rooms => bail!("one room was asked for, {} answered", rooms.len()),
        }
        Ok(())
    }

    /// A connection on which the room cannot be followed now is of no use.
    fn refused(&mut self, client: usize) {
        self.todo.push(Todo::Drop(client));
    }

    /// Whether a client that follows has what it missed.
    fn look(&mut self, client: usize, at: Instant) {
        let seen = self.ledger.seen(client);
        let this = &mut self.all[client];
        if this.phase != Phase::Following || this.head.is_none_or(|head| seen < head) {
            return;
        }
        this.phase = Phase::Live;
        this.failed = 0;
        if std::mem::take(&mut this.has_moved) {
            self.counts.moved += 1;
            self.todo.push(Todo::CloseOther(client));
        } else {
            self.counts.resumed += 1;
            self.latencies.replay.record(at - this.dialled);
            if let Some(Lost::Ended(then)) = this.lost {
                self.latencies
                    .reconnect
                    .record(at.saturating_duration_since(then));
            }
        }
        this.lost = None;
        if !this.unacked.is_empty() {
            self.todo.push(Todo::SayAgain(client));
        }
        if let Some(every) = self.cut_after {
            let after = every.mul_f64(0.8 + 0.4 * self.random.fraction());
            self.in_time(client, after, What::Cut);
        }
    }

    fn answered(&mut self, client: usize, at: Instant, payload: &[u8]) -> Result<()> {
        let envelope = Envelope::parse(payload)?;
        let number = match envelope.id {
            Some(CommandId::Number(FOLLOW)) => return self.followed(client, at, &envelope),
            Some(CommandId::Number(number)) => u64::try_from(number)?,
            _ => bail!("the server refused: {}", shown(payload)),
        };
        if envelope.kind == "error" {
            let refusal: Refusal = envelope.data()?;
            if refusal.code != "unavailable" {
                bail!("the server refused a message: {}", shown(payload));
            }
            self.counts.retried += 1;
            let after = refusal.retry_after_ms.map_or(RETRY, Duration::from_millis);
            self.in_time(client, after, What::Retry);
            return Ok(());
        }
        let sent: Sent = envelope.data()?;
        let (sender, took) = self.book.acked(number, &sent, at)?;
        if let Some(took) = took {
            self.counts.acked += 1;
            self.latencies.ack.record(took);
            self.all[sender].unacked.retain(|other| *other != number);
        }
        Ok(())
    }

    fn delivered(&mut self, client: usize, at: Instant, payload: &[u8]) -> Result<()> {
        let seq = self
            .seq
            .first(payload)
            .with_context(|| format!("no seq: {}", shown(payload)))?;
        let room = self.room_of(client);
        let sent = self.book.learn(room, seq, payload)?;
        if self.ledger.deliver(client, seq, self.book.last(room)) == Delivery::New {
            self.counts.delivered += 1;
            if let (Phase::Live, Some(sent)) = (self.all[client].phase, sent) {
                self.latencies.deliver.record(at - sent);
            }
        }
        self.look(client, at);
        Ok(())
    }
}

impl Sink for Clients {
    fn message(&mut self, socket: usize, at: Instant, payload: &[u8]) -> Result<()> {
        let (client, place) = (socket % self.all.len(), socket / self.all.len());
        let is_other = self.all[client].place != place;
        match kind(payload)? {
            b"welcome" => self.welcomed(client, is_other)?,
            b"ok" | b"error" => self.answered(client, at, payload)?,
            // What comes on a connection that was given up comes again on the next, from where the client stood.
            _ if is_other => {}
            b"message_created" => self.delivered(client, at, payload)?,
            b"batch" => {
                let batch: Batch<'_> = Envelope::parse(payload)?.data()?;
                for event in batch.events {
                    self.message(socket, at, event.get().as_bytes())?;
                }
            }
            b"migrate" if self.all[client].speaks_migrate => {
                let migrate: Migrate = Envelope::parse(payload)?.data()?;
                self.in_time(client, Duration::from_millis(migrate.after_ms), What::Move);
            }
            b"member_joined" | b"member_left" => {
                bail!("somebody else joins the rooms of this test: use another --prefix")
            }
            b"gap" | b"lagging" => self.counts.gaps += 1,
            _ => {}
        }
        Ok(())
    }

    fn counted(&mut self, socket: usize, _: Instant, _: u64) -> Result<()> {
        bail!("socket {socket} is read in full, not counted")
    }

    fn ended(&mut self, socket: usize, _why: &str) -> Result<()> {
        let (client, place) = (socket % self.all.len(), socket / self.all.len());
        if self.all[client].place == place {
            self.lose(client, Lost::Ended(Instant::now()));
        } else if std::mem::take(&mut self.all[client].is_moving) {
            self.counts.refused += 1;
            self.back_off(client, What::Move);
        }
        Ok(())
    }
}
