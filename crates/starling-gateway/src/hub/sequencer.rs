//! The order of one room on one node, as a pure state machine: events come in any order, once, twice or never; they go
//! out dense, in order, once.

use std::collections::BTreeMap;

use tokio::time::Instant;

/// What has a place in a room's order.
pub(crate) trait Sequenced {
    /// Its place.
    fn seq(&self) -> u64;
}

impl<T: Sequenced> Sequenced for std::sync::Arc<T> {
    fn seq(&self) -> u64 {
        (**self).seq()
    }
}

impl Sequenced for super::shared::SharedEvent {
    fn seq(&self) -> u64 {
        self.event.seq
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Sequencer<E> {
    /// The seq that goes out next.
    next: u64,
    /// Events behind a hole.
    waiting: BTreeMap<u64, E>,
    /// How many of them at most. What does not fit is dropped: the hole is filled from the log, and so is what follows.
    bound: usize,
    /// A seq that the room is known to have reached, seen or not.
    known: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No hole is known.
    Live,
    /// A hole is given until then to close by itself.
    Hold(Instant),
    /// The log is being read.
    Filling,
}

impl<E: Sequenced> Sequencer<E> {
    /// A room whose last event is `head`; so many events may wait behind a hole.
    pub(crate) fn new(head: u64, bound: usize) -> Self {
        Self {
            next: head + 1,
            waiting: BTreeMap::new(),
            bound,
            known: head,
            state: State::Live,
        }
    }

    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Takes an event; gives what can go out now.
    pub(crate) fn accept(&mut self, event: E, out: &mut Vec<E>) {
        let seq = event.seq();
        self.known = self.known.max(seq);
        if seq < self.next {
            return;
        }
        if seq > self.next {
            if self.waiting.len() < self.bound {
                self.waiting.entry(seq).or_insert(event);
            }
            return;
        }
        self.next += 1;
        out.push(event);
        while let Some(event) = self.waiting.remove(&self.next) {
            self.next += 1;
            out.push(event);
        }
        if !self.has_hole() && self.state != State::Filling {
            self.state = State::Live;
        }
    }

    /// Somebody says that the room has reached this seq.
    pub(crate) fn heard_of(&mut self, seq: u64) {
        self.known = self.known.max(seq);
    }

    /// Whether no hole is held or being filled.
    #[cfg(test)]
    pub(crate) fn is_live(&self) -> bool {
        self.state == State::Live
    }

    /// How many events wait behind a hole.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether an event is known of that has not gone out.
    pub(crate) fn has_hole(&self) -> bool {
        self.known >= self.next
    }

    /// When a new hole is there: starts to hold it, and says until when.
    pub(crate) fn hold(&mut self, until: Instant) -> Option<Instant> {
        if self.state == State::Live && self.has_hole() {
            self.state = State::Hold(until);
            return Some(until);
        }
        None
    }

    /// The hold is over: whether the log shall be read, after which seq.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<u64> {
        match self.state {
            State::Hold(until) if now >= until && self.has_hole() => {
                self.state = State::Filling;
                Some(self.next - 1)
            }
            State::Hold(until) if now >= until => {
                self.state = State::Live;
                None
            }
            _ => None,
        }
    }

    /// The log was read. A row that was not there means "not yet": the hole is held again.
    pub(crate) fn filled(&mut self, events: impl IntoIterator<Item = E>, out: &mut Vec<E>) {
        self.state = State::Live;
        for event in events {
            self.accept(event, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    impl Sequenced for u64 {
        fn seq(&self) -> u64 {
            *self
        }
    }

    const BOUND: usize = 100;

    fn run(head: u64, events: &[u64]) -> (Sequencer<u64>, Vec<u64>) {
        let mut sequencer = Sequencer::new(head, BOUND);
        let mut out = Vec::new();
        for event in events {
            sequencer.accept(*event, &mut out);
        }
        (sequencer, out)
    }

    #[test]
    fn in_order_goes_straight_through() {
        let (mut sequencer, out) = run(4, &[5, 6, 7]);
        assert_eq!(out, [5, 6, 7]);
        assert!(!sequencer.has_hole());
        assert_eq!(sequencer.hold(Instant::now()), None);
    }

    #[test]
    fn reordered_waits_and_repeated_is_dropped() {
        let (sequencer, out) = run(0, &[2, 1, 1, 2, 4, 3, 3]);
        assert_eq!(out, [1, 2, 3, 4]);
        assert!(!sequencer.has_hole());
    }

    #[test]
    fn a_hole_is_held_then_filled_once() {
        let (mut sequencer, out) = run(0, &[3]);
        assert!(out.is_empty());
        let now = Instant::now();
        let until = now + Duration::from_millis(40);
        assert_eq!(sequencer.hold(until), Some(until));
        assert_eq!(sequencer.hold(until), None, "one hold for one hole");
        assert_eq!(sequencer.expire(now), None, "not yet");
        assert_eq!(sequencer.expire(until), Some(0));
        assert_eq!(sequencer.expire(until), None, "single flight");
        let mut out = Vec::new();
        sequencer.filled([1], &mut out);
        assert_eq!(out, [1]);
        assert!(sequencer.has_hole(), "2 is not there yet");
        assert!(sequencer.hold(until).is_some(), "so it is held again");
        sequencer.accept(2, &mut out);
        assert_eq!(out, [1, 2, 3]);
        assert_eq!(sequencer.expire(until), None);
    }

    #[test]
    fn a_lost_tail_is_a_hole() {
        let mut sequencer: Sequencer<u64> = Sequencer::new(2, BOUND);
        sequencer.heard_of(2);
        assert!(!sequencer.has_hole());
        sequencer.heard_of(3);
        assert!(sequencer.has_hole());
    }

    #[test]
    fn what_waits_is_bounded() {
        let events: Vec<u64> = (2..1000).collect();
        let (mut sequencer, out) = run(0, &events);
        assert!(out.is_empty());
        assert_eq!(sequencer.waiting(), BOUND);
        let mut out = Vec::new();
        sequencer.accept(1, &mut out);
        assert_eq!(out.len(), BOUND + 1);
        assert!(sequencer.has_hole(), "what was dropped is still known of");
    }

    proptest! {
        /// Whatever the bus does (lose, repeat, reorder), and whenever the log is read, what goes out is dense, in
        /// order and complete once the log was read to the end.
        #[test]
        fn dense_in_order_once(
            head in 0_u64..5,
            arrivals in prop::collection::vec((1_u64..40, any::<bool>()), 0..200),
        ) {
            let start = Instant::now();
            let mut now = start;
            let mut sequencer = Sequencer::new(head, BOUND);
            let mut out = Vec::new();
            let mut committed = head;
            for (seq, tick) in arrivals {
                committed = committed.max(seq);
                sequencer.accept(seq, &mut out);
                sequencer.hold(now + Duration::from_millis(40));
                if tick {
                    now += Duration::from_millis(50);
                    if let Some(after) = sequencer.expire(now) {
                        sequencer.filled(after + 1..=committed, &mut out);
                    }
                }
            }
            while sequencer.has_hole() {
                sequencer.hold(now);
                now += Duration::from_millis(50);
                if let Some(after) = sequencer.expire(now) {
                    sequencer.filled(after + 1..=committed, &mut out);
                }
            }
            let expected: Vec<u64> = (head + 1..=committed.max(head)).collect();
            prop_assert_eq!(out, expected);
        }
    }
}
