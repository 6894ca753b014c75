//! The section `[auth]`.

use std::{path::PathBuf, time::Duration};

use secrecy::SecretString;

use super::{
    kind::{Choice, FilePath, Name, Named, Optional, Secret, Time},
    section::{Rules, Validate, section},
};
use crate::secret;

/// Whether people without an account are let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GuestPolicy {
    /// On the embedded backend, where the server signs tokens itself.
    Auto,
    /// Everywhere.
    On,
    /// Nowhere.
    Off,
}

impl Named for GuestPolicy {
    const ALL: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("on", Self::On), ("off", Self::Off)];
}

section! {
    /// How tokens (JWT) are verified: by a shared secret or by a public key. With none of the three keys, the embedded
    /// backend makes a secret and keeps it in its data folder.
    struct AuthConfig("auth") {
        /// Secret of the tokens that are signed by HS256.
        hs256_secret: Option<SecretString> =
            None, Optional(Secret, "\"<openssl rand -hex 32>\"");
        /// File with that secret instead; white space at its ends is no part of it.
        hs256_secret_file: Option<PathBuf> = None, Optional(FilePath, "\"/run/secrets/starling\"");
        /// PEM file with the public key of the tokens' issuer: RSA, elliptic curve or Ed25519.
        public_key_file: Option<PathBuf> = None, Optional(FilePath, "\"/etc/starling/issuer.pem\"");
        /// What the claim `iss` must be. Not checked when it is not set.
        issuer: Option<String> = None, Optional(Name, "\"https://id.example.org\"");
        /// What the claim `aud` must hold. When it is not set, a token with that claim is refused.
        audience: Option<String> = None, Optional(Name, "\"starling\"");
        /// By how much the clocks of issuer and server may differ.
        leeway: Duration = Duration::ZERO, Time::secs(0..=600);
        /// How long a client that connects without a token may take to send one.
        authenticate_timeout: Duration = Duration::from_secs(10), Time::secs(1..=300);
        /// Whether anybody may sign in as a guest, under a name of their choice. "auto": on the embedded backend only,
        /// unless tokens come from the owner of a private key.
        guests: GuestPolicy = GuestPolicy::Auto, Choice::new();
        /// How long a guest's token is good.
        guest_token_ttl: Duration = Duration::from_mins(15), Time::secs(60..=86_400);
        /// For how long a guest can renew it.
        guest_refresh_ttl: Duration = Duration::from_hours(720), Time::secs(60..=31_536_000);
    }
}

impl AuthConfig {
    /// Whether the operator named a key.
    pub(super) fn has_key(&self) -> bool {
        self.hs256_secret.is_some() || self.hs256_secret_file.is_some() || self.public_key_file.is_some()
    }
}

impl Validate for AuthConfig {
    fn validate(&self, rules: &mut Rules) {
        const SECRET: &str = "auth.hs256_secret";
        const SECRET_FILE: &str = "auth.hs256_secret_file";
        const PUBLIC_KEY_FILE: &str = "auth.public_key_file";
        let keys = [
            self.hs256_secret.is_some(),
            self.hs256_secret_file.is_some(),
            self.public_key_file.is_some(),
        ];
        rules.require(
            keys.iter().filter(|is_set| **is_set).count() <= 1,
            &[SECRET, SECRET_FILE, PUBLIC_KEY_FILE],
            "only one of auth.hs256_secret, auth.hs256_secret_file and auth.public_key_file",
        );
        rules.require(
            self.guests != GuestPolicy::On || self.public_key_file.is_none(),
            &["auth.guests", PUBLIC_KEY_FILE],
            "\"auto\" or \"off\", since only the owner of the private key can sign tokens",
        );
        if let Some(Err(error)) = self.hs256_secret_file.as_deref().map(secret::read_configured) {
            rules.require(false, &[SECRET_FILE], format!("a file with a secret: {error}"));
        }
        if let Some(Err(error)) = self.public_key_file.as_deref().map(secret::read_public_key) {
            rules.require(
                false,
                &[PUBLIC_KEY_FILE],
                format!("a PEM file with a public key: {error}"),
            );
        }
    }
}
