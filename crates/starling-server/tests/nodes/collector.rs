//! An OTLP receiver: what gateways send to a collector, as the collector would read it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use http::{HeaderMap, StatusCode, header};
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{KeyValue, any_value::Value},
    metrics::v1::Metric,
    trace::v1::Span,
};
use prost::Message;
use starling_testkit::client::DEADLINE;

/// What every request must bring.
const TOKEN: &str = "Bearer for collectors";

/// What has come in, with the node that it is from.
#[derive(Default)]
pub(crate) struct Received {
    pub(crate) spans: Vec<(String, Span)>,
    pub(crate) metrics: Vec<(String, Metric)>,
}

/// It listens until the test's runtime ends.
pub(crate) struct Collector {
    addr: SocketAddr,
    received: Arc<Mutex<Received>>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let received = Arc::default();
        let routes = Router::new()
            .route("/v1/traces", post(take_traces))
            .route("/v1/metrics", post(take_metrics))
            .with_state(Arc::clone(&received));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { addr, received }
    }

    /// The variables that make a gateway send here: all that it has, and soon.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://{}", self.addr);
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                "authorization=Bearer%20for%20collectors",
            ),
            ("OTEL_TRACES_SAMPLER_ARG", "1"),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
            ("STARLING_TELEMETRY__METRICS_INTERVAL", "1s"),
        ];
        variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    /// Waits until what was received holds what is looked for.
    pub(crate) async fn find<T>(&self, what: &str, look: impl Fn(&Received) -> Option<T>) -> T {
        let found = async {
            loop {
                if let Some(found) = look(&self.received.lock().unwrap()) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(DEADLINE, found)
            .await
            .unwrap_or_else(|_| panic!("no {what} came to the collector"))
    }
}

type Taken = State<Arc<Mutex<Received>>>;

async fn take_traces(State(received): Taken, headers: HeaderMap, body: Bytes) -> StatusCode {
    if !may_come_in(&headers) {
        return StatusCode::UNAUTHORIZED;
    }
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    for from in request.resource_spans {
        let node = instance(&from.resource.unwrap().attributes);
        let spans = from.scope_spans.into_iter().flat_map(|scope| scope.spans);
        let spans = spans.map(|span| (node.clone(), span));
        received.lock().unwrap().spans.extend(spans);
    }
    StatusCode::OK
}

async fn take_metrics(State(received): Taken, headers: HeaderMap, body: Bytes) -> StatusCode {
    if !may_come_in(&headers) {
        return StatusCode::UNAUTHORIZED;
    }
    let request = ExportMetricsServiceRequest::decode(body).unwrap();
    for from in request.resource_metrics {
        let node = instance(&from.resource.unwrap().attributes);
        let metrics = from.scope_metrics.into_iter().flat_map(|scope| scope.metrics);
        let metrics = metrics.map(|metric| (node.clone(), metric));
        received.lock().unwrap().metrics.extend(metrics);
    }
    StatusCode::OK
}

fn may_come_in(headers: &HeaderMap) -> bool {
    let is_protobuf = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/x-protobuf");
    is_protobuf
        && headers
            .get(header::AUTHORIZATION)
            .is_some_and(|token| token == TOKEN)
}

fn instance(attributes: &[KeyValue]) -> String {
    assert_eq!(attribute(attributes, "service.name").as_deref(), Some("starling"));
    assert!(attribute(attributes, "service.version").is_some());
    attribute(attributes, "service.instance.id").expect("an instance")
}

/// An attribute that is a text.
pub(crate) fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}
