//! What a session follows live. The order is always: attach (held), write the reply, activate; so what was missed comes
//! behind the reply, and what happens meanwhile behind what was missed.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use starling_core::{Cursor, Refusal, Role, Room, RoomId, ports::Unread};
use starling_protocol::{
    CommandId, ErrorBody,
    command::{JoinRoom, LooseId, Subscribe, SubscribeRoom, Unsubscribe},
    reply::{Joined, LiveRoom, RoomView, SubscribedRoom, SubscribedRooms},
};
use tokio::{sync::oneshot, time::timeout};

use super::{Actor, Session};
use crate::{
    conn::Class,
    hub::{Attach, Attached, From, ToShard},
    node::Node,
    ops,
};

/// Messages in the reply to `join_room` at most.
const MAX_JOIN_HISTORY: usize = 100;
/// How long a reply waits to know how many there are elsewhere: a number to look at, and not worth more.
const COUNT_PATIENCE: Duration = Duration::from_millis(500);
/// Rooms read at once for `subscribe {all}`.
const ROOM_PAGE: usize = 500;

fn parse_cursor(text: Option<&str>) -> Result<From, Refusal> {
    match text {
        None => Ok(From::Head),
        Some(text) => Ok(From::Cursor(text.parse::<Cursor>()?)),
    }
}

/// Attaches the session to a room, held. Its user reads the room as of the seq `since`.
async fn attach(
    node: &Node,
    session: &Arc<Session>,
    room: &RoomId,
    from: From,
    since: u64,
) -> Result<Attached, Refusal> {
    let max = node.config.rooms.max_per_session;
    if !session.note_room(room, max)? {
        return Err(Refusal::unavailable());
    }
    let (reply, replied) = oneshot::channel();
    let attach = Attach {
        room: room.clone(),
        session: session.clone(),
        from,
        since,
        reply: Some(reply),
    };
    node.hub.tell(room, ToShard::Attach(attach)).await;
    let mut attached = replied.await.unwrap_or_else(|_| Err(Refusal::unavailable()));
    if attached.as_ref().is_ok_and(|there| !there.is_covered_by(since)) {
        // What ended the membership since then was handed out before the session was there to hear it.
        let actor = Actor {
            identity: session.identity(),
        };
        let reads = ops::rooms::require_reader(node, &actor, room).await;
        attached = reads.and(attached);
    }
    if attached.is_err() {
        detach(node, session, room).await;
    }
    attached
}

/// Ends live delivery, where there is any.
pub(super) async fn detach(node: &Node, session: &Session, room: &RoomId) {
    detach_by(node, session, room, None).await;
}

/// The same, where live delivery ends with the event of this seq; a session that never sees it come ends it here.
pub(super) async fn detach_by(node: &Node, session: &Session, room: &RoomId, by: Option<u64>) {
    if session.forget_room(room) {
        let detach = ToShard::Detach {
            room: room.clone(),
            key: session.conn.key,
            by,
        };
        node.hub.tell(room, detach).await;
    }
}

/// Tells what was not delivered, and lets deliver.
async fn activate(node: &Node, session: &Session, room: RoomId, attached: Attached) {
    if let Some(gap) = attached.gap {
        session.conn.send_event("gap", &gap, Class::Reply);
    }
    let key = session.conn.key;
    node.hub
        .tell(&room.clone(), ToShard::Activate { room, key })
        .await;
}

/// `join_room`.
pub(super) async fn join(
    node: &Arc<Node>,
    actor: &Actor,
    session: &Arc<Session>,
    id: Option<&CommandId>,
    command: JoinRoom,
) -> Result<(), Refusal> {
    let from = parse_cursor(command.cursor.as_deref())?;
    let membership = ops::rooms::join(node, actor, &command.room_id).await?;
    let since = membership.0.last_seq;
    let attached = attach(node, session, &command.room_id, from, since).await?;
    let reply = joined(node, actor, membership, &attached, command.history).await;
    match reply {
        Ok(reply) => session.conn.reply(id, &reply),
        Err(refusal) => {
            // Live delivery was asked for with this reply: without it there is none.
            detach(node, session, &command.room_id).await;
            return Err(refusal);
        }
    }
    activate(node, session, command.room_id, attached).await;
    Ok(())
}

async fn joined(
    node: &Node,
    actor: &Actor,
    (room, role): (Room, Role),
    attached: &Attached,
    history: Option<usize>,
) -> Result<Joined, Refusal> {
    let limit = history
        .unwrap_or(node.config.rooms.history_on_join)
        .min(MAX_JOIN_HISTORY);
    let messages = ops::messages::latest(node, &room.id, attached.head.seq, limit).await?;
    let unread = unread(node, actor, std::slice::from_ref(&room.id))
        .await?
        .first()
        .copied()
        .unwrap_or_default();
    Ok(Joined {
        room: RoomView {
            head: attached.head.seq,
            ..RoomView::from(&room)
        },
        role,
        head: attached.head.seq,
        cursor: attached.head,
        messages,
        online_count: online_count(node, &room.id, attached).await,
        unread: unread.unread,
        mentions: unread.mentions,
        limited: attached.limited,
    })
}

