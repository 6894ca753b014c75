//! Sign-in for people without an account, where the operator lets them.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use http::{StatusCode, request::Parts};
use serde::Deserialize;
use starling_core::Refusal;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Json, Problem};
use crate::{
    audit,
    guests::{GuestTokens, Guests},
    http::{PeerAddr, handshake},
    node::Node,
};

pub(super) fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::default()
        .routes(routes!(sign_in))
        .routes(routes!(refresh))
}

/// Who wants to come in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignIn {
    /// What others read; need not be unique.
    #[schema(min_length = 1, max_length = 64, example = "Alice")]
    name: String,
}

/// Who wants to stay.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Refresh {
    /// As it was given out.
    refresh_token: String,
}

/// A caller without a token: charged by address, as a handshake is.
struct Stranger;

impl FromRequestParts<Arc<Node>> for Stranger {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Result<Self, Problem> {
        let peer = parts.extensions.get().map(|PeerAddr(peer)| *peer);
        handshake::limit_rate(node, peer, &parts.headers).await?;
        Ok(Self)
    }
}

fn guests(node: &Node) -> Result<&Guests, Refusal> {
    node.guests
        .as_ref()
        .ok_or(Refusal::NotFound("guest sign-in on this server"))
}

/// Sign in as a guest
///
/// Gives a token for a new user of this name. Where guests are not allowed (`auth.guests`), 404.
#[utoipa::path(
    post, path = "/auth/guest", tag = "guests", operation_id = "signInAsGuest",
    request_body = SignIn,
    responses((status = 201, body = GuestTokens, description = "Come in")),
)]
async fn sign_in(
    State(node): State<Arc<Node>>,
    _: Stranger,
    Json(body): Json<SignIn>,
) -> Result<(StatusCode, Json<GuestTokens>), Problem> {
    let tokens = guests(&node)?.sign_in(&body.name, rand::random(), node.clock.now())?;
    audit::guest(&tokens.user_id);
    Ok((StatusCode::CREATED, Json(tokens)))
}

/// Renew a guest's token
///
/// For the same user; both tokens are new, and the old ones stay good until they end.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "guests", operation_id = "refreshGuest",
    request_body = Refresh,
    responses((status = 200, body = GuestTokens, description = "Stay")),
)]
async fn refresh(
    State(node): State<Arc<Node>>,
    _: Stranger,
    Json(body): Json<Refresh>,
) -> Answer<GuestTokens> {
    Ok(Json(
        guests(&node)?.refresh(&body.refresh_token, node.clock.now())?,
    ))
}
