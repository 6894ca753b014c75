//! The WebSocket handshake (RFC 6455 section 4.2), answered by hand: [`connection`](super::connection) then takes the raw
//! TCP stream, and keeps no buffer of hyper's for it.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use starling_core::{
    Refusal,
    ports::{Charge, Verdict},
};
use starling_protocol::{Codec, ws};

use super::{
    PeerAddr, Problem,
    auth::authenticate,
    client_addr,
    connection::{Accepted, Upgrade},
};
use crate::{audit, node::Node};

/// `GET /ws`.
pub(crate) async fn upgrade(State(node): State<Arc<Node>>, request: Request) -> Result<Response, Problem> {
    let refused = |label: &str, problem: Problem| {
        node.metrics.handshakes.inc(label);
        problem
    };
    if node.is_refusing() {
        return Err(refused("draining", Refusal::unavailable().into()));
    }
    if node.metrics.connections.get() >= node.config.max_connections as u64 {
        return Err(refused("full", Refusal::unavailable().into()));
    }
    let headers = request.headers();
    let key = check_upgrade(&request).map_err(|problem| refused("bad_request", problem))?;
    let accept = ws::accept_key(key);
    if !origin_allowed(&node.config.cors_origins, headers) {
        audit::refused("origin", "forbidden");
        let why = "this origin is not allowed; add it to cors.origins";
        return Err(refused("origin", Refusal::Forbidden(why).into()));
    }
    let peer = request.extensions().get::<PeerAddr>().map(|peer| peer.0);
    let identity = authenticate(&node, headers, request.uri());
    let identity = identity.map_err(|problem| refused("unauthenticated", problem))?;
    limit_rate(&node, peer, headers)
        .await
        .map_err(|problem| refused("rate_limited", problem))?;
    let offered: Vec<&str> = headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let chosen = Codec::choose(offered.iter().copied());
    if chosen.is_none() && offered.iter().any(|name| name.trim().starts_with("starling.")) {
        let why = "this server speaks starling.v1.json and starling.v1.msgpack".to_owned();
        return Err(refused("bad_request", Refusal::InvalidMessage(why).into()));
    }
    let accepted = Accepted {
        codec: chosen.unwrap_or_default(),
        identity,
    };
    let upgrade = request.extensions().get::<Upgrade>();
    if !upgrade.is_some_and(|upgrade| upgrade.accept(accepted)) {
        return Err(refused("bad_request", Refusal::Internal.into()));
    }
    node.metrics.handshakes.inc("accepted");
    Ok(switching(&accept, chosen))
}

fn switching(accept: &str, codec: Option<Codec>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(codec) = codec {
        headers.insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(codec.subprotocol()),
        );
    }
    response
}

/// The client's key, when the request is an upgrade to WebSocket version 13.
fn check_upgrade(request: &Request) -> Result<&str, Problem> {
    let headers = request.headers();
    let has = |name: header::HeaderName, word: &str| {
        let values = headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok());
        values
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    let wrong = |status: StatusCode, why: &str| Problem::new(status, Refusal::InvalidMessage(why.into()));
    let can_upgrade = request.method() == Method::GET && request.version() == Version::HTTP_11;
    if !can_upgrade || !has(header::CONNECTION, "upgrade") || !has(header::UPGRADE, "websocket") {
        return Err(wrong(
            StatusCode::UPGRADE_REQUIRED,
            "this address takes WebSocket connections only",
        ));
    }
    if !has(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(wrong(
            StatusCode::UPGRADE_REQUIRED,
            "Sec-WebSocket-Version must be 13",
        ));
    }
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .and_then(|key| key.to_str().ok());
    key.filter(|key| ws::is_valid_key(key)).ok_or_else(|| {
        wrong(
            StatusCode::BAD_REQUEST,
            "Sec-WebSocket-Key must be 16 bytes in base64",
        )
    })
}

/// Browsers name the page's origin; other clients do not. The node's own host is always allowed.
pub(crate) fn origin_allowed(allowed: &[String], headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else { return false };
    if allowed
        .iter()
        .any(|known| known == "*" || known.trim_end_matches('/') == origin)
    {
        return true;
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let own = origin.split_once("://").map(|(_, authority)| authority);
    host.is_some() && own == host
}

/// Takes one handshake from the budget of the client's address.
pub(super) async fn limit_rate(
    node: &Node,
    peer: Option<SocketAddr>,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    let Some(peer) = peer else { return Ok(()) };
    let addr = client_addr(&node.config, peer, headers);
    // Everything on one machine: tests, development, a proxy that is not named as trusted.
    if addr.is_loopback() {
        return Ok(());
    }
    match node
        .backend
        .limits
        .take(&[Charge::Handshake(addr, node.config.limits.handshakes)])
        .await
    {
        Verdict::Granted => Ok(()),
        Verdict::RetryAfter(retry_after) => Err(Refusal::RateLimited {
            what: "handshakes",
            retry_after,
        }
        .into()),
    }
}
