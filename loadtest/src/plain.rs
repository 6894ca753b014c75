//! How to talk to the [`baseline`](crate::baseline): a line to join a room, then frames that it passes on as they are.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use anyhow::{Context, Result, bail};
use starling_protocol::ws::{self, Opcode};

use crate::target::{Sources, connect};

/// The line that joins a room is this word, a space and the room's name.
pub const JOIN: &str = "JOIN";

/// The answer to it.
pub const JOINED: &[u8] = b"OK\n";

/// The way to a baseline server.
pub struct Plain {
    /// Where it listens.
    pub addr: SocketAddr,
    /// From which addresses to connect.
    pub sources: Sources,
}

impl Plain {
    /// Connects and joins a room.
    pub fn join(&self, index: usize, room: &str) -> Result<TcpStream> {
        let mut stream = connect(self.addr, self.sources, index)?;
        stream.write_all(format!("{JOIN} {room}\n").as_bytes())?;
        let mut answer = [0; JOINED.len()];
        stream
            .read_exact(&mut answer)
            .context("the baseline server does not answer")?;
        if answer != JOINED {
            bail!("not a baseline server");
        }
        Ok(stream)
    }
}

/// Appends a server's frame, as large as asked for on the wire, that has a number like a durable event.
pub fn push_event(number: u64, frame_bytes: usize, out: &mut Vec<u8>) -> Result<()> {
    let mut payload =
        format!(r#"{{"type":"message_created","data":{{"seq":{number},"content":""#).into_bytes();
    const END: &[u8] = b"\"}}";
    let header = ws::header(Opcode::Text, frame_bytes).len();
    let Some(content) = frame_bytes.checked_sub(header + payload.len() + END.len()) else {
        bail!("frames of {frame_bytes} bytes are too small: use --frame-bytes 100 or more");
    };
    payload.resize(payload.len() + content, b'x');
    payload.extend_from_slice(END);
    ws::encode(Opcode::Text, &payload, out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::{Numbers, kind};

    #[test]
    fn an_event_has_its_size_and_its_number() {
        for size in [100, 400, 70_000] {
            let mut frame = Vec::new();
            push_event(12_345, size, &mut frame).unwrap();
            assert_eq!(frame.len(), size);
            let payload = &frame[ws::header(Opcode::Text, size).len()..];
            assert_eq!(kind(payload).unwrap(), b"message_created");
            assert_eq!(Numbers::seq().first(payload), Some(12_345));
        }
        assert!(push_event(1, 50, &mut Vec::new()).is_err());
    }
}
