use super::close;
use super::error::WsError;

/// A complete message or control frame, lent until the next call of the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text message: already checked to be UTF-8.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// Asks for a pong with the same bytes (section 5.5.2).
    Ping(&'a [u8]),
    /// Answers a ping, or is sent unasked (section 5.5.3).
    Pong(&'a [u8]),
    /// The peer sends nothing after this (section 5.5.1); the decoder discards what comes nevertheless.
    Close {
        /// Why, or none when the body was empty. A code that may not be sent is an error instead.
        code: Option<u16>,
        /// For a log, not for people.
        reason: &'a str,
    },
}

impl<'a> Message<'a> {
    /// Gives an unmasked payload its meaning, and checks the rules that only a whole payload can break.
    pub(super) fn parse(opcode: Opcode, payload: &'a [u8]) -> Result<Self, WsError> {
        match opcode {
            Opcode::Text => std::str::from_utf8(payload)
                .map(Self::Text)
                .map_err(|_| WsError::InvalidUtf8),
            Opcode::Binary => Ok(Self::Binary(payload)),
            Opcode::Ping => Ok(Self::Ping(payload)),
            Opcode::Pong => Ok(Self::Pong(payload)),
            Opcode::Close => close::parse(payload),
        }
    }
}

/// What a frame is (section 5.2). Continuation frames have none of their own: they only occur on the receiving side,
/// where they take part in a message that has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// UTF-8 text.
    Text = 0x1,
    /// Any bytes.
    Binary = 0x2,
    /// The last frame of a side.
    Close = 0x8,
    /// Asks for a pong.
    Ping = 0x9,
    /// Answers a ping.
    Pong = 0xa,
}

impl Opcode {
    /// Control frames are short, whole, and may stand between the fragments of a message (section 5.5).
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}
