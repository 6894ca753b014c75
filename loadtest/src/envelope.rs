//! Reads of a frame what the account needs: its type and its numbers. A load generator that parsed every JSON document
//! in full would spend more on a delivery than the server does.

use anyhow::{Context, Result, bail};
use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;
use starling_protocol::CommandId;

/// Envelopes begin with their type: the protocol's structs fix the order of the fields.
const START: &[u8] = b"{\"type\":\"";

/// The `type` of an envelope.
pub fn kind(payload: &[u8]) -> Result<&[u8]> {
    let named = payload.strip_prefix(START).and_then(|rest| {
        let end = memchr::memchr(b'"', rest)?;
        Some(&rest[..end])
    });
    named.with_context(|| format!("not an envelope: {}", shown(payload)))
}

/// Whether a payload is an event that has a seq, or holds some.
#[must_use]
pub fn is_durable(payload: &[u8]) -> bool {
    matches!(
        kind(payload),
        Ok(b"message_created" | b"member_joined" | b"member_left" | b"batch")
    )
}

/// Finds the numbers behind a field's name, such as `"seq":`.
///
/// Inside a JSON string the quotes would be escaped, so no content can look like the field.
pub struct Numbers {
    field: Finder<'static>,
}

impl Numbers {
    /// The seq of durable events.
    #[must_use]
    pub fn seq() -> Self {
        Self {
            field: Finder::new(b"\"seq\":"),
        }
    }

    /// The generator's own number in the payload of a signal.
    #[must_use]
    pub fn signal() -> Self {
        Self {
            field: Finder::new(b"\"n\":"),
        }
    }

    /// The first number of a payload.
    pub fn first(&self, payload: &[u8]) -> Option<u64> {
        let at = self.field.find(payload)? + self.field.needle().len();
        digits(&payload[at..])
    }

    /// Every number of a payload: a `batch` holds several.
    pub fn all<'a>(&'a self, payload: &'a [u8]) -> impl Iterator<Item = u64> + 'a {
        let width = self.field.needle().len();
        self.field
            .find_iter(payload)
            .filter_map(move |at| digits(&payload[at + width..]))
    }
}

fn digits(bytes: &[u8]) -> Option<u64> {
    let len = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&bytes[..len]).ok()?.parse().ok()
}

/// An envelope, its data not yet read: for sockets whose every frame is looked into.
#[derive(Deserialize)]
pub struct Envelope<'a> {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// The id of the command that it answers.
    #[serde(default)]
    pub id: Option<CommandId>,
    /// Its content.
    #[serde(borrow)]
    pub data: &'a RawValue,
}

impl<'a> Envelope<'a> {
    /// Reads an envelope.
    pub fn parse(payload: &'a [u8]) -> Result<Self> {
        serde_json::from_slice(payload).with_context(|| format!("not an envelope: {}", shown(payload)))
    }

    /// Reads its data.
    pub fn data<T: Deserialize<'a>>(&self) -> Result<T> {
        serde_json::from_str(self.data.get()).with_context(|| {
            format!(
                "unexpected data of {}: {}",
                self.kind,
                shown(self.data.get().as_bytes())
            )
        })
    }

    /// Fails when it is an error.
    pub fn check(&self) -> Result<()> {
        if self.kind == "error" {
            bail!("the server refused: {}", self.data.get());
        }
        Ok(())
    }
}

/// The beginning of a payload, for an error message.
#[must_use]
pub fn shown(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload);
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &[u8] =
        br#"{"type":"message_created","data":{"roomId":"r","seq":17,"content":"\"seq\":9"}}"#;

    #[test]
    fn the_type_and_the_number_of_an_event() {
        assert_eq!(kind(EVENT).unwrap(), b"message_created");
        assert_eq!(Numbers::seq().first(EVENT), Some(17));
        assert_eq!(Numbers::seq().all(EVENT).collect::<Vec<_>>(), [17]);
        assert_eq!(Numbers::signal().first(EVENT), None);
        assert!(kind(b"{\"id\":1}").is_err());
    }

    #[test]
    fn every_number_of_a_batch() {
        let event = std::str::from_utf8(EVENT).unwrap();
        let batch = format!(r#"{{"type":"batch","data":{{"events":[{event},{event}]}}}}"#);
        assert_eq!(kind(batch.as_bytes()).unwrap(), b"batch");
        assert_eq!(Numbers::seq().all(batch.as_bytes()).collect::<Vec<_>>(), [17, 17]);
    }

    #[test]
    fn an_error_is_told_with_its_text() {
        let error = br#"{"type":"error","id":"4","data":{"code":"rate_limited","message":"wait"}}"#;
        let envelope = Envelope::parse(error).unwrap();
        assert_eq!(envelope.id, Some(CommandId::Text("4".into())));
        assert!(envelope.check().unwrap_err().to_string().contains("rate_limited"));
        assert!(Envelope::parse(EVENT).unwrap().check().is_ok());
    }
}
