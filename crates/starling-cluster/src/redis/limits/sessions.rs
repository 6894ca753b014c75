//! The sessions of this node in one shard: what it has told Redis, or will tell when Redis is back.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use starling_core::{SessionId, UserId};

/// One of a user.
pub(super) type Session = (UserId, SessionId);

/// Bounded by the sockets of this node.
#[derive(Default)]
pub(super) struct Sessions {
    of_users: Mutex<HashMap<UserId, Vec<SessionId>>>,
    /// Ended, and Redis could not be told.
    ended: Mutex<Vec<Session>>,
    /// Redis may lack some.
    stale: AtomicBool,
}

impl Sessions {
    /// Notes of ended sessions, at most. Beyond it the lease begins again, which voids all sessions written before.
    const NOTES: usize = 4096;

    pub(super) fn has(&self, user: &UserId, session: &SessionId) -> bool {
        let users = self.of_users.lock();
        users.get(user).is_some_and(|sessions| sessions.contains(session))
    }

    pub(super) fn add(&self, user: &UserId, session: &SessionId) {
        self.add_below(user, session, u32::MAX);
    }

    /// As [`Sessions::add`], unless the user has `max` others here already.
    pub(super) fn add_below(&self, user: &UserId, session: &SessionId, max: u32) -> bool {
        let mut users = self.of_users.lock();
        let sessions = users.entry(user.clone()).or_default();
        let known = sessions.contains(session);
        let counted = known || sessions.len() < max as usize;
        if counted && !known {
            sessions.push(session.clone());
        }
        if sessions.is_empty() {
            users.remove(user);
        }
        counted
    }

    /// Whether it was there.
    pub(super) fn remove(&self, user: &UserId, session: &SessionId) -> bool {
        let mut users = self.of_users.lock();
        let Entry::Occupied(mut entry) = users.entry(user.clone()) else {
            return false;
        };
        let before = entry.get().len();
        entry.get_mut().retain(|other| other != session);
        let removed = entry.get().len() < before;
        if entry.get().is_empty() {
            entry.remove();
        }
        removed
    }

    /// All that are there now.
    pub(super) fn all(&self) -> Vec<Session> {
        let users = self.of_users.lock();
        let of = |(user, sessions): (&UserId, &Vec<SessionId>)| -> Vec<Session> {
            sessions
                .iter()
                .map(|session| (user.clone(), session.clone()))
                .collect()
        };
        users.iter().flat_map(of).collect()
    }

    /// Those of these that are not there.
    pub(super) fn gone_of(&self, sessions: &[Session]) -> Vec<Session> {
        let gone = sessions.iter().filter(|(user, session)| !self.has(user, session));
        gone.cloned().collect()
    }

    /// Redis could not be told of an end. `false` when there are too many such notes.
    pub(super) fn note_end(&self, user: &UserId, session: &SessionId) -> bool {
        let mut ended = self.ended.lock();
        let fits = ended.len() < Self::NOTES;
        if fits {
            ended.push((user.clone(), session.clone()));
        }
        fits
    }

    pub(super) fn take_ends(&self) -> Vec<Session> {
        std::mem::take(&mut self.ended.lock())
    }

    pub(super) fn mark_stale(&self) {
        self.stale.store(true, Ordering::Release);
    }

    pub(super) fn take_stale(&self) -> bool {
        self.stale.swap(false, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_there_once() {
        let sessions = Sessions::default();
        let alice = UserId::parse("alice").unwrap();
        let [one, two] = ["one", "two"].map(|name| SessionId::parse(name).unwrap());
        assert!(!sessions.add_below(&alice, &one, 0));
        assert!(sessions.all().is_empty());
        assert!(sessions.add_below(&alice, &one, 1));
        assert!(sessions.add_below(&alice, &one, 1));
        assert!(!sessions.add_below(&alice, &two, 1));
        sessions.add(&alice, &two);
        assert_eq!(sessions.all().len(), 2);
        let asked = [(alice.clone(), one.clone()), (alice.clone(), two)];
        assert!(sessions.remove(&alice, &one));
        assert!(!sessions.remove(&alice, &one));
        assert_eq!(sessions.gone_of(&asked), asked[..1]);
    }

    #[test]
    fn notes_are_bounded() {
        let sessions = Sessions::default();
        let alice = UserId::parse("alice").unwrap();
        let session = SessionId::parse("s").unwrap();
        for _ in 0..Sessions::NOTES {
            assert!(sessions.note_end(&alice, &session));
        }
        assert!(!sessions.note_end(&alice, &session));
        assert_eq!(sessions.take_ends().len(), Sessions::NOTES);
        assert!(sessions.note_end(&alice, &session));
    }
}
