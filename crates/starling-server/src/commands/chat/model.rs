//! What the user sees: the news in words, who is here, who types; and what the user typed, as orders.

use std::collections::BTreeMap;

use starling_core::{EventBody, Message, RoomId, Timestamp, UserId, event::MemberGone, presence::Status};
use starling_protocol::{event::PresenceChanged, reply::RoomView};

use super::session::{News, Order, To};
use crate::wire::Event;

const HELP: &str = "\
    what you type is sent to the room. Commands:\n\
    /who              who is here\n\
    /rooms            your rooms\n\
    /join ROOM        go to a room\n\
    /msg USER TEXT    write to one user\n\
    /away /busy /back your status\n\
    /quit             leave the program (you stay a member)\n\
    a line that begins with // is sent with one /";

/// A line to be shown. Texts are as they came: whoever shows them escapes them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A message.
    Message {
        at: Timestamp,
        /// Where, when it is not the room that the user looks at.
        place: Option<String>,
        from: UserId,
        text: String,
    },
    /// What the program says.
    Note { at: Option<Timestamp>, text: String },
}

/// What the user's input means.
#[derive(Debug)]
pub(super) enum Input {
    Order(Order),
    Show(Line),
    Quit,
    Nothing,
}

/// See the module.
pub(super) struct Chat {
    pub(super) me: UserId,
    pub(super) room: RoomId,
    pub(super) is_online: bool,
    is_away_told: bool,
    /// Users of the rooms visited, by what they showed last. Bounded by what the session watches.
    presence: BTreeMap<UserId, Status>,
    /// Who types where. Bounded: the server ends it after three seconds.
    typing: BTreeMap<UserId, RoomId>,
    /// Whether the next list of members answers /who.
    is_asked: bool,
}

impl Chat {
    pub(super) fn new(me: UserId, room: RoomId) -> Self {
        Self {
            me,
            room,
            is_online: false,
            is_away_told: false,
            presence: BTreeMap::new(),
            typing: BTreeMap::new(),
            is_asked: false,
        }
    }

    /// Who types in the room, in words; empty when nobody does.
    pub(super) fn typing(&self) -> String {
        let names: Vec<&str> = self
            .typing
            .iter()
            .filter(|(_, room)| **room == self.room)
            .map(|(user, _)| user.as_str())
            .collect();
        match names.as_slice() {
            [] => String::new(),
            [one] => format!("{one} is typing…"),
            [one, two] => format!("{one} and {two} are typing…"),
            _ => "several people are typing…".into(),
        }
    }

    /// The others who are not offline, with their status.
    pub(super) fn here(&self) -> impl Iterator<Item = (&UserId, Status)> {
        let others = self.presence.iter().map(|(user, status)| (user, *status));
        others.filter(|(user, status)| **user != self.me && *status != Status::Offline)
    }

    /// Puts news into lines.
    pub(super) fn hear(&mut self, news: News) -> Vec<Line> {
        match news {
            News::Connected(user) => {
                self.is_online = true;
                self.is_away_told = false;
                self.me = user;
                vec![note(format!("connected as {}", self.me))]
            }
            News::Away { why } => {
                self.is_online = false;
                self.typing.clear();
                // One line for one break: the attempts that fail after it say nothing new.
                if std::mem::replace(&mut self.is_away_told, true) {
                    return Vec::new();
                }
                vec![note(format!("{why}; reconnecting…"))]
            }
            News::Joined(room, messages) => self.joined(&room, messages),
            News::Event(event) => self.event(*event).into_iter().collect(),
            News::Typing(typing) => {
                if typing.is_typing && typing.user_id != self.me {
                    self.typing.insert(typing.user_id, typing.room_id);
                } else {
                    self.typing.remove(&typing.user_id);
                }
                Vec::new()
            }
            News::Presence(changed) => self.presence(changed),
            News::Members(room, members) => {
                for member in &members {
                    self.presence
                        .insert(member.user_id.clone(), member.status.unwrap_or_default());
                }
                if !std::mem::take(&mut self.is_asked) {
                    return Vec::new();
                }
                let names = members.iter().map(|m| {
                    format!(
                        "{} ({}, {})",
                        m.user_id,
                        m.role.as_str(),
                        m.status.unwrap_or_default().as_str()
                    )
                });
                vec![note(format!(
                    "in {room}: {}",
                    names.collect::<Vec<_>>().join(", ")
                ))]
            }
            News::Rooms(rooms) => rooms
                .iter()
                .map(|room| note(format!("{}  {}", self.name_of(&room.room_id), members(room))))
                .collect(),
            News::Note(text) => vec![note(text)],
        }
    }

    fn joined(&mut self, room: &RoomView, messages: Vec<Message>) -> Vec<Line> {
        self.room = room.room_id.clone();
        let mut lines = vec![note(format!(
            "you are in {}, {}; /help lists the commands",
            room.room_id,
            members(room)
        ))];
        lines.extend(
            messages
                .into_iter()
                .filter(|message| message.deleted_at.is_none())
                .map(|message| Line::Message {
                    at: message.created_at,
                    place: None,
                    from: message.sender_id,
                    text: message.content,
                }),
        );
        lines
    }

