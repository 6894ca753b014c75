//! Who is online, under leases.
//!
//! Time is tokio's: it never jumps with the wall clock, and tests pause it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use starling_core::{
    NodeId, RoomId, Timestamp, UserId,
    ports::{Directory, Presence, PresenceChange, Renewal, Unavailable},
    presence::{NodePresence, UserPresence, combine},
};
use tokio::time::Instant;

/// What all nodes say. One lock: what is done under it touches the users and rooms that are asked for, and no other.
pub(crate) struct Board {
    directory: Arc<dyn Directory>,
    lease: Duration,
    words: Mutex<Words>,
}

/// One lease of one node. A node that lost its lease, or was started again, speaks under a new one, and what it said
/// under the old one stays void.
type Lease = u64;

#[derive(Default)]
struct Words {
    leases: u64,
    /// The present lease of each node, and when it ends.
    nodes: HashMap<NodeId, (Lease, Instant)>,
    /// What was said of each user, void words included until they are reaped.
    users: HashMap<UserId, Vec<(Lease, NodePresence)>>,
    rooms: HashMap<RoomId, Vec<(Lease, u32)>>,
    /// Of whom and what each lease spoke, to clean up after it.
    spoken: HashMap<Lease, Spoken>,
}

#[derive(Clone, Default)]
struct Spoken {
    users: HashSet<UserId>,
    rooms: HashSet<RoomId>,
}

impl Board {
    pub(crate) fn new(directory: Arc<dyn Directory>, lease: Duration) -> Arc<Self> {
        Arc::new(Self {
            directory,
            lease,
            words: Mutex::default(),
        })
    }

    /// A node. It has its lease from the start; another node of the same name loses it.
    pub(crate) fn node(self: &Arc<Self>, id: NodeId) -> EmbeddedPresence {
        let lease = self.words.lock().begin(&id, Instant::now() + self.lease);
        EmbeddedPresence {
            board: self.clone(),
            id,
            lease: Mutex::new(lease),
        }
    }
}

impl Words {
    fn begin(&mut self, node: &NodeId, until: Instant) -> Lease {
        self.leases += 1;
        self.nodes.insert(node.clone(), (self.leases, until));
        self.spoken.insert(self.leases, Spoken::default());
        self.leases
    }

    /// The leases that hold now.
    fn live(&self, now: Instant) -> HashSet<Lease> {
        let live = self.nodes.values().filter(|(_, until)| *until > now);
        live.map(|(lease, _)| *lease).collect()
    }

    /// What the words on a user add up to, of those leases that the filter lets through.
    fn sum(&self, user: &UserId, seen: Option<Timestamp>, holds: impl Fn(Lease) -> bool) -> UserPresence {
        let words = self.users.get(user).into_iter().flatten();
        let words: Vec<_> = words
            .filter(|(lease, _)| holds(*lease))
            .map(|(_, word)| word.clone())
            .collect();
        combine(user, &words, seen)
    }

    /// Sets or takes back what a lease says of a user. After a lease was cleaned up nothing is kept of it.
    fn say(&mut self, lease: Lease, user: &UserId, word: Option<&NodePresence>) {
        let Some(spoken) = self.spoken.get_mut(&lease) else {
            return;
        };
        let words = self.users.entry(user.clone()).or_default();
        words.retain(|(of, _)| *of != lease);
        words.extend(word.map(|word| (lease, word.clone())));
        if words.is_empty() {
            self.users.remove(user);
        }
        if word.is_some() {
            spoken.users.insert(user.clone());
        } else {
            spoken.users.remove(user);
        }
    }

    fn count(&mut self, lease: Lease, room: &RoomId, count: u32) {
        let Some(spoken) = self.spoken.get_mut(&lease) else {
            return;
        };
        let counts = self.rooms.entry(room.clone()).or_default();
        counts.retain(|(of, _)| *of != lease);
        if count > 0 {
            counts.push((lease, count));
            spoken.rooms.insert(room.clone());
        } else {
            spoken.rooms.remove(room);
        }
        if counts.is_empty() {
            self.rooms.remove(room);
        }
    }
}

/// Cleaning up after dead leases.
impl Words {
    /// Users of whom dead leases spoke.
    fn abandoned(&self, now: Instant) -> Vec<UserId> {
        let live = self.live(now);
        let dead = self.spoken.iter().filter(|(lease, _)| !live.contains(lease));
        let users: HashSet<_> = dead.flat_map(|(_, spoken)| &spoken.users).collect();
        users.into_iter().cloned().collect()
    }

