//! A message leaves the spans of its way, where it is traced.

use std::time::Duration;

use opentelemetry::{
    KeyValue,
    trace::{SpanId, SpanKind, Status, TracerProvider},
};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use reqwest::Method;
use serde_json::json;
use starling_gateway::Traces;

use crate::{
    live::{connect, send, until},
    support::{Server, answer, token},
};

/// A server that traces so many of its messages, and where their spans are.
async fn traced(ratio: f64) -> (Server, InMemorySpanExporter) {
    let spans = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(spans.clone())
        .build();
    let traces = Traces::new(provider.tracer("test"), ratio);
    let server = Server::start_with(|config| config.traces = Some(traces)).await;
    (server, spans)
}

/// So many spans, once they are all there: some end after the reply.
async fn finished(spans: &InMemorySpanExporter, count: usize) -> Vec<SpanData> {
    let all = async {
        loop {
            let found = spans.get_finished_spans().unwrap();
            if found.len() >= count {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), all)
        .await
        .unwrap_or_else(|_| panic!("not {count}: {spans:?}"))
}

fn named<'a>(spans: &'a [SpanData], name: &str) -> &'a SpanData {
    let mut found = spans.iter().filter(|span| span.name == name);
    let span = found.next().unwrap_or_else(|| panic!("no {name} in {spans:?}"));
    assert!(found.next().is_none(), "{name} once");
    span
}

#[tokio::test]
async fn a_message_is_followed_from_its_frame_to_the_fan_out() {
    let (server, spans) = traced(1.0).await;
    let mut alice = connect(&server, "alice").await;
    send(&mut alice, "join_room", json!({ "roomId": "den" })).await;
    assert!(
        spans.get_finished_spans().unwrap().is_empty(),
        "messages are traced, not what surrounds them"
    );
    send(
        &mut alice,
        "send_message",
        json!({ "roomId": "den", "content": "hi" }),
    )
    .await;
    let spans = finished(&spans, 5).await;
    let root = named(&spans, "send_message");
    assert_eq!(root.parent_span_id, SpanId::INVALID);
    assert_eq!(root.span_kind, SpanKind::Server);
    assert!(
        root.attributes
            .contains(&KeyValue::new("starling.room.id", "den"))
    );
    assert!(root.attributes.contains(&KeyValue::new("starling.seq", 2)));
    for (name, kind) in [
        ("lane", SpanKind::Internal),
        ("append", SpanKind::Client),
        ("publish", SpanKind::Producer),
        ("fan_out", SpanKind::Internal),
    ] {
        let span = named(&spans, name);
        assert_eq!(
            span.span_context.trace_id(),
            root.span_context.trace_id(),
            "{name}"
        );
        assert_eq!(span.parent_span_id, root.span_context.span_id(), "{name}");
        assert_eq!(span.span_kind, kind, "{name}");
        assert!(span.start_time <= span.end_time, "{name}");
    }
    assert!(named(&spans, "lane").end_time <= named(&spans, "append").start_time);
    assert_eq!(spans.len(), 5);
}

#[tokio::test]
async fn a_refused_message_says_why() {
    let (server, spans) = traced(1.0).await;
    let path = "/rooms/nowhere/messages";
    let body = json!({ "content": "hi" });
    let refused = server.call(Method::POST, path, &token("bob"), Some(&body)).await;
    assert!(refused.status.is_client_error(), "{refused:?}");
    let spans = finished(&spans, 3).await;
    let code = serde_json::from_str::<serde_json::Value>(&refused.text).unwrap()["code"].clone();
    let Status::Error { description } = &named(&spans, "send_message").status else {
        panic!("no error in {spans:?}");
    };
    assert_eq!(code, description.as_ref());
}

#[tokio::test]
async fn a_request_brings_its_own_trace() {
    // None by chance, but those whose caller wants it.
    let (server, spans) = traced(0.0).await;
    let mut alice = connect(&server, "alice").await;
    send(&mut alice, "join_room", json!({ "roomId": "den" })).await;
    let mut post = async |traceparent: &str| {
        let request = server
            .request(Method::POST, "/api/v1/rooms/den/messages")
            .bearer_auth(token("alice"))
            .header("traceparent", traceparent)
            .json(&json!({ "content": "hi" }));
        let answer = answer(request).await;
        assert!(answer.status.is_success(), "{answer:?}");
        until(&mut alice, "message_created").await;
    };
    for unwanted in [
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "nonsense",
    ] {
        post(unwanted).await;
    }
    post("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").await;
    let spans = finished(&spans, 5).await;
    assert_eq!(spans.len(), 5, "of one message only");
    let root = named(&spans, "send_message");
    let trace = root.span_context.trace_id().to_string();
    assert_eq!(trace, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(root.parent_span_id.to_string(), "b7ad6b7169203331");
    assert!(root.parent_span_is_remote);
}
