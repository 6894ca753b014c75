//! Metrics as the collector reads them: the families that Prometheus sees, in OTLP's shape
//! (<https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/>).
//!
//! They keep the names that Prometheus gives them, so that a dashboard shows the same whichever way they came.

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
        ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
    },
    resource::v1::Resource,
};
use prometheus::proto::{self, LabelPair, MetricFamily, MetricType};
use starling_core::Timestamp;

/// Since when has been counted, and when it was read.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) since: Timestamp,
    pub(super) now: Timestamp,
}

impl Span {
    fn nanos(at: Timestamp) -> u64 {
        u64::try_from(at.as_millis()).unwrap_or_default() * 1_000_000
    }

    fn since_nanos(self) -> u64 {
        Self::nanos(self.since)
    }

    fn now_nanos(self) -> u64 {
        Self::nanos(self.now)
    }
}

/// The families, on behalf of this resource.
pub(super) fn request(
    families: &[MetricFamily],
    resource: &[(&'static str, String)],
    span: Span,
) -> ExportMetricsServiceRequest {
    let attributes = resource.iter().map(|(name, value)| attribute(name, value));
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource {
                attributes: attributes.collect(),
                ..Resource::default()
            }),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(InstrumentationScope {
                    name: "starling".into(),
                    version: env!("CARGO_PKG_VERSION").into(),
                    ..InstrumentationScope::default()
                }),
                metrics: families.iter().map(|family| metric(family, span)).collect(),
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

fn metric(family: &MetricFamily, span: Span) -> Metric {
    let series = family.get_metric();
    let numbers = |value: fn(&proto::Metric) -> f64| {
        let point = |metric| number(metric, value(metric), span);
        series.iter().map(point).collect::<Vec<_>>()
    };
    let data = match family.get_field_type() {
        MetricType::COUNTER => metric::Data::Sum(Sum {
            data_points: numbers(|metric| metric.get_counter().get_value()),
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
            is_monotonic: true,
        }),
        MetricType::HISTOGRAM => metric::Data::Histogram(Histogram {
            data_points: series.iter().map(|metric| histogram(metric, span)).collect(),
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
        }),
        // The gateway has no summaries, and nothing without a type.
        MetricType::GAUGE | MetricType::SUMMARY | MetricType::UNTYPED => metric::Data::Gauge(Gauge {
            data_points: numbers(|metric| metric.get_gauge().get_value()),
        }),
    };
    Metric {
        name: family.name().to_owned(),
        description: family.help().to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn number(metric: &proto::Metric, value: f64, span: Span) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(metric.get_label()),
        start_time_unix_nano: span.since_nanos(),
        time_unix_nano: span.now_nanos(),
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}

/// Prometheus counts what is below each bound, OTLP what is between two.
fn histogram(metric: &proto::Metric, span: Span) -> HistogramDataPoint {
    let histogram = metric.get_histogram();
    let bounded = histogram
        .get_bucket()
        .iter()
        .filter(|b| b.upper_bound().is_finite());
    let (bounds, below): (Vec<f64>, Vec<u64>) = bounded
        .map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()))
        .unzip();
    let count = histogram.get_sample_count();
    let ends = below.iter().copied().chain([count]);
    let starts = std::iter::once(0).chain(below.iter().copied());
    HistogramDataPoint {
        attributes: attributes(metric.get_label()),
        start_time_unix_nano: span.since_nanos(),
        time_unix_nano: span.now_nanos(),
        count,
        sum: Some(histogram.get_sample_sum()),
        bucket_counts: ends
            .zip(starts)
            .map(|(end, start)| end.saturating_sub(start))
            .collect(),
        explicit_bounds: bounds,
        ..HistogramDataPoint::default()
    }
}

fn attributes(labels: &[LabelPair]) -> Vec<KeyValue> {
    labels
        .iter()
        .map(|label| attribute(label.name(), label.value()))
        .collect()
}

fn attribute(name: &str, value: &str) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}
