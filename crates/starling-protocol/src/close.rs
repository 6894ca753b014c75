//! Close codes: RFC 6455 section 7.4, and ours. 4000–4499: reconnect and resume. 4500–4999: do not come back as you are.

/// Why the server closes a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// The client asked for it.
    Done = 1000,
    /// The frames do not follow RFC 6455.
    ProtocolViolation = 1002,
    /// Text that is not UTF-8.
    InvalidText = 1007,
    /// A frame or message over the limit.
    TooBig = 1009,
    /// The node restarts: reconnect with jitter and resume.
    Restart = 1012,
    /// The node has all the sockets it can hold: try again later.
    Overloaded = 1013,
    /// A fault of ours.
    Internal = 4000,
    /// The token's time is over and no new one came.
    TokenExpired = 4005,
    /// Too many commands, for too long.
    RateLimited = 4008,
    /// No pong.
    Idle = 4009,
    /// The socket did not drain.
    SlowConsumer = 4010,
    /// The token in `authenticate` or `refresh_token` does not verify.
    InvalidToken = 4500,
    /// An administrator disconnected the user.
    Banned = 4501,
    /// Too many frames that are not commands.
    BadFrames = 4502,
    /// The user has all the connections they may have.
    TooManyConnections = 4503,
    /// Another connection took this session's place.
    Replaced = 4504,
    /// No token came in time.
    NotAuthenticated = 4505,
}

impl CloseCode {
    /// Every code.
    pub const ALL: [Self; 17] = [
        Self::Done,
        Self::ProtocolViolation,
        Self::InvalidText,
        Self::TooBig,
        Self::Restart,
        Self::Overloaded,
        Self::Internal,
        Self::TokenExpired,
        Self::RateLimited,
        Self::Idle,
        Self::SlowConsumer,
        Self::InvalidToken,
        Self::Banned,
        Self::BadFrames,
        Self::TooManyConnections,
        Self::Replaced,
        Self::NotAuthenticated,
    ];

    /// The number on the wire.
    #[must_use]
    pub fn code(self) -> u16 {
        self as u16
    }

    /// The reason on the wire: what to do.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::ProtocolViolation => "not a valid WebSocket frame",
            Self::InvalidText => "text frames carry UTF-8",
            Self::TooBig => "message too big",
            Self::Restart => "node restarts; reconnect and resume",
            Self::Overloaded => "node is full; try again later",
            Self::Internal => "internal error; reconnect and resume",
            Self::TokenExpired => "token expired; get a new one and reconnect",
            Self::RateLimited => "too many commands; slow down and reconnect",
            Self::Idle => "no pong; reconnect and resume",
            Self::SlowConsumer => "reads too slowly; reconnect and resume",
            Self::InvalidToken => "invalid token",
            Self::Banned => "disconnected by an administrator",
            Self::BadFrames => "too many malformed frames",
            Self::TooManyConnections => "too many connections of this user",
            Self::Replaced => "replaced by another connection",
            Self::NotAuthenticated => "no token in time",
        }
    }

    /// Whether the client should come back by itself.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self.code(), 1000 | 1002 | 1007 | 1009 | 4500..=4999)
    }
}
