//! Where values come from, weakest first: the file, the usual variables (`PORT` and friends), `STARLING_…`, the flags.
//! For each key the strongest value is kept with its origin; what no key claims is a problem.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use toml::de::{DeTable, DeValue};

use super::{
    error::{ConfigError, Origin, nearest},
    raw::Raw,
};
use crate::cli::Options;

/// What the names of our variables begin with.
const PREFIX: &str = "STARLING_";
/// The variable that names the file.
const FILE_VARIABLE: &str = "STARLING_CONFIG";
const LISTEN: &str = "server.listen";
const PORT: &str = "PORT";

/// The variables that hosts and tools set by custom, and what they set here. `PORT` replaces only the port.
pub(super) const ALIASES: [(&str, &str); 8] = [
    (LISTEN, PORT),
    ("auth.hs256_secret", "JWT_SECRET"),
    ("redis.url", "REDIS_URL"),
    ("postgres.url", "DATABASE_URL"),
    ("telemetry.otlp_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ("telemetry.otlp_headers", "OTEL_EXPORTER_OTLP_HEADERS"),
    ("telemetry.service_name", "OTEL_SERVICE_NAME"),
    ("telemetry.trace_ratio", "OTEL_TRACES_SAMPLER_ARG"),
];

/// A value and where it was written.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) raw: Raw,
    /// The value as it was written, for an error message.
    pub(super) written: String,
    pub(super) origin: Origin,
}

/// The strongest value of every key that was given one, and the problems met on the way.
#[derive(Default)]
pub(super) struct Sources {
    pub(super) given: BTreeMap<&'static str, Given>,
    pub(super) errors: Vec<ConfigError>,
    /// What is no error and still worth a word: variables that no key has.
    pub(super) warnings: Vec<ConfigError>,
}

/// The variable that sets a key.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

impl Sources {
    /// Reads all sources. `known` are the keys that exist; `listen` is where the server listens when nobody says.
    pub(super) fn collect(
        options: &Options,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        known: &[&'static str],
        listen: SocketAddr,
    ) -> Self {
        let mut sources = Self::default();
        let variables = sources.text_variables(variables);
        if let Some((path, origin)) = file_named(options, &variables) {
            sources.read_file(&path, &origin, known);
        }
        sources.read_aliases(&variables, known, listen);
        sources.read_variables(&variables, known);
        for (key, flag, value) in options.settings() {
            if let (Some(key), Some(value)) = (find(known, key), value) {
                sources.set_untyped(key, value, Origin::Flag(flag));
            }
        }
        sources
    }

    /// The variables that concern us. An empty one counts as not set: compose files and shells leave such behind.
    fn text_variables(
        &mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        for (name, value) in variables {
            let Ok(name) = name.into_string() else { continue };
            let alias = ALIASES.iter().find(|(_, alias)| *alias == name);
            if (alias.is_none() && !name.starts_with(PREFIX)) || value.is_empty() {
                continue;
            }
            match value.into_string() {
                Ok(value) => {
                    texts.insert(name, value);
                }
                Err(_) => self.errors.push(ConfigError::BadValue {
                    key: alias.map_or_else(|| name.clone(), |(key, _)| (*key).to_owned()),
                    given: None,
                    origin: Origin::Env(name),
                    expected: "text in UTF-8".into(),
                }),
            }
        }
        texts
    }

    fn read_aliases(
        &mut self,
        variables: &BTreeMap<String, String>,
        known: &[&'static str],
        listen: SocketAddr,
    ) {
        for (key, alias) in ALIASES {
            let (Some(key), Some(value)) = (find(known, key), variables.get(alias)) else {
                continue;
            };
            let origin = Origin::Env(alias.to_owned());
            if alias != PORT {
                self.set_untyped(key, value, origin);
            } else if let Ok(port) = value.parse() {
                let from_file = self
                    .given
                    .get(key)
                    .and_then(|given| given.raw.as_text()?.parse().ok());
                let mut address: SocketAddr = from_file.unwrap_or(listen);
                address.set_port(port);
                self.set_untyped(key, &address.to_string(), origin);
            } else {
                self.errors.push(ConfigError::BadValue {
                    key: key.to_owned(),
                    given: Some(quoted(value)),
                    origin,
                    expected: "a port from 0 to 65535".into(),
                });
            }
        }
    }

    fn read_variables(&mut self, variables: &BTreeMap<String, String>, known: &[&'static str]) {
        for (name, value) in variables {
            if !name.starts_with(PREFIX) || name == FILE_VARIABLE || is_service_link(name, value) {
                continue;
            }
            let origin = Origin::Env(name.clone());
            match known.iter().find(|key| variable(key) == *name) {
                Some(key) => self.set_untyped(key, value, origin),
                None => {
                    let names = known
                        .iter()
                        .map(|key| variable(key))
                        .chain([FILE_VARIABLE.to_owned()]);
                    let suggestion = nearest(name, names);
                    // Not an error: the environment is shared, and another program may own the variable.
                    self.warnings.push(ConfigError::UnknownKey {
                        name: name.clone(),
                        origin,
                        suggestion,
                    });
                }
            }
        }
    }

    fn read_file(&mut self, path: &Path, origin: &Origin, known: &[&'static str]) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let (path, reason) = (path.to_owned(), error.to_string());
                return self.errors.push(ConfigError::Unreadable {
                    path,
                    origin: origin.clone(),
                    reason,
                });
            }
        };
        let file = File {
            path,
            text: &text,
            known,
        };
        let (document, errors) = DeTable::parse_recoverable(&text);
        self.errors.extend(errors.iter().map(|error| ConfigError::Syntax {
            origin: file.at(error.span().map_or(0, |span| span.start)),
            reason: error.message().replace('\n', ", "),
        }));
        // What a broken file seems to say would only lead to problems that are none.
        if errors.is_empty() {
            file.read_table(None, document.get_ref(), self);
        }
    }

    fn set_untyped(&mut self, key: &'static str, value: &str, origin: Origin) {
        let given = Given {
            raw: Raw::Untyped(value.to_owned()),
            written: quoted(value),
            origin,
        };
        self.given.insert(key, given);
    }
}

/// A configuration file while it is read.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
    known: &'a [&'static str],
}

