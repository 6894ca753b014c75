//! The section `[telemetry]`.

use super::{
    kind::{Choice, LogFilter, Named},
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

section! {
    /// Logs. They go to standard error.
    struct TelemetryConfig("telemetry") {
        /// Which lines are written.
        log_level: String = "info".into(), LogFilter;
        /// How they are written.
        log_format: LogFormat = LogFormat::Text, Choice::new();
    }
}

impl Validate for TelemetryConfig {}
