//! Start, listen, drain, stop.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use starling_core::{Backend, Clock};
use starling_protocol::{CloseCode, event::Migrate};
use tokio::net::TcpListener;

use crate::{
    Node, NodeConfig, StartError,
    auth::AuthConfig,
    conn::Class,
    http::{self, connection},
    telemetry::Telemetry,
};

/// A node that listens.
pub struct Gateway {
    node: Arc<Node>,
    addr: SocketAddr,
    telemetry: Arc<Telemetry>,
}

impl Gateway {
    /// Starts a node on a backend. On return it takes connections.
    pub async fn start(
        mut config: NodeConfig,
        backend: Backend,
        auth: &AuthConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let (listener, addr) = bind(config.listen, config.sndbuf_bytes)?;
        config.listen = addr;
        let also = config
            .listen_also
            .iter()
            .map(|addr| bind(*addr, config.sndbuf_bytes));
        let also: Vec<_> = also.collect::<Result<_, _>>()?;
        let node = Node::start(config, backend, auth, clock)?;
        let telemetry = Arc::new(Telemetry::new(&node)?);
        let router = http::router(&node, telemetry.clone());
        for (listener, _) in std::iter::once((listener, addr)).chain(also) {
            node.tasks.spawn(accept(node.clone(), listener, router.clone()));
        }
        Ok(Self {
            node,
            addr,
            telemetry,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The node.
    #[must_use]
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// A meter whose instruments appear at `/metrics` beside the node's own: for the counters of the backend.
    #[must_use]
    pub fn meter(&self, scope: &'static str) -> opentelemetry::metrics::Meter {
        self.telemetry.meter(scope)
    }

    /// Everything that is counted, as `/metrics` shows it.
    #[must_use]
    pub fn metric_families(&self) -> Vec<prometheus::proto::MetricFamily> {
        self.telemetry.families()
    }

    /// Completes when the node stops, for whatever reason.
    pub async fn stopped(&self) {
        self.node.stop.cancelled().await;
    }

    /// Completes when an administrator asks the node to drain. Whoever runs it then calls [`Gateway::drain`].
    pub async fn drain_wanted(&self) {
        self.node.drain_wanted.cancelled().await;
    }

    /// Sends the clients away in an orderly manner, then stops: not ready, then no new handshakes, then `migrate`
    /// spread over the window, then close 1012 for those who stayed; what was sent to the log is finished and answered.
    pub async fn drain(&self) {
        let node = &self.node;
        if !node.set_draining() {
            return;
        }
        let settings = &node.config.drain;
        let deadline = tokio::time::Instant::now() + settings.timeout;
        tracing::info!(connections = node.metrics.connections.get(), "draining");
        if node.metrics.connections.get() > 0 {
            tokio::time::sleep(settings.readiness_delay).await;
        }
        node.set_refusing();
        // Who has as many connections as they may have opens another one elsewhere all the same. A store that hangs does
        // not keep the others here.
        let letting_go = tokio::time::timeout(LET_GO, node.backend.limits.let_go()).await;
        if letting_go.is_err() {
            tracing::warn!(
                "the connections of this node still count: the store of the counts does not answer"
            );
        }
        let window = u64::try_from(settings.window.as_millis()).unwrap_or(u64::MAX);
        for session in node.users.all() {
            let after_ms = (window as f64 * 0.8 * rand::random::<f64>()) as u64;
            session
                .conn
                .send_event("migrate", &Migrate { after_ms }, Class::Reply);
        }
        let moved = async {
            while node.metrics.connections.get() > 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let until = (tokio::time::Instant::now() + settings.window).min(deadline);
        if tokio::time::timeout_at(until, moved).await.is_err() {
            node.close_all(CloseCode::Restart);
        }
        self.stop(deadline).await;
    }

    /// Stops now: every socket is closed with 1012, what was sent to the log is finished and answered.
    pub async fn shut_down(&self) {
        self.node.set_draining();
        self.node.set_refusing();
        self.node.close_all(CloseCode::Restart);
        self.stop(tokio::time::Instant::now() + Duration::from_secs(5))
            .await;
    }

    async fn stop(&self, deadline: tokio::time::Instant) {
        let node = &self.node;
        let closed = async {
            while node.metrics.connections.get() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout_at(deadline, closed).await.is_err() {
            tracing::warn!(
                connections = node.metrics.connections.get(),
                "some connections did not close in time"
            );
        }
        node.stop.cancel();
        node.tasks.close();
        let grace = deadline.max(tokio::time::Instant::now() + Duration::from_secs(1));
        if tokio::time::timeout_at(grace, node.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = node.tasks.len(), "some tasks did not end in time");
        }
        // A card that stays ends with its lease.
        if let Err(error) = node.backend.registry.withdraw(&node.config.node_id).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "cannot withdraw this node"
            );
        }
        node.backend.health.close().await;
    }
}

/// How long clients wait for `migrate` where the store of the counts does not answer.
const LET_GO: Duration = Duration::from_millis(500);
/// The backlog of connections that the kernel holds for us in a storm.
const BACKLOG: i32 = 4096;

/// A listener, and its address with the port that it got.
fn bind(addr: SocketAddr, sndbuf: usize) -> Result<(TcpListener, SocketAddr), StartError> {
    let bound = try_bind(addr, sndbuf).and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (bound, listener) = bound.map_err(|source| StartError::Listen { addr, source })?;
    Ok((listener, bound))
}

fn try_bind(addr: SocketAddr, sndbuf: usize) -> io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(addr);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Those that it accepts inherit these two: tcp(7) and socket(7).
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(sndbuf)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn accept(node: Arc<Node>, listener: TcpListener, router: Router) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = node.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (node, router) = (node.clone(), router.clone());
                node.tasks
                    .clone()
                    .spawn(connection::serve(node, stream, peer, router));
            }
            Err(error) => {
                // Out of descriptors, most likely: those who wait stay in the backlog until one is free.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
