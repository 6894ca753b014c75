//! Messages: send, change, read, react.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use starling_core::{ClientId, RoomId};
use starling_protocol::{
    command::{
        DeleteMessage, EditMessage, FetchEvents, FetchHistory, MarkRead, NewMessage, React, SendMessage,
    },
    reply::{Appended, Messages, Read, Sent},
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, InRoom, Json, OfUser, Path, Problem, Query};
use crate::{
    http::{
        auth::{Caller, Sender},
        openapi::{Conflict, EventsPage},
    },
    node::Node,
    ops,
    session::Actor,
    traces,
};

pub(super) fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::default()
        .routes(routes!(history, send))
        .routes(routes!(send_direct))
        .routes(routes!(edit, delete))
        .routes(routes!(react, unreact))
        .routes(routes!(events))
        .routes(routes!(mark_read))
}

/// A message to be sent.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Outgoing {
    /// The client's own id for the message: sent again, it gets the first outcome. Without one a retry is a new message.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    client_id: Option<ClientId>,
    #[serde(flatten)]
    message: NewMessage,
}

/// New content of a message.
#[derive(Deserialize, ToSchema)]
struct Edit {
    /// Its new content.
    content: String,
}

/// A place in a room.
#[derive(Deserialize, ToSchema)]
struct ReadUpTo {
    /// Messages up to this seq are read.
    seq: u64,
}

/// A message in a path.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
struct OnMessage {
    /// The room.
    #[param(value_type = String, example = "general")]
    room_id: RoomId,
    /// Seq of the message.
    seq: u64,
}

/// A reaction in a path.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
struct OnReaction {
    /// The room.
    #[param(value_type = String, example = "general")]
    room_id: RoomId,
    /// Seq of the message.
    seq: u64,
    /// The emoji or short name, percent-encoded: 1–64 bytes.
    #[param(example = "+1")]
    emoji: String,
}

/// Which part of a history; at most one of `before`, `after` and `around`, the latest where none is given.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct HistoryPage {
    /// The nearest with a smaller seq.
    before: Option<u64>,
    /// The nearest with a greater seq.
    after: Option<u64>,
    /// Half before, the rest from this seq on.
    around: Option<u64>,
    /// Only this thread.
    thread: Option<u64>,
    /// 1–200, 50 where not given.
    limit: Option<usize>,
}

/// Which events.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct EventsAfter {
    /// Events with a greater seq; from the first one where not given.
    after: Option<u64>,
    /// 1–500, 200 where not given.
    limit: Option<usize>,
}

/// Send a message
///
/// Answered when it is durable.
#[utoipa::path(
    post, path = "/rooms/{roomId}/messages", tag = "messages", operation_id = "sendMessage",
    params(InRoom),
    request_body = Outgoing,
    responses(
        (status = 201, body = Sent, description = "It is stored"),
        (status = 200, body = Sent, description = "It was stored already, under the same client id"),
        (status = 409, response = Conflict),
    ),
)]
async fn send(
    State(node): State<Arc<Node>>,
    Sender(actor): Sender,
    Path(path): Path<InRoom>,
    headers: HeaderMap,
    Json(body): Json<Outgoing>,
) -> Result<Response, Problem> {
    let command = SendMessage {
        room_id: Some(path.room_id),
        recipient_id: None,
        client_id: body.client_id,
        message: body.message,
        echo: true,
    };
    sent(&node, &actor, command, &headers).await
}

/// Send a direct message
///
/// To the room of the caller and this user, which comes with its first message.
#[utoipa::path(
    post, path = "/users/{userId}/messages", tag = "messages", operation_id = "sendDirectMessage",
    params(OfUser),
    request_body = Outgoing,
    responses(
        (status = 201, body = Sent, description = "It is stored"),
        (status = 200, body = Sent, description = "It was stored already, under the same client id"),
        (status = 409, response = Conflict),
    ),
)]
async fn send_direct(
    State(node): State<Arc<Node>>,
    Sender(actor): Sender,
    Path(path): Path<OfUser>,
    headers: HeaderMap,
    Json(body): Json<Outgoing>,
) -> Result<Response, Problem> {
    let command = SendMessage {
        room_id: None,
        recipient_id: Some(path.user_id),
        client_id: body.client_id,
        message: body.message,
        echo: true,
    };
    sent(&node, &actor, command, &headers).await
}

async fn sent(
    node: &Node,
    actor: &Actor,
    command: SendMessage,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let caller = traces::of_request(headers);
    let sent = ops::messages::send(node, actor, command, caller.as_ref()).await?;
    let status = if sent.duplicate {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, Json(sent)).into_response())
}

