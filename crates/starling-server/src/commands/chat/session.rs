//! What outlives a connection, without any I/O: where the client stands in each room, what it has not got an answer to,
//! and what it says on a new connection so that nothing is lost or repeated.
//!
//! Frames go in by [`Session::hear`], orders by [`Session::order`]; frames to send come out of `out`, and what is worth
//! showing out of `news`.

mod places;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use serde::Serialize;
use serde_json::{json, value::RawValue};
use starling_core::{ClientId, Cursor, Message, RoomId, UserId, presence::Status};
use starling_protocol::{
    ErrorBody,
    command::{
        InRoom, JoinRoom, ListMembers, NewMessage, SendMessage, SetPresence, Subscribe, TokenData,
        WatchPresence,
    },
    event::{PresenceChanged, TypingEvent, Welcome},
    reply::{Joined, LiveRoom, MemberList, MemberView, RoomList, RoomView, SubscribedRoom, SubscribedRooms},
};
use tokio::time::Instant;

use self::places::Place;
use crate::wire::{self, Event, Frame, Page};

/// Lines that wait for their acknowledgement. Full: the caller stops taking lines from the user.
const MAX_UNACKED: usize = 100;
/// Messages shown when a room is joined.
const HISTORY: usize = 50;
/// Members asked for and watched in a room.
const MEMBERS: usize = 200;

/// What the user wants.
#[derive(Debug, Clone)]
pub(super) enum Order {
    /// Write a line.
    Say(To, String),
    /// Become a member and go there.
    Join(RoomId),
    /// Who is in a room.
    Members(RoomId),
    /// Rooms joined.
    Rooms,
    /// The user is typing, or has stopped.
    Typing(RoomId, bool),
    /// The user's status.
    Presence(Status),
}

/// Whom a line is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum To {
    Room(RoomId),
    User(UserId),
}

/// What has happened.
#[derive(Debug)]
pub(super) enum News {
    /// The connection stands, as this user. Sent again after each break.
    Connected(UserId),
    /// The connection is away, or an attempt has failed; the next one comes after a while.
    Away {
        why: String,
    },
    /// The user is in a room now: its last messages follow here.
    Joined(RoomView, Vec<Message>),
    /// A durable event.
    Event(Box<Event>),
    Typing(TypingEvent),
    Presence(PresenceChanged),
    Members(RoomId, Vec<MemberView>),
    Rooms(Vec<RoomView>),
    /// Something the user should read.
    Note(String),
}

/// Why the connection cannot go on.
#[derive(Debug)]
pub(super) enum Break {
    /// Connect again and resume.
    Resume(String),
    /// The same, after a wait that the server asked for.
    Migrate(Duration),
    /// A new token is due.
    Refresh,
}

/// What a reply is for.
#[derive(Debug)]
enum Asked {
    Join(RoomId),
    Resume,
    Members(RoomId),
    Watch,
    Rooms,
    Say,
    Fetch(RoomId),
    /// Only a refusal is of interest.
    Other(&'static str),
}

struct Unacked {
    client_id: ClientId,
    to: To,
    content: String,
}

/// See the module.
pub(super) struct Session {
    room: RoomId,
    /// Rooms followed, by what they showed last. Bounded by the server's limit of rooms a user.
    places: BTreeMap<RoomId, Place>,
    /// Lines in their order; only the first is on its way, so that a refused one cannot be overtaken. Bounded by
    /// [`MAX_UNACKED`].
    unacked: VecDeque<Unacked>,
    /// A room that is being joined for the first time, and its events that overtake the reply. Bounded by [`places::MAX_HELD`]:
    /// what goes beyond is a hole, and is read from the log.
    joining: Option<(RoomId, Vec<Event>)>,
    /// When to send the first of them again, after a refusal that passes.
    retry_at: Option<Instant>,
    in_flight: bool,
    asked: HashMap<i64, Asked>,
    last_id: i64,
    /// Distinguishes this run's client ids from those of any other.
    run: String,
    said: u64,
    status: Option<Status>,
    /// The server has said welcome, and the rooms are resumed.
    is_live: bool,
    /// Whether the first `subscribe` has been answered on some connection.
    has_resumed: bool,
    /// Frames to send. Bounded: what puts more in than it takes out is typing, which is throttled, and lines, which go
    /// one by one.
    pub(super) out: VecDeque<String>,
    /// To be shown; taken after each frame.
    pub(super) news: VecDeque<News>,
    /// What the server said of its liveness.
    pub(super) heartbeat: Option<Duration>,
}

impl Session {
    /// A session that begins in a room. `run` is unique to it.
    pub(super) fn new(room: RoomId, run: String) -> Self {
        Self {
            room,
            places: BTreeMap::new(),
            unacked: VecDeque::new(),
            joining: None,
            retry_at: None,
            in_flight: false,
            asked: HashMap::new(),
            last_id: 0,
            run,
            said: 0,
            status: None,
            is_live: false,
            has_resumed: false,
            out: VecDeque::new(),
            news: VecDeque::new(),
            heartbeat: None,
        }
    }

