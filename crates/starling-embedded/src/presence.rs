//! Who is online, under leases.
//!
//! Time is tokio's: it never jumps with the wall clock, and tests pause it.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use starling_core::{
    NodeId, RoomId, Timestamp, UserId,
    ports::{Directory, Presence, PresenceChange, Reaped, Renewal, Unavailable},
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
    users: HashMap<UserId, Vec<Word>>,
    /// Users whom nodes that stopped have handed over, by when the word on them ends.
    handed_over: BTreeSet<(Instant, UserId)>,
    rooms: HashMap<RoomId, Vec<(Lease, u32)>>,
    /// Of whom and what each lease spoke, to clean up after it.
    spoken: HashMap<Lease, Spoken>,
}

struct Word {
    lease: Lease,
    /// Handed over: it counts until then, with the lease or without.
    until: Option<Instant>,
    said: NodePresence,
}

/// What counts at some time.
struct Standing {
    leases: HashSet<Lease>,
    now: Instant,
}

impl Standing {
    fn counts(&self, word: &Word) -> bool {
        match word.until {
            Some(until) => until > self.now,
            None => self.leases.contains(&word.lease),
        }
    }
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

    fn standing(&self, now: Instant) -> Standing {
        let live = self.nodes.values().filter(|(_, until)| *until > now);
        Standing {
            leases: live.map(|(lease, _)| *lease).collect(),
            now,
        }
    }

    /// What the words on a user add up to, of those that the filter lets through.
    fn sum(&self, user: &UserId, seen: Option<Timestamp>, counts: impl Fn(&Word) -> bool) -> UserPresence {
        let words = self.users.get(user).into_iter().flatten();
        let words: Vec<_> = words
            .filter(|word| counts(word))
            .map(|word| word.said.clone())
            .collect();
        combine(user, &words, seen)
    }

    /// Sets or takes back what a lease says of a user. After a lease was cleaned up nothing is kept of it. Who is here
    /// needs no more what others have handed over.
    fn say(&mut self, lease: Lease, user: &UserId, word: Option<&NodePresence>) {
        let Some(spoken) = self.spoken.get_mut(&lease) else {
            return;
        };
        let words = self.users.entry(user.clone());
        let words = words.or_insert_with(|| Vec::with_capacity(1));
        words.retain(|other| match other.until {
            Some(_) => word.is_none(),
            None => other.lease != lease,
        });
        words.extend(word.map(|said| Word {
            lease,
            until: None,
            said: said.clone(),
        }));
        if words.is_empty() {
            self.users.remove(user);
        }
        if word.is_some() {
            spoken.users.insert(user.clone());
        } else {
            spoken.users.remove(user);
        }
    }

    /// Gives what a lease says of a user an end of its own.
    fn hand_over(&mut self, lease: Lease, user: &UserId, until: Instant) {
        let mut words = self.users.get_mut(user).into_iter().flatten();
        let own = words.find(|word| word.lease == lease && word.until.is_none());
        if let (Some(word), Some(spoken)) = (own, self.spoken.get_mut(&lease)) {
            word.until = Some(until);
            spoken.users.remove(user);
            self.handed_over.insert((until, user.clone()));
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

/// Cleaning up after dead leases, and where what was handed over has ended.
impl Words {
    /// Users of whom dead leases spoke, or whose time has ended.
    fn abandoned(&self, now: Instant) -> Vec<UserId> {
        let live = self.standing(now).leases;
        let dead = self.spoken.iter().filter(|(lease, _)| !live.contains(lease));
        let users = dead.flat_map(|(_, spoken)| &spoken.users);
        let ended = self.handed_over.iter().take_while(|(end, _)| *end <= now);
        let users: HashSet<_> = users.chain(ended.map(|(_, user)| user)).collect();
        users.into_iter().cloned().collect()
    }

    fn reap(&mut self, seen: &HashMap<UserId, Option<Timestamp>>, now: Instant) -> Reaped {
        let standing = self.standing(now);
        let live = &standing.leases;
        self.nodes.retain(|_, (lease, _)| live.contains(lease));
        let dead: Vec<Lease> = self
            .spoken
            .keys()
            .copied()
            .filter(|lease| !live.contains(lease))
            .collect();
        let mut users = HashSet::new();
        for lease in &dead {
            let spoken = self.spoken.get(lease).cloned().unwrap_or_default();
            for room in &spoken.rooms {
                self.count(*lease, room, 0);
            }
            users.extend(spoken.users);
            self.spoken.remove(lease);
        }
        let is_due = |(end, _): &(Instant, UserId)| *end <= now;
        while self.handed_over.first().is_some_and(is_due) {
            users.extend(self.handed_over.pop_first().map(|(_, user)| user));
        }
        let changes = users.into_iter().filter_map(|user| {
            let seen = seen.get(&user).copied().flatten();
            let before = self.sum(&user, seen, |_| true);
            let words = self.users.get_mut(&user)?;
            let said = words.len();
            words.retain(|word| standing.counts(word));
            let ended = words.len() < said;
            if words.is_empty() {
                self.users.remove(&user);
            }
            let now = self.sum(&user, seen, |_| true);
            ended.then_some(PresenceChange { before, now })
        });
        Reaped {
            changes: changes.collect(),
            next: self.handed_over.first().map(|(end, _)| end.duration_since(now)),
        }
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
        let standing = words.standing(Instant::now());
        let mut changes = Vec::with_capacity(users.len());
        for ((user, word), seen) in users.iter().zip(seen) {
            let before = words.sum(user, seen, |word| standing.counts(word));
            words.say(lease, user, word.as_ref());
            let now = words.sum(user, seen, |word| standing.counts(word));
            changes.push(PresenceChange { before, now });
        }
        Ok(changes)
    }

    async fn lookup(&self, users: &[UserId]) -> Result<Vec<UserPresence>, Unavailable> {
        let seen = self.seen(users.iter()).await?;
        let words = self.board.words.lock();
        let standing = words.standing(Instant::now());
        let sum = |(user, seen)| words.sum(user, seen, |word| standing.counts(word));
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

    async fn hand_over(&self, users: &[(UserId, Duration)]) -> Result<(), Unavailable> {
        let lease = *self.lease.lock();
        let mut words = self.board.words.lock();
        let now = Instant::now();
        if words.standing(now).leases.contains(&lease) {
            for (user, left) in users {
                words.hand_over(lease, user, now + *left);
            }
        }
        Ok(())
    }

    async fn reap(&self) -> Result<Reaped, Unavailable> {
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
        let live = words.standing(Instant::now()).leases;
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
