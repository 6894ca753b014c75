//! Counts messages without reading them.

use anyhow::{Result, bail};

/// A control frame carries at most this many bytes (RFC 6455 section 5.5).
const MAX_CONTROL: u64 = 125;

/// What a frame is, as far as a counter needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The last frame of a message.
    Message,
    /// A frame that more of its message follows, or a pong.
    Other,
    Ping,
    Close,
}

/// What a counter saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen<'a> {
    /// So many messages ended.
    Messages(u64),
    /// The server asks for a pong with these bytes.
    Ping(&'a [u8]),
    /// The server closes, with these bytes as the body of the frame.
    Close(&'a [u8]),
}

/// Walks from header to header of a server's frames, and skips what is between: a socket of which only the number of
/// messages is wanted costs a few nanoseconds a message, and no copy.
#[derive(Debug, Default)]
pub struct FrameCounter {
    /// Bytes of the current payload that are still to come.
    left: u64,
    /// The start of a header that the last read cut.
    header: [u8; 10],
    header_len: u8,
    kind: Option<Kind>,
    /// The payload of a control frame so far; empty, and without memory, almost always.
    control: Vec<u8>,
}

impl FrameCounter {
    /// Takes the next bytes of the connection.
    pub fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Seen<'_>)) -> Result<()> {
        let mut messages = 0;
        while !bytes.is_empty() {
            let Some(kind) = self.kind else {
                self.header(&mut bytes)?;
                // An empty payload ends with its header, also at the end of the input.
                if self.left > 0 || self.kind.is_none() {
                    continue;
                }
                messages += self.end(&mut each);
                continue;
            };
            let now = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            let (payload, rest) = bytes.split_at(now);
            if matches!(kind, Kind::Ping | Kind::Close) {
                self.control.extend_from_slice(payload);
            }
            bytes = rest;
            self.left -= now as u64;
            if self.left == 0 {
                messages += self.end(&mut each);
            }
        }
        if messages > 0 {
            each(Seen::Messages(messages));
        }
        Ok(())
    }

    /// Ends the current frame; 1 when a message ended with it.
    fn end(&mut self, each: &mut impl FnMut(Seen<'_>)) -> u64 {
        match self.kind.take() {
            Some(Kind::Message) => return 1,
            Some(Kind::Ping) => each(Seen::Ping(&std::mem::take(&mut self.control))),
            Some(Kind::Close) => each(Seen::Close(&std::mem::take(&mut self.control))),
            Some(Kind::Other) | None => {}
        }
        0
    }

    /// Takes a header, or as much of it as there is.
    fn header(&mut self, bytes: &mut &[u8]) -> Result<()> {
        while let Some((&byte, rest)) = bytes.split_first() {
            *bytes = rest;
            self.header[usize::from(self.header_len)] = byte;
            self.header_len += 1;
            if self.parse()? {
                self.header_len = 0;
                break;
            }
        }
        Ok(())
    }

    /// Whether the header is complete; then it has been read.
    fn parse(&mut self) -> Result<bool> {
        let have = usize::from(self.header_len);
        if have < 2 {
            return Ok(false);
        }
        let (first, second) = (self.header[0], self.header[1]);
        if first & 0x70 != 0 || second & 0x80 != 0 {
            bail!("not a server's frame header: {first:#04x} {second:#04x}");
        }
        let need = match second {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        if have < need {
            return Ok(false);
        }
        self.left = match need {
            2 => u64::from(second),
            _ => self.header[2..need]
                .iter()
                .fold(0, |len, byte| len << 8 | u64::from(*byte)),
        };
        let is_last = first & 0x80 != 0;
        let kind = match first & 0x0f {
            0x0..=0x2 if is_last => Kind::Message,
            0x0..=0x2 => Kind::Other,
            0x8 => Kind::Close,
            0x9 => Kind::Ping,
            0xa => Kind::Other,
            opcode => bail!("unknown opcode {opcode:#x}"),
        };
        if matches!(kind, Kind::Ping | Kind::Close) && self.left > MAX_CONTROL {
            bail!("a control frame of {} bytes", self.left);
        }
        self.kind = Some(kind);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use starling_protocol::ws::{self, Opcode};

    use super::*;

    /// What a counter says when it gets the bytes in chunks of one size: messages, pings, closes.
    fn count(bytes: &[u8], chunk: usize) -> (u64, Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let (mut messages, mut pings, mut closes) = (0, Vec::new(), Vec::new());
        let mut counter = FrameCounter::default();
        for part in bytes.chunks(chunk) {
            let each = |seen: Seen<'_>| match seen {
                Seen::Messages(n) => messages += n,
                Seen::Ping(body) => pings.push(body.to_vec()),
                Seen::Close(body) => closes.push(body.to_vec()),
            };
            counter.feed(part, each).unwrap();
        }
        (messages, pings, closes)
    }

    #[test]
    fn counts_alike_however_the_bytes_are_cut() {
        let mut bytes = Vec::new();
        for len in [0, 1, 125, 126, 300, 65_535, 65_536] {
            ws::encode(Opcode::Text, &vec![b'x'; len], &mut bytes);
            ws::encode(Opcode::Ping, b"are you there", &mut bytes);
            ws::encode(Opcode::Pong, b"", &mut bytes);
            ws::encode(Opcode::Binary, &vec![0; len], &mut bytes);
        }
        ws::encode(Opcode::Ping, b"", &mut bytes);
        ws::encode(Opcode::Close, &[3, 232], &mut bytes);
        let whole = count(&bytes, bytes.len());
        assert_eq!(whole.0, 14);
        assert_eq!(whole.1.len(), 8);
        assert!(whole.1[..7].iter().all(|ping| ping == b"are you there"));
        assert_eq!(whole.2, [vec![3, 232]]);
        for chunk in [1, 2, 3, 7, 64, 4096] {
            assert_eq!(count(&bytes, chunk), whole, "in chunks of {chunk}");
        }
    }

    #[test]
    fn a_fragmented_message_counts_once() {
        // Fragments "a" and "b" with an empty one between, then the last.
        let bytes = [0x01, 1, b'a', 0x00, 0, 0x00, 1, b'b', 0x80, 0];
        assert_eq!(count(&bytes, 1).0, 1);
        assert_eq!(count(&bytes, bytes.len()).0, 1);
    }

    #[test]
    fn a_masked_or_unknown_frame_is_an_error() {
        for bytes in [[0x81, 0x80], [0xc1, 0x00], [0x83, 0x00], [0x89, 126]] {
            let mut counter = FrameCounter::default();
            let outcome = counter.feed(&[&bytes[..], &[0xff, 0xff]].concat(), |_| {});
            assert!(outcome.is_err(), "{bytes:?}");
        }
    }
}
