//! Guests: people without an account, who get a token for a name of their choice.
//!
//! Both tokens are JWT under the server's own secret, so any node renews what another gave out, and nothing is stored.
//! The refresh token has an audience of its own: no socket and no route takes it for an access token.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use starling_core::{Refusal, Timestamp, UserId};

use crate::{
    auth::{AuthConfig, AuthKey},
    config::GuestSettings,
};

/// What guests are called, before a random part.
const PREFIX: &str = "guest-";
/// Who takes refresh tokens: this module alone.
const REFRESH: &str = "starling:guest-refresh";
const ROLE: &str = "guest";
/// Characters of a guest's name.
pub(crate) const MAX_NAME: usize = 64;

/// Gives out tokens for guests.
pub(crate) struct Guests {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    issuer: Option<String>,
    audience: Option<String>,
    settings: GuestSettings,
}

/// What a guest is given.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GuestTokens {
    /// For the socket and the API.
    pub(crate) token: String,
    /// The guest's id: a new one for each sign-in, the same for each refresh.
    #[schema(value_type = String, example = "guest-1f2e3d4c5b6a7980")]
    pub(crate) user_id: UserId,
    /// The name that others read.
    pub(crate) name: String,
    /// When `token` ends.
    #[schema(value_type = String)]
    pub(crate) expires_at: Timestamp,
    /// For `POST /api/v1/auth/refresh`, before it ends too.
    pub(crate) refresh_token: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a UserId,
    name: &'a str,
    roles: [&'static str; 1],
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

#[derive(Deserialize)]
struct Known {
    sub: String,
    name: String,
}

impl Guests {
    /// `None` where no tokens can be signed here: their issuer is somebody else.
    pub(crate) fn new(auth: &AuthConfig, settings: GuestSettings) -> Option<Self> {
        let AuthKey::Hs256(secret) = &auth.key else {
            return None;
        };
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = auth.leeway_seconds;
        validation.set_required_spec_claims(&["exp", "aud"]);
        validation.set_audience(&[REFRESH]);
        Some(Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
            issuer: auth.issuer.clone(),
            audience: auth.audience.clone(),
            settings,
        })
    }

    /// A guest who was not here before. `salt` makes the id.
    pub(crate) fn sign_in(&self, name: &str, salt: u64, now: Timestamp) -> Result<GuestTokens, Refusal> {
        let name = name.trim();
        let length = name.chars().count();
        if length == 0 || length > MAX_NAME || name.chars().any(char::is_control) {
            return Err(Refusal::InvalidMessage(format!(
                "name has 1 to {MAX_NAME} characters and no control characters"
            )));
        }
        let user = UserId::parse(&format!("{PREFIX}{salt:016x}")).map_err(|_| Refusal::Internal)?;
        self.give(&user, name, now)
    }

    /// A guest whose token ends soon.
    pub(crate) fn refresh(&self, token: &str, now: Timestamp) -> Result<GuestTokens, Refusal> {
        const NO_TOKEN: Refusal = Refusal::Unauthenticated(
            "the refresh token is not one of this server's, or its time is over; sign in again",
        );
        let known = jsonwebtoken::decode::<Known>(token, &self.decoding, &self.validation)
            .map_err(|_| NO_TOKEN)?
            .claims;
        let user = UserId::parse(&known.sub).map_err(|_| NO_TOKEN)?;
        self.give(&user, &known.name, now)
    }

    fn give(&self, user: &UserId, name: &str, now: Timestamp) -> Result<GuestTokens, Refusal> {
        let expires_at = now.plus(self.settings.token_ttl);
        let sign = |ttl: Duration, aud: Option<&str>| {
            let claims = Claims {
                sub: user,
                name,
                roles: [ROLE],
                iat: now.as_millis() / 1000,
                exp: now.plus(ttl).as_millis() / 1000,
                iss: self.issuer.as_deref(),
                aud,
            };
            jsonwebtoken::encode(&Header::default(), &claims, &self.encoding).map_err(|error| {
                tracing::error!(%error, "a guest's token cannot be signed");
                Refusal::Internal
            })
        };
        Ok(GuestTokens {
            token: sign(self.settings.token_ttl, self.audience.as_deref())?,
            refresh_token: sign(self.settings.refresh_ttl, Some(REFRESH))?,
            user_id: user.clone(),
            name: name.to_owned(),
            expires_at,
        })
    }
}
