//! Traces, to the collector.

use std::{collections::HashMap, time::Duration};

use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use starling_gateway::Traces;

use super::otlp::Collector;

/// How long one request to the collector may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the last spans may take when the process ends.
const LAST: Duration = Duration::from_secs(2);

/// Sends spans in batches, from a thread of its own; what the collector does not take in time is dropped.
pub(crate) struct Spans(SdkTracerProvider);

impl Spans {
    /// Must be called outside of the runtime: the client has one of its own.
    pub(crate) fn to(collector: &Collector) -> anyhow::Result<Self> {
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers: HashMap<_, _> = collector
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(collector.url("traces"))
            .with_headers(headers)
            .with_timeout(PATIENCE)
            .build()?;
        let attributes = collector.resource.clone();
        let attributes = attributes.map(|(name, value)| KeyValue::new(name, value));
        let provider = SdkTracerProvider::builder()
            .with_resource(Resource::builder_empty().with_attributes(attributes).build())
            // The gateway decides, once for each message and before a span is made.
            .with_sampler(Sampler::AlwaysOn)
            .with_batch_exporter(exporter)
            .build();
        Ok(Self(provider))
    }

    /// For the gateway.
    pub(crate) fn traces(&self, ratio: f64) -> Traces {
        Traces::new(self.0.tracer("starling"), ratio)
    }

    /// Sends what is left. Blocks, for at most two seconds.
    pub(crate) fn finish(self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST) {
            tracing::warn!(%error, "the last traces did not reach the collector");
        }
    }
}