    /// Lines that have no acknowledgement yet.
    pub(super) fn unsent(&self) -> usize {
        self.unacked.len()
    }

    /// Whether no more lines are taken for now.
    pub(super) fn is_full(&self) -> bool {
        self.unacked.len() >= MAX_UNACKED
    }

    /// Whether the server has taken this session up.
    pub(super) fn is_live(&self) -> bool {
        self.is_live
    }

    /// Whether the rooms have been followed at least once.
    pub(super) fn has_begun(&self) -> bool {
        self.has_resumed
    }

    /// Whether everything that was asked for has been answered, lines included.
    pub(super) fn is_settled(&self) -> bool {
        self.unacked.is_empty() && self.asked.is_empty()
    }

    /// When [`Session::wake`] has something to do.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.retry_at.filter(|_| self.is_live)
    }

    /// Sends a line again whose time has come.
    pub(super) fn wake(&mut self) {
        self.retry_at = None;
        self.send_next();
    }

    /// The connection is gone: what was asked on it will not be answered.
    pub(super) fn on_break(&mut self) {
        self.asked.clear();
        self.out.clear();
        self.joining = None;
        self.is_live = false;
        self.in_flight = false;
        self.retry_at = None;
        for place in self.places.values_mut() {
            place.on_break();
        }
    }

    /// Sends a new token on the live connection.
    pub(super) fn refresh(&mut self, token: String) {
        self.ask(
            Asked::Other("the new token"),
            "refresh_token",
            TokenData { token },
        );
    }

    /// Does what the user wants, now or once the connection stands.
    pub(super) fn order(&mut self, order: Order) {
        match order {
            Order::Say(to, content) => {
                self.said += 1;
                // A run's name is hexadecimal: always an id.
                if let Ok(client_id) = ClientId::parse(&format!("{}-{}", self.run, self.said)) {
                    self.unacked.push_back(Unacked {
                        client_id,
                        to,
                        content,
                    });
                    self.send_next();
                }
            }
            Order::Join(room) => {
                self.room = room;
                if self.is_live {
                    self.join();
                }
            }
            Order::Presence(status) => {
                self.status = Some(status);
                if self.is_live {
                    self.tell_status();
                }
            }
            _ if !self.is_live => {
                if !matches!(order, Order::Typing(..)) {
                    self.note("not connected; try again in a moment");
                }
            }
            Order::Members(room) => self.list_members(room),
            Order::Rooms => self.ask(Asked::Rooms, "list_rooms", json!({"limit": 200})),
            Order::Typing(room_id, on) => {
                let kind = if on { "typing_start" } else { "typing_stop" };
                self.ask(Asked::Other("typing"), kind, InRoom { room_id });
            }
        }
    }

    /// Takes in what the server said.
    pub(super) fn hear(&mut self, frame: Frame, now: Instant) -> Result<(), Break> {
        match frame {
            Frame::Welcome(welcome) => self.on_welcome(&welcome),
            Frame::Ok(id, data) => {
                if let Some(asked) = self.asked.remove(&id) {
                    self.on_reply(asked, &data)
                        .map_err(|error| Break::Resume(error.to_string()))?;
                }
            }
            Frame::Error(id, error) => return self.on_error(id, error, now),
            Frame::Event(event) => self.on_event(*event),
            Frame::Typing(typing) => self.news.push_back(News::Typing(typing)),
            Frame::Presence(presence) => self.news.push_back(News::Presence(presence)),
            Frame::Gap(gap) => self.on_gap(&gap),
            Frame::Migrate(migrate) => return Err(Break::Migrate(Duration::from_millis(migrate.after_ms))),
            Frame::TokenExpiring => return Err(Break::Refresh),
            Frame::Batch(frames) => {
                for frame in frames {
                    self.hear(frame, now)?;
                }
            }
            Frame::Other => {}
        }
        Ok(())
    }

