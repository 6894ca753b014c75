//! The section `[telemetry]`.

use std::time::Duration;

use http::HeaderMap;
use secrecy::SecretString;

use super::{
    kind::{Choice, Headers, List, LogFilter, Name, Named, Optional, Ratio, ServiceUrl, Time},
    section::{Validate, section},
};

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

impl Named for LogFormat {
    const ALL: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

/// What a collector is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// The ways of some messages.
    Traces,
    /// What Prometheus reads at `/metrics`.
    Metrics,
}

impl Named for Signal {
    const ALL: &'static [(&'static str, Self)] = &[("traces", Self::Traces), ("metrics", Self::Metrics)];
}

section! {
    /// Logs, which go to standard error; traces and metrics, which go to an OpenTelemetry collector where one is named.
    /// Prometheus reads the same metrics at /metrics.
    struct TelemetryConfig("telemetry") {
        /// Which lines are written.
        log_level: String = "info".into(), LogFilter;
        /// How they are written.
        log_format: LogFormat = LogFormat::Text, Choice::new();
        /// The collector's OTLP receiver for HTTP (protobuf), without /v1/traces and the like.
        otlp_endpoint: Option<SecretString> = None, Optional(COLLECTOR, "\"http://localhost:4318\"");
        /// Headers of every request to it.
        otlp_headers: Option<HeaderMap> = None, Optional(Headers, "\"authorization=Bearer abc\"");
        /// What it is sent. A collector without a pipeline for metrics refuses them: leave them out where Prometheus reads
        /// them.
        otlp_signals: Vec<Signal> = vec![Signal::Traces, Signal::Metrics], List(Choice::new());
        /// The name of the whole service in traces and metrics; its instances go by server.node_id.
        service_name: String = "starling".into(), Name;
        /// Of how many messages the way is traced: 1 is all of them.
        trace_ratio: f64 = 0.01, Ratio;
        /// How often metrics are sent to the collector.
        metrics_interval: Duration = Duration::from_secs(60), Time::secs(1..=3600);
    }
}

const COLLECTOR: ServiceUrl = ServiceUrl {
    schemes: &["http", "https"],
    example: "http://localhost:4318",
};

impl Validate for TelemetryConfig {}
