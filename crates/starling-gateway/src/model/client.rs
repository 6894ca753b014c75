//! A client of the model. It remembers what it was given and what it was told, and holds every frame to the promises.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use starling_core::{Action, ClientId, Cursor, EventBody, EventId, RoomEvent, RoomId, UserId};
use starling_protocol::{
    event::Gap,
    ws::{Decoder, Limits, Message, Role},
};

use super::{log::Log, pipe::Pipe, plan::ROOMS};

pub(super) struct Client {
    pub(super) user: UserId,
    pub(super) link: Option<Link>,
    pub(super) rooms: Vec<Known>,
    pub(super) sent: Vec<Sent>,
    /// How often it was told that something is left out.
    pub(super) gaps: u64,
}

/// What it knows of a room, over all its connections.
pub(super) struct Known {
    pub(super) id: RoomId,
    /// Seq of the event before the first that it was given.
    first: u64,
    events: Vec<EventId>,
    pub(super) cursor: Option<Cursor>,
}

/// Something that it asked the log to append.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) room: usize,
    pub(super) client_id: ClientId,
    pub(super) action: Action,
    /// What it was told first.
    pub(super) acked: Option<(u64, EventId)>,
    pub(super) is_refused: bool,
    /// It was told that the log is away, and to send again.
    pub(super) is_late: bool,
}

pub(super) struct Link {
    pub(super) node: usize,
    pub(super) key: u64,
    pipe: Pipe,
    decoder: Decoder,
    pub(super) states: [State; ROOMS as usize],
    awaited: HashMap<i64, Awaited>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Off,
    /// `subscribe` is on its way. Again, after the room was lost: events of the time before may still come.
    Asked {
        again: bool,
    },
    Live,
    /// It was told that it is no member any more.
    Gone,
}

#[derive(Clone, Copy)]
pub(super) enum Awaited {
    Subscribe(usize),
    Append(usize),
}

