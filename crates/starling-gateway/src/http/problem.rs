//! Errors over HTTP: problem details (RFC 9457) with the protocol's codes.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use starling_core::Refusal;
use starling_protocol::ErrorBody;

/// A refusal as an answer.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) refusal: Refusal,
}

/// The code of the refusal in an answer, for whoever counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RefusalCode(pub(crate) &'static str);

/// Problem details, with the fields that an `error` over the socket has.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(super) struct Details<'a> {
    /// `urn:starling:error:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: &'a str,
    /// The status again.
    status: u16,
    /// The message again, under the name of RFC 9457.
    detail: &'a str,
    #[serde(flatten)]
    error: &'a ErrorBody,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, refusal: Refusal) -> Self {
        Self { status, refusal }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::InvalidMessage(_) | Refusal::UnknownType(_) => StatusCode::BAD_REQUEST,
            Refusal::Unauthenticated(_) | Refusal::TokenExpired => StatusCode::UNAUTHORIZED,
            Refusal::Forbidden(_) | Refusal::NotMember | Refusal::Banned { .. } | Refusal::Muted { .. } => {
                StatusCode::FORBIDDEN
            }
            Refusal::NotFound(_) => StatusCode::NOT_FOUND,
            Refusal::RoomFull { .. }
            | Refusal::RoomExists
            | Refusal::TooManyRooms { .. }
            | Refusal::Conflict => StatusCode::CONFLICT,
            Refusal::SlowMode { .. } | Refusal::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Refusal::MessageTooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, refusal }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let error = ErrorBody::from(&self.refusal);
        let details = Details {
            kind: format!("urn:starling:error:{}", error.code),
            title: self.status.canonical_reason().unwrap_or("error"),
            status: self.status.as_u16(),
            detail: &error.message,
            error: &error,
        };
        let mut response = (self.status, axum::Json(&details)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(wait) = self.refusal.retry_after() {
            // Whole seconds, rounded up (RFC 9110 section 10.2.3).
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from(wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)),
            );
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(RefusalCode(self.refusal.code()));
        response
    }
}
