//! The node's presence desk: what its sessions add up to goes to the shared presence, and what changes there goes to
//! those who watch.
//!
//! Sessions only mark their user as touched; one task looks at what they add up to, in batches. A user whose last
//! session here has ended stays as they were for the grace, so that a page reload is no flicker; when the node stops,
//! what is left of the grace is handed over to the shared presence.
//!
//! | module | what it holds |
//! |---|---|
//! | [`say`] | the task that says what is so of the users here, up to their handing over |
//! | [`lease`] | the node's lease, cleaning up after others, and the node's card |

mod lease;
mod say;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;
use starling_core::{
    Timestamp, UserId,
    ports::{PresenceChange, Topic},
    presence::UserPresence,
};
use starling_protocol::event::PresenceChanged;
use tokio::sync::Notify;

pub(crate) use self::{
    lease::{run_lease, run_reaper, run_report},
    say::run_desk,
};
use crate::{conn::Class, node::Node, notice::Notice, session::Session};

/// See the module.
pub(crate) struct Desk {
    /// Users to look at. Bounded by the users of the node: a user is in it once.
    touched: Mutex<HashSet<UserId>>,
    /// Users whom nobody here watches any more. Apart, because it must not prolong a grace. Bounded by who was watched.
    unwatched: Mutex<HashSet<UserId>>,
    /// Changes to be told. Bounded by the users watched on this node: only those are kept.
    news: Mutex<HashMap<UserId, UserPresence>>,
    watchers: Mutex<HashMap<UserId, Vec<Arc<Session>>>>,
    assert_all: AtomicBool,
    wake: Notify,
    tell: Notify,
    reap: Notify,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self {
            touched: Mutex::default(),
            unwatched: Mutex::default(),
            news: Mutex::default(),
            watchers: Mutex::default(),
            assert_all: AtomicBool::new(false),
            wake: Notify::new(),
            tell: Notify::new(),
            reap: Notify::new(),
        }
    }

    /// A session of this user came, went, or changed.
    pub(crate) fn touch(&self, user: UserId) {
        self.touched.lock().insert(user);
        self.wake.notify_one();
    }

    /// The shared store may have lost what this node said.
    pub(crate) fn assert_again(&self) {
        self.assert_all.store(true, Relaxed);
        self.wake.notify_one();
    }

    /// A node has handed its users over.
    pub(crate) fn reap_now(&self) {
        self.reap.notify_one();
    }

    /// Presence has changed somewhere.
    pub(crate) fn heard(&self, users: Vec<UserPresence>) {
        let watchers = self.watchers.lock();
        let watched: Vec<_> = users
            .into_iter()
            .filter(|user| watchers.contains_key(&user.user_id))
            .collect();
        drop(watchers);
        if !watched.is_empty() {
            self.news
                .lock()
                .extend(watched.into_iter().map(|user| (user.user_id.clone(), user)));
            self.tell.notify_one();
        }
    }

    /// How many users are followed here.
    pub(crate) fn watched(&self) -> usize {
        self.watchers.lock().len()
    }

    /// Sends what is new to those who watch; how many changes were told.
    fn tell_news(&self) -> usize {
        let news = std::mem::take(&mut *self.news.lock());
        let mut by_session: HashMap<u64, (Arc<Session>, Vec<UserPresence>)> = HashMap::new();
        {
            let watchers = self.watchers.lock();
            for (user, presence) in news {
                for session in watchers.get(&user).into_iter().flatten() {
                    let entry = by_session.entry(session.conn.key);
                    entry
                        .or_insert_with(|| (session.clone(), Vec::new()))
                        .1
                        .push(presence.clone());
                }
            }
        }
        let mut told = 0;
        for (session, users) in by_session.into_values() {
            told += users.len();
            session
                .conn
                .send_event("presence_changed", &PresenceChanged { users }, Class::Ephemeral);
        }
        told
    }

    /// A session stops watching these users.
    pub(crate) fn unwatch(&self, session: &Session, users: impl IntoIterator<Item = UserId>) {
        let mut watchers = self.watchers.lock();
        for user in users {
            if let Some(sessions) = watchers.get_mut(&user) {
                sessions.retain(|other| other.conn.key != session.conn.key);
                if sessions.is_empty() {
                    watchers.remove(&user);
                    // The task ends the subscription when it finds nobody watching.
                    self.unwatched.lock().insert(user);
                    self.wake.notify_one();
                }
            }
        }
    }

    /// Whether somebody here watches this user.
    fn is_watched(&self, user: &UserId) -> bool {
        self.watchers.lock().contains_key(user)
    }
}

impl Node {
    /// A session watches these users from now on.
    pub(crate) async fn watch(&self, session: &Arc<Session>, users: Vec<UserId>) {
        let mut topics = Vec::new();
        {
            let mut watchers = self.presence.watchers.lock();
            for user in &users {
                let sessions = watchers.entry(user.clone()).or_default();
                if sessions.is_empty() {
                    topics.push(Topic::Presence(user.clone()));
                }
                sessions.push(session.clone());
            }
        }
        if session.is_ended() {
            // Its end did not find what was added just now.
            self.presence.unwatch(session, users);
            return;
        }
        if !topics.is_empty()
            && let Err(error) = self.backend.bus.subscribe(&topics).await
        {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "cannot follow presence while the bus is away"
            );
        }
    }
}

/// Stores when users were last seen.
/// Whether it was stored.
async fn seen(node: &Node, gone: Vec<(UserId, Timestamp)>) -> bool {
    if gone.is_empty() {
        return true;
    }
    let stored = node.backend.directory.seen(&gone).await;
    if let Err(error) = &stored {
        tracing::warn!(
            error = error as &dyn std::error::Error,
            "cannot store when users were last seen"
        );
    }
    stored.is_ok()
}

/// Tells visible changes to the watchers of all nodes.
fn tell(node: &Node, changes: Vec<PresenceChange>) {
    let visible: Vec<UserPresence> = changes
        .into_iter()
        .filter(PresenceChange::is_visible)
        .map(|change| change.now)
        .collect();
    for user in &visible {
        node.publish(
            vec![Topic::Presence(user.user_id.clone())],
            &Notice::Presence(vec![user.clone()]),
        );
    }
    node.presence.heard(visible);
}

/// Tells news to watchers, gathered over the merge time.
pub(crate) async fn run_news(node: Arc<Node>) {
    loop {
        tokio::select! {
            () = node.presence.tell.notified() => {}
            () = node.stop.cancelled() => return,
        }
        tokio::time::sleep(node.config.presence.merge).await;
        let told = node.presence.tell_news();
        node.metrics.presence_told.add(told as u64);
    }
}
