//! The embedded backend does what every backend must do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use starling_core::{
    Backend, NodeId,
    ports::{Bus, Directory, Limits, Presence, Registry},
};
use starling_embedded::{Embedded, EmbeddedConfig};
use starling_testkit::conformance::{BusStage, LimitsStage, PresenceStage, RegistryStage, Store, StoreStage};
use tempfile::TempDir;

/// One store in a folder of its own, and as many nodes over it as a case asks for.
struct Stage {
    embedded: Embedded,
    lease: Duration,
    nodes: AtomicU32,
    _folder: TempDir,
}

async fn stage() -> Stage {
    let folder = TempDir::new().expect("a folder");
    let config = EmbeddedConfig::new(folder.path());
    Stage {
        lease: config.lease,
        embedded: Embedded::open(config).await.expect("the store opens"),
        nodes: AtomicU32::new(0),
        _folder: folder,
    }
}

impl Stage {
    fn node(&self) -> Backend {
        let n = self.nodes.fetch_add(1, Ordering::Relaxed);
        self.embedded
            .node(NodeId::parse(&format!("node-{n}")).expect("a node id"))
    }
}

/// Lets tokio's time go by at once.
async fn advance(span: Duration) {
    tokio::time::pause();
    tokio::time::advance(span).await;
    tokio::time::resume();
}

#[async_trait::async_trait]
impl StoreStage for Stage {
    async fn store(&self) -> Store {
        self.node().into()
    }
}

#[async_trait::async_trait]
impl BusStage for Stage {
    async fn bus(&self) -> Arc<dyn Bus> {
        self.node().bus
    }
}

#[async_trait::async_trait]
impl PresenceStage for Stage {
    async fn presence(&self) -> Arc<dyn Presence> {
        self.node().presence
    }
    async fn directory(&self) -> Arc<dyn Directory> {
        self.node().directory
    }
    fn lease(&self) -> Duration {
        self.lease
    }
    async fn pass(&self, span: Duration) {
        advance(span).await;
    }
}

#[async_trait::async_trait]
impl LimitsStage for Stage {
    async fn limits(&self) -> Arc<dyn Limits> {
        self.node().limits
    }
    async fn pass(&self, span: Duration) {
        advance(span).await;
    }
}

#[async_trait::async_trait]
impl RegistryStage for Stage {
    async fn registry(&self) -> Arc<dyn Registry> {
        self.node().registry
    }
    fn lease(&self) -> Duration {
        self.lease
    }
    async fn pass(&self, span: Duration) {
        advance(span).await;
    }
}

starling_testkit::conformance_store!(super::stage);

mod bus {
    starling_testkit::conformance_bus!(super::stage().await);
}

mod presence {
    starling_testkit::conformance_presence!(super::stage().await);
}

mod limits {
    starling_testkit::conformance_limits!(super::stage().await);
}

mod registry {
    starling_testkit::conformance_registry!(super::stage().await);
}