impl File<'_> {
    fn at(&self, offset: usize) -> Origin {
        let before = self.text.as_bytes().iter().take(offset);
        Origin::File {
            path: self.path.to_owned(),
            line: 1 + before.filter(|byte| **byte == b'\n').count(),
        }
    }

    /// Reads the top of the file, or one of its sections.
    fn read_table(&self, section: Option<&str>, table: &DeTable<'_>, sources: &mut Sources) {
        for (name, value) in table {
            let origin = self.at(name.span().start);
            let full_name = match section {
                Some(section) => format!("{section}.{}", name.get_ref()),
                None => name.get_ref().to_string(),
            };
            if let Some(key) = find(self.known, &full_name) {
                let written = quoted_source(self.text.get(value.span()).unwrap_or_default());
                sources.given.insert(
                    key,
                    Given {
                        raw: Raw::from_toml(value.get_ref()),
                        written,
                        origin,
                    },
                );
            } else if section.is_none() && self.sections().any(|known| known == full_name) {
                match value.get_ref() {
                    DeValue::Table(inner) => self.read_table(Some(&full_name), inner, sources),
                    _ => sources.errors.push(ConfigError::BadValue {
                        expected: format!("a section that begins with [{full_name}]"),
                        key: full_name,
                        given: None,
                        origin,
                    }),
                }
            } else {
                let suggestion = self.suggest(&full_name, section.is_none());
                sources.errors.push(ConfigError::UnknownKey {
                    name: full_name,
                    origin,
                    suggestion,
                });
            }
        }
    }

    fn sections(&self) -> impl Iterator<Item = &'static str> {
        self.known.iter().filter_map(|key| Some(key.split_once('.')?.0))
    }

    /// A key that exists under this name in another section, else the name that is nearest.
    fn suggest(&self, name: &str, is_top: bool) -> Option<String> {
        let last = name.rsplit('.').next();
        let elsewhere = self.known.iter().find(|key| key.rsplit('.').next() == last);
        let sections = self.sections().filter(|_| is_top).map(str::to_owned);
        let names = self.known.iter().map(|key| (*key).to_owned());
        elsewhere
            .map(|key| (*key).to_owned())
            .or_else(|| nearest(name, names.chain(sections)))
    }
}

fn file_named(options: &Options, variables: &BTreeMap<String, String>) -> Option<(PathBuf, Origin)> {
    let by_flag = options
        .config
        .clone()
        .map(|path| (path, Origin::Flag("--config")));
    by_flag.or_else(|| {
        Some((
            variables.get(FILE_VARIABLE)?.into(),
            Origin::Env(FILE_VARIABLE.to_owned()),
        ))
    })
}

fn find(known: &[&'static str], name: &str) -> Option<&'static str> {
    known.iter().find(|key| **key == name).copied()
}

/// Kubernetes tells every pod of the services beside it: a service named `starling` becomes `STARLING_SERVICE_HOST`,
/// `STARLING_PORT=tcp://…` and more. These are nobody's mistake.
fn is_service_link(name: &str, value: &str) -> bool {
    let is_port = name.ends_with("_PORT") || name.contains("_PORT_");
    !name.contains("__")
        && (name.ends_with("_SERVICE_HOST")
            || name.contains("_SERVICE_PORT")
            || (name.contains("_PORT_") && ["_TCP", "_UDP", "_SCTP"].iter().any(|part| name.contains(part)))
            || (is_port
                && ["tcp://", "udp://", "sctp://"]
                    .iter()
                    .any(|scheme| value.starts_with(scheme))))
}

/// The longest part of a value that an error message repeats, in characters.
const SHOWN_CHARS: usize = 80;

fn quoted(value: &str) -> String {
    format!("{:?}", shortened(value))
}

fn quoted_source(source: &str) -> String {
    shortened(&source.replace(['\n', '\r'], " "))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
