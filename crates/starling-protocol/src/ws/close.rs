use super::error::{Violation, WsError};
use super::message::{Message, Opcode};
use super::{MAX_CONTROL, encode};

/// Whether a code may stand in a close frame (section 7.4): those of the IANA registry that are meant for the wire, and
/// the ranges for libraries (3000) and applications (4000).
#[must_use]
pub const fn is_valid_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// The body of a close frame: code, then the reason cut at a character boundary to the 123 bytes that fit.
#[must_use]
pub fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    debug_assert!(is_valid_close_code(code), "close code {code} must not be sent");
    let reason = &reason[..reason.floor_char_boundary(MAX_CONTROL - 2)];
    let mut payload = Vec::with_capacity(2 + reason.len());
    payload.extend_from_slice(&code.to_be_bytes());
    payload.extend_from_slice(reason.as_bytes());
    payload
}

/// A server's close frame. A close without a code, which answers one without a code, is
/// `encode(Opcode::Close, &[], out)`.
#[must_use]
pub fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    encode(Opcode::Close, &close_payload(code, reason), &mut frame);
    frame
}

/// Reads the body of a close frame (section 5.5.1).
pub(super) fn parse(payload: &[u8]) -> Result<Message<'_>, WsError> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() {
            Ok(Message::Close {
                code: None,
                reason: "",
            })
        } else {
            Err(Violation::CloseBody.into())
        };
    };
    let code = u16::from_be_bytes(*code);
    if !is_valid_close_code(code) {
        return Err(Violation::CloseCode.into());
    }
    let reason = std::str::from_utf8(reason).map_err(|_| WsError::InvalidUtf8)?;
    Ok(Message::Close {
        code: Some(code),
        reason,
    })
}
