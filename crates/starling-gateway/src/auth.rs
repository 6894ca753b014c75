//! Tokens: JWT (RFC 7519), verified with one configured key. The algorithm is the key's, never the token's choice.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, errors::ErrorKind};
use serde::Deserialize;
use starling_core::{Refusal, RoomId, Timestamp, UserId};

/// What a token must be verified with.
#[derive(Clone)]
pub struct AuthConfig {
    /// The key.
    pub key: AuthKey,
    /// `iss` that is required.
    pub issuer: Option<String>,
    /// `aud` that is required.
    pub audience: Option<String>,
    /// How far clocks may differ, in seconds.
    pub leeway_seconds: u64,
}

/// The key of the issuer.
#[derive(Clone)]
pub enum AuthKey {
    /// A shared secret, for HS256.
    Hs256(Vec<u8>),
    /// A public key in PEM: RSA (RS256, RS384, RS512), EC (ES256, ES384) or Ed25519 (EdDSA).
    PublicPem(Vec<u8>),
}

/// Why a configuration of tokens cannot work.
#[derive(Debug, thiserror::Error)]
#[error("the public key is not an RSA, EC (P-256, P-384) or Ed25519 public key in PEM")]
pub struct KeyError;

/// Whom a token names, and what it grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `sub`, or `userId`.
    pub user: UserId,
    /// `name`.
    pub name: Option<Arc<str>>,
    /// `roles` contains `admin`: an administrator of the service.
    pub admin: bool,
    /// `rooms`: rooms that the user may join though they are private. A trailing `*` matches any end.
    pub grants: Arc<[String]>,
    /// `exp`.
    pub expires_at: Timestamp,
}

impl Identity {
    /// Whether the token grants this room.
    #[must_use]
    pub fn grants_room(&self, room: &RoomId) -> bool {
        self.grants.iter().any(|grant| match grant.strip_suffix('*') {
            Some(prefix) => room.as_str().starts_with(prefix),
            None => room.as_str() == grant,
        })
    }
}

/// Verifies tokens.
pub struct Verifier {
    key: DecodingKey,
    validation: Validation,
}

#[derive(Deserialize)]
struct Claims {
    sub: Option<Subject>,
    #[serde(rename = "userId", alias = "user_id")]
    user_id: Option<Subject>,
    exp: f64,
    name: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    rooms: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Subject {
    Text(String),
    Number(i64),
}

impl Subject {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(n) => n.to_string(),
        }
    }
}

impl Verifier {
    /// Prepares the key and the rules.
    pub fn new(config: &AuthConfig) -> Result<Self, KeyError> {
        let (key, algorithms) = match &config.key {
            AuthKey::Hs256(secret) => (DecodingKey::from_secret(secret), vec![Algorithm::HS256]),
            AuthKey::PublicPem(pem) => public_key(pem)?,
        };
        let mut validation = Validation::new(algorithms[0]);
        validation.algorithms = algorithms;
        validation.leeway = config.leeway_seconds;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp"]);
        // Without an audience of our own a token that names one is not for us (RFC 7519 section 4.1.3).
        if let Some(audience) = &config.audience {
            validation.set_audience(&[audience]);
            validation.required_spec_claims.insert("aud".to_owned());
        }
        if let Some(issuer) = &config.issuer {
            validation.set_issuer(&[issuer]);
            validation.required_spec_claims.insert("iss".to_owned());
        }
        Ok(Self { key, validation })
    }

    /// Verifies a token.
    pub fn verify(&self, token: &str) -> Result<Identity, Refusal> {
        let claims = decode::<Claims>(token, &self.key, &self.validation)
            .map_err(|e| refusal(e.kind()))?
            .claims;
        let subject = claims
            .sub
            .or(claims.user_id)
            .ok_or(Refusal::Unauthenticated("the token names no user: set sub"))?;
        let user = UserId::parse(&subject.into_text())
            .map_err(|_| Refusal::Unauthenticated("the token's sub is not a valid user id"))?;
        let name = claims
            .name
            .filter(|name| !name.is_empty() && name.chars().count() <= 128)
            .map(Into::into);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturates, and exp was checked to be in the future"
        )]
        let expires_at = Timestamp::from_millis((claims.exp * 1000.0) as i64);
        let admin = claims.roles.iter().any(|role| role == "admin");
        Ok(Identity {
            user,
            name,
            admin,
            grants: claims.rooms.into(),
            expires_at,
        })
    }
}

fn public_key(pem: &[u8]) -> Result<(DecodingKey, Vec<Algorithm>), KeyError> {
    if let Ok(key) = DecodingKey::from_rsa_pem(pem) {
        return Ok((key, vec![Algorithm::RS256, Algorithm::RS384, Algorithm::RS512]));
    }
    if let Ok(key) = DecodingKey::from_ec_pem(pem) {
        return Ok((key, vec![Algorithm::ES256, Algorithm::ES384]));
    }
    DecodingKey::from_ed_pem(pem)
        .map(|key| (key, vec![Algorithm::EdDSA]))
        .map_err(|_| KeyError)
}

