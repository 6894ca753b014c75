//! Messages: write, change, read.

use opentelemetry::trace::SpanContext;
use starling_core::{
    Action, Draft, Message, Outcome, Refusal, RoomEvent, RoomId,
    event::MessageCreated,
    ports::{Span, Topic},
};
use starling_protocol::{
    command::{
        DeleteMessage, EditMessage, FetchEvents, FetchHistory, MarkRead, NewMessage, React, SendMessage,
    },
    event::EventPage,
    reply::{Appended, Messages, Read, Sent},
};
use tokio::time::Instant;

use super::{append, away, json_len, limit, rooms};
use crate::{lanes, node::Node, notice::Notice, pump, session::Actor};

const DEFAULT_PAGE: usize = 50;
const MAX_PAGE: usize = 200;
const DEFAULT_EVENTS: usize = 200;
const MAX_EVENTS: usize = 500;
const MAX_ATTACHMENTS: usize = 10;
const MAX_URL_BYTES: usize = 2048;
const MAX_MENTIONS: usize = 50;
const MAX_EMOJI_BYTES: usize = 64;
const MAX_CONTENT_TYPE_BYTES: usize = 128;
/// Receipts go to rooms with at most so many members.
const MAX_RECEIPT_MEMBERS: u32 = 100;

/// What a `send_message` asks the log to append.
pub(crate) fn draft(node: &Node, actor: &Actor, command: SendMessage) -> Result<Draft, Refusal> {
    let room = match (command.room_id, command.recipient_id) {
        (Some(room), None) => room,
        (None, Some(recipient)) => RoomId::direct(actor.user(), &recipient),
        _ => {
            return Err(Refusal::InvalidMessage(
                "name either roomId or recipientId".into(),
            ));
        }
    };
    let message = check(node, command.message)?;
    let mut draft = super::draft(node, actor, room, Action::Send(message));
    if let Some(client_id) = command.client_id {
        if !client_id.is_from_client() {
            return Err(Refusal::InvalidMessage("a clientId does not begin with ~".into()));
        }
        draft.client_id = client_id;
    }
    Ok(draft)
}

/// Sends a message and waits until it is durable. Sessions do not wait: their lane writes the reply.
///
/// `caller` is the trace that the request belongs to.
pub(crate) async fn send(
    node: &Node,
    actor: &Actor,
    command: SendMessage,
    caller: Option<&SpanContext>,
) -> Result<Sent, Refusal> {
    let accepted = Instant::now();
    let draft = draft(node, actor, command)?;
    node.metrics.messages_in.inc();
    let trace = node.trace(&draft.room, accepted, caller);
    let (event, duplicate) = match node.lanes.append_traced(draft, trace).await? {
        Outcome::Committed(event) => (event, false),
        Outcome::Repeated(event) => (event, true),
        // A message is a new event or a refusal.
        Outcome::Unchanged => return Err(Refusal::Internal),
        Outcome::Refused(refusal) => return Err(refusal),
    };
    node.metrics.send_to_ack.record(accepted.elapsed());
    Ok(lanes::sent(&event, duplicate))
}

fn check(node: &Node, message: NewMessage) -> Result<MessageCreated, Refusal> {
    check_content(node, &message.content, message.attachments.is_empty())?;
    let invalid = |why: String| Err(Refusal::InvalidMessage(why));
    if message.attachments.len() > MAX_ATTACHMENTS {
        return invalid(format!("a message has at most {MAX_ATTACHMENTS} attachments"));
    }
    if message
        .attachments
        .iter()
        .any(|file| file.url.is_empty() || file.url.len() > MAX_URL_BYTES)
    {
        return invalid(format!("an attachment's url has 1 to {MAX_URL_BYTES} bytes"));
    }
    if message.mentions.len() > MAX_MENTIONS {
        return invalid(format!("a message mentions at most {MAX_MENTIONS} users"));
    }
    let max = node.config.messages.max_metadata_bytes;
    if message
        .metadata
        .as_ref()
        .is_some_and(|metadata| json_len(metadata) > max)
    {
        return Err(Refusal::MessageTooLong {
            max,
            unit: "bytes of metadata",
        });
    }
    let content_type = message.content_type.unwrap_or_else(|| "text/plain".to_owned());
    if content_type.is_empty() || content_type.len() > MAX_CONTENT_TYPE_BYTES {
        return invalid(format!("contentType has 1 to {MAX_CONTENT_TYPE_BYTES} bytes"));
    }
    Ok(MessageCreated {
        content: message.content,
        content_type,
        reply_to: message.reply_to,
        thread: message.thread,
        attachments: message.attachments,
        mentions: message.mentions,
        metadata: message.metadata,
    })
}

fn check_content(node: &Node, content: &str, required: bool) -> Result<(), Refusal> {
    let max = node.config.messages.max_length;
    // A character has at least one byte: only long texts are counted.
    if content.len() > max && content.chars().count() > max {
        return Err(Refusal::MessageTooLong {
            max,
            unit: "characters",
        });
    }
    if content.is_empty() && required {
        return Err(Refusal::InvalidMessage(
            "content is empty; a message without text has attachments".into(),
        ));
    }
    Ok(())
}

/// Replaces the content of one's own message.
pub(crate) async fn edit(node: &Node, actor: &Actor, command: EditMessage) -> Result<Appended, Refusal> {
    check_content(node, &command.content, true)?;
    let action = Action::Edit {
        ref_seq: command.seq,
        content: command.content,
    };
    append(node, actor, command.room_id, action).await
}