/// What the others say, with what this node said earlier replaced by what it knows now.
async fn online_count(node: &Node, room: &RoomId, attached: &Attached) -> u32 {
    let all = node.backend.presence.room_counts(std::slice::from_ref(room));
    let all = timeout(COUNT_PATIENCE, all).await;
    let said = all
        .ok()
        .and_then(Result::ok)
        .and_then(|counts| counts.first().copied())
        .unwrap_or_default();
    said.saturating_sub(attached.reported_users) + attached.local_users
}

async fn unread(node: &Node, actor: &Actor, rooms: &[RoomId]) -> Result<Vec<Unread>, Refusal> {
    node.backend
        .markers
        .unread(actor.user(), rooms)
        .await
        .map_err(|error| ops::away(&error))
}

/// `subscribe`.
pub(super) async fn subscribe(
    node: &Arc<Node>,
    actor: &Actor,
    session: &Arc<Session>,
    id: Option<&CommandId>,
    command: Subscribe,
) -> Result<(), Refusal> {
    let max = node.config.rooms.max_per_session;
    if command.rooms.len() > max {
        return Err(Refusal::TooManyRooms { max });
    }
    if !command.all && command.rooms.is_empty() {
        return Err(Refusal::InvalidMessage("name rooms, or say all: true".into()));
    }
    let wanted = if command.all {
        all_rooms(node, actor, command).await?
    } else {
        command.rooms
    };
    let tried = join_all(
        wanted
            .iter()
            .map(|room| subscribe_one(node, actor, session, room)),
    )
    .await;
    let live: Vec<RoomId> = tried.iter().flatten().map(|(room, _)| room.clone()).collect();
    let counts = unread(node, actor, &live).await;
    let mut counts = match &counts {
        Ok(counts) => counts.iter(),
        Err(_) => [].iter(),
    };
    let mut rooms = Vec::with_capacity(tried.len());
    let mut attached = Vec::with_capacity(tried.len());
    for (wanted, tried) in wanted.iter().zip(tried) {
        rooms.push(match tried {
            Err(refusal) => SubscribedRoom::Failed {
                room_id: wanted.room_id.to_string(),
                error: ErrorBody::from(&refusal),
            },
            Ok((room_id, there)) => {
                let counts = counts.next().copied().unwrap_or_default();
                let (head, cursor, limited) = (there.head.seq, there.head, there.limited);
                attached.push((room_id.clone(), there));
                let (unread, mentions) = (counts.unread, counts.mentions);
                SubscribedRoom::Live(LiveRoom {
                    room_id,
                    head,
                    cursor,
                    limited,
                    unread,
                    mentions,
                })
            }
        });
    }
    session.conn.reply(id, &SubscribedRooms { rooms });
    for (room, there) in attached {
        activate(node, session, room, there).await;
    }
    Ok(())
}

async fn subscribe_one(
    node: &Arc<Node>,
    actor: &Actor,
    session: &Arc<Session>,
    wanted: &SubscribeRoom,
) -> Result<(RoomId, Attached), Refusal> {
    let room = RoomId::parse(&wanted.room_id.to_string())?;
    let from = parse_cursor(wanted.cursor.as_deref())?;
    let since = ops::rooms::require_reader(node, actor, &room).await?;
    let attached = attach(node, session, &room, from, since).await?;
    Ok((room, attached))
}

/// Every room that the user has joined, direct rooms included, and, where the client has a cursor for them, the inbox
/// and the announcements.
async fn all_rooms(node: &Node, actor: &Actor, command: Subscribe) -> Result<Vec<SubscribeRoom>, Refusal> {
    let Subscribe { mut cursors, .. } = command;
    let max = node.config.rooms.max_per_session;
    let mut wanted = Vec::new();
    let mut after: Option<RoomId> = None;
    loop {
        let rooms = &node.backend.rooms;
        let page = rooms
            .rooms_of(actor.user(), after.as_ref(), ROOM_PAGE)
            .await
            .map_err(|error| ops::away(&error))?;
        for (room, _) in &page.items {
            let cursor = cursors.remove(room.id.as_str());
            wanted.push(SubscribeRoom {
                room_id: LooseId::Text(room.id.to_string()),
                cursor,
            });
        }
        after = page.items.last().map(|(room, _)| room.id.clone());
        if !page.has_more || wanted.len() >= max {
            break;
        }
    }
    // Rooms that the client knows and is no member of any more are answered with an error, so that it learns.
    let others = cursors.into_iter().take(max);
    wanted.extend(others.map(|(room, cursor)| SubscribeRoom {
        room_id: LooseId::Text(room),
        cursor: Some(cursor),
    }));
    Ok(wanted)
}

/// `unsubscribe`.
pub(super) async fn unsubscribe(node: &Node, session: &Session, command: Unsubscribe) {
    for room in command.room_ids {
        detach(node, session, &room).await;
    }
}
