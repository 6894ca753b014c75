//! Presence: say one's own, follow others'.

use std::sync::Arc;

use starling_core::{
    Refusal, UserId,
    presence::{Status, UserPresence},
};
use starling_protocol::{command::SetPresence, event::PresenceChanged};

use super::{away, check_length};
use crate::{node::Node, session::Session};

const MAX_CUSTOM: usize = 128;

/// Sets the session's status.
pub(crate) fn set(node: &Node, session: &Session, command: SetPresence) -> Result<SetPresence, Refusal> {
    if command.status == Status::Offline {
        return Err(Refusal::InvalidMessage(
            "status is online, away, busy or invisible".into(),
        ));
    }
    if let Some(text) = &command.custom_status {
        check_length("customStatus", text, 0, MAX_CUSTOM)?;
    }
    let custom = command.custom_status.clone().filter(|text| !text.is_empty());
    session.show(command.status, custom, node.clock.now());
    node.presence.touch(session.user.clone());
    Ok(command)
}

/// Follows users' presence; the reply is what it is now.
pub(crate) async fn watch(
    node: &Arc<Node>,
    session: &Arc<Session>,
    users: Vec<UserId>,
) -> Result<PresenceChanged, Refusal> {
    let max = node.config.presence.max_watched;
    if users.len() > max {
        return Err(Refusal::InvalidMessage(format!(
            "at most {max} users can be watched"
        )));
    }
    let new = session.watch(users.clone(), max)?;
    // First listen, then look: a change in between is told rather than lost.
    node.watch(session, new).await;
    lookup(node, &users).await
}

/// What others see of these users.
pub(crate) async fn lookup(node: &Node, users: &[UserId]) -> Result<PresenceChanged, Refusal> {
    let found: Vec<UserPresence> = node
        .backend
        .presence
        .lookup(users)
        .await
        .map_err(|error| away(&error))?;
    Ok(PresenceChanged { users: found })
}
