//! What two copies of an event must have in common, in 64 bits.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

/// The fields that every event has beside those of its body.
const COMMON: [&str; 8] = [
    "roomId",
    "seq",
    "cursor",
    "eventId",
    "messageId",
    "senderId",
    "senderName",
    "createdAt",
];

/// Of an event as it is pushed.
pub(crate) fn of_event(kind: &str, data: &Value) -> u64 {
    let mut body = data.clone();
    let client_id = body["clientId"].as_str().unwrap_or_default().to_owned();
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|name, _| name != "clientId" && !COMMON.contains(&name.as_str()));
    }
    of_parts(
        kind,
        data["senderId"].as_str().unwrap_or_default(),
        &client_id,
        &body,
    )
}

/// Of an event as the log has it.
pub(crate) fn of_parts(kind: &str, sender: &str, client_id: &str, body: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    // The order of fields is that of their names: serde_json sorts them.
    (kind, sender, client_id, body.to_string()).hash(&mut hasher);
    hasher.finish()
}

/// Of a text.
pub(crate) fn of_text(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_wire_and_the_log_agree_and_another_content_does_not() {
        let pushed = json!({
            "roomId": "r", "seq": 1, "cursor": "1.0", "eventId": "e", "messageId": "e", "senderId": "a",
            "clientId": "c", "createdAt": "now", "content": "hello", "contentType": "text/plain",
        });
        let stored = json!({ "contentType": "text/plain", "content": "hello" });
        let digest = of_event("message_created", &pushed);
        assert_eq!(digest, of_parts("message_created", "a", "c", &stored));
        let other = json!({ "contentType": "text/plain", "content": "hello!" });
        assert_ne!(digest, of_parts("message_created", "a", "c", &other));
    }
}
