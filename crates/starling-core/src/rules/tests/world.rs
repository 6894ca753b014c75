//! A backend in a few maps: loads what [`Needs`] names and nothing else, plans, stores what the [`Plan`] says. It
//! checks after every batch what must hold after every batch.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use crate::{
    Action, Authority, ClientId, Draft, EventBody, EventId, Member, Outcome, Refusal, Room, RoomEvent,
    RoomId, Timestamp, UserId,
    room::Standing,
    rules::{Facts, MessageFact, Needs, Plan, ReactionKey, plan},
};

/// The room of an [`Ask`] that names none.
pub(super) const LOBBY: &str = "lobby";

pub(super) fn room(id: &str) -> RoomId {
    RoomId::parse(id).unwrap()
}

pub(super) fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

/// What somebody asks, before it has an id and a time.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    who: String,
    action: Action,
    room: String,
    authority: Authority,
    client_id: Option<String>,
}

/// `by("bob", send("hi"))`: in the lobby, as a member.
pub(super) fn by(who: &str, action: Action) -> Ask {
    Ask {
        who: who.to_owned(),
        action,
        room: LOBBY.to_owned(),
        authority: Authority::Member,
        client_id: None,
    }
}

impl Ask {
    pub(super) fn to(mut self, room: &str) -> Self {
        room.clone_into(&mut self.room);
        self
    }

    pub(super) fn for_the_service(self) -> Self {
        self.with(Authority::Admin)
    }

    pub(super) fn granted(self) -> Self {
        self.with(Authority::Grant)
    }

    pub(super) fn with(mut self, authority: Authority) -> Self {
        self.authority = authority;
        self
    }

    /// With a client id of the sender's own.
    pub(super) fn under(mut self, client_id: &str) -> Self {
        self.client_id = Some(client_id.to_owned());
        self
    }
}

/// Everything that is stored.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Stored {
    pub(super) rooms: BTreeMap<RoomId, Room>,
    pub(super) members: BTreeMap<(RoomId, UserId), Member>,
    pub(super) messages: BTreeMap<(RoomId, u64), MessageFact>,
    pub(super) reactions: BTreeSet<ReactionKey>,
    pub(super) log: Vec<Arc<RoomEvent>>,
}

impl Stored {
    pub(super) fn load(&self, needs: &Needs) -> Facts {
        let earlier = |event: &&Arc<RoomEvent>| {
            needs
                .earlier
                .contains(&(event.room.clone(), event.sender.clone(), event.client_id.clone()))
        };
        Facts {
            rooms: pick(&self.rooms, &needs.rooms).collect(),
            members: pick(&self.members, &needs.members).collect(),
            messages: pick(&self.messages, &needs.messages).collect(),
            reactions: needs.reactions.intersection(&self.reactions).cloned().collect(),
            earlier: self.log.iter().filter(earlier).map(keyed).collect(),
            joined: needs
                .joined
                .iter()
                .map(|user| (user.clone(), self.rooms_joined_by(user)))
                .collect(),
        }
    }

    /// All there is, whether needed or not.
    pub(super) fn load_all(&self) -> Facts {
        let users: BTreeSet<_> = self.members.keys().map(|(_, user)| user.clone()).collect();
        Facts {
            rooms: self.rooms.clone().into_iter().collect(),
            members: self.members.clone().into_iter().collect(),
            messages: self.messages.clone().into_iter().collect(),
            reactions: self.reactions.clone().into_iter().collect(),
            earlier: self.log.iter().map(keyed).collect(),
            joined: users
                .into_iter()
                .map(|user| (user.clone(), self.rooms_joined_by(&user)))
                .collect(),
        }
    }

    fn rooms_joined_by(&self, user: &UserId) -> u32 {
        let rows = self.members.values();
        let joined = rows.filter(|m| m.user == *user && m.is_joined() && !m.room.is_reserved());
        u32::try_from(joined.count()).unwrap()
    }