    fn on_welcome(&mut self, welcome: &Welcome) {
        self.heartbeat = Some(Duration::from_millis(welcome.heartbeat_ms));
        self.news.push_back(News::Connected(welcome.user_id.clone()));
        if self.places.contains_key(&self.room) {
            self.resume();
        } else {
            self.join();
        }
    }

    fn join(&mut self) {
        let room = self.room.clone();
        let cursor = self.places.get(&room).map(|place| place.cursor.to_string());
        // A room that is followed already is only gone to: its messages were shown.
        let history = if cursor.is_some() { 0 } else { HISTORY };
        if cursor.is_none() {
            self.joining = Some((room.clone(), Vec::new()));
        }
        let data = JoinRoom {
            room_id: room.clone(),
            cursor,
            history: Some(history),
        };
        self.ask(Asked::Join(room), "join_room", data);
    }

    /// Follows all rooms from where the client stands. Rooms that are new since then, as a direct message makes them,
    /// come in the answer.
    fn resume(&mut self) {
        let cursors = self
            .places
            .iter()
            .map(|(room, place)| (room.to_string(), place.cursor.to_string()));
        let data = Subscribe {
            all: true,
            cursors: cursors.collect(),
            ..Subscribe::default()
        };
        self.ask(Asked::Resume, "subscribe", data);
    }

    fn on_reply(&mut self, asked: Asked, data: &RawValue) -> serde_json::Result<()> {
        let json = data.get();
        match asked {
            Asked::Join(_) => self.on_joined(serde_json::from_str(json)?),
            Asked::Resume => self.on_resumed(serde_json::from_str(json)?),
            Asked::Members(room) => {
                let list: MemberList = serde_json::from_str(json)?;
                let user_ids = list.members.iter().map(|member| member.user_id.clone()).collect();
                self.ask(Asked::Watch, "watch_presence", WatchPresence { user_ids });
                self.news.push_back(News::Members(room, list.members));
            }
            Asked::Watch => self.news.push_back(News::Presence(serde_json::from_str(json)?)),
            Asked::Rooms => {
                let list: RoomList = serde_json::from_str(json)?;
                self.news.push_back(News::Rooms(
                    list.rooms.into_iter().map(|listed| listed.room).collect(),
                ));
            }
            Asked::Say => {
                self.unacked.pop_front();
                self.in_flight = false;
                self.send_next();
            }
            Asked::Fetch(room) => self.on_page(&room, Page::read(json)?),
            Asked::Other(_) => {}
        }
        Ok(())
    }

    fn on_joined(&mut self, joined: Joined) {
        let room = joined.room.room_id.clone();
        self.places
            .entry(room.clone())
            .or_insert_with(|| Place::new(joined.cursor));
        self.room = room.clone();
        self.news.push_back(News::Joined(joined.room, joined.messages));
        if let Some((_, early)) = self.joining.take_if(|(joining, _)| *joining == room) {
            for event in early {
                self.on_event(event);
            }
        }
        if self.is_live {
            self.list_members(room);
        } else {
            self.resume();
        }
    }

    fn on_resumed(&mut self, resumed: SubscribedRooms) {
        for room in resumed.rooms {
            match room {
                SubscribedRoom::Live(live) => self.on_live(&live),
                SubscribedRoom::Failed { room_id, error } => {
                    self.note(&format!("no longer in {room_id}: {}", error.message));
                    self.places.retain(|room, _| room.as_str() != room_id);
                }
            }
        }
        self.has_resumed = true;
        self.is_live = true;
        if self.status.is_some() {
            self.tell_status();
        }
        self.list_members(self.room.clone());
        self.send_next();
    }

