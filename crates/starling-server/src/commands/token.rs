//! `starling token`.

use std::{
    io::{self, Write},
    time::Duration,
};

use clap::Args;
use jsonwebtoken::{EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use starling_core::{Clock, SystemClock, Timestamp, UserId};

use crate::{
    cli::Cli,
    config::{AuthConfig, Config, units},
    secret::{self, TokenKey},
    telemetry,
};

/// Whom a token is for.
#[derive(Debug, Args)]
pub(crate) struct Token {
    /// The user's id: the claim `sub`
    #[arg(long, value_name = "ID")]
    user: UserId,
    /// The user's name, for others to read
    #[arg(long)]
    name: Option<String>,
    /// A role of the user; repeat for several
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// For how long the token is good
    #[arg(long, default_value = "24h", value_name = "DURATION", value_parser = lifetime)]
    ttl: Duration,
}

/// Why no token can be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    /// This server has no key to sign with.
    #[error(
        "tokens are verified by the public key in {} (auth.public_key_file): only the owner of its private key can \
         sign one", .0.display()
    )]
    SignedElsewhere(std::path::PathBuf),
    /// The library refused.
    #[error("the token cannot be signed: {0}")]
    Signing(#[from] jsonwebtoken::errors::Error),
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    roles: &'a [String],
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

impl Token {
    /// A token that names a user and nothing else, good for a day.
    pub(crate) fn of(user: UserId) -> Self {
        Self {
            user,
            name: None,
            roles: Vec::new(),
            ttl: Duration::from_hours(24),
        }
    }

    /// The same for an administrator of the service, good for a minute.
    pub(crate) fn of_admin(user: UserId) -> Self {
        Self {
            roles: vec!["admin".into()],
            ttl: Duration::from_mins(1),
            ..Self::of(user)
        }
    }

    pub(crate) fn run(&self, cli: &Cli) -> anyhow::Result<()> {
        let config = Config::load(cli)?;
        telemetry::logs::init(&config.telemetry)?;
        let secret = match secret::token_key(&config, getrandom::fill)? {
            TokenKey::Shared(secret) => secret,
            TokenKey::Public(path) => return Err(TokenError::SignedElsewhere(path).into()),
        };
        let token = self.sign(&config.auth, &secret, SystemClock.now())?;
        Ok(writeln!(io::stdout(), "{token}")?)
    }

    pub(crate) fn sign(
        &self,
        auth: &AuthConfig,
        secret: &SecretString,
        now: Timestamp,
    ) -> Result<String, TokenError> {
        let claims = Claims {
            sub: &self.user,
            name: self.name.as_deref(),
            roles: &self.roles,
            iat: now.as_millis() / 1000,
            exp: now.plus(self.ttl).as_millis() / 1000,
            iss: auth.issuer.as_deref(),
            aud: auth.audience.as_deref(),
        };
        let key = EncodingKey::from_secret(secret.expose_secret().as_bytes());
        Ok(jsonwebtoken::encode(&Header::default(), &claims, &key)?)
    }
}

/// A lifetime of at least a second and at most ten years.
fn lifetime(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_hours(24 * 3650);
    units::parse_duration(text)
        .filter(|ttl| (Duration::from_secs(1)..=LONGEST).contains(ttl))
        .ok_or_else(|| "expected a duration such as \"30m\", \"24h\" or \"7d\", at most ten years".into())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};
    use rstest::rstest;

    use super::*;
    use crate::cli::Command;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const NOW: i64 = 1_795_176_000;

    fn parse(args: &[&str]) -> Result<Token, clap::Error> {
        match Cli::try_parse_from(["starling", "token"].iter().chain(args))?.command {
            Some(Command::Token(token)) => Ok(token),
            other => panic!("not a token: {other:?}"),
        }
    }

    fn claims(args: &[&str], auth: &AuthConfig) -> serde_json::Value {
        let token = parse(args)
            .unwrap()
            .sign(auth, &SECRET.into(), Timestamp::from_millis(NOW * 1000 + 999))
            .unwrap();
        let mut rules = Validation::new(Algorithm::HS256);
        rules.validate_exp = false;
        rules.validate_aud = false;
        jsonwebtoken::decode(&token, &DecodingKey::from_secret(SECRET.as_bytes()), &rules)
            .unwrap()
            .claims
    }

    #[test]
    fn claims_are_what_was_asked_for() {
        let auth = Config::default().auth;
        let expected = serde_json::json!({"sub": "alice", "iat": NOW, "exp": NOW + 86_400});
        assert_eq!(claims(&["--user", "alice"], &auth), expected);

        let auth = AuthConfig {
            issuer: Some("me".into()),
            audience: Some("chat".into()),
            ..auth
        };
        let args = [
            "--user", "bob", "--name", "Bob B.", "--role", "admin", "--role", "bot", "--ttl", "90s",
        ];
        let expected = serde_json::json!({
            "sub": "bob", "name": "Bob B.", "roles": ["admin", "bot"],
            "iat": NOW, "exp": NOW + 90, "iss": "me", "aud": "chat",
        });
        assert_eq!(claims(&args, &auth), expected);
    }

    #[rstest]
    #[case(&[])]
    #[case(&["--user", "a b"])]
    #[case(&["--user", "a", "--ttl", "24"])]
    #[case(&["--user", "a", "--ttl", "0s"])]
    #[case(&["--user", "a", "--ttl", "99999d"])]
    fn nonsense_is_refused(#[case] args: &[&str]) {
        assert!(parse(args).is_err());
    }
}
