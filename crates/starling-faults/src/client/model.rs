//! The messages of a room as a client builds them up from events, and as the server tells them afresh: both must agree.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::digest;

/// A message's present state, as far as it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Message {
    /// Of the text; of a deleted message, none.
    pub(crate) content: Option<u64>,
    /// Who reacted, by emoji.
    pub(crate) reactions: BTreeMap<String, BTreeSet<String>>,
}

/// A room's messages by seq.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Model {
    pub(crate) messages: BTreeMap<u64, Message>,
}

impl Model {
    /// Takes an event in.
    pub(crate) fn apply(&mut self, kind: &str, data: &Value) {
        let text = |field: &str| data[field].as_str().unwrap_or_default().to_owned();
        if kind == "message_created" {
            // Deleted before it was read: the log keeps its place and not its content.
            let content = text("content");
            let message = Message {
                content: (!content.is_empty()).then(|| digest::of_text(&content)),
                ..Message::default()
            };
            self.messages
                .insert(data["seq"].as_u64().unwrap_or_default(), message);
            return;
        }
        let Some(message) = data["refSeq"]
            .as_u64()
            .and_then(|seq| self.messages.get_mut(&seq))
        else {
            return;
        };
        match kind {
            // The edits of a deleted message have lost their content.
            "message_updated" if text("content").is_empty() => {}
            "message_updated" => message.content = Some(digest::of_text(&text("content"))),
            "message_deleted" => *message = Message::default(),
            "reaction_added" => {
                let users = message.reactions.entry(text("emoji")).or_default();
                users.insert(text("senderId"));
            }
            "reaction_removed" => {
                if let Some(users) = message.reactions.get_mut(&text("emoji")) {
                    users.remove(&text("senderId"));
                    if users.is_empty() {
                        message.reactions.remove(&text("emoji"));
                    }
                }
            }
            _ => {}
        }
    }

    /// Takes a message in as the server tells it.
    pub(crate) fn load(&mut self, message: &Value) {
        let users = |reaction: &Value| {
            let users = reaction["users"].as_array().into_iter().flatten();
            users
                .filter_map(|user| user.as_str().map(str::to_owned))
                .collect()
        };
        let reactions = message["reactions"].as_object().into_iter().flatten();
        let state = Message {
            content: message["deletedAt"]
                .is_null()
                .then(|| digest::of_text(message["content"].as_str().unwrap_or_default())),
            reactions: reactions
                .map(|(emoji, reaction)| (emoji.clone(), users(reaction)))
                .collect(),
        };
        self.messages
            .insert(message["seq"].as_u64().unwrap_or_default(), state);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_and_a_fresh_load_come_to_the_same() {
        let mut built = Model::default();
        for (kind, data) in [
            ("message_created", json!({ "seq": 1, "content": "a" })),
            ("message_created", json!({ "seq": 2, "content": "b" })),
            (
                "message_updated",
                json!({ "seq": 3, "refSeq": 1, "content": "c" }),
            ),
            (
                "reaction_added",
                json!({ "seq": 4, "refSeq": 1, "emoji": "+1", "senderId": "u" }),
            ),
            (
                "reaction_added",
                json!({ "seq": 5, "refSeq": 1, "emoji": "x", "senderId": "u" }),
            ),
            (
                "reaction_removed",
                json!({ "seq": 6, "refSeq": 1, "emoji": "x", "senderId": "u" }),
            ),
            ("message_deleted", json!({ "seq": 7, "refSeq": 2 })),
        ] {
            built.apply(kind, &data);
        }
        let mut told = Model::default();
        told.load(
            &json!({ "seq": 1, "content": "c", "reactions": { "+1": { "count": 1, "users": ["u"] } } }),
        );
        told.load(&json!({ "seq": 2, "content": "", "deletedAt": "now" }));
        assert_eq!(built, told);
        built.apply(
            "reaction_removed",
            &json!({ "seq": 8, "refSeq": 1, "emoji": "+1", "senderId": "u" }),
        );
        assert_ne!(built, told);
    }
}
