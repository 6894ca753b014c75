//! Numbers that name an event, and digests of client ids.

use std::ops::RangeInclusive;

use sha2::{Digest, Sha256};
use starling_core::{ClientId, UserId};

const SEQ_BITS: u32 = 40;
const MAX_SEQ: u64 = (1 << SEQ_BITS) - 1;

/// The number of a room in this file. With a seq it makes a *place*: one integer that names an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RoomNumber(pub(super) i64);

impl RoomNumber {
    /// The place of the event with this seq. A seq that no room reaches is taken for the last possible one.
    pub(super) fn place(self, seq: u64) -> i64 {
        self.with_low_bits(seq.min(MAX_SEQ))
    }

    /// All places of the room from this seq on.
    pub(super) fn from(self, seq: u64) -> RangeInclusive<i64> {
        self.place(seq)..=self.place(MAX_SEQ)
    }

    /// What a repeated client id is found by: 40 bits of a digest under the room's number. A cryptographic digest, so
    /// that nobody can choose client ids that all fall on one value and make each look-up a long walk.
    pub(super) fn digest(self, sender: &UserId, client_id: &ClientId) -> i64 {
        let digest = Sha256::new()
            .chain_update(sender.as_str())
            .chain_update([0])
            .chain_update(client_id.as_str())
            .finalize();
        let bits = digest[..5]
            .iter()
            .fold(0, |bits, byte| bits << 8 | u64::from(*byte));
        self.with_low_bits(bits)
    }

    fn with_low_bits(self, low: u64) -> i64 {
        // Below 2^40, so that the cast keeps its value.
        self.0 << SEQ_BITS | low.cast_signed()
    }
}

/// The seq of a place.
pub(super) fn seq_of(place: i64) -> u64 {
    place.cast_unsigned() & MAX_SEQ
}

/// The room of a place.
pub(super) fn room_of(place: i64) -> RoomNumber {
    RoomNumber(place >> SEQ_BITS)
}

/// A seq or a count as SQLite's signed integer.
pub(super) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_sort_by_room_and_seq() {
        let (a, b) = (RoomNumber(1), RoomNumber(2));
        assert!(a.place(1) < a.place(2) && a.place(u64::MAX) < b.place(0));
        assert_eq!(seq_of(RoomNumber(8_388_607).place(77)), 77);
        assert!(RoomNumber(8_388_607).place(u64::MAX) > 0);
        assert!(a.from(5).contains(&a.place(5)) && !a.from(5).contains(&b.place(5)));
    }

    #[test]
    fn digests_stay_as_they_are_on_disk() {
        let digest = |sender: &str, client_id: &str| {
            RoomNumber(3).digest(&sender.parse().unwrap(), &client_id.parse().unwrap())
        };
        assert_eq!(digest("alice", "c1") >> SEQ_BITS, 3);
        assert_ne!(digest("alice", "c1"), digest("alice", "c2"));
        assert_ne!(digest("alicec", "1"), digest("alice", "c1"));
        assert_eq!(digest("alice", "c1") & 0xff_ffff_ffff, 1_028_074_119_226);
    }
}
