//! A gateway of the suite, on whatever backend it is given. The tests of other backends use this file too.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use starling_core::{Backend, NodeId, SystemClock, ports::Rate};
use starling_gateway::{AuthConfig, AuthKey, Gateway, NodeConfig};
use starling_testkit::e2e::{self, Settings, token};
use tokio::runtime::Runtime;

/// A runtime for one node: to drop it is the death of the node.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Starts a gateway on a runtime of its own.
pub(crate) async fn start(
    runtime: Runtime,
    config: NodeConfig,
    backend: Backend,
    settings: &Settings,
) -> Arc<dyn e2e::Gateway> {
    let auth = AuthConfig {
        key: AuthKey::Hs256(token::SECRET.into()),
        issuer: None,
        audience: settings.audience.clone(),
        leeway_seconds: 0,
    };
    let starting =
        runtime.spawn(async move { Gateway::start(config, backend, &auth, Arc::new(SystemClock)).await });
    let gateway = starting.await.expect("no panic").expect("the gateway starts");
    Arc::new(Running {
        addr: gateway.addr(),
        alive: Mutex::new(Some((Arc::new(gateway), runtime))),
    })
}

/// The configuration of a node for a case, whose death is noticed after `lease`.
pub(crate) fn configured(node: NodeId, settings: &Settings, lease: Duration) -> NodeConfig {
    let mut config = NodeConfig::new(node);
    fn set<T: Copy>(setting: Option<T>, place: &mut T) {
        *place = setting.unwrap_or(*place);
    }
    let rate = |rate: Option<e2e::Rate>| rate.map(|(per_minute, burst)| Rate { per_minute, burst });
    config.cors_origins.clone_from(&settings.origins);
    config.presence.heartbeat = lease / 4;
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
