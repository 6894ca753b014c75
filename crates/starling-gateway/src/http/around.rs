//! What goes around every answer except the handshake's: request id, span, headers, CORS, compression, and a 500 where
//! a handler panics.

use std::{any::Any, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use starling_core::Refusal;
use tokio::time::Instant;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer, CompressionLevel,
        predicate::{DefaultPredicate, Predicate, SizeAbove},
    },
    cors::{AllowOrigin, Any as AnyOrigin, CorsLayer},
};
use tracing::Instrument;
use uuid::Uuid;

use super::{Problem, problem::RefusalCode, rest};
use crate::node::Node;

/// Smaller answers fit into one packet as they are.
const COMPRESS_ABOVE: u64 = 1024;
/// How long a browser may remember what it may send.
const PREFLIGHT_AGE: Duration = Duration::from_secs(3600);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// On every answer. Scripts come from this server only; the styles and pictures that the pages make themselves are
/// allowed; nobody may frame them. `ws:` and `wss:`: not every browser counts a socket of this host as `'self'`.
const SECURITY: [(HeaderName, HeaderValue); 4] = [
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
             img-src 'self' data: blob: https:; connect-src 'self' ws: wss:; object-src 'none'; \
             base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
    ),
];

/// Puts all of it around these routes.
pub(crate) fn wrap(routes: Router, node: &Arc<Node>) -> Router {
    let compression = CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(DefaultPredicate::new().and(SizeAbove::new(COMPRESS_ABOVE)));
    routes
        .layer(compression)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(cors(&node.config.cors_origins))
        .layer(middleware::from_fn_with_state(node.clone(), observe))
}

/// Tokens come in a header or in the address, never in a cookie: no credentials are allowed across origins.
fn cors(origins: &[String]) -> CorsLayer {
    let origin = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::from(AnyOrigin)
    } else {
        let known = origins.iter().map(|origin| origin.trim_end_matches('/'));
        AllowOrigin::list(known.filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    CorsLayer::new()
        .allow_origin(origin)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, REQUEST_ID])
        .expose_headers([REQUEST_ID, header::RETRY_AFTER, header::LOCATION])
        .max_age(PREFLIGHT_AGE)
}

/// Names the request, counts it when it is one of REST, and finishes the answer's headers.
async fn observe(State(node): State<Arc<Node>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request_id(request.headers());
    // The route, never the address: that may hold a token.
    let path = request.extensions().get::<MatchedPath>().cloned();
    let route = path.as_ref().map_or("none", MatchedPath::as_str);
    let span = tracing::info_span!(
        "http",
        http.method = %request.method(),
        http.route = route,
        request.id = id.to_str().unwrap_or_default(),
        user.id = tracing::field::Empty,
    );
    let mut response = next.run(request).instrument(span.clone()).await;
    let latency = began.elapsed();
    let status = response.status().as_u16();
    if route.starts_with(rest::PREFIX) {
        node.metrics.answered(status, latency);
    }
    let code = response.extensions().get::<RefusalCode>().map(|code| code.0);
    if let Some(code) = code {
        node.metrics.refusals.inc(code);
    }
    span.in_scope(|| {
        tracing::debug!(
            http.status = status,
            code,
            latency_ms = latency.as_secs_f64() * 1e3,
            "answered"
        )
    });
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    for (name, value) in SECURITY {
        // A page may be stricter.
        headers.entry(name).or_insert(value);
    }
    // What is here now may be otherwise in a moment, and most of it is not for everybody.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The caller's own, so that logs can be joined; a new one where it gave none, or one that does not fit into a log line.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(REQUEST_ID).filter(|id| {
        let fits = (1..=128).contains(&id.len());
        fits && id.as_bytes().iter().all(u8::is_ascii_graphic)
    });
    given.cloned().unwrap_or_else(|| {
        let id = Uuid::now_v7().hyphenated().to_string();
        // A UUID has nothing that a header may not hold.
        HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none"))
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that the layer calls")]
fn panicked(cause: Box<dyn Any + Send>) -> Response {
    let cause = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied());
    tracing::error!(panic = cause.unwrap_or("not a text"), "a handler panicked");
    Problem::from(Refusal::Internal).into_response()
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, to_bytes},
        routing::get,
    };
    use http::StatusCode;
    use starling_core::{NodeId, SystemClock};
    use starling_embedded::EmbeddedConfig;
    use tower::ServiceExt;

    use super::*;
    use crate::{AuthConfig, AuthKey, NodeConfig};

    async fn broken() -> &'static str {
        panic!("the secret cause")
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_like_others() {
        let folder = tempfile::tempdir().unwrap();
        let id = NodeId::parse("node-1").unwrap();
        let backend = starling_embedded::open(EmbeddedConfig::new(folder.path()), id.clone())
            .await
            .unwrap();
        let auth = AuthConfig {
            key: AuthKey::Hs256(vec![7; 32]),
            issuer: None,
            audience: None,
            leeway_seconds: 0,
        };
        let node = Node::start(NodeConfig::new(id), backend, &auth, Arc::new(SystemClock)).unwrap();
        let routes = wrap(Router::new().route("/broken", get(broken)), &node);
        let request = Request::get("/broken").body(Body::empty()).unwrap();
        let response = routes.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert_eq!(response.headers()[header::X_FRAME_OPTIONS], "DENY");
        let body = to_bytes(response.into_body(), 4096).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("\"code\":\"internal\""), "{body}");
        assert!(!body.contains("secret cause"), "{body}");
        let internal = node.metrics.refusals.each().find(|(code, _)| *code == "internal");
        assert_eq!(internal, Some(("internal", 1)));
        node.stop.cancel();
    }
}
