//! What was said: each message is acknowledged once, and has one place in its room.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Deserialize;
use starling_protocol::reply::Sent;

use crate::{envelope::shown, speech};

/// A message.
struct Message {
    room: usize,
    /// Who says it, again and again until it is acknowledged.
    sender: usize,
    sent: Instant,
    /// As first heard, by an acknowledgement or a delivery.
    seq: Option<u64>,
    is_acked: bool,
}

/// An event of a room that somebody has seen.
struct Event {
    sent: Instant,
    cursor: Box<str>,
}

/// A room: its events, from where it stood when the test began.
struct Room {
    base: u64,
    /// Messages that were said in it since.
    sent: u64,
    /// By seq, the base first.
    events: Vec<Option<Event>>,
}

/// What is read of an event that nobody has seen before.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created<'a> {
    seq: u64,
    client_id: &'a str,
    cursor: &'a str,
}

/// The rooms and messages of one worker.
pub(super) struct Book {
    rooms: Vec<Room>,
    messages: Vec<Message>,
    /// The number of the first message. Numbers go into client ids, which a room sees once: behind every seq no earlier
    /// test has used one.
    first: u64,
    unacked: u64,
    /// Messages whose seqs do not agree: appended twice, or acknowledged with the wrong one.
    pub(super) mismatched: u64,
}

impl Book {
    /// Rooms that stand at these seqs and cursors.
    pub(super) fn new(stand: impl Iterator<Item = (u64, String)>, at: Instant) -> Self {
        let rooms: Vec<Room> = stand
            .map(|(base, cursor)| Room {
                base,
                sent: 0,
                events: vec![Some(Event {
                    sent: at,
                    cursor: cursor.into(),
                })],
            })
            .collect();
        let first = rooms.iter().map(|room| room.base).max().unwrap_or(0) + 1;
        Self {
            rooms,
            messages: Vec::new(),
            first,
            unacked: 0,
            mismatched: 0,
        }
    }

    /// The seq of a room's last message once all are durable.
    pub(super) fn last(&self, room: usize) -> u64 {
        self.rooms[room].base + self.rooms[room].sent
    }

    /// Messages said in all rooms.
    pub(super) fn sent(&self) -> u64 {
        self.messages.len() as u64
    }

    /// Messages without an acknowledgement.
    pub(super) fn unacked(&self) -> u64 {
        self.unacked
    }

    /// Somebody says something in a room for the first time; its number.
    pub(super) fn say(&mut self, room: usize, sender: usize, at: Instant) -> u64 {
        self.rooms[room].sent += 1;
        self.unacked += 1;
        self.messages.push(Message {
            room,
            sender,
            sent: at,
            seq: None,
            is_acked: false,
        });
        self.first + self.sent() - 1
    }

