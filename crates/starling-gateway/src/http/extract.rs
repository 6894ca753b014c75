//! What a request carries, read strictly; what cannot be read is answered as a problem that says what to do.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, FromRequestParts, Request, rejection::PathRejection},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header, request::Parts};
use http_body_util::LengthLimitError;
use serde::{Serialize, de::DeserializeOwned};
use starling_core::Refusal;

use super::Problem;
use crate::node::Node;

fn invalid(why: String) -> Problem {
    Problem::from(Refusal::InvalidMessage(why))
}

/// A JSON object: the body of a request, or of an answer. A request without a body is read as `{}`.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<Node>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, node: &Arc<Node>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let body = read(node, body).await?;
        if body.is_empty() {
            return parse(b"{}").map(Self);
        }
        if !is_json(&parts.headers) {
            let why = "the body must be JSON: send it with Content-Type: application/json";
            return Err(invalid(why.into()));
        }
        parse(&body).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// Reads a body of at most the size of a frame. It may take as long as the head: who sends slower keeps a connection.
async fn read(node: &Node, body: Body) -> Result<Bytes, Problem> {
    let max = node.config.limits.frame_bytes;
    match tokio::time::timeout(node.config.header_timeout, to_bytes(body, max)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if std::error::Error::source(&error).is_some_and(|e| e.is::<LengthLimitError>()) => {
            Err(Refusal::MessageTooLong {
                max,
                unit: "bytes of body",
            }
            .into())
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "a body ended before its time");
            Err(invalid(
                "the body could not be read to its end; send it again".into(),
            ))
        }
        Err(_) => {
            let why = Refusal::InvalidMessage("the body did not arrive in time; send it again".into());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, why))
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| {
        let essence = essence.to_ascii_lowercase();
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
    })
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| invalid(format!("the body is not valid: {error}")))
}

/// Parameters of the path, percent-decoded.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Node>> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Result<Self, Problem> {
        let read = axum::extract::Path::from_request_parts(parts, node).await;
        read.map(|axum::extract::Path(params)| Self(params))
            .map_err(|error| match error {
                PathRejection::FailedToDeserializePathParams(error) => {
                    invalid(format!("the path is not valid: {}", error.body_text()))
                }
                other => {
                    tracing::error!(error = %other, "a route has no parameters");
                    Refusal::Internal.into()
                }
            })
    }
}

/// Parameters of the query string.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Node>> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _node: &Arc<Node>) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(params)| Self(params))
            .map_err(|error| invalid(format!("the query string is not valid: {}", error.body_text())))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn json_has_a_content_type_of_its_own() {
        let rows = [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/merge-patch+json", true),
            ("text/plain", false),
            ("text/json", false),
            ("application/x-www-form-urlencoded", false),
        ];
        for (value, expected) in rows {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(value))]);
            assert_eq!(is_json(&headers), expected, "{value}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
