//! The node's presence desk: what its sessions add up to goes to the shared presence, and what changes there goes to
//! those who watch.
//!
//! Sessions only mark their user as touched; one task looks at what they add up to, in batches. A user whose last
//! session here has ended stays as they were for the grace, so that a page reload is no flicker; when the node stops,
//! what is left of the grace is handed over to the shared presence.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use starling_core::{
    UserId,
    ports::{PresenceChange, Renewal, Topic, Unavailable},
    presence::{NodePresence, Status, UserPresence},
};
use starling_protocol::event::PresenceChanged;
use tokio::{sync::Notify, time::Instant};

use crate::{conn::Class, node::Node, notice::Notice, session::Session};

/// Touched users are gathered for this long, so that a storm of connects is a few calls.
const GATHER: Duration = Duration::from_millis(20);
/// Users asserted in one call.
const CHUNK: usize = 500;
/// Between two looks for what has ended, at least: of a node that stopped the graces end one by one.
const REAP_GAP: Duration = Duration::from_millis(100);
/// After a loss of the shared store all users are asserted again in steps, over about seven seconds.
const STEPS: usize = 10;
const STEP: Duration = Duration::from_millis(700);

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

/// What the user's sessions on this node add up to; `None` without one.
fn add_up(node: &Node, user: &UserId) -> Option<NodePresence> {
    let sessions = node.users.sessions(user);
    let shown: Vec<_> = sessions.iter().map(|session| session.shown()).collect();
    let strongest = shown.iter().map(|shown| shown.status).max()?;
    let latest = shown.into_iter().max_by_key(|shown| shown.set_at)?;
    Some(NodePresence {
        status: strongest,
        custom: latest.custom,
        set_at: latest.set_at,
    })
}

/// Looks at touched users, ends graces, and asserts.
pub(crate) async fn run_desk(node: Arc<Node>) {
    let desk = &node.presence;
    let mut graces: BTreeMap<(Instant, UserId), ()> = BTreeMap::new();
    let mut in_grace: HashMap<UserId, Instant> = HashMap::new();
    // Users of whom this node said that they are here; of others, whom somebody here watched, it has nothing to say.
    let mut here: HashSet<UserId> = HashSet::new();
    let mut again: Vec<UserId> = Vec::new();
    // Users of whom the store was not told: it did not answer. At most those who are or were here.
    let mut unsaid: HashSet<UserId> = HashSet::new();
    let mut step = 1;
    loop {
        let far = Instant::now() + Duration::from_secs(3600);
        let next = graces.first_key_value().map_or(far, |((at, _), ())| *at);
        let next = if again.is_empty() && unsaid.is_empty() {
            next
        } else {
            next.min(Instant::now() + STEP)
        };
        tokio::select! {
            () = desk.wake.notified() => tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep_until(next) => {}
            () = node.stop.cancelled() => return hand_over(&node, here, &in_grace).await,
        }
        if desk.assert_all.swap(false, Relaxed) {
            again = node.users.all_users();
            step = again.len().div_ceil(STEPS).max(1);
        }
        if again.is_empty() && !unsaid.is_empty() {
            again.extend(unsaid.drain());
            step = again.len().div_ceil(STEPS).max(1);
        }
        let mut asserted = Vec::new();
        for user in std::mem::take(&mut *desk.touched.lock()) {
            if let Some(at) = in_grace.remove(&user) {
                graces.remove(&(at, user.clone()));
            }
            match add_up(&node, &user) {
                Some(presence) => {
                    here.insert(user.clone());
                    asserted.push((user, Some(presence)));
                }
                None => {
                    let at = Instant::now() + node.config.presence.grace;
                    graces.insert((at, user.clone()), ());
                    in_grace.insert(user, at);
                }
            }
        }
        let now = Instant::now();
        for user in std::mem::take(&mut *desk.unwatched.lock()) {
            in_grace.entry(user).or_insert_with_key(|user| {
                let at = now + node.config.presence.grace;
                graces.insert((at, user.clone()), ());
                at
            });
        }
        let mut gone = Vec::new();
        while let Some(entry) = graces.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((_, user), ()) = entry.remove_entry();
            in_grace.remove(&user);
            match add_up(&node, &user) {
                Some(presence) => asserted.push((user, Some(presence))),
                None => gone.push(user),
            }
        }
        unfollow(&node, &gone).await;
        asserted.extend(
            gone.into_iter()
                .filter(|user| here.remove(user))
                .map(|user| (user, None)),
        );
        let some = again.len().min(step);
        for user in again.drain(..some) {
            match add_up(&node, &user) {
                Some(presence) => asserted.push((user, Some(presence))),
                None if !in_grace.contains_key(&user) && here.remove(&user) => asserted.push((user, None)),
                // Its grace ends first, or nothing is said of it.
                None => {}
            }
        }
        for chunk in asserted.chunks(CHUNK) {
            if assert(&node, chunk).await {
                continue;
            }
            for (user, presence) in chunk {
                unsaid.insert(user.clone());
                if presence.is_none() {
                    // What it said before still stands, as long as its lease does.
                    here.insert(user.clone());
                }
            }
        }
    }
}

