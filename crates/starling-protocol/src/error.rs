//! How a refusal looks on the wire.

use serde::{Deserialize, Serialize};
use starling_core::Refusal;

/// Data of an `error` envelope, and the extension members of a problem+json body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// One of the protocol's codes, such as `not_member`.
    pub code: String,
    /// What to do, for people.
    pub message: String,
    /// When to try again, in milliseconds, where waiting helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl From<&Refusal> for ErrorBody {
    fn from(refusal: &Refusal) -> Self {
        let millis = |d: std::time::Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX).max(1);
        Self {
            code: refusal.code().to_owned(),
            message: refusal.to_string(),
            retry_after_ms: refusal.retry_after().map(millis),
        }
    }
}
