//! Actions by their names, with the fields that most tests do not care for filled in.

use crate::{
    Action, Role, RoomKind, RoomSettings, Timestamp,
    draft::RoomSpec,
    event::{MessageCreated, Notification, RoomUpdated},
};

use super::world::user;

/// More rooms than any test opens.
const MANY: u32 = 1000;

pub(super) fn spec(kind: RoomKind) -> RoomSpec {
    RoomSpec {
        name: "A room".to_owned(),
        kind,
        description: String::new(),
        max_members: 100,
        settings: RoomSettings::default(),
    }
}

pub(super) fn create(kind: RoomKind) -> Action {
    create_as(spec(kind))
}

pub(super) fn create_as(spec: RoomSpec) -> Action {
    Action::CreateRoom {
        spec,
        max_rooms: MANY,
    }
}

/// A join that creates nothing.
pub(super) fn join() -> Action {
    Action::Join {
        auto_create: None,
        max_rooms: MANY,
    }
}

/// A join that creates the room where it is missing.
pub(super) fn join_or_create() -> Action {
    Action::Join {
        auto_create: Some(spec(RoomKind::Public)),
        max_rooms: MANY,
    }
}

/// The same action by a sender who is in at most so many rooms.
pub(super) fn at_most(action: Action, max_rooms: u32) -> Action {
    match action {
        Action::Join { auto_create, .. } => Action::Join {
            auto_create,
            max_rooms,
        },
        Action::CreateRoom { spec, .. } => Action::CreateRoom { spec, max_rooms },
        other => other,
    }
}

pub(super) fn rename(name: &str) -> Action {
    Action::UpdateRoom(RoomUpdated {
        name: Some(name.to_owned()),
        ..RoomUpdated::default()
    })
}

pub(super) fn slow_mode(slow_mode_seconds: u32) -> Action {
    Action::UpdateRoom(RoomUpdated {
        settings: Some(RoomSettings {
            slow_mode_seconds,
            ..RoomSettings::default()
        }),
        ..RoomUpdated::default()
    })
}

pub(super) fn max_members(max: u32) -> Action {
    Action::UpdateRoom(RoomUpdated {
        max_members: Some(max),
        ..RoomUpdated::default()
    })
}

pub(super) fn invite(who: &str, role: Role) -> Action {
    Action::Invite {
        user: user(who),
        role,
    }
}

pub(super) fn kick(who: &str) -> Action {
    Action::Kick {
        user: user(who),
        reason: None,
    }
}

pub(super) fn ban(who: &str, until: Option<Timestamp>) -> Action {
    Action::Ban {
        user: user(who),
        until,
        reason: None,
    }
}

pub(super) fn unban(who: &str) -> Action {
    Action::Unban { user: user(who) }
}

pub(super) fn mute(who: &str, until: Option<Timestamp>) -> Action {
    Action::Mute {
        user: user(who),
        until,
        reason: None,
    }
}

pub(super) fn unmute(who: &str) -> Action {
    Action::Unmute { user: user(who) }
}

pub(super) fn set_role(who: &str, role: Role) -> Action {
    Action::SetRole {
        user: user(who),
        role,
    }
}

pub(super) fn message(content: &str) -> MessageCreated {
    MessageCreated {
        content: content.to_owned(),
        content_type: "text/plain".to_owned(),
        reply_to: None,
        thread: None,
        attachments: Vec::new(),
        mentions: Vec::new(),
        metadata: None,
    }
}

pub(super) fn send(content: &str) -> Action {
    Action::Send(message(content))
}

pub(super) fn reply(seq: u64, content: &str) -> Action {
    Action::Send(MessageCreated {
        reply_to: Some(seq),
        ..message(content)
    })
}

pub(super) fn in_thread(seq: u64, content: &str) -> Action {
    Action::Send(MessageCreated {
        thread: Some(seq),
        ..message(content)
    })
}

pub(super) fn edit(ref_seq: u64, content: &str) -> Action {
    Action::Edit {
        ref_seq,
        content: content.to_owned(),
    }
}

pub(super) fn delete(ref_seq: u64) -> Action {
    Action::Delete { ref_seq }
}

pub(super) fn react(ref_seq: u64, emoji: &str) -> Action {
    Action::React {
        ref_seq,
        emoji: emoji.to_owned(),
    }
}

pub(super) fn unreact(ref_seq: u64, emoji: &str) -> Action {
    Action::Unreact {
        ref_seq,
        emoji: emoji.to_owned(),
    }
}

pub(super) fn notify(topic: &str) -> Action {
    Action::Notify(Notification {
        topic: topic.to_owned(),
        payload: serde_json::json!({ "n": 1 }),
    })
}

pub(super) fn leave() -> Action {
    Action::Leave
}

pub(super) fn close() -> Action {
    Action::DeleteRoom
}
