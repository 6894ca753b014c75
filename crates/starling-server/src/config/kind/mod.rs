//! The kinds of values that a key may take: how one is read, shown, and described to a person.

mod headers;
mod text;

use std::{fmt::Display, marker::PhantomData, ops::RangeInclusive, time::Duration};

pub(super) use self::{
    headers::Headers,
    text::{Address, FilePath, LogFilter, Name, Network, Room, Secret, ServiceUrl, WebOrigin},
};
use super::{raw::Raw, units};

/// A kind of value.
pub(super) trait Kind {
    /// What the program sees.
    type Value;

    /// What a value must be, as a noun phrase: it stands after "expected" in an error, and above the key in the example.
    fn expected(&self) -> String;

    /// Reads a value; `None` when it is not what is expected.
    fn read(&self, raw: &Raw) -> Option<Self::Value>;

    /// The value in TOML with its secrets hidden; `None` when it is not set.
    fn show(&self, value: &Self::Value) -> Option<String>;

    /// A value to show in the example for a key that has none by default.
    fn sample(&self) -> Option<&'static str> {
        None
    }

    /// Whether an error must not repeat the value.
    fn is_secret(&self) -> bool {
        false
    }
}

/// A text as a TOML string.
fn toml_text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A key that may be left out, and a value to show in the example.
pub(super) struct Optional<K>(pub(super) K, pub(super) &'static str);

impl<K: Kind> Kind for Optional<K> {
    type Value = Option<K::Value>;

    fn expected(&self) -> String {
        self.0.expected()
    }

    fn read(&self, raw: &Raw) -> Option<Self::Value> {
        self.0.read(raw).map(Some)
    }

    fn show(&self, value: &Self::Value) -> Option<String> {
        self.0.show(value.as_ref()?)
    }

    fn sample(&self) -> Option<&'static str> {
        Some(self.1)
    }

    fn is_secret(&self) -> bool {
        self.0.is_secret()
    }
}

/// Several values.
pub(super) struct List<K>(pub(super) K);

impl<K: Kind> Kind for List<K> {
    type Value = Vec<K::Value>;

    fn expected(&self) -> String {
        format!("a list, each {}", self.0.expected())
    }

    fn read(&self, raw: &Raw) -> Option<Self::Value> {
        raw.items()?.iter().map(|item| self.0.read(item)).collect()
    }

    fn show(&self, value: &Self::Value) -> Option<String> {
        let items: Option<Vec<_>> = value.iter().map(|item| self.0.show(item)).collect();
        Some(format!("[{}]", items?.join(", ")))
    }

    fn is_secret(&self) -> bool {
        self.0.is_secret()
    }
}

/// An integer within bounds.
pub(super) struct Count<T>(pub(super) RangeInclusive<T>);

impl<T: TryFrom<i64> + PartialOrd + Display> Kind for Count<T> {
    type Value = T;

    fn expected(&self) -> String {
        format!("an integer from {} to {}", self.0.start(), self.0.end())
    }

    fn read(&self, raw: &Raw) -> Option<T> {
        T::try_from(raw.as_integer()?).ok().filter(|n| self.0.contains(n))
    }

    fn show(&self, value: &T) -> Option<String> {
        Some(value.to_string())
    }
}

/// A share, from none to all.
pub(super) struct Ratio;

impl Kind for Ratio {
    type Value = f64;

    fn expected(&self) -> String {
        "a number from 0 to 1".into()
    }

    fn read(&self, raw: &Raw) -> Option<f64> {
        raw.as_number().filter(|ratio| (0.0..=1.0).contains(ratio))
    }

    fn show(&self, value: &f64) -> Option<String> {
        Some(toml::Value::Float(*value).to_string())
    }
}

/// A number of bytes within bounds.
pub(super) struct Size(pub(super) RangeInclusive<usize>);

impl Kind for Size {
    type Value = usize;

    fn expected(&self) -> String {
        let [low, high] = [self.0.start(), self.0.end()].map(|bytes| units::show_size(*bytes as u64));
        format!("a size such as 4096 or \"64KiB\", from {low} to {high}")
    }

    fn read(&self, raw: &Raw) -> Option<usize> {
        let bytes = match raw.as_text() {
            Some(text) => units::parse_size(text)?,
            None => raw.as_integer()?.try_into().ok()?,
        };
        usize::try_from(bytes).ok().filter(|bytes| self.0.contains(bytes))
    }

    fn show(&self, value: &usize) -> Option<String> {
        let text = units::show_size(*value as u64);
        Some(if text.ends_with('B') {
            toml_text(&text)
        } else {
            text
        })
    }
}

/// A duration within bounds.
pub(super) struct Time(pub(super) RangeInclusive<Duration>);

impl Time {
    /// From one to another number of milliseconds.
    pub(super) fn millis(bounds: RangeInclusive<u64>) -> Self {
        Self(Duration::from_millis(*bounds.start())..=Duration::from_millis(*bounds.end()))
    }

    /// From one to another number of seconds.
    pub(super) fn secs(bounds: RangeInclusive<u64>) -> Self {
        Self(Duration::from_secs(*bounds.start())..=Duration::from_secs(*bounds.end()))
    }
}

impl Kind for Time {
    type Value = Duration;

    fn expected(&self) -> String {
        let [low, high] = [self.0.start(), self.0.end()].map(|bound| units::show_duration(*bound));
        format!("a duration such as \"500ms\", \"30s\" or \"1h\", from {low} to {high}")
    }

    fn read(&self, raw: &Raw) -> Option<Duration> {
        units::parse_duration(raw.as_text()?).filter(|duration| self.0.contains(duration))
    }

    fn show(&self, value: &Duration) -> Option<String> {
        Some(toml_text(&units::show_duration(*value)))
    }
}

/// Yes or no.
pub(super) struct Switch;

impl Kind for Switch {
    type Value = bool;

    fn expected(&self) -> String {
        "true or false".into()
    }

    fn read(&self, raw: &Raw) -> Option<bool> {
        raw.as_switch()
    }

    fn show(&self, value: &bool) -> Option<String> {
        Some(value.to_string())
    }
}

/// A type with a few values that have names.
pub(super) trait Named: Copy + PartialEq + 'static {
    /// Every value and its name.
    const ALL: &'static [(&'static str, Self)];
}

/// One of a few names.
pub(super) struct Choice<T>(PhantomData<T>);

impl<T> Choice<T> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Named> Kind for Choice<T> {
    type Value = T;

    fn expected(&self) -> String {
        let names: Vec<_> = T::ALL.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        match names.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        }
    }

    fn read(&self, raw: &Raw) -> Option<T> {
        let text = raw.as_text()?;
        T::ALL
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, value)| *value)
    }

    fn show(&self, value: &T) -> Option<String> {
        T::ALL
            .iter()
            .find(|(_, known)| known == value)
            .map(|(name, _)| toml_text(name))
    }
}
