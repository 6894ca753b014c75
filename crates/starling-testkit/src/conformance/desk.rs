//! Writes drafts the way a gateway does, with ids and times that are the same in every run.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use starling_core::{
    Action, Authority, ClientId, Draft, EventId, Outcome, Refusal, RoomEvent, RoomId, RoomKind, RoomSettings,
    Timestamp, UserId, draft::RoomSpec, event::MessageCreated, ports::EventLog,
};

/// 2026-11-20T12:00:00Z, in milliseconds: when every case begins.
const BEGIN: i64 = 1_795_176_000_000;

/// A writer of drafts over one log. Clones share the count of ids, so that no two drafts of a case have the same.
#[derive(Clone)]
pub struct Desk {
    log: Arc<dyn EventLog>,
    count: Arc<AtomicU64>,
}

impl Desk {
    /// Over this log.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        Self {
            log,
            count: Arc::default(),
        }
    }

    /// The same desk over another node's log.
    #[must_use]
    pub fn at(&self, log: Arc<dyn EventLog>) -> Self {
        Self {
            log,
            count: self.count.clone(),
        }
    }

    /// A draft with a new event id, a client id made from it, and a time one millisecond after the last.
    #[must_use]
    pub fn draft(&self, room: &str, sender: &str, action: Action) -> Draft {
        let n = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let at = Timestamp::from_millis(BEGIN + i64::try_from(n).expect("few drafts"));
        let mut random = [7; 10];
        random[2..].copy_from_slice(&n.to_be_bytes());
        let event_id = EventId::new(at, random);
        Draft {
            room: room_id(room),
            sender: user_id(sender),
            sender_name: Some(format!("{sender} the sender").into()),
            authority: Authority::Member,
            client_id: ClientId::of_event(event_id),
            event_id,
            at,
            action,
        }
    }

    /// A message under the client's own id.
    #[must_use]
    pub fn message(&self, room: &str, sender: &str, client_id: &str, content: &str) -> Draft {
        let mut draft = self.draft(room, sender, Action::Send(text(content)));
        draft.client_id = ClientId::parse(client_id).expect("a client id");
        draft
    }

    /// Appends, and checks that there is an outcome for each draft.
    pub async fn append(&self, batch: &[Draft]) -> Vec<Outcome> {
        let outcomes = self.log.append(batch).await.expect("the log appends");
        assert_eq!(outcomes.len(), batch.len(), "one outcome for each draft");
        outcomes
    }

    /// Appends one draft.
    pub async fn put(&self, draft: &Draft) -> Outcome {
        self.append(std::slice::from_ref(draft)).await.remove(0)
    }

    /// Has one action decided.
    pub async fn act(&self, room: &str, sender: &str, action: Action) -> Outcome {
        self.put(&self.draft(room, sender, action)).await
    }

    /// Appends one action, which must be committed.
    pub async fn commit(&self, room: &str, sender: &str, action: Action) -> Arc<RoomEvent> {
        committed(self.act(room, sender, action).await)
    }

    /// Appends one action, which must be refused.
    pub async fn refused(&self, room: &str, sender: &str, action: Action) -> Refusal {
        match self.act(room, sender, action).await {
            Outcome::Refused(refusal) => refusal,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Creates a public room.
    pub async fn create(&self, room: &str, owner: &str) -> Arc<RoomEvent> {
        let spec = public(room);
        self.commit(
            room,
            owner,
            Action::CreateRoom {
                spec,
                max_rooms: 1000,
            },
        )
        .await
    }

    /// Joins a room that exists.
    pub async fn join(&self, room: &str, user: &str) -> Arc<RoomEvent> {
        self.commit(room, user, join()).await
    }

    /// Sends a message.
    pub async fn say(&self, room: &str, user: &str, content: &str) -> Arc<RoomEvent> {
        self.commit(room, user, Action::Send(text(content))).await
    }
}

/// A room id.
pub(super) fn room_id(text: &str) -> RoomId {
    RoomId::parse(text).expect("a room id")
}

/// A user id.
pub(super) fn user_id(text: &str) -> UserId {
    UserId::parse(text).expect("a user id")
}

/// The committed event of an outcome.
pub(super) fn committed(outcome: Outcome) -> Arc<RoomEvent> {
    match outcome {
        Outcome::Committed(event) => event,
        other => panic!("not committed: {other:?}"),
    }
}

/// A plain message.
pub(super) fn text(content: &str) -> MessageCreated {
    MessageCreated {
        content: content.into(),
        content_type: "text/plain".into(),
        reply_to: None,
        thread: None,
        attachments: Vec::new(),
        mentions: Vec::new(),
        metadata: None,
    }
}

/// Joins a room that exists.
pub(super) fn join() -> Action {
    Action::Join {
        auto_create: None,
        max_rooms: 1000,
    }
}

/// A public room.
pub(super) fn public(name: &str) -> RoomSpec {
    RoomSpec {
        name: name.into(),
        kind: RoomKind::Public,
        description: format!("about {name}"),
        max_members: 1000,
        settings: RoomSettings::default(),
    }
}
