//! The tokens of the generator's users: HS256, from the server's secret.

use anyhow::{Context, Result};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

/// 2100-01-01: a load test needs no clock to stay within its tokens' time.
const EXPIRES: i64 = 4_102_444_800;

/// Signs tokens.
pub struct Signer {
    key: EncodingKey,
    header: Header,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    exp: i64,
}

impl Signer {
    /// With the server's `auth.hs256_secret`.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self {
            key: EncodingKey::from_secret(secret.as_bytes()),
            header: Header::new(Algorithm::HS256),
        }
    }

    /// A token for a user.
    pub fn sign(&self, user: &str) -> Result<String> {
        let claims = Claims {
            sub: user,
            exp: EXPIRES,
        };
        jsonwebtoken::encode(&self.header, &claims, &self.key).context("cannot sign a token")
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation};

    use super::*;

    #[test]
    fn a_token_names_its_user_and_verifies() {
        let token = Signer::new("secret").sign("alice").unwrap();
        let key = DecodingKey::from_secret(b"secret");
        let claims: serde_json::Value =
            jsonwebtoken::decode(&token, &key, &Validation::new(Algorithm::HS256))
                .unwrap()
                .claims;
        assert_eq!(claims["sub"], "alice");
    }
}
