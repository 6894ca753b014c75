//! Says what is so of the users here: looks at those who were touched, ends graces, says all of it again after a loss, and
//! hands over at the end.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use starling_core::{
    UserId,
    ports::{Topic, Unavailable},
    presence::NodePresence,
};
use tokio::time::Instant;

use super::{seen, tell};
use crate::{node::Node, notice::Notice};

/// Touched users are gathered for this long, so that a storm of connects is a few calls.
const GATHER: Duration = Duration::from_millis(20);
/// Users asserted in one call.
const CHUNK: usize = 500;
/// After a loss of the shared store all users are asserted again in steps, over about seven seconds.
const STEPS: usize = 10;
const STEP: Duration = Duration::from_millis(700);

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
            let gone = chunk.iter().map(|(user, _)| (user.clone(), at)).collect();
            if !seen(node, gone).await {
                // It would be waited for with every chunk.
                return;
            }
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
