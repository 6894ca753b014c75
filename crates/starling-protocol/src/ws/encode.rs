use std::ops::Deref;

use super::message::Opcode;
use super::{MAX_CONTROL, mask};

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// The header of one unfragmented, unmasked frame: 2, 4 or 10 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderBytes {
    bytes: [u8; 10],
    len: u8,
}

impl Deref for HeaderBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// The header of a server's frame, for a payload of `len` bytes that is written from where it is. The payload of a
/// control frame must not be over 125 bytes.
#[must_use]
pub fn header(opcode: Opcode, len: usize) -> HeaderBytes {
    debug_assert!(
        !opcode.is_control() || len <= MAX_CONTROL,
        "a control frame carries at most 125 bytes"
    );
    let mut bytes = [0; 10];
    bytes[0] = FIN | opcode as u8;
    let size = if len <= MAX_CONTROL {
        bytes[1] = len as u8;
        2
    } else if let Ok(len) = u16::try_from(len) {
        bytes[1] = 126;
        bytes[2..4].copy_from_slice(&len.to_be_bytes());
        4
    } else {
        bytes[1] = 127;
        bytes[2..].copy_from_slice(&(len as u64).to_be_bytes());
        10
    };
    HeaderBytes { bytes, len: size }
}

/// Appends a server's frame: whole and unmasked, so that the same bytes serve every receiver. The payload of a control
/// frame is cut to the 125 bytes that it may carry.
pub fn encode(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    let payload = fitting(opcode, payload);
    let header = header(opcode, payload.len());
    out.reserve(header.len() + payload.len());
    out.extend_from_slice(&header);
    out.extend_from_slice(payload);
}

/// Appends a client's frame: like [`encode`], masked with a key that must be fresh and unpredictable for every frame
/// (section 5.3).
pub fn encode_masked(opcode: Opcode, payload: &[u8], key: [u8; 4], out: &mut Vec<u8>) {
    let payload = fitting(opcode, payload);
    let mut header = header(opcode, payload.len());
    header.bytes[1] |= MASKED;
    out.reserve(header.len() + key.len() + payload.len());
    out.extend_from_slice(&header);
    out.extend_from_slice(&key);
    let start = out.len();
    out.extend_from_slice(payload);
    mask::apply(&mut out[start..], key, 0);
}

fn fitting(opcode: Opcode, payload: &[u8]) -> &[u8] {
    if opcode.is_control() {
        &payload[..payload.len().min(MAX_CONTROL)]
    } else {
        payload
    }
}
