//! The end-to-end suite on the embedded backend: several gateways over one store. The themes about order and about who
//! gets what run twice more: with a bus that is late, so that nodes are behind the log and behind their clients; and
//! with one that loses, repeats and reorders, so that the log must repair what it does.

mod bus;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use starling_core::{NodeId, SystemClock, ports::Rate};
use starling_embedded::{Embedded, EmbeddedConfig};
use starling_gateway::{AuthConfig, AuthKey, Gateway, NodeConfig};
use starling_testkit::e2e::{self, Settings, token};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::bus::{Fault, FaultyBus};

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
    harness_with(None).await
}

async fn on_a_late_bus() -> Harness {
    harness_with(Some(Fault::Late(Duration::from_millis(150)))).await
}

async fn on_a_bad_bus() -> Harness {
    harness_with(Some(Fault::Bad)).await
}

async fn harness_with(fault: Option<Fault>) -> Harness {
    let folder = TempDir::new().expect("a folder");
    let config = EmbeddedConfig {
        lease: LEASE,
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
        let mut config = configure(NodeConfig::new(id), settings);
        if let Some(fault) = self.fault {
            backend.bus = Arc::new(FaultyBus::new(backend.bus, fault));
            // What the bus loses is found by the sweep: often, that cases need not wait for it.
            config.sweep = Duration::from_millis(200);
        }
        let auth = AuthConfig {
            key: AuthKey::Hs256(token::SECRET.into()),
            issuer: None,
            audience: settings.audience.clone(),
            leeway_seconds: 0,
        };
        // A runtime of its own: to drop it is the death of the node.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let starting =
            runtime.spawn(async move { Gateway::start(config, backend, &auth, Arc::new(SystemClock)).await });
        let gateway = starting.await.expect("no panic").expect("the gateway starts");
        Arc::new(Running {
            addr: gateway.addr(),
            alive: Mutex::new(Some((Arc::new(gateway), runtime))),
        })
    }
}

fn configure(mut config: NodeConfig, settings: &Settings) -> NodeConfig {
    fn set<T: Copy>(setting: Option<T>, place: &mut T) {
        *place = setting.unwrap_or(*place);
    }
    let rate = |rate: Option<e2e::Rate>| rate.map(|(per_minute, burst)| Rate { per_minute, burst });
    config.cors_origins.clone_from(&settings.origins);
    config.presence.heartbeat = LEASE / 4;
    set(settings.header_timeout, &mut config.header_timeout);
    set(settings.authenticate_timeout, &mut config.authenticate_timeout);
    set(settings.heartbeat, &mut config.heartbeat);
    set(settings.max_connections, &mut config.max_connections);
    set(rate(settings.commands), &mut config.limits.commands);
    set(rate(settings.messages), &mut config.messages.rate);
    set(settings.max_unacked, &mut config.messages.max_unacked);
    set(
        settings.connections_per_user,
        &mut config.limits.connections_per_user,
    );
    set(settings.rooms_per_session, &mut config.rooms.max_per_session);
    set(settings.rooms_per_user, &mut config.rooms.max_per_user);
    set(settings.auto_create, &mut config.rooms.auto_create);
    set(settings.linger, &mut config.rooms.linger);
    set(settings.grace, &mut config.presence.grace);
    set(settings.ring_events, &mut config.rings.events);
    set(
        settings.replay_events_per_room,
        &mut config.limits.replay_events_per_room,
    );
    set(
        settings.replay_events_per_connection,
        &mut config.limits.replay_events_per_connection,
    );
    set(settings.outbox_bytes, &mut config.limits.outbox_bytes);
    set(
        settings.slow_consumer_timeout,
        &mut config.limits.slow_consumer_timeout,
    );
    set(settings.readiness_delay, &mut config.drain.readiness_delay);
    set(settings.drain_window, &mut config.drain.window);
    config
}

struct Running {
    addr: SocketAddr,
    /// Until it ends. The gateway goes with its runtime: it holds the sockets.
    alive: Mutex<Option<(Arc<Gateway>, Runtime)>>,
}

impl Running {
    fn end(&self) {
        let alive = self.alive.lock().expect("nobody panics with the lock").take();
        if let Some((gateway, runtime)) = alive {
            drop(gateway);
            runtime.shutdown_background();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

#[async_trait::async_trait]
impl e2e::Gateway for Running {
    fn addr(&self) -> SocketAddr {
        self.addr
    }

    async fn kill(&self) {
        self.end();
    }

    async fn drain(&self) {
        let draining = {
            let alive = self.alive.lock().expect("nobody panics with the lock");
            let (gateway, runtime) = alive.as_ref().expect("the node lives");
            let gateway = gateway.clone();
            runtime.spawn(async move { gateway.drain().await })
        };
        draining.await.expect("drained");
        self.end();
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