    fn presence(&mut self, changed: PresenceChanged) -> Vec<Line> {
        let mut lines = Vec::new();
        for user in changed.users {
            let before = self.presence.insert(user.user_id.clone(), user.status);
            if before.is_some_and(|before| before != user.status) && user.user_id != self.me {
                let custom = user
                    .custom_status
                    .map_or_else(String::new, |text| format!(": {text}"));
                lines.push(note(format!(
                    "{} is {}{custom}",
                    user.user_id,
                    user.status.as_str()
                )));
            }
        }
        lines
    }

    fn event(&mut self, event: Event) -> Option<Line> {
        let Event { meta, body } = event;
        let (sender, at) = (meta.sender_id, meta.created_at);
        let place = (meta.room_id != self.room).then(|| self.name_of(&meta.room_id));
        let text = match body {
            EventBody::MessageCreated(message) => {
                self.typing.remove(&sender);
                return Some(Line::Message {
                    at,
                    place,
                    from: sender,
                    text: message.content,
                });
            }
            EventBody::MessageUpdated(update) => format!("{sender} edited: {}", update.content),
            EventBody::MessageDeleted(_) => format!("{sender} deleted a message"),
            EventBody::ReactionAdded(reaction) => format!("{sender} reacts with {}", reaction.emoji),
            EventBody::MemberJoined(joined) => format!("{} joined", joined.user_id),
            EventBody::MemberLeft(left) => format!("{} left", left.user_id),
            EventBody::MemberKicked(gone) => removed(&gone, "removed"),
            EventBody::MemberBanned(banned) => format!("{} was banned", banned.user_id),
            EventBody::MemberMuted(muted) => format!("{} was muted", muted.user_id),
            EventBody::MemberUnmuted(user) => format!("{} may write again", user.user_id),
            EventBody::MemberRoleChanged(change) => {
                format!("{} is {} now", change.user_id, change.role.as_str())
            }
            EventBody::RoomUpdated(_) => format!("{sender} changed the room"),
            EventBody::RoomDeleted(_) => format!("{sender} closed the room"),
            EventBody::Notification(notification) => {
                format!("{}: {}", notification.topic, notification.payload)
            }
            EventBody::RoomCreated(_)
            | EventBody::ReactionRemoved(_)
            | EventBody::MemberInvited(_)
            | EventBody::MemberUnbanned(_) => return None,
        };
        let place = place.map_or_else(String::new, |place| format!("[{place}] "));
        Some(Line::Note {
            at: Some(at),
            text: format!("{place}{text}"),
        })
    }

    /// A room as its reader calls it: a direct room by the other user.
    fn name_of(&self, room: &RoomId) -> String {
        match room
            .as_str()
            .strip_prefix("@dm:")
            .and_then(|pair| pair.split_once(','))
        {
            Some((a, b)) => format!("direct with {}", if a == self.me.as_str() { b } else { a }),
            None => room.to_string(),
        }
    }

    /// Reads a line that the user typed.
    pub(super) fn typed(&mut self, line: &str) -> Input {
        let line = line.trim_end();
        if line.trim().is_empty() {
            return Input::Nothing;
        }
        let say = |text: &str| Input::Order(Order::Say(To::Room(self.room.clone()), text.to_owned()));
        if let Some(text) = line.strip_prefix("//") {
            return say(&format!("/{text}"));
        }
        let Some(command) = line.strip_prefix('/') else {
            return say(line);
        };
        let (command, rest) = command.split_once(' ').unwrap_or((command, ""));
        let rest = rest.trim();
        match command {
            "help" => Input::Show(note(HELP.into())),
            "quit" => Input::Quit,
            "who" => {
                self.is_asked = true;
                Input::Order(Order::Members(self.room.clone()))
            }
            "rooms" => Input::Order(Order::Rooms),
            "away" => Input::Order(Order::Presence(Status::Away)),
            "busy" => Input::Order(Order::Presence(Status::Busy)),
            "back" => Input::Order(Order::Presence(Status::Online)),
            "join" => match RoomId::parse(rest) {
                Ok(room) => Input::Order(Order::Join(room)),
                Err(error) => Input::Show(note(format!("/join ROOM: {error}"))),
            },
            "msg" => match rest
                .split_once(' ')
                .map(|(user, text)| (UserId::parse(user), text.trim()))
            {
                Some((Ok(user), text)) => Input::Order(Order::Say(To::User(user), text.to_owned())),
                Some((Err(error), _)) => Input::Show(note(format!("/msg USER TEXT: {error}"))),
                None => Input::Show(note("/msg USER TEXT: whom, and what?".into())),
            },
            _ => Input::Show(note(format!("there is no command /{command}; /help lists them"))),
        }
    }
}

fn note(text: String) -> Line {
    Line::Note { at: None, text }
}

fn members(room: &RoomView) -> String {
    format!(
        "{} member{}",
        room.member_count,
        if room.member_count == 1 { "" } else { "s" }
    )
}

fn removed(gone: &MemberGone, how: &str) -> String {
    let reason = gone
        .reason
        .as_ref()
        .map_or_else(String::new, |reason| format!(": {reason}"));
    format!("{} was {how}{reason}", gone.user_id)
}