    fn store(&mut self, plan: &Plan) {
        for event in &plan.events {
            self.apply(event);
        }
        for room in &plan.rooms {
            self.rooms.insert(room.id.clone(), room.clone());
        }
        for member in &plan.members {
            self.members
                .insert((member.room.clone(), member.user.clone()), member.clone());
        }
    }

    /// What follows from an event besides the rows of the plan.
    fn apply(&mut self, event: &Arc<RoomEvent>) {
        let at = |seq: u64| (event.room.clone(), seq);
        match &event.body {
            EventBody::MessageCreated(m) => {
                let fact = MessageFact {
                    sender: event.sender.clone(),
                    deleted: false,
                    thread: m.thread,
                };
                self.messages.insert(at(event.seq), fact);
            }
            EventBody::MessageDeleted(m) => self.messages.get_mut(&at(m.ref_seq)).unwrap().deleted = true,
            EventBody::ReactionAdded(r) => {
                let key = (
                    event.room.clone(),
                    r.ref_seq,
                    event.sender.clone(),
                    r.emoji.clone(),
                );
                assert!(self.reactions.insert(key), "added twice: {event:?}");
            }
            EventBody::ReactionRemoved(r) => {
                let key = (
                    event.room.clone(),
                    r.ref_seq,
                    event.sender.clone(),
                    r.emoji.clone(),
                );
                assert!(self.reactions.remove(&key), "was not there: {event:?}");
            }
            EventBody::RoomDeleted(_) => {
                let rows = self.members.values_mut();
                rows.filter(|member| member.room == event.room)
                    .for_each(Member::reset);
            }
            _ => {}
        }
        self.log.push(event.clone());
    }

    /// What must hold after every batch.
    pub(super) fn check(&self) {
        for room in self.rooms.values() {
            let events = self.log.iter().filter(|event| event.room == room.id);
            let seqs: Vec<u64> = events.map(|event| event.seq).collect();
            assert_eq!(seqs, (1..=room.last_seq).collect::<Vec<_>>(), "{room:?}");
            assert!(room.last_seq > 0, "a room without an event: {room:?}");
            let rows = self.members.values().filter(|member| member.room == room.id);
            let joined = rows.filter(|member| member.is_joined()).count();
            assert_eq!(u32::try_from(joined).unwrap(), room.member_count, "{room:?}");
            assert!(!room.deleted || joined == 0, "members of a closed room: {room:?}");
        }
        let known = |room: &RoomId| self.rooms.contains_key(room);
        assert!(self.members.keys().all(|(room, _)| known(room)));
        assert!(self.log.iter().all(|event| known(&event.room)));
    }
}

fn pick<'a, K: Ord + Clone, V: Clone>(
    from: &'a BTreeMap<K, V>,
    keys: &'a BTreeSet<K>,
) -> impl Iterator<Item = (K, V)> + 'a {
    let found = keys.iter().filter_map(|key| from.get_key_value(key));
    found.map(|(key, value)| (key.clone(), value.clone()))
}

fn keyed(event: &Arc<RoomEvent>) -> ((RoomId, UserId, ClientId), Arc<RoomEvent>) {
    let key = (event.room.clone(), event.sender.clone(), event.client_id.clone());
    (key, event.clone())
}

/// What is stored, and the time.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) stored: Stored,
    now: Timestamp,
    drafts: u64,
}

impl World {
    /// Nothing yet.
    pub(super) fn empty() -> Self {
        Self {
            stored: Stored::default(),
            now: Timestamp::from_millis(1_795_176_000_000),
            drafts: 0,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) fn after(&self, seconds: u64) -> Timestamp {
        self.now.plus(Duration::from_secs(seconds))
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        self.now = self.after(seconds);
    }

    pub(super) fn draft(&mut self, ask: Ask) -> Draft {
        self.drafts += 1;
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.drafts.to_be_bytes());
        let event_id = EventId::new(self.now, random);
        Draft {
            room: room(&ask.room),
            sender: user(&ask.who),
            sender_name: Some(ask.who.to_uppercase().into()),
            authority: ask.authority,
            client_id: ask.client_id.map_or_else(
                || ClientId::of_event(event_id),
                |id| ClientId::parse(&id).unwrap(),
            ),
            event_id,
            at: self.now,
            action: ask.action,
        }
    }

