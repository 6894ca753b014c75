//! Metrics, to the collector.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http::header::CONTENT_TYPE;
use prost::Message;
use reqwest::Client;
use starling_core::{Clock, Timestamp};
use starling_gateway::Gateway;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{families, otlp::Collector};

/// How long one request to the collector may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the last one may take, when the process ends: a collector that hangs must not hold a drained node.
const LAST: Duration = Duration::from_secs(2);

/// Why metrics did not reach the collector.
#[derive(Debug, thiserror::Error)]
enum PushError {
    #[error("no answer")]
    Away(#[from] reqwest::Error),
    #[error("it answered {0}")]
    Refused(reqwest::StatusCode),
}

/// Sends the metrics of a gateway at an interval.
pub(crate) struct Push {
    collector: Collector,
    client: Client,
    clock: Arc<dyn Clock>,
    started: Timestamp,
}

impl Push {
    pub(crate) fn new(collector: Collector, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        Ok(Self {
            client: Client::builder().timeout(PATIENCE).build()?,
            started: clock.now(),
            collector,
            clock,
        })
    }

    /// Sends for as long as it is polled. A collector that is away is told of once.
    pub(crate) async fn run(&self, gateway: &Gateway, every: Duration) -> Infallible {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut was_good = true;
        loop {
            ticks.tick().await;
            let pushed = self.push(gateway).await;
            match &pushed {
                Ok(()) if !was_good => tracing::info!("the collector takes metrics again"),
                Err(error) if was_good => tracing::warn!(
                    error = error as &dyn std::error::Error,
                    "metrics do not reach the collector; trying on"
                ),
                _ => {}
            }
            was_good = pushed.is_ok();
        }
    }

    /// Sends what there is to tell at the end; gives up after two seconds.
    pub(crate) async fn finish(&self, gateway: &Gateway) {
        match timeout(LAST, self.push(gateway)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the last metrics did not reach the collector"
            ),
            Err(_) => tracing::debug!("the collector did not answer; the last metrics are lost"),
        }
    }

    async fn push(&self, gateway: &Gateway) -> Result<(), PushError> {
        let span = families::Span {
            since: self.started,
            now: self.clock.now(),
        };
        let request = families::request(&gateway.metric_families(), &self.collector.resource, span);
        let answer = self
            .client
            .post(self.collector.url("metrics"))
            .headers(self.collector.headers.clone())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(request.encode_to_vec())
            .send()
            .await?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(PushError::Refused(status)),
        }
    }
}
