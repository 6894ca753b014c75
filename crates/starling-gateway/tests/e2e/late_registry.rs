//! A service that answers late holds up nothing but what asks it.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use starling_core::{
    NodeId,
    ports::{NodeCard, Registry, Unavailable},
};
use starling_embedded::{Embedded, EmbeddedConfig};
use starling_testkit::e2e::Settings;
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::{
    client,
    running::{self, configured},
};

const LEASE: Duration = Duration::from_secs(3);

/// A registry that takes reports late.
struct LateRegistry {
    registry: Arc<dyn Registry>,
    by: Duration,
    reported: Arc<Notify>,
}

#[async_trait::async_trait]
impl Registry for LateRegistry {
    async fn report(&self, card: &NodeCard) -> Result<(), Unavailable> {
        tokio::time::sleep(self.by).await;
        let reported = self.registry.report(card).await;
        self.reported.notify_one();
        reported
    }

    async fn withdraw(&self, node: &NodeId) -> Result<(), Unavailable> {
        self.registry.withdraw(node).await
    }

    async fn nodes(&self) -> Result<Vec<NodeCard>, Unavailable> {
        self.registry.nodes().await
    }
}

#[tokio::test]
async fn a_late_report_does_not_cost_a_node_its_lease() {
    let folder = TempDir::new().expect("a folder");
    let config = EmbeddedConfig {
        lease: LEASE,
        ..EmbeddedConfig::new(folder.path())
    };
    let embedded = Embedded::open(config).await.expect("the store opens");
    let settings = Settings::default();
    let reported = Arc::new(Notify::new());
    let node = |name: &str| {
        let id = NodeId::parse(name).expect("a node id");
        (embedded.node(id.clone()), configured(id, &settings, LEASE))
    };
    let (mut backend, config) = node("late");
    backend.registry = Arc::new(LateRegistry {
        registry: backend.registry,
        by: 2 * LEASE,
        reported: reported.clone(),
    });
    let late = running::start(running::runtime(), config, backend, &settings).await;
    let (backend, config) = node("other");
    let other = running::start(running::runtime(), config, backend, &settings).await;

    let _alice = client(late.addr(), "alice").await;
    let mut watcher = client(other.addr(), "watcher").await;
    let watch = json!({ "userIds": ["alice"] });
    if watcher.call("watch_presence", watch.clone()).await["users"][0]["status"] != "online" {
        assert_eq!(
            watcher.event("presence_changed").await["users"][0]["status"],
            "online"
        );
    }
    // From here on a whole report falls into the time, so the one before does not count.
    for _ in 0..2 {
        reported.notified().await;
    }
    let shown = watcher.call("watch_presence", watch).await;
    assert_eq!(shown["users"][0]["status"], "online");
    watcher.has_no("presence_changed").await;
}
