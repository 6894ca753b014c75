//! Rooms: make, find, change, close.

use std::sync::Arc;

use axum::{extract::State, response::AppendHeaders};
use http::{HeaderName, StatusCode, header};
use serde::Deserialize;
use starling_core::RoomSettings;
use starling_protocol::{
    command::{CreateRoom, ListRooms, UpdateRoom},
    reply::{Appended, RoomList, RoomView},
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, InRoom, Json, PREFIX, Path, Problem, Query};
use crate::{
    http::{auth::Caller, openapi::Conflict},
    node::Node,
    ops,
};

pub(super) fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
}

/// What changes of a room; what is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RoomChange {
    /// New name: 1–128 characters.
    #[serde(default)]
    name: Option<String>,
    /// New description: at most 1,024 characters.
    #[serde(default)]
    description: Option<String>,
    /// New limit of members.
    #[serde(default)]
    max_members: Option<u32>,
    /// New settings, whole.
    #[serde(default)]
    settings: Option<RoomSettings>,
}

/// List rooms
///
/// Those that the caller has joined, with unread counts, or public ones; in the order of their ids, by pages.
#[utoipa::path(
    get, path = "/rooms", tag = "rooms", operation_id = "listRooms",
    params(ListRooms),
    responses((status = 200, body = RoomList, description = "A page of rooms")),
)]
async fn list(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Query(query): Query<ListRooms>,
) -> Answer<RoomList> {
    Ok(Json(ops::rooms::list(&node, &actor, query).await?))
}

/// Create a room
///
/// The caller becomes its owner. Direct rooms are not created: they come with their first message.
#[utoipa::path(
    post, path = "/rooms", tag = "rooms", operation_id = "createRoom",
    request_body = CreateRoom,
    responses(
        (status = 201, body = RoomView, description = "The room", headers(("Location" = String, description = "Where it is"))),
        (status = 409, response = Conflict),
    ),
)]
async fn create(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Json(body): Json<CreateRoom>,
) -> Result<
    (
        StatusCode,
        AppendHeaders<[(HeaderName, String); 1]>,
        Json<RoomView>,
    ),
    Problem,
> {
    let room = ops::rooms::create(&node, &actor, body).await?;
    // An ordinary room id has no character that a path would have to encode.
    let location = format!("{PREFIX}/rooms/{}", room.room_id);
    Ok((
        StatusCode::CREATED,
        AppendHeaders([(header::LOCATION, location)]),
        Json(room),
    ))
}

/// Get a room
///
/// Public rooms to everybody, others to their members.
#[utoipa::path(
    get, path = "/rooms/{roomId}", tag = "rooms", operation_id = "getRoom",
    params(InRoom),
    responses((status = 200, body = RoomView, description = "The room")),
)]
async fn get(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<InRoom>,
) -> Answer<RoomView> {
    Ok(Json(ops::rooms::get(&node, &actor, &path.room_id).await?))
}

/// Change a room
///
/// By its admins and its owner.
#[utoipa::path(
    patch, path = "/rooms/{roomId}", tag = "rooms", operation_id = "updateRoom",
    params(InRoom),
    request_body = RoomChange,
    responses((status = 200, body = RoomView, description = "The room as it is now")),
)]
async fn update(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<InRoom>,
    Json(body): Json<RoomChange>,
) -> Answer<RoomView> {
    let command = UpdateRoom {
        room_id: path.room_id,
        name: body.name,
        description: body.description,
        max_members: body.max_members,
        settings: body.settings,
    };
    Ok(Json(ops::rooms::update(&node, &actor, command).await?))
}

/// Close a room
///
/// For good, by its owner. Its history is kept until retention removes it.
#[utoipa::path(
    delete, path = "/rooms/{roomId}", tag = "rooms", operation_id = "deleteRoom",
    params(InRoom),
    responses((status = 200, body = Appended, description = "It is closed")),
)]
async fn delete(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<InRoom>,
) -> Answer<Appended> {
    Ok(Json(ops::rooms::delete(&node, &actor, path.room_id).await?))
}
