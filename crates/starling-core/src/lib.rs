//! The words and the ports of Starling. No I/O, no driver, no socket, no frame.
//!
//! | module | what it holds |
//! |---|---|
//! | [`ids`] | room, user, session, node and event ids, and what may be written in them |
//! | [`time`] | [`Timestamp`] and the [`Clock`] that everything else is given |
//! | [`event`] | [`RoomEvent`]: the one durable thing, and its bodies |
//! | [`room`] | rooms, members, roles, and the present state of a message |
//! | [`cursor`] | where a client stands in a room |
//! | [`draft`] | what somebody asks the log to append, and what became of it |
//! | [`rules`] | who may do what: pure decisions over facts that a backend loads under its lock |
//! | [`refusal`] | why something was refused |
//! | [`presence`] | statuses and how several sessions of a user combine |
//! | [`ports`] | the traits that a backend implements, and [`Backend`] that bundles them |
//!
//! To add a kind of durable event: a body in [`event`], an action in [`draft`], its rule in [`rules`]; both backends
//! store it without a change unless it alters the present state of a message.

pub mod cursor;
pub mod draft;
pub mod event;
pub mod ids;
pub mod ports;
pub mod presence;
pub mod refusal;
pub mod room;
pub mod rules;
pub mod time;

pub use cursor::Cursor;
pub use draft::{Action, Authority, Draft, Outcome};
pub use event::{EventBody, RoomEvent};
pub use ids::{ClientId, EventId, NodeId, RoomId, SessionId, UserId};
pub use ports::Backend;
pub use refusal::Refusal;
pub use room::{Member, Message, Role, Room, RoomKind, RoomSettings};
pub use time::{Clock, SystemClock, Timestamp};
