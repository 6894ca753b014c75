//! The account of published messages: each is acknowledged once, and delivered once to every follower of its room with
//! the seq of its acknowledgement.

use std::{collections::HashMap, time::Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::value::RawValue;
use starling_protocol::{CommandId, reply::Sent};

use crate::{
    envelope::{Envelope, shown},
    herd::Sink,
    latency::Latency,
    ledger::{Delivery, Faults, Ledger},
    speech,
};

/// A message that is not both acknowledged and with everybody.
struct Message {
    sender: usize,
    sent: Instant,
    /// Followers who do not have it.
    left: usize,
    is_acked: bool,
    /// As first heard, by an acknowledgement or a delivery.
    seq: Option<u64>,
}

/// Who has sent what, and what came of it.
pub struct Desk {
    members: usize,
    messages: HashMap<u64, Message>,
    /// By sender: how many more it may send.
    free: Vec<usize>,
    /// Senders who may send, each once.
    due: Vec<usize>,
    /// By room: the seq of the last message once all are durable.
    last: Vec<u64>,
    ledger: Ledger,
    next: u64,
    first: u64,
    /// Acknowledgements.
    pub acks: u64,
    /// Messages whose seqs do not agree, or that were duplicates.
    pub mismatched: u64,
    /// Send to ack, while measured.
    pub ack_latency: Latency,
    /// Send to deliver, while measured.
    pub delivery_latency: Latency,
    /// Whether latencies count.
    pub is_measured: bool,
}

/// What is read of a `message_created`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created<'a> {
    seq: u64,
    client_id: &'a str,
}

/// What is read of a `batch`.
#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

impl Desk {
    /// Senders who all follow their rooms behind these seqs, one for each sender; a room has so many.
    pub fn new(members: usize, heads: &[u64], unacked: usize) -> Result<Self> {
        let last: Vec<u64> = heads.iter().step_by(members).copied().collect();
        // Numbers go into client ids, which a room sees once: behind every seq no earlier test has used one.
        let first = heads.iter().max().copied().unwrap_or(0) + 1;
        Ok(Self {
            members,
            messages: HashMap::new(),
            free: vec![unacked; heads.len()],
            due: (0..heads.len()).collect(),
            last,
            ledger: Ledger::new(heads.iter().copied()),
            next: first,
            first,
            acks: 0,
            mismatched: 0,
            ack_latency: Latency::new()?,
            delivery_latency: Latency::new()?,
            is_measured: false,
        })
    }

    /// A sender with room in its window, and how much.
    pub fn next_free(&mut self) -> Option<(usize, usize)> {
        loop {
            let sender = self.due.pop()?;
            if self.free[sender] > 0 {
                return Some((sender, self.free[sender]));
            }
        }
    }

    /// How many messages a sender may send.
    #[must_use]
    pub fn free(&self, sender: usize) -> usize {
        self.free[sender]
    }

    /// A sender sends a message now; returns its number.
    pub fn sending(&mut self, sender: usize, sent: Instant) -> u64 {
        let number = self.next;
        self.next += 1;
        self.free[sender] = self.free[sender].saturating_sub(1);
        self.last[sender / self.members] += 1;
        let message = Message {
            sender,
            sent,
            left: self.members,
            is_acked: false,
            seq: None,
        };
        self.messages.insert(number, message);
        number
    }

    /// Whether nothing is outstanding.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.messages.is_empty()
    }

    /// Messages sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.next - self.first
    }

    /// Messages that have no acknowledgement.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        self.messages.values().filter(|message| !message.is_acked).count() as u64
    }

    /// The account of deliveries, at the end.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.ledger.close(|follower| self.last[follower / self.members])
    }

    fn acked(&mut self, number: u64, sent: &Sent, at: Instant) -> Result<()> {
        let message = self
            .messages
            .get_mut(&number)
            .filter(|message| !message.is_acked)
            .with_context(|| format!("message {number} was acknowledged twice, or never sent"))?;
        message.is_acked = true;
        self.acks += 1;
        if self.is_measured {
            self.ack_latency.record(at - message.sent);
        }
        if self.free[message.sender] == 0 {
            self.due.push(message.sender);
        }
        self.free[message.sender] += 1;
        if sent.duplicate || *message.seq.get_or_insert(sent.seq) != sent.seq {
            self.mismatched += 1;
        }
        if message.left == 0 {
            self.messages.remove(&number);
        }
        Ok(())
    }

    fn delivered(&mut self, follower: usize, created: &Created<'_>, at: Instant) -> Result<()> {
        let last = self.last[follower / self.members];
        if self.ledger.deliver(follower, created.seq, last) == Delivery::Void {
            return Ok(());
        }
        let number = speech::number(created.client_id).with_context(|| {
            format!(
                "somebody else writes into the rooms of this test: {}",
                created.client_id
            )
        })?;
        let Some(message) = self.messages.get_mut(&number).filter(|message| message.left > 0) else {
            self.mismatched += 1;
            return Ok(());
        };
        message.left -= 1;
        if self.is_measured {
            self.delivery_latency.record(at - message.sent);
        }
        let same_room = message.sender / self.members == follower / self.members;
        if !same_room || *message.seq.get_or_insert(created.seq) != created.seq {
            self.mismatched += 1;
        }
        if message.left == 0 && message.is_acked {
            self.messages.remove(&number);
        }
        Ok(())
    }

    fn envelope(&mut self, socket: usize, at: Instant, payload: &[u8]) -> Result<()> {
        let envelope = Envelope::parse(payload)?;
        match envelope.kind {
            "ok" => match envelope.id {
                Some(CommandId::Number(number)) if number >= 0 => {
                    self.acked(number.unsigned_abs(), &envelope.data()?, at)
                }
                _ => bail!("a reply to nothing: {}", shown(payload)),
            },
            "message_created" => self.delivered(socket, &envelope.data()?, at),
            "batch" => {
                let batch: Batch<'_> = envelope.data()?;
                batch
                    .events
                    .iter()
                    .try_for_each(|event| self.envelope(socket, at, event.get().as_bytes()))
            }
            "error" | "lagging" | "gap" | "migrate" => {
                bail!("the server cannot keep up, or refuses: {}", shown(payload))
            }
            _ => Ok(()),
        }
    }
}

