//! The account of deliveries. Each room numbers its messages 1, 2, 3 …, and each follower of a room must see every
//! number once, in that order.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

/// What is wrong with the deliveries; all zero when nothing is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Deliveries that never came.
    pub lost: u64,
    /// Deliveries that had come before.
    pub repeated: u64,
    /// Deliveries that came after a later one.
    pub reordered: u64,
    /// Deliveries of what nobody sent.
    pub unsent: u64,
}

impl Faults {
    /// Whether there are none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Adds those of other followers.
    pub fn add(&mut self, other: &Self) {
        self.lost += other.lost;
        self.repeated += other.repeated;
        self.reordered += other.reordered;
        self.unsent += other.unsent;
    }

    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{} lost, {} repeated, {} reordered, {} never sent",
            self.lost, self.repeated, self.reordered, self.unsent
        )
    }
}

/// What a delivery is to its follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Seen for the first time.
    New,
    /// Seen before, or never sent: it counts for nothing.
    Void,
}

/// What every follower has seen.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By follower: the number that comes next.
    next: Vec<u64>,
    /// Numbers that were passed over, by follower: lost, until they come late. Empty while all is well.
    holes: HashSet<(usize, u64)>,
    faults: Faults,
}

impl Ledger {
    /// Followers who have seen nothing after these numbers.
    pub fn new(seen: impl IntoIterator<Item = u64>) -> Self {
        Self {
            next: seen.into_iter().map(|number| number + 1).collect(),
            ..Self::default()
        }
    }

    /// A delivery to a follower, in a room whose last message so far has the number `last`.
    pub fn deliver(&mut self, follower: usize, number: u64, last: u64) -> Delivery {
        let next = &mut self.next[follower];
        if number == *next && number <= last {
            *next += 1;
            return Delivery::New;
        }
        self.out_of_turn(follower, number, last)
    }

    #[cold]
    fn out_of_turn(&mut self, follower: usize, number: u64, last: u64) -> Delivery {
        let next = self.next[follower];
        if number > last {
            self.faults.unsent += 1;
            Delivery::Void
        } else if number > next {
            self.holes.extend((next..number).map(|missed| (follower, missed)));
            self.next[follower] = number + 1;
            Delivery::New
        } else if self.holes.remove(&(follower, number)) {
            self.faults.reordered += 1;
            Delivery::New
        } else {
            self.faults.repeated += 1;
            Delivery::Void
        }
    }

    /// The highest number that a follower has seen.
    #[must_use]
    pub fn seen(&self, follower: usize) -> u64 {
        self.next[follower] - 1
    }

    /// A delivery whose number was not read: taken for the next one. Says which that is.
    pub fn count(&mut self, follower: usize, last: u64) -> (u64, Delivery) {
        let number = self.next[follower];
        (number, self.deliver(follower, number, last))
    }

    /// The faults, once nothing more can come. `last` gives the number of the last message for each follower.
    #[must_use]
    pub fn close(&self, last: impl Fn(usize) -> u64) -> Faults {
        let behind: u64 = self
            .next
            .iter()
            .enumerate()
            .map(|(follower, next)| (last(follower) + 1).saturating_sub(*next))
            .sum();
        Faults {
            lost: behind + self.holes.len() as u64,
            ..self.faults
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: u64 = 9;

    /// The faults after these deliveries to one follower who stood at 4, in a room that ended at 9.
    fn faults(numbers: &[u64]) -> (Faults, usize) {
        let mut ledger = Ledger::new([4]);
        let new = numbers
            .iter()
            .filter(|number| ledger.deliver(0, **number, LAST) == Delivery::New)
            .count();
        (ledger.close(|_| LAST), new)
    }

    #[test]
    fn all_in_order_is_no_fault() {
        assert_eq!(faults(&[5, 6, 7, 8, 9]), (Faults::default(), 5));
        assert!(Faults::default().is_none());
    }

    #[test]
    fn what_did_not_come_is_lost_wherever_it_is_missing() {
        for (numbers, lost) in [
            (&[6, 7, 8, 9][..], 1),
            (&[5, 6, 9], 2),
            (&[5, 6, 7, 8], 1),
            (&[], 5),
        ] {
            let expected = Faults {
                lost,
                ..Faults::default()
            };
            assert_eq!(faults(numbers), (expected, numbers.len()), "{numbers:?}");
        }
    }

    #[test]
    fn what_comes_late_is_reordered_and_not_lost() {
        let expected = Faults {
            reordered: 2,
            ..Faults::default()
        };
        assert_eq!(faults(&[7, 5, 6, 8, 9]), (expected, 5));
    }

    #[test]
    fn what_comes_twice_is_repeated_and_counts_once() {
        let expected = Faults {
            repeated: 3,
            ..Faults::default()
        };
        assert_eq!(faults(&[4, 5, 5, 6, 7, 8, 9, 6]), (expected, 5));
        let late_twice = Faults {
            repeated: 1,
            reordered: 1,
            ..Faults::default()
        };
        assert_eq!(faults(&[6, 5, 5, 7, 8, 9]), (late_twice, 5));
    }

    #[test]
    fn what_nobody_sent_is_no_delivery() {
        let expected = Faults {
            unsent: 2,
            ..Faults::default()
        };
        assert_eq!(faults(&[5, 6, 10, 7, u64::MAX, 8, 9]), (expected, 5));
    }

    #[test]
    fn followers_do_not_mix() {
        let mut ledger = Ledger::new([0, 0, 7]);
        assert_eq!(ledger.deliver(0, 1, 2), Delivery::New);
        assert_eq!(ledger.deliver(2, 8, 8), Delivery::New);
        assert_eq!(ledger.deliver(0, 2, 2), Delivery::New);
        let faults = ledger.close(|follower| if follower == 2 { 8 } else { 2 });
        assert_eq!(faults.lost, 2);
    }

    #[test]
    fn counting_finds_what_is_missing_and_what_is_too_much() {
        let mut ledger = Ledger::new([0, 0]);
        assert_eq!(ledger.count(0, 2), (1, Delivery::New));
        assert_eq!(ledger.count(0, 2), (2, Delivery::New));
        assert_eq!(ledger.count(0, 2), (3, Delivery::Void));
        assert_eq!(ledger.count(1, 2), (1, Delivery::New));
        let expected = Faults {
            lost: 1,
            unsent: 1,
            ..Faults::default()
        };
        assert_eq!(ledger.close(|_| 2), expected);
    }
}
