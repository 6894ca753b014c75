//! The log: dense order, one outcome per draft, identity of client ids, reads, heads, changes.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use starling_core::{
    Action, Cursor, Draft, Outcome, Refusal, RoomEvent, RoomId,
    ports::{EventLog, Head},
};

use super::{
    Desk, StoreStage,
    desk::{committed, join, room_id, text},
    suite::suite,
};

async fn seqs_are_dense(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    let mut events = vec![desk.create("r", "alice").await];
    for n in 0..5 {
        events.push(desk.say("r", "alice", &format!("message {n}")).await);
    }
    let batch: Vec<_> = (5..10)
        .map(|n| desk.draft("r", "alice", Action::Send(text(&format!("message {n}")))))
        .collect();
    events.extend(desk.append(&batch).await.into_iter().map(committed));
    let seqs: Vec<u64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=11).collect::<Vec<_>>());
    assert_same(&read_all(&*store.log, "r").await, &events);
}

async fn outcomes_come_in_the_order_of_the_drafts(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    desk.create("a", "alice").await;
    desk.create("b", "bob").await;
    let outcomes = desk
        .append(&[
            desk.message("b", "bob", "1", "first in b"),
            desk.message("a", "bob", "1", "bob is not in a"),
            desk.message("a", "alice", "1", "first in a"),
            desk.draft("a", "alice", join()),
            desk.message("a", "alice", "1", "first in a"),
            desk.message("a", "alice", "1", "something else"),
            desk.message("b", "bob", "2", "second in b"),
            desk.message("nowhere", "bob", "1", "no such room"),
        ])
        .await;
    assert!(matches!(&outcomes[0], Outcome::Committed(e) if e.seq == 2 && e.room == room_id("b")));
    assert_eq!(outcomes[1], Outcome::Refused(Refusal::NotMember));
    assert!(matches!(&outcomes[2], Outcome::Committed(e) if e.seq == 2 && e.room == room_id("a")));
    assert_eq!(outcomes[3], Outcome::Unchanged);
    assert!(matches!(&outcomes[4], Outcome::Repeated(e) if Some(e) == outcomes[2].event()));
    assert_eq!(outcomes[5], Outcome::Refused(Refusal::Conflict));
    assert!(matches!(&outcomes[6], Outcome::Committed(e) if e.seq == 3 && e.room == room_id("b")));
    assert!(matches!(&outcomes[7], Outcome::Refused(Refusal::NotFound(_))));
    assert_eq!(desk.append(&[]).await, []);
}

async fn a_repeat_gets_the_first_outcome(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    desk.create("r", "alice").await;
    let first = committed(desk.put(&desk.message("r", "alice", "c1", "hello")).await);
    desk.say("r", "alice", "in between").await;
    // A retry has a new event id and a new time; what counts is the client id and the content.
    let again = desk.message("r", "alice", "c1", "hello");
    assert_eq!(desk.put(&again).await, Outcome::Repeated(first.clone()));
    let other_node = stage.store().await;
    assert_eq!(
        desk.at(other_node.log).put(&again).await,
        Outcome::Repeated(first.clone())
    );
    let other = desk.message("r", "alice", "c1", "good-bye");
    assert_eq!(desk.put(&other).await, Outcome::Refused(Refusal::Conflict));
    // None of them took a seq.
    assert_eq!(desk.say("r", "alice", "next").await.seq, 4);
    assert_eq!(read_all(&*store.log, "r").await.len(), 4);
}

async fn a_repeat_within_a_batch_gets_the_first_outcome(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    desk.create("r", "alice").await;
    let outcomes = desk
        .append(&[
            desk.message("r", "alice", "c1", "hello"),
            desk.message("r", "alice", "c1", "hello"),
            desk.message("r", "alice", "c1", "other"),
            desk.message("r", "alice", "c2", "hello"),
        ])
        .await;
    let first = committed(outcomes[0].clone());
    assert_eq!(outcomes[1], Outcome::Repeated(first));
    assert_eq!(outcomes[2], Outcome::Refused(Refusal::Conflict));
    assert_eq!(committed(outcomes[3].clone()).seq, 3);
}

async fn a_repeat_gets_the_first_outcome_even_when_its_sender_was_banned_since(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    desk.create("r", "alice").await;
    desk.join("r", "bob").await;
    let draft = desk.message("r", "bob", "c1", "hello");
    let first = committed(desk.put(&draft).await);
    let ban = Action::Ban {
        user: super::desk::user_id("bob"),
        until: None,
        reason: None,
    };
    desk.commit("r", "alice", ban).await;
    assert_eq!(desk.put(&draft).await, Outcome::Repeated(first));
}

