//! From a token to a session, and its end.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;
use starling_core::{RoomId, SessionId, Timestamp, UserId, presence::Status};
use starling_protocol::{
    CloseCode,
    event::{Limits, Welcome},
};
use uuid::Uuid;

use super::{Session, State};
use crate::{
    audit,
    auth::Identity,
    conn::{Class, Conn, task::Ended},
    hub::ToShard,
    node::Node,
};

/// By how much the clocks of nodes may differ: what happened on another node just after this session was opened may
/// bear an earlier time.
const SKEW_MS: i64 = 1000;

/// Opens a session on a connection whose token was verified. `None` when the user has too many connections: the socket
/// is closed then.
pub(crate) async fn open(node: &Arc<Node>, conn: &Arc<Conn>, identity: Identity) -> Option<Arc<Session>> {
    let id = SessionId::parse(&Uuid::now_v7().to_string()).ok()?;
    let max = node.config.limits.connections_per_user;
    match node.backend.limits.connect(&identity.user, &id, max).await {
        Ok(true) => {}
        Ok(false) => {
            audit::refused("connections", "too_many_connections");
            conn.close(CloseCode::TooManyConnections);
            return None;
        }
        // The store of the counts is away: rather one connection too many than none.
        Err(error) => tracing::debug!(
            error = &error as &dyn std::error::Error,
            "cannot count connections"
        ),
    }
    let now = node.clock.now();
    let budget = node.config.limits.replay_events_per_connection;
    let session = Arc::new(Session::new(id, conn.clone(), identity, budget, now));
    conn.send_event("welcome", &welcome(node, &session, now), Class::Reply);
    node.strangers.lock().remove(&conn.key);
    if node.users.add(session.clone()) {
        node.metrics.users.up();
        node.follow_user(session.user.clone());
    }
    node.presence.touch(session.user.clone());
    audit::signed_in(&session.user, &session.id);
    Some(session)
}

impl<K> Session<K> {
    /// On a connection whose token was verified; so many events may be replayed to it.
    pub(crate) fn new(
        id: SessionId,
        conn: Arc<Conn<K>>,
        identity: Identity,
        replay_budget: u64,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            user: identity.user.clone(),
            conn,
            expires_at: AtomicI64::new(identity.expires_at.as_millis()),
            unacked: AtomicU32::new(0),
            ended: AtomicBool::new(false),
            state: Mutex::new(State {
                identity: Arc::new(identity),
                rooms: HashSet::new(),
                lagging: Vec::new(),
                watched: HashSet::new(),
                status: Status::Online,
                custom: None,
                set_at: Timestamp::default(),
                limited: (0, now),
                told_since: Timestamp::from_millis(now.as_millis() - SKEW_MS),
                told_to: None,
            }),
            replay_budget: AtomicI64::new(i64::try_from(replay_budget).unwrap_or(i64::MAX)),
        }
    }

    /// Ends it: the rooms that it followed, and the users that it watched.
    pub(crate) fn end(&self) -> (HashSet<RoomId>, HashSet<UserId>) {
        let mut state = self.state.lock();
        // Under the lock of `note_room`: whatever was noted before is found here, and nothing is noted after.
        self.ended.store(true, Relaxed);
        (
            std::mem::take(&mut state.rooms),
            std::mem::take(&mut state.watched),
        )
    }
}

fn welcome(node: &Node, session: &Session, now: Timestamp) -> Welcome {
    let config = &node.config;
    Welcome {
        session_id: session.id.clone(),
        user_id: session.user.clone(),
        node_id: config.node_id.clone(),
        server_time: now,
        heartbeat_ms: u64::try_from(config.heartbeat.as_millis()).unwrap_or(u64::MAX),
        resume_window: config.limits.replay_events_per_room,
        limits: Limits {
            max_frame_bytes: config.limits.frame_bytes,
            max_content_length: config.messages.max_length,
            commands_per_minute: config.limits.commands.per_minute,
            messages_per_minute: config.messages.rate.per_minute,
            connections_per_user: config.limits.connections_per_user,
            max_unacked: config.messages.max_unacked,
            rooms_per_session: config.rooms.max_per_session,
            max_watched: config.presence.max_watched,
            replay_events_per_connection: config
                .limits
                .replay_events_per_connection
                .try_into()
                .unwrap_or(usize::MAX),
        },
    }
}

/// Ends what a connection had.
pub(crate) async fn close(node: &Arc<Node>, ended: Ended) {
    match ended.code {
        Some(code) => node.metrics.closes.inc(&code.to_string()),
        None => node.metrics.closes.inc("peer"),
    }
    let Some(session) = ended.session else { return };
    let (rooms, watched) = session.end();
    for room in rooms {
        node.hub
            .tell(
                &room.clone(),
                ToShard::Detach {
                    room,
                    key: session.conn.key,
                    by: None,
                },
            )
            .await;
    }
    node.presence.unwatch(&session, watched);
    if node.users.remove(&session) {
        node.metrics.users.down();
        node.unfollow_user(session.user.clone());
    }
    node.presence.touch(session.user.clone());
    node.backend.limits.disconnect(&session.user, &session.id).await;
    tracing::debug!(session.id = %session.id, user.id = %session.user, code = ended.code, "a session has ended");
}
