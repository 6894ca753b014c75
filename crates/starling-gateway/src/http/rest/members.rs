//! Members: join, leave, list, invite, moderate.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use starling_core::{Role, Timestamp, UserId};
use starling_protocol::{
    command::{self, Invite, ListMembers, Moderate, SetRole},
    reply::{Appended, MemberList, RoomView},
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, InRoom, Json, OnMember, Path, Query};
use crate::{
    http::{auth::Caller, openapi::Conflict},
    node::Node,
    ops,
};

pub(super) fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(join, leave))
        .routes(routes!(kick))
        .routes(routes!(set_role))
        .routes(routes!(invite))
        .routes(routes!(ban, unban))
        .routes(routes!(mute, unmute))
}

/// The caller's place in a room.
#[derive(Serialize, ToSchema)]
struct Membership {
    /// The room.
    room: RoomView,
    /// The caller's role.
    role: Role,
}

/// A page of members.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct MembersPage {
    /// Go on after this user id: the `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<UserId>,
    /// 1–200, 50 where not given.
    limit: Option<usize>,
}

/// Why it is done.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Reason {
    /// Why: at most 512 characters.
    reason: Option<String>,
}

/// How long, and why.
#[derive(Deserialize, ToSchema)]
struct Restriction {
    /// Until when (RFC 3339, or milliseconds since 1970); for good where absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// Why: at most 512 characters.
    #[serde(default)]
    reason: Option<String>,
}

/// What an invitation promises.
#[derive(Deserialize, ToSchema)]
struct Invitation {
    /// The role on joining; `member` where not given.
    #[serde(default)]
    role: Role,
}

/// A role to be given.
#[derive(Deserialize, ToSchema)]
struct NewRole {
    /// The new role.
    role: Role,
}

/// List members
///
/// In the order of their ids, by pages, with their presence.
#[utoipa::path(
    get, path = "/rooms/{roomId}/members", tag = "members", operation_id = "listMembers",
    params(InRoom, MembersPage),
    responses((status = 200, body = MemberList, description = "A page of members")),
)]
async fn list(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<InRoom>,
    Query(query): Query<MembersPage>,
) -> Answer<MemberList> {
    let command = ListMembers {
        room_id: path.room_id,
        after: query.after,
        limit: query.limit,
    };
    Ok(Json(ops::members::list(&node, &actor, command).await?))
}

/// Join a room
///
/// The caller becomes a member, or is one already. A public room that does not exist is created where the server does
/// that. Live events come over a socket only.
#[utoipa::path(
    put, path = "/rooms/{roomId}/members/me", tag = "members", operation_id = "joinRoom",
    params(InRoom),
    responses(
        (status = 200, body = Membership, description = "The caller is a member"),
        (status = 409, response = Conflict),
    ),
)]
async fn join(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<InRoom>,
) -> Answer<Membership> {
    let (room, role) = ops::rooms::join(&node, &actor, &path.room_id).await?;
    let room = RoomView::from(&room);
    Ok(Json(Membership { room, role }))
}

/// Leave a room
///
/// The caller stops being a member.
#[utoipa::path(
    delete, path = "/rooms/{roomId}/members/me", tag = "members", operation_id = "leaveRoom",
    params(InRoom),
    responses((status = 200, body = Appended, description = "The caller has left")),
)]
async fn leave(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<InRoom>,
) -> Answer<Appended> {
    Ok(Json(ops::rooms::leave(&node, &actor, &path.room_id).await?))
}

/// Kick a member
///
/// They may come back. Of a user who is only invited it takes the invitation back.
#[utoipa::path(
    delete, path = "/rooms/{roomId}/members/{userId}", tag = "members", operation_id = "kickMember",
    params(OnMember, Reason),
    responses((status = 200, body = Appended, description = "They are no member any more")),
)]
async fn kick(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<OnMember>,
    Query(query): Query<Reason>,
) -> Answer<Appended> {
    let command = on_member(path, query.reason);
    Ok(Json(ops::members::kick(&node, &actor, command).await?))
}

/// Set a member's role
///
/// By admins below their own role, by the owner any. Everybody may step down.
#[utoipa::path(
    put, path = "/rooms/{roomId}/members/{userId}/role", tag = "members", operation_id = "setRole",
    params(OnMember),
    request_body = NewRole,
    responses((status = 200, body = Appended, description = "They have the role")),
)]
async fn set_role(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<OnMember>,
    Json(body): Json<NewRole>,
) -> Answer<Appended> {
    let command = SetRole {
        room_id: path.room_id,
        user_id: path.user_id,
        role: body.role,
    };
    Ok(Json(ops::members::set_role(&node, &actor, command).await?))
}

/// Invite a user
///
/// They may join the room though it is private.
#[utoipa::path(
    put, path = "/rooms/{roomId}/invitations/{userId}", tag = "members", operation_id = "inviteUser",
    params(OnMember),
    request_body = Invitation,
    responses((status = 200, body = Appended, description = "They are invited")),
)]
async fn invite(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<OnMember>,
    Json(body): Json<Invitation>,
) -> Answer<Appended> {
    let command = Invite {
        room_id: path.room_id,
        user_id: path.user_id,
        role: body.role,
    };
    Ok(Json(ops::members::invite(&node, &actor, command).await?))
}

/// Ban a user
///
/// They are removed and kept out.
#[utoipa::path(
    put, path = "/rooms/{roomId}/bans/{userId}", tag = "members", operation_id = "banUser",
    params(OnMember),
    request_body = Restriction,
    responses((status = 200, body = Appended, description = "They are banned")),
)]
async fn ban(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<OnMember>,
    Json(body): Json<Restriction>,
) -> Answer<Appended> {
    let command = moderate(path, body);
    Ok(Json(ops::members::ban(&node, &actor, command).await?))
}

/// Lift a ban
#[utoipa::path(
    delete, path = "/rooms/{roomId}/bans/{userId}", tag = "members", operation_id = "unbanUser",
    params(OnMember),
    responses((status = 200, body = Appended, description = "They are not banned")),
)]
async fn unban(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<OnMember>,
) -> Answer<Appended> {
    let command = on_member(path, None);
    Ok(Json(ops::members::unban(&node, &actor, command).await?))
}

/// Mute a member
///
/// They read, and do not write.
#[utoipa::path(
    put, path = "/rooms/{roomId}/mutes/{userId}", tag = "members", operation_id = "muteMember",
    params(OnMember),
    request_body = Restriction,
    responses((status = 200, body = Appended, description = "They are muted")),
)]
async fn mute(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<OnMember>,
    Json(body): Json<Restriction>,
) -> Answer<Appended> {
    let command = moderate(path, body);
    Ok(Json(ops::members::mute(&node, &actor, command).await?))
}

/// Unmute a member
#[utoipa::path(
    delete, path = "/rooms/{roomId}/mutes/{userId}", tag = "members", operation_id = "unmuteMember",
    params(OnMember),
    responses((status = 200, body = Appended, description = "They are not muted")),
)]
async fn unmute(
    State(node): State<Arc<Node>>,
    Caller(actor): Caller,
    Path(path): Path<OnMember>,
) -> Answer<Appended> {
    let command = on_member(path, None);
    Ok(Json(ops::members::unmute(&node, &actor, command).await?))
}

fn on_member(path: OnMember, reason: Option<String>) -> command::OnMember {
    command::OnMember {
        room_id: path.room_id,
        user_id: path.user_id,
        reason,
    }
}

fn moderate(path: OnMember, body: Restriction) -> Moderate {
    Moderate {
        room_id: path.room_id,
        user_id: path.user_id,
        until: body.until,
        reason: body.reason,
    }
}