/// Fetch history
///
/// Messages in their present state: edits applied, reactions counted, the content of deleted ones gone.
#[utoipa::path(
    get, path = "/rooms/{roomId}/messages", tag = "messages", operation_id = "fetchHistory",
    params(InRoom, HistoryPage),
    responses((status = 200, body = Messages, description = "Messages, oldest first")),
)]
async fn history(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<InRoom>,
    Query(query): Query<HistoryPage>,
) -> Answer<Messages> {
    let command = FetchHistory {
        room_id: path.room_id,
        before: query.before,
        after: query.after,
        around: query.around,
        thread: query.thread,
        limit: query.limit,
    };
    Ok(Json(ops::messages::history(&node, &actor, command).await?))
}

/// Edit a message
///
/// By who wrote it.
#[utoipa::path(
    patch, path = "/rooms/{roomId}/messages/{seq}", tag = "messages", operation_id = "editMessage",
    params(OnMessage),
    request_body = Edit,
    responses((status = 200, body = Appended, description = "It has the new content")),
)]
async fn edit(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<OnMessage>,
    Json(body): Json<Edit>,
) -> Answer<Appended> {
    let command = EditMessage {
        room_id: path.room_id,
        seq: path.seq,
        content: body.content,
    };
    Ok(Json(ops::messages::edit(&node, &actor, command).await?))
}

/// Delete a message
///
/// By who wrote it, and by moderators. Its content is gone, its place remains.
#[utoipa::path(
    delete, path = "/rooms/{roomId}/messages/{seq}", tag = "messages", operation_id = "deleteMessage",
    params(OnMessage),
    responses((status = 200, body = Appended, description = "It is deleted")),
)]
async fn delete(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<OnMessage>,
) -> Answer<Appended> {
    let command = DeleteMessage {
        room_id: path.room_id,
        seq: path.seq,
    };
    Ok(Json(ops::messages::delete(&node, &actor, command).await?))
}

/// React to a message
#[utoipa::path(
    put, path = "/rooms/{roomId}/messages/{seq}/reactions/{emoji}", tag = "messages", operation_id = "addReaction",
    params(OnReaction),
    responses((status = 200, body = Appended, description = "The caller has reacted so")),
)]
async fn react(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<OnReaction>,
) -> Answer<Appended> {
    Ok(Json(
        ops::messages::react(&node, &actor, reaction(path), true).await?,
    ))
}

/// Take a reaction back
#[utoipa::path(
    delete, path = "/rooms/{roomId}/messages/{seq}/reactions/{emoji}", tag = "messages", operation_id = "removeReaction",
    params(OnReaction),
    responses((status = 200, body = Appended, description = "The caller has not reacted so")),
)]
async fn unreact(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<OnReaction>,
) -> Answer<Appended> {
    Ok(Json(
        ops::messages::react(&node, &actor, reaction(path), false).await?,
    ))
}

fn reaction(path: OnReaction) -> React {
    React {
        room_id: path.room_id,
        seq: path.seq,
        emoji: path.emoji,
    }
}

/// Fetch events
///
/// What happened in the room, as it was sent live: to fill a `gap`, or to follow the room without a socket.
#[utoipa::path(
    get, path = "/rooms/{roomId}/events", tag = "messages", operation_id = "fetchEvents",
    params(InRoom, EventsAfter),
    responses((status = 200, body = EventsPage, description = "Events in the order of their seq")),
)]
async fn events(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<InRoom>,
    Query(query): Query<EventsAfter>,
) -> Result<Response, Problem> {
    let command = FetchEvents {
        room_id: path.room_id,
        after: query.after.unwrap_or(0),
        limit: query.limit,
    };
    let events = ops::messages::events(&node, &actor, command).await?;
    Ok(Json(events.as_reply()).into_response())
}

/// Mark as read
///
/// Moves the caller's read marker forward, never back.
#[utoipa::path(
    put, path = "/rooms/{roomId}/read", tag = "messages", operation_id = "markRead",
    params(InRoom),
    request_body = ReadUpTo,
    responses((status = 200, body = Read, description = "Where the marker stands, and what is left")),
)]
async fn mark_read(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<InRoom>,
    Json(body): Json<ReadUpTo>,
) -> Answer<Read> {
    let command = MarkRead {
        room_id: path.room_id,
        seq: body.seq,
    };
    Ok(Json(ops::messages::mark_read(&node, &actor, command).await?))
}
