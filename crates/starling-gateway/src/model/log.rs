//! The log of the model: the promises of [`EventLog`](starling_core::ports::EventLog) in a few lines, with faults that
//! the plan chooses.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use starling_core::{
    Action, ClientId, Draft, EventBody, Outcome, Refusal, Role, RoomEvent, RoomId, UserId,
    event::{MemberGone, MemberJoined},
    ports::{Changes, Head, Unavailable, Watermark},
};

#[derive(Default)]
pub(super) struct Log {
    rooms: HashMap<RoomId, RoomLog>,
    /// What each batch has reached, in the order in which the batches became visible.
    batches: Vec<Vec<(RoomId, u64)>>,
}

#[derive(Default)]
struct RoomLog {
    events: Vec<Arc<RoomEvent>>,
    by_client_id: HashMap<(UserId, ClientId), u64>,
    members: HashSet<UserId>,
    /// Seq of the event that removed a user last.
    removed: HashMap<UserId, u64>,
}

impl Log {
    /// One transaction.
    pub(super) fn append(&mut self, drafts: &[Draft]) -> Vec<Outcome> {
        let mut reached: HashMap<RoomId, u64> = HashMap::new();
        let outcomes = drafts
            .iter()
            .map(|draft| {
                let room = self.rooms.entry(draft.room.clone()).or_default();
                let outcome = room.append(draft);
                if let Outcome::Committed(event) = &outcome {
                    reached.insert(draft.room.clone(), event.seq);
                }
                outcome
            })
            .collect();
        self.batches.push(reached.into_iter().collect());
        outcomes
    }

    /// Makes a user a member, without an event.
    pub(super) fn admit(&mut self, room: &RoomId, user: &UserId) {
        let room = self.rooms.entry(room.clone()).or_default();
        room.members.insert(user.clone());
    }

    pub(super) fn read(&self, room: &RoomId, after: u64, limit: usize) -> Vec<RoomEvent> {
        let events = self.events(room).iter().skip(index(after)).take(limit);
        events.map(|event| (**event).clone()).collect()
    }

    pub(super) fn head(&self, room: &RoomId) -> Head {
        self.events(room).last().map_or(Head::EMPTY, |event| Head {
            cursor: event.cursor(),
            min_seq: 1,
        })
    }

    pub(super) fn changes(&self, since: Option<Watermark>) -> Changes {
        let next = Watermark(self.batches.len() as u64);
        let since = since.unwrap_or(next);
        let rooms = self.batches[index(since.0)..].concat();
        Changes { next, rooms }
    }

    pub(super) fn events(&self, room: &RoomId) -> &[Arc<RoomEvent>] {
        self.rooms.get(room).map_or(&[], |room| &room.events)
    }

    pub(super) fn at(&self, room: &RoomId, seq: u64) -> Option<&Arc<RoomEvent>> {
        self.events(room).get(index(seq.checked_sub(1)?))
    }

    /// Whether the user is a member, as far as the log goes.
    pub(super) fn is_member(&self, room: &RoomId, user: &UserId) -> bool {
        self.rooms
            .get(room)
            .is_some_and(|room| room.members.contains(user))
    }

    /// Whether the user may see the event.
    pub(super) fn may_see(&self, room: &RoomId, user: &UserId, seq: u64) -> bool {
        let removed = self.rooms.get(room).and_then(|room| room.removed.get(user));
        self.is_member(room, user) || removed.is_some_and(|removed| seq <= *removed)
    }
}

impl RoomLog {
    fn append(&mut self, draft: &Draft) -> Outcome {
        let id = (draft.sender.clone(), draft.client_id.clone());
        if let Some(seq) = self.by_client_id.get(&id) {
            return Outcome::Repeated(self.events[index(*seq) - 1].clone());
        }
        let body = match &draft.action {
            Action::Send(message) if self.members.contains(&draft.sender) => {
                EventBody::MessageCreated(message.clone())
            }
            Action::Send(_) => return Outcome::Refused(Refusal::NotMember),
            Action::Join { .. } if self.members.insert(draft.sender.clone()) => {
                EventBody::MemberJoined(MemberJoined {
                    user_id: draft.sender.clone(),
                    role: Role::Member,
                    name: None,
                })
            }
            Action::Kick { user, .. } if self.members.remove(user) => {
                self.removed.insert(user.clone(), self.events.len() as u64 + 1);
                EventBody::MemberKicked(MemberGone {
                    user_id: user.clone(),
                    reason: None,
                })
            }
            _ => return Outcome::Unchanged,
        };
        let event = Arc::new(RoomEvent {
            room: draft.room.clone(),
            seq: self.events.len() as u64 + 1,
            id: draft.event_id,
            sender: draft.sender.clone(),
            sender_name: None,
            client_id: draft.client_id.clone(),
            at: draft.at,
            body,
        });
        self.by_client_id.insert(id, event.seq);
        self.events.push(event.clone());
        Outcome::Committed(event)
    }
}

pub(super) fn away() -> Unavailable {
    Unavailable::new("log", "the plan says so")
}

fn index(seq: u64) -> usize {
    usize::try_from(seq).expect("a short log")
}
