//! What the server sends by itself.

mod durable;
mod session;

pub use durable::{Durable, EventPage};
pub use session::{
    Gap, Lagging, Limits, Migrate, PresenceChanged, ReadUpdated, SignalEvent, TokenExpiring, TypingEvent,
    Welcome,
};
