//! What is wrong with a configuration: every problem at once, each with its key, its source and what was expected.

use std::{fmt, path::PathBuf};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A line of the configuration file.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Env(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{} line {line}", path.display()),
            Self::Env(name) => write!(f, "env {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A value is not what its key takes.
    #[error("{key}{} ({origin}): expected {expected}", assigned(given.as_deref()))]
    BadValue {
        /// The key, such as `server.listen`.
        key: String,
        /// The value as it was written; `None` when it may hold a secret.
        given: Option<String>,
        /// Where it was written.
        origin: Origin,
        /// What the key takes.
        expected: String,
    },
    /// A key or a variable that Starling does not know.
    #[error("{}: unknown key{}", placed(name, origin), meant(suggestion.as_deref()))]
    UnknownKey {
        /// The name as it was written.
        name: String,
        /// Where it was written.
        origin: Origin,
        /// The nearest name that exists.
        suggestion: Option<String>,
    },
    /// Values that are good each, and wrong together; or a value that is missing.
    #[error("{key} ({}): expected {expected}{}", stated(origin.as_ref()), beside(others))]
    Rule {
        /// The key to change first.
        key: String,
        /// Where its value came from; `None` when it was not given.
        origin: Option<Origin>,
        /// What would be right.
        expected: String,
        /// The other keys of the rule that were given a value, and where.
        others: Vec<(String, Origin)>,
    },
    /// The file cannot be read.
    #[error("{} ({origin}): expected a readable TOML file: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Who named it.
        origin: Origin,
        /// The operating system's words.
        reason: String,
    },
    /// The file is not TOML.
    #[error("{origin}: expected TOML: {reason}")]
    Syntax {
        /// The place.
        origin: Origin,
        /// What the parser says; it quotes nothing of the file, which may hold secrets.
        reason: String,
    },
}

fn assigned(given: Option<&str>) -> String {
    given.map(|value| format!(" = {value}")).unwrap_or_default()
}

fn placed(name: &str, origin: &Origin) -> String {
    match origin {
        Origin::Env(_) => origin.to_string(),
        _ => format!("{name} ({origin})"),
    }
}

fn stated(origin: Option<&Origin>) -> String {
    origin.map_or_else(|| "not given".into(), ToString::to_string)
}

fn beside(others: &[(String, Origin)]) -> String {
    others
        .iter()
        .map(|(key, origin)| format!("; {key} is from {origin}"))
        .collect()
}

fn meant(suggestion: Option<&str>) -> String {
    suggestion
        .map(|name| format!("; did you mean {name}?"))
        .unwrap_or_default()
}

/// All problems of a configuration; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigErrors(pub(super) Vec<ConfigError>);

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the configuration has a problem")?,
            n => write!(f, "the configuration has {n} problems")?,
        }
        self.0.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

/// The nearest of the names that exist, if one is near enough to be a slip of the finger.
pub(super) fn nearest(name: &str, known: impl IntoIterator<Item = String>) -> Option<String> {
    // Below two thirds of equal characters a suggestion misleads more often than it helps.
    const NEAR: f64 = 0.66;
    known
        .into_iter()
        .map(|candidate| {
            (
                strsim::normalized_damerau_levenshtein(name, &candidate),
                candidate,
            )
        })
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