impl Sink for Desk {
    fn message(&mut self, socket: usize, at: Instant, payload: &[u8]) -> Result<()> {
        self.envelope(socket, at, payload)
    }

    fn counted(&mut self, socket: usize, _: Instant, _: u64) -> Result<()> {
        bail!("connection {socket} is read in full, not counted")
    }

    fn ended(&mut self, socket: usize, why: &str) -> Result<()> {
        bail!("connection {socket} ended: {why}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(desk: &mut Desk, socket: usize, number: u64, seq: u64) -> Result<()> {
        let reply = format!(
            r#"{{"type":"ok","id":{number},"data":{{"roomId":"r","seq":{seq},"duplicate":false,
            "messageId":"0191d0a0-0000-7000-8000-000000000000","createdAt":"2026-11-20T12:00:00.000Z"}}}}"#
        );
        desk.message(socket, Instant::now(), reply.as_bytes())
    }

    fn event(number: u64, seq: u64) -> String {
        let process = std::process::id();
        format!(
            r#"{{"type":"message_created","data":{{"roomId":"r","seq":{seq},"clientId":"{process}-{number}"}}}}"#
        )
    }

    fn deliver(desk: &mut Desk, socket: usize, number: u64, seq: u64) {
        desk.message(socket, Instant::now(), event(number, seq).as_bytes())
            .unwrap();
    }

    /// Two senders in one room that ended at 4.
    fn desk() -> Desk {
        Desk::new(2, &[4, 4], 2).unwrap()
    }

    #[test]
    fn a_message_ends_when_it_is_acked_and_with_everybody() {
        let mut desk = desk();
        assert_eq!(desk.next_free(), Some((1, 2)));
        let number = desk.sending(1, Instant::now());
        assert_eq!(number, 5);
        assert_eq!(desk.free(1), 1);
        deliver(&mut desk, 0, number, 5);
        ack(&mut desk, 1, number, 5).unwrap();
        assert!(!desk.is_done());
        deliver(&mut desk, 1, number, 5);
        assert!(desk.is_done());
        assert_eq!(
            (desk.free(1), desk.acks, desk.sent(), desk.mismatched),
            (2, 1, 1, 0)
        );
        assert!(desk.faults().is_none());
    }

    #[test]
    fn a_full_window_opens_with_an_ack() {
        let mut desk = Desk::new(1, &[0], 1).unwrap();
        assert_eq!(desk.next_free(), Some((0, 1)));
        let number = desk.sending(0, Instant::now());
        assert_eq!(desk.next_free(), None);
        ack(&mut desk, 0, number, 1).unwrap();
        assert_eq!(desk.next_free(), Some((0, 1)));
    }

    #[test]
    fn an_ack_and_a_delivery_must_name_the_same_seq() {
        let mut desk = desk();
        let (one, two) = (desk.sending(0, Instant::now()), desk.sending(0, Instant::now()));
        ack(&mut desk, 0, one, 6).unwrap();
        ack(&mut desk, 0, two, 5).unwrap();
        deliver(&mut desk, 0, one, 5);
        deliver(&mut desk, 0, two, 6);
        assert_eq!(desk.mismatched, 2);
    }

    #[test]
    fn what_never_came_is_told() {
        let mut desk = desk();
        let (one, two) = (desk.sending(0, Instant::now()), desk.sending(1, Instant::now()));
        ack(&mut desk, 0, one, 5).unwrap();
        for socket in [0, 1] {
            deliver(&mut desk, socket, one, 5);
        }
        deliver(&mut desk, 0, two, 6);
        assert!(!desk.is_done());
        assert_eq!((desk.unanswered(), desk.faults().lost), (1, 1));
        assert!(ack(&mut desk, 0, one, 5).is_err(), "acknowledged twice");
    }

    #[test]
    fn a_batch_is_read_event_by_event() {
        let mut desk = Desk::new(1, &[0], 2).unwrap();
        let (one, two) = (desk.sending(0, Instant::now()), desk.sending(0, Instant::now()));
        let batch = format!(
            r#"{{"type":"batch","data":{{"events":[{},{}]}}}}"#,
            event(one, 1),
            event(two, 2)
        );
        desk.message(0, Instant::now(), batch.as_bytes()).unwrap();
        ack(&mut desk, 0, one, 1).unwrap();
        ack(&mut desk, 0, two, 2).unwrap();
        assert!(desk.is_done() && desk.faults().is_none() && desk.mismatched == 0);
    }
}