    fn message(&mut self, number: u64) -> Option<&mut Message> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.messages.get_mut(at)
    }

    /// An acknowledgement: the sender, and how long it took unless there was one before.
    pub(super) fn acked(
        &mut self,
        number: u64,
        sent: &Sent,
        at: Instant,
    ) -> Result<(usize, Option<Duration>)> {
        let message = self
            .message(number)
            .with_context(|| format!("message {number} was acknowledged and never sent"))?;
        let agrees = *message.seq.get_or_insert(sent.seq) == sent.seq;
        let is_first = !std::mem::replace(&mut message.is_acked, true);
        let outcome = (message.sender, is_first.then(|| at - message.sent));
        self.mismatched += u64::from(!agrees);
        self.unacked -= u64::from(is_first);
        Ok(outcome)
    }

    /// Reads an event of a room that may be new to everybody; when it was said.
    pub(super) fn learn(&mut self, room: usize, seq: u64, payload: &[u8]) -> Result<Option<Instant>> {
        let Some(at) = seq.checked_sub(self.rooms[room].base) else {
            return Ok(None);
        };
        let at = usize::try_from(at)?;
        if let Some(Some(event)) = self.rooms[room].events.get(at) {
            return Ok(Some(event.sent));
        }
        if seq > self.last(room) {
            // Nobody said it, which the ledger tells.
            return Ok(None);
        }
        let created: Created<'_> = data(payload)?;
        let number = speech::number(created.client_id).with_context(|| {
            format!(
                "somebody else writes into the rooms of this test: {}",
                shown(payload)
            )
        })?;
        let message = self.message(number).filter(|message| message.room == room);
        let message =
            message.with_context(|| format!("message {number} was never sent here: {}", shown(payload)))?;
        let agrees = *message.seq.get_or_insert(seq) == seq && created.seq == seq;
        let sent = message.sent;
        self.mismatched += u64::from(!agrees);
        let events = &mut self.rooms[room].events;
        if events.len() <= at {
            events.resize_with(at + 1, || None);
        }
        events[at] = Some(Event {
            sent,
            cursor: created.cursor.into(),
        });
        Ok(Some(sent))
    }

    /// The cursor of an event that somebody has seen.
    pub(super) fn cursor(&self, room: usize, seq: u64) -> Option<&str> {
        let at = usize::try_from(seq.checked_sub(self.rooms[room].base)?).ok()?;
        Some(&self.rooms[room].events.get(at)?.as_ref()?.cursor)
    }
}

fn data<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T> {
    #[derive(Deserialize)]
    struct Envelope<T> {
        data: T,
    }
    let envelope: Envelope<T> =
        serde_json::from_slice(payload).with_context(|| format!("not an event: {}", shown(payload)))?;
    Ok(envelope.data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64, number: u64) -> Vec<u8> {
        let process = std::process::id();
        format!(
            r#"{{"type":"message_created","data":{{"seq":{seq},"cursor":"{seq}.aa","clientId":"{process}-{number}"}}}}"#
        )
        .into_bytes()
    }

    fn sent(seq: u64) -> Sent {
        serde_json::from_str(&format!(
            r#"{{"roomId":"r","seq":{seq},"messageId":"0191d0a0-0000-7000-8000-000000000000",
                 "createdAt":"2026-11-20T12:00:00.000Z","duplicate":false}}"#
        ))
        .unwrap()
    }

    fn book() -> Book {
        Book::new(
            [(4, "4.aa".to_owned()), (9, "9.aa".to_owned())].into_iter(),
            Instant::now(),
        )
    }

    #[test]
    fn a_message_has_one_place_and_one_first_acknowledgement() {
        let (mut book, now) = (book(), Instant::now());
        let one = book.say(0, 3, now);
        let two = book.say(0, 3, now);
        assert_eq!((one, two, book.last(0), book.last(1)), (10, 11, 6, 9));
        assert_eq!(book.acked(one, &sent(5), now).unwrap(), (3, Some(Duration::ZERO)));
        assert_eq!(book.acked(one, &sent(5), now).unwrap(), (3, None));
        assert_eq!(book.learn(0, 5, &event(5, one)).unwrap(), Some(now));
        assert_eq!(
            (book.cursor(0, 5), book.cursor(0, 6), book.cursor(0, 4)),
            (Some("5.aa"), None, Some("4.aa"))
        );
        assert_eq!((book.mismatched, book.unacked()), (0, 1));
        // It was said to be the fifth.
        book.learn(0, 6, &event(6, one)).unwrap();
        assert_eq!(book.mismatched, 1);
        assert!(book.acked(99, &sent(7), now).is_err());
    }

    #[test]
    fn what_others_say_ends_the_test() {
        let mut book = book();
        book.say(0, 0, Instant::now());
        let other = br#"{"type":"message_created","data":{"seq":5,"cursor":"c","clientId":"other"}}"#;
        assert!(book.learn(0, 5, other).is_err());
        assert!(
            book.learn(0, 5, &event(5, 12)).is_err(),
            "a number that was not used"
        );
        // Behind what was said here: the ledger counts it as never sent.
        assert_eq!(book.learn(1, 10, b"unread").unwrap(), None);
    }
}
