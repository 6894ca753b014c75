//! Rules about messages and notifications.

use crate::{
    Authority, Draft, Refusal, Role, RoomKind, RoomSettings,
    draft::RoomSpec,
    event::{EventBody, MessageCreated, MessageDeleted, MessageUpdated, Notification, Reaction},
    ids::Reserved,
    room::Standing,
};

use super::{MessageFact, State, decide::Decision};

impl State {
    pub(super) fn send(&mut self, draft: &Draft, message: &MessageCreated) -> Decision {
        if self.opens_direct_room(draft)? {
            self.check_refs(draft, message)?;
            self.ensure_reserved(draft);
        } else {
            let role = self.author(draft)?;
            self.check_refs(draft, message)?;
            self.keep_slow_mode(draft, role)?;
        }
        Ok(Some(EventBody::MessageCreated(message.clone())))
    }

    /// Whether this is the first message of its two users.
    fn opens_direct_room(&self, draft: &Draft) -> Result<bool, Refusal> {
        match draft.room.reserved() {
            None => Ok(false),
            Some(direct @ Reserved::Direct(..)) if direct.is_read_by(&draft.sender) => {
                Ok(!self.facts.rooms.contains_key(&draft.room))
            }
            Some(_) => Err(Refusal::Forbidden("only the service writes to this room")),
        }
    }

    /// The sender's role, where they may write. Replacing what one wrote is writing too.
    fn author(&self, draft: &Draft) -> Result<Role, Refusal> {
        let role = self.unmuted(draft)?;
        if role < Role::Member {
            return Err(Refusal::Forbidden(
                "guests read; ask an admin of the room for the role of a member",
            ));
        }
        Ok(role)
    }

    /// The sender's role, where they are not muted.
    fn unmuted(&self, draft: &Draft) -> Result<Role, Refusal> {
        let role = self.acting_role(draft)?;
        if draft.authority == Authority::Admin {
            return Ok(role);
        }
        match self
            .member(&draft.room, &draft.sender)
            .and_then(|member| member.muted)
        {
            Some(None) => Err(Refusal::Muted { retry_after: None }),
            Some(Some(until)) if until > draft.at => Err(Refusal::Muted {
                retry_after: Some(until.since(draft.at)),
            }),
            _ => Ok(role),
        }
    }

    fn keep_slow_mode(&mut self, draft: &Draft, role: Role) -> Result<(), Refusal> {
        let Some(span) = self.room(draft)?.settings.slow_mode() else {
            return Ok(());
        };
        if role >= Role::Moderator {
            return Ok(());
        }
        let wrote_at = self
            .member(&draft.room, &draft.sender)
            .and_then(|member| member.wrote_at);
        match wrote_at.map(|at| at.plus(span)) {
            Some(next) if next > draft.at => Err(Refusal::SlowMode {
                retry_after: next.since(draft.at),
            }),
            _ => {
                self.touch_member(&draft.room, &draft.sender, |member| {
                    member.wrote_at = Some(draft.at)
                });
                Ok(())
            }
        }
    }

    /// A message, deleted or not. What the room no longer shows is not there: retention removed it, or it was said
    /// before the room was closed and opened anew.
    fn find(&self, draft: &Draft, seq: u64) -> Option<&MessageFact> {
        let room = self.facts.rooms.get(&draft.room)?;
        let fact = self.facts.messages.get(&(draft.room.clone(), seq));
        fact.filter(|_| seq >= room.min_seq)
    }

    fn check_refs(&self, draft: &Draft, message: &MessageCreated) -> Result<(), Refusal> {
        if message
            .reply_to
            .is_some_and(|seq| self.find(draft, seq).is_none())
        {
            return Err(Refusal::NotFound("the message in replyTo"));
        }
        match message.thread.map(|seq| self.find(draft, seq)) {
            Some(None) => Err(Refusal::NotFound("the message in thread")),
            Some(Some(root)) if root.thread.is_some() => Err(Refusal::InvalidMessage(
                "thread is the seq of the thread's first message, not of a reply".into(),
            )),
            _ => Ok(()),
        }
    }

    fn message(&self, draft: &Draft, seq: u64) -> Result<&MessageFact, Refusal> {
        self.find(draft, seq)
            .filter(|message| !message.deleted)
            .ok_or(Refusal::NotFound("this message"))
    }

    pub(super) fn edit(&self, draft: &Draft, ref_seq: u64, content: &str) -> Decision {
        self.author(draft)?;
        if self.message(draft, ref_seq)?.sender != draft.sender {
            return Err(Refusal::Forbidden("only its author edits a message"));
        }
        Ok(Some(EventBody::MessageUpdated(MessageUpdated {
            ref_seq,
            content: content.to_owned(),
        })))
    }

    pub(super) fn delete(&self, draft: &Draft, ref_seq: u64) -> Decision {
        let role = self.acting_role(draft)?;
        if self.message(draft, ref_seq)?.sender != draft.sender && role < Role::Moderator {
            return Err(Refusal::Forbidden(
                "only its author or a moderator deletes a message",
            ));
        }
        Ok(Some(EventBody::MessageDeleted(MessageDeleted { ref_seq })))
    }

    pub(super) fn react(&self, draft: &Draft, ref_seq: u64, emoji: &str, add: bool) -> Decision {
        self.unmuted(draft)?;
        self.message(draft, ref_seq)?;
        let key = (
            draft.room.clone(),
            ref_seq,
            draft.sender.clone(),
            emoji.to_owned(),
        );
        if self.facts.reactions.contains(&key) == add {
            return Ok(None);
        }
        let body = Reaction {
            ref_seq,
            emoji: emoji.to_owned(),
        };
        Ok(Some(if add {
            EventBody::ReactionAdded(body)
        } else {
            EventBody::ReactionRemoved(body)
        }))
    }

    pub(super) fn notify(&mut self, draft: &Draft, notification: &Notification) -> Decision {
        let reserved = draft.room.reserved();
        if !matches!(reserved, Some(Reserved::Inbox(_) | Reserved::Announcements)) {
            return Err(Refusal::Forbidden("notifications go to an inbox or to @all"));
        }
        if draft.authority != Authority::Admin {
            return Err(Refusal::Forbidden(
                "only administrators of the service send notifications",
            ));
        }
        self.ensure_reserved(draft);
        Ok(Some(EventBody::Notification(notification.clone())))
    }

    /// Direct rooms, inboxes and `@all` come into being with their first event.
    fn ensure_reserved(&mut self, draft: &Draft) {
        if self.facts.rooms.contains_key(&draft.room) {
            return;
        }
        let spec = RoomSpec {
            name: String::new(),
            kind: RoomKind::Direct,
            description: String::new(),
            max_members: 2,
            settings: RoomSettings::default(),
        };
        self.open(draft, &spec);
        if let Some(Reserved::Direct(a, b)) = draft.room.reserved() {
            for user in if a == b { vec![a] } else { vec![a, b] } {
                let name = draft.sender_name.clone().filter(|_| user == draft.sender);
                self.touch_member(&draft.room, &user, |member| {
                    member.standing = Standing::Joined;
                    member.joined_at = draft.at;
                    member.name = name;
                });
                self.touch_room(&draft.room, |room| room.member_count += 1);
            }
        }
    }
}
