//! What leaves nothing behind: typing, signals. It goes to those who follow the room live, on every node.

use starling_core::{Refusal, RoomId};
use starling_protocol::{command::Signal, event::SignalEvent};

use super::{json_len, notify, rooms};
use crate::{
    hub::{SharedFrame, ToShard},
    node::Node,
    notice::Notice,
    session::Actor,
};

/// Bytes of a signal's payload, as JSON.
const MAX_SIGNAL_BYTES: usize = 4 << 10;
/// Bytes of a signal's name.
const MAX_SIGNAL_NAME: usize = 64;

/// Lets only those pass who may be heard in a room without following it: its readers, and administrators.
pub(crate) async fn require_voice(node: &Node, actor: &Actor, room: &RoomId) -> Result<(), Refusal> {
    if actor.identity.admin && room.is_reserved() {
        return Ok(());
    }
    rooms::require_reader(node, actor, room).await.map(drop)
}

/// Everybody reads `@all`, and only administrators speak to everybody.
fn check_audience(actor: &Actor, room: &RoomId) -> Result<(), Refusal> {
    if *room == RoomId::all() {
        notify::require_admin(actor)?;
    }
    Ok(())
}

/// Tells that the actor types, or has stopped. The connection `skip` is not told.
pub(crate) async fn typing(
    node: &Node,
    actor: &Actor,
    room: RoomId,
    is_typing: bool,
    skip: Option<u64>,
) -> Result<(), Refusal> {
    check_audience(actor, &room)?;
    let user = actor.user().clone();
    let told = ToShard::Typing {
        room: room.clone(),
        user: user.clone(),
        is_typing,
        skip,
    };
    node.hub.tell(&room, told).await;
    let notice = Notice::Typing {
        room: room.clone(),
        user,
        is_typing,
    };
    node.publish_to_room(&room, &notice);
    Ok(())
}

/// Sends a signal to the other nodes; the answer is what the hub of this one is to be told. The connection `skip` does
/// not get it.
pub(crate) fn signal(
    node: &Node,
    actor: &Actor,
    signal: Signal,
    skip: Option<u64>,
) -> Result<(RoomId, SharedFrame), Refusal> {
    let Signal {
        room_id: room,
        name,
        payload,
    } = signal;
    check_audience(actor, &room)?;
    if name.is_empty() || name.len() > MAX_SIGNAL_NAME {
        return Err(Refusal::InvalidMessage(format!(
            "a signal's name has 1 to {MAX_SIGNAL_NAME} bytes"
        )));
    }
    if json_len(&payload) > MAX_SIGNAL_BYTES {
        return Err(Refusal::MessageTooLong {
            max: MAX_SIGNAL_BYTES,
            unit: "bytes of payload",
        });
    }
    let event = SignalEvent {
        room_id: room.clone(),
        sender_id: actor.user().clone(),
        name,
        payload,
    };
    if !node.backend.bus.is_alone() {
        let SignalEvent {
            room_id,
            sender_id,
            name,
            payload,
        } = event.clone();
        let notice = Notice::Signal {
            room: room_id,
            sender: sender_id,
            name,
            payload,
        };
        node.publish_to_room(&room, &notice);
    }
    Ok((room, SharedFrame::new("signal", event, skip)))
}
