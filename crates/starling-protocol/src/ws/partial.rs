use super::error::{Violation, WsError};
use super::header::{Header, MAX_HEADER, Received};
use super::message::Opcode;

/// What is kept of a connection whose last bytes did not complete what they began.
#[derive(Default)]
pub(super) struct Partial {
    /// The first bytes of a header whose rest has not arrived.
    pub(super) header: HeaderStart,
    /// A frame whose header is known and whose payload is arriving.
    pub(super) frame: Option<OpenFrame>,
    /// The payload so far of a control frame. Apart from the message, since it may stand between two fragments.
    pub(super) control: Vec<u8>,
    /// A data message that is arriving, in one frame or several.
    pub(super) message: Option<Assembly>,
}

impl Partial {
    /// Keeps the next bytes of a frame's payload, unmasked.
    pub(super) fn keep(&mut self, header: &Header, chunk: &[u8], max_message: u32) -> Result<(), WsError> {
        let message = match header.opcode {
            Some(opcode) if opcode.is_control() => {
                self.control.extend_from_slice(chunk);
                return Ok(());
            }
            Some(opcode) => self.message.get_or_insert_with(|| Assembly::new(opcode)),
            None => self.message.as_mut().ok_or(Violation::UnexpectedContinuation)?,
        };
        message.extend(chunk, max_message)
    }

    /// Frees what was lent to the caller and is no longer borrowed.
    pub(super) fn release(&mut self) {
        if self.frame.is_none() {
            self.control = Vec::new();
        }
        self.message.take_if(|message| message.complete);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.header.is_empty() && self.frame.is_none() && self.message.is_none()
    }

    /// Bytes of heap behind this value, itself included.
    pub(super) fn heap(&self) -> usize {
        let message = self.message.as_ref().map_or(0, |message| message.data.capacity());
        size_of::<Self>() + self.control.capacity() + message
    }
}

/// The start of a header.
#[derive(Default)]
pub(super) struct HeaderStart {
    bytes: [u8; MAX_HEADER],
    len: u8,
}

impl HeaderStart {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn push(&mut self, byte: u8) -> &[u8] {
        self.bytes[usize::from(self.len)] = byte;
        self.len += 1;
        &self.bytes[..usize::from(self.len)]
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }
}

/// A frame whose payload is arriving.
#[derive(Clone, Copy)]
pub(super) struct OpenFrame {
    pub(super) header: Header,
    /// Bytes of the payload that have arrived; they also say where in the masking key the next byte stands.
    pub(super) received: u32,
}

/// A data message that is put together from reads or fragments.
pub(super) struct Assembly {
    pub(super) opcode: Opcode,
    pub(super) data: Vec<u8>,
    /// The frames of the message that are complete.
    pub(super) fragments: u32,
    /// The last frame is complete: the message is lent to the caller and goes at the next call.
    pub(super) complete: bool,
    /// `data` up to here is valid UTF-8; at most the start of one character follows.
    checked: usize,
}

impl Assembly {
    /// The first allocation: most messages that are cut by a read are short.
    const FIRST_STEP: usize = 64;

    fn new(opcode: Opcode) -> Self {
        Self {
            opcode,
            data: Vec::new(),
            fragments: 0,
            complete: false,
            checked: 0,
        }
    }

    pub(super) fn received(&self) -> Received {
        Received {
            len: self.data.len() as u32,
            fragments: self.fragments,
        }
    }

    /// Memory follows the bytes that arrived, never the length that a header announced: at most double of it, and never
    /// over the limit of a message.
    fn extend(&mut self, chunk: &[u8], max_message: u32) -> Result<(), WsError> {
        let needed = self.data.len() + chunk.len();
        if needed > self.data.capacity() {
            let step = (self.data.capacity() * 2)
                .max(Self::FIRST_STEP)
                .min(max_message as usize);
            self.data.reserve_exact(step.max(needed) - self.data.len());
        }
        self.data.extend_from_slice(chunk);
        if self.opcode == Opcode::Text {
            self.check_utf8()
        } else {
            Ok(())
        }
    }

    /// Fails at the first byte that no continuation can make valid, without waiting for the rest of the message
    /// (section 8.1). A character that is cut at the end of the message is found when the whole is read as text.
    fn check_utf8(&mut self) -> Result<(), WsError> {
        match std::str::from_utf8(&self.data[self.checked..]) {
            Ok(_) => self.checked = self.data.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(WsError::InvalidUtf8),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Assembly, Opcode};

    #[test]
    fn no_byte_of_a_text_is_checked_over_and_over() {
        let mut message = Assembly::new(Opcode::Text);
        for byte in "aé€😀z".bytes() {
            message.extend(&[byte], 100).unwrap();
            let unchecked = message.data.len() - message.checked;
            assert!(unchecked < 4, "only the start of one character");
        }
        assert_eq!(message.checked, message.data.len());
    }
}