/// Deletes a message.
pub(crate) async fn delete(node: &Node, actor: &Actor, command: DeleteMessage) -> Result<Appended, Refusal> {
    append(
        node,
        actor,
        command.room_id,
        Action::Delete { ref_seq: command.seq },
    )
    .await
}

/// Reacts to a message, or takes it back.
pub(crate) async fn react(
    node: &Node,
    actor: &Actor,
    command: React,
    add: bool,
) -> Result<Appended, Refusal> {
    let React {
        room_id,
        seq: ref_seq,
        emoji,
    } = command;
    if emoji.is_empty() || emoji.len() > MAX_EMOJI_BYTES || emoji.chars().any(char::is_control) {
        return Err(Refusal::InvalidMessage(format!(
            "an emoji has 1 to {MAX_EMOJI_BYTES} bytes"
        )));
    }
    let action = if add {
        Action::React { ref_seq, emoji }
    } else {
        Action::Unreact { ref_seq, emoji }
    };
    append(node, actor, room_id, action).await
}

/// The last messages up to a seq, for the reply to `join_room`.
pub(crate) async fn latest(
    node: &Node,
    room: &RoomId,
    head: u64,
    limit: usize,
) -> Result<Vec<Message>, Refusal> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let page = node
        .backend
        .history
        .messages(room, Span::Before(head + 1), None, limit)
        .await;
    Ok(page.map_err(|error| away(&error))?.messages)
}

/// A page of messages in their present state.
pub(crate) async fn history(node: &Node, actor: &Actor, command: FetchHistory) -> Result<Messages, Refusal> {
    let span = match (command.before, command.after, command.around) {
        (None, None, None) => Span::Latest,
        (Some(seq), None, None) => Span::Before(seq),
        (None, Some(seq), None) => Span::After(seq),
        (None, None, Some(seq)) => Span::Around(seq),
        _ => {
            return Err(Refusal::InvalidMessage(
                "give one of before, after and around".into(),
            ));
        }
    };
    let limit = limit(command.limit, DEFAULT_PAGE, MAX_PAGE)?;
    rooms::require_reader(node, actor, &command.room_id).await?;
    let page = node
        .backend
        .history
        .messages(&command.room_id, span, command.thread, limit)
        .await;
    let page = page.map_err(|error| away(&error))?;
    Ok(Messages {
        messages: page.messages,
        has_more: page.has_more,
    })
}

/// A page of events as they happened.
pub(crate) async fn events(node: &Node, actor: &Actor, command: FetchEvents) -> Result<Events, Refusal> {
    let limit = limit(command.limit, DEFAULT_EVENTS, MAX_EVENTS)?;
    let room = &command.room_id;
    rooms::require_reader(node, actor, room).await?;
    let log = &node.backend.log;
    let heads = log.heads(std::slice::from_ref(room)).await;
    let heads = heads.map_err(|error| away(&error))?;
    // What was said before the room was closed and opened anew is in the log still.
    let first = heads.first().map_or(1, |head| head.min_seq);
    let after = command.after.max(first.saturating_sub(1));
    // One more than asked says whether there are more.
    let events = log.read(room, after, limit + 1).await;
    let mut events = events.map_err(|error| away(&error))?;
    let has_more = events.len() > limit;
    events.truncate(limit);
    Ok(Events { events, has_more })
}

/// Events that a reply lends from.
pub(crate) struct Events {
    events: Vec<RoomEvent>,
    has_more: bool,
}

impl Events {
    pub(crate) fn as_reply(&self) -> EventPage<'_> {
        EventPage {
            events: &self.events,
            has_more: self.has_more,
        }
    }
}

/// Moves the actor's read marker, and tells their other devices and, in a small room, the members.
pub(crate) async fn mark_read(node: &Node, actor: &Actor, command: MarkRead) -> Result<Read, Refusal> {
    let MarkRead { room_id: room, seq } = command;
    rooms::require_reader(node, actor, &room).await?;
    let marker = node
        .backend
        .markers
        .mark_read(&room, actor.user(), seq)
        .await
        .map_err(|error| away(&error))?;
    let marker = marker.ok_or(Refusal::NotMember)?;
    let left = (marker.unread.unread, marker.unread.mentions);
    if marker.moved {
        let user = actor.user().clone();
        tell_read(
            node,
            Topic::User(user.clone()),
            &room,
            (&user, marker.seq),
            Some(left),
        )
        .await;
        let known = node
            .backend
            .rooms
            .room(&room)
            .await
            .map_err(|error| away(&error))?;
        if !room.is_reserved() && known.is_some_and(|room| room.member_count <= MAX_RECEIPT_MEMBERS) {
            tell_read(node, Topic::Room(room.clone()), &room, (&user, marker.seq), None).await;
        }
    }
    Ok(Read {
        room_id: room,
        seq: marker.seq,
        unread: left.0,
        mentions: left.1,
    })
}

async fn tell_read(
    node: &Node,
    topic: Topic,
    room: &RoomId,
    (user, seq): (&starling_core::UserId, u64),
    left: Option<(u64, u64)>,
) {
    node.publish(
        vec![topic.clone()],
        &Notice::Read {
            room: room.clone(),
            user: user.clone(),
            seq,
            left,
        },
    );
    pump::read_moved(node, &topic, (room.clone(), user.clone(), seq), left).await;
}
