//! A value as it was written, before its key says what it means.

use toml::de::DeValue;

/// A value from any source. A file has types; the environment and the command line have only text, which each kind of
/// key reads in its own way (so that a secret of digits stays a secret).
#[derive(Clone)]
pub(super) enum Raw {
    /// From the environment or a flag.
    Untyped(String),
    /// A string of the file.
    Text(String),
    /// An integer of the file.
    Integer(i64),
    /// A float of the file.
    Float(f64),
    /// A boolean of the file.
    Switch(bool),
    /// An array of the file.
    List(Vec<Raw>),
    /// What no key takes: a date, a table, an integer beyond 64 bits.
    Other,
}

impl Raw {
    /// A value of a TOML file.
    pub(super) fn from_toml(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.clone().into_owned()),
            DeValue::Integer(n) => {
                i64::from_str_radix(n.as_str(), n.radix()).map_or(Self::Other, Self::Integer)
            }
            DeValue::Boolean(on) => Self::Switch(*on),
            DeValue::Array(items) => {
                Self::List(items.iter().map(|item| Self::from_toml(item.get_ref())).collect())
            }
            DeValue::Float(number) => number.as_str().parse().map_or(Self::Other, Self::Float),
            DeValue::Datetime(_) | DeValue::Table(_) => Self::Other,
        }
    }

    /// The value as text, if it is text.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Untyped(text) | Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value as an integer.
    pub(super) fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Untyped(text) => text.parse().ok(),
            Self::Integer(n) => Some(*n),
            _ => None,
        }
    }

    /// The value as a number.
    pub(super) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Untyped(text) => text.parse().ok(),
            Self::Integer(n) => Some(*n as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// The value as yes or no.
    pub(super) fn as_switch(&self) -> Option<bool> {
        match self {
            Self::Untyped(text) => text.parse().ok(),
            Self::Switch(on) => Some(*on),
            _ => None,
        }
    }

    /// The values of a list: an array, or untyped text with commas between.
    pub(super) fn items(&self) -> Option<Vec<Self>> {
        match self {
            Self::Untyped(text) => Some(
                text.split(',')
                    .map(|item| Self::Untyped(item.trim().to_owned()))
                    .collect(),
            ),
            Self::List(items) => Some(items.clone()),
            _ => None,
        }
    }
}
