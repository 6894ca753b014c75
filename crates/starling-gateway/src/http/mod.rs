//! HTTP: the handshake, REST, the description of the API, probes and metrics, and what goes around every answer.
//!
//! | module | what it holds |
//! |---|---|
//! | [`connection`] | one TCP connection: HTTP, until a handshake makes a WebSocket of it |
//! | [`handshake`] | `GET /ws` |
//! | [`rest`] | `/api/v1` |
//! | [`openapi`] | the description of the API |
//! | [`docs`] | the page that shows it |
//! | [`web`] | the web app at `/` |
//! | [`probes`] | health, readiness, statistics, metrics |
//! | [`around`] | request id, headers, CORS, compression, panics |
//! | [`auth`] | whom a token names, and what a request costs them |
//! | [`extract`] | body, path and query |
//! | [`problem`] | errors |

mod around;
mod auth;
pub(crate) mod connection;
mod docs;
mod extract;
mod handshake;
mod openapi;
mod probes;
mod problem;
mod rest;
mod web;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{Extension, Router, routing::get};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use starling_core::Refusal;
use utoipa_axum::router::OpenApiRouter;

pub use self::openapi::openapi;
pub(crate) use self::problem::Problem;
use crate::{config::NodeConfig, node::Node, telemetry::Telemetry};

/// The address at the other end of the TCP connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerAddr(pub(crate) SocketAddr);

/// Every route of a node. The handshake stands apart: a storm of reconnects pays for nothing that it does not need.
pub(crate) fn router(node: &Arc<Node>, telemetry: Arc<Telemetry>) -> Router {
    let (described, api) = routes().split_for_parts();
    let document = Bytes::from(openapi::text(api));
    let pages = described
        .route(openapi::PATH, get(move || document_page(document.clone())))
        .route("/docs", get(docs::entry))
        .route("/docs/", get(docs::page))
        .route("/docs/{*file}", get(docs::file))
        .merge(web::routes())
        .method_not_allowed_fallback(wrong_method)
        .fallback(not_found)
        .layer(Extension(telemetry))
        .with_state(node.clone());
    Router::new()
        .route("/ws", get(handshake::upgrade))
        .method_not_allowed_fallback(wrong_method)
        .with_state(node.clone())
        .fallback_service(around::wrap(pages, node))
}

/// The routes that the document describes.
fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::default()
        .merge(rest::routes())
        .merge(probes::routes())
}

async fn document_page(document: Bytes) -> ([(header::HeaderName, HeaderValue); 1], Bytes) {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], document)
}

async fn not_found() -> Problem {
    Refusal::NotFound("this page").into()
}

async fn wrong_method() -> Problem {
    let why = "this address does not take this method; the header Allow says which ones it takes";
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        Refusal::InvalidMessage(why.into()),
    )
}

/// The client's own address: the last one of `X-Forwarded-For` that no trusted proxy has written, when the peer is a
/// trusted proxy; the peer otherwise.
pub(crate) fn client_addr(config: &NodeConfig, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
    let trusted = |addr: IpAddr| config.trusted_proxies.iter().any(|net| net.contains(&addr));
    if !trusted(peer.ip()) {
        return peer.ip();
    }
    let forwarded = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok());
    let chain: Vec<IpAddr> = forwarded
        .flat_map(|value| value.split(','))
        .filter_map(|addr| addr.trim().parse().ok())
        .collect();
    chain
        .iter()
        .rev()
        .find(|addr| !trusted(**addr))
        .or(chain.first())
        .copied()
        .unwrap_or(peer.ip())
}

#[cfg(test)]
mod tests {
    use starling_core::NodeId;

    use super::*;

    #[test]
    fn only_trusted_proxies_name_the_client() {
        let mut config = NodeConfig::new(NodeId::parse("n").unwrap());
        config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let rows = [
            // The peer, what it forwards, and whom we take for the client.
            ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
            ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
            // What stands further left was sent by the client itself.
            ("10.0.0.1", "198.51.100.7, 203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", "nonsense", "10.0.0.1"),
        ];
        for (peer, forwarded, client) in rows {
            let peer = SocketAddr::new(peer.parse().unwrap(), 1);
            let headers = HeaderMap::from_iter([(
                header::HeaderName::from_static("x-forwarded-for"),
                HeaderValue::from_static(forwarded),
            )]);
            let found = client_addr(&config, peer, &headers);
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{peer} {forwarded}");
        }
    }
}
