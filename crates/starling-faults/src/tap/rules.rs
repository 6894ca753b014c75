//! What is done to a frame.

use bytes::Bytes;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::{sync::oneshot, time::Duration};

use super::{Way, Wire, postgres, resp};

/// The channels of rooms, behind the configured prefix.
const ROOMS: &[u8] = b"bus:r:";
/// All channels of the bus.
const BUS: &[u8] = b"bus:";
/// The channels on which a node hears itself, to know that it is not deaf.
const PROBES: &[u8] = b"bus:probe:";
/// Where a mute node's messages go.
const NOWHERE: &[u8] = b"starling-faults:nowhere";

/// A point between two steps of a gateway's work, told by the frame that it waits for or sends next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// A batch is about to begin: BEGIN is withheld.
    BeforeTransaction,
    /// All of a batch is written and not committed: COMMIT is withheld.
    InsideTransaction,
    /// COMMIT was handed on, and nothing behind it.
    CommitSent,
    /// The server has committed: its answer is withheld, so nothing was acknowledged, published or handed out.
    Committed,
    /// Committed, handed to the node's own members and acknowledged: PUBLISH is withheld.
    BeforePublish,
    /// Published, and nothing more.
    Published,
}

impl Point {
    fn is_at(self, wire: Wire, way: Way, frame: &[u8]) -> bool {
        match (self, wire, way) {
            (Self::BeforeTransaction, Wire::Postgres, Way::ToServer) => postgres::asks(frame, "BEGIN"),
            (Self::InsideTransaction | Self::CommitSent, Wire::Postgres, Way::ToServer) => {
                postgres::asks(frame, "COMMIT")
            }
            (Self::Committed, Wire::Postgres, Way::ToClient) => postgres::completes(frame, "COMMIT"),
            (Self::BeforePublish | Self::Published, Wire::Redis, Way::ToServer) => {
                publishes(frame).is_some_and(|channel| contains(channel, ROOMS))
            }
            _ => false,
        }
    }

    /// Whether the frame itself still goes on.
    fn hands_on(self) -> bool {
        matches!(self, Self::CommitSent | Self::Published)
    }
}

/// The chances, in percent, of what happens to a message that was published, on its way to one gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Noise {
    /// It is lost.
    pub(crate) lose: u8,
    /// It comes twice.
    pub(crate) repeat: u8,
    /// It comes up to 400 ms later, behind others.
    pub(crate) delay: u8,
}

/// What becomes of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Lose,
    Repeat,
    Late(Duration),
    Replace(Vec<u8>),
    /// Neither it nor anything behind it.
    Withhold,
    /// It, and nothing behind it.
    WithholdRest,
}

struct Trap {
    point: Point,
    /// So many frames of this kind pass before.
    left: u32,
    tell: oneshot::Sender<()>,
}

/// The rules of one tap.
pub(super) struct Rules {
    pub(super) noise: Noise,
    pub(super) mute: bool,
    pub(super) touched: u64,
    trap: Option<Trap>,
    /// Whom to tell of the trap that a frame has just sprung.
    sprung: Option<oneshot::Sender<()>>,
    chance: StdRng,
}

impl Rules {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            noise: Noise::default(),
            mute: false,
            touched: 0,
            trap: None,
            sprung: None,
            chance: StdRng::seed_from_u64(seed),
        }
    }

    pub(super) fn trap(&mut self, point: Point, nth: u32, tell: oneshot::Sender<()>) {
        let left = nth.saturating_sub(1);
        self.trap = Some(Trap { point, left, tell });
    }

    pub(super) fn disarm(&mut self) {
        self.trap = None;
    }

    pub(super) fn tell_sprung(&mut self) {
        if let Some(tell) = self.sprung.take() {
            // Who waited may have given up.
            let _ = tell.send(());
        }
    }

    pub(super) fn judge(&mut self, wire: Wire, way: Way, frame: &Bytes) -> Verdict {
        if let Some(verdict) = self.spring(wire, way, frame) {
            return verdict;
        }
        if wire != Wire::Redis {
            return Verdict::Pass;
        }
        let verdict = match way {
            Way::ToServer if self.mute && publishes(frame).is_some_and(is_data) => {
                Verdict::Replace(resp::command(&[b"PUBLISH", NOWHERE, b""]))
            }
            Way::ToClient if self.noise != Noise::default() && hears(frame).is_some_and(is_data) => {
                self.by_chance()
            }
            _ => Verdict::Pass,
        };
        if verdict != Verdict::Pass {
            self.touched += 1;
        }
        verdict
    }

    fn spring(&mut self, wire: Wire, way: Way, frame: &[u8]) -> Option<Verdict> {
        let trap = self.trap.as_mut()?;
        if !trap.point.is_at(wire, way, frame) {
            return None;
        }
        if trap.left > 0 {
            trap.left -= 1;
            return None;
        }
        let Trap { point, tell, .. } = self.trap.take()?;
        self.sprung = Some(tell);
        Some(if point.hands_on() {
            Verdict::WithholdRest
        } else {
            Verdict::Withhold
        })
    }

    fn by_chance(&mut self) -> Verdict {
        let Noise { lose, repeat, delay } = self.noise;
        let dice = self.chance.random_range(0..100_u8);
        if dice < lose {
            Verdict::Lose
        } else if dice < lose.saturating_add(repeat) {
            Verdict::Repeat
        } else if dice < lose.saturating_add(repeat).saturating_add(delay) {
            Verdict::Late(Duration::from_millis(self.chance.random_range(5..400)))
        } else {
            Verdict::Pass
        }
    }
}

/// The channel that a command publishes to.
fn publishes(frame: &[u8]) -> Option<&[u8]> {
    let [name, channel] = resp::words(frame)?;
    name.eq_ignore_ascii_case(b"PUBLISH").then_some(channel)
}

/// The channel of a message for a subscriber.
fn hears(frame: &[u8]) -> Option<&[u8]> {
    let [kind, channel] = resp::words(frame)?;
    (kind == b"message").then_some(channel)
}

/// Whether a channel carries what nodes tell each other. Probes pass: a node that hears itself has no reason to think
/// that it misses anything, which is the harder case.
fn is_data(channel: &[u8]) -> bool {
    contains(channel, BUS) && !contains(channel, PROBES)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
