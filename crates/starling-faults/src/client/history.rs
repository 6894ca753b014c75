//! What a device saw, as it saw it: the evidence that the checkers judge.

use std::fmt;

use tokio::time::Duration;

/// A room, by its place in the list of the run.
pub(crate) type Room = u16;

/// The history of one device, over all its connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(crate) device: String,
    pub(crate) user: String,
    pub(crate) entries: Vec<Entry>,
}

/// One line of a history.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Since the run began, by the monotonic clock.
    pub(crate) at: Duration,
    pub(crate) what: What,
}

/// How an event came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Pushed by the server: live, or replayed after a cursor.
    Pushed,
    /// In a page that the device had asked for after a `gap`.
    Paged,
}

/// What an event means to the one who sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mine {
    #[default]
    Nothing,
    /// It ends this user's membership.
    Ends,
}

/// A durable event, as far as two copies of it can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) room: Room,
    pub(crate) seq: u64,
    pub(crate) id: u128,
    /// Of its kind, sender, client id and body.
    pub(crate) digest: u64,
}

/// What happened.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// The first frame of a connection came.
    Connected { node: String, through: String },
    /// A connection ended, or none was to be had.
    Lost { why: String },
    /// A message was written to the socket.
    Sent {
        room: Room,
        client_id: String,
        twin: bool,
    },
    /// It was acknowledged.
    Acked {
        room: Room,
        client_id: String,
        seq: u64,
        id: u128,
        duplicate: bool,
    },
    /// It was refused.
    Refused {
        room: Room,
        client_id: String,
        code: String,
    },
    /// An edit, a deletion, a reaction or a kick was acknowledged.
    Done {
        room: Room,
        kind: &'static str,
        seq: u64,
    },
    /// The device asked to follow a room, or to join it.
    Asked { room: Room },
    /// It follows a room from behind this seq, as a member when the room stood at the other.
    Follows { room: Room, after: u64, head: u64 },
    /// It does not.
    NotFollowing { room: Room, code: String },
    /// A durable event.
    Event { seen: Seen, source: Source, mine: Mine },
    /// The server says what it will not push.
    Gap {
        room: Room,
        from: u64,
        to: u64,
        rewind: bool,
    },
    /// The device left, by its own word; 0 where it was no member.
    Left { room: Room, seq: u64 },
    /// The read marker was asked to move.
    MarkAsked { room: Room, seq: u64 },
    /// It moved.
    Marked { room: Room, seq: u64 },
}

impl What {
    /// The room that it is about.
    pub(crate) fn room(&self) -> Option<Room> {
        match self {
            Self::Connected { .. } | Self::Lost { .. } => None,
            Self::Sent { room, .. }
            | Self::Acked { room, .. }
            | Self::Refused { room, .. }
            | Self::Done { room, .. }
            | Self::Asked { room }
            | Self::Follows { room, .. }
            | Self::NotFollowing { room, .. }
            | Self::Gap { room, .. }
            | Self::Left { room, .. }
            | Self::MarkAsked { room, .. }
            | Self::Marked { room, .. } => Some(*room),
            Self::Event { seen, .. } => Some(seen.room),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { node, through } => write!(f, "connected to {node} through {through}"),
            Self::Lost { why } => write!(f, "no connection: {why}"),
            Self::Sent { client_id, twin, .. } => {
                write!(f, "sent {client_id}{}", if *twin { " (its twin)" } else { "" })
            }
            Self::Acked {
                client_id,
                seq,
                id,
                duplicate,
                ..
            } => {
                let repeated = if *duplicate { ", a repeat" } else { "" };
                write!(f, "acked {client_id} as {seq} ({:08x}{repeated})", id >> 96)
            }
            Self::Refused { client_id, code, .. } => write!(f, "refused {client_id}: {code}"),
            Self::Done { kind, seq, .. } => write!(f, "{kind} acked as {seq}"),
            Self::Asked { .. } => write!(f, "asked to follow"),
            Self::Follows { after, head, .. } => write!(f, "follows from behind {after}, a member at {head}"),
            Self::NotFollowing { code, .. } => write!(f, "does not follow: {code}"),
            Self::Event { seen, source, mine } => {
                let how = if *source == Source::Paged { "paged" } else { "got" };
                let ends = if *mine == Mine::Ends {
                    ", the end of its membership"
                } else {
                    ""
                };
                write!(f, "{how} {} ({:08x}{ends})", seen.seq, seen.id >> 96)
            }
            Self::Gap { from, to, rewind, .. } => {
                write!(
                    f,
                    "told of a gap {from}..={to}{}",
                    if *rewind { ", rewritten" } else { "" }
                )
            }
            Self::Left { seq, .. } => write!(f, "left by {seq}"),
            Self::MarkAsked { seq, .. } => write!(f, "marks {seq} as read"),
            Self::Marked { seq, .. } => write!(f, "marked {seq} as read"),
        }
    }
}
