use std::fmt;

use super::error::WsError;
use super::header::{self, Context, Header};
use super::mask;
use super::message::{Message, Opcode};
use super::partial::{Assembly, OpenFrame, Partial};

/// Which end of the connection this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Reads from a client, which must mask every frame (section 5.1).
    Server,
    /// Reads from a server, which must mask none.
    Client,
}

/// What a peer may send. Control frames are bounded by the RFC and count for none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of payload in one frame.
    pub max_frame: u32,
    /// Bytes of payload in one message, over all its fragments.
    pub max_message: u32,
    /// Frames in one message: without it, empty fragments could follow one another for ever.
    pub max_fragments: u32,
}

impl Default for Limits {
    /// 64 KiB in a frame and in a message, and 1,024 fragments: browsers send one.
    fn default() -> Self {
        Self {
            max_frame: 0x1_0000,
            max_message: 0x1_0000,
            max_fragments: 1024,
        }
    }
}

/// Turns the bytes of one connection into messages.
///
/// It holds no read buffer. A caller reads into a scratch buffer that all connections of a thread share; what is
/// complete in there is unmasked in place and lent from there, and only the beginning of something incomplete is copied
/// into memory of the connection, which is freed once that message has been lent. An idle decoder is 24 bytes.
pub struct Decoder {
    /// Boxed because almost every connection is between two messages almost all the time.
    partial: Option<Box<Partial>>,
    limits: Limits,
    role: Role,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// A close frame was read; what follows it is discarded (section 1.4).
    Closed,
    /// The stream can no longer be followed.
    Failed(WsError),
}

/// Where the payload of a complete message lies.
enum Found<'i> {
    /// All of it in the input.
    Input(Opcode, &'i [u8]),
    /// Put together in [`Partial::control`] or [`Partial::message`].
    Kept(Opcode),
}

impl Decoder {
    /// A decoder at the start of a connection, right after the handshake.
    #[must_use]
    pub const fn new(role: Role, limits: Limits) -> Self {
        Self {
            partial: None,
            limits,
            role,
            phase: Phase::Open,
        }
    }

    /// Takes the next message off the front of `input`; none when the input is used up. Call it until then: the
    /// memory of a message that was put together is freed by the next call.
    ///
    /// However the bytes of a connection are cut into inputs, the messages and the error are the same.
    ///
    /// # Errors
    /// The connection has to be failed: send a close frame with [`WsError::close_code`] and drop it. Every later call
    /// gives the same error.
    pub fn decode<'m, 'i: 'm>(
        &'m mut self,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Message<'m>>, WsError> {
        self.release();
        match self.phase {
            Phase::Open => {}
            Phase::Closed => {
                *input = &mut [];
                return Ok(None);
            }
            Phase::Failed(error) => return Err(error),
        }
        let (opcode, payload) = match self.find(input) {
            Ok(None) => return Ok(None),
            Ok(Some(Found::Input(opcode, payload))) => (opcode, payload),
            Ok(Some(Found::Kept(opcode))) => (opcode, kept(self.partial.as_deref(), opcode)),
            Err(error) => {
                self.phase = Phase::Failed(error);
                return Err(error);
            }
        };
        let message = Message::parse(opcode, payload);
        match message {
            Ok(Message::Close { .. }) => self.phase = Phase::Closed,
            Ok(_) => {}
            Err(error) => self.phase = Phase::Failed(error),
        }
        message.map(Some)
    }

    /// Bytes of heap that this connection holds for what is incomplete: 0 when idle, otherwise at most about twice
    /// what the peer has sent of it. A node that sums it up knows what slow senders cost it.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.heap())
    }

    fn release(&mut self) {
        if let Some(partial) = &mut self.partial {
            partial.release();
            if self.phase != Phase::Open || partial.is_empty() {
                self.partial = None;
            }
        }
    }

    /// Follows the input to the end of the next message.
    fn find<'i>(&mut self, input: &mut &'i mut [u8]) -> Result<Option<Found<'i>>, WsError> {
        loop {
            let resumed = self.partial.as_mut().and_then(|partial| partial.frame.take());
            let OpenFrame { header, received } = match resumed {
                Some(frame) => frame,
                None => match self.read_header(input)? {
                    Some(header) => OpenFrame { header, received: 0 },
                    None => return Ok(None),
                },
            };
            let left = (header.len - received) as usize;
            let chunk = take(input, left);
            mask::apply(chunk, header.key, received as usize);
            let received = received + chunk.len() as u32;

            if received < header.len {
                let partial = self.partial.get_or_insert_default();
                if !chunk.is_empty() {
                    partial.keep(&header, chunk, self.limits.max_message)?;
                }
                partial.frame = Some(OpenFrame { header, received });
                return Ok(None);
            }
            let nothing_kept = chunk.len() == header.len as usize;
            if let Some(opcode) = header.opcode
                && header.fin
                && nothing_kept
            {
                return Ok(Some(Found::Input(opcode, chunk)));
            }
            let partial = self.partial.get_or_insert_default();
            partial.keep(&header, chunk, self.limits.max_message)?;
            if let Some(opcode) = header.opcode.filter(|opcode| opcode.is_control()) {
                return Ok(Some(Found::Kept(opcode)));
            }
            if let Some(message) = &mut partial.message {
                message.fragments += 1;
                if header.fin {
                    message.complete = true;
                    return Ok(Some(Found::Kept(message.opcode)));
                }
            }
        }
    }

    /// Takes a header off the input, or keeps its beginning until the rest arrives.
    fn read_header(&mut self, input: &mut &mut [u8]) -> Result<Option<Header>, WsError> {
        let context = Context {
            role: self.role,
            limits: self.limits,
            message: self
                .partial
                .as_ref()
                .and_then(|p| p.message.as_ref())
                .map(Assembly::received),
        };
        if self
            .partial
            .as_ref()
            .is_none_or(|partial| partial.header.is_empty())
            && let Some((header, size)) = header::parse(input, &context)?
        {
            take(input, size);
            return Ok(Some(header));
        }
        while let [byte] = take(input, 1) {
            let start = &mut self.partial.get_or_insert_default().header;
            if let Some((header, _)) = header::parse(start.push(*byte), &context)? {
                start.clear();
                return Ok(Some(header));
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for Decoder {
    /// Without what has been received: message content stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("role", &self.role)
            .field("phase", &self.phase)
            .field("buffered", &self.buffered())
            .finish_non_exhaustive()
    }
}

/// Splits at most `len` bytes off the front.
fn take<'i>(input: &mut &'i mut [u8], len: usize) -> &'i mut [u8] {
    let all = std::mem::take(input);
    let (front, rest) = all.split_at_mut(len.min(all.len()));
    *input = rest;
    front
}

fn kept(partial: Option<&Partial>, opcode: Opcode) -> &[u8] {
    match partial {
        Some(partial) if opcode.is_control() => &partial.control,
        Some(Partial {
            message: Some(message),
            ..
        }) => &message.data,
        _ => &[],
    }
}
