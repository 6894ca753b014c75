//! What has to be asked for now and then, so that it can be told at any time.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::node::Node;

/// How often the runtime is tried.
const TRY_EVERY: Duration = Duration::from_millis(100);
/// How often the services are asked.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// The latest answers.
#[derive(Default)]
pub(crate) struct Watch {
    services: Mutex<Vec<(&'static str, bool)>>,
}

impl Watch {
    /// Each service, and whether it was well when it was last asked.
    pub(crate) fn services(&self) -> Vec<(&'static str, bool)> {
        self.services.lock().clone()
    }
}

/// Measures how late a sleeping task is woken.
pub(crate) async fn run_runtime_watch(node: Arc<Node>) {
    loop {
        let due = Instant::now() + TRY_EVERY;
        tokio::select! {
            () = tokio::time::sleep_until(due) => node.metrics.runtime_lag.record(due.elapsed()),
            () = node.stop.cancelled() => return,
        }
    }
}

/// Asks the services behind the backend how they are.
pub(crate) async fn run_service_watch(node: Arc<Node>) {
    loop {
        let services = node.backend.health.check().await;
        let known = services
            .iter()
            .map(|service| (service.service, service.problem.is_none()));
        *node.watch.services.lock() = known.collect();
        tokio::select! {
            () = sleep(ASK_EVERY) => {}
            () = node.stop.cancelled() => return,
        }
    }
}
