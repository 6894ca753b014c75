//! One round: who has what outstanding, and who has received what.

use std::{collections::VecDeque, time::Instant};

use anyhow::{Result, bail};
use starling_protocol::ws::{self, Opcode};

use crate::{
    envelope::{Numbers, kind, shown},
    herd::Sink,
    latency::Latency,
    ledger::{Delivery, Faults, Ledger},
};

use super::Kind;

/// A message that not all members have yet.
struct Outstanding {
    sent: Instant,
    left: usize,
}

/// A room's sender.
struct Talk {
    /// The number of the oldest message outstanding.
    base: u64,
    outstanding: VecDeque<Outstanding>,
    /// It waits to send.
    is_due: bool,
}

impl Talk {
    /// The number of the last message sent.
    fn last(&self) -> u64 {
        self.base + self.outstanding.len() as u64 - 1
    }
}

/// A round while it runs. The first member of each room is its sender.
pub struct Round {
    kind: Kind,
    numbers: Numbers,
    members: usize,
    talks: Vec<Talk>,
    ledger: Ledger,
    /// Rooms whose window has room, each once.
    due: Vec<usize>,
    /// Deliveries so far.
    pub deliveries: u64,
    /// Replies to messages so far.
    pub acks: u64,
    /// Send to deliver, while [`is_measured`](Self::is_measured).
    pub latency: Latency,
    /// Whether latencies count.
    pub is_measured: bool,
    /// The size of the first frame delivered.
    pub first_frame: Option<usize>,
    /// The content has been fitted to it.
    pub is_sized: bool,
}

impl Round {
    /// A round that goes on behind these numbers, one for each room.
    pub fn new(kind: Kind, members: usize, behind: &[u64]) -> Result<Self> {
        let everybody = behind
            .iter()
            .flat_map(|number| std::iter::repeat_n(*number, members));
        let talk = |number: &u64| Talk {
            base: number + 1,
            outstanding: VecDeque::new(),
            is_due: true,
        };
        Ok(Self {
            kind,
            numbers: match kind {
                Kind::Message => Numbers::seq(),
                Kind::Signal => Numbers::signal(),
            },
            members,
            talks: behind.iter().map(talk).collect(),
            ledger: Ledger::new(everybody),
            due: (0..behind.len()).collect(),
            deliveries: 0,
            acks: 0,
            latency: Latency::new()?,
            is_measured: false,
            first_frame: None,
            is_sized: false,
        })
    }

    /// Rooms whose senders may send, and the numbers that they may send now: the window is full afterwards.
    pub fn next_to_send(&mut self, window: usize) -> Option<(usize, std::ops::Range<u64>)> {
        let room = self.due.pop()?;
        let left = self.receivers();
        let talk = &mut self.talks[room];
        talk.is_due = false;
        let first = talk.last() + 1;
        let sent = Instant::now();
        while talk.outstanding.len() < window {
            talk.outstanding.push_back(Outstanding { sent, left });
        }
        Some((room, first..talk.last() + 1))
    }

    /// Members who get what the sender of their room sends.
    fn receivers(&self) -> usize {
        match self.kind {
            Kind::Message => self.members,
            // A signal goes to everybody else.
            Kind::Signal => self.members - 1,
        }
    }

    /// Whether all members have all messages.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.talks.iter().all(|talk| talk.outstanding.is_empty())
    }

    /// The number of the last message of each room.
    #[must_use]
    pub fn last(&self) -> Vec<u64> {
        self.talks.iter().map(Talk::last).collect()
    }

    /// The account, at the end.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.ledger.close(|socket| match self.kind {
            Kind::Signal if socket.is_multiple_of(self.members) => 0,
            Kind::Message | Kind::Signal => self.talks[socket / self.members].last(),
        })
    }

    fn delivered(&mut self, socket: usize, number: u64, at: Instant) {
        let room = socket / self.members;
        let last = self.talks[room].last();
        let delivery = self.ledger.deliver(socket, number, last);
        self.settle(room, number, delivery, at);
    }

    /// Counts a delivery, and ends what is outstanding once it has reached everybody.
    fn settle(&mut self, room: usize, number: u64, delivery: Delivery, at: Instant) {
        if delivery == Delivery::Void {
            return;
        }
        self.deliveries += 1;
        let talk = &mut self.talks[room];
        let place = number
            .checked_sub(talk.base)
            .and_then(|place| usize::try_from(place).ok());
        let Some(message) = place.and_then(|place| talk.outstanding.get_mut(place)) else {
            return;
        };
        message.left -= 1;
        if self.is_measured {
            self.latency.record(at - message.sent);
        }
        while talk.outstanding.front().is_some_and(|message| message.left == 0) {
            talk.outstanding.pop_front();
            talk.base += 1;
            if !talk.is_due {
                talk.is_due = true;
                self.due.push(room);
            }
        }
    }
}

