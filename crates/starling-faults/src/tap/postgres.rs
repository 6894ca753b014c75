//! Messages of Postgres's frontend/backend protocol 3.0, as far as a tap needs them.

use std::io;

/// No message of ours is longer; a greater length means that the stream was misread.
const MAX_LENGTH: usize = 64 << 20;

/// The length of the first message, when all of it is there. `first` is the startup message, which has no type.
pub(super) fn length(bytes: &[u8], first: bool) -> io::Result<Option<usize>> {
    let type_length = usize::from(!first);
    let Some(length) = bytes.get(type_length..type_length + 4) else {
        return Ok(None);
    };
    let length = length
        .try_into()
        .map(u32::from_be_bytes)
        .map_err(io::Error::other)?;
    let length = usize::try_from(length).map_err(io::Error::other)?;
    if !(4..=MAX_LENGTH).contains(&length) {
        return Err(io::Error::other("not a message of Postgres"));
    }
    let all = type_length + length;
    Ok((bytes.len() >= all).then_some(all))
}

/// Whether it is a simple query whose text begins so.
pub(super) fn asks(message: &[u8], text: &str) -> bool {
    message.first() == Some(&b'Q')
        && message
            .get(5..)
            .is_some_and(|query| query.starts_with(text.as_bytes()))
}

/// Whether the server says that this command is complete.
pub(super) fn completes(message: &[u8], tag: &str) -> bool {
    message.first() == Some(&b'C')
        && message
            .get(5..)
            .is_some_and(|rest| rest.strip_suffix(b"\0") == Some(tag.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("short").to_be_bytes();
        [&[kind][..], &length, body].concat()
    }

    #[test]
    fn messages_end_where_they_say() {
        let commit = message(b'Q', b"COMMIT\0");
        assert!(asks(&commit, "COMMIT") && !asks(&commit, "BEGIN"));
        let done = message(b'C', b"COMMIT\0");
        assert!(completes(&done, "COMMIT") && !completes(&done, "COMMI") && !asks(&done, "COMMIT"));
        let both = [commit.clone(), done].concat();
        assert_eq!(length(&both, false).expect("a length"), Some(commit.len()));
        assert_eq!(
            length(&commit[..commit.len() - 1], false).expect("a length"),
            None
        );
        // Startup: a length and the version 3.0.
        assert_eq!(
            length(&[0, 0, 0, 9, 0, 3, 0, 0, 0, b'Q'], true).expect("a length"),
            Some(9)
        );
        assert!(length(b"HTTP/", false).is_err());
    }
}