#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    id: Option<i64>,
    data: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Durable {
    room_id: RoomId,
    seq: u64,
    cursor: Cursor,
    event_id: EventId,
    content: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ack {
    seq: u64,
    message_id: EventId,
    duplicate: bool,
}

impl Known {
    pub(super) fn new(id: RoomId) -> Self {
        Self {
            id,
            first: 0,
            events: Vec::new(),
            cursor: None,
        }
    }

    /// How many events it has.
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// Seq of the last event that it has.
    pub(super) fn seq(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    fn begin(&mut self, head: Cursor) {
        if self.cursor.is_none() {
            (self.first, self.cursor) = (head.seq, Some(head));
        }
    }

    fn add(&mut self, event: &RoomEvent, how: &str) {
        assert_eq!(
            event.seq,
            self.seq() + 1,
            "in {} a client was given {how}",
            self.id
        );
        self.events.push(event.id);
        self.cursor = Some(event.cursor());
    }

    /// Everything of the log from its beginning on, and nothing else.
    pub(super) fn assert_complete(&self, log: &Log) {
        let all: Vec<EventId> = log.events(&self.id).iter().map(|event| event.id).collect();
        let from = usize::try_from(self.first).expect("a short log");
        assert_eq!(self.events, all[from..], "in {} from {from} on", self.id);
    }
}

impl Link {
    pub(super) fn new(node: usize, key: u64, pipe: Pipe) -> Self {
        Self {
            node,
            key,
            pipe,
            decoder: Decoder::new(Role::Client, Limits::default()),
            states: [State::Off; ROOMS as usize],
            awaited: HashMap::new(),
        }
    }

    pub(super) fn wait_for(&mut self, id: i64, what: Awaited) {
        self.awaited.insert(id, what);
    }
}

impl Client {
    /// Takes what has come.
    pub(super) fn read(&mut self, log: &Log) {
        let Some(mut link) = self.link.take() else { return };
        let mut bytes = link.pipe.read();
        let mut input = &mut bytes[..];
        loop {
            let frame: Frame = match link.decoder.decode(&mut input).expect("well-formed frames") {
                None => break,
                Some(Message::Text(text)) => serde_json::from_str(text).expect("an envelope"),
                Some(other) => panic!("{other:?}"),
            };
            self.take(&mut link, frame, log);
        }
        self.link = Some(link);
    }

    fn take(&mut self, link: &mut Link, frame: Frame, log: &Log) {
        let awaited = frame.id.map(|id| link.awaited.remove(&id).expect("one answer"));
        match (frame.kind.as_str(), awaited) {
            ("ok", Some(Awaited::Subscribe(room))) => {
                let head = serde_json::from_value(frame.data["head"].clone()).expect("a cursor");
                self.rooms[room].begin(head);
                link.states[room] = State::Live;
            }
            ("error", Some(Awaited::Subscribe(room))) => link.states[room] = State::Off,
            ("ok", Some(Awaited::Append(sent))) => self.acked(sent, &read(frame.data), log),
            ("error", Some(Awaited::Append(sent))) => match frame.data["code"].as_str() {
                Some("unavailable") => self.sent[sent].is_late = true,
                _ => self.sent[sent].is_refused = true,
            },
            ("gap", _) => {
                self.gaps += 1;
                self.page(&read(frame.data), log);
            }
            ("lagging", _) => {}
            (_, None) => self.event(link, &read(frame.data), log),
            (kind, _) => panic!("an unexpected {kind}"),
        }
    }

    fn event(&mut self, link: &mut Link, event: &Durable, log: &Log) {
        let room = self.index(&event.room_id);
        let state = &mut link.states[room];
        match state {
            State::Live | State::Gone => {}
            State::Asked { again: true } => return,
            State::Off | State::Asked { again: false } => {
                panic!("{} came to a client that does not follow the room", event.seq)
            }
        }
        let stored = log
            .at(&event.room_id, event.seq)
            .expect("what is delivered is in the log");
        assert_eq!((stored.id, stored.cursor()), (event.event_id, event.cursor));
        assert!(
            log.may_see(&event.room_id, &self.user, event.seq),
            "{} was given {} after it was removed",
            self.user,
            event.seq
        );
        if let EventBody::MessageCreated(message) = &stored.body {
            assert_eq!(event.content.as_ref(), Some(&message.content));
        }
        let known = &mut self.rooms[room];
        let is_removed = matches!(&stored.body, EventBody::MemberKicked(gone) if gone.user_id == self.user);
        if is_removed {
            *state = State::Gone;
        }
        // Who was behind is told that it ended; what they were behind with is theirs no more.
        if !is_removed || event.seq == known.seq() + 1 {
            known.add(stored, "an event out of order");
        }
    }

    /// The server leaves out a range: the client reads it, as a member may.
    fn page(&mut self, gap: &Gap, log: &Log) {
        assert_eq!(gap.rewind_to, None, "no history was rewritten");
        let room = self.index(&gap.room_id);
        let known = &mut self.rooms[room];
        assert_eq!(gap.from, known.seq() + 1);
        for event in log.read(&gap.room_id, known.seq(), usize::MAX) {
            if event.seq <= gap.to {
                known.add(&event, "a page out of order");
            }
        }
        assert_eq!(known.seq(), gap.to, "the log has all of the gap");
    }

    fn acked(&mut self, sent: usize, ack: &Ack, log: &Log) {
        let sent = &mut self.sent[sent];
        let stored = log
            .at(&self.rooms[sent.room].id, ack.seq)
            .expect("what is acked is in the log");
        assert_eq!(stored.id, ack.message_id);
        assert_eq!((&stored.sender, &stored.client_id), (&self.user, &sent.client_id));
        match (&stored.body, &sent.action) {
            (EventBody::MessageCreated(stored), Action::Send(sent)) => {
                assert_eq!(stored, sent)
            }
            (_, Action::Send(_)) => panic!("a message became something else"),
            _ => {}
        }
        let outcome = (ack.seq, ack.message_id);
        match sent.acked {
            None => sent.acked = Some(outcome),
            Some(first) => {
                assert_eq!(first, outcome, "a retry gets the first outcome");
                assert!(ack.duplicate, "and is told so");
            }
        }
    }

    /// What it sent to a room is there in the order in which it was sent.
    pub(super) fn assert_order(&self) {
        for room in 0..self.rooms.len() {
            let is_message = |sent: &&Sent| sent.room == room && matches!(sent.action, Action::Send(_));
            let sent = self.sent.iter().filter(is_message);
            let seqs: Vec<u64> = sent.filter_map(|sent| Some(sent.acked?.0)).collect();
            assert!(seqs.is_sorted(), "{} sent to {room} {seqs:?}", self.user);
        }
    }

    fn index(&self, room: &RoomId) -> usize {
        self.rooms
            .iter()
            .position(|known| known.id == *room)
            .expect("a room of the model")
    }
}

fn read<T: serde::de::DeserializeOwned>(data: Value) -> T {
    serde_json::from_value(data).expect("a frame as the protocol has it")
}
