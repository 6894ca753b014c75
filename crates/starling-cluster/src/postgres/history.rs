//! The present state of messages: what their events say, and what happened to them since.

use std::collections::BTreeMap;

use async_trait::async_trait;
use starling_core::{
    ClientId, EventBody, Message, RoomId, Timestamp,
    event::MessageUpdated,
    ports::{History, HistoryPage, Span, Unavailable},
    room::ReactionCount,
};

use super::{
    Store,
    error::Unreadable,
    rows::{Cells, each, int, limit},
    sql,
    store::readable,
};

/// How a span is asked for: at most `older` messages before a seq and `newer` from it on.
struct Window {
    seq: i64,
    older: i64,
    newer: i64,
}

impl Window {
    /// One more than is wanted, in the direction asked: whether it is there says whether there are more.
    fn of(span: Span, most: usize) -> Self {
        let more = limit(most.saturating_add(1));
        let (seq, older, newer) = match span {
            Span::Latest => (i64::MAX, more, 0),
            Span::Before(seq) => (int(seq), more, 0),
            Span::After(seq) => (int(seq.saturating_add(1)), 0, more),
            Span::Around(seq) => (int(seq), limit(most / 2 + 1), limit(most - most / 2)),
        };
        Self { seq, older, newer }
    }
}

#[async_trait]
impl History for Store {
    async fn messages(
        &self,
        room: &RoomId,
        span: Span,
        thread: Option<u64>,
        most: usize,
    ) -> Result<HistoryPage, Unavailable> {
        let Window { seq, older, newer } = Window::of(span, most);
        let rows = match thread {
            None => {
                self.query(sql::HISTORY, &[&room.as_str(), &seq, &older, &newer])
                    .await?
            }
            Some(thread) => {
                self.query(sql::THREAD, &[&room.as_str(), &seq, &older, &newer, &int(thread)])
                    .await?
            }
        };
        let messages = readable(each(&rows, message))?;
        Ok(cut(messages, span, seq, most))
    }
}

/// Takes off the one that was asked for beyond the page.
fn cut(mut messages: Vec<Message>, span: Span, seq: i64, most: usize) -> HistoryPage {
    let has_more = match span {
        Span::After(_) => {
            let more = messages.len() > most;
            messages.truncate(most);
            more
        }
        Span::Latest | Span::Before(_) | Span::Around(_) => {
            let wanted = if matches!(span, Span::Around(_)) {
                most / 2
            } else {
                most
            };
            let older = messages.partition_point(|message| int(message.seq) < seq);
            let more = older > wanted;
            messages.drain(..older.saturating_sub(wanted));
            more
        }
    };
    HistoryPage { messages, has_more }
}

fn message(cells: &mut Cells<'_>) -> Result<Message, Unreadable> {
    let event = cells.event()?;
    let edit: Option<&str> = cells.next()?;
    let edited_at = cells.time_or_none()?;
    let deleted_at = cells.time_or_none()?;
    let reply_count = cells.uint32()?;
    let reactions: Option<&str> = cells.next()?;
    let unreadable = |source| Unreadable::Body {
        room: event.room.to_string(),
        seq: event.seq,
        source,
    };
    let EventBody::MessageCreated(body) = event.body else {
        // The statement asks for messages only.
        return Err(Unreadable::Kind {
            room: event.room.to_string(),
            seq: event.seq,
            kind: event.body.kind().into(),
        });
    };
    let edit: Option<MessageUpdated> = edit.map(serde_json::from_str).transpose().map_err(unreadable)?;
    let reactions: Option<BTreeMap<String, ReactionCount>> = reactions
        .map(serde_json::from_str)
        .transpose()
        .map_err(unreadable)?;
    let mut message = Message {
        room_id: event.room.clone(),
        seq: event.seq,
        message_id: event.id,
        sender_id: event.sender,
        sender_name: event.sender_name,
        client_id: Some(event.client_id).filter(ClientId::is_from_client),
        content: edit.map_or(body.content, |edit| edit.content),
        content_type: body.content_type,
        reply_to: body.reply_to,
        thread: body.thread,
        reply_count,
        attachments: body.attachments,
        mentions: body.mentions,
        metadata: body.metadata,
        reactions: reactions.unwrap_or_default(),
        created_at: event.at,
        edited_at,
        deleted_at,
    };
    erase_deleted(&mut message, deleted_at);
    Ok(message)
}

/// A deleted message keeps its place, not its content. Its reactions were not even asked for.
fn erase_deleted(message: &mut Message, deleted_at: Option<Timestamp>) {
    if deleted_at.is_some() {
        message.content.clear();
        message.attachments.clear();
        message.mentions.clear();
        message.metadata = None;
    }
}