    /// Appends a batch as a backend does.
    pub(super) fn append(&mut self, batch: &[Draft]) -> Vec<Outcome> {
        let plan = plan(batch, self.stored.load(&Needs::of(batch)));
        assert_eq!(plan.outcomes.len(), batch.len(), "one outcome for each draft");
        let committed = plan.outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Committed(event) => Some(event),
            _ => None,
        });
        assert!(committed.eq(&plan.events), "the events are what was committed");
        assert!(plan.rooms.is_sorted_by(|a, b| a.id < b.id));
        assert!(
            plan.members
                .is_sorted_by_key(|member| (&member.room, &member.user))
        );
        self.stored.store(&plan);
        self.stored.check();
        plan.outcomes
    }

    pub(super) fn batch<const N: usize>(&mut self, asks: [Ask; N]) -> [Outcome; N] {
        let drafts = asks.map(|ask| self.draft(ask));
        self.append(&drafts).try_into().unwrap()
    }

    /// One ask in a batch of its own. What is not committed must have changed nothing.
    pub(super) fn ask(&mut self, ask: Ask) -> Outcome {
        let before = self.stored.clone();
        let [outcome] = self.batch([ask]);
        if !matches!(outcome, Outcome::Committed(_)) {
            assert_eq!(self.stored, before, "{outcome:?} changed something");
        }
        outcome
    }

    #[track_caller]
    pub(super) fn commits(&mut self, ask: Ask) -> Arc<RoomEvent> {
        let asked = format!("{ask:?}");
        match self.ask(ask) {
            Outcome::Committed(event) => event,
            other => panic!("{asked} should be committed, is {other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn refuses(&mut self, ask: Ask) -> Refusal {
        let asked = format!("{ask:?}");
        match self.ask(ask) {
            Outcome::Refused(refusal) => refusal,
            other => panic!("{asked} should be refused, is {other:?}"),
        }
    }

    /// Refused with this code.
    #[track_caller]
    pub(super) fn refuses_as(&mut self, code: &str, ask: Ask) {
        assert_eq!(self.refuses(ask).code(), code);
    }

    /// It is so already.
    #[track_caller]
    pub(super) fn leaves_as_is(&mut self, ask: Ask) {
        assert_eq!(self.ask(ask), Outcome::Unchanged);
    }

    #[track_caller]
    pub(super) fn repeats(&mut self, ask: Ask) -> Arc<RoomEvent> {
        let asked = format!("{ask:?}");
        match self.ask(ask) {
            Outcome::Repeated(event) => event,
            other => panic!("{asked} should be a repeat, is {other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn member_of(&self, of: &str, who: &str) -> &Member {
        &self.stored.members[&(room(of), user(who))]
    }

    /// How they stand to the lobby.
    #[track_caller]
    pub(super) fn member(&self, who: &str) -> &Member {
        self.member_of(LOBBY, who)
    }

    #[track_caller]
    pub(super) fn standing(&self, who: &str) -> Standing {
        self.member(who).standing
    }

    #[track_caller]
    pub(super) fn room(&self, id: &str) -> &Room {
        &self.stored.rooms[&room(id)]
    }
}

/// What became of it, in one word: `ok`, `same`, `repeated`, or the refusal's code.
pub(super) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Committed(_) => "ok",
        Outcome::Repeated(_) => "repeated",
        Outcome::Unchanged => "same",
        Outcome::Refused(refusal) => refusal.code(),
    }
}
