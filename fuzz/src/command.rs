//! Commands: what decodes means the same after it was encoded again, in its own codec and in the other.

use starling_protocol::codec::{Codec, Envelope};
use starling_protocol::command::{Command, Incoming};

/// Where codecs stop nesting; what is far below must pass through both.
const SURELY_SHALLOW: usize = 100;

/// Decodes any bytes, and checks the command that they are, if they are one.
pub fn check(codec: Codec, payload: &[u8]) {
    let Ok(incoming) = Incoming::decode(codec, payload) else {
        return;
    };
    let json = encode(Codec::Json, &incoming);
    let opened = json.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
    for other in [Codec::Json, Codec::MsgPack] {
        match Incoming::decode(other, &encode(other, &incoming)) {
            Ok(again) => assert_eq!(again, incoming, "from {codec:?} through {other:?}"),
            Err(bad) => assert!(
                opened >= SURELY_SHALLOW,
                "from {codec:?} through {other:?}: {bad:?}"
            ),
        }
    }
}

/// Writes a command as a client would.
macro_rules! encode_any {
    ($codec:expr, $incoming:expr, $($variant:ident)*) => {{
        let mut out = Vec::new();
        let (kind, id) = ($incoming.command.name(), $incoming.id.as_ref());
        match &$incoming.command {
            $(Command::$variant(data) => $codec.encode_into(&Envelope { kind, id, data }, &mut out),)*
        }
        .expect("what was decoded can be encoded");
        out
    }};
}

fn encode(codec: Codec, incoming: &Incoming) -> Vec<u8> {
    encode_any!(codec, incoming,
        Authenticate RefreshToken Ping CreateRoom JoinRoom LeaveRoom Subscribe Unsubscribe UpdateRoom DeleteRoom Invite
        Kick Ban Unban Mute Unmute SetRole ListRooms ListMembers SendMessage EditMessage DeleteMessage AddReaction
        RemoveReaction MarkRead FetchHistory FetchEvents TypingStart TypingStop Signal SetPresence WatchPresence
        UnwatchPresence)
}
