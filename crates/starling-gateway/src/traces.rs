//! Traces: one follows a message from the client's frame through its lane, the log and the bus to the fan-out of every
//! node.
//!
//! | span | kind | from | to |
//! |---|---|---|---|
//! | `send_message` | server | the frame, or the request, is read | the outcome is answered |
//! | `lane` | internal | the draft is given to its lane | its batch begins |
//! | `append` | client | the batch is given to the log | its outcome is known |
//! | `publish` | producer | the event is given to the publisher | the bus took it |
//! | `fan_out` | internal; consumer on other nodes | the event is here | it was handed to every member here |
//!
//! `send_message` is the root; `fan_out` of another node hangs below the `publish` whose context came with the bus
//! message. Which messages are traced is decided once, at the root: one in so many, and those whose REST request brings
//! a sampled `traceparent` (W3C Trace Context, <https://www.w3.org/TR/trace-context/>). What is not traced pays for one
//! random number and empty options.

use std::{collections::HashMap, time::SystemTime};

use http::HeaderMap;
use opentelemetry::{
    Context, KeyValue,
    propagation::{Extractor, TextMapPropagator},
    time::now,
    trace::{Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer},
};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{SdkTracer, Span},
};
use serde::{Deserialize, Serialize};
use starling_core::{Outcome, Refusal, RoomId};
use tokio::time::Instant;

/// Where spans go, and how many messages are traced.
#[derive(Debug, Clone)]
pub struct Traces {
    tracer: SdkTracer,
    ratio: f64,
}

impl Traces {
    /// Traces `ratio` (0 to 1) of the messages. The tracer must take every span that it is given.
    #[must_use]
    pub fn new(tracer: SdkTracer, ratio: f64) -> Self {
        Self { tracer, ratio }
    }

    /// Begins the trace of a message, where it is one to be traced.
    pub(crate) fn begin(
        &self,
        room: &RoomId,
        accepted: Instant,
        caller: Option<&SpanContext>,
    ) -> Option<Box<MessageTrace>> {
        let sampled = match caller {
            Some(caller) => caller.is_sampled(),
            None => self.ratio > 0.0 && rand::random::<f64>() < self.ratio,
        };
        if !sampled {
            return None;
        }
        let parent = caller.map_or_else(Context::new, |caller| below(caller.clone()));
        let room = KeyValue::new("starling.room.id", room.to_string());
        let builder = SpanBuilder::from_name("send_message")
            .with_kind(SpanKind::Server)
            .with_start_time(now() - accepted.elapsed())
            .with_attributes([room]);
        let root = self.tracer.build_with_context(builder, &parent);
        let lane = self.child(root.span_context(), SpanBuilder::from_name("lane"));
        Some(Box::new(MessageTrace { root, lane }))
    }

    fn child(&self, parent: &SpanContext, builder: SpanBuilder) -> Span {
        self.tracer.build_with_context(builder, &below(parent.clone()))
    }

    /// The batch of this message goes to the log.
    pub(crate) fn append(&self, trace: &mut MessageTrace, drafts: usize) -> Context {
        trace.lane.end();
        let builder = SpanBuilder::from_name("append")
            .with_kind(SpanKind::Client)
            .with_attributes([KeyValue::new("db.operation.batch.size", drafts as i64)]);
        Context::new().with_span(self.child(trace.root.span_context(), builder))
    }

    /// An event goes to the publisher.
    pub(crate) fn publish(&self, parent: &SpanContext) -> Span {
        self.child(
            parent,
            SpanBuilder::from_name("publish").with_kind(SpanKind::Producer),
        )
    }

    /// An event was handed to every member here.
    pub(crate) fn fanned_out(&self, hop: &Hop, members: usize) {
        let builder = SpanBuilder::from_name("fan_out")
            .with_kind(hop.kind.clone())
            .with_start_time(hop.since)
            .with_attributes([KeyValue::new("starling.members", members as i64)]);
        self.child(&hop.parent, builder).end();
    }
}

fn below(parent: SpanContext) -> Context {
    Context::new().with_remote_span_context(parent)
}

/// The trace of a message that is on its way to the log.
#[derive(Debug)]
pub(crate) struct MessageTrace {
    root: Span,
    lane: Span,
}

impl MessageTrace {
    /// For what hangs below the root when that has ended.
    pub(crate) fn context(&self) -> SpanContext {
        self.root.span_context().clone()
    }

    /// What became of the message. The trace ends when this is dropped.
    pub(crate) fn decided(mut self: Box<Self>, outcome: &Result<Outcome, Refusal>) -> Box<Self> {
        match outcome {
            Ok(Outcome::Committed(event) | Outcome::Repeated(event)) => self.root.set_attributes([
                KeyValue::new("starling.seq", event.seq as i64),
                KeyValue::new("messaging.message.id", event.id.to_string()),
            ]),
            Ok(Outcome::Refused(refusal)) | Err(refusal) => {
                self.root.set_status(Status::error(refusal.code()));
            }
            Ok(Outcome::Unchanged) => {}
        }
        self
    }
}

/// An event on its way to the members of a node: what its `fan_out` span needs.
#[derive(Debug)]
pub(crate) struct Hop {
    parent: SpanContext,
    since: SystemTime,
    kind: SpanKind,
}

impl Hop {
    /// Of a message that was sent here.
    pub(crate) fn own(trace: &MessageTrace) -> Box<Self> {
        Self::new(trace.context(), SpanKind::Internal)
    }

    /// Of a message that came by the bus.
    pub(crate) fn foreign(link: &Link) -> Option<Box<Self>> {
        let parent = extract(&HashMap::from([(
            TRACEPARENT.to_owned(),
            link.traceparent.clone(),
        )]))?;
        Some(Self::new(parent, SpanKind::Consumer))
    }

    fn new(parent: SpanContext, kind: SpanKind) -> Box<Self> {
        Box::new(Self {
            parent,
            since: now(),
            kind,
        })
    }

    pub(crate) fn parent(&self) -> &SpanContext {
        &self.parent
    }
}

const TRACEPARENT: &str = "traceparent";

/// The context of a traced event, as it travels over the bus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) seq: u64,
    traceparent: String,
}

impl Link {
    pub(crate) fn new(seq: u64, span: &Span) -> Self {
        let mut carrier = HashMap::new();
        let context = below(span.span_context().clone());
        TraceContextPropagator::new().inject_context(&context, &mut carrier);
        Self {
            seq,
            traceparent: carrier.remove(TRACEPARENT).unwrap_or_default(),
        }
    }
}

/// Ends the spans of bus messages that nobody will hear.
pub(crate) fn not_published(spans: impl IntoIterator<Item = Span>) {
    for mut span in spans {
        span.set_status(Status::error("not published"));
    }
}

/// The context that a request brings.
pub(crate) fn of_request(headers: &HeaderMap) -> Option<SpanContext> {
    struct Headers<'a>(&'a HeaderMap);
    impl Extractor for Headers<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            self.0.get(key)?.to_str().ok()
        }
        fn keys(&self) -> Vec<&str> {
            self.0.keys().map(http::HeaderName::as_str).collect()
        }
    }
    headers
        .contains_key(TRACEPARENT)
        .then(|| extract(&Headers(headers)))?
}

fn extract(carrier: &dyn Extractor) -> Option<SpanContext> {
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), carrier);
    let found = context.span().span_context().clone();
    found.is_valid().then_some(found)
}
