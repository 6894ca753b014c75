//! The sessions of this node, by user: looked up in O(1) from any task.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use parking_lot::Mutex;
use starling_core::UserId;

use crate::session::Session;

/// So many locks that tasks on all cores rarely meet.
const SHARDS: usize = 64;

/// See the module.
pub(crate) struct Users {
    shards: Vec<Mutex<HashMap<UserId, Vec<Arc<Session>>>>>,
    hasher: RandomState,
}

impl Users {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        }
    }

    fn shard(&self, user: &UserId) -> &Mutex<HashMap<UserId, Vec<Arc<Session>>>> {
        &self.shards[usize::try_from(self.hasher.hash_one(user) % SHARDS as u64).unwrap_or(0)]
    }

    /// Adds a session; whether it is the user's first here.
    pub(crate) fn add(&self, session: Arc<Session>) -> bool {
        let mut shard = self.shard(&session.user).lock();
        // Most users have one.
        let sessions = shard.entry(session.user.clone());
        let sessions = sessions.or_insert_with(|| Vec::with_capacity(1));
        sessions.push(session);
        sessions.len() == 1
    }

    /// Removes a session; whether it was the user's last here.
    pub(crate) fn remove(&self, session: &Session) -> bool {
        let mut shard = self.shard(&session.user).lock();
        let Some(sessions) = shard.get_mut(&session.user) else {
            return false;
        };
        sessions.retain(|other| other.conn.key != session.conn.key);
        let last = sessions.is_empty();
        if last {
            shard.remove(&session.user);
            if shard.capacity() > 256 && shard.len() < shard.capacity() / 4 {
                shard.shrink_to_fit();
            }
        }
        last
    }

    /// The user's sessions here.
    pub(crate) fn sessions(&self, user: &UserId) -> Vec<Arc<Session>> {
        self.shard(user).lock().get(user).cloned().unwrap_or_default()
    }

    /// Whether one of the user's sessions here is such.
    pub(crate) fn any_session(&self, user: &UserId, such: impl Fn(&Session) -> bool) -> bool {
        self.shard(user)
            .lock()
            .get(user)
            .is_some_and(|sessions| sessions.iter().any(|session| such(session)))
    }

    /// All sessions of the node, in no order. Linear: for drain, announcements and re-assertion only.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        let mut all = Vec::new();
        for shard in &self.shards {
            all.extend(shard.lock().values().flatten().cloned());
        }
        all
    }

    /// All users of the node, in no order. Linear, like [`Users::all`].
    pub(crate) fn all_users(&self) -> Vec<UserId> {
        let mut all = Vec::new();
        for shard in &self.shards {
            all.extend(shard.lock().keys().cloned());
        }
        all
    }
}
