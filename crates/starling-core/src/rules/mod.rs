//! Who may do what: pure decisions, taken under the room's lock, the same for every backend.
//!
//! A backend that appends a batch does three things: it loads what [`Needs::of`] asks for (under locks on the rooms,
//! in their order), calls [`plan`], and stores what the [`Plan`] says. So no rule is written twice, and each can be
//! tested without a database.

mod decide;
mod members;
mod messages;
mod rooms;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use crate::{Action, ClientId, Draft, Member, Outcome, Room, RoomEvent, RoomId, UserId, event::EventBody};

/// What has to be loaded to decide a batch. The sets are sorted: rooms are locked in this order, so that two batches
/// never wait for each other.
#[derive(Debug, Default, PartialEq)]
pub struct Needs {
    /// Rooms, to be locked.
    pub rooms: BTreeSet<RoomId>,
    /// Member rows.
    pub members: BTreeSet<(RoomId, UserId)>,
    /// Messages referred to.
    pub messages: BTreeSet<(RoomId, u64)>,
    /// Reactions that may be there already.
    pub reactions: BTreeSet<ReactionKey>,
    /// Client ids that may have been appended already.
    pub earlier: BTreeSet<(RoomId, UserId, ClientId)>,
    /// Users whose joined rooms are to be counted.
    pub joined: BTreeSet<UserId>,
}

/// One reaction: room, seq of the message, user, emoji.
pub type ReactionKey = (RoomId, u64, UserId, String);

impl Needs {
    /// What this batch needs.
    #[must_use]
    pub fn of(batch: &[Draft]) -> Self {
        let mut needs = Self::default();
        let mut closing = BTreeSet::new();
        for draft in batch {
            let room = &draft.room;
            needs.rooms.insert(room.clone());
            needs.members.insert((room.clone(), draft.sender.clone()));
            if let Some(user) = draft.action.target() {
                needs.members.insert((room.clone(), user.clone()));
            }
            needs
                .messages
                .extend(draft.action.refs().map(|seq| (room.clone(), seq)));
            needs
                .earlier
                .insert((room.clone(), draft.sender.clone(), draft.client_id.clone()));
            match &draft.action {
                Action::React { ref_seq, emoji } | Action::Unreact { ref_seq, emoji } => {
                    needs
                        .reactions
                        .insert((room.clone(), *ref_seq, draft.sender.clone(), emoji.clone()));
                }
                Action::Join { .. } | Action::CreateRoom { .. } => {
                    needs.joined.insert(draft.sender.clone());
                    // A room closed before them in the batch is one less that they have joined.
                    let rows = closing.iter().cloned().map(|room| (room, draft.sender.clone()));
                    needs.members.extend(rows);
                }
                Action::DeleteRoom => {
                    closing.insert(room.clone());
                }
                _ => {}
            }
        }
        needs
    }
}

/// What was loaded.
#[derive(Debug, Default)]
pub struct Facts {
    /// Rooms that exist, closed ones included.
    pub rooms: HashMap<RoomId, Room>,
    /// Member rows that exist, whatever their standing.
    pub members: HashMap<(RoomId, UserId), Member>,
    /// Messages that exist.
    pub messages: HashMap<(RoomId, u64), MessageFact>,
    /// Reactions that exist.
    pub reactions: HashSet<ReactionKey>,
    /// Events appended earlier under these client ids.
    pub earlier: HashMap<(RoomId, UserId, ClientId), Arc<RoomEvent>>,
    /// How many ordinary rooms these users have joined. Direct rooms do not count: others make them.
    pub joined: HashMap<UserId, u32>,
}

/// What a rule must know of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageFact {
    /// Who wrote it.
    pub sender: UserId,
    /// Whether it was deleted.
    pub deleted: bool,
    /// The thread that it belongs to.
    pub thread: Option<u64>,
}

/// What a batch comes to.
#[derive(Debug, Default)]
pub struct Plan {
    /// One for each draft, in order.
    pub outcomes: Vec<Outcome>,
    /// The new events, in order. The present state of messages follows from them; a `room_deleted` also takes every
    /// member row of its room back to a stranger's ([`Member::reset`]), before the rows in `members` are stored: bans,
    /// mutes, roles and invitations end with the room, and do not hold in one that is opened by the same name.
    pub events: Vec<Arc<RoomEvent>>,
    /// Rooms that are new or changed, as they shall be.
    pub rooms: Vec<Room>,
    /// Member rows that are new or changed, as they shall be.
    pub members: Vec<Member>,
}

