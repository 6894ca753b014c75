//! What administrators and the application's own servers do: their tokens have the role `admin`.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use starling_core::{event::Notification, ports::NodeCard};
use starling_protocol::reply::Appended;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Json, OfUser, Path, Problem};
use crate::{audit, http::auth::Caller, node::Node, ops, ops::notify::To};

pub(super) fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::default()
        .routes(routes!(notify_user))
        .routes(routes!(announce))
        .routes(routes!(disconnect))
        .routes(routes!(list_nodes))
        .routes(routes!(drain))
}

/// Notify a user
///
/// Durable, in the user's inbox `@userId`: their sessions get a `notification` now, or when they connect. For
/// administrators.
#[utoipa::path(
    post, path = "/users/{userId}/notifications", tag = "admin", operation_id = "notifyUser",
    params(OfUser),
    request_body = Notification,
    responses((status = 201, body = Appended, description = "It is stored")),
)]
async fn notify_user(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<OfUser>,
    Json(body): Json<Notification>,
) -> Result<(StatusCode, Json<Appended>), Problem> {
    let appended = ops::notify::notify(&node, &actor, To::User(path.user_id), body).await?;
    Ok((StatusCode::CREATED, Json(appended)))
}

/// Announce to all
///
/// Durable, in the room `@all`, which everybody reads. For administrators.
#[utoipa::path(
    post, path = "/announcements", tag = "admin", operation_id = "announce",
    request_body = Notification,
    responses((status = 201, body = Appended, description = "It is stored")),
)]
async fn announce(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Json(body): Json<Notification>,
) -> Result<(StatusCode, Json<Appended>), Problem> {
    let appended = ops::notify::notify(&node, &actor, To::All, body).await?;
    Ok((StatusCode::CREATED, Json(appended)))
}

/// Disconnect a user
///
/// Every session of theirs, on every node, is closed with 4501. They may connect again while their token is good. For
/// administrators.
#[utoipa::path(
    delete, path = "/users/{userId}/sessions", tag = "admin", operation_id = "disconnectUser",
    params(OfUser),
    responses((status = 204, description = "Their sessions are being closed")),
)]
async fn disconnect(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<OfUser>,
) -> Result<StatusCode, Problem> {
    ops::notify::disconnect(&node, &actor, &path.user_id)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The live nodes.
#[derive(Serialize, ToSchema)]
struct NodeList {
    /// In the order of their ids.
    nodes: Vec<NodeCard>,
}

/// List the nodes
///
/// As each has said of itself within the last seconds. For administrators.
#[utoipa::path(
    get, path = "/admin/nodes", tag = "admin", operation_id = "listNodes",
    responses((status = 200, body = NodeList, description = "The live nodes")),
)]
async fn list_nodes(State(node): State<Arc<Node>>, Caller(actor): Caller) -> Answer<NodeList> {
    ops::notify::require_admin(&actor)?;
    let nodes = node.backend.registry.nodes().await;
    Ok(Json(NodeList {
        nodes: nodes.map_err(|error| ops::away(&error))?,
    }))
}

/// Drain this node
///
/// As SIGTERM does: not ready, then no new handshakes, then `migrate` spread over the window; then the process ends.
/// Concerns the node that answers, so name it by its own address. For administrators.
#[utoipa::path(
    post, path = "/admin/drain", tag = "admin", operation_id = "drainNode",
    responses((status = 202, body = NodeCard, description = "It begins, or has begun")),
)]
async fn drain(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
) -> Result<(StatusCode, Json<NodeCard>), Problem> {
    ops::notify::require_admin(&actor)?;
    audit::drain(actor.user(), &node.config.node_id);
    node.drain_wanted.cancel();
    Ok((StatusCode::ACCEPTED, Json(node.card())))
}
