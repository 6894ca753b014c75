use super::MAX_CONTROL;
use super::decode::{Limits, Role};
use super::error::{Exceeded, Violation, WsError};
use super::message::Opcode;

/// Two bytes, a length of up to eight, a masking key of four.
pub(super) const MAX_HEADER: usize = 14;

/// A frame header that this side accepts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) fin: bool,
    /// None in a continuation frame.
    pub(super) opcode: Option<Opcode>,
    pub(super) len: u32,
    /// Zero in a frame that is not masked: the XOR then changes nothing.
    pub(super) key: [u8; 4],
}

/// What a header is checked against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    pub(super) role: Role,
    pub(super) limits: Limits,
    /// The message whose fragments are arriving.
    pub(super) message: Option<Received>,
}

/// How much of a fragmented message has arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Received {
    pub(super) len: u32,
    pub(super) fragments: u32,
}

/// Reads a header from the start of `bytes`, with its size; none while it is incomplete.
///
/// Every rule is checked as soon as its own byte is there, in the order of the bytes. So a peer is refused as early as
/// possible, and with the same error however its bytes are cut into reads.
pub(super) fn parse(bytes: &[u8], context: &Context) -> Result<Option<(Header, usize)>, WsError> {
    let Some((&first, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let fin = first & 0x80 != 0;
    let opcode = parse_opcode(first, context)?;

    let Some((&second, rest)) = rest.split_first() else {
        return Ok(None);
    };
    let masked = second & 0x80 != 0;
    match context.role {
        Role::Server if !masked => return Err(Violation::Unmasked.into()),
        Role::Client if masked => return Err(Violation::Masked.into()),
        Role::Server | Role::Client => {}
    }
    let short = second & 0x7f;
    if opcode.is_some_and(Opcode::is_control) && usize::from(short) > MAX_CONTROL {
        return Err(Violation::LongControl.into());
    }

    let Some((len, rest)) = parse_len(short, rest)? else {
        return Ok(None);
    };
    let len = check_limits(opcode, len, context)?;
    let (key, rest) = match (masked, rest.split_first_chunk::<4>()) {
        (false, _) => ([0; 4], rest),
        (true, Some((key, rest))) => (*key, rest),
        (true, None) => return Ok(None),
    };
    Ok(Some((
        Header {
            fin,
            opcode,
            len,
            key,
        },
        bytes.len() - rest.len(),
    )))
}

/// The rules of the first byte (sections 5.2, 5.4 and 5.5).
fn parse_opcode(first: u8, context: &Context) -> Result<Option<Opcode>, WsError> {
    if first & 0x70 != 0 {
        return Err(Violation::ReservedBits.into());
    }
    let opcode = match first & 0x0f {
        0x0 => None,
        0x1 => Some(Opcode::Text),
        0x2 => Some(Opcode::Binary),
        0x8 => Some(Opcode::Close),
        0x9 => Some(Opcode::Ping),
        0xa => Some(Opcode::Pong),
        _ => return Err(Violation::UnknownOpcode.into()),
    };
    match (opcode, context.message) {
        (Some(opcode), _) if opcode.is_control() => {
            if first & 0x80 == 0 {
                return Err(Violation::FragmentedControl.into());
            }
        }
        (Some(_), Some(_)) => return Err(Violation::MissingContinuation.into()),
        (None, None) => return Err(Violation::UnexpectedContinuation.into()),
        (None, Some(message)) if message.fragments >= context.limits.max_fragments => {
            return Err(Exceeded::Fragments.into());
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
    Ok(opcode)
}

/// The payload length (section 5.2), and what follows it.
fn parse_len(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, WsError> {
    let (len, least, rest) = match short {
        126 => match rest.split_first_chunk::<2>() {
            Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), 126, rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk::<8>() {
            Some((len, rest)) => (u64::from_be_bytes(*len), 0x1_0000, rest),
            None => return Ok(None),
        },
        short => (u64::from(short), 0, rest),
    };
    if len < least || len > i64::MAX as u64 {
        return Err(Violation::LengthEncoding.into());
    }
    Ok(Some((len, rest)))
}

/// Refuses a payload by its announced length, before a byte of it is kept.
fn check_limits(opcode: Option<Opcode>, len: u64, context: &Context) -> Result<u32, WsError> {
    if opcode.is_some_and(Opcode::is_control) {
        // At most 125, checked before; the limits are for data.
        return Ok(len as u32);
    }
    let len = u32::try_from(len)
        .ok()
        .filter(|len| *len <= context.limits.max_frame)
        .ok_or(Exceeded::Frame)?;
    let before = context.message.map_or(0, |message| message.len);
    match before.checked_add(len) {
        Some(total) if total <= context.limits.max_message => Ok(len),
        _ => Err(Exceeded::Message.into()),
    }
}
