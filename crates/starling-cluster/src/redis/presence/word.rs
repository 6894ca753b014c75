//! How a node's word about a user is written: `<incarnation> <status> <set at> -`, or `+` and the text for `-`. A word
//! that was handed over has `~` and its end for the incarnation.

use starling_core::{
    Timestamp,
    presence::{NodePresence, Status},
};

pub(super) fn write(incarnation: u64, said: &NodePresence) -> String {
    let (status, set_at) = (said.status.as_str(), said.set_at.as_millis());
    match &said.custom {
        Some(text) => format!("{incarnation} {status} {set_at} +{text}"),
        None => format!("{incarnation} {status} {set_at} -"),
    }
}

/// `None` for the word of a version that this one does not know.
pub(super) fn read(word: &str) -> Option<NodePresence> {
    let mut parts = word.splitn(4, ' ').skip(1);
    let status = Status::parse(parts.next()?)?;
    let set_at = Timestamp::from_millis(parts.next()?.parse().ok()?);
    let text = parts.next()?;
    Some(NodePresence {
        status,
        set_at,
        custom: text.strip_prefix('+').map(Into::into),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for custom in [
            None,
            Some(""),
            Some("-"),
            Some("in a call + more\n"),
            Some("message"),
        ] {
            let said = NodePresence {
                status: Status::Busy,
                custom: custom.map(Into::into),
                set_at: Timestamp::from_millis(-5),
            };
            assert_eq!(read(&write(17, &said)), Some(said));
        }
        let handed_over = read("~1795176000000 away 5 -").unwrap();
        assert_eq!(handed_over.status, Status::Away);
        assert_eq!(read("17 levitating 5 -"), None);
        assert_eq!(read(""), None);
    }
}
