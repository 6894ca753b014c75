//! Starling's wire protocol, version 1. Pure: bytes in, words out, and back. Fuzzed.
//!
//! | module | what it holds |
//! |---|---|
//! | [`ws`] | WebSocket frames (RFC 6455): a decoder that keeps nothing while idle, and frames that sockets share |
//! | [`codec`] | JSON and MessagePack: one shape, two encodings |
//! | [`command`] | what a client may send, and how it is read |
//! | [`reply`] | what a command is answered with |
//! | [`event`] | what the server sends by itself |
//! | [`error`] | how a refusal looks |
//! | [`close`] | close codes |
//!
//! To add a command: its data in the file of its group under `command/`, one line in the table of `command/mod.rs`,
//! its handler in starling-gateway. To add an ephemeral event: a struct in `event/` with its name. Durable events are
//! added in starling-core and need nothing here.

pub mod close;
pub mod codec;
pub mod command;
pub mod error;
pub mod event;
pub mod reply;
pub mod ws;

pub use close::CloseCode;
pub use codec::Codec;
pub use command::{Command, CommandId};
pub use error::ErrorBody;

/// The version in the subprotocols' names.
pub const VERSION: u32 = 1;
