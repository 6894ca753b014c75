//! WebSocket frames (RFC 6455, version 13, no extensions) without I/O: bytes in, messages out, and back.
//!
//! | module | what it holds |
//! |---|---|
//! | `decode` | [`Decoder`]: one per connection, 24 bytes while nothing is half received |
//! | `header` | the bytes before a payload: every rule of section 5.2 |
//! | `partial` | what is kept of a frame or message whose rest has not arrived |
//! | `message` | [`Message`]: what a caller is lent, and the rules of its payload |
//! | `close` | close codes and close payloads (sections 5.5.1 and 7.4) |
//! | `encode` | whole frames, masked or not, and headers alone |
//! | `mask` | the XOR of section 5.3 |
//! | `handshake` | `Sec-WebSocket-Key` and `Sec-WebSocket-Accept` (sections 4.2.1 and 4.2.2) |
//! | `error` | [`WsError`]: three ways to fail, one close code each |
//!
//! A caller reads from its socket into one scratch buffer per thread and pulls until there is nothing more:
//!
//! ```
//! use starling_protocol::ws::{self, Decoder, Limits, Message, Opcode, Role, WsError};
//!
//! # fn main() -> Result<(), WsError> {
//! let mut decoder = Decoder::new(Role::Server, Limits::default());
//! let mut scratch = Vec::new();
//! ws::encode_masked(Opcode::Text, b"hello", [1, 2, 3, 4], &mut scratch);
//!
//! let mut input = scratch.as_mut_slice();
//! while let Some(message) = decoder.decode(&mut input)? {
//!     assert_eq!(message, Message::Text("hello"));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The answers that the RFC asks for are the caller's: a pong for a ping, a close frame for a close, and on an error
//! a close frame with [`WsError::close_code`] before the connection is dropped.

mod close;
mod decode;
mod encode;
mod error;
mod handshake;
mod header;
mod mask;
mod message;
mod partial;

pub use close::{close_frame, close_payload, is_valid_close_code};
pub use decode::{Decoder, Limits, Role};
pub use encode::{HeaderBytes, encode, encode_masked, header};
pub use error::{Exceeded, Violation, WsError};
pub use handshake::{accept_key, is_valid_key};
pub use message::{Message, Opcode};

/// A control frame carries at most this many bytes (section 5.5).
const MAX_CONTROL: usize = 125;
