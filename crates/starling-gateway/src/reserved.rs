//! Reserved rooms: direct rooms, inboxes and announcements, which are not subscribed to by hand.

use std::{sync::Arc, time::Duration};

use starling_core::{RoomEvent, RoomId, ids::Reserved, ports::Topic};

use crate::{
    hub::{Attach, From, ToShard},
    node::Node,
    session::Session,
};

/// Events that are looked at for what a session has missed.
const RECENT: u64 = 100;
/// After a failed read of the log.
const RETRY: Duration = Duration::from_millis(250);

/// The topics that the readers of a reserved room hear; `None` for an ordinary room, which has a topic of its own.
pub(crate) fn readers_of(room: &RoomId) -> Option<Vec<Topic>> {
    Some(match room.reserved()? {
        Reserved::Announcements => vec![Topic::Nodes],
        Reserved::Inbox(owner) => vec![Topic::User(owner)],
        Reserved::Direct(a, b) if a == b => vec![Topic::User(a)],
        Reserved::Direct(a, b) => vec![Topic::User(a), Topic::User(b)],
    })
}

impl Node {
    /// Whoever is connected and reads a reserved room follows it from the first event that this node hears of. Those before
    /// it, as far back as the session goes, are not lost with the bus or to the sweep, which tells of the latest only: the
    /// log has them.
    ///
    /// `skip` is the connection that does not want to hear of the event.
    pub(crate) fn attach_readers(self: &Arc<Self>, room: &RoomId, seq: u64, skip: Option<u64>) {
        let sessions = match room.reserved() {
            None => return,
            Some(Reserved::Announcements) => self.users.all(),
            Some(Reserved::Inbox(owner)) => self.users.sessions(&owner),
            Some(Reserved::Direct(a, b)) if a == b => self.users.sessions(&a),
            Some(Reserved::Direct(a, b)) => [self.users.sessions(&a), self.users.sessions(&b)].concat(),
        };
        let is_new = |session: &Arc<Session>| {
            !session.follows(room) && matches!(session.note_room(room, usize::MAX), Ok(true))
        };
        let new: Vec<_> = sessions.into_iter().filter(is_new).collect();
        if new.is_empty() {
            return;
        }
        let (node, room) = (self.clone(), room.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                recent = node.recent(&room, seq) => {
                    for session in new {
                        let after = place(&recent, seq, &session, skip);
                        node.attach_reader(&room, after, session).await;
                    }
                }
                () = node.stop.cancelled() => {}
            }
        });
    }

    /// The events up to this one. Asks until the log answers: without it nobody knows what was missed, and what comes
    /// meanwhile is caught up with.
    async fn recent(&self, room: &RoomId, seq: u64) -> Vec<RoomEvent> {
        loop {
            // The semaphores are never closed.
            let turn = self.pages.acquire().await;
            let log = &self.backend.log;
            match log.read(room, seq.saturating_sub(RECENT), RECENT as usize).await {
                Ok(recent) => return recent,
                Err(error) => tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    room.id = %room,
                    "cannot read what the readers of a room have missed; trying again"
                ),
            }
            drop(turn);
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn attach_reader(&self, room: &RoomId, after: u64, session: Arc<Session>) {
        let attach = Attach {
            room: room.clone(),
            session,
            from: From::After(after),
            since: u64::MAX,
            reply: None,
        };
        self.hub.tell(room, ToShard::Attach(attach)).await;
    }
}

/// Behind which seq a session begins: before the first event since it began, up to this one.
fn place(recent: &[RoomEvent], seq: u64, session: &Session, skip: Option<u64>) -> u64 {
    let told_since = session.told_since();
    let missed = recent
        .iter()
        .find(|event| event.at >= told_since && event.seq < seq);
    match missed {
        Some(first) => first.seq - 1,
        None if skip == Some(session.conn.key) => seq,
        None => seq - 1,
    }
}
