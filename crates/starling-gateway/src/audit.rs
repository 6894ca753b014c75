//! What an auditor asks for: who came in and who was refused, who changed whose rights, what administrators did.
//!
//! All of it goes to the log under one target, `starling::audit`, so that it can be kept apart: as JSON, by the field
//! `target`. Sign-ins are at the level `debug`, because there is one for each connection; everything else is at `info`.

use starling_core::{Action, NodeId, Outcome, Refusal, RoomId, SessionId, UserId};

const TARGET: &str = "starling::audit";

/// A session has begun.
pub(crate) fn signed_in(user: &UserId, session: &SessionId) {
    tracing::debug!(target: TARGET, { user.id = %user, session.id = %session }, "signed in");
}

/// Somebody without an account has got one.
pub(crate) fn guest(user: &UserId) {
    tracing::info!(target: TARGET, { user.id = %user }, "a guest signed in");
}

/// Somebody was not let in.
pub(crate) fn refused(result: &str, code: &str) {
    tracing::info!(target: TARGET, result, code, "refused");
}

/// An administrator of the service has used their power.
pub(crate) fn administered(what: &str, admin: &UserId, user: Option<&UserId>) {
    let user = user.map(tracing::field::display);
    tracing::info!(target: TARGET, { actor.id = %admin, user.id = user }, "{what}");
}

/// The node was told to drain.
pub(crate) fn drain(admin: &UserId, node: &NodeId) {
    tracing::info!(target: TARGET, { actor.id = %admin, node.id = %node }, "a drain was asked for");
}

/// An action that changes somebody's rights.
pub(crate) struct Act {
    what: &'static str,
    user: Option<UserId>,
    role: Option<&'static str>,
}

impl Act {
    /// Of an action; `None` where it changes nobody's rights but the actor's own.
    pub(crate) fn of(action: &Action) -> Option<Self> {
        let on = |what, user: &UserId| {
            Some(Self {
                what,
                user: Some(user.clone()),
                role: None,
            })
        };
        match action {
            Action::Invite { user, .. } => on("invite", user),
            Action::Kick { user, .. } => on("kick", user),
            Action::Ban { user, .. } => on("ban", user),
            Action::Unban { user } => on("unban", user),
            Action::Mute { user, .. } => on("mute", user),
            Action::Unmute { user } => on("unmute", user),
            Action::SetRole { user, role } => Some(Self {
                what: "set_role",
                user: Some(user.clone()),
                role: Some(role.as_str()),
            }),
            Action::DeleteRoom => Some(Self {
                what: "delete_room",
                user: None,
                role: None,
            }),
            _ => None,
        }
    }

    /// It was decided: done, or refused with a code.
    pub(crate) fn decided(&self, actor: &UserId, room: &RoomId, outcome: &Result<Outcome, Refusal>) {
        let result = match outcome {
            Ok(Outcome::Refused(refusal)) | Err(refusal) => refusal.code(),
            Ok(_) => "done",
        };
        let user = self.user.as_ref().map(tracing::field::display);
        tracing::info!(
            target: TARGET,
            { actor.id = %actor, room.id = %room, user.id = user, role = self.role, result },
            "{}",
            self.what
        );
    }
}
