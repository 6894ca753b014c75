use thiserror::Error;

/// Why a connection has to be failed (section 7.1.7). Nothing after it on the stream can be trusted, so the decoder
/// repeats the same error from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WsError {
    /// The peer broke a framing rule.
    #[error("protocol error: {0}")]
    Protocol(Violation),
    /// Text, or the reason of a close, is not UTF-8 (section 8.1).
    #[error("text must be valid UTF-8")]
    InvalidUtf8,
    /// The peer announced or sent more than this side takes.
    #[error("too big: {0}")]
    TooBig(Exceeded),
}

impl WsError {
    /// The status code to close with (section 7.4.1).
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::InvalidUtf8 => 1007,
            Self::TooBig(_) => 1009,
        }
    }
}

impl From<Violation> for WsError {
    fn from(violation: Violation) -> Self {
        Self::Protocol(violation)
    }
}

impl From<Exceeded> for WsError {
    fn from(exceeded: Exceeded) -> Self {
        Self::TooBig(exceeded)
    }
}

/// The framing rule that was broken, for a log or the reason of a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Violation {
    /// Section 5.2: no extension was negotiated that gives RSV1 to RSV3 a meaning.
    #[error("reserved bits must be 0")]
    ReservedBits,
    /// Section 5.2: opcodes 3 to 7 and 11 to 15 are reserved.
    #[error("unknown opcode")]
    UnknownOpcode,
    /// Section 5.5: control frames are never fragmented.
    #[error("a control frame must not be fragmented")]
    FragmentedControl,
    /// Section 5.5: control frames carry at most 125 bytes.
    #[error("a control frame carries at most 125 bytes")]
    LongControl,
    /// Section 5.1: a client masks every frame.
    #[error("a client must mask its frames")]
    Unmasked,
    /// Section 5.1: a server masks no frame.
    #[error("a server must not mask its frames")]
    Masked,
    /// Section 5.2: the minimal number of bytes must encode the length, and its top bit is 0.
    #[error("the payload length must be encoded in the fewest bytes")]
    LengthEncoding,
    /// Section 5.4: a continuation frame continues a message.
    #[error("a continuation frame without a message to continue")]
    UnexpectedContinuation,
    /// Section 5.4: fragments of two messages are not interleaved.
    #[error("a new message began before the fragmented one ended")]
    MissingContinuation,
    /// Section 5.5.1: the body of a close is empty or starts with a two-byte code.
    #[error("a close body of one byte")]
    CloseBody,
    /// Section 7.4: not every number may stand in a close frame.
    #[error("a close code that must not be sent")]
    CloseCode,
}

/// The bound that was exceeded; see [`Limits`](super::Limits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Exceeded {
    /// A header announced more than `max_frame`; none of its payload was kept.
    #[error("send smaller frames")]
    Frame,
    /// A header announced a payload that takes the message over `max_message`.
    #[error("send smaller messages")]
    Message,
    /// A message of more than `max_fragments` frames.
    #[error("send a message in fewer fragments")]
    Fragments,
}