/// The node stops, and its users keep what is left of their grace: who comes back elsewhere in time was never away.
async fn hand_over(node: &Node, here: HashSet<UserId>, in_grace: &HashMap<UserId, Instant>) {
    let (now, at) = (Instant::now(), node.clock.now());
    let touched = std::mem::take(&mut *node.presence.touched.lock());
    let with_rest = |user: UserId| {
        // Whose last session ends just now has the whole of it.
        let ends_now = touched.contains(&user) || node.users.any_session(&user, |_| true);
        let left = match in_grace.get(&user) {
            Some(end) if !ends_now => end.duration_since(now),
            _ => node.config.presence.grace,
        };
        (user, left)
    };
    let users: Vec<_> = here.into_iter().map(with_rest).collect();
    if users.is_empty() {
        return;
    }
    let handing = async {
        for chunk in users.chunks(CHUNK) {
            node.backend.presence.hand_over(chunk).await?;
        }
        // The publisher has stopped.
        let notice = Notice::HandedOver.encode(node.tag);
        let notice = notice.map_err(|error| Unavailable::new("bus", error))?;
        node.backend.bus.publish(vec![(Topic::Nodes, notice)]).await
    };
    // Where no node is left, nobody else says it.
    let seeing = async {
        for chunk in users.chunks(CHUNK) {
            seen(node, chunk.iter().map(|(user, _)| (user.clone(), at)).collect()).await;
        }
    };
    if let (Err(error), ()) = tokio::join!(handing, seeing) {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "cannot hand users over; they are offline until they are back"
        );
    }
}

/// Ends the subscriptions of those whom nobody here watches.
async fn unfollow(node: &Node, users: &[UserId]) {
    let unwatched = users.iter().filter(|user| !node.presence.is_watched(user));
    let topics: Vec<_> = unwatched.map(|user| Topic::Presence(user.clone())).collect();
    if !topics.is_empty()
        && let Err(error) = node.backend.bus.unsubscribe(&topics).await
    {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "cannot end presence subscriptions"
        );
    }
}

/// Says what is so of these users; `false` when the store was not told.
async fn assert(node: &Node, users: &[(UserId, Option<NodePresence>)]) -> bool {
    let gone: Vec<_> = users
        .iter()
        .filter(|(_, presence)| presence.is_none())
        .map(|(user, _)| (user.clone(), node.clock.now()))
        .collect();
    seen(node, gone).await;
    match node.backend.presence.assert(users).await {
        Ok(changes) => {
            tell(node, changes);
            true
        }
        Err(error) => {
            tracing::debug!(error = &error as &dyn std::error::Error, "cannot assert presence");
            false
        }
    }
}

async fn seen(node: &Node, gone: Vec<(UserId, starling_core::Timestamp)>) {
    if !gone.is_empty()
        && let Err(error) = node.backend.directory.seen(&gone).await
    {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "cannot store when users were last seen"
        );
    }
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

/// Renews the node's lease. Nothing else is done here: a store that answers late must not put the next renewal off
/// until the lease has ended.
pub(crate) async fn run_lease(node: Arc<Node>) {
    let mut was_away = false;
    loop {
        match node.backend.presence.renew().await {
            Ok(Renewal::Kept) if !was_away => {}
            Ok(_) => {
                was_away = false;
                node.presence.assert_again();
                node.hub.recount().await;
            }
            Err(error) => {
                was_away = true;
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "cannot renew the node's lease"
                );
            }
        }
        if !next_heartbeat(&node).await {
            return;
        }
    }
}

/// Cleans up after nodes that died, and where the grace of those has ended whom a node handed over.
pub(crate) async fn run_reaper(node: Arc<Node>) {
    loop {
        let mut next = jittered_heartbeat(&node);
        match node.backend.presence.reap().await {
            Ok(reaped) => {
                next = reaped.next.map_or(next, |end| next.min(end.max(REAP_GAP)));
                tell_gone(&node, reaped.changes).await;
            }
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "cannot reap dead nodes"),
        }
        tokio::select! {
            () = tokio::time::sleep(next) => {}
            () = node.presence.reap.notified() => {}
            () = node.stop.cancelled() => return,
        }
    }
}

/// Tells what changed by a clean-up: who is offline by it was seen until now.
async fn tell_gone(node: &Node, mut changes: Vec<PresenceChange>) {
    let now = node.clock.now();
    let mut gone = Vec::new();
    for user in changes.iter_mut().map(|change| &mut change.now) {
        if user.status == Status::Offline {
            user.last_seen_at = Some(now);
            gone.push((user.user_id.clone(), now));
        }
    }
    seen(node, gone).await;
    tell(node, changes);
}

/// Says how the node is, for operators.
pub(crate) async fn run_report(node: Arc<Node>) {
    loop {
        if let Err(error) = node.backend.registry.report(&node.card()).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "cannot report this node"
            );
        }
        if !next_heartbeat(&node).await {
            return;
        }
    }
}

/// Waits for the next heartbeat; `false` when the node stops.
async fn next_heartbeat(node: &Node) -> bool {
    tokio::select! {
        () = tokio::time::sleep(jittered_heartbeat(node)) => true,
        () = node.stop.cancelled() => false,
    }
}

/// A fifth more or less, so that the nodes do not beat in step.
fn jittered_heartbeat(node: &Node) -> Duration {
    node.config
        .presence
        .heartbeat
        .mul_f64(0.8 + 0.4 * rand::random::<f64>())
}