fn refusal(kind: &ErrorKind) -> Refusal {
    match kind {
        ErrorKind::ExpiredSignature => Refusal::TokenExpired,
        ErrorKind::InvalidSignature => {
            Refusal::Unauthenticated("the token's signature does not match this server's key")
        }
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => {
            Refusal::Unauthenticated("the token's algorithm is not the one of this server's key")
        }
        ErrorKind::InvalidAudience => Refusal::Unauthenticated("the token is for another audience"),
        ErrorKind::InvalidIssuer => Refusal::Unauthenticated("the token is from another issuer"),
        ErrorKind::ImmatureSignature => Refusal::Unauthenticated("the token is not valid yet"),
        ErrorKind::MissingRequiredClaim(_) => Refusal::Unauthenticated(
            "the token lacks a required claim: exp, and iss or aud where the server asks for them",
        ),
        _ => Refusal::Unauthenticated("the token is not a valid JWT for this server"),
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &[u8] = b"a secret of at least thirty-two bytes";
    const LATER: u64 = 4_000_000_000;

    fn verifier(issuer: Option<&str>, audience: Option<&str>) -> Verifier {
        let config = AuthConfig {
            key: AuthKey::Hs256(SECRET.to_vec()),
            issuer: issuer.map(Into::into),
            audience: audience.map(Into::into),
            leeway_seconds: 0,
        };
        Verifier::new(&config).unwrap()
    }

    fn sign(claims: &Value, secret: &[u8], algorithm: Algorithm) -> String {
        encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret)).unwrap()
    }

    fn code(verifier: &Verifier, token: &str) -> &'static str {
        verifier
            .verify(token)
            .map_or_else(|refusal| refusal.code(), |_| "ok")
    }

    #[test]
    fn claims_become_an_identity() {
        let claims = json!({"sub": "alice", "name": "Alice", "roles": ["admin"], "rooms": ["a", "team-*"], "exp": LATER});
        let identity = verifier(None, None)
            .verify(&sign(&claims, SECRET, Algorithm::HS256))
            .unwrap();
        assert_eq!(identity.user.as_str(), "alice");
        assert_eq!(identity.name.as_deref(), Some("Alice"));
        assert!(identity.admin);
        assert!(identity.grants_room(&RoomId::parse("team-red").unwrap()));
        assert!(!identity.grants_room(&RoomId::parse("ab").unwrap()));
        let by_user_id = sign(&json!({"userId": 7, "exp": LATER}), SECRET, Algorithm::HS256);
        assert_eq!(
            verifier(None, None).verify(&by_user_id).unwrap().user.as_str(),
            "7"
        );
    }

    #[test]
    fn bad_tokens_are_told_apart() {
        let plain = verifier(None, None);
        let good = json!({"sub": "alice", "exp": LATER});
        let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhbGljZSIsImV4cCI6NDAwMDAwMDAwMH0.";
        let rows = [
            (sign(&good, SECRET, Algorithm::HS256), "ok"),
            (
                sign(&good, b"another secret of thirty-two bytes!!", Algorithm::HS256),
                "unauthenticated",
            ),
            (sign(&good, SECRET, Algorithm::HS384), "unauthenticated"),
            (
                sign(&json!({"sub": "alice", "exp": 1}), SECRET, Algorithm::HS256),
                "token_expired",
            ),
            (
                sign(&json!({"sub": "alice"}), SECRET, Algorithm::HS256),
                "unauthenticated",
            ),
            (
                sign(
                    &json!({"sub": "alice", "exp": LATER, "nbf": LATER - 1}),
                    SECRET,
                    Algorithm::HS256,
                ),
                "unauthenticated",
            ),
            (
                sign(&json!({"sub": "a b", "exp": LATER}), SECRET, Algorithm::HS256),
                "unauthenticated",
            ),
            (
                sign(&json!({"exp": LATER}), SECRET, Algorithm::HS256),
                "unauthenticated",
            ),
            (none.to_owned(), "unauthenticated"),
            ("x.y.z".to_owned(), "unauthenticated"),
            (String::new(), "unauthenticated"),
        ];
        for (token, expected) in rows {
            assert_eq!(code(&plain, &token), expected, "{token}");
        }
    }

    #[test]
    fn issuer_and_audience_are_required_where_configured() {
        let strict = verifier(Some("https://id"), Some("starling"));
        let with = |iss: &str, aud: &str| {
            sign(
                &json!({"sub": "alice", "exp": LATER, "iss": iss, "aud": aud}),
                SECRET,
                Algorithm::HS256,
            )
        };
        assert_eq!(code(&strict, &with("https://id", "starling")), "ok");
        assert_eq!(code(&strict, &with("https://id", "other")), "unauthenticated");
        assert_eq!(
            code(&strict, &with("https://other", "starling")),
            "unauthenticated"
        );
        assert_eq!(
            code(
                &strict,
                &sign(&json!({"sub": "alice", "exp": LATER}), SECRET, Algorithm::HS256)
            ),
            "unauthenticated"
        );
        assert_eq!(
            code(&verifier(None, None), &with("https://id", "other")),
            "unauthenticated"
        );
    }
}