/// Decides a batch, in order; each draft sees what those before it did.
#[must_use]
pub fn plan(batch: &[Draft], facts: Facts) -> Plan {
    let mut state = State {
        facts,
        ..State::default()
    };
    let outcomes = batch.iter().map(|draft| state.take(draft)).collect();
    let State {
        facts,
        events,
        mut touched_rooms,
        mut touched_members,
        ..
    } = state;
    // Sorted, so that two batches write their rows in one order.
    touched_rooms.sort();
    touched_rooms.dedup();
    touched_members.sort();
    touched_members.dedup();
    let Facts {
        mut rooms,
        mut members,
        ..
    } = facts;
    Plan {
        outcomes,
        events,
        rooms: touched_rooms.iter().filter_map(|id| rooms.remove(id)).collect(),
        members: touched_members
            .iter()
            .filter_map(|key| members.remove(key))
            .collect(),
    }
}

/// Facts as they change while a batch is decided.
#[derive(Default)]
struct State {
    facts: Facts,
    events: Vec<Arc<RoomEvent>>,
    touched_rooms: Vec<RoomId>,
    touched_members: Vec<(RoomId, UserId)>,
}

impl State {
    fn take(&mut self, draft: &Draft) -> Outcome {
        let key = (draft.room.clone(), draft.sender.clone(), draft.client_id.clone());
        if let Some(first) = self.facts.earlier.get(&key) {
            // Before the rules: a retry gets the first outcome even if its sender was banned since.
            return if decide::is_same(&draft.action, &first.body) {
                Outcome::Repeated(first.clone())
            } else {
                Outcome::Refused(crate::Refusal::Conflict)
            };
        }
        match self.decide(draft) {
            Err(refusal) => Outcome::Refused(refusal),
            Ok(None) => Outcome::Unchanged,
            Ok(Some(body)) => {
                let event = self.append(draft, body);
                self.facts.earlier.insert(key, event.clone());
                Outcome::Committed(event)
            }
        }
    }

    /// Gives the event the room's next seq. The room is there: every rule that answers with a body made sure of it.
    fn append(&mut self, draft: &Draft, body: EventBody) -> Arc<RoomEvent> {
        let room = self.facts.rooms.get_mut(&draft.room);
        let seq = room.as_ref().map_or(0, |room| room.last_seq) + 1;
        let event = Arc::new(RoomEvent {
            room: draft.room.clone(),
            seq,
            id: draft.event_id,
            sender: draft.sender.clone(),
            sender_name: draft.sender_name.clone(),
            client_id: draft.client_id.clone(),
            at: draft.at,
            body,
        });
        if let Some(room) = room {
            room.last_seq = seq;
            room.last_event = Some(event.id);
            if room.deleted {
                // What was said before is not shown to those who open a room of this name again.
                room.min_seq = seq + 1;
            }
        }
        self.touched_rooms.push(draft.room.clone());
        self.note_effects(&event);
        self.events.push(event.clone());
        event
    }

    /// What later drafts of the same batch must see.
    fn note_effects(&mut self, event: &RoomEvent) {
        let room = &event.room;
        match &event.body {
            EventBody::MessageCreated(m) => {
                let fact = MessageFact {
                    sender: event.sender.clone(),
                    deleted: false,
                    thread: m.thread,
                };
                self.facts.messages.insert((room.clone(), event.seq), fact);
            }
            EventBody::MessageDeleted(m) => {
                if let Some(fact) = self.facts.messages.get_mut(&(room.clone(), m.ref_seq)) {
                    fact.deleted = true;
                }
            }
            EventBody::ReactionAdded(r) => {
                self.facts
                    .reactions
                    .insert((room.clone(), r.ref_seq, event.sender.clone(), r.emoji.clone()));
            }
            EventBody::ReactionRemoved(r) => {
                self.facts.reactions.remove(&(
                    room.clone(),
                    r.ref_seq,
                    event.sender.clone(),
                    r.emoji.clone(),
                ));
            }
            EventBody::MemberJoined(_) | EventBody::RoomCreated(_) => {
                // The join's own seq: unread counts begin behind it.
                let key = (room.clone(), event.sender.clone());
                if let Some(member) = self.facts.members.get_mut(&key) {
                    member.joined_seq = event.seq;
                }
            }
            EventBody::RoomDeleted(_) => {
                for ((of, user), member) in &mut self.facts.members {
                    if of != room {
                        continue;
                    }
                    if member.is_joined()
                        && let Some(count) = self.facts.joined.get_mut(user)
                    {
                        *count = count.saturating_sub(1);
                    }
                    member.reset();
                }
            }
            _ => {}
        }
    }
}
