//! One process of the test: its clients, on one thread and one epoll loop.

use std::{
    io::BufRead,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use starling_protocol::{
    CommandId,
    command::{LooseId, Subscribe, SubscribeRoom},
};

use super::{
    book::Book,
    clients::{Clients, Lost, Phase, Todo},
    spec::{Cut, Spec},
    tally::{Account, Latencies, Said, Tick},
    timers::{Timer, What},
};
use crate::{
    crowd::{Crowd, FOLLOW, Peer, Plan, gather},
    herd::Herd,
    lines::{self, Lines},
    link::{Dial, Masks, push_command},
    speech,
};

/// A connection that is opened must have come to its end by then.
const PATIENCE: Duration = Duration::from_secs(10);

/// Messages of a client without an acknowledgement, at most: fewer than a server allows by default.
const UNACKED: usize = 20;

const SECOND: Duration = Duration::from_secs(1);

/// How long to listen for what should not come, once everything has.
const LISTEN: Duration = Duration::from_millis(50);

/// Between two looks whether everybody has everything.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Connects, waits for the word to begin, and says every second what happened.
pub(super) fn run(
    spec: &Spec,
    input: impl BufRead + Send + 'static,
    say: &mut dyn FnMut(&Said) -> Result<()>,
) -> Result<()> {
    let (plan, peer) = (spec.plan(), Peer::Starling(Box::new(spec.dial()?)));
    let mut told = Instant::now();
    let mut progress = |connections| {
        if told.elapsed() >= SECOND {
            told = Instant::now();
            say(&Said::Connecting { connections })?;
        }
        Ok(())
    };
    let Crowd { herd, heads, cursors } = gather(&peer, &plan, &mut progress)?;
    let stand = heads.iter().copied().zip(cursors).step_by(plan.members);
    let book = Book::new(stand, Instant::now());
    let clients = Clients::new(plan.members, &heads, book, spec.migrate)?;
    let mut run = Run {
        herd,
        clients,
        dial: spec.dial()?,
        plan,
        spec,
        masks: Masks::new(1),
        said: 0,
        unsaid: 0,
        next: vec![0; spec.rooms],
    };
    say(&Said::Ready)?;
    run.wait(&Lines::watch(input, run.herd.waker()))?;
    let account = run.run(say)?;
    say(&Said::Done(account))
}

/// A test while it runs.
struct Run<'a> {
    herd: Herd,
    clients: Clients,
    dial: Dial,
    plan: Plan,
    spec: &'a Spec,
    masks: Masks,
    /// Messages whose time has come so far.
    said: u64,
    /// Those that nobody could say.
    unsaid: u64,
    /// By room: the client whose turn it is.
    next: Vec<usize>,
}

