//! What the node counts, as OpenTelemetry instruments that Prometheus reads at `/metrics`.
//!
//! | module | what it holds |
//! |---|---|
//! | `instruments` | the table of counters and gauges |
//! | `histograms` | latencies |
//! | `watch` | what has to be asked for: services, the runtime's lag |
//! | `process` | what the operating system says of the process |
//!
//! The hot path only touches the atomics of [`Metrics`]: every instrument is observable and reads them when somebody
//! scrapes. The provider is the node's own, because many nodes run in one process.
//!
//! To add a metric: a field in [`Metrics`], and its line in one of the tables.
//!
//! [`Metrics`]: crate::metrics::Metrics

mod histograms;
mod instruments;
pub(crate) mod process;
pub(crate) mod watch;

use std::{fmt, sync::Arc};

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_sdk::{Resource, error::OTelSdkError, metrics::SdkMeterProvider};
use prometheus::{Registry, TextEncoder, proto::MetricFamily};

use self::histograms::Histograms;
use crate::node::Node;

/// The node's meter provider, and the registry that is scraped.
pub(crate) struct Telemetry {
    registry: Registry,
    provider: SdkMeterProvider,
}

/// Why metrics cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The OpenTelemetry exporter.
    #[error("the exporter of metrics cannot be built")]
    Exporter(#[from] OTelSdkError),
    /// The Prometheus registry, or its text.
    #[error("the metrics cannot be written for Prometheus")]
    Prometheus(#[from] prometheus::Error),
}

impl Telemetry {
    /// Registers everything that a node counts.
    pub(crate) fn new(node: &Arc<Node>) -> Result<Self, TelemetryError> {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .without_target_info()
            .scope_info_enabled(false)
            .build()?;
        let provider = SdkMeterProvider::builder()
            .with_resource(Resource::builder_empty().build())
            .with_reader(exporter)
            .build();
        instruments::register(&provider.meter("starling"), node);
        registry.register(Box::new(Histograms::new(node.metrics.clone())?))?;
        Ok(Self { registry, provider })
    }

    /// For instruments of others, such as the backend's: they appear beside the node's own.
    pub(crate) fn meter(&self, scope: &'static str) -> Meter {
        self.provider.meter(scope)
    }

    /// Everything, in Prometheus's text format.
    pub(crate) fn text(&self) -> Result<String, TelemetryError> {
        Ok(TextEncoder::new().encode_to_string(&self.families())?)
    }

    /// Everything.
    pub(crate) fn families(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Telemetry")
    }
}
