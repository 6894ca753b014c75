//! What happens in a run: a list of steps, each of which names a part and what becomes of it. A step that finds nothing
//! to do does nothing, so every shorter list is a plan too.

use std::fmt;

use proptest::prelude::*;

pub(super) const NODES: u8 = 2;
pub(super) const CLIENTS: u8 = 3;
pub(super) const ROOMS: u8 = 2;

#[derive(Clone)]
pub(super) struct Plan {
    /// Everybody is connected and follows every room before the first step.
    pub(super) warm: bool,
    /// Events that are replayed at most; more are paged by the client.
    pub(super) replay: u64,
    /// What is on the bus when the steps are over is lost.
    pub(super) lossy: bool,
    pub(super) steps: Vec<Step>,
}

/// Clients, nodes and rooms by number. Where something is picked, it is one of those there, whatever the number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    // ---- clients
    /// A client connects to a node.
    Connect(u8, u8),
    /// A client's socket breaks; what it has not read is gone.
    Cut(u8),
    /// A client reads what has come.
    Read(u8),
    /// A client follows a room.
    Subscribe(u8, u8),
    /// A client sends to a room so many messages.
    Send(u8, u8, u8),
    /// A client sends a picked message again, answered or not.
    Repeat(u8, u8),
    /// A client becomes a member of a room.
    Join(u8, u8),
    /// A client removes the next client from a room.
    Kick(u8, u8),
    // ---- parts of a node
    /// Everything on a node goes one step on, but for the bus and the sweep.
    Flow(u8),
    /// Of a node, a picked connection goes one step on: it drains, or goes on with a command, or takes the next.
    Session(u8, u8),
    /// Of a node, a lane goes one step on.
    Lane(u8, u8, Fate),
    /// Of a node, a picked background task goes one step on, or fails.
    Task(u8, u8, Works),
    /// A node's shard takes so many messages, looks at its timers, and hands out.
    Shard(u8, u8),
    /// A node's sweep begins, or its answer arrives.
    Sweep(u8, Works),
    /// The bus hands a picked message on to a node.
    Hear(u8, u8, Heard),
    // ---- the rest
    /// So many milliseconds pass.
    Tick(u16),
    /// A node dies, and an empty one takes its place.
    Crash(u8),
    /// What a dead node had asked the log for becomes visible now, or never.
    Orphan(u8, Works),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Works {
    Well,
    Fails,
}

/// What becomes of a batch that is being appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Stored,
    NotStored,
    StoredUnknown,
    NotStoredUnknown,
}

/// What becomes of a bus message.
#[derive(Debug, Clone, Copy)]
pub(super) enum Heard {
    Once,
    /// It will come again.
    Again,
    Never,
}

impl Plan {
    /// Each plan leaves some kinds of steps out: what it takes for a fault is rarely a little of everything.
    pub(super) fn any(most: usize) -> impl Strategy<Value = Self> {
        let kinds = prop::collection::vec(prop::bool::weighted(0.75), Step::KINDS);
        let steps = prop::collection::vec(Step::any(), 0..most);
        let replay = prop_oneof![Just(5), Just(1000)];
        (any::<bool>(), replay, any::<bool>(), kinds, steps).prop_map(
            |(warm, replay, lossy, kinds, steps)| {
                let steps = steps.into_iter().filter(|step| kinds[step.kind()]);
                Self {
                    warm,
                    replay,
                    lossy,
                    steps: steps.collect(),
                }
            },
        )
    }

    /// Whether nobody is refused anything: else what a client sends again comes behind what it sent meanwhile.
    pub(super) fn refuses_nobody(&self) -> bool {
        let refuses = |step: &Step| matches!(step, Step::Lane(_, _, Fate::NotStored) | Step::Kick(..));
        !self.steps.iter().any(refuses)
    }
}

/// As it is written in a test, a line for each step.
impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            warm,
            replay,
            lossy,
            steps,
        } = self;
        writeln!(
            f,
            "Plan {{ warm: {warm}, replay: {replay}, lossy: {lossy}, steps: vec!["
        )?;
        for step in steps {
            writeln!(f, "    {step:?},")?;
        }
        write!(f, "] }}")
    }
}

impl Step {
    const KINDS: usize = 23;

    fn kind(&self) -> usize {
        match self {
            Self::Connect(..) => 0,
            Self::Cut(..) => 1,
            Self::Read(..) => 2,
            Self::Subscribe(..) => 3,
            Self::Send(..) => 4,
            Self::Repeat(..) => 5,
            Self::Join(..) => 6,
            Self::Kick(..) => 7,
            Self::Flow(..) => 8,
            Self::Session(..) => 9,
            Self::Lane(_, _, Fate::Stored) => 10,
            Self::Lane(..) => 11,
            Self::Task(_, _, Works::Well) => 12,
            Self::Task(..) => 13,
            Self::Shard(..) => 14,
            Self::Sweep(_, Works::Well) => 15,
            Self::Sweep(..) => 16,
            Self::Hear(_, _, Heard::Never) => 17,
            Self::Hear(_, _, Heard::Again) => 18,
            Self::Hear(..) => 19,
            Self::Tick(..) => 20,
            Self::Crash(..) => 21,
            Self::Orphan(..) => 22,
        }
    }

    fn any() -> impl Strategy<Value = Self> {
        let (client, node, room, pick) = (0..CLIENTS, 0..NODES, 0..ROOMS, 0..8_u8);
        let works = prop_oneof![4 => Just(Works::Well), 1 => Just(Works::Fails)];
        let fate = prop_oneof![
            6 => Just(Fate::Stored),
            1 => Just(Fate::NotStored),
            1 => Just(Fate::StoredUnknown),
            1 => Just(Fate::NotStoredUnknown),
        ];
        let heard = prop_oneof![4 => Just(Heard::Once), 1 => Just(Heard::Again), 2 => Just(Heard::Never)];
        let user = (client.clone(), room.clone());
        let part = (node.clone(), pick.clone());
        prop_oneof![
            6 => (client.clone(), node.clone()).prop_map(|(client, node)| Self::Connect(client, node)),
            4 => client.clone().prop_map(Self::Cut),
            6 => client.clone().prop_map(Self::Read),
            5 => user.clone().prop_map(|(client, room)| Self::Subscribe(client, room)),
            8 => (user.clone(), 1..6_u8).prop_map(|((client, room), count)| Self::Send(client, room, count)),
            2 => (client, pick.clone()).prop_map(|(client, pick)| Self::Repeat(client, pick)),
            1 => user.clone().prop_map(|(client, room)| Self::Join(client, room)),
            1 => user.prop_map(|(client, room)| Self::Kick(client, room)),
            20 => node.clone().prop_map(Self::Flow),
            14 => part.clone().prop_map(|(node, pick)| Self::Session(node, pick)),
            14 => (node.clone(), room, fate).prop_map(|(node, lane, fate)| Self::Lane(node, lane, fate)),
            12 => (part.clone(), works.clone()).prop_map(|((node, pick), works)| Self::Task(node, pick, works)),
            12 => (node.clone(), prop_oneof![Just(1), Just(8)]).prop_map(|(node, most)| Self::Shard(node, most)),
            8 => (node.clone(), works.clone()).prop_map(|(node, works)| Self::Sweep(node, works)),
            8 => (part, heard).prop_map(|((node, pick), heard)| Self::Hear(node, pick, heard)),
            5 => prop_oneof![Just(10), Just(45), Just(600)].prop_map(Self::Tick),
            1 => node.prop_map(Self::Crash),
            1 => (pick, works).prop_map(|(pick, works)| Self::Orphan(pick, works)),
        ]
    }
}
