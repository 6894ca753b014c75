//! What tests may see of a shard's rooms.

use starling_core::RoomId;

use super::{context::RoomBounds, shard::Shard};
use crate::config::RingLimits;

impl<K> Shard<K> {
    pub(crate) fn has(&self, room: &RoomId) -> bool {
        self.rooms.contains_key(room)
    }

    /// Queues are bounded, and a hole that is known of is held or being filled.
    pub(crate) fn assert_sound(&self, bounds: &RoomBounds, ring: &RingLimits) {
        for room in self.rooms.values() {
            let is_held = !room.sequencer.is_live();
            assert!(is_held || !room.sequencer.has_hole(), "a hole is not held");
            assert!(room.sequencer.waiting() <= bounds.waiting);
            assert!(room.ring.len() <= ring.events);
            assert!(room.reads.values().map(Vec::len).sum::<usize>() <= room.members.len());
            if let Some(opening) = &room.opening {
                assert!(opening.early.len() <= bounds.early);
            }
        }
    }

    /// Nothing is missing that the shard knows of, and nobody waits.
    pub(crate) fn assert_whole(&self) {
        for room in self.rooms.values() {
            assert!(room.opening.is_none(), "{} is still opening", room.id);
            assert!(!room.sequencer.has_hole(), "{} has a hole", room.id);
            assert!(room.ahead.is_empty() && room.reads.is_empty() && room.pending.is_empty());
            assert_eq!(room.head, room.handed);
            assert_eq!(room.sequencer.next(), room.head.seq + 1);
        }
    }
}
