//! Tokens, signed as an application's own server would.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use starling_core::{Clock as _, time::SystemClock};

/// The secret (HS256) by which every gateway of the suite verifies tokens, without any leeway.
pub const SECRET: &str = "the end-to-end suite's own secret of 48 letters!";

/// Seconds since 1970, so much from now.
#[must_use]
pub fn in_future(span: Duration) -> f64 {
    seconds(i64::try_from(span.as_millis()).unwrap())
}

/// Seconds since 1970, so much ago.
#[must_use]
pub fn in_past(span: Duration) -> f64 {
    seconds(-i64::try_from(span.as_millis()).unwrap())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of this century are exact in 53 bits"
)]
fn seconds(offset_ms: i64) -> f64 {
    (SystemClock.now().as_millis() + offset_ms) as f64 / 1000.0
}

/// What a token of this user says that holds for an hour.
#[must_use]
pub fn claims(user: &str) -> Value {
    json!({ "sub": user, "exp": in_future(Duration::from_secs(3600)) })
}

/// A token that holds.
#[must_use]
pub fn sign(claims: &Value) -> String {
    sign_with(claims, Algorithm::HS256, SECRET)
}

/// A token by another key or algorithm.
#[must_use]
pub fn sign_with(claims: &Value, algorithm: Algorithm, secret: &str) -> String {
    encode(
        &Header::new(algorithm),
        claims,
        &EncodingKey::from_secret(secret.as_bytes()),
    )
    .unwrap()
}

/// A token that names no algorithm and has no signature.
#[must_use]
pub fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.",
        part(&json!({ "alg": "none", "typ": "JWT" })),
        part(claims)
    )
}

/// A token whose claims were changed after it was signed.
#[must_use]
pub fn forged(claims: &Value, changed: &Value) -> String {
    let signed = sign(claims);
    let parts: Vec<&str> = signed.split('.').collect();
    format!(
        "{}.{}.{}",
        parts[0],
        URL_SAFE_NO_PAD.encode(changed.to_string()),
        parts[2]
    )
}
