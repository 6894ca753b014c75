//! REST: the protocol's commands over HTTP, for those who hold no socket. Every handler is one call into `ops`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`rooms`] | make, find, change, close |
//! | [`members`] | join, leave, list, invite, moderate |
//! | [`messages`] | send, change, read, react |
//! | [`presence`] | typing, signals, who is online |
//! | [`guests`] | sign-in without an account |
//! | [`admin`] | notifications, announcements, disconnects, nodes |
//!
//! To add a route: its handler with `#[utoipa::path]` in the file of its group, and its name in the group's `routes`.
//! The document at `/api/v1/openapi.json` has it then, errors included.

mod admin;
mod guests;
mod members;
mod messages;
mod presence;
mod rooms;

use std::sync::Arc;

use serde::Deserialize;
use starling_core::{RoomId, UserId};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;

use super::{
    Problem,
    extract::{Json, Path, Query},
};
use crate::node::Node;

/// Where all of them are.
pub(crate) const PREFIX: &str = "/api/v1";

/// Every route, with its description.
pub(crate) fn routes() -> OpenApiRouter<Arc<Node>> {
    let groups = OpenApiRouter::default()
        .merge(rooms::routes())
        .merge(members::routes())
        .merge(messages::routes())
        .merge(presence::routes())
        .merge(guests::routes())
        .merge(admin::routes());
    OpenApiRouter::default().nest(PREFIX, groups)
}

type Answer<T> = Result<Json<T>, Problem>;

/// A room in a path.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
struct InRoom {
    /// The room. Reserved ones too, percent-encoded: `@dm:alice,bob`, `@alice`, `@all`.
    #[param(value_type = String, example = "general")]
    room_id: RoomId,
}

/// A user of a room in a path.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
struct OnMember {
    /// The room.
    #[param(value_type = String, example = "general")]
    room_id: RoomId,
    /// Whom it is done to, percent-encoded.
    #[param(value_type = String, example = "bob")]
    user_id: UserId,
}

/// A user in a path.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
struct OfUser {
    /// The user, percent-encoded.
    #[param(value_type = String, example = "bob")]
    user_id: UserId,
}
