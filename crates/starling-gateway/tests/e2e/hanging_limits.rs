//! A store of the counts that hangs while a node drains.

use std::{future::pending, sync::Arc};

use async_trait::async_trait;
use starling_core::{
    NodeId, SessionId, UserId,
    ports::{Charge, Limits, Unavailable, Verdict},
};
use starling_testkit::e2e::Settings;
use tokio::time::Duration;

use crate::{LEASE, client, harness, running};

/// It never lets go.
struct Hanging(Arc<dyn Limits>);

#[async_trait]
impl Limits for Hanging {
    async fn take(&self, charges: &[Charge]) -> Verdict {
        self.0.take(charges).await
    }

    async fn connect(&self, user: &UserId, session: &SessionId, max: u32) -> Result<bool, Unavailable> {
        self.0.connect(user, session, max).await
    }

    async fn disconnect(&self, user: &UserId, session: &SessionId) {
        self.0.disconnect(user, session).await;
    }

    async fn let_go(&self) {
        pending().await
    }
}

#[tokio::test]
async fn clients_are_moved_though_the_store_of_the_counts_hangs() {
    let harness = harness().await;
    let settings = Settings {
        readiness_delay: Some(Duration::ZERO),
        drain_window: Some(Duration::from_secs(5)),
        ..Settings::default()
    };
    let id = NodeId::parse("here").expect("a node id");
    let mut backend = harness.embedded.node(id.clone());
    backend.limits = Arc::new(Hanging(backend.limits));
    let config = running::configured(id, &settings, LEASE);
    let gateway = running::start(running::runtime(), config, backend, &settings).await;
    let mut alice = client(gateway.addr(), "alice").await;
    let draining = tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.drain().await }
    });
    alice.event("migrate").await;
    alice.close().await;
    draining.await.expect("it drains");
}
