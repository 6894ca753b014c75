//! Kinds of values that are texts.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use starling_core::RoomId;
use tracing_subscriber::EnvFilter;

use super::{Kind, Raw, toml_text};
use crate::secret;

/// A name of visible ASCII characters.
pub(in crate::config) struct Name;

impl Kind for Name {
    type Value = String;

    fn expected(&self) -> String {
        "1 to 128 visible ASCII characters".into()
    }

    fn read(&self, raw: &Raw) -> Option<String> {
        let text = raw.as_text()?;
        let is_name = (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_name.then(|| text.to_owned())
    }

    fn show(&self, value: &String) -> Option<String> {
        Some(toml_text(value))
    }
}

/// The id of an ordinary room.
pub(in crate::config) struct Room;

impl Kind for Room {
    type Value = RoomId;

    fn expected(&self) -> String {
        "the id of a room: 1 to 128 letters, digits, \"_\", \":\", \".\" or \"-\"".into()
    }

    fn read(&self, raw: &Raw) -> Option<RoomId> {
        RoomId::parse(raw.as_text()?)
            .ok()
            .filter(|room| !room.is_reserved())
    }

    fn show(&self, value: &RoomId) -> Option<String> {
        Some(toml_text(value.as_str()))
    }
}

/// A path, relative to the working directory.
pub(in crate::config) struct FilePath;

impl Kind for FilePath {
    type Value = PathBuf;

    fn expected(&self) -> String {
        "a path".into()
    }

    fn read(&self, raw: &Raw) -> Option<PathBuf> {
        raw.as_text().filter(|text| !text.is_empty()).map(PathBuf::from)
    }

    fn show(&self, value: &PathBuf) -> Option<String> {
        Some(toml_text(&value.to_string_lossy()))
    }
}

/// Where to listen.
pub(in crate::config) struct Address;

impl Kind for Address {
    type Value = SocketAddr;

    fn expected(&self) -> String {
        "an IP address and port such as \"127.0.0.1:8080\" or \"[::]:8080\"".into()
    }

    fn read(&self, raw: &Raw) -> Option<SocketAddr> {
        raw.as_text()?.parse().ok()
    }

    fn show(&self, value: &SocketAddr) -> Option<String> {
        Some(toml_text(&value.to_string()))
    }
}

/// A range of addresses, or one.
pub(in crate::config) struct Network;

impl Kind for Network {
    type Value = IpNet;

    fn expected(&self) -> String {
        "an address or a CIDR range such as \"10.0.0.0/8\"".into()
    }

    fn read(&self, raw: &Raw) -> Option<IpNet> {
        let text = raw.as_text()?;
        text.parse()
            .ok()
            .or_else(|| Some(IpNet::from(text.parse::<IpAddr>().ok()?)))
    }

    fn show(&self, value: &IpNet) -> Option<String> {
        Some(toml_text(&value.to_string()))
    }
}

/// The origin of a web page, or `*`.
pub(in crate::config) struct WebOrigin;

impl Kind for WebOrigin {
    type Value = String;

    fn expected(&self) -> String {
        "\"*\" or an origin such as \"https://example.org\", without a path or a final slash".into()
    }

    fn read(&self, raw: &Raw) -> Option<String> {
        let text = raw.as_text()?;
        if text == "*" {
            return Some(text.to_owned());
        }
        let (scheme, host) = text.split_once("://")?;
        let is_word = |part: &str, others: &[u8]| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
        };
        (is_word(scheme, b"+-.") && is_word(host, b"-._:[]")).then(|| text.to_ascii_lowercase())
    }

    fn show(&self, value: &String) -> Option<String> {
        Some(toml_text(value))
    }
}

/// Which log lines are written.
pub(in crate::config) struct LogFilter;

impl Kind for LogFilter {
    type Value = String;

    fn expected(&self) -> String {
        "off, error, warn, info, debug or trace, also for a part: \"info,starling_gateway=debug\"".into()
    }

    fn read(&self, raw: &Raw) -> Option<String> {
        const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
        let text = raw.as_text()?;
        // A lone word that is no level would be taken for a target, and show everything of it.
        let is_clear =
            |part: &str| LEVELS.contains(&part.to_ascii_lowercase().as_str()) || part.contains('=');
        let is_good =
            text.split(',').all(|part| is_clear(part.trim())) && EnvFilter::builder().parse(text).is_ok();
        is_good.then(|| text.to_owned())
    }

    fn show(&self, value: &String) -> Option<String> {
        Some(toml_text(value))
    }
}

/// A secret; how long it must be depends on who can reach the server.
pub(in crate::config) struct Secret;

impl Kind for Secret {
    type Value = SecretString;

    fn expected(&self) -> String {
        "a secret (to make one: openssl rand -hex 32)".into()
    }

    fn read(&self, raw: &Raw) -> Option<SecretString> {
        raw.as_text().filter(|text| !text.is_empty()).map(Into::into)
    }

    fn show(&self, _: &SecretString) -> Option<String> {
        Some(toml_text(secret::HIDDEN))
    }

    fn is_secret(&self) -> bool {
        true
    }
}

/// The address of a service; it may hold a password.
pub(in crate::config) struct ServiceUrl {
    pub(in crate::config) schemes: &'static [&'static str],
    pub(in crate::config) example: &'static str,
}

impl Kind for ServiceUrl {
    type Value = SecretString;

    fn expected(&self) -> String {
        format!("a URL such as \"{}\"", self.example)
    }

    fn read(&self, raw: &Raw) -> Option<SecretString> {
        let text = raw.as_text()?;
        let (scheme, rest) = text.split_once("://")?;
        let is_good =
            self.schemes.contains(&scheme) && !rest.is_empty() && !text.contains(char::is_whitespace);
        is_good.then(|| text.into())
    }

    fn show(&self, value: &SecretString) -> Option<String> {
        Some(toml_text(&secret::hide_password(value.expose_secret())))
    }

    fn is_secret(&self) -> bool {
        true
    }
}
