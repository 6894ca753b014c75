//! Where the client stands in each room: live events in their order, none twice, and holes read from the log.

use std::collections::VecDeque;

use starling_core::{Cursor, EventBody, RoomId};
use starling_protocol::{
    command::{FetchEvents, WatchPresence},
    event::Gap,
};

use super::{Asked, News, Session};
use crate::wire::{Event, Page};

/// Live events of a room that wait while a hole before them is filled. Full: they are let go and read from the log.
pub(super) const MAX_HELD: usize = 500;

/// Where the client stands in a room.
#[derive(Debug)]
pub(super) struct Place {
    /// To be given on resume.
    pub(super) cursor: Cursor,
    /// Events up to this seq were shown.
    seen: u64,
    /// A hole up to this seq is being read from the log; live events are held.
    filling: Option<u64>,
    /// In ascending seq. Bounded by [`MAX_HELD`].
    held: VecDeque<Event>,
}

impl Session {
    pub(super) fn on_event(&mut self, event: Event) {
        let (room, seq) = (event.meta.room_id.clone(), event.meta.seq);
        if let Some((joining, early)) = &mut self.joining
            && *joining == room
        {
            if early.len() < MAX_HELD {
                early.push(event);
            }
            return;
        }
        let place = self
            .places
            .entry(room.clone())
            .or_insert_with(|| Place::before(seq));
        if place.filling.is_some() {
            place.hold(event);
        } else if seq > place.seen + 1 {
            place.hold(event);
            self.fill(&room, seq - 1);
        } else {
            self.show(event);
        }
    }

    /// Shows an event, unless it was shown before.
    fn show(&mut self, event: Event) {
        let Some(place) = self.places.get_mut(&event.meta.room_id) else {
            return;
        };
        if event.meta.seq <= place.seen {
            return;
        }
        place.seen = event.meta.seq;
        place.cursor = event.meta.cursor;
        if let EventBody::MemberJoined(joined) = &event.body {
            let user_ids = vec![joined.user_id.clone()];
            self.ask(Asked::Watch, "watch_presence", WatchPresence { user_ids });
        }
        self.news.push_back(News::Event(Box::new(event)));
    }

    pub(super) fn on_gap(&mut self, gap: &Gap) {
        let Some(place) = self.places.get_mut(&gap.room_id) else {
            return;
        };
        if let Some(rewind_to) = gap.rewind_to {
            place.seen = place.seen.min(rewind_to);
            place.cursor = gap.cursor;
            self.note(&format!(
                "the server lost some of the latest messages of {}; it goes on without them",
                gap.room_id
            ));
        }
        if gap.to >= gap.from {
            self.fill(&gap.room_id, gap.to);
        }
    }

    /// Reads what is missing up to a seq from the log.
    pub(super) fn fill(&mut self, room: &RoomId, to: u64) {
        let Some(place) = self.places.get_mut(room) else {
            return;
        };
        let is_reading = place.filling.is_some();
        place.filling = place.filling.max(Some(to));
        if !is_reading {
            self.fetch(room);
        }
    }

    fn fetch(&mut self, room: &RoomId) {
        let after = self.places.get(room).map_or(0, |place| place.seen);
        let data = FetchEvents {
            room_id: room.clone(),
            after,
            limit: Some(500),
        };
        self.ask(Asked::Fetch(room.clone()), "fetch_events", data);
    }

    pub(super) fn on_page(&mut self, room: &RoomId, page: Page) {
        let is_last = page.events.is_empty() || !page.has_more;
        for event in page.events {
            self.show(event);
        }
        let Some(place) = self.places.get_mut(room) else {
            return;
        };
        let Some(to) = place.filling else { return };
        if place.seen < to && !is_last {
            self.fetch(room);
            return;
        }
        // What retention has removed is not there to be read.
        place.seen = place.seen.max(to);
        place.filling = None;
        for event in std::mem::take(&mut place.held) {
            self.on_event(event);
        }
    }
}

impl Place {
    pub(super) fn new(cursor: Cursor) -> Self {
        Self {
            cursor,
            seen: cursor.seq,
            filling: None,
            held: VecDeque::new(),
        }
    }

    /// In a room that nobody has heard of before this event.
    fn before(seq: u64) -> Self {
        Self {
            seen: seq.saturating_sub(1),
            ..Self::new(Cursor::START)
        }
    }

    fn hold(&mut self, event: Event) {
        if self.held.len() >= MAX_HELD {
            self.filling = self.filling.max(Some(event.meta.seq));
            self.held.clear();
        } else {
            self.held.push_back(event);
        }
    }
}

impl Place {
    /// The connection is gone: what is held comes again, for the cursor stands before it.
    pub(super) fn on_break(&mut self) {
        self.filling = None;
        self.held.clear();
    }
}
