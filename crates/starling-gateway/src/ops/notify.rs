//! What administrators and the application's own servers send: notifications, announcements, disconnects.

use starling_core::{Action, Refusal, RoomId, UserId, event::Notification, ports::Topic};
use starling_protocol::{CloseCode, reply::Appended};

use super::{append, json_len};
use crate::{audit, node::Node, notice::Notice, pump, session::Actor};

const MAX_TOPIC_BYTES: usize = 64;
const MAX_PAYLOAD_BYTES: usize = 16 << 10;

/// To whom a notification goes.
pub(crate) enum To {
    /// One user's inbox.
    User(UserId),
    /// Everybody.
    All,
}

/// Sends a notification, durable.
pub(crate) async fn notify(
    node: &Node,
    actor: &Actor,
    to: To,
    what: Notification,
) -> Result<Appended, Refusal> {
    require_admin(actor)?;
    if what.topic.is_empty() || what.topic.len() > MAX_TOPIC_BYTES {
        return Err(Refusal::InvalidMessage(format!(
            "topic has 1 to {MAX_TOPIC_BYTES} bytes"
        )));
    }
    if json_len(&what.payload) > MAX_PAYLOAD_BYTES {
        return Err(Refusal::MessageTooLong {
            max: MAX_PAYLOAD_BYTES,
            unit: "bytes of payload",
        });
    }
    let room = match to {
        To::User(user) => {
            audit::administered("a user was notified", actor.user(), Some(&user));
            RoomId::inbox(&user)
        }
        To::All => {
            audit::administered("everybody was notified", actor.user(), None);
            RoomId::all()
        }
    };
    append(node, actor, room, Action::Notify(what)).await
}

/// Closes every session of a user, on every node.
pub(crate) fn disconnect(node: &Node, actor: &Actor, user: &UserId) -> Result<(), Refusal> {
    require_admin(actor)?;
    audit::administered("a user was disconnected", actor.user(), Some(user));
    let code = CloseCode::Banned.code();
    node.publish(
        vec![Topic::User(user.clone())],
        &Notice::Disconnect {
            user: user.clone(),
            code,
        },
    );
    pump::disconnect(node, user, code);
    Ok(())
}

/// Lets only administrators of the service pass.
pub(crate) fn require_admin(actor: &Actor) -> Result<(), Refusal> {
    if actor.identity.admin {
        Ok(())
    } else {
        Err(Refusal::Forbidden(
            "only administrators do this: the token's roles must contain admin",
        ))
    }
}
