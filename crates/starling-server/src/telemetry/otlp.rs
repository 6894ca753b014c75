//! The collector that traces and metrics go to, by OTLP over HTTP with protobuf
//! (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).

use http::HeaderMap;
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
        Some(Self {
            base: base.trim_end_matches('/').to_owned(),
            headers: config.otlp_headers.clone().unwrap_or_default(),
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
