//! What leaves nothing behind: typing, signals, who is online. One's own presence belongs to a session: a socket says it.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use starling_core::{Refusal, UserId};
use starling_protocol::{command::Signal, event::PresenceChanged};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, InRoom, Json, Path, Problem, Query};
use crate::{http::auth::Caller, node::Node, ops, session::Actor};

pub(super) fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::default()
        .routes(routes!(start_typing, stop_typing))
        .routes(routes!(signal))
        .routes(routes!(lookup))
}

/// Live state for those who follow a room now.
#[derive(Deserialize, ToSchema)]
struct Live {
    /// What sort of signal: 1–64 bytes, the application's own word.
    name: String,
    /// At most 4 KB.
    #[serde(default)]
    payload: Value,
}

/// Whose presence.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct Users {
    /// User ids, separated by commas: as many as a session may watch.
    #[param(example = "alice,bob")]
    user_ids: String,
}

/// Start typing
///
/// Ends by itself after 3 s without renewal.
#[utoipa::path(
    put, path = "/rooms/{roomId}/typing", tag = "presence", operation_id = "startTyping",
    params(InRoom),
    responses((status = 204, description = "Those who follow the room are told")),
)]
async fn start_typing(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<InRoom>,
) -> Result<StatusCode, Problem> {
    typing(&node, &actor, path, true).await
}

/// Stop typing
#[utoipa::path(
    delete, path = "/rooms/{roomId}/typing", tag = "presence", operation_id = "stopTyping",
    params(InRoom),
    responses((status = 204, description = "Those who follow the room are told")),
)]
async fn stop_typing(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<InRoom>,
) -> Result<StatusCode, Problem> {
    typing(&node, &actor, path, false).await
}

async fn typing(node: &Node, actor: &Actor, path: InRoom, is_typing: bool) -> Result<StatusCode, Problem> {
    ops::live::require_voice(node, actor, &path.room_id).await?;
    ops::live::typing(node, actor, path.room_id, is_typing, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Send a signal
///
/// Any live state, such as progress or a shared cursor, to those who follow the room now. By its members and by
/// administrators.
#[utoipa::path(
    post, path = "/rooms/{roomId}/signals", tag = "presence", operation_id = "sendSignal",
    params(InRoom),
    request_body = Live,
    responses((status = 204, description = "Those who follow the room get it")),
)]
async fn signal(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<InRoom>,
    Json(body): Json<Live>,
) -> Result<StatusCode, Problem> {
    let signal = Signal {
        room_id: path.room_id,
        name: body.name,
        payload: body.payload,
    };
    ops::live::require_voice(&node, &actor, &signal.room_id).await?;
    let told = ops::live::signal(&node, &actor, signal, None)?;
    node.hub.ephemeral(vec![told]).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Look up presence
///
/// What others see of these users now.
#[utoipa::path(
    get, path = "/presence", tag = "presence", operation_id = "lookUpPresence",
    params(Users),
    responses((status = 200, body = PresenceChanged, description = "One for each user, in the order asked")),
)]
async fn lookup(
    State(node): State<Arc<Node>>,
    Caller(_actor): Caller,
    Query(query): Query<Users>,
) -> Answer<PresenceChanged> {
    let users: Result<Vec<UserId>, _> = query.user_ids.split(',').map(UserId::parse).collect();
    let users = users.map_err(Refusal::from)?;
    let max = node.config.presence.max_watched;
    if users.len() > max {
        let why = format!("at most {max} users can be looked up at once");
        return Err(Refusal::InvalidMessage(why).into());
    }
    Ok(Json(ops::presence::lookup(&node, &users).await?))
}
