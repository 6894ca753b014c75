//! Frames of Redis (RESP 2 and 3), as far as a tap needs them.

use std::io;

/// How deep a reply may nest. Redis's own are far below.
const MAX_DEPTH: usize = 16;

/// The length of the first frame, when all of it is there.
pub(super) fn length(bytes: &[u8]) -> io::Result<Option<usize>> {
    end(bytes, 0, 0)
}

/// Where the frame that begins at `start` ends.
fn end(bytes: &[u8], start: usize, depth: usize) -> io::Result<Option<usize>> {
    if depth > MAX_DEPTH {
        return Err(bad("too deep"));
    }
    let Some(line_end) = bytes[start..].windows(2).position(|two| two == b"\r\n") else {
        return Ok(None);
    };
    let line = &bytes[start..start + line_end];
    let after = start + line_end + 2;
    let Some((kind, rest)) = line.split_first() else {
        return Err(bad("an empty line"));
    };
    let items = match kind {
        b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => return Ok(Some(after)),
        // An inline command, as `HELLO 3`.
        b'A'..=b'Z' if depth == 0 => return Ok(Some(after)),
        b'$' | b'=' | b'!' => {
            let Some(size) = count(rest)? else {
                return Ok(Some(after));
            };
            let all = after + size + 2;
            return Ok((bytes.len() >= all).then_some(all));
        }
        b'*' | b'>' | b'~' => count(rest)?.unwrap_or(0),
        b'%' => 2 * count(rest)?.unwrap_or(0),
        // Attributes come before the value that they belong to.
        b'|' => 2 * count(rest)?.unwrap_or(0) + 1,
        _ => return Err(bad("an unknown type")),
    };
    let mut at = after;
    for _ in 0..items {
        match end(bytes, at, depth + 1)? {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// A length; `None` for the null of RESP 2.
fn count(digits: &[u8]) -> io::Result<Option<usize>> {
    if digits == b"-1" {
        return Ok(None);
    }
    let text = std::str::from_utf8(digits).map_err(|_| bad("a length"))?;
    text.parse().map(Some).map_err(|_| bad("a length"))
}

fn bad(what: &str) -> io::Error {
    io::Error::other(format!("not RESP: {what}"))
}

/// The first words of a command or a push, when the frame is an array of them.
pub(super) fn words<const N: usize>(frame: &[u8]) -> Option<[&[u8]; N]> {
    let (b'*' | b'>', mut rest) = frame.split_first()? else {
        return None;
    };
    let items = take_line(&mut rest)?;
    if items < N {
        return None;
    }
    let mut words = [&[][..]; N];
    for word in &mut words {
        let (b'$', after) = rest.split_first()? else {
            return None;
        };
        rest = after;
        let size = take_line(&mut rest)?;
        *word = rest.get(..size)?;
        rest = rest.get(size + 2..)?;
    }
    Some(words)
}

fn take_line(rest: &mut &[u8]) -> Option<usize> {
    let end = rest.windows(2).position(|two| two == b"\r\n")?;
    let number = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    *rest = &rest[end + 2..];
    Some(number)
}

/// A command of these words.
pub(super) fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut frame = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        frame.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        frame.extend_from_slice(word);
        frame.extend_from_slice(b"\r\n");
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_as_long_as_it_is_and_no_prefix_of_it_is_whole() {
        for frame in [
            &b"+OK\r\n"[..],
            b":12\r\n",
            b"$-1\r\n",
            b"$5\r\na\r\nbc\r\n",
            b"*-1\r\n",
            b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
            b">3\r\n+message\r\n$1\r\nc\r\n*2\r\n:1\r\n:2\r\n",
            b"%1\r\n+a\r\n*0\r\n",
            b"|1\r\n+ttl\r\n:3\r\n+value\r\n",
        ] {
            assert_eq!(length(frame).expect("RESP"), Some(frame.len()));
            let longer = [frame, b"+more\r\n"].concat();
            assert_eq!(length(&longer).expect("RESP"), Some(frame.len()));
            for cut in 0..frame.len() {
                assert_eq!(length(&frame[..cut]).expect("RESP"), None, "{cut} of {frame:?}");
            }
        }
        assert_eq!(length(b"HELLO 3\r\n").expect("RESP"), Some(9));
        assert!(length(b"<html>\r\n").is_err());
    }

    #[test]
    fn words_are_read_and_written() {
        let frame = command(&[b"PUBLISH", b"channel", b"\r\n$"]);
        assert_eq!(words::<3>(&frame), Some([&b"PUBLISH"[..], b"channel", b"\r\n$"]));
        assert_eq!(words::<4>(&frame), None);
        assert_eq!(words::<1>(b"+OK\r\n"), None);
    }
}
