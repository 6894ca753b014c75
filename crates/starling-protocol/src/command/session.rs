//! Commands about the session itself.

use serde::{Deserialize, Serialize};

/// Data of `authenticate` and `refresh_token`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TokenData {
    /// A JWT.
    pub token: String,
}

impl std::fmt::Debug for TokenData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenData { token: … }")
    }
}

/// No data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Empty {}
