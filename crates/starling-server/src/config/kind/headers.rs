//! Headers of a request.

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use super::{Kind, Raw, toml_text};
use crate::secret;

/// Headers as OpenTelemetry's variables write them: `name=value,name=value`, the values percent-encoded. They may hold a
/// token.
pub(in crate::config) struct Headers;

impl Kind for Headers {
    type Value = HeaderMap;

    fn expected(&self) -> String {
        "headers such as \"name=value,other=value\"".into()
    }

    fn read(&self, raw: &Raw) -> Option<HeaderMap> {
        headers(raw.as_text()?)
    }

    fn show(&self, _: &HeaderMap) -> Option<String> {
        Some(toml_text(secret::HIDDEN))
    }

    fn is_secret(&self) -> bool {
        true
    }
}

fn headers(text: &str) -> Option<HeaderMap> {
    let header = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::try_from(name.trim()).ok()?, value))
    };
    text.split(',').map(header).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_pairs() {
        let found = headers("authorization=Bearer%20a=b, x-team = chat").unwrap();
        assert_eq!(found["authorization"], "Bearer a=b");
        assert_eq!(found["x-team"], "chat");
        assert!(!format!("{found:?}").contains("chat"), "they are not for the log");
        for bad in ["", "a", "a b=c", "a=%0a", "a=b,"] {
            assert!(headers(bad).is_none(), "{bad:?}");
        }
    }
}
