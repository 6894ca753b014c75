//! The WebSocket handshake (RFC 6455 section 4.2), answered by hand: from then on the raw TCP stream is ours, with no
//! buffer of hyper's kept for it.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use starling_core::{
    Refusal,
    ports::{Charge, Verdict},
};
use starling_protocol::{Codec, ws};
use tokio::net::TcpStream;

use super::{PeerAddr, Problem, auth::authenticate, client_addr};
use crate::{
    audit,
    auth::Identity,
    conn::{Conn, outbox::Bounds, task::ConnTask},
    node::Node,
    session,
};

/// `GET /ws`.
pub(crate) async fn upgrade(
    State(node): State<Arc<Node>>,
    mut request: Request,
) -> Result<Response, Problem> {
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
    let key = check_upgrade(headers).map_err(|problem| refused("bad_request", problem))?;
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
    let on_upgrade = hyper::upgrade::on(&mut request);
    node.metrics.handshakes.inc("accepted");
    node.tasks.spawn(begin(
        node.clone(),
        on_upgrade,
        chosen.unwrap_or_default(),
        identity,
    ));
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
fn check_upgrade(headers: &HeaderMap) -> Result<&str, Problem> {
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
    if !has(header::CONNECTION, "upgrade") || !has(header::UPGRADE, "websocket") {
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

/// From the answered handshake to a connection that lives. What this needs is much, and gone by then: the connection
/// itself is another task, a small one.
async fn begin(node: Arc<Node>, on_upgrade: OnUpgrade, codec: Codec, identity: Option<Identity>) {
    let (stream, leftover) = match on_upgrade.await.map(raw_stream) {
        Ok(Some(raw)) => raw,
        Ok(None) => {
            tracing::error!("an upgraded connection is not a TCP stream");
            return;
        }
        Err(error) => {
            tracing::debug!(%error, "a client left during the handshake");
            return;
        }
    };
    let conn = Arc::new(Conn::new(
        node.next_key(),
        codec,
        stream,
        Bounds::of(&node.config.limits),
        node.metrics.clone(),
    ));
    node.metrics.connections.up();
    node.metrics.connections_total.inc();
    let session = match identity {
        Some(identity) => session::open(&node, &conn, identity).await,
        None => {
            node.strangers.lock().insert(conn.key, conn.clone());
            None
        }
    };
    node.tasks
        .spawn(live(ConnTask::new(node.clone(), conn, session, leftover)));
}

/// A connection while it lives, and its end. 100,000 of these wait at once.
async fn live(task: ConnTask) {
    let (node, key) = task.belongs_to();
    let ended = task.await;
    node.strangers.lock().remove(&key);
    // In a box: it would make every living connection as large as the end of one.
    Box::pin(session::close(&node, ended)).await;
    node.metrics.connections.down();
}

fn raw_stream(upgraded: Upgraded) -> Option<(TcpStream, Bytes)> {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    Some((parts.io.into_inner(), parts.read_buf))
}