impl Run<'_> {
    /// Serves the connections until the parent says so.
    fn wait(&mut self, lines: &Lines) -> Result<()> {
        loop {
            match lines.next() {
                lines::Said::Line(_) => return Ok(()),
                lines::Said::End => bail!("standard input ended before the test began"),
                lines::Said::Nothing => self.turn(Instant::now() + SECOND)?,
            }
        }
    }

    fn run(&mut self, say: &mut dyn FnMut(&Said) -> Result<()>) -> Result<Account> {
        let began = Instant::now();
        let (end, mut tick) = (began + self.spec.time, began + SECOND);
        if let Some(Cut { every, .. }) = self.spec.cut {
            self.clients.begin_to_cut(every);
        }
        while Instant::now() < end {
            let next = self.speak(began)?;
            self.turn(next.min(end).min(tick))?;
            self.tell(&mut tick, say)?;
        }
        // Those who are away come back, and what was said arrives.
        self.clients.cut_after = None;
        let deadline = end + self.spec.drain;
        while !self.clients.is_done() && Instant::now() < deadline {
            self.turn(tick.min(Instant::now() + LOOK_AGAIN))?;
            self.tell(&mut tick, say)?;
        }
        let end = Instant::now() + LISTEN;
        while Instant::now() < end {
            self.turn(end)?;
        }
        tick = Instant::now();
        self.tell(&mut tick, say)?;
        Ok(self.account())
    }

    /// Does what is due, and serves the connections, until then or until something happens.
    fn turn(&mut self, until: Instant) -> Result<()> {
        // What becomes due meanwhile waits for the next turn: the sockets must not.
        let now = Instant::now();
        while let Some(timer) = self.clients.timers.due(now) {
            self.fire(timer)?;
        }
        self.work()?;
        let until = self.clients.timers.next().map_or(until, |next| next.min(until));
        let left = until.saturating_duration_since(Instant::now());
        self.herd.turn(left, &mut self.clients)?;
        self.work()
    }

    /// Says what is due in all rooms, which take turns; returns when the next is.
    fn speak(&mut self, began: Instant) -> Result<Instant> {
        let rate = self.spec.rate * self.spec.rooms as f64;
        let due = (began.elapsed().as_secs_f64() * rate) as u64;
        while self.said < due {
            let room = (self.said % self.spec.rooms as u64) as usize;
            self.said += 1;
            match self.speaker(room) {
                Some(client) => self.say(room, client)?,
                None => self.unsaid += 1,
            }
        }
        Ok(began + Duration::from_secs_f64((due + 1) as f64 / rate))
    }

    /// Who may speak in a room: its clients take turns.
    fn speaker(&mut self, room: usize) -> Option<usize> {
        let members = self.plan.members;
        let first = self.next[room];
        let may = |client: &usize| {
            let client = &self.clients.all[*client];
            client.phase == Phase::Live && client.unacked.len() < UNACKED
        };
        let client = (0..members)
            .map(|turn| room * members + (first + turn) % members)
            .find(may)?;
        self.next[room] = (client + 1) % members;
        Some(client)
    }

    fn say(&mut self, room: usize, client: usize) -> Result<()> {
        let number = self.clients.book.say(room, client, Instant::now());
        self.clients.all[client].unacked.push(number);
        self.clients.counts.sent += 1;
        self.push(room, client, number)
    }

    fn push(&mut self, room: usize, client: usize, number: u64) -> Result<()> {
        let mut frame = Vec::with_capacity(self.spec.content + 300);
        let room = self.plan.room(room);
        speech::push_message(&room, number, self.spec.content, &mut self.masks, &mut frame)?;
        self.herd.send(self.clients.socket(client, false), &frame)
    }

    fn fire(&mut self, timer: Timer) -> Result<()> {
        let Timer {
            client, dials, what, ..
        } = timer;
        let this = &self.clients.all[client];
        if this.dials != dials {
            return Ok(());
        }
        match (what, this.phase) {
            (What::Dial, Phase::Away) => self.open(client, false)?,
            (What::Move, Phase::Live) if !this.is_moving => self.open(client, true)?,
            // It still catches up on the connection that is to be left.
            (What::Move, Phase::Following) => self.clients.in_time(client, LOOK_AGAIN, What::Move),
            (What::Overdue, _) if this.is_moving => {
                self.herd.cut(self.clients.socket(client, true))?;
                self.clients.all[client].is_moving = false;
                self.clients.counts.refused += 1;
                self.clients.back_off(client, What::Move);
            }
            (What::Overdue, Phase::Dialling | Phase::Following) => self.drop(client)?,
            (What::Cut, Phase::Live) if self.clients.cut_after.is_some() => {
                self.herd.cut(self.clients.socket(client, false))?;
                self.clients.counts.cut += 1;
                self.clients.lose(client, Lost::Cut);
                if let (Phase::Away, Some(cut)) = (self.clients.all[client].phase, self.spec.cut) {
                    self.clients.in_time(client, cut.offline, What::Dial);
                }
            }
            (What::Retry, Phase::Live) => self.say_again(client)?,
            _ => {}
        }
        Ok(())
    }

    /// Begins to open a socket.
    fn open(&mut self, client: usize, beside: bool) -> Result<()> {
        let user = self.plan.user(client);
        let this = &mut self.clients.all[client];
        this.dials += 1;
        this.dialled = Instant::now();
        // Whoever has failed tries the next target.
        let attempt = usize::try_from(this.dials)?;
        let Some((stream, upgrade)) = self.dial.begin(client, attempt, &user)? else {
            self.clients.counts.refused += 1;
            let what = if beside { What::Move } else { What::Dial };
            self.clients.back_off(client, what);
            return Ok(());
        };
        if beside {
            this.is_moving = true;
        } else {
            this.phase = Phase::Dialling;
        }
        let socket = self.clients.socket(client, beside);
        self.herd.dial(socket, stream, &upgrade)?;
        self.clients.in_time(client, PATIENCE, What::Overdue);
        Ok(())
    }

    /// Gives the present socket up, and tries again later.
    fn drop(&mut self, client: usize) -> Result<()> {
        self.herd.cut(self.clients.socket(client, false))?;
        self.clients.lose(client, Lost::Ended(Instant::now()));
        Ok(())
    }

    fn say_again(&mut self, client: usize) -> Result<()> {
        for number in self.clients.all[client].unacked.clone() {
            let room = self.clients.room_of(client);
            self.push(room, client, number)?;
        }
        Ok(())
    }

    /// Does what reading has asked for.
    fn work(&mut self) -> Result<()> {
        for todo in std::mem::take(&mut self.clients.todo) {
            match todo {
                Todo::Follow(client) => self.follow(client)?,
                Todo::CloseOther(client) => self.herd.close(self.clients.socket(client, true))?,
                Todo::Drop(client) => self.drop(client)?,
                Todo::SayAgain(client) => self.say_again(client)?,
            }
        }
        Ok(())
    }

    /// Subscribes from where the client stands.
    fn follow(&mut self, client: usize) -> Result<()> {
        let room = self.clients.room_of(client);
        let cursor = self.clients.book.cursor(room, self.clients.ledger.seen(client));
        let cursor = cursor.with_context(|| format!("client {client} has seen what nobody has seen"))?;
        let subscribe = Subscribe {
            rooms: vec![SubscribeRoom {
                room_id: LooseId::Text(self.plan.room(room)),
                cursor: Some(cursor.to_owned()),
            }],
            ..Subscribe::default()
        };
        let mut frame = Vec::new();
        let id = CommandId::Number(FOLLOW);
        push_command("subscribe", Some(&id), &subscribe, &mut self.masks, &mut frame)?;
        self.herd.send(self.clients.socket(client, false), &frame)
    }

    /// Once a second, what happened in it.
    fn tell(&mut self, tick: &mut Instant, say: &mut dyn FnMut(&Said) -> Result<()>) -> Result<()> {
        if Instant::now() < *tick {
            return Ok(());
        }
        *tick += SECOND;
        let latencies = std::mem::replace(&mut self.clients.latencies, Latencies::new()?);
        say(&Said::Second(Tick {
            live: self.clients.live(),
            counts: std::mem::take(&mut self.clients.counts),
            recorded: latencies.recorded(),
        }))
    }

    fn account(&self) -> Account {
        let clients = &self.clients;
        let said: u64 = clients.book.sent();
        Account {
            expected: said * self.plan.members as u64,
            faults: clients
                .ledger
                .close(|client| clients.book.last(clients.room_of(client))),
            unanswered: clients.book.unacked(),
            mismatched: clients.book.mismatched,
            unsaid: self.unsaid,
            missing: clients.all.len() as u64 - clients.live(),
        }
    }
}
