//! How a section is declared: once. From one declaration come the type, its defaults, the reading of every source, the
//! effective configuration and the example file, so that none of them can drift from another.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    error::{ConfigError, Origin},
    kind::Kind,
    source::{Given, Sources},
};

/// What is known of a key, for people.
pub(super) struct Key {
    /// The full name, such as `server.listen`.
    pub(super) name: &'static str,
    /// Its documentation, line by line.
    pub(super) doc: &'static [&'static str],
    /// What it takes.
    pub(super) expected: String,
    /// Its value in TOML, secrets hidden; `None` when it is not set.
    pub(super) value: Option<String>,
    /// A value for the example when it is not set.
    pub(super) sample: Option<&'static str>,
}

impl Key {
    pub(super) fn new<K: Kind>(
        name: &'static str,
        doc: &'static [&'static str],
        kind: &K,
        value: &K::Value,
    ) -> Self {
        Self {
            name,
            doc,
            expected: kind.expected(),
            value: kind.show(value),
            sample: kind.sample(),
        }
    }
}

/// A part of the configuration. The macro `section!` implements it.
pub(super) trait Section: Validate {
    /// Its name in the file.
    fn name(&self) -> &'static str;
    /// Its documentation, line by line.
    fn about(&self) -> &'static [&'static str];
    /// Its keys with their values.
    fn keys(&self) -> Vec<Key>;
}

/// The rules between the keys of one section.
pub(super) trait Validate {
    /// Reports every rule that does not hold.
    fn validate(&self, _rules: &mut Rules) {}
}

/// Gives each key its value, and notes the ones that are wrong.
#[derive(Default)]
pub(super) struct Reader {
    given: BTreeMap<&'static str, Given>,
    errors: Vec<ConfigError>,
}

impl Reader {
    pub(super) fn new(sources: Sources) -> Self {
        Self {
            given: sources.given,
            errors: sources.errors,
        }
    }

    /// The value that was given, else the default; a bad value is noted and the default stands in for it.
    pub(super) fn read<K: Kind>(&mut self, key: &'static str, kind: &K, default: K::Value) -> K::Value {
        let Some(given) = self.given.get(key) else {
            return default;
        };
        kind.read(&given.raw).unwrap_or_else(|| {
            self.errors.push(ConfigError::BadValue {
                key: key.to_owned(),
                given: (!kind.is_secret()).then(|| given.written.clone()),
                origin: given.origin.clone(),
                expected: kind.expected(),
            });
            default
        })
    }

    /// After the last key: on to the rules.
    pub(super) fn into_rules(self) -> Rules {
        let bad = self.errors.iter().filter_map(|error| match error {
            ConfigError::BadValue { key, .. } => Some(key.clone()),
            _ => None,
        });
        let origins = self
            .given
            .into_iter()
            .map(|(key, given)| (key, given.origin))
            .collect();
        Rules {
            bad: bad.collect(),
            origins,
            errors: self.errors,
        }
    }
}

/// Notes the rules that do not hold, beside the values that are wrong already.
pub(super) struct Rules {
    bad: BTreeSet<String>,
    origins: BTreeMap<&'static str, Origin>,
    errors: Vec<ConfigError>,
}

impl Rules {
    /// A rule about some keys, of which the first is the one to change. A key whose value is wrong already has the
    /// default instead, of which nothing follows: its rules are left out.
    pub(super) fn require(&mut self, holds: bool, keys: &[&str], expected: impl Into<String>) {
        if holds || keys.iter().any(|key| self.bad.contains(*key)) {
            return;
        }
        let Some((key, others)) = keys.split_first() else {
            return;
        };
        let others = others
            .iter()
            .filter_map(|other| Some(((*other).to_owned(), self.origins.get(other)?.clone())));
        self.errors.push(ConfigError::Rule {
            key: (*key).to_owned(),
            origin: self.origins.get(key).cloned(),
            expected: expected.into(),
            others: others.collect(),
        });
    }

    /// The origins of all values that are no defaults, if nothing is wrong.
    pub(super) fn finish(self) -> Result<BTreeMap<&'static str, Origin>, Vec<ConfigError>> {
        if self.errors.is_empty() {
            Ok(self.origins)
        } else {
            Err(self.errors)
        }
    }
}

/// Declares a section: each key with its documentation, type, default and kind.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        struct $Section:ident($name:literal) {
            $( $(#[doc = $doc:literal])+ $key:ident: $Type:ty = $default:expr, $kind:expr; )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        pub(crate) struct $Section {
            $( $(#[doc = $doc])+ pub(crate) $key: $Type, )+
        }

        impl $Section {
            /// Reads every key of the section.
            pub(super) fn read(reader: &mut $crate::config::section::Reader) -> Self {
                Self { $( $key: reader.read(concat!($name, ".", stringify!($key)), &$kind, $default), )+ }
            }
        }

        impl $crate::config::section::Section for $Section {
            fn name(&self) -> &'static str {
                $name
            }

            fn about(&self) -> &'static [&'static str] {
                &[$($about),+]
            }

            fn keys(&self) -> Vec<$crate::config::section::Key> {
                use $crate::config::section::Key;
                vec![$(
                    Key::new(concat!($name, ".", stringify!($key)), &[$($doc),+], &$kind, &self.$key),
                )+]
            }
        }
    };
}
pub(super) use section;