    fn reap(&mut self, seen: &HashMap<UserId, Option<Timestamp>>, now: Instant) -> Vec<PresenceChange> {
        let live = self.live(now);
        self.nodes.retain(|_, (lease, _)| live.contains(lease));
        let dead: Vec<Lease> = self
            .spoken
            .keys()
            .copied()
            .filter(|lease| !live.contains(lease))
            .collect();
        let mut users = HashMap::<UserId, PresenceChange>::new();
        for lease in &dead {
            let spoken = self.spoken.get(lease).cloned().unwrap_or_default();
            for room in &spoken.rooms {
                self.count(*lease, room, 0);
            }
            for user in spoken.users {
                let seen = seen.get(&user).copied().flatten();
                let before = self.sum(&user, seen, |_| true);
                self.say(*lease, &user, None);
                let now = self.sum(&user, seen, |lease| live.contains(&lease));
                // Spoken of by several dead leases: what all of them said came before.
                users.entry(user).or_insert(PresenceChange { before, now });
            }
            self.spoken.remove(lease);
        }
        users.into_values().collect()
    }
}

/// A node's voice on the board.
pub struct EmbeddedPresence {
    board: Arc<Board>,
    id: NodeId,
    lease: Mutex<Lease>,
}

impl EmbeddedPresence {
    /// Ends the lease: what the node said is void at once.
    pub(crate) fn close(&self) {
        let lease = *self.lease.lock();
        let mut words = self.board.words.lock();
        if words
            .nodes
            .get(&self.id)
            .is_some_and(|(present, _)| *present == lease)
        {
            words.nodes.remove(&self.id);
        }
    }

    /// Users and when they were last seen, asked for before the lock is taken.
    async fn seen<'a>(
        &self,
        users: impl Iterator<Item = &'a UserId>,
    ) -> Result<Vec<Option<Timestamp>>, Unavailable> {
        let users: Vec<UserId> = users.cloned().collect();
        self.board.directory.last_seen(&users).await
    }
}

#[async_trait]
impl Presence for EmbeddedPresence {
    async fn assert(
        &self,
        users: &[(UserId, Option<NodePresence>)],
    ) -> Result<Vec<PresenceChange>, Unavailable> {
        let seen = self.seen(users.iter().map(|(user, _)| user)).await?;
        let lease = *self.lease.lock();
        let mut words = self.board.words.lock();
        let live = words.live(Instant::now());
        let mut changes = Vec::with_capacity(users.len());
        for ((user, word), seen) in users.iter().zip(seen) {
            let before = words.sum(user, seen, |lease| live.contains(&lease));
            words.say(lease, user, word.as_ref());
            let now = words.sum(user, seen, |lease| live.contains(&lease));
            changes.push(PresenceChange { before, now });
        }
        Ok(changes)
    }

    async fn lookup(&self, users: &[UserId]) -> Result<Vec<UserPresence>, Unavailable> {
        let seen = self.seen(users.iter()).await?;
        let words = self.board.words.lock();
        let live = words.live(Instant::now());
        let sum = |(user, seen)| words.sum(user, seen, |lease| live.contains(&lease));
        Ok(users.iter().zip(seen).map(sum).collect())
    }

    async fn renew(&self) -> Result<Renewal, Unavailable> {
        let now = Instant::now();
        let until = now + self.board.lease;
        let mut lease = self.lease.lock();
        let mut words = self.board.words.lock();
        match words.nodes.get_mut(&self.id) {
            Some((present, end)) if *present == *lease && *end > now => {
                *end = until;
                Ok(Renewal::Kept)
            }
            _ => {
                *lease = words.begin(&self.id, until);
                Ok(Renewal::Lost)
            }
        }
    }

    async fn reap(&self) -> Result<Vec<PresenceChange>, Unavailable> {
        let users = self.board.words.lock().abandoned(Instant::now());
        let seen = self.board.directory.last_seen(&users).await?;
        let seen: HashMap<_, _> = users.into_iter().zip(seen).collect();
        // Whoever comes first here does the work; the others find nothing left.
        Ok(self.board.words.lock().reap(&seen, Instant::now()))
    }

    async fn set_room_counts(&self, counts: &[(RoomId, u32)]) -> Result<(), Unavailable> {
        let lease = *self.lease.lock();
        let mut words = self.board.words.lock();
        for (room, count) in counts {
            words.count(lease, room, *count);
        }
        Ok(())
    }

    async fn room_counts(&self, rooms: &[RoomId]) -> Result<Vec<u32>, Unavailable> {
        let words = self.board.words.lock();
        let live = words.live(Instant::now());
        let count = |room| {
            let counts = words.rooms.get(room).into_iter().flatten();
            counts
                .filter(|(lease, _)| live.contains(lease))
                .map(|(_, count)| count)
                .sum()
        };
        Ok(rooms.iter().map(count).collect())
    }
}
