//! The configuration as text: the effective one, and the example file.

use super::{Config, section::Key, source};
use crate::cli::Options;

const PREAMBLE: &str = "\
# Starling's configuration. This is the output of `starling config --example`: every value is the default, and keys
# without a default are commented out. Name your own file with --config or STARLING_CONFIG.
#
# Strongest first: flags (`starling --help`); variables such as STARLING_SERVER__LISTEN for server.listen, with commas
# between the items of a list; the usual variables (PORT, JWT_SECRET, REDIS_URL, DATABASE_URL and those of OpenTelemetry:
# OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER_ARG); the file. An empty
# variable counts as not set. `starling config` prints what is in effect, and where each value came from.
#
# Paths are relative to the working directory.
";

impl Config {
    /// The effective configuration in TOML. Secrets are hidden; values that are no defaults tell where they came from.
    pub(crate) fn to_toml(&self) -> String {
        let effective = |key: &Key| match (&key.value, self.origins.get(key.name)) {
            (Some(value), Some(origin)) => format!("{} = {value} # {origin}\n", last_name(key)),
            (Some(value), None) => format!("{} = {value}\n", last_name(key)),
            (None, _) => format!("# {} is not set\n", last_name(key)),
        };
        let mut text = effective(&self.backend_key());
        for section in self.sections() {
            text += &format!("\n[{}]\n", section.name());
            text.extend(section.keys().iter().map(effective));
        }
        text
    }

    /// The example file: what each key means, what it takes, and its default.
    pub(crate) fn example() -> String {
        let defaults = Self::default();
        let mut text = PREAMBLE.to_owned() + &described(&defaults.backend_key());
        for section in defaults.sections() {
            text += &format!("\n\n{}[{}]\n", comment(section.about()), section.name());
            text.extend(section.keys().iter().map(described));
        }
        text
    }
}

/// A key of the example, with its comment.
fn described(key: &Key) -> String {
    let aliases = source::ALIASES.iter().map(|(name, alias)| (*name, *alias));
    let flags = Options::default().settings().map(|(name, flag, _)| (name, flag));
    let others: Vec<_> = flags
        .into_iter()
        .chain(aliases)
        .filter(|(name, _)| *name == key.name)
        .map(|(_, other)| other)
        .collect();
    let also = if others.is_empty() {
        String::new()
    } else {
        format!(" Also {}.", others.join(", "))
    };
    let name = last_name(key);
    let assignment = match (&key.value, key.sample) {
        (Some(value), _) => format!("{name} = {value}"),
        (None, sample) => format!("# {name} = {}", sample.unwrap_or_default()),
    };
    format!(
        "\n{}# Takes {}.{also}\n{assignment}\n",
        comment(key.doc),
        key.expected
    )
}

/// Lines of documentation, each with its leading space, as a comment.
fn comment(doc: &[&str]) -> String {
    doc.iter().map(|line| format!("#{line}\n")).collect()
}

fn last_name(key: &Key) -> &'static str {
    key.name.rsplit('.').next().unwrap_or(key.name)
}
