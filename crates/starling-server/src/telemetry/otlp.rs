//! The collector that traces and metrics go to, by OTLP over HTTP with protobuf
//! (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use secrecy::ExposeSecret;
use starling_core::NodeId;

use crate::config::{Signal, TelemetryConfig};

/// Where to send, and as whom.
pub(crate) struct Collector {
    /// Without a slash at its end.
    base: String,
    pub(super) headers: HeaderMap,
    /// Attributes of the resource, by the names of OpenTelemetry's conventions.
    pub(super) resource: [(&'static str, String); 3],
}

impl Collector {
    /// The collector that the configuration names for this signal.
    pub(crate) fn of(config: &TelemetryConfig, signal: Signal, node: &NodeId) -> Option<Self> {
        let base = config.otlp_endpoint.as_ref()?.expose_secret();
        if !config.otlp_signals.contains(&signal) {
            return None;
        }
        let given = config.otlp_headers.as_ref();
        Some(Self {
            base: base.trim_end_matches('/').to_owned(),
            headers: given
                .and_then(|text| headers(text.expose_secret()))
                .unwrap_or_default(),
            resource: [
                ("service.name", config.service_name.clone()),
                ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
                ("service.instance.id", node.to_string()),
            ],
        })
    }

    pub(super) fn url(&self, signal: &str) -> String {
        format!("{}/v1/{signal}", self.base)
    }
}

/// Reads `name=value,name=value`, the values percent-encoded.
pub(crate) fn headers(text: &str) -> Option<HeaderMap> {
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
        for bad in ["", "a", "a b=c", "a=%0a", "a=b,"] {
            assert!(headers(bad).is_none(), "{bad:?}");
        }
    }
}