impl Sink for Round {
    fn message(&mut self, socket: usize, at: Instant, payload: &[u8]) -> Result<()> {
        match (kind(payload)?, self.kind) {
            (b"message_created", Kind::Message) | (b"signal", Kind::Signal) => {
                if self.first_frame.is_none() {
                    let header = ws::header(Opcode::Text, payload.len()).len();
                    self.first_frame = Some(header + payload.len());
                }
                match self.numbers.first(payload) {
                    Some(number) => self.delivered(socket, number, at),
                    None => bail!("a message without its number: {}", shown(payload)),
                }
            }
            (b"batch", _) => {
                let numbers: Vec<u64> = self.numbers.all(payload).collect();
                for number in numbers {
                    self.delivered(socket, number, at);
                }
            }
            (b"ok", _) => self.acks += 1,
            (b"error" | b"lagging" | b"gap" | b"migrate", _) => {
                bail!("the server cannot keep up, or refuses: {}", shown(payload))
            }
            // Whatever else takes a seq is one that nobody here sent.
            (_, Kind::Message) => {
                let numbers: Vec<u64> = self.numbers.all(payload).collect();
                if !numbers.is_empty() {
                    bail!(
                        "somebody else writes into the rooms of this test: {}",
                        shown(payload)
                    );
                }
            }
            (_, Kind::Signal) => {}
        }
        Ok(())
    }

    fn counted(&mut self, socket: usize, at: Instant, messages: u64) -> Result<()> {
        let room = socket / self.members;
        for _ in 0..messages {
            let (number, delivery) = self.ledger.count(socket, self.talks[room].last());
            self.settle(room, number, delivery, at);
        }
        Ok(())
    }

    fn ended(&mut self, socket: usize, why: &str) -> Result<()> {
        bail!("connection {socket} ended: {why}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64) -> String {
        format!(r#"{{"type":"message_created","data":{{"roomId":"r","seq":{seq},"content":"x"}}}}"#)
    }

    fn deliver(round: &mut Round, socket: usize, seq: u64) {
        round
            .message(socket, Instant::now(), event(seq).as_bytes())
            .unwrap();
    }

    #[test]
    fn a_message_is_done_when_all_members_have_it() {
        let mut round = Round::new(Kind::Message, 2, &[10, 0]).unwrap();
        // The last room first; which is first does not matter.
        assert_eq!(round.next_to_send(2), Some((1, 1..3)));
        assert_eq!(round.next_to_send(2), Some((0, 11..13)));
        assert_eq!(round.next_to_send(2), None);
        deliver(&mut round, 0, 11);
        deliver(&mut round, 0, 12);
        assert_eq!(round.next_to_send(2), None, "the other member has neither");
        deliver(&mut round, 1, 11);
        assert_eq!(round.next_to_send(2), Some((0, 13..14)), "one place is free");
        for (socket, seq) in [(1, 12), (0, 13), (1, 13), (2, 1), (2, 2), (3, 1), (3, 2)] {
            deliver(&mut round, socket, seq);
        }
        assert!(round.is_done());
        assert_eq!((round.deliveries, round.last()), (10, vec![13, 2]));
        assert!(round.faults().is_none());
    }

    #[test]
    fn a_signal_is_done_when_everybody_else_has_it() {
        let mut round = Round::new(Kind::Signal, 3, &[0]).unwrap();
        assert_eq!(round.next_to_send(1), Some((0, 1..2)));
        let signal = br#"{"type":"signal","data":{"payload":{"n":1}}}"#;
        for socket in [2, 1] {
            assert!(!round.is_done());
            round.message(socket, Instant::now(), signal).unwrap();
        }
        assert!(round.is_done() && round.faults().is_none());
        assert_eq!(round.deliveries, 2);
    }

    #[test]
    fn counted_sockets_take_part() {
        let mut round = Round::new(Kind::Message, 2, &[0]).unwrap();
        assert_eq!(round.next_to_send(3), Some((0, 1..4)));
        round.counted(1, Instant::now(), 3).unwrap();
        for seq in 1..=3 {
            deliver(&mut round, 0, seq);
        }
        assert!(round.is_done() && round.faults().is_none());
        round.counted(1, Instant::now(), 1).unwrap();
        assert_eq!(round.faults().unsent, 1);
    }

    #[test]
    fn a_fault_is_found_and_does_not_count() {
        let mut round = Round::new(Kind::Message, 1, &[0]).unwrap();
        assert_eq!(round.next_to_send(3), Some((0, 1..4)));
        for seq in [1, 1, 3] {
            deliver(&mut round, 0, seq);
        }
        let faults = round.faults();
        assert_eq!((faults.lost, faults.repeated), (1, 1));
        assert_eq!(round.deliveries, 2);
        assert!(!round.is_done());
    }

    #[test]
    fn what_makes_a_figure_void_ends_the_round() {
        let mut round = Round::new(Kind::Message, 1, &[0]).unwrap();
        for payload in [
            r#"{"type":"error","data":{"code":"rate_limited","message":"wait"}}"#,
            r#"{"type":"member_joined","data":{"roomId":"r","seq":1}}"#,
            r#"{"type":"lagging","data":{"roomIds":["r"]}}"#,
            "no envelope",
        ] {
            assert!(round.message(0, Instant::now(), payload.as_bytes()).is_err());
        }
        assert!(round.ended(0, "cut").is_err());
        let harmless = r#"{"type":"presence_changed","data":{"users":[]}}"#;
        round.message(0, Instant::now(), harmless.as_bytes()).unwrap();
        assert_eq!(round.deliveries, 0);
    }

    #[test]
    fn a_batch_holds_several() {
        let mut round = Round::new(Kind::Message, 1, &[0]).unwrap();
        round.next_to_send(2);
        let batch = format!(
            r#"{{"type":"batch","data":{{"events":[{},{}]}}}}"#,
            event(1),
            event(2)
        );
        round.message(0, Instant::now(), batch.as_bytes()).unwrap();
        assert!(round.is_done() && round.faults().is_none());
    }
}