async fn a_client_id_belongs_to_one_sender_in_one_room(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    desk.create("a", "alice").await;
    desk.create("b", "alice").await;
    desk.join("a", "bob").await;
    for (room, sender) in [("a", "alice"), ("b", "alice"), ("a", "bob")] {
        let outcome = desk.put(&desk.message(room, sender, "same", "hello")).await;
        assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
    }
    // A refused draft leaves its client id free.
    assert_eq!(
        desk.put(&desk.message("b", "bob", "free", "one")).await,
        Outcome::Refused(Refusal::NotMember)
    );
    desk.join("b", "bob").await;
    committed(desk.put(&desk.message("b", "bob", "free", "another")).await);
}

async fn ids_may_be_anything_that_is_allowed(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    let long = "x".repeat(128);
    let rooms = [&*long, "a-B_c.d:e", "10", "0"];
    let users = [
        &*long,
        "auth0|5f7c",
        "o'brien\\",
        "%_%",
        "🐦",
        "\"q\"",
        "$1",
        "{a}",
    ];
    for room in rooms {
        desk.create(room, users[0]).await;
        for user in &users[1..] {
            desk.join(room, user).await;
        }
    }
    for client_id in [&*long, "with space", "ü{},\"'\\%$1", "~not-an-event-id", "NULL"] {
        let batch: Vec<_> = rooms
            .iter()
            .flat_map(|room| {
                users
                    .iter()
                    .map(|user| desk.message(room, user, client_id, client_id))
            })
            .collect();
        let first = desk.append(&batch).await;
        for (again, first) in desk.append(&batch).await.iter().zip(&first) {
            assert!(matches!(first, Outcome::Committed(_)), "{first:?}");
            assert!(matches!(again, Outcome::Repeated(event) if Some(event) == first.event()));
        }
    }
    for room in rooms {
        let read = read_all(&*store.log, room).await;
        assert_eq!(read.len(), users.len() * 6);
        assert!(read.iter().all(|event| event.room.as_str() == room));
    }
}

async fn reads_come_in_pages(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    let mut events = vec![desk.create("r", "alice").await];
    desk.create("s", "alice").await;
    for n in 0..9 {
        events.push(desk.say("r", "alice", &n.to_string()).await);
        desk.say("s", "alice", &n.to_string()).await;
    }
    let read = async |after, limit| store.log.read(&room_id("r"), after, limit).await.unwrap();
    assert_same(&read(0, 4).await, &events[..4]);
    assert_same(&read(4, 4).await, &events[4..8]);
    assert_same(&read(8, 4).await, &events[8..]);
    assert_same(&read(0, 10).await, &events);
    assert_eq!(read(10, 4).await, []);
    assert_eq!(read(u64::MAX >> 11, 4).await, []);
    assert_eq!(read(0, 0).await, []);
    assert_eq!(store.log.read(&room_id("none"), 0, 4).await.unwrap(), []);
}

async fn heads_come_in_the_order_asked(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    desk.create("a", "alice").await;
    let b = desk.create("b", "alice").await;
    let a = desk.say("a", "alice", "hello").await;
    let rooms = ["b", "none", "a", "b"].map(room_id);
    let head = |event: &RoomEvent| Head {
        cursor: Cursor::after(event.seq, event.id),
        min_seq: 1,
    };
    assert_eq!(
        store.log.heads(&rooms).await.unwrap(),
        [head(&b), Head::EMPTY, head(&a), head(&b)]
    );
    assert_eq!(store.log.heads(&[]).await.unwrap(), []);
}

async fn a_room_opened_again_goes_on_behind_its_past(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    desk.create("r", "alice").await;
    desk.say("r", "alice", "old").await;
    let end = desk.commit("r", "alice", Action::DeleteRoom).await;
    assert_eq!(end.seq, 3);
    let closed = store.log.heads(&[room_id("r")]).await.unwrap();
    assert_eq!(closed[0].min_seq, 4);
    let again = desk.create("r", "bob").await;
    assert_eq!(again.seq, 4);
    let open = store.log.heads(&[room_id("r")]).await.unwrap();
    assert_eq!(
        open,
        [Head {
            cursor: again.cursor(),
            min_seq: 4
        }]
    );
}

async fn changes_begin_at_the_present_and_go_on(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    desk.create("before", "alice").await;
    let mut follow = Follow::begin(store.log.clone()).await;
    desk.create("a", "alice").await;
    desk.create("b", "alice").await;
    desk.say("a", "alice", "hello").await;
    follow.sweep().await;
    assert_eq!(follow.reached("a"), 2);
    assert_eq!(follow.reached("b"), 1);
    desk.say("before", "alice", "hello").await;
    follow.sweep().await;
    assert_eq!(follow.reached("before"), 2);
    // Nothing happened: the watermark still leads on.
    follow.sweep().await;
    desk.say("b", "alice", "hello").await;
    follow.sweep().await;
    assert_eq!(follow.reached("b"), 2);
}

