//! Where a device stands in a room: it applies events in their order, asks for what it is told is missing, and keeps
//! the cursor from which it can go on anywhere.

use serde_json::{Value, json};

use super::{digest, history::Seen, model::Model};

/// Events that wait behind a gap at most; a device that has more has forgotten to page.
const MOST_WAITING: usize = 20_000;

/// One room of a device.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    /// The last event that was applied, and its cursor; none before the first time that it followed.
    pub(crate) at: Option<(u64, String)>,
    /// From where it has seen everything.
    pub(crate) first: u64,
    pub(super) following: Following,
    /// Where the room stood when it began to follow last: an earlier end of the membership is history.
    pub(super) member_at: u64,
    /// Up to here it asks for pages; what is pushed meanwhile waits.
    pub(super) paging_to: Option<u64>,
    /// Whether a page was asked for and has not come.
    pub(super) page_asked: bool,
    pub(super) waiting: Vec<(String, Value)>,
    /// Kept by some devices only: it is large.
    pub(crate) model: Option<Model>,
}

/// Whether a room is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Following {
    /// No.
    #[default]
    No,
    /// No, and the server says that the user is no member.
    Out,
    /// It was asked for.
    Asked,
    /// Yes.
    Yes,
}

impl Standing {
    pub(super) fn seq(&self) -> u64 {
        self.at.as_ref().map_or(0, |(seq, _)| *seq)
    }

    pub(super) fn cursor(&self) -> Option<&str> {
        self.at.as_ref().map(|(_, cursor)| cursor.as_str())
    }

    /// The connection has ended: what was pushed and not applied will be replayed.
    pub(super) fn disconnected(&mut self) {
        if self.following != Following::Out {
            self.following = Following::No;
        }
        self.forget_pages();
    }

    pub(super) fn forget_pages(&mut self) {
        self.paging_to = None;
        self.page_asked = false;
        self.waiting.clear();
    }

    /// It begins at a place that the server named.
    pub(super) fn begin(&mut self, seq: u64, cursor: &str) {
        self.at = Some((seq, cursor.to_owned()));
        self.first = seq + 1;
    }

    /// Takes an event that was pushed.
    pub(super) fn pushed(&mut self, kind: &str, data: &Value) {
        if self.paging_to.is_none() {
            self.apply(kind, data);
        } else if self.waiting.len() < MOST_WAITING {
            self.waiting.push((kind.to_owned(), data.clone()));
        }
    }

    /// Takes the events of a page; `true` when another must be asked for.
    pub(super) fn paged(&mut self, events: &[Value]) -> bool {
        self.page_asked = false;
        for event in events {
            if event["data"]["seq"].as_u64().is_some_and(|seq| seq > self.seq()) {
                self.apply(event["type"].as_str().unwrap_or_default(), &event["data"]);
            }
        }
        if self.paging_to.is_some_and(|to| self.seq() < to) {
            return true;
        }
        self.paging_to = None;
        for (kind, data) in std::mem::take(&mut self.waiting) {
            // The last page may have gone beyond the gap.
            if data["seq"].as_u64().is_some_and(|seq| seq > self.seq()) {
                self.apply(&kind, &data);
            }
        }
        false
    }

    /// The next page that is missing, where one is.
    pub(super) fn page(&mut self, room: &str) -> Option<Value> {
        let to = self.paging_to?;
        if self.page_asked || self.seq() >= to {
            return None;
        }
        self.page_asked = true;
        Some(json!({ "roomId": room, "after": self.seq(), "limit": 500 }))
    }

    fn apply(&mut self, kind: &str, data: &Value) {
        if let Some(model) = &mut self.model {
            model.apply(kind, data);
        }
        let seq = data["seq"].as_u64().unwrap_or_default();
        self.at = Some((seq, data["cursor"].as_str().unwrap_or_default().to_owned()));
    }
}

/// What is kept of an event.
pub(super) fn seen(room: u16, kind: &str, data: &Value) -> Seen {
    let id = data["eventId"]
        .as_str()
        .and_then(|id| uuid::Uuid::parse_str(id).ok());
    Seen {
        room,
        seq: data["seq"].as_u64().unwrap_or_default(),
        id: id.map_or(0, |id| id.as_u128()),
        digest: digest::of_event(kind, data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64) -> Value {
        json!({ "type": "message_created", "data": { "seq": seq, "cursor": format!("{seq}.0"), "content": "x" } })
    }

    #[test]
    fn what_is_pushed_behind_a_gap_waits_for_the_pages() {
        let mut room = Standing::default();
        room.begin(3, "3.0");
        room.paging_to = Some(5);
        room.pushed("message_created", &event(6)["data"]);
        assert_eq!(
            room.cursor(),
            Some("3.0"),
            "a reconnect now must not skip 4 and 5"
        );
        assert_eq!(room.page("r").map(|page| page["after"].clone()), Some(json!(3)));
        assert!(room.page("r").is_none(), "one page at a time");
        assert!(room.paged(&[event(4)]));
        assert!(!room.paged(&[event(5), event(6)]), "a page may go beyond the gap");
        assert_eq!((room.seq(), room.paging_to), (6, None));
    }
}
