//! The names of all channels and keys: nothing else in this crate spells one.
//!
//! Channels are `<prefix>bus:<kind>:<id>`. Keys are `<prefix>{<tag>}:<what>:<id>`: the part in braces is what Redis
//! Cluster hashes, so that everything of one [shard](super::shards) is on one server and one script can see it. Ids
//! come last, and are never looked into, because a user id may hold colons and braces.

use starling_core::{NodeId, RoomId, UserId, ports::Topic};

/// Makes names that begin with the configured prefix. The prefix has no brace: the tag would not be the first.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    /// The channel of a topic.
    pub(super) fn channel(&self, topic: &Topic) -> String {
        let prefix = &self.prefix;
        match topic {
            Topic::Room(room) => format!("{prefix}bus:r:{room}"),
            Topic::User(user) => format!("{prefix}bus:u:{user}"),
            Topic::Presence(user) => format!("{prefix}bus:p:{user}"),
            Topic::Nodes => format!("{prefix}bus:n:"),
        }
    }

    /// The inverse of [`Names::channel`]; `None` for a channel that is none of a topic.
    pub(super) fn topic(&self, channel: &str) -> Option<Topic> {
        let (kind, id) = channel
            .strip_prefix(&self.prefix)?
            .strip_prefix("bus:")?
            .split_once(':')?;
        Some(match kind {
            "r" => Topic::Room(RoomId::parse(id).ok()?),
            "u" => Topic::User(UserId::parse(id).ok()?),
            "p" => Topic::Presence(UserId::parse(id).ok()?),
            "n" if id.is_empty() => Topic::Nodes,
            _ => return None,
        })
    }

    /// The channel on which a link of this node hears itself. The tag chooses the server in a cluster.
    pub(super) fn probe(&self, tag: &str, node: &NodeId, link: u64) -> String {
        format!("{}bus:probe:{{{tag}}}:{link:x}:{node}", self.prefix)
    }

    /// The keys of a shard.
    pub(super) fn shard(&self, tag: &str) -> ShardNames {
        ShardNames {
            base: format!("{}{{{tag}}}:", self.prefix),
        }
    }
}

/// Makes the keys of one shard. What ends in a colon is a prefix: a script appends the id.
#[derive(Debug, Clone)]
pub(super) struct ShardNames {
    base: String,
}

impl ShardNames {
    /// `SET` by each node with the number of its incarnation, and a short TTL.
    pub(super) fn leases(&self) -> String {
        format!("{}lease:", self.base)
    }

    /// The set of incarnations (`node number`) that said anything and were not cleaned up after.
    pub(super) fn incarnations(&self) -> String {
        format!("{}nodes", self.base)
    }

    /// Held by the node that cleans up.
    pub(super) fn reaper(&self) -> String {
        format!("{}reaper", self.base)
    }

    /// A hash for each user: what each node says.
    pub(super) fn presences(&self) -> String {
        format!("{}presence:", self.base)
    }

    /// A sorted set for each incarnation: the users that it speaks of, by when their TTL was renewed.
    pub(super) fn users(&self) -> String {
        format!("{}users:", self.base)
    }

    /// A sorted set: the users whom nodes that stopped have handed over, by when the first word on them ends.
    pub(super) fn handed_over(&self) -> String {
        format!("{}handed-over", self.base)
    }

    /// A hash for each incarnation: how many of its users follow each room.
    pub(super) fn rooms(&self) -> String {
        format!("{}rooms:", self.base)
    }

    /// A hash for each user: which incarnation has each of their sessions.
    pub(super) fn sessions(&self) -> String {
        format!("{}sessions:", self.base)
    }

    /// As [`ShardNames::leases`], for sessions: renewed by the limits themselves.
    pub(super) fn session_leases(&self) -> String {
        format!("{}session-lease:", self.base)
    }

    /// A hash: what each node says of itself.
    pub(super) fn cards(&self) -> String {
        format!("{}cards", self.base)
    }

    /// A sorted set: the nodes by when their card ends.
    pub(super) fn cards_by_end(&self) -> String {
        format!("{}cards-by-end", self.base)
    }

    /// When a budget is full again; `kind` is one of `command`, `message`, `handshake`.
    pub(super) fn budget(&self, kind: &str, of: &str) -> String {
        format!("{}budget:{kind}:{of}", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_and_topics_are_each_others_inverse() {
        let names = Names::new("starling:");
        let user = UserId::parse("a:b{c}").unwrap();
        for topic in [
            Topic::Room(RoomId::parse("x:y").unwrap()),
            Topic::Room(RoomId::direct(&user, &user)),
            Topic::User(user.clone()),
            Topic::Presence(user),
            Topic::Nodes,
        ] {
            assert_eq!(names.topic(&names.channel(&topic)), Some(topic));
        }
        for stranger in [
            "starling:bus:x:y",
            "bus:r:y",
            "starling:bus:r:",
            "starling:bus:n:1",
            "",
        ] {
            assert_eq!(names.topic(stranger), None, "{stranger}");
        }
        let node = NodeId::parse("node-1").unwrap();
        assert_eq!(names.topic(&names.probe("7", &node, 3)), None);
    }

    #[test]
    fn the_tag_is_what_a_cluster_hashes() {
        let names = Names::new("starling:");
        let shard = names.shard("17");
        let budget = shard.budget("command", "a}b{}");
        assert_eq!(budget, "starling:{17}:budget:command:a}b{}");
        let slot = |key: &str| fred::util::redis_keyslot(key.as_bytes());
        assert_eq!(slot(&budget), slot("17"));
        assert_eq!(slot(&format!("{}x{{y}}", shard.presences())), slot("17"));
    }
}