async fn a_large_batch_over_many_rooms(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    let rooms: Vec<String> = (0..100).map(|n| format!("room-{n}")).collect();
    let opening: Vec<_> = rooms
        .iter()
        .flat_map(|room| writes(&desk, room, "alice"))
        .collect();
    desk.append(&opening).await;
    let batch: Vec<_> = (0..500)
        .map(|n| {
            desk.draft(
                &rooms[n % 100],
                "alice",
                Action::Send(text(&format!("message {n}"))),
            )
        })
        .collect();
    let outcomes = desk.append(&batch).await;
    for (n, outcome) in outcomes.iter().enumerate() {
        let event = committed(outcome.clone());
        assert_eq!(
            (event.room.as_str(), event.seq),
            (rooms[n % 100].as_str(), n as u64 / 100 + 3)
        );
    }
    let again = desk.append(&batch).await;
    assert!(
        again.iter().zip(&outcomes).all(|(again, first)| {
            matches!(again, Outcome::Repeated(_)) && again.event() == first.event()
        })
    );
    for (n, room) in rooms.iter().enumerate() {
        let read = read_all(&*store.log, room).await;
        let written: Vec<_> = outcomes
            .iter()
            .skip(n)
            .step_by(100)
            .map(|o| committed(o.clone()))
            .collect();
        assert_same(&read[2..], &written);
    }
}

/// Joins a room, creating it where it is missing, and writes to it: at least one event, whoever was there before.
pub(super) fn writes(desk: &Desk, room: &str, sender: &str) -> [Draft; 2] {
    let join = Action::Join {
        auto_create: Some(super::desk::public(room)),
        max_rooms: 1000,
    };
    [
        desk.draft(room, sender, join),
        desk.draft(room, sender, Action::Send(text("hello"))),
    ]
}

/// Every event of a room, read in pages.
pub(super) async fn read_all(log: &dyn EventLog, room: &str) -> Vec<RoomEvent> {
    let mut events: Vec<RoomEvent> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| event.seq);
        let page = log.read(&room_id(room), after, 200).await.unwrap();
        if page.is_empty() {
            return events;
        }
        events.extend(page);
    }
}

/// Compares events one by one, so that a failure names the first that differs.
pub(super) fn assert_same(read: &[RoomEvent], written: &[Arc<RoomEvent>]) {
    for (read, written) in read.iter().zip(written) {
        assert_eq!(*read, **written);
    }
    assert_eq!(read.len(), written.len(), "events");
}

/// Follows the log's changes the way a gateway's sweep does.
pub(super) struct Follow {
    log: Arc<dyn EventLog>,
    next: starling_core::ports::Watermark,
    pub(super) seen: HashMap<RoomId, u64>,
}

impl Follow {
    pub(super) async fn begin(log: Arc<dyn EventLog>) -> Self {
        let changes = log.changes(None).await.unwrap();
        assert_eq!(changes.rooms, [], "it begins at the present");
        Self {
            log,
            next: changes.next,
            seen: HashMap::new(),
        }
    }

    /// Asks once. What is reported must be there to read.
    pub(super) async fn sweep(&mut self) {
        let changes = self.log.changes(Some(self.next)).await.unwrap();
        assert!(changes.next >= self.next);
        let named: BTreeSet<&RoomId> = changes.rooms.iter().map(|(room, _)| room).collect();
        let named: Vec<RoomId> = named.into_iter().cloned().collect();
        let heads = self.log.heads(&named).await.unwrap();
        let heads: HashMap<_, _> = named.iter().zip(heads).collect();
        for (room, seq) in &changes.rooms {
            assert!(*seq <= heads[room].cursor.seq, "{room} has not reached {seq}");
            let seen = self.seen.entry(room.clone()).or_default();
            *seen = (*seen).max(*seq);
        }
        self.next = changes.next;
    }

    fn reached(&self, room: &str) -> u64 {
        self.seen.get(&room_id(room)).copied().unwrap_or_default()
    }
}

suite!($ conformance_log, log, StoreStage, [
    seqs_are_dense,
    outcomes_come_in_the_order_of_the_drafts,
    a_repeat_gets_the_first_outcome,
    a_repeat_within_a_batch_gets_the_first_outcome,
    a_repeat_gets_the_first_outcome_even_when_its_sender_was_banned_since,
    a_client_id_belongs_to_one_sender_in_one_room,
    ids_may_be_anything_that_is_allowed,
    reads_come_in_pages,
    heads_come_in_the_order_asked,
    a_room_opened_again_goes_on_behind_its_past,
    changes_begin_at_the_present_and_go_on,
    a_large_batch_over_many_rooms,
]);
