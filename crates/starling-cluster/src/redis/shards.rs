//! How keys are spread over servers, the same way in every topology.
//!
//! Users, rooms and addresses are hashed to a fixed number of *shards*. All that belongs to one shard, the leases of
//! the nodes included, shares a hash tag, so that it is on one server and one script can read and change it in one
//! atomic step. A single primary holds one shard; each independent server holds one; a cluster has [`CLUSTER_SHARDS`],
//! evenly over the range of its slots. Each node renews its lease in every shard.

use std::{net::IpAddr, sync::Arc};

use fred::util::redis_keyslot;
use futures_util::future::try_join_all;
use starling_core::{RoomId, UserId};

use super::{
    hash,
    keys::{Names, ShardNames},
    link::{Link, LinkError},
    script::BATCH,
};

/// Shards of a cluster: enough for an even share of up to about ten primaries, few enough that renewing every lease
/// costs nothing (50 nodes renew 530 leases a second).
const CLUSTER_SHARDS: usize = 32;
const SLOTS: usize = 16_384;

/// One shard: its keys, and the links to its server.
pub(super) struct Shard {
    pub(super) names: ShardNames,
    /// Which server it is on, counted over the configured ones.
    pub(super) server: usize,
    links: Arc<[Arc<Link>]>,
}

impl Shard {
    /// The link for work that must stay in order: always the same.
    pub(super) fn link(&self) -> &Link {
        &self.links[0]
    }

    /// The link for what concerns one id: always the same for this id.
    pub(super) fn link_for(&self, id: &str) -> &Link {
        &self.links[spread(id, self.links.len())]
    }
}

/// All shards.
pub(super) struct Shards(Vec<Shard>);

impl Shards {
    /// `pools` has the links to each server. In a cluster there is one pool, of links to all of its servers.
    pub(super) fn new(names: &Names, pools: &[Arc<[Arc<Link>]>], cluster: bool) -> Self {
        let shard = |server: usize, tag: &str| Shard {
            names: names.shard(tag),
            server,
            links: pools[server].clone(),
        };
        Self(if cluster {
            cluster_tags().iter().map(|tag| shard(0, tag)).collect()
        } else {
            (0..pools.len()).map(|n| shard(n, &n.to_string())).collect()
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Shard> {
        self.0.iter()
    }

    pub(super) fn get(&self, n: usize) -> &Shard {
        &self.0[n]
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Does some work in every shard concerned, and puts the answers in the order of the items. The batches of a shard
    /// follow one another; the shards work at the same time.
    pub(super) async fn spread<I, T, F>(
        &self,
        items: &[I],
        shard_of: impl Fn(&I) -> usize,
        work: impl Fn(usize, Vec<usize>) -> F,
    ) -> Result<Vec<T>, LinkError>
    where
        F: Future<Output = Result<Vec<T>, LinkError>>,
    {
        let mut by_shard = vec![Vec::new(); self.len()];
        for (index, item) in items.iter().enumerate() {
            by_shard[shard_of(item)].push(index);
        }
        let work = &work;
        let shards = by_shard.iter().enumerate().map(|(n, indexes)| async move {
            let mut answers = Vec::with_capacity(indexes.len());
            for batch in indexes.chunks(BATCH) {
                let of_batch = work(n, batch.to_vec()).await?;
                answers.extend(batch.iter().copied().zip(of_batch));
            }
            Ok::<_, LinkError>(answers)
        });
        let mut answers: Vec<(usize, T)> = try_join_all(shards).await?.into_iter().flatten().collect();
        answers.sort_unstable_by_key(|(index, _)| *index);
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }

    pub(super) fn of_user(&self, user: &UserId) -> usize {
        self.of(user.as_str())
    }

    pub(super) fn of_room(&self, room: &RoomId) -> usize {
        self.of(room.as_str())
    }

    pub(super) fn of_address(&self, address: IpAddr) -> usize {
        self.of(&address.to_string())
    }

    fn of(&self, id: &str) -> usize {
        hash::jump(hash::stable(id.as_bytes()), self.0.len())
    }
}

/// One of several equal links, by id. Independent of the choice of the shard.
pub(super) fn spread(id: &str, among: usize) -> usize {
    let hash = hash::mix(hash::stable(id.as_bytes()) ^ 0x9e37_79b9_7f4a_7c15);
    usize::try_from(hash % among as u64).unwrap_or(0)
}

/// For each shard a tag whose slot lies in the shard's part of the slots.
fn cluster_tags() -> Vec<String> {
    let mut tags = vec![None; CLUSTER_SHARDS];
    let mut missing = CLUSTER_SHARDS;
    for n in 0_u32.. {
        let tag = n.to_string();
        let part = usize::from(redis_keyslot(tag.as_bytes())) * CLUSTER_SHARDS / SLOTS;
        if tags[part].is_none() {
            tags[part] = Some(tag);
            missing -= 1;
            if missing == 0 {
                break;
            }
        }
    }
    tags.into_iter().flatten().collect()
}

/// A tag whose slot lies between these two, both included.
pub(super) fn tag_between(first: u16, last: u16) -> String {
    (0_u32..)
        .map(|n| n.to_string())
        .find(|tag| (first..=last).contains(&redis_keyslot(tag.as_bytes())))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_slots_has_a_tag_and_it_never_changes() {
        let tags = cluster_tags();
        assert_eq!(tags.len(), CLUSTER_SHARDS);
        for (part, tag) in tags.iter().enumerate() {
            let slot = usize::from(redis_keyslot(tag.as_bytes()));
            assert_eq!(slot * CLUSTER_SHARDS / SLOTS, part);
        }
        // Nodes of different versions must agree.
        assert_eq!((tags[0].as_str(), tags[31].as_str()), ("10", "40"));
    }

    #[test]
    fn a_tag_is_found_for_a_single_slot() {
        assert_eq!(redis_keyslot(tag_between(16_383, 16_383).as_bytes()), 16_383);
        assert_eq!(redis_keyslot(tag_between(0, 0).as_bytes()), 0);
    }
}
