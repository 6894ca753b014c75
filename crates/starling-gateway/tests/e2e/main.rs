//! The end-to-end suite on the embedded backend: several gateways over one store. The themes about order and about who
//! gets what run twice more: with a bus that is late, so that nodes are behind the log and behind their clients; and
//! with one that loses, repeats and reorders, so that the log must repair what it does.

mod bus;
mod deaf_log;
mod deaf_store;
mod hanging_bus;
mod hanging_limits;
mod late_registry;
mod running;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use starling_core::NodeId;
use starling_embedded::{Embedded, EmbeddedConfig};
use starling_testkit::{
    client::{Dial, TestClient},
    e2e::{self, Settings, token},
};
use tempfile::TempDir;

use crate::{
    bus::{Fault, FaultyBus},
    running::configured,
};

/// One store in a folder of its own, and as many gateways over it as a case asks for.
struct Harness {
    embedded: Embedded,
    nodes: AtomicU32,
    fault: Option<Fault>,
    _folder: TempDir,
}

/// The death of a node is noticed after this time.
const LEASE: Duration = Duration::from_millis(1500);

async fn harness() -> Harness {
    harness_with(None, LEASE).await
}

async fn harness_with_lease(lease: Duration) -> Harness {
    harness_with(None, lease).await
}

async fn on_a_late_bus() -> Harness {
    harness_with(Some(Fault::Late(Duration::from_millis(150))), LEASE).await
}

async fn on_a_bad_bus() -> Harness {
    harness_with(Some(Fault::Bad), LEASE).await
}

async fn on_a_bus_that_ends_late() -> Harness {
    harness_with(Some(Fault::EndsLate(Duration::from_millis(20))), LEASE).await
}

async fn harness_with(fault: Option<Fault>, lease: Duration) -> Harness {
    let folder = TempDir::new().expect("a folder");
    let config = EmbeddedConfig {
        lease,
        ..EmbeddedConfig::new(folder.path())
    };
    Harness {
        embedded: Embedded::open(config).await.expect("the store opens"),
        nodes: AtomicU32::new(0),
        fault,
        _folder: folder,
    }
}

#[async_trait::async_trait]
impl e2e::Harness for Harness {
    async fn start(&self, settings: &Settings) -> Arc<dyn e2e::Gateway> {
        let n = self.nodes.fetch_add(1, Ordering::Relaxed);
        let id = NodeId::parse(&format!("node-{n}")).expect("a node id");
        let mut backend = self.embedded.node(id.clone());
        let mut config = configured(id, settings, LEASE);
        if let Some(fault) = self.fault {
            backend.bus = Arc::new(FaultyBus::new(backend.bus, fault));
            // What the bus loses is found by the sweep: often, that cases need not wait for it.
            config.sweep = Duration::from_millis(200);
        }
        running::start(running::runtime(), config, backend, settings).await
    }
}

starling_testkit::e2e!(crate::harness);

macro_rules! themes_of_order {
    ($harness:path) => {
        mod moderation {
            starling_testkit::e2e_moderation!($harness, Json);
        }
        mod direct {
            starling_testkit::e2e_direct!($harness, Json);
        }
        mod order {
            starling_testkit::e2e_order!($harness, Json);
        }
        mod resume {
            starling_testkit::e2e_resume!($harness, Json);
        }
    };
}

mod late {
    themes_of_order!(crate::on_a_late_bus);
}

mod bad {
    themes_of_order!(crate::on_a_bad_bus);
}

mod ends_late {
    starling_testkit::e2e_ephemeral!(crate::on_a_bus_that_ends_late, Json);
}

/// A client that was welcomed by a node.
async fn client(addr: SocketAddr, user: &str) -> TestClient {
    let dial = Dial {
        bearer: Some(token::sign(&token::claims(user))),
        ..Dial::default()
    };
    let mut client = TestClient::dial(addr, &dial).await.expect("an upgrade");
    client.event("welcome").await;
    client
}