    fn on_live(&mut self, live: &LiveRoom) {
        if self.places.contains_key(&live.room_id) {
            return;
        }
        // At the start, rooms joined earlier go on from the present. Later, a room that was not there before the
        // connection broke began in between: all of it is new.
        let from = if self.has_resumed {
            Cursor::START
        } else {
            live.cursor
        };
        self.places.insert(live.room_id.clone(), Place::new(from));
        if self.has_resumed && live.head > 0 {
            self.fill(&live.room_id, live.head);
        }
    }

    fn list_members(&mut self, room: RoomId) {
        let data = ListMembers {
            room_id: room.clone(),
            after: None,
            limit: Some(MEMBERS),
        };
        self.ask(Asked::Members(room), "list_members", data);
    }

    fn tell_status(&mut self) {
        let status = self.status.unwrap_or(Status::Online);
        self.ask(
            Asked::Other("the status"),
            "set_presence",
            SetPresence {
                status,
                custom_status: None,
            },
        );
    }

    // ---- lines ------------------------------------------------------------------------------------------------

    fn send_next(&mut self) {
        if !self.is_live || self.in_flight || self.retry_at.is_some() {
            return;
        }
        let Some(line) = self.unacked.front() else { return };
        let (room_id, recipient_id) = match &line.to {
            To::Room(room) => (Some(room.clone()), None),
            To::User(user) => (None, Some(user.clone())),
        };
        let data = SendMessage {
            room_id,
            recipient_id,
            client_id: Some(line.client_id.clone()),
            message: NewMessage {
                content: line.content.clone(),
                content_type: None,
                reply_to: None,
                thread: None,
                attachments: Vec::new(),
                mentions: Vec::new(),
                metadata: None,
            },
            echo: true,
        };
        self.in_flight = true;
        self.ask(Asked::Say, "send_message", data);
    }

    fn on_error(&mut self, id: Option<i64>, error: ErrorBody, now: Instant) -> Result<(), Break> {
        match id.and_then(|id| self.asked.remove(&id)) {
            Some(Asked::Say) => self.on_line_refused(&error, now),
            // Without these the session is not what the user thinks it is: from the beginning, after a wait.
            Some(Asked::Resume | Asked::Fetch(_)) => return Err(Break::Resume(error.message)),
            Some(Asked::Join(_)) if may_pass(&error) => return Err(Break::Resume(error.message)),
            Some(Asked::Join(room)) => {
                self.joining = None;
                self.note(&format!("cannot join {room}: {}", error.message));
                if !self.is_live {
                    self.resume();
                }
            }
            Some(Asked::Other("typing")) => {}
            Some(Asked::Other(what)) => self.note(&format!("{what}: {}", error.message)),
            Some(Asked::Watch | Asked::Members(_)) => {
                self.note(&format!("who is here is not known: {}", error.message))
            }
            Some(Asked::Rooms) | None => self.note(&error.message),
        }
        Ok(())
    }

    fn on_line_refused(&mut self, error: &ErrorBody, now: Instant) {
        self.in_flight = false;
        if may_pass(error) {
            let wait = Duration::from_millis(error.retry_after_ms.unwrap_or(1000));
            self.retry_at = Some(now + wait);
            if wait >= Duration::from_secs(1) {
                self.note(&format!(
                    "{} (sent again by itself in {} s)",
                    error.message,
                    wait.as_secs_f64().ceil()
                ));
            }
        } else if let Some(line) = self.unacked.pop_front() {
            self.note(&format!("not sent: {:?}: {}", line.content, error.message));
            self.send_next();
        }
    }

    fn ask<T: Serialize>(&mut self, asked: Asked, kind: &str, data: T) {
        self.last_id += 1;
        match wire::write(kind, self.last_id, data) {
            Ok(frame) => {
                self.asked.insert(self.last_id, asked);
                self.out.push_back(frame);
            }
            Err(error) => self.note(&error.to_string()),
        }
    }

    fn note(&mut self, text: &str) {
        self.news.push_back(News::Note(text.to_owned()));
    }
}

/// Whether the same command may succeed later, without anybody doing anything.
fn may_pass(error: &ErrorBody) -> bool {
    matches!(error.code.as_str(), "unavailable" | "rate_limited" | "slow_mode")
}
